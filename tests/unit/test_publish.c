// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_publish.c - an image reaches the kernel whole, frozen and within its memory, or not at all.
 *
 * Runs on real maps of the kernel, made here as bpf/maps.bpf.h makes them and pinned nowhere;
 * without the right to make maps the tests are skipped.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "tests/unit/scratch.h"
#include "userspace/lib/image.h"

#define ELEMENT 64
#define INNER_FLAGS (BPF_F_INNER_MAP | BPF_F_MMAPABLE)

static const __u64 key[4] = { 5, 6, 7, 8 }, other_key[4] = { 5, 6, 7, 9 };

struct world {
	struct dg_maps maps;
	char dir[40], file[64];
};

static int outer_make(unsigned int flags, unsigned int value_size)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	dg_scoped_fd int template =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "t_inner", 4, value_size, 1, &opts);
	LIBBPF_OPTS(bpf_map_create_opts, outer, .inner_map_fd = (__u32) template);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "t_outer", 4, 4, DG_IMAGE_SLOTS, &outer);
}

static int world_make(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	LIBBPF_OPTS(bpf_map_create_opts, mapped, .map_flags = BPF_F_MMAPABLE);
	struct dg_settings settings = { .abi_version = DG_ABI_VERSION };

	memcpy(settings.hash_key, key, sizeof(key));
	w->maps = DG_MAPS_NONE;
	w->maps.dg_settings =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "t_settings", 4, sizeof(settings), 1, NULL);
	w->maps.dg_lists = bpf_map_create(BPF_MAP_TYPE_ARRAY, "t_lists", 4, ELEMENT,
					  DG_IMAGE_SLOTS * DG_LIST_ROWS, NULL);
	w->maps.dg_list_filter = bpf_map_create(BPF_MAP_TYPE_ARRAY, "t_filter", 4,
						DG_LIST_FILTER_WORDS * sizeof(__u64), 1, &mapped);
	w->maps.dg_list_stats = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "t_counts", 4,
					       sizeof(struct dg_list_stats), DG_LIST_ROWS, NULL);
	w->maps.dg_image = outer_make(INNER_FLAGS, ELEMENT);
	w->maps.dg_list_large = outer_make(BPF_F_MMAPABLE, sizeof(struct dg_list_large));
	if (dg_scratch_make(w->dir, sizeof(w->dir), "publish"))
		return -1;
	snprintf(w->file, sizeof(w->file), "%s/image", w->dir);
	*state = w;
	return w->maps.dg_image < 0 ? 0 : dg_settings_write(&w->maps, &settings);
}

static int world_end(void **state)
{
	struct world *w = *state;

	unlink(w->file);
	rmdir(w->dir);
	dg_maps_close(&w->maps);
	free(w);
	return 0;
}

static struct world *world_of(void **state)
{
	struct world *w = *state;

	if (w->maps.dg_image < 0) {
		print_message("no right to make maps in the kernel: run as root\n");
		skip();
	}
	return w;
}

/* An image of two lists. The builder owns it. */
static struct dg_image_builder *image_make(const __u64 with[4], unsigned int names,
					   const void **ret_image, __u64 *ret_count)
{
	struct dg_image_builder *builder = dg_image_builder_new(with, names);
	struct dg_answer answer = { .kind = DG_ANSWER_NODATA, .text = "news", .text_len = 4 };
	struct dg_error err;
	struct dg_name name;
	char text[40];

	dg_image_add_list(builder, &answer);
	dg_image_add_list(builder, &answer);
	for (unsigned int i = 0; i < names; i++) {
		snprintf(text, sizeof(text), "n%u.example", i);
		assert_int_equal(dg_name_parse(text, &name, &err), 0);
		assert_int_equal(dg_image_add_name(builder, &name, 1 + i % 2, DG_SCOPE_SUFFIX),
				 DG_SCOPE_SUFFIX);
	}
	assert_int_equal(dg_image_finish(builder, ret_image, ret_count, &err), 0);
	return builder;
}

