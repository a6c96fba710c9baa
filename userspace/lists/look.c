// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * look.c - looks into lists without changing anything: check a file, dump a list, find a name's line.
 *
 * No lock is taken: contents are replaced whole, and what is open stays what it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "userspace/lib/quote.h"
#include "userspace/lists/internal.h"

#define scoped_item dg_scoped(dg_item_close)

/* ---- a file that is no list yet ------------------------------------------------------------- */

/* A file, or the files of a directory as a list of it would have them. The descriptor is taken over. */
static int check_open(struct dg_item *item, int fd)
{
	dg_scoped_file_names struct dg_file_names names = { 0 };
	dg_scoped_fd int dir = fd;
	char label[DG_LIST_SOURCE_MAX + sizeof(struct dg_quoted) + 2];
	struct stat st;
	int rc = fstat(dir, &st) ? -errno : 0;

	if (!rc && !S_ISDIR(st.st_mode))
		return dg_inputs_add(&item->inputs, dg_take_fd(dir), item->spec.source);
	if (!rc)
		rc = dg_file_names_read(dir, item->spec.source, &names, &item->err);
	for (__u32 i = 0; !rc && i < names.count; i++) {
		int one = openat(dir, names.name[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK);

		if (one >= 0 && (fstat(one, &st) || !S_ISREG(st.st_mode)))
			dg_close_fd(&one);
		else if (one < 0)
			return dg_fail(&item->err, -errno, DG_EXIT_FAILED,
				       "file %s of it: cannot open it: %s", DG_QUOTE(names.name[i]),
				       strerror(errno));
		snprintf(label, sizeof(label), "%s/%s", item->spec.source,
			 dg_text_is_clean(names.name[i]) ? names.name[i] : DG_QUOTE(names.name[i]));
		if (one >= 0)
			rc = dg_inputs_add(&item->inputs, one, label);
	}
	return !rc && !item->inputs.count ?
		       dg_fail(&item->err, -ENODATA, DG_EXIT_UNSAFE, "directory %s holds no file",
			       DG_QUOTE(item->spec.source)) :
		       rc;
}

int dg_update_check(const struct dg_list_spec *spec, bool force, json_t **ret_report,
		    struct dg_error *err)
{
	const struct dg_update want = { .force = force };
	struct dg_run run = DG_RUN_NONE;
	scoped_item struct dg_item item = { .spec = *spec, .dir = DG_DIR_NONE };
	int fd = open(spec->source, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

	run.want = &want;
	*ret_report = NULL;
	if (fd < 0)
		return dg_fail(err, -errno, errno == ENOENT ? DG_EXIT_NOT_FOUND : DG_EXIT_FAILED,
			       "file %s: cannot open it: %s", DG_QUOTE(spec->source),
			       strerror(errno));
	rc = check_open(&item, fd);
	if (!rc)
		rc = dg_compile_check(&run, &item);
	if (!rc)
		rc = dg_judge(&run, &item);
	if (rc) {
		*err = item.err;
		dg_judge_counts(dg_report_list(item.check, 0), &item.next.counts);
	}
	item.selected = true;
	item.outcome = rc ? DG_OUTCOME_STALE : DG_OUTCOME_UPDATED;
	run.item = &item;
	run.count = 1;
	*ret_report = dg_run_report(&run);
	return rc;
}

/* ---- a list's content ----------------------------------------------------------------------- */

static int item_open(const char *state_dir, const char *name, struct dg_item *item,
		     struct dg_error *err)
{
	dg_scoped_free struct dg_registry *registry = malloc(sizeof(*registry));
	dg_scoped_dir struct dg_dir lists = DG_DIR_NONE;
	const struct dg_list_spec *spec = NULL;
	int rc = registry ? dg_lists_open(state_dir, false, &lists, err) : -ENOMEM;

	if (!rc)
		rc = dg_registry_load(&lists, registry, err);
	if (!rc)
		spec = dg_registry_find(registry, name);
	if ((!rc && !spec) || rc == -ENOENT)
		return dg_fail(err, -ENOENT, DG_EXIT_NOT_FOUND,
			       "there is no list %s: \"dnsguard list ls\" shows those there are",
			       DG_QUOTE(name));
	if (rc)
		return rc;
	item->spec = *spec;
	rc = dg_dir_enter(&lists, name, false, &item->dir, err);
	if (!rc)
		rc = dg_list_meta_read(&item->dir, "meta.json", &item->meta, err);
	if (!rc)
		rc = dg_content_open(item, err);
	if (rc == -ENOENT || (!rc && !item->inputs.count))
		return dg_fail(err, -ENOENT, DG_EXIT_NOT_FOUND,
			       "list %s has no content yet: \"dnsguard list update %s\" fetches it",
			       name, name);
	return rc;
}

int dg_update_dump(const char *state_dir, const char *name, int out_fd, struct dg_error *err)
{
	const struct dg_compile_ask dump = { "--dump", NULL, out_fd };
	scoped_item struct dg_item item = { .dir = DG_DIR_NONE };
	int rc = item_open(state_dir, name, &item, err);

	return rc ? rc : dg_compile_ask(&item, &dump, NULL, err);
}

json_t *dg_update_where(const char *state_dir, const char *list, const char *name)
{
	const struct dg_compile_ask where = { "--where", name, -1 };
	scoped_item struct dg_item item = { .dir = DG_DIR_NONE };
	dg_scoped_free char *said = NULL;
	struct dg_error err;
	json_t *document, *found;

	if (item_open(state_dir, list, &item, &err) || dg_compile_ask(&item, &where, &said, &err))
		return NULL;
	document = json_loads(said ? said : "", 0, NULL);
	found = json_incref(json_object_get(document, "where"));
	json_decref(document);
	dg_places_clean(found, &item.inputs);
	return found;
}

/* ---- what an update would bring ------------------------------------------------------------- */

/* Stages into a directory of its own, so that the list's own candidate is left alone. */
static int source_stage(const struct dg_run *run, struct dg_item *item, struct dg_error *err)
{
	int rc;

	item->meta.content_inode = 0; /* fetch it whatever it was last time */
	rc = dg_stage(run, item);
	if (!rc)
		rc = dg_content_open(item, &item->err);
	if (rc)
		*err = item->err;
	return rc;
}

int dg_update_dump_source(const struct dg_update *want, const char *name, int out_fd,
			  struct dg_error *err)
{
	const struct dg_compile_ask dump = { "--dump", NULL, out_fd };
	scoped_item struct dg_item item = { .dir = DG_DIR_NONE };
	struct dg_run run = DG_RUN_NONE;
	dg_scoped_dir struct dg_dir scratch = DG_DIR_NONE;
	char path[] = "/tmp/dnsguard-diff-XXXXXX";
	int rc = item_open(want->state_dir, name, &item, err);

	if (rc)
		return rc;
	run.want = want;
	dg_inputs_close(&item.inputs);
	if (!mkdtemp(path))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "%s: %s", path, strerror(errno));
	rc = dg_dir_open(path, &scratch, err);
	if (!rc) {
		dg_dir_close(&item.dir);
		item.dir = scratch;
		scratch.fd = -1;
		rc = source_stage(&run, &item, err);
	}
	dg_dir_remove(&item.dir, "candidate");
	dg_dir_remove(&item.dir, "candidate.d");
	rmdir(path);
	return rc ? rc : dg_compile_ask(&item, &dump, NULL, err);
}
