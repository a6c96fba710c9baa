/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp.bpf.h - the books on TCP to guarded services: first SYNs and retransmitted ones.
 *
 * A SYN with the 4-tuple and sequence number of one seen within the window is a retransmission: its sender got no
 * answer, which is the earliest sign of a full accept queue. Accounts only; the SYN limit lives in limit.bpf.h.
 */
#ifndef DG_TCP_BPF_H
#define DG_TCP_BPF_H

#include "bpf/packet.bpf.h"

#define DG_SYN_TIME_MASK ((1ull << DG_SYN_TIME_BITS) - 1)
#define DG_SYN_WINDOW (DG_SYN_WINDOW_NS >> DG_SYN_TIME_SHIFT)

/* Age of a cell in its own time units; never 0 time marks a free cell as old. */
static __always_inline __u64 syn_age(__u64 cell, __u64 now)
{
	return (now - cell) & DG_SYN_TIME_MASK;
}

/* Looks the SYN up and remembers it, in the place of itself, else of the oldest; of equally old ones any. */
static __always_inline __u8 syn_remember(const struct packet *pkt, __u64 hash)
{
	__u32 at = hash & (DG_SYN_BUCKETS - 1), oldest = 0;
	struct dg_syn_bucket *bucket = bpf_map_lookup_elem(&dg_syn_seen, &at);
	__u64 now = pkt->f->now_ns >> DG_SYN_TIME_SHIFT & DG_SYN_TIME_MASK;
	__u64 mark = hash & ~DG_SYN_TIME_MASK, age, weight, greatest = 0;

	if (!bucket)
		return DG_SYN_FIRST;
#pragma unroll
	for (__u32 way = 0; way < DG_SYN_WAYS; way++) {
		age = syn_age(bucket->cell[way], now);
		if ((bucket->cell[way] & ~DG_SYN_TIME_MASK) == mark) {
			if (!pkt->f->dry)
				bucket->cell[way] = mark | now;
			return age <= DG_SYN_WINDOW ? DG_SYN_RETRANSMITTED : DG_SYN_FIRST;
		}
		weight = age << 3 | ((way + (hash >> 13)) & (DG_SYN_WAYS - 1));
		if (weight >= greatest) {
			greatest = weight;
			oldest = way;
		}
	}
	if (!pkt->f->dry)
		*(volatile __u64 *)&bucket->cell[oldest & (DG_SYN_WAYS - 1)] = mark | now;
	return DG_SYN_FIRST;
}

/* SYN without ACK opens a connection: RFC 9293 section 3.5. */
static __always_inline bool tcp_opens(const struct packet *pkt)
{
	const struct tcphdr *tcp = pkt->data + (pkt->f->l4 & 127);

	return (const void *)(tcp + 1) <= pkt->data_end && tcp->syn && !tcp->ack;
}

static __always_inline void tcp_note(struct packet *pkt)
{
	const struct tcphdr *tcp = pkt->data + (pkt->f->l4 & 127);
	__u64 hash;

	if ((const void *)(tcp + 1) > pkt->data_end)
		return;
	hash = dg_hash_addr(pkt->f->saddr.hi, pkt->f->saddr.lo, pkt->set->limit_key);
	hash = dg_hash_addr(pkt->f->daddr.hi ^ hash, pkt->f->daddr.lo, pkt->set->limit_key);
	hash = dg_mix64(hash ^ ((__u64)tcp->seq << 32 | (__u32)tcp->source << 16 | tcp->dest));
	pkt->f->syn_kind = syn_remember(pkt, hash) + 1;
}

#endif