/* What stands in the published image's slot of one of the arrays of maps. */
static int slot_open(struct world *w, int outer)
{
	unsigned int slot, id;
	struct dg_settings settings;

	assert_int_equal(dg_settings_read(&w->maps, &settings), 0);
	slot = DG_IMAGE_AT_SLOT(settings.image);
	if (!settings.image || bpf_map_lookup_elem(outer, &slot, &id))
		return -ENOENT;
	return bpf_map_get_fd_by_id(id);
}

static int inner_open(struct world *w)
{
	return slot_open(w, w->maps.dg_image);
}

static void assert_published(struct world *w, const void *image, __u64 count)
{
	dg_scoped_fd int fd = inner_open(w);
	char element[ELEMENT];

	assert_true(fd >= 0);
	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(bpf_map_lookup_elem(fd, &i, element), 0);
		assert_memory_equal(element, (const char *)image + (size_t)i * ELEMENT, ELEMENT);
	}
	assert_int_equal(bpf_map_lookup_elem(fd, &(unsigned int){ (unsigned int)count }, element),
			 -ENOENT);
}

static void what_was_built_is_published(void **state)
{
	struct world *w = world_of(state);
	struct dg_answer lists[DG_LISTS_MAX + 1];
	struct dg_image_header header;
	struct dg_error err;
	const void *image;
	__u64 count, bytes;
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder =
		image_make(key, 1000, &image, &count);

	assert_int_equal(dg_image_current(&w->maps, &header, NULL, NULL), -ENOENT);
	assert_int_equal(dg_image_publish(&w->maps, image, count, &err), 0);
	assert_published(w, image, count);
	assert_int_equal(dg_image_current(&w->maps, &header, lists, &bytes), 0);
	assert_int_equal(header.names, 1000);
	assert_int_equal(bytes, count * ELEMENT);
	assert_int_equal(lists[2].list, 2);
	assert_memory_equal(lists[2].text, "news", 5);
}

static void nobody_changes_it_afterwards(void **state)
{
	struct world *w = world_of(state);
	char element[ELEMENT] = { 0 };
	unsigned int zero = 0;
	struct dg_error err;
	const void *image;
	__u64 count;
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder =
		image_make(key, 10, &image, &count);
	dg_scoped_fd int fd = -1;

	assert_int_equal(dg_image_publish(&w->maps, image, count, &err), 0);
	fd = inner_open(w);
	assert_int_equal(bpf_map_update_elem(fd, &zero, element, BPF_ANY), -EPERM);
}

static void a_bad_one_leaves_the_old_one(void **state)
{
	struct world *w = world_of(state);
	struct dg_image_header header;
	struct dg_error err;
	const void *good, *foreign;
	__u64 good_count, foreign_count;
	dg_scoped(dg_image_builder_free) struct dg_image_builder *a =
		image_make(key, 10, &good, &good_count);
	dg_scoped(dg_image_builder_free) struct dg_image_builder *b =
		image_make(other_key, 20, &foreign, &foreign_count);

	assert_int_equal(dg_image_publish(&w->maps, good, good_count, &err), 0);
	assert_int_equal(dg_image_publish(&w->maps, foreign, foreign_count, &err), -EKEYREJECTED);
	assert_non_null(strstr(err.text, "another key"));
	assert_int_equal(dg_image_publish(&w->maps, good, good_count - 1, &err), -EINVAL);
	assert_published(w, good, good_count);
	assert_int_equal(dg_image_current(&w->maps, &header, NULL, NULL), 0);
	assert_int_equal(header.names, 10);
}

static void a_larger_one_takes_its_place(void **state)
{
	struct world *w = world_of(state);
	struct dg_error err;
	const void *small, *large;
	__u64 small_count, large_count;
	dg_scoped(dg_image_builder_free) struct dg_image_builder *a =
		image_make(key, 10, &small, &small_count);
	dg_scoped(dg_image_builder_free) struct dg_image_builder *b =
		image_make(key, 5000, &large, &large_count);

	assert_int_equal(dg_image_publish(&w->maps, small, small_count, &err), 0);
	assert_int_equal(dg_image_publish(&w->maps, large, large_count, &err), 0);
	assert_published(w, large, large_count);
	assert_int_equal(dg_image_publish(&w->maps, small, small_count, &err), 0);
	assert_published(w, small, small_count);
}

