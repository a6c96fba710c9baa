// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * image_publish.c - hands an image to the programs: a fresh array, filled and frozen, named by one
 * word of the settings.
 *
 * A packet sees the old image or the new one. Until the swap nothing is changed; whoever holds the
 * lock may fail at any step and the old image stays.
 */
#include "userspace/lib/image.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "userspace/lib/image_filter.h"
#include "userspace/lib/quote.h"
#include "userspace/lib/state.h"

#define ELEMENT_BYTES 64

/*
 * As dg_image_data in bpf/maps.bpf.h: the kernel refuses an inner map with other flags or another
 * value size.
 */
#define INNER_FLAGS (BPF_F_INNER_MAP | BPF_F_MMAPABLE)

static int refuse(struct dg_error *err, int error, const char *what)
{
	return dg_fail(err, -error, DG_EXIT_FAILED, "image: cannot %s: %s", what, strerror(error));
}

/* Reads the settings on the way. */
static int key_compare(const struct dg_maps *maps, const struct dg_image_header *header,
		       struct dg_settings *ret, struct dg_error *err)
{
	int rc = dg_settings_read(maps, ret);

	if (rc)
		return refuse(err, -rc, "read the guard's settings");
	if (header->key_check != dg_hash_key_check(ret->hash_key))
		return dg_fail(
			err, -EKEYREJECTED, DG_EXIT_FAILED,
			"image was compiled with another key: compile it with this guard's key");
	return 0;
}

/* A new array with these elements, unchangeable from userspace. */
static int array_make(const void *elements, __u64 count, int *ret_fd, struct dg_error *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = INNER_FLAGS);
	size_t size = count * ELEMENT_BYTES;
	dg_scoped_fd int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "dg_image_data", sizeof(__u32),
					     ELEMENT_BYTES, (__u32)count, &opts);
	void *memory;

	if (fd < 0)
		return refuse(err, errno, "make the array for it");
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return refuse(err, errno, "map the array for it");
	memcpy(memory, elements, size);
	munmap(memory, size);
	/* Refused while anybody has it mapped for writing. */
	if (bpf_map_freeze(fd))
		return refuse(err, errno, "freeze the array");
	*ret_fd = dg_take_fd(fd);
	return 0;
}

/* The image's first elements in the rows of a slot that no packet uses. */
static int rows_write(const struct dg_maps *maps, const struct dg_image_header *header, __u32 slot)
{
	const char *elements = (const char *)header;
	int rc = 0;

	for (__u32 i = 0; !rc && i < DG_LIST_ROWS && i < header->first; i++) {
		__u32 row = slot * DG_LIST_ROWS + i;

		rc = bpf_map_update_elem(maps->dg_lists, &row, elements + (size_t)i * ELEMENT_BYTES,
					 BPF_ANY);
	}
	return rc ? -errno : 0;
}

/* The kernel waits for readers at a delete: only where there is something. */
static void inner_clear(int outer, __u32 slot)
{
	__u32 id;

	if (!bpf_map_lookup_elem(outer, &slot, &id))
		bpf_map_delete_elem(outer, &slot);
}

/* Empties a slot that no packet uses. */
static void slot_clear(const struct dg_maps *maps, __u32 slot)
{
	inner_clear(maps->dg_image, slot);
	inner_clear(maps->dg_list_large, slot);
}

/* ---- the swap --------------------------------------------------------------------------------- */

/* Everything a publication needs, made before anything is changed. */
struct publication {
	const struct dg_image_header *header;
	struct dg_settings settings;
	bool large;		       /* it has a large filter of its own */
	int fd;			       /* the filled array */
	struct dg_image_filter filter; /* in front of it */
};

static void publication_end(struct publication *p)
{
	dg_close_fd(&p->fd);
	dg_image_filter_end(&p->filter);
}

static int publication_begin(const struct dg_maps *maps, const void *elements, __u64 count,
			     struct publication *p, struct dg_error *err)
{
	int rc = key_compare(maps, elements, &p->settings, err);

	if (rc)
		return rc;
	p->header = elements;
	/* Of somebody who died on the way, so that there are never more than two images. */
	slot_clear(maps, !DG_IMAGE_AT_SLOT(p->settings.image));
	rc = dg_image_filter_make(maps, elements, p->large, &p->filter);
	if (rc)
		return refuse(err, -rc, "make the filter in front of it");
	return array_make(elements, count, &p->fd, err);
}

/* Depths of the image; `keep` = those of the old one stay, too. */
static void depths_set(struct dg_settings *settings, const struct dg_image_header *header,
		       bool keep)
{
	for (int i = 0; i < 2; i++)
		settings->image_depths[i] =
			header->depths[i] | (keep ? settings->image_depths[i] : 0);
}

/*
 * Before the swap packets look at more than the old image needs, behind it at more than the new one needs, never at less.
 * The array and a large filter go into the slot that no packet uses.
 */
