/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * query.h - a crafted DNS query in a frame, and one run of the live program on it.
 *
 * What `explain` and the tests use: a probe (abi.h) in front of the frame tells the program to
 * charge and count nothing, and brings back what it decided.
 */
#ifndef DG_QUERY_H
#define DG_QUERY_H

#include "bpf/abi.h"
#include "userspace/lib/names.h"
#include "userspace/lib/scope.h"

#define DG_FRAME_MAX 2048

struct dg_query {
	struct dg_addr client, server;	/* both of one family, 16-byte form */
	__u16 client_port, server_port; /* host order */
	__u8 dst_mac[6];
	const struct dg_name *name;
	__u16 qtype;
	int edns_size; /* 0 = no OPT */
};

/* Writes the frame, checksums included. Returns its length or -errno. */
int dg_query_frame(const struct dg_query *query, __u8 frame[DG_FRAME_MAX]);

/*
 * Runs prog_fd once. probe is in and out; frame is in and out, *frame_len as well. Returns the XDP
 * action or -errno. ifindex 0 = loopback.
 */
int dg_query_run(int prog_fd, struct dg_probe *probe, __u8 frame[DG_FRAME_MAX], __u32 *frame_len,
		 struct dg_error *err);

#endif
