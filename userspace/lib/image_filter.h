/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image_filter.h - the filter in front of an image, for its publication alone: made whole before anything is changed,
 * then shown to packets step by step.
 *
 * There are two sizes. The common one is always there and serves one image after the other; a large one, for millions
 * of names, is an image's own.
 */
#ifndef DG_IMAGE_FILTER_H
#define DG_IMAGE_FILTER_H

#include <stdbool.h>

#include "userspace/lib/image.h"

struct dg_image_filter {
	__u64 *common; /* the image's bits there: none when it has a large one */
	__u64 *live;   /* the common filter that packets read */
	int large_fd;  /* the large one, filled and frozen; -1 = none */
};

#define DG_IMAGE_FILTER_NONE ((struct dg_image_filter){ .large_fd = -1 })

void dg_image_filter_end(struct dg_image_filter *filter);
/* The filter of an image that was checked. ret is the caller's to end, also after an error. 0 or -errno. */
int dg_image_filter_make(const struct dg_maps *maps, const void *elements, bool large,
			 struct dg_image_filter *ret);
/* Puts a large one into a slot that no packet uses. 0 or -errno. */
int dg_image_filter_place(const struct dg_maps *maps, const struct dg_image_filter *filter,
			  __u32 slot);
/* Sets the common filter to the new image's bits; keep: those of the old one stay, too. */
void dg_image_filter_show(const struct dg_image_filter *filter, bool keep);
/* Takes all bits out of the common filter. 0 or -errno. */
int dg_image_filter_empty(const struct dg_maps *maps);

#endif