static int publication_swap(const struct dg_maps *maps, struct publication *p, struct dg_error *err)
{
	__u64 before = p->settings.image;
	__u32 used = DG_IMAGE_AT_SLOT(before), slot = !used;
	int rc;

	dg_image_filter_show(&p->filter, true);
	depths_set(&p->settings, p->header, true);
	rc = dg_settings_write(maps, &p->settings);
	if (rc)
		return refuse(err, -rc, "announce it");
	rc = rows_write(maps, p->header, slot);
	if (rc)
		return refuse(err, -rc, "write its lists");
	rc = dg_image_filter_place(maps, &p->filter, slot);
	if (rc)
		return refuse(err, -rc, "put its filter into place");
	if (bpf_map_update_elem(maps->dg_image, &slot, &p->fd, BPF_ANY))
		return refuse(err, errno, "put it into place");
	p->settings.image = DG_IMAGE_AT(slot, p->large, p->header->first, p->header->buckets);
	rc = dg_settings_write(maps, &p->settings);
	if (rc)
		return refuse(err, -rc, "swap it in");
	/*
	 * Changes nothing, but the kernel waits here for the last packet that has read the old word. Without that the
	 * old image stays beside the new one, and the next publication tidies.
	 */
	if (bpf_map_update_elem(maps->dg_image, &slot, &p->fd, BPF_ANY))
		return 0;
	dg_image_filter_show(&p->filter, false);
	depths_set(&p->settings, p->header, false);
	dg_settings_write(maps, &p->settings);
	slot_clear(maps, used);
	dg_list_counts_follow(maps, before, p->settings.image);
	return 0;
}

int dg_image_publish_with(const struct dg_maps *maps, const void *elements, __u64 count, bool large,
			  struct dg_error *err)
{
	dg_scoped(publication_end) struct publication publication = {
		.large = large, .fd = -1, .filter = DG_IMAGE_FILTER_NONE
	};
	int rc = dg_image_check(elements, count, err);

	if (!rc)
		rc = publication_begin(maps, elements, count, &publication, err);
	if (!rc)
		rc = publication_swap(maps, &publication, err);
	return rc;
}

int dg_image_publish(const struct dg_maps *maps, const void *elements, __u64 count,
		     struct dg_error *err)
{
	const struct dg_image_header *header = elements;

	/* A count that is not true is refused before anything is made of it. */
	return dg_image_publish_with(maps, elements, count,
				     count && dg_image_is_large(header->names), err);
}

int dg_image_drop(const struct dg_maps *maps, struct dg_error *err)
{
	struct dg_settings settings;
	__u64 before;
	__u32 used;
	int rc = dg_settings_read(maps, &settings);

	if (rc)
		return refuse(err, -rc, "read the guard's settings");
	if (!settings.image)
		return dg_fail(err, -ENOENT, DG_EXIT_NOT_FOUND, "image: none is loaded");
	before = settings.image;
	used = DG_IMAGE_AT_SLOT(before);
	settings.image = 0;
	memset(settings.image_depths, 0, sizeof(settings.image_depths));
	rc = dg_settings_write(maps, &settings);
	if (rc)
		return refuse(err, -rc, "take it away");
	slot_clear(maps, !used);
	slot_clear(maps, used);
	dg_list_counts_follow(maps, before, 0);
	rc = dg_image_filter_empty(maps);
	return rc ? refuse(err, -rc, "empty the filter in front of it") : 0;
}

int dg_image_current(const struct dg_maps *maps, struct dg_image_header *ret,
		     struct dg_answer *ret_lists, __u64 *ret_bytes)
{
	struct dg_image_header header;
	struct dg_settings settings;
	int rc = dg_settings_read(maps, &settings);
	__u32 row = DG_IMAGE_AT_SLOT(settings.image) * DG_LIST_ROWS;

	if (rc || !settings.image)
		return rc ? rc : -ENOENT;
	if (bpf_map_lookup_elem(maps->dg_lists, &row, &header))
		return -errno;
	if (header.magic != DG_IMAGE_MAGIC || header.lists > DG_LISTS_MAX)
		return -ENOENT;
	for (__u32 i = 1; ret_lists && i <= header.lists; i++)
		if (bpf_map_lookup_elem(maps->dg_lists, &(__u32){ row + i }, ret_lists + i))
			return -errno;
	if (ret_bytes)
		*ret_bytes = ((__u64)header.first + header.buckets + DG_IMAGE_SPILL_MAX) *
				     ELEMENT_BYTES +
			     DG_IMAGE_AT_LARGE(settings.image) * sizeof(struct dg_list_large);
	*ret = header;
	return 0;
}

/* ---- kept for the next attach --------------------------------------------------------------- */

static int kept_path(const char *state_dir, char path[PATH_MAX], struct dg_error *err)
{
	if (snprintf(path, PATH_MAX, "%s/image", state_dir) < PATH_MAX)
		return 0;
	return dg_fail(err, -ENAMETOOLONG, DG_EXIT_USAGE,
		       "state directory %s: its name is too long", DG_QUOTE(state_dir));
}

int dg_image_keep(const char *state_dir, const void *elements, __u64 count, struct dg_error *err)
{
	char path[PATH_MAX];
	int rc = kept_path(state_dir, path, err);

	if (rc)
		return rc;
	if (!elements)
		return unlink(path) && errno != ENOENT ? refuse(err, errno, "forget it") : 0;
	rc = dg_state_dir_make(state_dir, err);
	return rc ? rc : dg_image_save(path, elements, count, err);
}

int dg_image_restore(const struct dg_maps *maps, const char *state_dir, struct dg_error *err)
{
	const void *elements = NULL;
	char path[PATH_MAX];
	__u64 count = 0;
	int rc = kept_path(state_dir, path, err);

	if (rc)
		return rc;
	rc = dg_image_map(path, &elements, &count, err);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = dg_image_publish(maps, elements, count, err);
	dg_image_unmap(elements, count);
	return rc;
}
