// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * doctor_asked.c - finds the resolvers behind the guarded TCP ports and asks their own tools for their configuration.
 *
 * Judges nothing. What cannot be asked is -1, never a default.
 */
#include <string.h>

#include "loader/loader.h"
#include "userspace/dnsguard/doctor.h"
#include "userspace/lib/tcp.h"
#include "userspace/lib/tcp_quota_internal.h"

#define BIND_IDLE_MS 30000
#define BIND_IDLE_UNIT_MS 100 /* tcp-idle-timeout counts in these */

static struct dg_resolver_facts *facts_find(struct dg_resolver_facts *facts, __u32 count, pid_t pid)
{
	for (__u32 i = 0; i < count; i++)
		if (facts[i].owner.pid == pid)
			return &facts[i];
	return NULL;
}

static void listener_add(struct dg_resolver_facts *facts, const struct dg_tcp_listener *listener)
{
	__u32 room = listener->sockets ? listener->accept_queue_max / listener->sockets : 0;

	if (!facts->listeners || room < facts->accept_queue_max)
		facts->accept_queue_max = room;
	if (listener->accept_queue_longest > facts->accept_queue)
		facts->accept_queue = listener->accept_queue_longest;
	facts->listeners++;
}

/* Listeners whose process cannot be found are one resolver, of pid 0. */
__u32 dg_resolvers_find(const struct dg_doctor *doctor,
			struct dg_resolver_facts ret[DG_RESOLVERS_MAX])
{
	dg_scoped_free struct dg_tcp_dump *dump = calloc(1, sizeof(*dump));
	dg_scoped_free struct dg_tcp_known *asked = calloc(DG_TCP_LISTENERS_MAX, sizeof(*asked));
	__u32 count = 0;

	if (!dump || !asked || dg_tcp_listeners_read(doctor->settings.ports, dump))
		return 0;
	dg_tcp_known_ask(dump, asked);
	for (__u32 i = 0; i < dump->listeners; i++) {
		struct dg_resolver_facts *facts = facts_find(ret, count, asked[i].owner.pid);

		if (!facts && count == DG_RESOLVERS_MAX)
			continue;
		if (!facts) {
			facts = &ret[count++];
			*facts = (struct dg_resolver_facts){ .owner = asked[i].owner,
							     .quota = asked[i].quota,
							     .idle_ms = -1,
							     .rrl = -1,
							     .cookies = -1 };
			dg_tcp_key_text(&dump->listener[i].key, facts->listener);
			if (!facts->owner.pid)
				strcpy(facts->owner.program, "the resolver (not visible)");
		}
		listener_add(facts, &dump->listener[i]);
	}
	return count;
}

/* ---- BIND ------------------------------------------------------------------------------------ */

static void bind_ask(struct dg_resolver_facts *facts, const struct dg_command *command, char *said)
{
	const char *config = dg_command_option(command, "-c"),
		   *root = dg_command_option(command, "-t");
	const char *argv[] = { "named-checkconf", "-px", NULL, NULL, NULL, NULL };
	const char *idle;
	int words = 2;

	if (root) {
		argv[words++] = "-t";
		argv[words++] = root;
	}
	argv[words] = config ? config : "/etc/bind/named.conf";
	if (dg_tool_run(argv, facts->owner.pid, dg_now_ns() + DG_TCP_ASK_NS, said,
			DG_CONFIG_TEXT) &&
	    dg_tool_run(argv, 0, dg_now_ns() + DG_TCP_ASK_NS, said, DG_CONFIG_TEXT))
		return;
	idle = strstr(said, "\ttcp-idle-timeout ");
	facts->idle_ms = idle ? atol(idle + strlen("\ttcp-idle-timeout ")) * BIND_IDLE_UNIT_MS :
				BIND_IDLE_MS;
	facts->rrl = strstr(said, "\trate-limit {") != NULL;
	facts->cookies = !strstr(said, "\tanswer-cookie no;"); /* on unless said */
}

/* ---- Unbound --------------------------------------------------------------------------------- */

/* What the option is; NULL: it could not be asked, or this version does not know it. */
static const char *unbound_option(const struct dg_resolver_facts *facts,
				  const struct dg_command *command, const char *option, char *said)
{
	const char *config = dg_command_option(command, "-c");
	const char *const argv[] = { "unbound-checkconf", "-o", option,
				     config ? config : "/etc/unbound/unbound.conf", NULL };

	if (dg_tool_run(argv, facts->owner.pid, dg_now_ns() + DG_TCP_ASK_NS, said,
			DG_CONFIG_TEXT) &&
	    dg_tool_run(argv, 0, dg_now_ns() + DG_TCP_ASK_NS, said, DG_CONFIG_TEXT))
		return NULL;
	return said;
}

static void unbound_ask(struct dg_resolver_facts *facts, const struct dg_command *command,
			char *said)
{
	const char *text = unbound_option(facts, command, "tcp-idle-timeout", said);

	if (!text)
		return;
	facts->idle_ms = atol(text);
	text = unbound_option(facts, command, "ip-ratelimit", said);
	facts->rrl = text ? atol(text) > 0 : -1;
	/* Versions before 1.18 have no cookies for clients, and no such option. */
	text = unbound_option(facts, command, "answer-cookie", said);
	facts->cookies = text && !strncmp(text, "yes", 3);
}

void dg_resolver_ask(struct dg_resolver_facts *facts, char config[DG_CONFIG_TEXT])
{
	dg_scoped_free struct dg_command *command = calloc(1, sizeof(*command));

	if (!command || !facts->owner.pid)
		return;
	dg_command_read(facts->owner.pid, command);
	if (facts->owner.resolver == DG_RESOLVER_BIND)
		bind_ask(facts, command, config);
	else if (facts->owner.resolver == DG_RESOLVER_UNBOUND)
		unbound_ask(facts, command, config);
}
