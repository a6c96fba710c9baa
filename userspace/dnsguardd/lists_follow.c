// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lists_follow.c - zones from a primary: one dnsguard-transfer each, for as long as the list is there.
 *
 * It keeps <state dir>/lists/NAME/zone in step with the primary (timers, NOTIFY) and says when it did; the pipeline
 * then takes that file over as it would a download. One that ends is started again, ever more slowly.
 */
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "userspace/dnsguardd/lists_internal.h"
#include "userspace/dnsguardd/log.h"
#include "userspace/lib/quote.h"
#include "userspace/lists/update.h"

#define PROGRAM "dnsguard-transfer"
#define RESTART_SEC 2
#define RESTART_MAX_SEC 600
#define WORD_MAX 400

struct dg_follower {
	struct dg_entry *entry;
	struct dg_program *program; /* NULL = it is to be started */
	char listen[WORD_MAX];	    /* where it hears NOTIFY, "" = nowhere */
	unsigned int ends;	    /* in a row, without any good news in between */
	bool failing;		    /* said already */
};

/* ---- what it says --------------------------------------------------------------------------- */

static void hear_good(struct dg_follower *follower)
{
	struct dg_entry *entry = follower->entry;

	follower->ends = 0;
	follower->failing = false;
	/* The zone is confirmed, and its file says so: time to say it of a list that counts as stale. */
	if (entry->expired || entry->meta.stale_since)
		dg_entry_touch(entry);
}

static void hear_expired(struct dg_follower *follower)
{
	struct dg_entry *entry = follower->entry;

	dg_log(DG_LOG_WARNING,
	       "list %s: the zone has expired: its primary was not reached for too "
	       "long; what it had stays",
	       entry->spec.name);
	if (!entry->expired)
		entry->expired_since = (__u64)time(NULL);
	entry->expired = entry->asked = true;
}

static void hear_failed(struct dg_follower *follower, const json_t *event)
{
	const char *reason = json_string_value(json_object_get(event, "reason"));

	if (!follower->failing)
		dg_log(DG_LOG_WARNING, "list %s: %s", follower->entry->spec.name,
		       !reason			? "the zone cannot be checked" :
		       dg_text_is_clean(reason) ? reason :
						  DG_QUOTE(reason));
	follower->failing = true;
}

static void on_line(void *arg, const char *line)
{
	struct dg_follower *follower = arg;
	json_t *event = json_loads(line, 0, NULL);
	const char *word = json_string_value(json_object_get(event, "event"));

	if (word && !strcmp(word, "changed")) {
		hear_good(follower);
		dg_entry_touch(follower->entry);
	} else if (word && !strcmp(word, "unchanged")) {
		hear_good(follower);
	} else if (word && !strcmp(word, "expired")) {
		hear_expired(follower);
	} else if (word && !strcmp(word, "failed")) {
		hear_failed(follower, event);
	}
	json_decref(event);
	dg_lists_arm(follower->entry->lists);
}

static __u64 restart_wait(unsigned int ends)
{
	__u64 wait = RESTART_SEC << (ends < 9 ? ends : 9);

	return wait < RESTART_MAX_SEC ? wait : RESTART_MAX_SEC;
}

static void on_end(void *arg, const struct dg_program_end *end)
{
	struct dg_follower *follower = arg;
	__u64 wait = restart_wait(follower->ends++);

	follower->program = NULL;
	follower->entry->follow_at = (__u64)time(NULL) + wait;
	dg_log(DG_LOG_ERROR, "list %s: " PROGRAM " ended (%s); it is started again in %llu s",
	       follower->entry->spec.name,
	       end->exit_status < 0 ? strsignal(end->number) :
	       end->complaint[0]    ? end->complaint :
				      "it did not say why",
	       (unsigned long long)wait);
	dg_lists_arm(follower->entry->lists);
}

/* ---- keeping it ----------------------------------------------------------------------------- */

