// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * image.c - dnsguard image load FILE | show | drop: the image of all lists.
 *
 * A loaded image is kept in the state directory, from which the next attach restores it.
 */
#include "userspace/lib/image.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/state.h"
#include "userspace/lib/values.h"

#define NS_PER_SEC 1000000000ull

/* What was read from a file; NULL = nothing. */
struct loaded {
	const void *elements;
	__u64 count;
};

static void loaded_free(struct loaded *loaded)
{
	dg_image_unmap(loaded->elements, loaded->count);
}

static void json_print(json_t *doc)
{
	if (doc)
		json_dumpf(doc, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(doc);
}

static json_t *list_json(const struct dg_answer *list)
{
	json_t *ede = list->flags & DG_ANS_NO_EDE ? json_null() : json_integer(list->ede);
	char answer[128];

	return json_pack("{s:i, s:s%, s:s, s:o}", "number", (int)list->list, "name", list->text,
			 (size_t)list->text_len, "answer",
			 dg_answer_text(list, answer, sizeof(answer)), "ede", ede);
}

/* lists: number 1 stands in row 1, as in the image. */
static void image_json(const struct dg_image_header *header, const struct dg_answer *lists,
		       __u64 bytes)
{
	json_t *array = json_array();

	for (__u32 i = 1; i <= header->lists; i++)
		json_array_append_new(array, list_json(lists + i));
	json_print(json_pack("{s:i, s:I, s:I, s:I, s:o}", "schema", 1, "names",
			     (json_int_t)header->names, "bytes", (json_int_t)bytes, "built",
			     (json_int_t)(header->generation / NS_PER_SEC), "lists", array));
}

/* Publishes under the lock and keeps the file for the next attach. */
static int load(const struct dg_cli *cli, const struct loaded *loaded, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_fd int lock = -1;
	int rc = dg_lock(cli->bpffs, &lock, err);

	if (!rc)
		rc = dg_maps_open(cli->bpffs, &maps, err);
	if (!rc)
		rc = dg_image_publish(&maps, loaded->elements, loaded->count, err);
	return rc ? rc : dg_image_keep(cli->state_dir, loaded->elements, loaded->count, err);
}

int dg_image_load_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped(loaded_free) struct loaded loaded = { .elements = NULL };
	const struct dg_image_header *header;
	__u64 bytes;
	int rc = dg_image_map(cli->arg[0], &loaded.elements, &loaded.count, err);

	if (!rc)
		rc = load(cli, &loaded, err);
	if (rc)
		return rc;
	header = loaded.elements;
	bytes = loaded.count * sizeof(struct dg_image_bucket);
	if (cli->json)
		image_json(header, loaded.elements, bytes);
	else
		printf("loaded %llu names of %u lists, %llu bytes\n",
		       (unsigned long long)header->names, header->lists, (unsigned long long)bytes);
	return 0;
}

int dg_image_drop_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_fd int lock = -1;
	int rc = dg_lock(cli->bpffs, &lock, err);

	if (!rc)
		rc = dg_maps_open(cli->bpffs, &maps, err);
	if (!rc)
		rc = dg_image_drop(&maps, err);
	if (!rc)
		rc = dg_image_keep(cli->state_dir, NULL, 0, err);
	if (rc)
		return rc;
	if (cli->json)
		json_print(json_pack("{s:i, s:s}", "schema", 1, "done", "dropped"));
	else
		printf("dropped the image: no list blocks anything\n");
	return 0;
}

/* ---- show ----------------------------------------------------------------------------------- */

static void show_text(const struct dg_image_header *header, const struct dg_answer *lists,
		      __u64 bytes)
{
	time_t built = (time_t)(header->generation / NS_PER_SEC);
	char answer[128], when[32] = "?";
	struct tm utc;

	if (gmtime_r(&built, &utc))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%SZ", &utc);
	printf("%llu names, %llu bytes, built %s\n", (unsigned long long)header->names,
	       (unsigned long long)bytes, when);
	for (__u32 i = 1; i <= header->lists; i++)
		printf("%4u  %-32.*s %s\n", i, lists[i].text_len, lists[i].text,
		       dg_answer_text(lists + i, answer, sizeof(answer)));
}

int dg_image_show_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	struct dg_answer lists[DG_LISTS_MAX + 1];
	struct dg_image_header header;
	__u64 bytes;
	int rc = dg_maps_open(cli->bpffs, &maps, err);

	if (rc)
		return rc;
	rc = dg_image_current(&maps, &header, lists, &bytes);
	if (rc == -ENOENT)
		return dg_fail(err, rc, DG_EXIT_NOT_FOUND,
			       "no image is loaded: \"dnsguard image load FILE\" loads one");
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "image cannot be read: %s", strerror(-rc));
	if (cli->json)
		image_json(&header, lists, bytes);
	else
		show_text(&header, lists, bytes);
	return 0;
}
