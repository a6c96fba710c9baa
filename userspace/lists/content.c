// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * content.c - what lies in a list's directory, and how a new content takes the place of the old one.
 *
 * content (or content.d), meta.json, zone if the daemon follows a primary, and while a run is under way candidate (or
 * candidate.d) and candidate.json. A candidate is taken over by renaming it; candidate.json names its inode, so that a
 * later run can tell whether the renaming took place and finish it. Nobody reads the bytes here.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "userspace/lib/quote.h"
#include "userspace/lists/internal.h"

/* ---- the files of a directory --------------------------------------------------------------- */

static int name_compare(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

void dg_file_names_free(struct dg_file_names *names)
{
	for (__u32 i = 0; i < names->count; i++)
		free(names->name[i]);
}

int dg_file_names_read(int dir_fd, const char *path, struct dg_file_names *ret,
		       struct dg_error *err)
{
	DIR *dir = fdopendir(dup(dir_fd));
	struct dirent *entry;

	ret->count = 0;
	if (!dir)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "directory %s: %s", DG_QUOTE(path),
			       strerror(errno));
	rewinddir(dir);
	while ((entry = readdir(dir)) && ret->count < DG_LIST_FILES_MAX) {
		size_t len = strlen(entry->d_name);

		if (entry->d_name[0] != '.' && entry->d_name[len - 1] != '~')
			ret->name[ret->count++] = strdup(entry->d_name);
	}
	closedir(dir);
	if (entry)
		return dg_fail(err, -E2BIG, DG_EXIT_UNSAFE, "directory %s holds more than %d files",
			       DG_QUOTE(path), DG_LIST_FILES_MAX);
	if (ret->count)
		qsort(ret->name, ret->count, sizeof(ret->name[0]), name_compare);
	return 0;
}

/* ---- opening what is to be compiled --------------------------------------------------------- */

static int inputs_directory(struct dg_item *item, const char *name, struct dg_error *err)
{
	dg_scoped_file_names struct dg_file_names names = { 0 };
	dg_scoped_dir struct dg_dir dir = DG_DIR_NONE;
	char label[DG_LIST_SOURCE_MAX + sizeof(struct dg_quoted) + 2];
	int rc = dg_dir_enter(&item->dir, name, false, &dir, err);

	if (!rc)
		rc = dg_file_names_read(dir.fd, dir.path, &names, err);
	for (__u32 i = 0; !rc && i < names.count; i++) {
		int fd;

		snprintf(label, sizeof(label), "%s/%s", item->spec.source,
			 dg_text_is_clean(names.name[i]) ? names.name[i] : DG_QUOTE(names.name[i]));
		rc = dg_dir_file_open(&dir, names.name[i], &fd, err);
		if (!rc)
			rc = dg_inputs_add(&item->inputs, fd, label);
	}
	return rc;
}

int dg_content_open(struct dg_item *item, struct dg_error *err)
{
	const struct dg_list_meta *meta = item->candidate ? &item->next : &item->meta;
	const char *name = item->candidate ? "candidate" : "content";
	char directory[16], shown[DG_LIST_SOURCE_MAX];
	int fd, rc;

	if (!meta->content_inode)
		return 0; /* never fetched yet */
	snprintf(directory, sizeof(directory), "%s.d", name);
	if (meta->directory)
		rc = inputs_directory(item, directory, err);
	else {
		rc = dg_dir_file_open(&item->dir, name, &fd, err);
		if (!rc)
			rc = dg_inputs_add(&item->inputs, fd,
					   dg_list_source_text(item->spec.source, shown));
	}
	return rc == -ENOENT ? dg_fail(err, rc, DG_EXIT_FAILED,
				       "%s/%s is gone: \"dnsguard list update "
				       "--force %s\" fetches it again",
				       item->dir.path, name, item->spec.name) :
			       rc;
}

/* ---- taking over ----------------------------------------------------------------------------- */

const char *dg_candidate_name(const struct dg_item *item)
{
	return item->next.directory ? "candidate.d" : "candidate";
}

/* Puts the candidate where the content is; a directory cannot be renamed over another one. */
static int candidate_rename(struct dg_item *item, struct dg_error *err)
{
	const char *from = dg_candidate_name(item);
	const char *to = item->next.directory ? "content.d" : "content";

	if (item->next.directory &&
	    !renameat2(item->dir.fd, from, item->dir.fd, to, RENAME_EXCHANGE)) {
		fsync(item->dir.fd);
		return 0;
	}
	return dg_dir_rename(&item->dir, from, to, err);
}

int dg_content_commit(struct dg_item *item, struct dg_error *err)
{
	int rc = 0;

	if (!item->candidate)
		return dg_list_meta_write(&item->dir, "meta.json", &item->next, err);
	rc = dg_list_meta_write(&item->dir, "candidate.json", &item->next, err);
	if (!rc)
		rc = candidate_rename(item, err);
	if (!rc)
		rc = dg_dir_rename(&item->dir, "candidate.json", "meta.json", err);
	if (!rc) {
		item->candidate = false;
		dg_content_sweep(&item->dir);
	}
	return rc;
}

/* ---- leftovers ------------------------------------------------------------------------------- */

void dg_content_sweep(const struct dg_dir *list)
{
	struct dg_list_meta meta;
	struct dg_error err;

	if (!dg_list_meta_read(list, "candidate.json", &meta, &err)) {
		const char *content = meta.directory ? "content.d" : "content";

		if (meta.content_inode && dg_dir_inode(list, content) == meta.content_inode)
			dg_dir_rename(list, "candidate.json", "meta.json", &err);
	}
	dg_dir_remove(list, "candidate.json");
	dg_dir_remove(list, "candidate.json.new");
	dg_dir_remove(list, "meta.json.new");
	dg_dir_remove(list, "candidate");
	dg_dir_remove(list, "candidate.d");
	if (!dg_list_meta_read(list, "meta.json", &meta, &err))
		dg_dir_remove(list, meta.directory ? "content" : "content.d");
}

/* A list's directory that no registry names: half added, or half removed. */
void dg_content_remove(const struct dg_dir *lists, const char *name)
{
	static const char *const files[] = { "content",	  "content.d",	   "meta.json",
					     "candidate", "candidate.d",   "candidate.json",
					     "zone",	  "meta.json.new", "candidate.json.new" };
	dg_scoped_dir struct dg_dir dir = DG_DIR_NONE;

	if (dg_dir_enter(lists, name, false, &dir, NULL))
		return;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		dg_dir_remove(&dir, files[i]);
	unlinkat(lists->fd, name, AT_REMOVEDIR); /* what somebody else put there keeps it */
}
