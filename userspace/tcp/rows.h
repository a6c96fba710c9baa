/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rows.h - rows of the books on TCP connections: given to listeners, taken back. For the check (tcp.c) and its tests.
 */
#ifndef DG_TCP_ROWS_H
#define DG_TCP_ROWS_H

#include "userspace/tcp/tcp.h"

/* So long a listener's row stays when it is gone: one that is restarted has its peak and its hold times again. */
#define DG_TCP_GONE_NS (600 * 1000000000ull)

/* A row for a listener that has none; as long as there are any. now_ns is CLOCK_MONOTONIC. */
void dg_tcp_row_give(const struct dg_maps *maps, struct dg_tcp_books *books,
		     const struct dg_tcp_key *key, __u64 now_ns);

/*
 * Takes back the rows of listeners that have been gone for DG_TCP_GONE_NS, and of whose connections none is left. Listeners that
 * began since the dump lose a row at worst, which the next check gives them again. Returns how many were taken back.
 */
__u32 dg_tcp_rows_reclaim(const struct dg_maps *maps, const struct dg_tcp_books *books,
			  const struct dg_tcp_dump *dump, __u64 now_ns);

#endif
