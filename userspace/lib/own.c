// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * own.c - the operator's own entries in the kernel: a hash, and a filter of one bit an entry in
 * front of it.
 *
 * The caller holds the guard's lock. Order matters to the packets that run meanwhile: the filter's
 * bit and the count come before the entry, and go after it, so no entry is ever present and
 * overlooked.
 */
#include "userspace/lib/own.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "userspace/lib/quote.h"

#define FILTER_BITS (DG_OWN_FILTER_WORDS * 64u)

/* Entries read at once: a little over 200 kB. A hash bucket never holds as many. */
#define BATCH 512

static int refuse(struct dg_error *err, int error, const char *what)
{
	return dg_fail(err, -error, DG_EXIT_FAILED, "own entries: cannot %s: %s", what,
		       strerror(error));
}

static struct dg_name_key key_of(const struct dg_settings *settings, const struct dg_name *name)
{
	struct dg_hash hash = dg_name_hash(name, settings->hash_key);

	return (struct dg_name_key){ hash.a, hash.b };
}

static __u32 filter_bit(const struct dg_name_key *key)
{
	return dg_hash_filter_bit((struct dg_hash){ key->a, key->b }, FILTER_BITS);
}

#define FILTER_BYTES (DG_OWN_FILTER_WORDS * sizeof(__u64))

/* The live filter, to be munmap'ed; NULL and errno. */
static __u64 *filter_map(const struct dg_maps *maps)
{
	__u64 *live = mmap(NULL, FILTER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			   maps->dg_own_filter, 0);

	return live == MAP_FAILED ? NULL : live;
}

static int filter_set(const struct dg_maps *maps, const struct dg_name_key *key)
{
	__u32 bit = filter_bit(key);
	__u64 *live = filter_map(maps);

	if (!live)
		return -errno;
	__atomic_fetch_or(live + bit / 64, 1ull << (bit % 64), __ATOMIC_RELAXED);
	munmap(live, FILTER_BYTES);
	return 0;
}

static int count_add(const struct dg_maps *maps, struct dg_settings *settings, int more)
{
	settings->own_entries += (__u32)more;
	return dg_settings_write(maps, settings);
}

/* The steps in front of an insert, none of which harms when the insert then fails. */
static int room_make(const struct dg_maps *maps, struct dg_settings *settings,
		     const struct dg_name_key *key)
{
	int rc = filter_set(maps, key);

	return rc ? rc : count_add(maps, settings, 1);
}

static int insert_refuse(struct dg_error *err, int error, const struct dg_name *name)
{
	char text[1025];

	if (error != E2BIG && error != ENOSPC)
		return refuse(err, error, "add one");
	return dg_fail(
		err, -ENOSPC, DG_EXIT_FAILED,
		"name %s: the table of own entries is full (%d): unblock some, or use a list",
		DG_QUOTE(dg_name_text(name->wire, name->len, text)), DG_OWN_MAX);
}

int dg_own_set(const struct dg_maps *maps, const struct dg_name *name, struct dg_own *entry,
	       struct dg_error *err)
{
	struct dg_settings settings;
	struct dg_name_key key;
	struct dg_own old;
	int fresh, rc = dg_settings_read(maps, &settings);

	if (rc)
		return refuse(err, -rc, "read the settings");
	key = key_of(&settings, name);
	entry->name_len = name->len;
	memset(entry->name, 0, sizeof(entry->name));
	memcpy(entry->name, name->wire, name->len);
	fresh = bpf_map_lookup_elem(maps->dg_own, &key, &old) != 0;
	if (fresh && settings.own_entries >= DG_OWN_MAX)
		return insert_refuse(err, ENOSPC, name);
	rc = fresh ? room_make(maps, &settings, &key) : 0;
	if (rc)
		return refuse(err, -rc, "prepare for one more");
	if (!bpf_map_update_elem(maps->dg_own, &key, entry, BPF_ANY))
		return 0;
	rc = errno;
	if (fresh)
		count_add(maps, &settings, -1);
	return insert_refuse(err, rc, name);
}

/* The filter's bit stays: it may be another entry's as well. The next tidy finds out. */
int dg_own_remove(const struct dg_maps *maps, const struct dg_name *name, struct dg_error *err)
{
	struct dg_settings settings;
	struct dg_name_key key;
	char text[1025];
	int rc = dg_settings_read(maps, &settings);

	if (rc)
		return refuse(err, -rc, "read the settings");
	key = key_of(&settings, name);
	if (bpf_map_delete_elem(maps->dg_own, &key)) {
		if (errno != ENOENT)
			return refuse(err, errno, "remove one");
		return dg_fail(err, -ENOENT, DG_EXIT_NOT_FOUND, "name %s has no entry of its own",
			       DG_QUOTE(dg_name_text(name->wire, name->len, text)));
	}
	if (settings.own_entries)
		count_add(maps, &settings, -1);
	return 0;
}

