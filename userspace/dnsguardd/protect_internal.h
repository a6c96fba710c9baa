/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * protect_internal.h - what protect.c and protect_reap.c share. Nobody else includes this.
 */
#ifndef DG_DAEMON_PROTECT_INTERNAL_H
#define DG_DAEMON_PROTECT_INTERNAL_H

#include "userspace/dnsguardd/daemon.h"
#include "userspace/dnsguardd/ladder.h"
#include "userspace/dnsguardd/pressure.h"
#include "userspace/dnsguardd/reaper.h"

#define DG_SPARED_MAX 4096

struct dg_protecting {
	struct dg_daemon *daemon;
	uv_timer_t timer;
	struct dg_ladder ladder;
	__u32 logged;	  /* step */
	bool failing;	  /* said once */
	__u8 reaper;	  /* enum dg_mode, at this tick */
	bool reaping;	  /* since use was critical, until it has cleared */
	bool refused;	  /* the kernel closes nothing; said once */
	double allowance; /* connections that may be closed now: grows by the rate */
	__u64 allowed_ns; /* when it last grew */
	/* Observed: those that would have been closed and are still here, by their sockets' cookies. */
	__u64 observed[DG_SPARED_MAX];
	__u32 observed_count;
};

/* The quota that is fullest. */
struct dg_pressed {
	__u32 row; /* of the listener; DG_TCP_LISTENERS_MAX = no quota is known */
	struct dg_tcp_key key;
	struct dg_quota_known quota;
	__u64 used;
	double use; /* used / quota */
};
/* Does this listener count against it? */
bool dg_pressed_has(const struct dg_pressed *pressed, const struct dg_daemon *daemon,
		    const struct dg_tcp_books *books, __u32 at);

/* What a tick has in hand. */
struct dg_tick {
	const struct dg_maps *maps;
	const struct dg_settings *settings;
	const struct dg_tcp_books *books;
};
/*
 * Looks at each connection of this quota; while it is critical, closes some. Returns how many sources hold connections of it,
 * or are in dg_reaped.
 */
__u32 dg_reap(struct dg_protecting *p, const struct dg_tick *tick,
	      const struct dg_pressed *pressed);
/* Forgets sources whose time is over. Returns how many there are. */
__u32 dg_reaped_tidy(const struct dg_maps *maps, __u64 now_ns);

#endif
