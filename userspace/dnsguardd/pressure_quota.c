// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pressure_quota.c - resolvers are asked for their quota by a child, `dnsguard doctor tcp --json`, every now and then.
 *
 * A resolver's tool may take its time, or never end: the child is what waits. It may also do what the daemon must not, load an
 * iterator and become the resolver's user.
 */
#include <string.h>

#include "userspace/dnsguardd/log.h"
#include "userspace/dnsguardd/pressure_internal.h"

#define PROGRAM "dnsguard"
#define ASK_SECONDS 20
#define ASK_AGAIN_NS 2000000000ull /* for a listener that has just come */
#define UNKNOWN_MAX 16		   /* doublings of that: more than the longest tcp.quota-refresh */

/* As the operator says it for this listener, or for all of them; 0 = it is not said. */
static __u64 configured(const struct dg_quotas *watch, const struct dg_quotas_listener *listener)
{
	const struct dg_config *config = watch->daemon->config;

	for (__u32 i = 0; i < config->tcp_quota_count; i++)
		if (!strcmp(config->tcp_quotas[i].listener, listener->name))
			return config->tcp_quotas[i].connections;
	return config->tcp_quota;
}

__u64 dg_quotas_of(const struct dg_quotas *watch, const struct dg_quotas_listener *listener)
{
	__u64 said = configured(watch, listener);

	return said ? said : listener->quota.connections;
}

bool dg_quotas_find(const struct dg_quotas *watch, const struct dg_tcp_key *key,
		    struct dg_quota_known *ret)
{
	char name[DG_TCP_KEY_TEXT];

	dg_tcp_key_text(key, name);
	for (unsigned int i = 0; watch && i < watch->count; i++) {
		const struct dg_quotas_listener *listener = &watch->listener[i];

		if (strcmp(listener->name, name))
			continue;
		*ret = (struct dg_quota_known){ .connections = dg_quotas_of(watch, listener),
						.shared = listener->quota.shared,
						.pid = listener->quota.pid };
		return ret->connections != 0;
	}
	return false;
}

void dg_quotas_sharers(const struct dg_quotas *watch, struct dg_quota_sharers *ret)
{
	ret->count = 0;
	for (unsigned int i = 0; watch && i < watch->count; i++) {
		const struct dg_quotas_listener *listener = &watch->listener[i];

		if (!listener->quota.pid || !listener->quota.shared)
			continue;
		snprintf(ret->of[ret->count].listener, sizeof(ret->of[0].listener), "%s",
			 listener->name);
		ret->of[ret->count++].pid = listener->quota.pid;
	}
}

/* ---- what the child says ---------------------------------------------------------------------- */

static void text_take(const json_t *row, const char *key, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(row, key));

	snprintf(ret, size, "%s", text ? text : "");
}

static struct dg_quota_told quota_take(const json_t *row)
{
	struct dg_quota_told quota = {
		.pid = json_integer_value(json_object_get(row, "pid")),
		.connections = (__u64)json_integer_value(json_object_get(row, "quota")),
		.slots = (__u64)json_integer_value(json_object_get(row, "quota_slots")),
		.shared = json_is_true(json_object_get(row, "quota_shared")),
	};

	text_take(row, "resolver", quota.resolver, sizeof(quota.resolver));
	text_take(row, "quota_source", quota.source, sizeof(quota.source));
	text_take(row, "quota_advice", quota.advice, sizeof(quota.advice));
	return quota;
}

/* A tool that fails once does not make a quota unknown that the very same process has told. */
static void row_take(struct dg_quotas *watch, const json_t *row)
{
	const char *name = json_string_value(json_object_get(row, "listener"));
	struct dg_quota_told quota = quota_take(row);

	for (unsigned int i = 0; name && i < watch->count; i++) {
		struct dg_quotas_listener *listener = &watch->listener[i];

		if (strcmp(listener->name, name))
			continue;
		if (!quota.connections && quota.pid && quota.pid == listener->quota.pid)
			return;
		watch->changed |= quota.connections != listener->quota.connections ||
				  quota.pid != listener->quota.pid;
		listener->quota = quota;
	}
}

static bool all_known(const struct dg_quotas *watch)
{
	for (unsigned int i = 0; i < watch->count; i++)
		if (watch->listener[i].present && !dg_quotas_of(watch, &watch->listener[i]))
			return false;
	return true;
}

static void on_end(void *arg, const struct dg_program_end *end)
{
	struct dg_quotas *watch = arg;
	json_t *doc = end->exit_status < 0 ? NULL : json_loads(end->said, 0, NULL);
	const json_t *list = json_object_get(doc, "listeners"), *row;
	size_t i;

	watch->asking = NULL;
	if (!list && !watch->ask_complained)
		dg_log(DG_LOG_WARNING, "resolvers cannot be asked for their TCP quota: %s",
		       end->late	 ? "it took too long" :
		       end->complaint[0] ? end->complaint :
					   "the program said nothing");
	watch->ask_complained = !list;
	json_array_foreach(list, i, row)
	{
		row_take(watch, row);
	}
	if (all_known(watch))
		watch->unknown = 0;
	json_decref(doc);
}

/* A tool may fail because the host is too busy, or its resolver has only begun: it is asked again soon, then less and less often. */
static __u64 ask_wait(const struct dg_quotas *watch)
{
	__u64 refresh = watch->daemon->config->tcp_quota_refresh_ns;
	__u64 soon = ASK_AGAIN_NS << watch->unknown;

	if (watch->ask_again)
		return ASK_AGAIN_NS;
	return watch->unknown && soon < refresh ? soon : refresh;
}

void dg_quotas_ask(struct dg_quotas *watch, __u64 now_ns)
{
	const struct dg_daemon_options *options = watch->daemon->options;
	char *argv[] = {
		PROGRAM, "--bpffs", (char *)options->bpffs, "doctor", "tcp", "--json", NULL
	};
	const struct dg_program_want want = { .name = PROGRAM,
					      .argv = argv,
					      .seconds_max = ASK_SECONDS,
					      .end = on_end,
					      .arg = watch };
	struct dg_error err = { .text = "" };

	if (watch->asking || (watch->asked_ns && now_ns - watch->asked_ns < ask_wait(watch)) ||
	    !watch->count)
		return;
	watch->asked_ns = now_ns;
	watch->unknown = watch->ask_again ? 1 : watch->unknown + (watch->unknown < UNKNOWN_MAX);
	watch->ask_again = false;
	if (!dg_program_start(&watch->daemon->loop, &want, &watch->asking, &err))
		return;
	if (!watch->ask_complained)
		dg_log(DG_LOG_WARNING, "resolvers cannot be asked for their TCP quota: %s",
		       err.text);
	watch->ask_complained = true;
}
