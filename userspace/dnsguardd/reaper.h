/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reaper.h - which connections are closed when TCP is critical: a choice, without a system call.
 *
 * The longest-idle ones of the sources that hold more than their share, few at a time; never one with a query in flight.
 */
#ifndef DG_REAPER_H
#define DG_REAPER_H

#include "userspace/tcp/sockets.h"

/*
 * Resolvers give up before that: what came so long ago and was not answered never will be. BIND's resolver-query-timeout
 * goes up to 30 s; Unbound gives one server up to 120 s.
 */
#define DG_REAPER_ANSWER_MS 120000

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
/* Different sources (the narrow prefix) of a crowd. */
__u32 dg_reaper_sources(const struct dg_reaper_crowd *crowd);

struct dg_reaper_rules {
	__u64 share;   /* connections that a source may keep */
	__u32 idle_ms; /* closes none that has been idle for less */
	__u32 budget;  /* closes so many at most */
	/* Says which are not to be touched. */
	bool (*spares)(const struct dg_tcp_socket *socket, void *arg);
	/* Says of which it is known that all queries that came have been answered. */
	bool (*answered)(const struct dg_tcp_socket *socket, void *arg);
	void *arg;
};
/*
 * May a query be on its way? So it is when something is unread, unsent or not acknowledged; when nothing was ever sent, or
 * data came after the last went; and otherwise unless all of them are known to be answered: of several that came at once
 * one answer may have left (RFC 7766 section 6.2.1.1), and within a tick of the kernel's clock nobody knows what came first.
 * Fewer octets than a DNS message has are no query (RFC 7766 section 8: two of length, RFC 1035 section 4.1.1: twelve of
 * header).
 */
bool dg_reaper_in_flight(const struct dg_tcp_socket *socket, const struct dg_reaper_rules *rules);
/* May this one be closed at all, whatever its source holds? */
bool dg_reaper_may_close(const struct dg_tcp_socket *socket, const struct dg_reaper_rules *rules);
/* Puts those to be closed first, the longest idle one foremost. Returns how many. */
__u32 dg_reaper_pick(struct dg_reaper_crowd *crowd, const struct dg_reaper_rules *rules);

#endif
