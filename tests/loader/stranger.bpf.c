// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stranger.bpf.c - somebody else's XDP program, for the tests that meet one. Lets everything pass.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int stranger(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
