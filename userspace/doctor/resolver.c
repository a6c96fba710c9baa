// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resolver.c - the checks of the resolvers found behind the guarded TCP ports, and of ports nobody guards.
 */
#include <arpa/inet.h>
#include <string.h>

#include "loader/loader.h"
#include "userspace/doctor/patient.h"
#include "userspace/tcp/tcp.h"

#define FULL_PERCENT 80
#define BACKLOG_SMALL 64   /* a burst of reconnecting clients is larger than that */
#define IDLE_LONG_MS 10000 /* RFC 7766, section 6.2.3: a few seconds */

/* What a resolver takes unless told otherwise, the line that changes it, and where else the answer stands. */
static const struct {
	enum dg_resolver resolver;
	__u64 quota; /* for each of its slots; 0 = none */
	const char *more, *backlog, *idle, *limits, *asked;
} known[] = {
	{ DG_RESOLVER_BIND, 150, "named.conf, options: tcp-clients 1000;",
	  "named.conf, options: tcp-listen-queue 256;",
	  "named.conf, options: tcp-idle-timeout 50;  # 5 s", "rate-limit { } from named.conf",
	  "named-checkconf -px must work for us" },
	{ DG_RESOLVER_UNBOUND, 10, "unbound.conf, server: incoming-num-tcp: 500",
	  "sysctl -w net.core.somaxconn=4096, then restart it",
	  "unbound.conf, server: tcp-idle-timeout: 5000  # ms", "ip-ratelimit from unbound.conf",
	  "unbound-checkconf -o tcp-idle-timeout must work for us" },
	{ DG_RESOLVER_RECURSOR, 128,
	  "recursor.conf: max-tcp-clients=1024; recursor.yml: incoming.max_tcp_clients: 1024",
	  "sysctl -w net.core.somaxconn=4096, then restart it",
	  "recursor.conf: client-tcp-timeout=2; recursor.yml: incoming.client_tcp_timeout: 2", "",
	  "rec_control get-parameter client-tcp-timeout must work for us" },
	{ DG_RESOLVER_DNSDIST, 0, "dnsdist.conf: addLocal(..., {maxConcurrentTCPConnections=N})",
	  "dnsdist.conf: addLocal(..., {tcpListenQueueSize=4096})",
	  "dnsdist.conf: setTCPRecvTimeout(2)",
	  "MaxQPSIPRule and dynBlockRulesGroup from dnsdist.conf",
	  "its configuration file (-C) must be readable" },
	{ DG_RESOLVER_KNOT, 0, "LimitNOFILE= of its unit: systemctl edit kresd@1",
	  "sysctl -w net.core.somaxconn=4096, then restart it", "",
	  "rate-limiting: from config.yaml", "its configuration file (-c) must be readable" },
	{ DG_RESOLVER_OTHER, 0, "raise its limit of TCP clients", "raise its listen backlog",
	  "shorten its TCP idle timeout", "its own limit", "look into its configuration" },
};

static size_t known_find(enum dg_resolver resolver)
{
	size_t i = 0;

	while (known[i].resolver != resolver && known[i].resolver != DG_RESOLVER_OTHER)
		i++;
	return i;
}

void dg_check_resolver(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	if (doctor->resolvers) {
		dg_find(ret, DG_HEALTH_PASS, "%u found on the guarded TCP ports",
			doctor->resolvers);
		return;
	}
	dg_find(ret, DG_HEALTH_FAIL, "nobody listens on the guarded TCP ports here");
	dg_mend(ret,
		"start the resolver, or see who listens where: ss -ltnp; ports: service.ports in %s",
		"/etc/dnsguard/dnsguard.yaml");
}

/* ---- quota ----------------------------------------------------------------------------------- */

/* Connections to guarded ports in one of /proc/net's tables; state 01 is ESTABLISHED. */
static __u32 connections_in(const struct dg_doctor *doctor, const char *table)
{
	dg_scoped_file FILE *file = NULL;
	unsigned int port, state;
	char path[512], line[512];
	__u32 count = 0;

	snprintf(path, sizeof(path), "%s%s", doctor->root, table);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		count +=
			sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &port, &state) == 2 &&
			state == 1 && dg_doctor_guards(doctor, htons((__u16)port));
	return count;
}

