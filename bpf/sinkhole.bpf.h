/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sinkhole.bpf.h - name to the entry that decides about it.
 *
 * Walks the question's suffixes from the root down, extending one hash by one label each, and probes the operator's
 * entries and the image at each depth where something is listed. Order: operator's allow (at any depth),
 * operator's block (most specific), the lists' image (most specific). Decides; answers nothing.
 */
#ifndef DG_SINKHOLE_BPF_H
#define DG_SINKHOLE_BPF_H

#include "bpf/packet.bpf.h"
#include "bpf/question.bpf.h"

/* Read anew each time: a constant bound would have the verifier walk the loops once for every length of name. */
#define LABELS(scratch) (*(volatile __u32 *)&(scratch)->nlabels)
#define DG_LIST_NONE 0xffff

/* The filter says no nearly always, in one load. */
static __always_inline bool own_maybe(const struct dg_hash *suffix)
{
	__u32 bit = dg_hash_filter_bit(*suffix, DG_OWN_FILTER_WORDS * 64);
	__u32 word = bit / 64;
	__u64 *filter = bpf_map_lookup_elem(&dg_own_filter, &word);

	return filter && *filter >> (bit % 64) & 1;
}

static __always_inline void own_note(const struct packet *pkt, struct dg_scratch *scratch,
				     const struct dg_hash *suffix, __u32 depth)
{
	struct dg_own *own;

	if (!own_maybe(suffix))
		return;
	own = bpf_map_lookup_elem(&dg_own, suffix);
	if (!own || (own->until_ns && pkt->f->now_ns >= own->until_ns))
		return;
	if (own->answer.kind == DG_ANSWER_ALLOW) {
		scratch->allow_depth = depth;
		return;
	}
	scratch->own_key = (struct dg_name_key){ suffix->a, suffix->b };
	scratch->own_depth = depth;
}

/* 1 when x is 0, without a branch. */
static __always_inline __u64 sinkhole_is_zero(__u64 x)
{
	return ~(x | -x) >> 63;
}

/*
 * Does some way of this suffix's bucket, or of the few it spilled into, hold its fingerprint? Remembers the element.
 * Ways are compared without branches: the loop runs for 127 labels, and each branch in it counts 127 times
 * with the verifier, which gives up at 8192 open ones.
 */
static __always_inline void image_note(void *image, const struct dg_image_header *header,
				       struct dg_scratch *scratch, struct dg_hash suffix,
				       __u32 depth)
{
	__u32 at = header->first + dg_hash_bucket(suffix, header->buckets);
	__u64 fp = dg_hash_fp(suffix), hit;
	__u32 spill = 0;

	for (__u32 step = 0; step <= DG_IMAGE_SPILL_MAX; step++, at++) {
		struct dg_image_bucket *bucket = bpf_map_lookup_elem(image, &at);

		if (!bucket)
			return;
		hit = 0;
#pragma unroll
		for (__u32 way = 0; way < DG_IMAGE_WAYS; way++)
			hit |= sinkhole_is_zero(bucket->fp[way] ^ fp);
		if (hit) {
			scratch->image_at = at;
			scratch->image_suffix = suffix;
			scratch->list_depth = depth;
			return;
		}
		if (!step)
			spill = bucket->spill;
		if (step >= spill)
			return;
	}
}

/* Label hashes become suffix hashes, in place. */
static __always_inline void suffixes_hash(const __u64 *key, struct dg_scratch *scratch)
{
	struct dg_hash suffix = dg_hash_start(key);

	for (__u32 depth = 1; depth <= DG_LABELS_MAX && depth <= LABELS(scratch); depth++) {
		struct dg_hash *label = &scratch->label[(LABELS(scratch) - depth) & DG_LABELS_MAX];

		suffix = dg_hash_extend(suffix, key, *label);
		*label = suffix;
	}
}

static __always_inline void own_walk(const struct packet *pkt, struct dg_scratch *scratch)
{
	for (__u32 depth = 1; depth <= DG_LABELS_MAX && depth <= LABELS(scratch); depth++)
		own_note(pkt, scratch, &scratch->label[(LABELS(scratch) - depth) & DG_LABELS_MAX],
			 depth);
}

