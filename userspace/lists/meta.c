// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * meta.c - what is known of each list: when it was fetched, what was in it, since when it is stale.
 *
 * One small file a list, so that status and metrics cost the same whatever the lists hold.
 */
#include "userspace/lists/lists.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "userspace/lib/quote.h"
#include "userspace/lib/values.h"

#define META_BYTES_MAX (64 << 10)
#define RETRY_SEC 300
#define INTERVAL_MAX_SEC (7 * 24 * 3600)

/* The numbers of struct dg_list_meta, one table for both directions. */
static const struct number {
	const char *key;
	size_t at;
} numbers[] = {
	{ "fetched", offsetof(struct dg_list_meta, fetched) },
	{ "attempted", offsetof(struct dg_list_meta, attempted) },
	{ "changed", offsetof(struct dg_list_meta, changed) },
	{ "expires", offsetof(struct dg_list_meta, expires) },
	{ "interval_seconds", offsetof(struct dg_list_meta, interval_sec) },
	{ "stale_since", offsetof(struct dg_list_meta, stale_since) },
	{ "failures", offsetof(struct dg_list_meta, failures) },
	{ "content_inode", offsetof(struct dg_list_meta, content_inode) },
	{ "generation", offsetof(struct dg_list_meta, generation) },
	{ "lines", offsetof(struct dg_list_meta, counts.lines) },
	{ "bytes", offsetof(struct dg_list_meta, counts.bytes) },
	{ "accepted", offsetof(struct dg_list_meta, counts.accepted) },
	{ "duplicate", offsetof(struct dg_list_meta, counts.duplicate) },
	{ "folded", offsetof(struct dg_list_meta, counts.folded) },
	{ "rejected", offsetof(struct dg_list_meta, counts.rejected) },
	{ "unsupported", offsetof(struct dg_list_meta, counts.unsupported) },
	{ "skipped", offsetof(struct dg_list_meta, counts.skipped) },
	{ "protected", offsetof(struct dg_list_meta, counts.protected) },
	{ "senders", offsetof(struct dg_list_meta, counts.senders) },
};
#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static const struct text {
	const char *key;
	size_t at, size;
} texts[] = {
#define TEXT(field)                                                                                \
	{                                                                                          \
#field, offsetof(struct dg_list_meta, field),                                      \
			sizeof(((struct dg_list_meta *)0)->field)                                  \
	}
	TEXT(format),
	TEXT(etag),
	TEXT(last_modified),
	TEXT(error),
#undef TEXT
};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))

/* JSON of this library has signed numbers; what is larger, as an inode may be, is written as text. */
static json_t *number_json(__u64 number)
{
	char text[24];

	if (number <= INT64_MAX)
		return json_integer((json_int_t)number);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return json_string(text);
}

static __u64 number_read(const json_t *value)
{
	const char *text = json_string_value(value);
	__u64 number = 0;

	if (text && dg_count_parse("number", text, 0, ~0ull, &number, NULL))
		return 0;
	return text ? number : json_integer_value(value) > 0 ? (__u64)json_integer_value(value) : 0;
}

json_t *dg_list_meta_json(const struct dg_list_meta *meta)
{
	json_t *object = json_object();

	for (size_t i = 0; i < NUMBERS; i++) {
		__u64 number = *(const __u64 *)((const char *)meta + numbers[i].at);

		json_object_set_new(object, numbers[i].key, number_json(number));
	}
	for (size_t i = 0; i < TEXTS; i++)
		json_object_set_new(object, texts[i].key,
				    json_string((const char *)meta + texts[i].at));
	json_object_set_new(object, "directory", json_boolean(meta->directory));
	return object;
}

