// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * asked.c - finds the resolvers behind the guarded TCP ports and asks their own tools for their configuration.
 *
 * Judges nothing. What cannot be asked is -1, never a default.
 */
#include <string.h>

#include "loader/loader.h"
#include "userspace/doctor/patient.h"
#include "userspace/tcp/tcp.h"
#include "userspace/tcp/quota_internal.h"

#define BIND_IDLE_MS 30000
#define BIND_IDLE_UNIT_MS 100 /* tcp-idle-timeout counts in these */
#define DNSDIST_IDLE_MS 2000
#define KNOT_IDLE_MS 10000 /* no option; a silent connection to 5.6 was closed after 13 s */

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

static void bind_ask(struct dg_resolver_facts *facts, struct dg_question *question)
{
	const char *config = dg_command_option(&question->command, "-c"),
		   *root = dg_command_option(&question->command, "-t"), *said = question->said;
	const char *argv[] = { "named-checkconf", "-px", NULL, NULL, NULL, NULL };
	const char *idle;
	int words = 2;

	if (root) {
		argv[words++] = "-t";
		argv[words++] = root;
	}
	argv[words] = config ? config : "/etc/bind/named.conf";
	if (dg_question_run(question, argv))
		return;
	idle = strstr(said, "\ttcp-idle-timeout ");
	facts->idle_ms = idle ? atol(idle + strlen("\ttcp-idle-timeout ")) * BIND_IDLE_UNIT_MS :
				BIND_IDLE_MS;
	facts->rrl = strstr(said, "\trate-limit {") != NULL;
	facts->cookies = !strstr(said, "\tanswer-cookie no;"); /* on unless said */
}

/* ---- Unbound --------------------------------------------------------------------------------- */

/* What the option is; NULL: it could not be asked, or this version does not know it. */
static const char *unbound_option(struct dg_question *question, const char *option)
{
	const char *config = dg_command_option(&question->command, "-c");
	const char *const argv[] = { "unbound-checkconf", "-o", option,
				     config ? config : "/etc/unbound/unbound.conf", NULL };

	return dg_question_run(question, argv) ? NULL : question->said;
}

static void unbound_ask(struct dg_resolver_facts *facts, struct dg_question *question)
{
	const char *text = unbound_option(question, "tcp-idle-timeout");

	if (!text)
		return;
	facts->idle_ms = atol(text);
	text = unbound_option(question, "ip-ratelimit");
	facts->rrl = text ? atol(text) > 0 : -1;
	/* Versions before 1.18 have no cookies for clients, and no such option. */
	text = unbound_option(question, "answer-cookie");
	facts->cookies = text && !strncmp(text, "yes", 3);
}

/* ---- PowerDNS Recursor, dnsdist, Knot Resolver ------------------------------------------------ */

/* It limits no rates of clients and sends them no cookies, as of 5.2. */
static void recursor_ask(struct dg_resolver_facts *facts, struct dg_question *question)
{
	__u64 seconds;

	facts->rrl = facts->cookies = 0;
	if (!dg_recursor_number(question, "client-tcp-timeout", &seconds))
		facts->idle_ms = (long)seconds * 1000;
}

/* Its configuration is a program: what it names is taken for what it does. Cookies are those of the resolvers behind it. */
static void dnsdist_ask(struct dg_resolver_facts *facts, struct dg_question *question)
{
	const char *said = question->said, *idle;

	facts->cookies = 0;
	if (!dg_lua_read(dg_dnsdist_config(&question->command), question->said, DG_SAID_MAX))
		return;
	idle = strstr(said, "setTCPRecvTimeout(");
	facts->idle_ms = idle ? atol(idle + strlen("setTCPRecvTimeout(")) * 1000 : DNSDIST_IDLE_MS;
	facts->rrl = strstr(said, "MaxQPSIPRule(") || strstr(said, "dynBlockRulesGroup(");
}

/* Its module of cookies is loaded by name; rates are limited from 6.0 on, by its manager's file. */
static void knot_ask(struct dg_resolver_facts *facts, struct dg_question *question)
{
	const char *config = dg_command_option(&question->command, "-c");

	facts->idle_ms = KNOT_IDLE_MS;
	if (!dg_lua_read(config ? config : "/etc/knot-resolver/kresd.conf", question->said,
			 DG_SAID_MAX))
		return;
	facts->cookies = strstr(question->said, "cookies") != NULL;
	facts->rrl = strstr(question->said, "ratelimiting") != NULL;
}

void dg_resolver_ask(struct dg_resolver_facts *facts, char said[DG_SAID_MAX])
{
	static void (*const ask[])(struct dg_resolver_facts *, struct dg_question *) = {
		[DG_RESOLVER_BIND] = bind_ask,	       [DG_RESOLVER_UNBOUND] = unbound_ask,
		[DG_RESOLVER_RECURSOR] = recursor_ask, [DG_RESOLVER_DNSDIST] = dnsdist_ask,
		[DG_RESOLVER_KNOT] = knot_ask,
	};
	const struct dg_tcp_asked asked = { .owner = &facts->owner, .listener = facts->listener };
	dg_scoped_free struct dg_question *question = calloc(1, sizeof(*question));

	if (!question || !facts->owner.pid ||
	    (size_t)facts->owner.resolver >= sizeof(ask) / sizeof(ask[0]) ||
	    !ask[facts->owner.resolver])
		return;
	question->asked = &asked;
	question->deadline_ns = dg_now_ns() + DG_TCP_ASK_NS;
	question->said = said;
	dg_command_read(facts->owner.pid, &question->command);
	ask[facts->owner.resolver](facts, question);
}
