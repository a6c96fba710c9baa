/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * primary.h - the conversation with the primary: its SOA (UDP, then TCP), and transfers over TCP.
 *
 * Owns sockets and their deadlines. Sockets are connected, so answers come from the address and port that were asked.
 */
#ifndef DG_TRANSFER_PRIMARY_H
#define DG_TRANSFER_PRIMARY_H

#include "userspace/transfer/host.h"
#include "userspace/transfer/intake.h"
#include "userspace/transfer/loop.h"

struct dg_primary {
	struct dg_host host;
	const knot_tsig_key_t *key; /* NULL = unsigned */
	struct dg_loop *loop;
	__u64 connect_ns; /* to be connected, and for an answer by UDP */
	__u64 idle_ns;	  /* between two arrivals */
	__u64 whole_ns;	  /* for one transfer */
};

/*
 * Asks for the serial. -ETIMEDOUT, -ECONNREFUSED and other errors of sockets, -EPROTO, -EKEYREJECTED, -EINTR when asked to
 * stop; err says it without naming zone and primary.
 */
int dg_primary_serial(const struct dg_primary *primary, const knot_dname_t *zone, __u32 *ret_serial,
		      struct dg_error *err);
/*
 * Brings the zone up to date: IXFR when it has an SOA, AXFR when it has none or when the differences
 * cannot be used. On failure the zone is as before. Errors as above, and -EFBIG, -ENOMEM.
 */
int dg_primary_transfer(const struct dg_primary *primary, struct dg_zone *zone,
			struct dg_change *ret, struct dg_error *err);

#endif