static void meta_read(const json_t *object, struct dg_list_meta *ret)
{
	*ret = (struct dg_list_meta){ .directory =
					      json_is_true(json_object_get(object, "directory")) };
	for (size_t i = 0; i < NUMBERS; i++)
		*(__u64 *)((char *)ret + numbers[i].at) =
			number_read(json_object_get(object, numbers[i].key));
	for (size_t i = 0; i < TEXTS; i++) {
		const char *text = json_string_value(json_object_get(object, texts[i].key));

		snprintf((char *)ret + texts[i].at, texts[i].size, "%s", text ? text : "");
	}
}

int dg_list_meta_read(const struct dg_dir *list, const char *file, struct dg_list_meta *ret,
		      struct dg_error *err)
{
	dg_scoped_free char *text = NULL;
	json_error_t at;
	json_t *document;
	int rc = dg_dir_read(list, file, META_BYTES_MAX, &text, err);

	if (rc)
		return rc;
	document = json_loads(text, 0, &at);
	if (!json_is_object(document)) {
		json_decref(document);
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
			       "%s/%s:%d:%d: %s: remove this list and add it again", list->path,
			       file, at.line, at.column, document ? "no object" : at.text);
	}
	meta_read(document, ret);
	json_decref(document);
	return 0;
}

int dg_list_meta_write(const struct dg_dir *list, const char *file, const struct dg_list_meta *meta,
		       struct dg_error *err)
{
	json_t *object = dg_list_meta_json(meta);
	dg_scoped_free char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;

	json_decref(object);
	if (!text)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	return dg_dir_write(list, file, text, err);
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* What cannot be read counts as nothing known: the list itself is still in the registry. */
static void state_fill(const struct dg_dir *lists, struct dg_list_state *state)
{
	dg_scoped_dir struct dg_dir dir = DG_DIR_NONE;
	struct dg_error err = { .text = "" };

	if (dg_dir_enter(lists, state->spec.name, false, &dir, &err) ||
	    dg_list_meta_read(&dir, "meta.json", &state->meta, &err))
		snprintf(state->meta.error, sizeof(state->meta.error), "%.600s", err.text);
}

int dg_lists_read(const char *state_dir, struct dg_list_state **ret, struct dg_error *err)
{
	dg_scoped_free struct dg_registry *registry = malloc(sizeof(*registry));
	dg_scoped_dir struct dg_dir lists = DG_DIR_NONE;
	struct dg_list_state *state;
	int rc = registry ? dg_lists_open(state_dir, false, &lists, err) : -ENOMEM;

	*ret = NULL;
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = dg_registry_load(&lists, registry, err);
	if (rc || !registry->lists)
		return rc;
	state = calloc(registry->lists, sizeof(*state));
	if (!state)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	for (__u32 i = 0; i < registry->lists; i++) {
		state[i].spec = registry->list[i];
		state_fill(&lists, state + i);
	}
	*ret = state;
	return (int)registry->lists;
}

/* The operator's word, else the content's own, else what the server said, else a day. */
static __u64 interval_of(const struct dg_list_spec *spec, const struct dg_list_meta *meta)
{
	__u64 interval = meta->interval_sec;

	if (spec->refresh_sec)
		return spec->refresh_sec;
	if (!interval && meta->expires > meta->fetched)
		interval = meta->expires - meta->fetched;
	if (!interval)
		interval = DG_LIST_REFRESH_DEFAULT_SEC;
	if (interval < DG_LIST_REFRESH_MIN_SEC)
		return DG_LIST_REFRESH_MIN_SEC;
	return interval < INTERVAL_MAX_SEC ? interval : INTERVAL_MAX_SEC;
}

__u64 dg_list_due(const struct dg_list_spec *spec, const struct dg_list_meta *meta)
{
	__u64 interval = interval_of(spec, meta);
	__u64 retry = (__u64)RETRY_SEC << (meta->failures < 8 ? meta->failures : 8);

	if (dg_list_kind_of(spec) == DG_LIST_PATH)
		return 0;
	if (meta->failures)
		return meta->attempted + (retry < interval ? retry : interval);
	return meta->fetched + interval;
}
