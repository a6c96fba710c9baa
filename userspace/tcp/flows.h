/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flows.h - what the guard saw of one TCP connection: the kernel's table (abi.h, struct dg_flow), read.
 */
#ifndef DG_TCP_FLOWS_H
#define DG_TCP_FLOWS_H

#include <stdbool.h>

#include "userspace/lib/maps.h"
#include "userspace/tcp/tcp.h"

/* The table in memory that is shared with the kernel. */
struct dg_tcp_flows {
	const struct dg_flow_bucket *bucket; /* DG_FLOW_BUCKETS of them */
	__u64 key[2];			     /* of the hash */
};
#define DG_TCP_FLOWS_NONE ((struct dg_tcp_flows){ .bucket = NULL })
int dg_tcp_flows_open(const struct dg_maps *maps, struct dg_tcp_flows *ret);
void dg_tcp_flows_close(struct dg_tcp_flows *flows); /* accepts DG_TCP_FLOWS_NONE */

/*
 * Has each query of this connection its answer, as far as octets on the wire tell? False also where that is not known: the
 * guard did not see its beginning or not all of it, has no room for it, or it had more queries than are counted.
 */
bool dg_tcp_flows_answered(const struct dg_tcp_flows *flows, const struct dg_tcp_key *client,
			   const struct dg_tcp_key *service);

#endif
