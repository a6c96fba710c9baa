// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_image.c - any bytes as an image: refused, or safe to be looked up in as the program does.
 *
 * The input overwrites octets of a good image, three of place and one of value at a time: random
 * bytes alone would never get past the magic.
 */
#include <stdlib.h>
#include <string.h>

#include "userspace/lib/image.h"

#define NAMES 40
#define ELEMENT 64

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const __u64 key[4] = { 1, 2, 3, 4 };
static struct dg_image_builder *builder; /* owns what good points to */
static const void *good;
static __u64 good_count;

static struct dg_name name_of(unsigned int number)
{
	struct dg_error err;
	struct dg_name name;
	char text[32];

	snprintf(text, sizeof(text), "host%u.example", number);
	if (dg_name_parse(text, &name, &err))
		abort();
	return name;
}

static void good_make(void)
{
	struct dg_answer answer = { .kind = DG_ANSWER_NULL, .text = "fuzz", .text_len = 4 };
	struct dg_error err;

	builder = dg_image_builder_new(key, NAMES);
	dg_image_add_list(builder, &answer);
	dg_image_add_list(builder, &answer);
	for (unsigned int i = 0; i < NAMES; i++) {
		struct dg_name name = name_of(i);

		dg_image_add_name(builder, &name, 1 + i % 2, DG_SCOPE_SUFFIX);
	}
	if (dg_image_finish(builder, &good, &good_count, &err))
		abort();
}

/* As the program walks: every element touched must lie inside, and every list found must be one. */
static void lookup(const char *image, __u64 count, unsigned int number)
{
	const struct dg_image_header *header = (const void *)image;
	struct dg_name name = name_of(number);
	struct dg_hash hash = dg_name_hash(&name, key);
	__u64 at = header->first + (__u64)dg_hash_bucket(hash, header->buckets);
	const struct dg_image_bucket *home = (const void *)(image + at * ELEMENT);

	if (at + home->spill >= count)
		abort();
	for (__u64 i = at; i <= at + home->spill; i++) {
		const struct dg_image_bucket *bucket = (const void *)(image + i * ELEMENT);

		for (int way = 0; way < DG_IMAGE_WAYS; way++)
			if (bucket->fp[way] == dg_hash_fp(hash) &&
			    (bucket->meta[way] & DG_ANSWERS_MAX) - 1 >= header->answers)
				abort();
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct dg_error err = { .text = "" };
	size_t bytes;
	char *image;

	if (!good)
		good_make();
	bytes = good_count * ELEMENT;
	image = malloc(bytes); /* exactly, so that the sanitizer sees the first octet beyond */
	memcpy(image, good, bytes);
	for (; size >= 4; data += 4, size -= 4)
		image[(data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16) % bytes] =
			(char)data[3];
	if (!dg_image_check(image, good_count, &err))
		for (unsigned int i = 0; i < 2 * NAMES; i++)
			lookup(image, good_count, i);
	else if (!err.text[0])
		abort();
	free(image);
	return 0;
}