void dg_check_quota(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_resolver_facts *facts = &doctor->resolver;
	const struct dg_tcp_quota *quota = &facts->quota;
	__u64 takes = quota->connections * (quota->shared ? 1 : facts->listeners);
	__u64 each = quota->slots ? quota->slots : quota->connections;
	__u64 used = connections_in(doctor, "/proc/self/net/tcp") +
		     connections_in(doctor, "/proc/self/net/tcp6");
	size_t at = known_find(facts->owner.resolver);

	if (!quota->known) {
		dg_find(ret, DG_HEALTH_WARN, "%s", quota->source);
		dg_mend(ret, "%s", quota->advice);
	} else if (used * 100 >= takes * FULL_PERCENT) {
		dg_find(ret, DG_HEALTH_FAIL,
			"%llu of %llu TCP clients: it is about to refuse everybody",
			(unsigned long long)used, (unsigned long long)takes);
		dg_mend(ret, "%s; who they are: dnsguard tcp", known[at].more);
	} else if (each == known[at].quota) {
		dg_find(ret, DG_HEALTH_WARN,
			"%llu TCP clients at most, its default (%s); in use: %llu",
			(unsigned long long)takes, quota->source, (unsigned long long)used);
		dg_mend(ret, "%s", known[at].more);
	} else {
		dg_find(ret, DG_HEALTH_PASS, "%llu of %llu TCP clients (%s)",
			(unsigned long long)used, (unsigned long long)takes, quota->source);
	}
}

void dg_check_backlog(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_resolver_facts *facts = &doctor->resolver;
	size_t at = known_find(facts->owner.resolver);

	if (facts->accept_queue && facts->accept_queue >= facts->accept_queue_max) {
		dg_find(ret, DG_HEALTH_FAIL, "%u connections wait to be accepted, %u find room",
			facts->accept_queue, facts->accept_queue_max);
		dg_mend(ret, "%s; %s", known[at].more, known[at].backlog);
	} else if (facts->accept_queue_max < BACKLOG_SMALL) {
		dg_find(ret, DG_HEALTH_WARN, "only %u connections may wait to be accepted",
			facts->accept_queue_max);
		dg_mend(ret, "%s", known[at].backlog);
	} else {
		dg_find(ret, DG_HEALTH_PASS, "%u connections may wait to be accepted, %u do",
			facts->accept_queue_max, facts->accept_queue);
	}
}

/* ---- its configuration ----------------------------------------------------------------------- */

static void unknown_find(const struct dg_resolver_facts *facts, const char *what,
			 struct dg_finding *ret)
{
	dg_find(ret, DG_HEALTH_WARN, "%s cannot be asked of %s", what, facts->owner.program);
	dg_mend(ret, "%s", known[known_find(facts->owner.resolver)].asked);
}

void dg_check_idle(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_resolver_facts *facts = &doctor->resolver;
	double seconds = (double)facts->idle_ms / 1000;

	if (facts->idle_ms < 0) {
		unknown_find(facts, "the TCP idle timeout", ret);
	} else if (facts->idle_ms > IDLE_LONG_MS) {
		dg_find(ret, DG_HEALTH_WARN, "a silent TCP client keeps its slot for %.0f s",
			seconds);
		dg_mend(ret, "%s", known[known_find(facts->owner.resolver)].idle);
	} else {
		dg_find(ret, DG_HEALTH_PASS, "a silent TCP client keeps its slot for %.1f s",
			seconds);
	}
}

