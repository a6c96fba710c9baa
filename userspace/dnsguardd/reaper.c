// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reaper.c - the choice of connections to close: see reaper.h.
 */
#include "userspace/dnsguardd/reaper.h"

#include <stdlib.h>
#include <string.h>

#include "userspace/tcp/shares.h"

#define LEAST_QUERY (2 + 12)

/* ---- a crowd -------------------------------------------------------------------------------- */

void dg_reaper_crowd_free(struct dg_reaper_crowd *crowd)
{
	free(crowd->socket);
	*crowd = (struct dg_reaper_crowd){ 0 };
}

void dg_reaper_crowd_add(const struct dg_tcp_socket *socket, void *arg)
{
	struct dg_reaper_crowd *crowd = arg;
	__u32 room = crowd->room ? 2 * crowd->room : 256;
	struct dg_tcp_socket *grown;

	if (crowd->count == crowd->room) {
		grown = realloc(crowd->socket, room * sizeof(*grown));
		if (!grown)
			return;
		crowd->socket = grown;
		crowd->room = room;
	}
	crowd->socket[crowd->count++] = *socket;
}

static int prefix_compare(const struct dg_tcp_socket *a, const struct dg_tcp_socket *b)
{
	struct dg_addr left = dg_tcp_share_prefix(a->peer, 0);
	struct dg_addr right = dg_tcp_share_prefix(b->peer, 0);

	return memcmp(&left, &right, sizeof(left));
}

/* By source; of one source the longest idle first. */
static int by_source(const void *a, const void *b)
{
	const struct dg_tcp_socket *left = a, *right = b;
	__u32 left_ms = dg_reaper_idle_ms(left), right_ms = dg_reaper_idle_ms(right);
	int differ = prefix_compare(left, right);

	return differ ? differ : (left_ms < right_ms) - (left_ms > right_ms);
}

static int by_idle(const void *a, const void *b)
{
	__u32 left_ms = dg_reaper_idle_ms(a), right_ms = dg_reaper_idle_ms(b);

	return (left_ms < right_ms) - (left_ms > right_ms);
}

static void sort(struct dg_tcp_socket *socket, __u32 count,
		 int (*compare)(const void *, const void *))
{
	if (count)
		qsort(socket, count, sizeof(*socket), compare);
}

__u32 dg_reaper_sources(const struct dg_reaper_crowd *crowd)
{
	__u32 sources = 0;

	sort(crowd->socket, crowd->count, by_source);
	for (__u32 i = 0; i < crowd->count; i++)
		sources += !i || prefix_compare(&crowd->socket[i - 1], &crowd->socket[i]);
	return sources;
}

/* ---- one connection ------------------------------------------------------------------------- */

__u32 dg_reaper_idle_ms(const struct dg_tcp_socket *socket)
{
	return socket->recv_ms < socket->sent_ms ? socket->recv_ms : socket->sent_ms;
}

bool dg_reaper_in_flight(const struct dg_tcp_socket *socket, const struct dg_reaper_rules *rules)
{
	if (socket->rqueue || socket->wqueue)
		return true;
	if (socket->received < LEAST_QUERY || socket->recv_ms >= DG_REAPER_ANSWER_MS)
		return false;
	return !socket->acked || socket->recv_ms < socket->sent_ms ||
	       !rules->answered(socket, rules->arg);
}

bool dg_reaper_may_close(const struct dg_tcp_socket *socket, const struct dg_reaper_rules *rules)
{
	return socket->detailed && !dg_reaper_in_flight(socket, rules) &&
	       dg_reaper_idle_ms(socket) >= rules->idle_ms && !rules->spares(socket, rules->arg);
}

/* ---- the choice ----------------------------------------------------------------------------- */

/* Sockets first .. end are one source's, the longest idle first. Moves those beyond its share to `taken` on. */
static __u32 source_pick(struct dg_tcp_socket *all, __u32 first, __u32 end, __u32 taken,
			 const struct dg_reaper_rules *rules)
{
	__u32 held = end - first;

	for (__u32 i = first; i < end && held > rules->share; i++) {
		struct dg_tcp_socket chosen = all[i];

		if (!dg_reaper_may_close(&chosen, rules))
			continue;
		all[i] = all[taken];
		all[taken++] = chosen;
		held--;
	}
	return taken;
}

__u32 dg_reaper_pick(struct dg_reaper_crowd *crowd, const struct dg_reaper_rules *rules)
{
	struct dg_tcp_socket *all = crowd->socket;
	__u32 taken = 0, end;

	sort(all, crowd->count, by_source);
	for (__u32 first = 0; first < crowd->count; first = end) {
		end = first + 1;
		while (end < crowd->count && !prefix_compare(&all[first], &all[end]))
			end++;
		taken = source_pick(all, first, end, taken, rules);
	}
	sort(all, taken, by_idle);
	return taken < rules->budget ? taken : rules->budget;
}
