// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * image_publish.c - hands an image to the programs: a fresh array, filled and frozen, swapped in
 * with one update.
 *
 * A packet sees the old image or the new one. Until the swap nothing is changed; whoever holds the
 * lock may fail at any step and the old image stays.
 */
#include "userspace/lib/image.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

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

static int key_compare(const struct dg_maps *maps, const struct dg_image_header *header,
		       struct dg_error *err)
{
	struct dg_settings settings;
	int rc = dg_settings_read(maps, &settings);

	if (rc)
		return refuse(err, -rc, "read the guard's settings");
	if (header->key_check != dg_hash_key_check(settings.hash_key))
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

/*
 * For people only, so behind the swap; the header last, because it says how many lists there are.
 */
static void lists_note(const struct dg_maps *maps, const void *elements)
{
	const struct dg_image_header *header = elements;

	for (__u32 i = header->lists + 1; i-- > 0;)
		bpf_map_update_elem(maps->dg_lists, &i,
				    (const char *)elements + (size_t)i * ELEMENT_BYTES, BPF_ANY);
}

int dg_image_publish(const struct dg_maps *maps, const void *elements, __u64 count,
		     struct dg_error *err)
{
	dg_scoped_fd int fd = -1;
	__u32 zero = 0;
	int rc = dg_image_check(elements, count, err);

	if (!rc)
		rc = key_compare(maps, elements, err);
	if (!rc)
		rc = array_make(elements, count, &fd, err);
	if (rc)
		return rc;
	if (bpf_map_update_elem(maps->dg_image, &zero, &fd, BPF_ANY))
		return refuse(err, errno, "swap it in");
	lists_note(maps, elements);
	return 0;
}

int dg_image_drop(const struct dg_maps *maps, struct dg_error *err)
{
	struct dg_image_header none = { 0 };
	__u32 zero = 0;

	if (bpf_map_delete_elem(maps->dg_image, &zero))
		return errno == ENOENT ?
			       dg_fail(err, -ENOENT, DG_EXIT_NOT_FOUND, "image: none is loaded") :
			       refuse(err, errno, "take it away");
	bpf_map_update_elem(maps->dg_lists, &zero, &none, BPF_ANY);
	return 0;
}

int dg_image_current(const struct dg_maps *maps, struct dg_image_header *ret,
		     struct dg_answer *ret_lists, __u64 *ret_bytes)
{
	struct dg_image_header header;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(maps->dg_lists, &zero, &header))
		return -errno;
	if (header.magic != DG_IMAGE_MAGIC || header.lists > DG_LISTS_MAX)
		return -ENOENT;
	for (__u32 i = 1; ret_lists && i <= header.lists; i++)
		if (bpf_map_lookup_elem(maps->dg_lists, &i, ret_lists + i))
			return -errno;
	if (ret_bytes)
		*ret_bytes =
			((__u64)header.first + header.buckets + DG_IMAGE_SPILL_MAX) * ELEMENT_BYTES;
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