void dg_check_rrl(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_resolver_facts *facts = &doctor->resolver;

	if (facts->rrl < 0) {
		unknown_find(facts, "rate limiting of its own", ret);
	} else if (facts->rrl && doctor->loaded && doctor->settings.limit_mode == DG_OFF) {
		dg_find(ret, DG_HEALTH_PASS, "%s limits rates itself, and nobody else does",
			facts->owner.program);
	} else if (facts->rrl) {
		dg_find(ret, DG_HEALTH_WARN,
			"%s limits rates itself: what passes here may be refused there, and nobody counts it",
			facts->owner.program);
		dg_mend(ret, "one of the two: remove %s, or dnsguard limit set --mode off",
			known[known_find(facts->owner.resolver)].limits);
	} else {
		dg_find(ret, DG_HEALTH_PASS, "%s does not limit rates itself",
			facts->owner.program);
	}
}

void dg_check_cookies(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_resolver_facts *facts = &doctor->resolver;
	__u64 ready = DG_SET_COOKIE_SECRET | DG_SET_COOKIE_PASS;

	if (facts->cookies < 0) {
		unknown_find(facts, "whether it sends DNS cookies", ret);
	} else if (!facts->cookies) {
		dg_find(ret, DG_HEALTH_PASS, "%s sends no DNS cookies", facts->owner.program);
	} else if (doctor->settings.flags & ready) {
		dg_find(ret, DG_HEALTH_PASS, "%s sends DNS cookies, and answers from here fit them",
			facts->owner.program);
	} else {
		dg_find(ret, DG_HEALTH_WARN,
			"%s sends DNS cookies; answers from here have none, so forwarders ask again over TCP",
			facts->owner.program);
		dg_mend(ret,
			"give both one secret: cookie-secret there, answers.cookie-secret-file here; or "
			"answers.pass-cookies: true");
	}
}

/* ---- ports that nobody guards ---------------------------------------------------------------- */

static const struct {
	unsigned int port;
	bool udp;
	const char *name;
} encrypted[] = { { 853, false, "DoT on TCP 853" },
		  { 443, false, "DoH on TCP 443" },
		  { 853, true, "DoQ on UDP 853" } };

/* Does a resolver listen there? A web server on 443 is none of our business. */
static bool tcp_is_served(unsigned int port)
{
	const __be16 ports[DG_PORTS_MAX] = { htons((__u16)port) };
	dg_scoped_free struct dg_tcp_dump *dump = calloc(1, sizeof(*dump));
	struct dg_tcp_owner owner;

	if (!dump || dg_tcp_listeners_read(ports, dump))
		return false;
	for (__u32 i = 0; i < dump->listeners; i++)
		if (port == 853 || (!dg_tcp_owner_seek(dump->listener[i].inode, &owner) &&
				    owner.resolver != DG_RESOLVER_OTHER))
			return true;
	return false;
}

static bool udp_is_served(const struct dg_doctor *doctor, unsigned int wanted)
{
	static const char *const tables[] = { "/proc/self/net/udp", "/proc/self/net/udp6" };
	char path[512], line[512];
	unsigned int port;

	for (size_t i = 0; i < 2; i++) {
		dg_scoped_file FILE *file = NULL;

		snprintf(path, sizeof(path), "%s%s", doctor->root, tables[i]);
		file = fopen(path, "re");
		while (file && fgets(line, sizeof(line), file))
			if (sscanf(line, " %*d: %*[0-9A-F]:%x", &port) == 1 && port == wanted)
				return true;
	}
	return false;
}

void dg_check_encrypted(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	char found[128] = "";

	for (size_t i = 0; i < sizeof(encrypted) / sizeof(encrypted[0]); i++)
		if (encrypted[i].udp ? udp_is_served(doctor, encrypted[i].port) :
				       tcp_is_served(encrypted[i].port))
			snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s",
				 found[0] ? ", " : "", encrypted[i].name);
	if (!found[0]) {
		dg_find(ret, DG_HEALTH_PASS, "nobody serves DoT, DoH or DoQ here");
		return;
	}
	dg_find(ret, DG_HEALTH_WARN, "%s: queries in there are neither seen, limited nor answered",
		found);
	dg_mend(ret,
		"limit clients there as well, in the resolver or with nft limit rate; BIND's DoT draws on tcp-clients "
		"and is not counted against it here");
}
