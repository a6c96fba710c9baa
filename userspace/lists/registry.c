// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * registry.c - the registry: which lists there are, in order of precedence, kept as JSON and replaced whole.
 *
 * The file is ours, but a person may edit it: everything in it is checked as if it came from the command line.
 */
#include "userspace/lists/lists.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "userspace/lib/maps.h"
#include "userspace/lib/quote.h"

#define REGISTRY "registry.json"
#define REGISTRY_BYTES_MAX (4 << 20)

struct dg_list_spec *dg_registry_find(struct dg_registry *registry, const char *name)
{
	for (__u32 i = 0; i < registry->lists; i++)
		if (!strcmp(registry->list[i].name, name))
			return registry->list + i;
	return NULL;
}

int dg_registry_add(struct dg_registry *registry, const struct dg_list_spec *spec, bool first,
		    struct dg_error *err)
{
	__u32 at = first ? 0 : registry->lists;

	if (dg_registry_find(registry, spec->name))
		return dg_fail(err, -EEXIST, DG_EXIT_FAILED,
			       "list %s is there already: \"dnsguard list rm %s\" first",
			       spec->name, spec->name);
	if (registry->lists == DG_LISTS_MAX)
		return dg_fail(err, -ENOSPC, DG_EXIT_FAILED,
			       "list %s is one too many: %d are allowed", spec->name, DG_LISTS_MAX);
	memmove(registry->list + at + 1, registry->list + at,
		(registry->lists - at) * sizeof(*spec));
	registry->list[at] = *spec;
	registry->lists++;
	return 0;
}

void dg_registry_remove(struct dg_registry *registry, const char *name)
{
	struct dg_list_spec *spec = dg_registry_find(registry, name);

	if (!spec)
		return;
	registry->lists--;
	memmove(spec, spec + 1, (size_t)(registry->list + registry->lists - spec) * sizeof(*spec));
}

void dg_registry_move(struct dg_registry *registry, const char *name, __u32 position)
{
	struct dg_list_spec spec = *dg_registry_find(registry, name);
	__u32 at = position ? position - 1 : 0;

	dg_registry_remove(registry, name);
	if (at > registry->lists)
		at = registry->lists;
	memmove(registry->list + at + 1, registry->list + at,
		(registry->lists - at) * sizeof(spec));
	registry->list[at] = spec;
	registry->lists++;
}

/* ---- one list as JSON ----------------------------------------------------------------------- */

json_t *dg_list_spec_json(const struct dg_list_spec *spec)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:b, s:b, s:o}", "name", spec->name,
			 "source", spec->source, "format", spec->format, "match", spec->match,
			 "answer", spec->answer, "ede",
			 spec->ede ? json_integer(spec->ede) : json_null(), "refresh_seconds",
			 (json_int_t)spec->refresh_sec, "observe", spec->observe, "override",
			 spec->override, "tsig_file",
			 spec->tsig_file[0] ? json_string(spec->tsig_file) : json_null());
}

/* Copies a text; what is absent or too long leaves the field as it is and is told. */
static int text_get(const json_t *object, const char *key, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text || strlen(text) >= size)
		return -EINVAL;
	strcpy(ret, text);
	return 0;
}

static int spec_read(const json_t *object, struct dg_list_spec *ret, struct dg_error *err)
{
	const json_t *refresh = json_object_get(object, "refresh_seconds");
	char source[DG_LIST_SOURCE_MAX];

	*ret = (struct dg_list_spec){ .ede = (int)json_integer_value(
					      json_object_get(object, "ede")) };
	if (text_get(object, "name", ret->name, sizeof(ret->name)) ||
	    text_get(object, "source", source, sizeof(source)) ||
	    text_get(object, "format", ret->format, sizeof(ret->format)) ||
	    text_get(object, "match", ret->match, sizeof(ret->match)) ||
	    text_get(object, "answer", ret->answer, sizeof(ret->answer)) ||
	    json_integer_value(refresh) < 0)
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
			       "a list lacks one of: name, source, format, match, answer");
	(void)!text_get(object, "tsig_file", ret->tsig_file, sizeof(ret->tsig_file));
	ret->refresh_sec = (__u64)json_integer_value(refresh);
	ret->observe = json_is_true(json_object_get(object, "observe"));
	ret->override = json_is_true(json_object_get(object, "override"));
	return dg_list_source_set(ret, source, err) ? -EINVAL : dg_list_spec_check(ret, err);
}