int dg_own_get(const struct dg_maps *maps, const struct dg_name *name, struct dg_own *ret)
{
	struct dg_settings settings;
	struct dg_name_key key;
	struct dg_own entry;
	int rc = dg_settings_read(maps, &settings);

	if (rc)
		return rc;
	key = key_of(&settings, name);
	if (bpf_map_lookup_elem(maps->dg_own, &key, &entry))
		return -errno;
	*ret = entry;
	return 0;
}

/* ---- all of them ---------------------------------------------------------------------------- */

struct batch {
	struct dg_name_key key[BATCH];
	struct dg_own entry[BATCH];
};

typedef int visit_fn(const struct dg_name_key *key, const struct dg_own *entry, void *arg);

static int batch_visit(const struct batch *batch, __u32 count, visit_fn *visit, void *arg)
{
	int rc = 0;

	for (__u32 i = 0; !rc && i < count; i++)
		rc = visit(&batch->key[i], &batch->entry[i], arg);
	return rc;
}

/* A batch ends between two buckets of the hash, so a visit may delete what it is shown. */
static int each(int map_fd, visit_fn *visit, void *arg)
{
	dg_scoped_free struct batch *batch = malloc(sizeof(*batch));
	__u32 position, *from = NULL;
	int last = 0, rc = 0;

	if (!batch)
		return -ENOMEM;
	while (!last && !rc) {
		__u32 count = BATCH;

		last = bpf_map_lookup_batch(map_fd, from, &position, batch->key, batch->entry,
					    &count, NULL) != 0;
		if (last && errno != ENOENT)
			return -errno;
		from = &position;
		rc = batch_visit(batch, count, visit, arg);
	}
	return rc;
}

struct each_arg {
	int (*visit)(const struct dg_own *entry, void *arg);
	void *arg;
};

static int each_entry(const struct dg_name_key *key, const struct dg_own *entry, void *arg)
{
	struct each_arg *each_arg = arg;

	(void)key;
	return each_arg->visit(entry, each_arg->arg);
}

int dg_own_each(const struct dg_maps *maps, int (*visit)(const struct dg_own *entry, void *arg),
		void *arg)
{
	return each(maps->dg_own, each_entry, &(struct each_arg){ visit, arg });
}

/* ---- tidying -------------------------------------------------------------------------------- */

struct tidy {
	int map_fd;
	__u64 now_ns;
	__u32 gone, left;
	__u64 *filter; /* of those that are left */
};

static int tidy_entry(const struct dg_name_key *key, const struct dg_own *entry, void *arg)
{
	struct tidy *tidy = arg;
	__u32 bit = filter_bit(key);

	if (entry->until_ns && tidy->now_ns >= entry->until_ns) {
		if (bpf_map_delete_elem(tidy->map_fd, key) && errno != ENOENT)
			return -errno;
		tidy->gone++;
		return 0;
	}
	tidy->filter[bit / 64] |= 1ull << (bit % 64);
	tidy->left++;
	return 0;
}

/* Word by word: a bit that some entry has is set before and after, so no packet sees it cleared. */
static int filter_write(const struct dg_maps *maps, const __u64 *filter)
{
	__u64 *live = filter_map(maps);

	if (!live)
		return -errno;
	for (__u32 word = 0; word < DG_OWN_FILTER_WORDS; word++)
		if (live[word] != filter[word])
			__atomic_store_n(live + word, filter[word], __ATOMIC_RELAXED);
	munmap(live, FILTER_BYTES);
	return 0;
}

static int tidy_run(const struct dg_maps *maps, struct tidy *tidy)
{
	struct dg_settings settings;
	int rc = each(maps->dg_own, tidy_entry, tidy);

	if (!rc)
		rc = filter_write(maps, tidy->filter);
	if (!rc)
		rc = dg_settings_read(maps, &settings);
	if (rc || settings.own_entries == tidy->left)
		return rc;
	settings.own_entries = tidy->left;
	return dg_settings_write(maps, &settings);
}

int dg_own_tidy(const struct dg_maps *maps, __u64 now_ns, struct dg_error *err)
{
	dg_scoped_free __u64 *filter = calloc(DG_OWN_FILTER_WORDS, sizeof(*filter));
	struct tidy tidy = { .map_fd = maps->dg_own, .now_ns = now_ns, .filter = filter };
	int rc = filter ? tidy_run(maps, &tidy) : -ENOMEM;

	return rc ? refuse(err, -rc, "tidy them") : (int)tidy.gone;
}
