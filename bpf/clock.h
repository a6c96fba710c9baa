/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock.h - one reading of the kernel's clocks: what clock.bpf.c fills and the loader takes.
 */
#ifndef DG_CLOCK_H
#define DG_CLOCK_H

#include <linux/types.h>

struct dg_clock_sample {
	__u64 jiffies; /* jiffies64 */
	__u64 now_ns;  /* CLOCK_MONOTONIC, read after it */
};

#endif