/* ADDRESS@PORT, as the program wants it; "" when no address is configured for the list. */
static void listen_text(const struct dg_entry *entry, char ret[WORD_MAX])
{
	const struct dg_config *config = entry->lists->daemon->config;
	char host[INET6_ADDRSTRLEN];

	ret[0] = '\0';
	for (__u32 i = 0; i < config->notify_count; i++) {
		const struct sockaddr_storage *at = &config->notify[i].at;
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)at;
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)at;
		bool is_v6 = at->ss_family == AF_INET6;

		if (strcmp(config->notify[i].list, entry->spec.name))
			continue;
		inet_ntop(at->ss_family,
			  is_v6 ? (const void *)&v6->sin6_addr : (const void *)&v4->sin_addr, host,
			  sizeof(host));
		snprintf(ret, WORD_MAX, "%s@%u", host, ntohs(is_v6 ? v6->sin6_port : v4->sin_port));
	}
}

struct words {
	char text[5][PATH_MAX];
	char *argv[16];
	int count;
};

static void word(struct words *words, const char *option, const char *value)
{
	words->argv[words->count++] = (char *)option;
	if (value)
		words->argv[words->count++] = (char *)value;
}

/* Beside the zone, what the list has now: the first transfer then brings only what is newer. */
static void word_state(struct words *words, const char *directory)
{
	char zone[PATH_MAX];

	snprintf(zone, sizeof(zone), "%s/zone", directory);
	snprintf(words->text[4], PATH_MAX, "--state=%s/content", directory);
	if (access(zone, F_OK) && !access(words->text[4] + strlen("--state="), F_OK))
		word(words, words->text[4], NULL);
}

static int words_make(const struct dg_follower *follower, struct words *words, struct dg_error *err)
{
	const struct dg_list_spec *spec = &follower->entry->spec;
	struct dg_list_axfr axfr;
	char directory[PATH_MAX - 16];
	int rc = dg_list_axfr_parse(spec->source, &axfr, err);

	if (rc)
		return rc;
	snprintf(words->text[0], PATH_MAX, "--zone=%s", axfr.zone);
	snprintf(words->text[1], PATH_MAX, "--primary=%s@%s", axfr.host, axfr.port);
	snprintf(directory, sizeof(directory), "%.3000s/lists/%s",
		 follower->entry->lists->daemon->options->state_dir, spec->name);
	snprintf(words->text[2], PATH_MAX, "--output=%s/zone", directory);
	snprintf(words->text[3], PATH_MAX, "--max-bytes=%llu", DG_LIST_BYTES_MAX);
	word(words, PROGRAM, NULL);
	for (int i = 0; i < 4; i++)
		word(words, words->text[i], NULL);
	word_state(words, directory);
	if (spec->tsig_file[0])
		word(words, "--tsig-file", spec->tsig_file);
	if (follower->listen[0])
		word(words, "--listen", follower->listen);
	return 0;
}

static void follower_start(struct dg_follower *follower)
{
	dg_scoped_free struct words *words = calloc(1, sizeof(*words));
	struct dg_program_want want = {
		.name = PROGRAM, .line = on_line, .end = on_end, .arg = follower
	};
	struct dg_error err = { .text = "not enough memory" };
	int rc = words ? words_make(follower, words, &err) : -ENOMEM;

	if (!rc) {
		want.argv = words->argv;
		rc = dg_program_start(&follower->entry->lists->daemon->loop, &want,
				      &follower->program, &err);
	}
	follower->entry->follow_at = rc ? (__u64)time(NULL) + restart_wait(follower->ends++) : 0;
	if (!rc)
		return;
	dg_log(DG_LOG_ERROR, "list %s: %s", follower->entry->spec.name, err.text);
}

void dg_follow_sync(struct dg_entry *entry)
{
	char listen[WORD_MAX];

	if (dg_list_kind_of(&entry->spec) != DG_LIST_AXFR)
		return;
	listen_text(entry, listen);
	if (entry->follower && strcmp(entry->follower->listen, listen))
		dg_follow_stop(&entry->follower);
	if (!entry->follower) {
		entry->follow_at = 0;
		entry->follower = calloc(1, sizeof(*entry->follower));
		if (!entry->follower)
			return;
		entry->follower->entry = entry;
		strcpy(entry->follower->listen, listen); /* the same size */
	}
	if (!entry->follower->program && entry->follow_at <= (__u64)time(NULL))
		follower_start(entry->follower);
}

void dg_follow_stop(struct dg_follower **follower)
{
	struct dg_follower *stopped = *follower;

	*follower = NULL;
	if (!stopped)
		return;
	dg_program_stop(&stopped->program);
	free(stopped);
}
