/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reaper.h - which connections are closed when TCP is critical: a choice, without a system call.
 *
 * The longest-idle ones of the sources that hold more than their share, few at a time; never one with a query in flight.
 */
#ifndef DG_REAPER_H
#define DG_REAPER_H

#include "userspace/lib/tcp_sockets.h"

/* Resolvers give up before that: what came so long ago and was not answered never will be. */
#define DG_REAPER_ANSWER_MS 30000

/* All connections at one time. */
struct dg_reaper_crowd {
	struct dg_tcp_socket *socket; /* count of them; malloc'ed */
	__u32 count, room;
};
void dg_reaper_crowd_free(struct dg_reaper_crowd *crowd);
/* A dg_tcp_visit_fn; arg is the crowd. One for which memory is short is not in it. */
void dg_reaper_crowd_add(const struct dg_tcp_socket *socket, void *arg);

/* Milliseconds since data came or went; since the begin where there was none. */
__u32 dg_reaper_idle_ms(const struct dg_tcp_socket *socket);
/*
 * Something is unread, unsent or not acknowledged, or data came after the last went out: a query may be on its way. Fewer
 * octets than a DNS message has are none (RFC 7766 section 8: two of length, RFC 1035 section 4.1.1: twelve of header).
 */
bool dg_reaper_in_flight(const struct dg_tcp_socket *socket);

/* Different sources (the narrow prefix) of a crowd. */
__u32 dg_reaper_sources(const struct dg_reaper_crowd *crowd);

struct dg_reaper_rules {
	__u64 share;   /* connections that a source may keep */
	__u32 idle_ms; /* closes none that has been idle for less */
	__u32 budget;  /* closes so many at most */
	bool (*spares)(const struct dg_tcp_socket *socket,
		       void *arg); /* says which are not to be touched */
	void *arg;
};
/* May this one be closed at all, whatever its source holds? */
bool dg_reaper_may_close(const struct dg_tcp_socket *socket, const struct dg_reaper_rules *rules);
/* Puts those to be closed first, the longest idle one foremost. Returns how many. */
__u32 dg_reaper_pick(struct dg_reaper_crowd *crowd, const struct dg_reaper_rules *rules);

#endif
