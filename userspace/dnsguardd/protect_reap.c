// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * protect_reap.c - looks at the connections of a quota one by one, and closes some of them while it is critical.
 *
 * Which ones is reaper.c's choice. In observe mode the same choice is counted and logged, each connection once, and
 * treated as gone from then on: so as many are counted as would have been closed.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "userspace/dnsguardd/log.h"
#include "userspace/dnsguardd/protect_internal.h"
#include "userspace/tcp/flows.h"
#include "userspace/tcp/shares.h"

#define NS_PER_SEC 1000000000ull
#define NS_PER_MS 1000000ull

/* ---- the connections ------------------------------------------------------------------------ */

struct look {
	const struct dg_tick *tick;
	bool belongs[DG_TCP_LISTENERS_MAX]; /* by row: it counts against the quota */
	struct dg_tcp_flows flows;
	struct dg_reaper_crowd crowd;
};

static void on_socket(const struct dg_tcp_socket *socket, void *arg)
{
	struct look *look = arg;
	int row = dg_tcp_row_find(look->tick->books, socket->local);

	if (row >= 0 && look->belongs[row])
		dg_reaper_crowd_add(socket, &look->crowd);
}

static bool is_loopback(struct dg_addr addr)
{
	const __u8 *bytes = (const __u8 *)&addr;
	struct dg_addr one = dg_addr_from_v6(&in6addr_loopback);

	return !memcmp(&addr, &one, sizeof(addr)) ||
	       (!addr.hi && bytes[10] == 0xff && bytes[11] == 0xff && bytes[12] == 127);
}

/* The host itself, and whom the operator exempts from limits. */
static bool spares(const struct dg_tcp_socket *socket, void *arg)
{
	const struct dg_maps *maps = ((const struct look *)arg)->tick->maps;
	const __u8 *bytes = (const __u8 *)&socket->peer;
	struct dg_source_key_v6 key6 = { .bits = 128 };
	struct dg_source_key_v4 key4 = { .bits = 32 };
	struct dg_source source;
	bool v4 = !socket->peer.hi && bytes[10] == 0xff && bytes[11] == 0xff;

	if (is_loopback(socket->peer))
		return true;
	memcpy(key6.addr, bytes, sizeof(key6.addr));
	memcpy(key4.addr, bytes + 12, sizeof(key4.addr));
	if (v4 ? bpf_map_lookup_elem(maps->dg_sources4, &key4, &source) :
		 bpf_map_lookup_elem(maps->dg_sources6, &key6, &source))
		return false;
	return source.flags & DG_SRC_NO_LIMIT;
}

static bool answered(const struct dg_tcp_socket *socket, void *arg)
{
	const struct look *look = arg;
	const struct dg_tcp_key client = { .addr = socket->peer, .port = socket->id.idiag_dport };

	return look->flows.bucket && dg_tcp_flows_answered(&look->flows, &client, &socket->local);
}

/* ---- sources that lost some ----------------------------------------------------------------- */

__u32 dg_reaped_tidy(const struct dg_maps *maps, __u64 now_ns)
{
	struct dg_addr key, next;
	__u64 until_ns;
	__u32 count = 0;
	int more = !bpf_map_get_next_key(maps->dg_reaped, NULL, &next);

	for (__u32 i = 0; more && i < 2 * DG_REAPED_MAX; i++) {
		key = next;
		more = !bpf_map_get_next_key(maps->dg_reaped, &key, &next);
		if (bpf_map_lookup_elem(maps->dg_reaped, &key, &until_ns))
			continue;
		if (until_ns <= now_ns)
			bpf_map_delete_elem(maps->dg_reaped, &key);
		else
			count++;
	}
	return count;
}

