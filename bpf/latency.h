/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * latency.h - which queries are timed, and the buckets of response times: four an octave of microseconds, so a bucket is at
 * most a quarter wider than where it begins. Pure C, the same in the kernel and in userspace.
 *
 * Bucket 0 to 3: that many whole microseconds. From there on the number of the highest bit and the two bits below it.
 */
#ifndef DG_LATENCY_H
#define DG_LATENCY_H

#include <linux/types.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/*
 * The 32-bit number of a query, below dg_settings.asked_below when it is timed. Port and ID as they stand in the packet; the key
 * is secret, lest a client chooses what is seen of it. Two multiplications, for many count their IDs upwards from one port:
 * multiples of one key alone lie as on a lattice, and all of them may miss the share that is timed.
 */
static __always_inline __u32 dg_latency_number(__be16 client_port, __be16 id, __u64 key)
{
	__u64 number = ((__u64)client_port << 16 | id) * (key | 1);

	return (number ^ number >> 32) * 0x9e3779b97f4a7c15ull >> 32;
}

/* Number of the highest bit that is set, 0 for 0. By halves: BPF has no instruction for it. */
static __always_inline __u32 dg_latency_octave(__u32 us)
{
	__u32 octave = 0;

	for (__u32 half = 16; half; half /= 2) {
		if (us >> half) {
			octave += half;
			us >>= half;
		}
	}
	return octave;
}

/* 4 (octave - 1) + the two bits below the highest; at most 123. */
static __always_inline __u32 dg_latency_bucket(__u32 us)
{
	__u32 octave = dg_latency_octave(us);

	return us < 4 ? us : 4 * (octave - 1) + (us >> (octave - 2) & 3);
}

/* Where a bucket ends and the next begins, in microseconds. */
static __always_inline __u64 dg_latency_end_us(__u32 bucket)
{
	__u32 next = bucket + 1;

	return next < 4 ? next : (__u64)(4 + next % 4) << (next / 4 - 1);
}

#endif
