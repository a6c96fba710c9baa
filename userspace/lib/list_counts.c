// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * list_counts.c - the counters of lists follow their lists' names from one image to the next.
 *
 * The programs count by a list's number, which is its place in the image. For people and for
 * Prometheus a counter belongs to a name. What packets count while rows are moved may be lost;
 * statistics decide nothing.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "userspace/lib/image.h"

/* Lists by number, row 0 unused; an image that is not there has none. */
struct names {
	__u32 count;
	struct dg_answer list[DG_LIST_ROWS];
};

static int names_read(const struct dg_maps *maps, __u64 image, struct names *ret)
{
	__u32 row = DG_IMAGE_AT_SLOT(image) * DG_LIST_ROWS;
	struct dg_image_header header;

	ret->count = 0;
	if (!image)
		return 0;
	if (bpf_map_lookup_elem(maps->dg_lists, &row, &header))
		return -errno;
	for (__u32 i = 1; i <= header.lists && i < DG_LIST_ROWS; i++)
		if (bpf_map_lookup_elem(maps->dg_lists, &(__u32){ row + i }, ret->list + i))
			return -errno;
	ret->count = header.lists < DG_LIST_ROWS ? header.lists : DG_LISTS_MAX;
	return 0;
}

static bool same_name(const struct dg_answer *a, const struct dg_answer *b)
{
	return a->text_len == b->text_len && !memcmp(a->text, b->text, a->text_len);
}

/* The number that a list of this name has in `names`; 0 = none. */
static __u32 number_of(const struct names *names, const struct dg_answer *list)
{
	for (__u32 i = 1; i <= names->count; i++)
		if (same_name(names->list + i, list))
			return i;
	return 0;
}

static bool nothing_moved(const struct names *before, const struct names *now)
{
	if (before->count != now->count)
		return false;
	for (__u32 i = 1; i <= now->count; i++)
		if (!same_name(before->list + i, now->list + i))
			return false;
	return true;
}

/* rows: one a list number, of every CPU, as read before anything is written; row 0 is zeros. */
static int rows_move(int map_fd, const struct names *before, const struct names *now, char *rows,
		     size_t row_bytes)
{
	for (__u32 i = 1; i <= before->count; i++)
		if (bpf_map_lookup_elem(map_fd, &i, rows + i * row_bytes))
			return -errno;
	for (__u32 i = 1; i <= before->count || i <= now->count; i++) {
		__u32 from = i <= now->count ? number_of(before, now->list + i) : 0;

		if (from != i && bpf_map_update_elem(map_fd, &i, rows + from * row_bytes, BPF_ANY))
			return -errno;
	}
	return 0;
}

int dg_list_counts_follow(const struct dg_maps *maps, __u64 image_before, __u64 image_now)
{
	dg_scoped_free struct names *before = calloc(1, sizeof(*before));
	dg_scoped_free struct names *now = calloc(1, sizeof(*now));
	size_t row_bytes = sizeof(struct dg_list_stats) * (size_t)libbpf_num_possible_cpus();
	dg_scoped_free char *rows = calloc(DG_LIST_ROWS, row_bytes);
	int rc;

	if (!before || !now || !rows)
		return -ENOMEM;
	rc = names_read(maps, image_before, before);
	if (!rc)
		rc = names_read(maps, image_now, now);
	if (rc || nothing_moved(before, now))
		return rc;
	return rows_move(maps->dg_list_stats, before, now, rows, row_bytes);
}
