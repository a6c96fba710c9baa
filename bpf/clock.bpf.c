// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * clock.bpf.c - reads the kernel's two clocks for the loader: jiffies64, which no system call shows, and
 * CLOCK_MONOTONIC.
 *
 * Run by the loader through BPF_PROG_TEST_RUN, attached to nothing.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/clock.h"

/* Jiffies first: so the time is never before the jiffy began. */
SEC("syscall")
int dnsguard_clock(struct dg_clock_sample *sample)
{
	sample->jiffies = bpf_jiffies64();
	sample->now_ns = bpf_ktime_get_ns();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
