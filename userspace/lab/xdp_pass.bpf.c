// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xdp_pass.bpf.c - a bare pass program for the far end of a veth pair, in the lab and the tests only.
 *
 * veth delivers frames of XDP_TX only to a peer that has a native XDP program of its own.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp.frags")
int xdp_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
