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

#define DG_LIST_NONE 0xffff

/* The walk over the suffixes, root first: what each step finds and hands to the next. */
struct suffixes {
	const struct dg_settings *set;
	struct dg_scratch *scratch;
	void *image;			      /* one image for the whole walk; NULL = none */
	const struct dg_image_header *header; /* of the image; NULL = none */
	struct dg_hash suffix;
	__u32 labels; /* of the question */
};

/* The filter says no nearly always, in one load. */
static __always_inline bool own_maybe(const struct dg_hash *suffix)
{
	__u32 bit = dg_hash_filter_bit(*suffix, DG_OWN_FILTER_WORDS * 64);
	__u32 word = bit / 64;
	__u64 *filter = bpf_map_lookup_elem(&dg_own_filter, &word);

	return filter && *filter >> (bit % 64) & 1;
}

static __always_inline void own_note(const struct suffixes *walk, __u32 depth)
{
	struct dg_scratch *scratch = walk->scratch;
	struct dg_own *own;

	if (!own_maybe(&walk->suffix))
		return;
	own = bpf_map_lookup_elem(&dg_own, &walk->suffix);
	if (!own || (own->until_ns && scratch->facts.now_ns >= own->until_ns))
		return;
	if (own->answer.kind == DG_ANSWER_ALLOW) {
		scratch->allow_depth = depth;
		return;
	}
	scratch->own_key = (struct dg_name_key){ walk->suffix.a, walk->suffix.b };
	scratch->own_depth = depth;
}

/* The answer a bucket gives to this suffix at this depth, 0 = none. */
static __always_inline __u32 bucket_answer(const struct dg_image_bucket *bucket, __u64 fp,
					   __u32 tag, __u32 scope)
{
	__u32 meta;

#pragma unroll
	for (__u32 way = 0; way < DG_IMAGE_WAYS; way++) {
		if (bucket->fp[way] != fp)
			continue;
		meta = bucket->meta[way];
		if (meta >> 16 == tag && meta >> DG_IMAGE_SCOPE_SHIFT & scope)
			return meta & DG_ANSWERS_MAX;
	}
	return 0;
}

/* Looks for the suffix in its bucket and in the few it spilled into; remembers the answer. */
static __always_inline void image_note(const struct suffixes *walk, __u32 depth)
{
	__u32 at = walk->header->first + dg_hash_bucket(walk->suffix, walk->header->buckets);
	__u32 scope = depth == walk->labels ? DG_SCOPE_SELF : DG_SCOPE_BELOW;
	__u32 tag = dg_hash_tag(walk->suffix), answer, spill = 0;
	__u64 fp = dg_hash_fp(walk->suffix);

	for (__u32 step = 0; step <= DG_IMAGE_SPILL_MAX; step++, at++) {
		struct dg_image_bucket *bucket = bpf_map_lookup_elem(walk->image, &at);

		if (!bucket)
			return;
		answer = bucket_answer(bucket, fp, tag, scope);
		if (answer) {
			walk->scratch->image_answer = answer;
			walk->scratch->list_depth = depth;
			return;
		}
		if (!step)
			spill = bucket->spill;
		if (step >= spill)
			return;
	}
}

/* One suffix, a label longer than the one before. */
static long suffix_step(__u32 at, struct suffixes *walk)
{
	walk->suffix =
		dg_hash_extend(walk->suffix, walk->set->hash_key,
			       walk->scratch->label[(walk->labels - 1 - at) & DG_LABELS_MAX]);
	if (walk->set->own_entries)
		own_note(walk, at + 1);
	if (walk->header && walk->header->depths[at >> 6 & 1] >> (at & 63) & 1)
		image_note(walk, at + 1);
	return 0;
}

/* bpf_loop, not a loop: the verifier looks at a step once, not at 127 of them one after the other. */
static __always_inline void suffixes_walk(const struct packet *pkt, const struct question *q,
					  struct dg_scratch *scratch, void *image)
{
	__u32 zero = 0;
	struct suffixes walk = { .set = pkt->set,
				 .scratch = scratch,
				 .image = image,
				 .suffix = dg_hash_start(pkt->set->hash_key),
				 .labels = q->labels };

	if (image)
		walk.header = bpf_map_lookup_elem(image, &zero);
	bpf_loop(q->labels, suffix_step, &walk, 0);
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
	__u32 at = scratch->image_answer;
	struct dg_answer *answer;

	if (!scratch->list_depth || !image)
		return false;
	answer = bpf_map_lookup_elem(image, &at);
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
