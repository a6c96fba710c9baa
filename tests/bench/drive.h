/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * drive.h - what the driver in the kernel and the measuring tool agree on: the names and the knobs.
 *
 * A name is made from its number by arithmetic alone, so that millions of them cost the driver no memory access.
 */
#ifndef DG_BENCH_DRIVE_H
#define DG_BENCH_DRIVE_H

#include "bpf/hash.h"

#define DRIVE_FRAME_MAX 128
#define DRIVE_LABEL 8 /* letters of each of the two made-up labels */

/* Live knobs of the driver, one a run. */
struct drive {
	__u32 frame_len;
	__u32 source_at;    /* offset of the IPv4 source address; 0 = it stays */
	__u32 source_count; /* sources in rotation */
	__u32 name_at;	    /* offset of the first label's letters; 0 = the name stays */
	__u32 name_count;   /* names in rotation */
	__u32 name_seed;    /* other seeds make other names */
	__u32 id_at;	    /* offset of the message's ID; 0 = it stays */
	__u32 seq_at;	    /* offset of TCP's sequence number; 0 = it stays */
	__u32 seq_step;	    /* what it moves on by each turn */
	__u8 frame[DRIVE_FRAME_MAX];
};

/* 0 .. count-1, each equally often over the turns: a Weyl sequence, scaled. */
static __always_inline __u32 drive_pick(__u32 turn, __u32 count)
{
	return (__u32)((__u64)(turn * 0x9e3779b1u) * count >> 32);
}

/* Source `number` as it lies in the header: first octet 64 to 95, where every address may be answered. */
static __always_inline __u32 drive_source(__u32 number)
{
	return ((__u32)dg_mix64(number + 1) & 0xffffff1f) | 64;
}

/* Eight letters a..p from 32 bits: one nibble an octet. */
static __always_inline __u64 drive_letters(__u32 bits)
{
	__u64 w = bits;

	w = (w | w << 16) & 0x0000ffff0000ffffull;
	w = (w | w << 8) & 0x00ff00ff00ff00ffull;
	w = (w | w << 4) & 0x0f0f0f0f0f0f0f0full;
	return w + 0x6161616161616161ull;
}

/* Both labels of name `number`. */
static __always_inline void drive_name(__u32 seed, __u32 number, __u64 ret_labels[2])
{
	__u64 mixed = dg_mix64((__u64)seed << 32 | number);

	ret_labels[0] = drive_letters((__u32)mixed);
	ret_labels[1] = drive_letters((__u32)(mixed >> 32));
}

#endif
