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

/*
 * First, for every suffix: could something be listed there? Two filters say no nearly always, with a load each. No
 * branches and no calls: a call costs ten nanoseconds where the kernel guards its returns, and each branch
 * in a loop of 127 turns counts 127 times with the verifier.
 */
struct filters {
	const __u64 *own, *list;
	__u32 list_words; /* of either size */
	__u32 own_mask;	  /* 0 = no entries: the same word is read each time */
	__u64 own_on;	  /* 0 or 1 */
};

static __always_inline __u64 own_maybe(const struct filters *f, struct dg_hash suffix)
{
	__u32 bit = dg_hash_filter_bit(suffix, DG_OWN_FILTER_WORDS * 64);
	__u32 word = bit / 64 & f->own_mask & (DG_OWN_FILTER_WORDS - 1);

	return f->own[word] >> (bit % 64) & f->own_on;
}

static __always_inline __u64 list_maybe(const struct filters *f, struct dg_hash suffix)
{
	__u64 mix = dg_hash_filter_mix(dg_hash_fp(suffix));

	return dg_hash_filter_has(f->list[dg_hash_filter_word(mix, f->list_words)], mix);
}

/* Label hashes become suffix hashes, in place; scratch->maybe lists the depths to look at, the root side first. */
static __always_inline void suffixes_sift(const struct dg_settings *set, const struct filters *f,
					  struct dg_scratch *scratch)
{
	__u32 labels = scratch->q.labels, maybes = 0, depth;
	struct dg_hash suffix = dg_hash_start(set->hash_key);

	for (depth = 1; depth <= DG_LABELS_MAX && depth <= labels; depth++) {
		struct dg_hash *label = &scratch->label[(labels - depth) & DG_LABELS_MAX];
		__u64 listed = set->image_depths[(depth - 1) / 64] >> (depth - 1) % 64;

		suffix = dg_hash_extend(suffix, set->hash_key, *label);
		*label = suffix;
		scratch->maybe[maybes & DG_LABELS_MAX] = depth;
		maybes += (listed & list_maybe(f, suffix)) | own_maybe(f, suffix);
	}
	scratch->maybes = maybes;
}

/* Then, for the few that may be listed, the longest first: what is. Pointers only: stack is scarce, see query_walk(). */
struct lookup {
	struct dg_scratch *scratch;
	void *image; /* one image for the whole walk, laid out as scratch->image says; NULL = none */
};

/* True = allowed, which nothing deeper or shallower can change. */
static __always_inline bool own_note(const struct lookup *look, struct dg_hash *suffix, __u32 depth)
{
	struct dg_scratch *scratch = look->scratch;
	struct dg_own *own = bpf_map_lookup_elem(&dg_own, suffix);

	if (!own || (own->until_ns && scratch->facts.now_ns >= own->until_ns))
		return false;
	if (own->answer.kind == DG_ANSWER_ALLOW) {
		scratch->allow_depth = depth;
		return true;
	}
	if (!scratch->own_depth) {
		scratch->own_depth = depth;
		scratch->answer = own->answer;
	}
	return false;
}