/* Those that hold nothing now, but would. */
static __u32 reaped_waiting(const struct dg_maps *maps)
{
	dg_scoped(dg_tcp_shares_close) struct dg_tcp_shares shares = DG_TCP_SHARES_NONE;
	struct dg_addr key, next;
	__u32 count = 0;
	int more = !dg_tcp_shares_open(maps, &shares) &&
		   !bpf_map_get_next_key(maps->dg_reaped, NULL, &next);

	for (__u32 i = 0; more && i < 2 * DG_REAPED_MAX; i++) {
		key = next;
		count += !dg_tcp_shares_count(&shares, key, 0);
		more = !bpf_map_get_next_key(maps->dg_reaped, &key, &next);
	}
	return count;
}

static void reaped_note(const struct dg_maps *maps, struct dg_addr peer, __u64 until_ns)
{
	struct dg_addr key = dg_tcp_share_prefix(peer, 0);

	bpf_map_update_elem(maps->dg_reaped, &key, &until_ns, BPF_ANY);
}

/* ---- observed ------------------------------------------------------------------------------- */

static __u64 cookie_of(const struct dg_tcp_socket *socket)
{
	return (__u64)socket->id.idiag_cookie[1] << 32 | socket->id.idiag_cookie[0];
}

static bool was_observed(const struct dg_protecting *p, const struct dg_tcp_socket *socket)
{
	for (__u32 i = 0; i < p->observed_count; i++)
		if (p->observed[i] == cookie_of(socket))
			return true;
	return false;
}

/* Takes them out of the crowd, and forgets those that have gone. */
static __u32 observed_leave(struct dg_protecting *p, struct dg_reaper_crowd *crowd)
{
	__u32 kept = 0, left = 0;

	for (__u32 i = 0; i < crowd->count; i++) {
		if (was_observed(p, &crowd->socket[i])) {
			struct dg_tcp_socket gone = crowd->socket[i];

			crowd->socket[i] = crowd->socket[left];
			crowd->socket[left++] = gone;
		}
	}
	for (__u32 i = 0; i < left; i++)
		p->observed[kept++] = cookie_of(&crowd->socket[i]);
	p->observed_count = kept;
	memmove(crowd->socket, crowd->socket + left,
		(crowd->count - left) * sizeof(*crowd->socket));
	crowd->count -= left;
	return left;
}

/* ---- the log -------------------------------------------------------------------------------- */

/* Each one: tcp.reaper-rate bounds the lines as well. */
static void line_log(const struct dg_tcp_socket *socket, bool enforced)
{
	struct dg_tcp_key peer = { .addr = socket->peer, .port = socket->id.idiag_dport };
	char from[DG_TCP_KEY_TEXT], to[DG_TCP_KEY_TEXT];

	dg_log(DG_LOG_NOTICE, "%s TCP connection of %s to %s, idle for %u.%u s",
	       enforced ? "closed" : "would close (observed)", dg_tcp_key_text(&peer, from),
	       dg_tcp_key_text(&socket->local, to), dg_reaper_idle_ms(socket) / 1000,
	       dg_reaper_idle_ms(socket) % 1000 / 100);
}

static void refusal_log(struct dg_protecting *p, int status)
{
	if (!p->refused)
		dg_log(DG_LOG_ERROR, "idle TCP connections cannot be closed: %s",
		       status == -EOPNOTSUPP ?
			       "this kernel is built without CONFIG_INET_DIAG_DESTROY" :
		       status == -EPERM ? "CAP_NET_ADMIN is missing" :
					  strerror(-status));
	p->refused = true;
}

/* ---- closing -------------------------------------------------------------------------------- */

