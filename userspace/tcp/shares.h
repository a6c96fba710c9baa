/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shares.h - how many connections each source holds: the kernel's table (abi.h, struct dg_share_line), read, and set
 * right by a dump of the sockets.
 */
#ifndef DG_TCP_SHARES_H
#define DG_TCP_SHARES_H

#include <stdbool.h>

#include "userspace/lib/maps.h"

/* The table in memory that is shared with the kernel. */
struct dg_tcp_shares {
	struct dg_share_line *line; /* DG_SHARE_LINES of them */
	__u64 key[2];		    /* of the hash */
};
#define DG_TCP_SHARES_NONE ((struct dg_tcp_shares){ .line = NULL })
int dg_tcp_shares_open(const struct dg_maps *maps, struct dg_tcp_shares *ret);
void dg_tcp_shares_close(struct dg_tcp_shares *shares); /* accepts DG_TCP_SHARES_NONE */

/* What the source's prefix on a rung holds. */
__u64 dg_tcp_shares_count(const struct dg_tcp_shares *shares, struct dg_addr addr, __u32 rung);
/* Adds `by`, which may be below 0, never below nothing. False: no room for it. */
bool dg_tcp_shares_move(struct dg_tcp_shares *shares, struct dg_addr addr, __u32 rung, __s64 by);
/* The prefix of a source on a rung, host bits 0. */
struct dg_addr dg_tcp_share_prefix(struct dg_addr addr, __u32 rung);

/* The same table as a dump has it. */
struct dg_tcp_tally {
	struct dg_tcp_shares as; /* its lines are our own memory */
};
int dg_tcp_tally_new(const struct dg_tcp_shares *like, struct dg_tcp_tally *ret);
void dg_tcp_tally_free(struct dg_tcp_tally *tally);
void dg_tcp_tally_add(struct dg_tcp_tally *tally, struct dg_addr peer);

/*
 * Moves each count by the least that makes it possible. `before`: the table when the dump began; `opened` and `closed`: what
 * came and went since, of all sources together, each of which may or may not be in the dump. Returns by how much in all.
 */
struct dg_tcp_changes {
	__u64 opened, closed;
};
__s64 dg_tcp_shares_correct(struct dg_tcp_shares *shares, const struct dg_share_line *before,
			    const struct dg_tcp_tally *dumped, struct dg_tcp_changes changes);

#endif