/* The answer a bucket gives to this suffix in this scope, 0 = none. */
static __always_inline __u32 bucket_answer(const struct dg_image_bucket *bucket,
					   struct dg_hash suffix, __u32 scope)
{
	__u64 fp = dg_hash_fp(suffix);
	__u32 tag = dg_hash_tag(suffix), meta;

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

/* Looks for the suffix in its bucket and in the few it spilled into. 0 = no. */
static __always_inline __u32 image_find(const struct lookup *look, struct dg_hash suffix,
					__u32 scope)
{
	__u32 at = DG_IMAGE_AT_FIRST(look->scratch->image) +
		   dg_hash_bucket(suffix, DG_IMAGE_AT_BUCKETS(look->scratch->image));
	__u32 answer, spill = 0;

	for (__u32 step = 0; step <= DG_IMAGE_SPILL_MAX; step++, at++) {
		struct dg_image_bucket *bucket = bpf_map_lookup_elem(look->image, &at);

		if (!bucket)
			return 0;
		answer = bucket_answer(bucket, suffix, scope);
		if (answer)
			return answer;
		if (!step)
			spill = bucket->spill;
		if (step >= spill)
			return 0;
	}
	return 0;
}

/* One depth. True = nothing that follows can change the outcome. */
static __always_inline bool maybe_look(__u32 turn, struct lookup *look)
{
	struct dg_scratch *scratch = look->scratch;
	__u32 depth = scratch->maybe[(scratch->maybes - 1 - turn) & DG_LABELS_MAX];
	__u32 labels = scratch->q.labels;
	struct dg_hash *suffix = &scratch->label[(labels - depth) & DG_LABELS_MAX];

	if (scratch->own_entries && own_note(look, suffix, depth))
		return true;
	if (!look->image || scratch->list_depth)
		return false;
	scratch->image_answer =
		image_find(look, *suffix, depth == labels ? DG_SCOPE_SELF : DG_SCOPE_BELOW);
	if (!scratch->image_answer)
		return false;
	scratch->list_depth = depth;
	return !scratch->own_entries;
}

static long maybe_look_on(__u32 turn, struct lookup *look)
{
	return maybe_look(turn + 1, look);
}

/* The first one nearly always decides, and spares a call. bpf_loop, not a loop: the verifier looks at a turn once. */
static __always_inline void maybes_look(struct dg_scratch *scratch, void *image)
{
	struct lookup look = { .scratch = scratch, .image = image };

	if (!maybe_look(0, &look) && scratch->maybes > 1)
		bpf_loop(scratch->maybes - 1, maybe_look_on, &look, 0);
}

/* The first answers, those of the lists, stand in a map of their own that costs no call. */
static __always_inline bool image_answer(void *image, struct dg_scratch *scratch)
{
	__u32 at = scratch->image_answer;
	__u32 row = DG_IMAGE_AT_SLOT(scratch->image) * DG_LIST_ROWS + at;
	struct dg_answer *answer;

	if (!scratch->list_depth || !image)
		return false;
	if (at < DG_LIST_ROWS)
		answer = bpf_map_lookup_elem(&dg_lists, &row);
	else
		answer = bpf_map_lookup_elem(image, &at);
	if (answer)
		scratch->answer = *answer;
	return answer;
}

/* Operator's allow, operator's block, the lists. False = none of them; else pkt->f->match_labels and scratch->answer. */
static __always_inline bool sinkhole_decide(struct packet *pkt, struct dg_scratch *scratch,
					    void *image)
{
	if (scratch->allow_depth) {
		scratch->answer.kind = DG_ANSWER_ALLOW;
		scratch->answer.list = 0;
		pkt->f->match_labels = scratch->allow_depth;
	} else if (scratch->own_depth) {
		pkt->f->match_labels = scratch->own_depth;
	} else if (image_answer(image, scratch)) {
		pkt->f->match_labels = scratch->list_depth;
	} else {
		return false;
	}
	pkt->f->list = scratch->answer.list;
	pkt->f->answer_kind = scratch->answer.kind;
	return true;
}

/*
 * The lists' filter that goes with the image. The common one is looked up in any case: were it one of two branches, clang
 * would make one call of both, which the kernel cannot inline.
 */
static __always_inline void list_filter_find(__u64 image, struct filters *f)
{
	__u32 zero = 0, slot = DG_IMAGE_AT_SLOT(image);
	void *large;

	f->list = bpf_map_lookup_elem(&dg_list_filter, &zero);
	f->list_words = DG_LIST_FILTER_WORDS;
	if (DG_IMAGE_AT_LARGE(image)) {
		large = bpf_map_lookup_elem(&dg_list_large, &slot);
		f->list = large ? bpf_map_lookup_elem(large, &zero) : NULL;
		f->list_words = DG_LIST_LARGE_WORDS;
	}
	question_pin(f->list_words);
}

static __always_inline bool filters_find(const struct dg_settings *set, __u64 image,
					 struct filters *f)
{
	__u32 zero = 0;

	f->own = bpf_map_lookup_elem(&dg_own_filter, &zero);
	list_filter_find(image, f);
	f->own_on = set->own_entries != 0;
	f->own_mask = -(__u32)f->own_on;
	question_pin(f->own_mask);
	return f->own && f->list;
}

/* What is listed for this question: scratch->answer and pkt->f->match_labels when something is. */
static __always_inline enum dg_verdict sinkhole_find(struct packet *pkt, struct dg_scratch *scratch)
{
	struct filters filters;
	void *image = NULL;
	__u32 slot;

	if (pkt->set->sinkhole_mode == DG_OFF)
		return DG_PASS_CLEAN;
	scratch->image =
		pkt->set->image; /* before the filter is asked: its bits outlast an image */
	if (!filters_find(pkt->set, scratch->image, &filters))
		return DG_PASS_CLEAN;
	suffixes_sift(pkt->set, &filters, scratch);
	if (!scratch->maybes)
		return DG_PASS_CLEAN;
	slot = DG_IMAGE_AT_SLOT(scratch->image);
	if (scratch->image)
		image = bpf_map_lookup_elem(&dg_image, &slot);
	scratch->own_entries = pkt->set->own_entries;
	scratch->own_depth = scratch->allow_depth = scratch->list_depth = 0;
	maybes_look(scratch, image);
	return sinkhole_decide(pkt, scratch, image) ? DG_NEXT : DG_PASS_CLEAN;
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
