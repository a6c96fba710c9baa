/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * native.h - the program's own parser, bpf/question.bpf.h, run natively on a message in exact memory.
 */
#ifndef DG_TEST_NATIVE_H
#define DG_TEST_NATIVE_H

#include <stdlib.h>
#include <string.h>

/* Frames have no alignment, and the kernels this runs on need none: words are read where they lie. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpointer-arith"
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("alignment"))), apply_to = function)
#endif
#include "bpf/question.bpf.h"
#ifdef __clang__
#pragma clang attribute pop
#endif
#pragma GCC diagnostic pop

static const __u64 native_key[4] = { 0x0123456789abcdef, 0xfedcba9876543210, 0x9e3779b97f4a7c15,
				     0xc2b2ae3d27d4eb4f };

struct native {
	enum dg_verdict verdict;
	struct question question;
	struct dg_hash hash; /* of the whole name */
};

/* The message is copied to memory of its very size, so that a sanitizer sees every read beyond it. */
static inline void native_read(const __u8 *msg, __u32 len, struct native *ret)
{
	struct dg_hash hash[DG_LABELS_MAX + 1];
	__u8 at[DG_LABELS_MAX + 1], *copy = malloc(len + !len);
	struct message message = { copy, copy + len, len };
	struct labels labels = { hash, at };

	if (!copy)
		abort();
	memcpy(copy, msg, len);
	*ret = (struct native){ .verdict = header_read(&message) };
	if (!ret->verdict)
		ret->verdict = question_read(&message, native_key, &labels, &ret->question);
	ret->hash = dg_hash_start(native_key);
	for (__u32 i = ret->verdict ? 0 : ret->question.labels; i > 0; i--)
		ret->hash = dg_hash_extend(ret->hash, native_key, hash[i - 1]);
	free(copy);
}

#endif
