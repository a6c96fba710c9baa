// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * states.bpf.c - the empty program on the tracepoint of socket states: what any program there costs.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

SEC("tp_btf/inet_sock_set_state")
int states_empty(void *ctx)
{
	(void)ctx;
	return 0;
}