/* ---- the file ------------------------------------------------------------------------------- */

static int lists_read(const json_t *lists, struct dg_registry *ret, struct dg_error *err)
{
	struct dg_list_spec spec;
	const json_t *object;
	size_t i;

	ret->lists = 0;
	if (!json_is_array(lists))
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "there is no array \"lists\"");
	json_array_foreach(lists, i, object)
	{
		int rc = spec_read(object, &spec, err);

		if (!rc)
			rc = dg_registry_add(ret, &spec, false, err);
		if (rc)
			return rc;
	}
	return 0;
}

int dg_registry_load(const struct dg_dir *lists, struct dg_registry *ret, struct dg_error *err)
{
	dg_scoped_free char *text = NULL;
	struct dg_error inner = { .text = "" };
	json_error_t at;
	json_t *document;
	int rc = dg_dir_read(lists, REGISTRY, REGISTRY_BYTES_MAX, &text, err);

	ret->lists = 0;
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	document = json_loads(text, JSON_REJECT_DUPLICATES, &at);
	if (!document)
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "%s/" REGISTRY ":%d:%d: %s",
			       lists->path, at.line, at.column, at.text);
	rc = lists_read(json_object_get(document, "lists"), ret, &inner);
	json_decref(document);
	return rc ? dg_fail(err, rc, DG_EXIT_FAILED, "%s/" REGISTRY ": %.800s", lists->path,
			    inner.text) :
		    0;
}

int dg_registry_save(const struct dg_dir *lists, const struct dg_registry *registry,
		     struct dg_error *err)
{
	json_t *array = json_array(), *document;
	dg_scoped_free char *text = NULL;

	for (__u32 i = 0; i < registry->lists; i++)
		json_array_append_new(array, dg_list_spec_json(registry->list + i));
	document = json_pack("{s:i, s:o}", "schema", 1, "lists", array);
	text = document ? json_dumps(document, JSON_INDENT(2)) : NULL;
	json_decref(document);
	if (!text)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	return dg_dir_write(lists, REGISTRY, text, err);
}

/* ---- the directory -------------------------------------------------------------------------- */

int dg_lists_open(const char *state_dir, bool make, struct dg_dir *ret, struct dg_error *err)
{
	dg_scoped_dir struct dg_dir state = DG_DIR_NONE;
	int rc;

	if (make && mkdir(state_dir, 0755) && errno != EEXIST)
		return dg_fail(err, -errno, DG_EXIT_FAILED,
			       "state directory %s: cannot make it: %s; run it as root, with sudo",
			       DG_QUOTE(state_dir), strerror(errno));
	rc = dg_dir_open(state_dir, &state, err);
	return rc ? rc : dg_dir_enter(&state, "lists", make, ret, err);
}

/* Who holds it stands in the file, for the message alone. */
static void owner_note(int fd)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (!ftruncate(fd, 0))
		(void)!pwrite(fd, text, (size_t)len, 0);
}

int dg_lists_lock(const struct dg_dir *lists, int *ret_fd, struct dg_error *err)
{
	dg_scoped_fd int fd = openat(lists->fd, ".lock",
				     O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
	int rc = fd < 0 ? -errno : dg_flock_wait(fd, DG_LOCK_WAIT_NS);
	char owner[16] = "";

	if (rc == -EWOULDBLOCK) {
		ssize_t len = pread(fd, owner, sizeof(owner) - 1, 0);

		owner[len > 0 ? strcspn(owner, "\n") : 0] = '\0';
		return dg_fail(
			err, rc, DG_EXIT_FAILED,
			"another dnsguard (process %s) has been changing the lists for 10 s: try "
			"again later",
			owner);
	}
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "%s/.lock: cannot open it: %s%s",
			       lists->path, strerror(-rc),
			       rc == -EACCES ? "; run it as root, with sudo" : "");
	owner_note(fd);
	*ret_fd = dg_take_fd(fd);
	return 0;
}