/* Bits of the filter that the settings name: the common one, or the one in the image's slot. Nobody may change the latter. */
static unsigned int filter_bits(struct world *w, bool large)
{
	dg_scoped_fd int fd = large ? slot_open(w, w->maps.dg_list_large) : -1;
	size_t bytes = large ? sizeof(struct dg_list_large) : sizeof(struct dg_list_filter);
	struct dg_settings settings;
	__u64 *words;
	unsigned int bits = 0;

	assert_int_equal(dg_settings_read(&w->maps, &settings), 0);
	assert_int_equal(DG_IMAGE_AT_LARGE(settings.image), large);
	assert_true(!large || mmap(NULL, bytes, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	words = mmap(NULL, bytes, PROT_READ, MAP_SHARED, large ? fd : w->maps.dg_list_filter, 0);
	assert_ptr_not_equal(words, MAP_FAILED);
	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		bits += (unsigned int)__builtin_popcountll(words[i]);
	munmap(words, bytes);
	return bits;
}

static void the_filter_goes_with_the_image(void **state)
{
	struct world *w = world_of(state);
	struct dg_error err;
	const void *image;
	__u64 count, bytes;
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder =
		image_make(key, 1000, &image, &count);
	struct dg_image_header header;

	for (int turn = 0; turn < 4; turn++) {
		bool large = turn % 2;

		assert_int_equal(dg_image_publish_with(&w->maps, image, count, large, &err), 0);
		assert_in_range(filter_bits(w, large), 1900, 2000); /* some share one */
		assert_int_equal(dg_image_current(&w->maps, &header, NULL, &bytes), 0);
		assert_int_equal(bytes,
				 count * ELEMENT + (large ? sizeof(struct dg_list_large) : 0));
	}
	assert_int_equal(dg_image_drop(&w->maps, &err), 0);
	for (unsigned int slot = 0, id; slot < DG_IMAGE_SLOTS; slot++)
		assert_true(bpf_map_lookup_elem(w->maps.dg_list_large, &slot, &id));
}

static void only_millions_need_a_large_filter(void **state)
{
	(void)state;
	assert_false(dg_image_is_large(1000000));
	assert_true(dg_image_is_large(10000000));
}

static void dropped_is_gone(void **state)
{
	struct world *w = world_of(state);
	struct dg_image_header header;
	struct dg_error err;
	const void *image;
	__u64 count;
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder =
		image_make(key, 10, &image, &count);

	assert_int_equal(dg_image_publish(&w->maps, image, count, &err), 0);
	assert_int_equal(dg_image_drop(&w->maps, &err), 0);
	assert_true(inner_open(w) < 0);
	assert_int_equal(dg_image_current(&w->maps, &header, NULL, NULL), -ENOENT);
	assert_int_equal(dg_image_drop(&w->maps, &err), -ENOENT);
	assert_int_equal(err.status, DG_EXIT_NOT_FOUND);
}

static void kept_comes_back(void **state)
{
	struct world *w = world_of(state);
	struct dg_error err;
	const void *image;
	__u64 count;
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder =
		image_make(key, 100, &image, &count);

	assert_int_equal(dg_image_restore(&w->maps, w->dir, &err), 0);
	assert_true(inner_open(w) < 0);
	assert_int_equal(dg_image_keep(w->dir, image, count, &err), 0);
	assert_int_equal(dg_image_restore(&w->maps, w->dir, &err), 0);
	assert_published(w, image, count);
	assert_int_equal(dg_image_keep(w->dir, NULL, 0, &err), 0);
	assert_int_equal(access(w->file, F_OK), -1);
	assert_int_equal(dg_image_keep(w->dir, NULL, 0, &err), 0);
}

/* Kernel memory of a map, from its fdinfo. */
static unsigned long long memory_of(int fd)
{
	unsigned long long bytes = 0;
	dg_scoped_file FILE *file = NULL;
	char path[64], line[128];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "memlock: %llu", &bytes);
	return bytes;
}

static void a_million_names_stay_below_24_megabytes(void **state)
{
	struct world *w = world_of(state);
	struct dg_error err;
	const void *image;
	__u64 count, begin;
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder =
		image_make(key, 1000000, &image, &count);
	dg_scoped_fd int fd = -1;

	begin = dg_now_ns();
	assert_int_equal(dg_image_publish(&w->maps, image, count, &err), 0);
	print_message("a million names: published in %.1f ms\n",
		      (double)(dg_now_ns() - begin) / 1e6);
	fd = inner_open(w);
	assert_in_range(memory_of(fd) + memory_of(w->maps.dg_list_filter), 1000000, 24000000);
}

/* Publishes an image of one name, with lists of these names (a letter each). */
static void publish_lists(struct world *w, const char *letters)
{
	dg_scoped(dg_image_builder_free) struct dg_image_builder *builder =
		dg_image_builder_new(key, 1);
	struct dg_answer answer = { .kind = DG_ANSWER_DROP, .text_len = 1 };
	struct dg_error err;
	const void *image;
	__u64 count;

	for (; *letters; letters++) {
		answer.text[0] = *letters;
		assert_true(dg_image_add_list(builder, &answer) > 0);
	}
	assert_int_equal(dg_image_finish(builder, &image, &count, &err), 0);
	assert_int_equal(dg_image_publish(&w->maps, image, count, &err), 0);
}

/* What every CPU has counted for a list, told apart by CPU. */
static void count(struct world *w, unsigned int list, __u64 value)
{
	struct dg_list_stats rows[256] = { 0 };

	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		rows[cpu].answers[DG_ANSWER_DROP] = value + (__u64)cpu;
	assert_int_equal(bpf_map_update_elem(w->maps.dg_list_stats, &list, rows, BPF_ANY), 0);
}

static void assert_counted(struct world *w, unsigned int list, __u64 value)
{
	struct dg_list_stats rows[256] = { 0 };

	assert_int_equal(bpf_map_lookup_elem(w->maps.dg_list_stats, &list, rows), 0);
	for (int cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		assert_int_equal(rows[cpu].answers[DG_ANSWER_DROP], value ? value + (__u64)cpu : 0);
}

static void counters_follow_their_lists(void **state)
{
	struct world *w = world_of(state);
	struct dg_error err;

	publish_lists(w, "abc");
	count(w, 0, 7);
	count(w, 1, 100);
	count(w, 2, 200);
	count(w, 3, 300);
	publish_lists(w, "abc");
	assert_counted(w, 2, 200);
	publish_lists(w, "cxa");
	assert_counted(w, 0, 7); /* the operator's own */
	assert_counted(w, 1, 300);
	assert_counted(w, 2, 0);
	assert_counted(w, 3, 100);
	publish_lists(w, "a");
	assert_counted(w, 1, 100);
	assert_counted(w, 3, 0);
	assert_int_equal(dg_image_drop(&w->maps, &err), 0);
	publish_lists(w, "a");
	assert_counted(w, 1, 0);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_make, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(what_was_built_is_published),
		IN_WORLD(nobody_changes_it_afterwards),
		IN_WORLD(a_bad_one_leaves_the_old_one),
		IN_WORLD(a_larger_one_takes_its_place),
		IN_WORLD(the_filter_goes_with_the_image),
		cmocka_unit_test(only_millions_need_a_large_filter),
		IN_WORLD(dropped_is_gone),
		IN_WORLD(kept_comes_back),
		IN_WORLD(counters_follow_their_lists),
		IN_WORLD(a_million_names_stay_below_24_megabytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
