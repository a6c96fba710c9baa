// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stranger.bpf.c - somebody else's programs, for XDP, egress and socket states, for the tests that meet them. Let everything pass.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int stranger(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";

SEC("tc")
int stranger_egress(struct __sk_buff *skb)
{
	(void)skb;
	return 0; /* TC_ACT_OK */
}

SEC("tp_btf/inet_sock_set_state")
int stranger_tcp(void *ctx)
{
	(void)ctx;
	return 0;
}
