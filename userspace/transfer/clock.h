/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clock.h - the time by which a transfer waits: it never jumps, and goes on while the machine sleeps.
 */
#ifndef DG_TRANSFER_CLOCK_H
#define DG_TRANSFER_CLOCK_H

#include <linux/types.h>
#include <time.h>

#define DG_NS_PER_S 1000000000ull

/* Nanoseconds of CLOCK_BOOTTIME. */
static inline __u64 dg_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (__u64)now.tv_sec * DG_NS_PER_S + (__u64)now.tv_nsec;
}

#endif
