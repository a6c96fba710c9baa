/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * source.bpf.h - what is known of the sender: exempt, client, banned until.
 *
 * One longest-prefix lookup a family; the entry carries all that wider prefixes grant (abi.h, struct dg_source).
 * First stop after the transport header; decides only about bans.
 */
#ifndef DG_SOURCE_BPF_H
#define DG_SOURCE_BPF_H

#include "bpf/packet.bpf.h"

static __always_inline struct dg_source *source_find(const struct packet *pkt)
{
	if (pkt->f->family == DG_IPV4) {
		struct {
			__u32 bits, addr;
		} key = { 32, pkt->f->saddr.lo >> 32 };

		_Static_assert(sizeof(key) == sizeof(struct dg_source_key_v4), "same layout");
		return bpf_map_lookup_elem(&dg_sources4, &key);
	}
	struct {
		__u32 bits, addr[4];
	} key = { 128,
		  { pkt->f->saddr.hi, pkt->f->saddr.hi >> 32, pkt->f->saddr.lo,
		    pkt->f->saddr.lo >> 32 } };

	_Static_assert(sizeof(key) == sizeof(struct dg_source_key_v6), "same layout");
	return bpf_map_lookup_elem(&dg_sources6, &key);
}

static __always_inline enum dg_verdict source_check(struct packet *pkt)
{
	struct dg_source *source;

	if (!pkt->set->source_rules[pkt->f->family & 1] || pkt->set->source_mode == DG_OFF)
		return DG_NEXT;
	source = source_find(pkt);
	if (!source)
		return DG_NEXT;
	pkt->f->source_flags = source->flags;
	if (pkt->f->now_ns >= source->banned_until_ns)
		return DG_NEXT;
	pkt->f->banned = 1;
	return packet_decide(pkt, pkt->set->source_mode, DG_DROP_BANNED, DG_PASS_OBSERVED_BANNED);
}

#endif
