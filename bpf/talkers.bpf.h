/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * talkers.bpf.h - who is being limited, who sends SYNs and who asks over TCP, for people to read.
 *
 * Direct-mapped tables: a sender has one slot. Another sender that wants the slot wears the count down by half and
 * takes over when little is left or the old one is silent, so heavy ones stay visible (after the frequent algorithm of
 * Misra and Gries). Plain stores: two CPUs may lose a count to each other; nothing depends on it.
 */
#ifndef DG_TALKERS_BPF_H
#define DG_TALKERS_BPF_H

#include "bpf/packet.bpf.h"

#define DG_TALKER_SILENT_NS 2000000000ull

static __always_inline void talker_note(void *table, __u32 slots, const struct packet *pkt,
					struct dg_addr addr, __u32 bits)
{
	__u32 at = dg_hash_addr(addr.hi, addr.lo ^ bits, pkt->set->limit_key) & (slots - 1);
	struct dg_talker *talker = bpf_map_lookup_elem(table, &at);

	if (!talker)
		return;
	if (talker->addr.lo == addr.lo && talker->addr.hi == addr.hi && talker->bits == bits) {
		talker->count++;
		talker->last_ns = pkt->f->now_ns;
		return;
	}
	talker->count /= 2;
	if (talker->count && pkt->f->now_ns - talker->last_ns < DG_TALKER_SILENT_NS)
		return;
	talker->addr = addr;
	talker->bits = bits;
	talker->family = pkt->f->family;
	talker->count = 1;
	talker->first_ns = talker->last_ns = pkt->f->now_ns;
}

/* The prefix of the rung that refused. */
static __always_inline void talkers_limited(const struct packet *pkt)
{
	const __u8 bits_v4[] = DG_LADDER_IPV4_BITS, bits_v6[] = DG_LADDER_IPV6_BITS;
	const __u64 masks_v4[] = { ~0ull, ~0ull >> 8, ~0ull >> 8 & ~(0x0full << 48),
				   ~0ull >> 8 & ~(0x3full << 48) };
	const __u64 masks_v6[] = { ~0ull, ~0ull, ~0ull >> 8, ~0ull >> 16, ~0ull >> 32 };
	struct dg_addr addr = pkt->f->saddr;
	__u32 rung = pkt->f->limited_rung - 1;

	if (pkt->f->family == DG_IPV4) {
		if (rung >= DG_RUNGS_IPV4)
			return;
		addr.lo &= masks_v4[rung];
		talker_note(&dg_limited, DG_TALKERS_LIMITED, pkt, addr, bits_v4[rung]);
		return;
	}
	if (rung >= DG_RUNGS_IPV6)
		return;
	addr.hi &= masks_v6[rung];
	if (rung)
		addr.lo = 0;
	talker_note(&dg_limited, DG_TALKERS_LIMITED, pkt, addr, bits_v6[rung]);
}

/* One IPv4 address, one IPv6 site (/64). */
static __always_inline void talkers_tcp(const struct packet *pkt)
{
	const bool ipv6 = pkt->f->family == DG_IPV6;
	struct dg_addr addr = { pkt->f->saddr.hi, ipv6 ? 0 : pkt->f->saddr.lo };

	talker_note(&dg_tcp_clients, DG_TALKERS_TCP, pkt, addr, ipv6 ? 64 : 32);
}

static __always_inline void talkers_note(const struct packet *pkt)
{
	if (pkt->f->dry)
		return;
	if (pkt->f->limited_rung)
		talkers_limited(pkt);
	if (pkt->f->syn_kind)
		talker_note(&dg_syn_talkers, DG_TALKERS_SYN, pkt, pkt->f->saddr,
			    pkt->f->family == DG_IPV4 ? 32 : 128);
	if (pkt->f->tcp_queries)
		talkers_tcp(pkt);
}

#endif