static __always_inline void image_walk(struct dg_scratch *scratch, void *image)
{
	struct dg_image_header *header;
	__u32 zero = 0;

	header = bpf_map_lookup_elem(image, &zero);
	if (!header)
		return;
	for (__u32 depth = 1; depth <= DG_LABELS_MAX && depth <= LABELS(scratch); depth++)
		if (header->depths[(depth - 1) / 64] >> (depth - 1) % 64 & 1)
			image_note(image, header, scratch,
				   scratch->label[(LABELS(scratch) - depth) & DG_LABELS_MAX],
				   depth);
}

static __always_inline void suffixes_walk(const struct packet *pkt, const struct question *q,
					  struct dg_scratch *scratch, void *image)
{
	LABELS(scratch) = q->labels;
	suffixes_hash(pkt->set->hash_key, scratch);
	if (pkt->set->own_entries)
		own_walk(pkt, scratch);
	if (image)
		image_walk(scratch, image);
}

/* The list of the match remembered, 0 = the 16 bits of tag say it was none. */
static __always_inline __u32 image_list(void *image, const struct dg_scratch *scratch)
{
	__u32 tag = dg_hash_tag(scratch->image_suffix), at = scratch->image_at, list = 0;
	__u64 fp = dg_hash_fp(scratch->image_suffix);
	struct dg_image_bucket *bucket;

	if (!scratch->list_depth || !image)
		return 0;
	bucket = bpf_map_lookup_elem(image, &at);
	if (!bucket)
		return 0;
#pragma unroll
	for (__u32 way = 0; way < DG_IMAGE_WAYS; way++)
		if (bucket->fp[way] == fp && bucket->meta[way] >> 16 == tag)
			list = bucket->meta[way] & 0xffff;
	return list;
}

/* The operator's deciding entry. It may have gone since the walk saw it: then there is none. */
static __always_inline bool own_answer(struct dg_scratch *scratch)
{
	struct dg_own *own;

	if (!scratch->own_depth)
		return false;
	own = bpf_map_lookup_elem(&dg_own, &scratch->own_key);
	if (own)
		scratch->answer = own->answer;
	return own;
}

static __always_inline bool image_answer(void *image, struct dg_scratch *scratch)
{
	__u32 list = image_list(image, scratch);
	struct dg_answer *answer;

	if (!list)
		return false;
	answer = bpf_map_lookup_elem(image, &list); /* lists stand at elements 1 .. */
	if (answer)
		scratch->answer = *answer;
	return answer;
}

/* What is listed for this question: scratch->answer and pkt->f->match_labels when something is. */
static __always_inline enum dg_verdict sinkhole_find(struct packet *pkt, const struct question *q,
						     struct dg_scratch *scratch)
{
	__u32 zero = 0;
	void *image = bpf_map_lookup_elem(&dg_image, &zero); /* one image for the whole walk */

	if (pkt->set->sinkhole_mode == DG_OFF)
		return DG_PASS_CLEAN;
	scratch->own_depth = scratch->allow_depth = scratch->list_depth = 0;
	suffixes_walk(pkt, q, scratch, image);
	if (scratch->allow_depth) {
		scratch->answer.kind = DG_ANSWER_ALLOW;
		scratch->answer.list = 0;
		pkt->f->match_labels = scratch->allow_depth;
	} else if (own_answer(scratch)) {
		pkt->f->match_labels = scratch->own_depth;
	} else if (image_answer(image, scratch)) {
		pkt->f->match_labels = scratch->list_depth;
	} else {
		return DG_PASS_CLEAN;
	}
	pkt->f->list = scratch->answer.list;
	pkt->f->answer_kind = scratch->answer.kind;
	return DG_NEXT;
}

/* May the name's policy act on this sender, here and now? */
static __always_inline enum dg_verdict sinkhole_check(struct packet *pkt)
{
	if (pkt->f->answer_kind == DG_ANSWER_ALLOW)
		return DG_PASS_ALLOWED;
	if (pkt->f->source_flags & DG_SRC_NO_SINKHOLE)
		return DG_PASS_EXEMPT;
	if (pkt->f->answer_kind == DG_ANSWER_OBSERVE ||
	    packet_mode(pkt, pkt->set->sinkhole_mode) != DG_ENFORCE)
		return DG_PASS_OBSERVED_SINKHOLE;
	if (pkt->f->answer_kind == DG_ANSWER_DROP)
		return DG_DROP_SINKHOLE;
	return DG_NEXT;
}

#endif
