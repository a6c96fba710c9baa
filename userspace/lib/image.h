/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image.h - the compiled image of all lists: built without privileges, checked and published with
 * them.
 *
 * The file is a struct dg_image_file, then exactly the elements that the kernel map will hold
 * (abi.h). Building is pure memory work; publishing fills a fresh array through mmap, freezes it
 * and swaps it in with one update of dg_image.
 */
#ifndef DG_IMAGE_H
#define DG_IMAGE_H

#include "bpf/abi.h"
#include "userspace/lib/maps.h"
#include "userspace/lib/names.h"

struct dg_image_file {
	__u64 magic; /* DG_IMAGE_MAGIC */
	__u32 abi_version;
	__u32 header_bytes; /* of this struct */
	__u64 elements;	    /* 64-byte elements that follow */
	__u8 digest[32];    /* SHA-256 of the elements */
	__u8 reserved[8];
};

struct dg_image_builder;
/*
 * key as in dg_settings.hash_key; names_hint sizes the table (0 = grow). NULL when memory is short.
 */
struct dg_image_builder *dg_image_builder_new(const __u64 key[4], __u64 names_hint);
void dg_image_builder_free(struct dg_image_builder **builder);
/* Adds a list; answer->list is set to its number (1 ..), returned; -ENOSPC above DG_LISTS_MAX. */
int dg_image_add_list(struct dg_image_builder *builder, const struct dg_answer *answer);
/*
 * Adds an answer for single names of a list (answer->list says which); lists must all be there. Its number, the same
 * for the same answer, is returned; -ENOSPC above DG_ANSWERS_MAX.
 */
int dg_image_add_answer(struct dg_image_builder *builder, const struct dg_answer *answer);
/*
 * The first that adds a name in a scope keeps it. number: of a list or an answer. Returns the scope
 * that was added, 0 = all of it was there, or -errno.
 */
int dg_image_add_name(struct dg_image_builder *builder, const struct dg_name *name, __u32 number,
		      enum dg_scope scope);
/* The answer's number that covers this very name in one of the scopes, 0 = none. */
__u32 dg_image_find_name(const struct dg_image_builder *builder, const struct dg_name *name,
			 enum dg_scope scope);
/* Lays the table out. *ret_elements is owned by the builder. */
int dg_image_finish(struct dg_image_builder *builder, const void **ret_elements, __u64 *ret_count,
		    struct dg_error *err);
/* Writes the file beside path and renames it over. */
int dg_image_save(const char *path, const void *elements, __u64 count, struct dg_error *err);
/*
 * Checks what the kernel relies on: sizes, every list number in range, spills within bounds, names
 * counted as ways are used, texts without control characters. Whoever built the elements need not
 * be trusted for memory's sake.
 */
int dg_image_check(const void *elements, __u64 count, struct dg_error *err);
/*
 * Reads and checks a file (magic, ABI, size, digest, structure). *ret_elements is munmap'ed with
 * dg_image_unmap(); it is memory of our own, so that nobody who still holds the file can change
 * what was checked.
 */
int dg_image_map(const char *path, const void **ret_elements, __u64 *ret_count,
		 struct dg_error *err);
void dg_image_unmap(const void *elements, __u64 count);
/*
 * Checks structure and key against the running guard, fills a new inner map, swaps it in. Nothing
 * half-applied.
 */
int dg_image_publish(const struct dg_maps *maps, const void *elements, __u64 count,
		     struct dg_error *err);
/* Takes the published image away: no list blocks anything any more. -ENOENT: none. */
int dg_image_drop(const struct dg_maps *maps, struct dg_error *err);
/* Keeps the image in the state directory for the next attach; elements NULL = forgets it. */
int dg_image_keep(const char *state_dir, const void *elements, __u64 count, struct dg_error *err);
/*
 * Publishes the image that is kept; 0 also when none is. For attach, once the hash key stands in
 * the settings. -EKEYREJECTED: it was compiled with another key.
 */
int dg_image_restore(const struct dg_maps *maps, const char *state_dir, struct dg_error *err);
/*
 * The published image's header and lists. -ENOENT: none. ret_lists has DG_LISTS_MAX + 1 rows, may
 * be NULL.
 */
int dg_image_current(const struct dg_maps *maps, struct dg_image_header *ret,
		     struct dg_answer *ret_lists, __u64 *ret_bytes);

#endif
