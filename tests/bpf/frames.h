/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frames.h - frames that a test makes octet by octet: from a client at some IPv4 address to the guarded one, and back.
 *
 * For the tools of this room that show the program more frames than rows could hold.
 */
#ifndef DG_TEST_FRAMES_H
#define DG_TEST_FRAMES_H

#include <netinet/in.h>

#include "tests/bpf/guard.h"

#define FRAME_L3 14
#define FRAME_L4 (FRAME_L3 + 20)
#define FRAME_DATA (FRAME_L4 + 20) /* of TCP without options */
#define FRAME_PORT 40000	   /* the client's */
#define FRAME_START (5 * GUARD_SECOND)
#define FRAME_SYN 0x02
#define FRAME_ACK 0x10

static inline void put16(__u8 *at, __u16 value)
{
	at[0] = (__u8)(value >> 8);
	at[1] = (__u8)value;
}

static inline void put32(__u8 *at, __u32 value)
{
	put16(at, (__u16)(value >> 16));
	put16(at + 2, (__u16)value);
}

/* Ethernet and IPv4 from `source` to the guarded address; the rest follows at FRAME_L4. */
static inline void frame_begin(struct guard_run *run, __u32 source, __u8 protocol, __u32 l4_len)
{
	static const __u8 link[FRAME_L3] = { 2, 0, 0, 0, 0, 0x53, 2, 0, 0, 0, 0, 7, 0x08, 0x00 };
	static const __u8 ipv4[20] = { 0x45, [6] = 0x40, [8] = 64, [16] = 192, 0, 2, 53 };

	memset(run->frame, 0, FRAME_L4 + l4_len);
	memcpy(run->frame, link, sizeof(link));
	memcpy(run->frame + FRAME_L3, ipv4, sizeof(ipv4));
	put16(run->frame + FRAME_L3 + 2, (__u16)(20 + l4_len));
	run->frame[FRAME_L3 + 9] = protocol;
	put32(run->frame + FRAME_L3 + 12, source);
	put16(run->frame + FRAME_L4, FRAME_PORT);
	put16(run->frame + FRAME_L4 + 2, 53);
	run->frame_len = FRAME_L4 + l4_len;
}

/* TCP; `data` octets are to follow at FRAME_DATA. */
static inline void frame_segment(struct guard_run *run, __u32 source, __u32 sequence, __u8 flags,
				 __u16 data)
{
	frame_begin(run, source, IPPROTO_TCP, 20 + data);
	put32(run->frame + FRAME_L4 + 4, sequence);
	run->frame[FRAME_L4 + 12] = 5 << 4;
	run->frame[FRAME_L4 + 13] = flags;
}

static inline void octets_swap(__u8 *a, __u8 *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		__u8 kept = a[i];

		a[i] = b[i];
		b[i] = kept;
	}
}

/* A client's frame without VLAN tags becomes one to it: addresses and ports. */
static inline void frame_turn(__u8 *frame)
{
	const int is_v6 = frame[FRAME_L3] >> 4 == 6, octets = is_v6 ? 16 : 4;
	__u8 *addrs = frame + FRAME_L3 + (is_v6 ? 8 : 12);
	__u8 *ports = frame + FRAME_L3 + (is_v6 ? 40 : 20);

	octets_swap(frame, frame + 6, 6);
	octets_swap(addrs, addrs + octets, (size_t)octets);
	octets_swap(ports, ports + 2, 2);
}

/* A guard at its base, with one guarded address. */
static inline void guard_begin(struct guard *guard)
{
	must(guard_reset(guard), "reset");
	must(guard_service(guard, "192.0.2.53", DG_SVC_GUARDED), "service");
}

#endif
