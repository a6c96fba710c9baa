/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names.h - what is asked over TCP, and which listed names are asked for, as the kernel remembers it.
 */
#ifndef DG_TCP_NAMES_H
#define DG_TCP_NAMES_H

#include "userspace/lib/maps.h"

/*
 * Names of a table (maps->dg_tcp_names, or maps->dg_listed) asked since `since_ns`, the most asked first. Returns how many
 * of `max`, or -errno. The table is bounded: see abi.h.
 */
int dg_names_asked_read(int map_fd, __u64 since_ns, struct dg_tcp_name *ret, __u32 max);

/* "A", ..., "other", "unread": label of a row of dg_stats.qtype. */
const char *dg_qtype_label(enum dg_qtype row);

#endif
