/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serial.h - serial number arithmetic of zones (RFC 1982).
 *
 * A serial lives on a circle of 2^32: "newer" means less than half a circle ahead. Exactly half a circle apart is undefined
 * in the RFC; here neither is newer, so nothing is transferred for it.
 */
#ifndef DG_TRANSFER_SERIAL_H
#define DG_TRANSFER_SERIAL_H

#include <linux/types.h>
#include <stdbool.h>

/* Is `a` newer than `b`? */
static inline bool dg_serial_newer(__u32 a, __u32 b)
{
	__u32 ahead = a - b;

	return ahead != 0 && ahead < 1u << 31;
}

#endif
