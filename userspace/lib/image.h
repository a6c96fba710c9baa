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

#include <stdbool.h>

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

/*
 * The builder. It keeps every name in wire form beside its hashes until the table is laid out: 24
 * bytes an entry, the name, and 8 to 22 bytes an entry of index.
 */
struct dg_image_builder;
/*
 * key as in dg_settings.hash_key; names_hint sizes the table (0 = grow). NULL when memory is short.
 */
struct dg_image_builder *dg_image_builder_new(const __u64 key[4], __u64 names_hint);
void dg_image_builder_free(struct dg_image_builder **builder);
/* Adds a list; answer->list is set to its number (1 ..), returned; -ENOSPC above DG_LISTS_MAX. */
int dg_image_add_list(struct dg_image_builder *builder, const struct dg_answer *answer);
/*
 * Adds an answer for single names of a list (answer->list says which); lists must all be there. Its
 * number, the same for the same answer (the list's own number when it is the list's own), is
 * returned; -ENOSPC above DG_ANSWERS_MAX.
 */
int dg_image_add_answer(struct dg_image_builder *builder, const struct dg_answer *answer);
/*
 * The answer, to read or to correct before the table is laid out; numbers count from 1. NULL = there
 * is none. Corrections do not make two answers one.
 */
struct dg_answer *dg_image_answer(struct dg_image_builder *builder, __u32 number);
/*
 * Lists rank in their order, the first highest, those that only observe behind all others, and
 * answers rank as their list. This one shall rank
 * above all others of its list: an Adblock exception over the blocks of the same file.
 */
void dg_image_raise_answer(struct dg_image_builder *builder, __u32 number);

/* A name to add, and what came of it. */
struct dg_image_item {
	const struct dg_name *name;
	__u32 answer; /* number of a list or an answer */
	enum dg_scope scope;
	bool stops; /* the name exists in its list: wildcards above do not reach it, RFC 4592 */
	/* out: */
	int added;    /* the scopes that are this answer's now, 0 = none; or -errno */
	__u32 keeper; /* an answer that had what this one lacks or lost it, 0 = none */
	__u32 loser;  /* an answer that ranked lower and lost a scope to this one, 0 = none */
	__u32 joined; /* the answer that the name had in the other scope, 0 = none */
};

/*
 * Adds names. In each scope the answer of the higher rank keeps the name, between equals the first.
 * Many at once are cheaper than one by one. Their outcomes stand in the items.
 */
void dg_image_add_names(struct dg_image_builder *builder, struct dg_image_item *items, __u32 count);
/* One of them: the scope that was added, 0 = all of it was there, or -errno. */
int dg_image_add_name(struct dg_image_builder *builder, const struct dg_name *name, __u32 number,
		      enum dg_scope scope);
/* The answer's number that covers this very name in one of the scopes, 0 = none. */
__u32 dg_image_find_name(const struct dg_image_builder *builder, const struct dg_name *name,
			 enum dg_scope scope);
/* Gives a name that is there another answer, whatever the ranks. -ENOENT: it is not there. */
int dg_image_replace_name(struct dg_image_builder *builder, const struct dg_name *name,
			  __u32 number, enum dg_scope scope);

/* What folding took away, counted once for each name and list. */
struct dg_image_folded {
	__u64 folded;	/* the nearest entry above says the same */
	__u64 shadowed; /* an entry above, of a higher rank, decides */
};

/*
 * Takes away what an entry above decides anyway: see the two kinds. No question gets another answer
 * for it, but that the higher rank wins. Where a list's entries above stop, the next list's are put in
 * their place, or an answer that allows. ret has DG_LISTS_MAX + 1 rows that are added to; tick (may
 * be NULL) hears now and then how many entries have been looked at. -ENOMEM.
 */
int dg_image_fold(struct dg_image_builder *builder, struct dg_image_folded *ret,
		  void (*tick)(void *arg, __u64 done), void *arg);
/* Names of each list: ret has DG_LISTS_MAX + 1 rows. Returns the entries of the image to be. */
__u64 dg_image_count(const struct dg_image_builder *builder, __u64 *ret);
/* Is an image of so many entries published with a large filter of its own? */
bool dg_image_is_large(__u64 names);
/* Bytes that the kernel will need for the image, if it were laid out now, and for a large filter. */
__u64 dg_image_bytes(const struct dg_image_builder *builder);

/* An entry as collected: name in wire form with its root label, answers' numbers or 0. */
struct dg_image_entry {
	const __u8 *wire;
	__u32 len;
	__u32 self, below;
};

/* Shows every entry that is left, in the order they came; stops when the visitor returns not 0. */
int dg_image_each(const struct dg_image_builder *builder,
		  int (*visit)(void *arg, const struct dg_image_entry *entry), void *arg);
/*
 * Lays the table out and lets go of the names: nothing can be added or found any more.
 * *ret_elements is owned by the builder.
 */
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
/* The same with or without a large filter, however many names there are. */
int dg_image_publish_with(const struct dg_maps *maps, const void *elements, __u64 count, bool large,
			  struct dg_error *err);
/* Takes the published image away: no list blocks anything any more. -ENOENT: none. */
int dg_image_drop(const struct dg_maps *maps, struct dg_error *err);
/*
 * Moves the counters of dg_list_stats with their lists' names from one published image to another (as in
 * dg_settings.image; 0 = none). The rows of both must still stand in dg_lists.
 */
int dg_list_counts_follow(const struct dg_maps *maps, __u64 image_before, __u64 image_now);
/* Keeps the image in the state directory for the next attach; elements NULL = forgets it. */
int dg_image_keep(const char *state_dir, const void *elements, __u64 count, struct dg_error *err);
/*
 * Publishes the image that is kept; 0 also when none is. For attach, once the hash key stands in
 * the settings. -EKEYREJECTED: it was compiled with another key.
 */
int dg_image_restore(const struct dg_maps *maps, const char *state_dir, struct dg_error *err);
/*
 * The published image's header and lists. -ENOENT: none. ret_lists has DG_LISTS_MAX + 1 rows;
 * ret_bytes: of its array and of a filter of its own. Both may be NULL.
 */
int dg_image_current(const struct dg_maps *maps, struct dg_image_header *ret,
		     struct dg_answer *ret_lists, __u64 *ret_bytes);

#endif
