// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * image_filter.c - fills the filter in front of an image, and puts it where packets look.
 *
 * Its bits come out of the fingerprints in the buckets, so that whoever publishes needs nothing but the image. The order
 * of the steps, and when a packet may see what, is image_publish.c's.
 */
#include "userspace/lib/image_filter.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define COMMON_BYTES sizeof(struct dg_list_filter)
#define LARGE_BYTES sizeof(struct dg_list_large)

static int words_map(int fd, size_t bytes, __u64 **ret)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	*ret = at;
	return 0;
}

static void common_unmap(__u64 **words)
{
	if (*words)
		munmap(*words, COMMON_BYTES);
	*words = NULL;
}

void dg_image_filter_end(struct dg_image_filter *filter)
{
	free(filter->common);
	filter->common = NULL;
	common_unmap(&filter->live);
	dg_close_fd(&filter->large_fd);
}

/* ---- making ----------------------------------------------------------------------------------- */

/* The bits of all names of an image, in a filter of so many words. */
static void bits_set(const void *elements, __u64 *filter, __u32 words)
{
	const struct dg_image_header *header = elements;
	const struct dg_image_bucket *bucket = elements;

	bucket += header->first;
	for (__u64 i = 0; i < (__u64)header->buckets + DG_IMAGE_SPILL_MAX; i++) {
		for (__u32 way = 0; way < DG_IMAGE_WAYS; way++) {
			__u64 mix = dg_hash_filter_mix(bucket[i].fp[way]);

			if (bucket[i].fp[way])
				filter[dg_hash_filter_word(mix, words)] |= dg_hash_filter_bits(mix);
		}
	}
}

/* As dg_large_filter in bpf/maps.bpf.h: the kernel refuses an inner map of another size or with other flags. */
static int large_make(const void *elements, int *ret_fd)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	dg_scoped_fd int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "dg_large_filter", sizeof(__u32),
					     LARGE_BYTES, 1, &opts);
	__u64 *words = NULL;
	int rc = fd < 0 ? -errno : words_map(fd, LARGE_BYTES, &words);

	if (rc)
		return rc;
	bits_set(elements, words, DG_LIST_LARGE_WORDS);
	munmap(words, LARGE_BYTES);
	/* Refused while anybody has it mapped for writing. */
	if (bpf_map_freeze(fd))
		return -errno;
	*ret_fd = dg_take_fd(fd);
	return 0;
}

int dg_image_filter_make(const struct dg_maps *maps, const void *elements, bool large,
			 struct dg_image_filter *ret)
{
	int rc;

	*ret = DG_IMAGE_FILTER_NONE;
	ret->common = calloc(1, COMMON_BYTES);
	if (!ret->common)
		return -ENOMEM;
	rc = words_map(maps->dg_list_filter, COMMON_BYTES, &ret->live);
	if (!rc && large)
		return large_make(elements, &ret->large_fd);
	if (!rc)
		bits_set(elements, ret->common, DG_LIST_FILTER_WORDS);
	return rc;
}

/* ---- showing ---------------------------------------------------------------------------------- */

int dg_image_filter_place(const struct dg_maps *maps, const struct dg_image_filter *filter,
			  __u32 slot)
{
	if (filter->large_fd < 0)
		return 0;
	return bpf_map_update_elem(maps->dg_list_large, &slot, &filter->large_fd, BPF_ANY) ?
		       -errno :
		       0;
}

/* Word by word: a bit that old and new image share is set all the time. */
void dg_image_filter_show(const struct dg_image_filter *filter, bool keep)
{
	__u64 *live = filter->live;

	for (__u32 i = 0; i < DG_LIST_FILTER_WORDS; i++) {
		__u64 word = filter->common[i] | (keep ? live[i] : 0);

		if (live[i] != word)
			__atomic_store_n(live + i, word, __ATOMIC_RELAXED);
	}
}

int dg_image_filter_empty(const struct dg_maps *maps)
{
	dg_scoped(common_unmap) __u64 *live = NULL;
	int rc = words_map(maps->dg_list_filter, COMMON_BYTES, &live);

	if (!rc)
		memset(live, 0, COMMON_BYTES);
	return rc;
}
