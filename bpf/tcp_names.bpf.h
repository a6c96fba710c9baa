/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_names.bpf.h - what is asked over TCP, and which listed names are asked for, for people to read: the heavy ones.
 *
 * Sets of four in a table that never grows (abi.h, struct dg_tcp_name_set). Plain stores: CPUs may lose a count to each other;
 * nothing depends on it.
 */
#ifndef DG_TCP_NAMES_BPF_H
#define DG_TCP_NAMES_BPF_H

#include "bpf/packet.bpf.h"
#include "bpf/question.bpf.h"

/* Of the whole name, whatever its case, and the type. The labels' own hashes are in wire order. */
static __always_inline __u64 tcp_name_hash(const struct packet *pkt,
					   const struct dg_scratch *scratch)
{
	struct dg_hash name = dg_hash_start(pkt->set->hash_key);
	__u32 labels = scratch->q.labels;

	for (__u32 depth = 1; depth <= DG_LABELS_MAX && depth <= labels; depth++)
		name = dg_hash_extend(name, pkt->set->hash_key,
				      scratch->label[(labels - depth) & DG_LABELS_MAX]);
	return dg_mix64(name.a ^ name.b ^ scratch->q.qtype);
}

/* The way that has this question, else a free one, else DG_TCP_NAME_WAYS: then all have lost one. */
static __always_inline __u32 tcp_name_way(struct dg_tcp_name_set *set, __u64 hash)
{
	__u32 found = DG_TCP_NAME_WAYS;

#pragma unroll
	for (__u32 way = 0; way < DG_TCP_NAME_WAYS; way++)
		if (set->weight[way] && set->hash[way] == hash)
			return way;
#pragma unroll
	for (__u32 way = 0; way < DG_TCP_NAME_WAYS; way++)
		if (!set->weight[way])
			found = way;
	if (found < DG_TCP_NAME_WAYS)
		return found;
#pragma unroll
	for (__u32 way = 0; way < DG_TCP_NAME_WAYS; way++)
		set->weight[way]--;
	return found;
}

/* Writes the question's name, from its octet `from` on, into its new place. False = its octets could not be had. */
static __always_inline bool tcp_name_enter(struct xdp_md *ctx, const struct packet *pkt,
					   const struct question *q, __u32 from,
					   struct dg_tcp_name *entry)
{
	__u32 len = q->name_len - from;

	if (len == 0 || len > DG_NAME_MAX)
		return false;
	len = ((len - 1) & 255) + 1; /* as checked; clang hands on an unchecked copy without this */
	question_pin(len);
	if (bpf_xdp_load_bytes(ctx, pkt->f->dns_at + DG_HEADER_BYTES + from, entry->name, len))
		return false;
	entry->name_len = len;
	entry->count = 0;
	entry->first_ns = pkt->f->now_ns;
	return true;
}

/* What is counted: the question's name from its octet `from` on, and a type (0 = any). */
struct asked_name {
	__u64 hash;
	__u32 from;
	__u16 qtype;
};

static __always_inline void tcp_name_count(struct xdp_md *ctx, const struct packet *pkt,
					   const struct question *q, struct dg_tcp_name_set *set,
					   const struct asked_name *asked)
{
	__u32 way = tcp_name_way(set, asked->hash);

	if (way >= DG_TCP_NAME_WAYS)
		return;
	if (!set->weight[way]) {
		if (!tcp_name_enter(ctx, pkt, q, asked->from, &set->name[way]))
			return;
		set->name[way].qtype = asked->qtype;
	}
	set->hash[way] = asked->hash;
	set->weight[way] += set->weight[way] < DG_TCP_NAME_WEIGHT_MAX;
	set->name[way].count++;
	set->name[way].last_ns = pkt->f->now_ns;
}

static __always_inline void tcp_name_note(struct xdp_md *ctx, const struct packet *pkt,
					  const struct dg_scratch *scratch)
{
	const struct asked_name asked = { tcp_name_hash(pkt, scratch), 0, scratch->q.qtype };
	__u32 at = asked.hash & (DG_TCP_NAME_SETS - 1);
	struct dg_tcp_name_set *set = bpf_map_lookup_elem(&dg_tcp_names, &at);

	if (set)
		tcp_name_count(ctx, pkt, &scratch->q, set, &asked);
}

/* One in so many, for an answer costs little more than a note. IDs are random (RFC 5452 section 4.5). */
static __always_inline bool listed_name_due(const struct packet *pkt)
{
	return pkt->f->match_labels && pkt->f->answer_kind != DG_ANSWER_ALLOW && !pkt->f->dry &&
	       !(pkt->f->dns_id & bpf_htons(DG_LISTED_SAMPLE - 1));
}

/*
 * A query that a listed name decides: noted under that name, not under what was asked below it, so that random labels
 * do not wear the table out. An answer has the question where the query had it.
 */
static __always_inline void listed_name_note(struct xdp_md *ctx, const struct packet *pkt,
					     const struct dg_scratch *scratch)
{
	const struct question *q = &scratch->q;
	__u32 first = (q->labels - pkt->f->match_labels) & DG_LABELS_MAX;
	const struct dg_hash *name = &scratch->label[first]; /* of the suffix by now */
	const struct asked_name asked = { dg_mix64(name->a ^ name->b), scratch->label_at[first],
					  0 };
	__u32 at = asked.hash & (DG_TCP_NAME_SETS - 1);
	struct dg_tcp_name_set *set = bpf_map_lookup_elem(&dg_listed, &at);

	if (set)
		tcp_name_count(ctx, pkt, q, set, &asked);
}

#endif