/* 0, -ENOENT when it has gone by itself or is not idle any more, or why the kernel closes none. */
static int close_one(struct dg_protecting *p, const struct look *look, struct dg_tcp_socket *socket,
		     const struct dg_reaper_rules *rules)
{
	const __u64 until_ns = dg_now_ns() + p->daemon->config->tcp_reaper_penalty_ns;
	bool enforced = p->reaper == DG_ENFORCE;
	int status = dg_tcp_socket_look(socket); /* a query may have come since the dump */

	if (!status && !dg_reaper_may_close(socket, rules))
		status = -ENOENT;
	if (!status && enforced)
		status = dg_tcp_socket_destroy(socket);
	if (status)
		return status;
	if (enforced)
		reaped_note(look->tick->maps, socket->peer, until_ns);
	else if (p->observed_count < DG_SPARED_MAX)
		p->observed[p->observed_count++] = cookie_of(socket);
	__atomic_fetch_add(&look->tick->books->now->reaped[p->reaper % (DG_ENFORCE + 1)], 1,
			   __ATOMIC_RELAXED);
	line_log(socket, enforced);
	return 0;
}

static void close_some(struct dg_protecting *p, struct look *look, __u64 share, __u32 budget)
{
	const struct dg_reaper_rules rules = {
		.share = share,
		.idle_ms = (__u32)(p->daemon->config->tcp_reaper_idle_ns / NS_PER_MS),
		.budget = budget,
		.spares = spares,
		.answered = answered,
		.arg = look,
	};
	__u32 picked;

	/* Without it nobody is known to be answered: more are spared. */
	dg_tcp_flows_open(look->tick->maps, &look->flows);
	picked = dg_reaper_pick(&look->crowd, &rules);

	for (__u32 i = 0; i < picked; i++) {
		int status = close_one(p, look, &look->crowd.socket[i], &rules);

		if (status && status != -ENOENT) {
			refusal_log(p, status);
			return;
		}
		p->allowance -= !status;
	}
}

/* Connections with which critical has cleared. */
static __u64 clear_of(const struct dg_config *config, __u64 quota)
{
	__u64 clear = config->tcp_critical_at > config->tcp_clear_below ?
			      config->tcp_critical_at - config->tcp_clear_below :
			      1;

	return quota * clear / 100;
}

/* How many may be closed now: what the rate allows, a second's worth at once, and not below where critical has cleared. */
static __u32 budget_take(struct dg_protecting *p, const struct dg_pressed *pressed, __u64 used)
{
	const struct dg_config *config = p->daemon->config;
	__u64 keep = clear_of(config, pressed->quota.connections), now_ns = dg_now_ns();
	double rate = (double)config->tcp_reaper_rate;

	p->allowance += rate * (double)(now_ns - p->allowed_ns) / NS_PER_SEC;
	p->allowance = p->allowance > rate ? rate : p->allowance;
	p->allowed_ns = now_ns;
	if (used * 100 >= pressed->quota.connections * config->tcp_critical_at)
		p->reaping = true;
	if (used <= keep)
		p->reaping = false;
	if (!p->reaping)
		return 0;
	return used - keep < (__u64)p->allowance ? (__u32)(used - keep) : (__u32)p->allowance;
}

__u32 dg_reap(struct dg_protecting *p, const struct dg_tick *tick, const struct dg_pressed *pressed)
{
	struct look look = { .tick = tick };
	__u64 keep = clear_of(p->daemon->config, pressed->quota.connections);
	__u32 sources = 0, left, budget;

	for (__u32 i = 0; i < tick->books->count; i++)
		look.belongs[tick->books->at[i]] =
			dg_pressed_has(pressed, p->daemon, tick->books, i);
	if (!dg_tcp_sockets_each(tick->settings->ports, DG_TCP_CONNECTIONS | DG_TCP_DETAIL,
				 on_socket, &look)) {
		sources = dg_reaper_sources(&look.crowd) + reaped_waiting(tick->maps);
		left = observed_leave(p, &look.crowd);
		budget = budget_take(p, pressed, pressed->used > left ? pressed->used - left : 0);
		/* Shares of what may be held once it has cleared: those of the whole quota would leave it full. */
		if (p->reaper != DG_OFF && budget)
			close_some(p, &look, sources ? keep / sources : 1, budget);
	}
	dg_tcp_flows_close(&look.flows);
	dg_reaper_crowd_free(&look.crowd);
	return sources;
}
