// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run.c - a run's beginning and end: the lock, the registry, the guard if there is one, a list's items.
 *
 * Also sweeps what runs that died left behind. A list's directory that somebody is fetching into is locked, and left alone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "userspace/lib/quote.h"
#include "userspace/lists/internal.h"

/* ---- the end -------------------------------------------------------------------------------- */

static void items_free(struct dg_run *run)
{
	for (__u32 i = 0; run->item && i < run->count; i++)
		dg_item_close(run->item + i);
	free(run->item);
	run->item = NULL;
}

void dg_run_close(struct dg_run *run)
{
	items_free(run);
	free(run->registry);
	json_decref(run->report);
	json_decref(run->gone);
	dg_image_unmap(run->elements, run->elements_count);
	dg_maps_close(&run->maps);
	dg_dir_close(&run->lists);
	dg_close_fd(&run->protect);
	dg_close_fd(&run->lock);
}

/* ---- the beginning -------------------------------------------------------------------------- */

/* Each list's files stay open until all are compiled. */
static void descriptors_allow(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* The running guard's key; without a guard the one that the next attach will use. */
static int guard_find(struct dg_run *run, struct dg_error *err)
{
	struct dg_settings settings;
	int rc = dg_maps_open(run->want->bpffs, &run->maps, err);

	run->attached = !rc;
	if (rc == -ENOENT)
		return run->want->key(run->want->state_dir, run->key, err);
	if (!rc && dg_settings_read(&run->maps, &settings))
		rc = dg_fail(err, -EIO, DG_EXIT_FAILED, "the guard's settings cannot be read");
	if (!rc)
		memcpy(run->key, settings.hash_key, sizeof(run->key));
	return rc;
}

static void one_sweep(struct dg_run *run, const char *name)
{
	dg_scoped_dir struct dg_dir dir = DG_DIR_NONE;

	if (dg_dir_enter(&run->lists, name, false, &dir, NULL) ||
	    flock(dir.fd, LOCK_EX | LOCK_NB)) /* somebody fetches into it right now */
		return;
	if (dg_registry_find(run->registry, name))
		dg_content_sweep(&dir);
	else
		dg_content_remove(&run->lists, name);
}

/* Leftovers of runs that died. Without a registry nothing is known to be left over. */
static void sweep(struct dg_run *run)
{
	DIR *dir = fdopendir(dup(run->lists.fd));
	struct dirent *entry;

	dg_dir_remove(&run->lists, ".work");
	dg_dir_remove(&run->lists, "registry.json.new");
	dg_dir_remove(&run->lists, "compiled.json.new");
	if (!dir)
		return;
	rewinddir(dir);
	while (dg_dir_inode(&run->lists, "registry.json") && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && entry->d_type == DT_DIR)
			one_sweep(run, entry->d_name);
	closedir(dir);
}

/* The operator's own names that no list may block. The compiler opens it as nobody. */
static int protect_open(struct dg_run *run, struct dg_error *err)
{
	dg_scoped_dir struct dg_dir state = DG_DIR_NONE;
	struct stat st;
	int rc = dg_dir_open(run->want->state_dir, &state, err);

	if (!rc)
		rc = dg_dir_file_open(&state, "protected", &run->protect, err);
	if (!rc && !fstat(run->protect, &st) && !(st.st_mode & S_IROTH))
		return dg_fail(err, -EACCES, DG_EXIT_FAILED,
			       "%s/protected is not readable for the compiler: chmod o+r it",
			       state.path);
	return rc == -ENOENT ? 0 : rc;
}

int dg_run_open(struct dg_run *run, const struct dg_update *want, struct dg_error *err)
{
	int rc;

	*run = (struct dg_run){
		.want = want, .lists = DG_DIR_NONE, .lock = -1, .protect = -1, .maps = DG_MAPS_NONE
	};
	run->registry = malloc(sizeof(*run->registry));
	descriptors_allow();
	rc = run->registry ? dg_lists_open(want->state_dir, true, &run->lists, err) : -ENOMEM;
	if (!rc)
		rc = dg_lists_lock(&run->lists, &run->lock, err);
	if (!rc)
		rc = dg_registry_load(&run->lists, run->registry, err);
	if (!rc)
		rc = protect_open(run, err);
	if (!rc)
		rc = guard_find(run, err);
	if (!rc)
		sweep(run);
	return rc;
}

/* Opens the directory of every list of the registry. */
int dg_run_items(struct dg_run *run, struct dg_error *err)
{
	int rc = 0;

	run->count = run->registry->lists;
	run->item = calloc(run->count + 1, sizeof(*run->item));
	if (!run->item)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	for (__u32 i = 0; i < run->count; i++)
		run->item[i].dir = DG_DIR_NONE;
	for (__u32 i = 0; !rc && i < run->count; i++) {
		struct dg_item *item = run->item + i;

		item->spec = run->registry->list[i];
		rc = dg_dir_enter(&run->lists, item->spec.name, true, &item->dir, err);
		if (!rc)
			rc = dg_list_meta_read(&item->dir, "meta.json", &item->meta, err);
		rc = rc == -ENOENT ? 0 : rc;
	}
	return rc;
}

struct dg_item *dg_run_item(const struct dg_run *run, const char *name)
{
	for (__u32 i = 0; i < run->count; i++)
		if (!strcmp(run->item[i].spec.name, name))
			return run->item + i;
	return NULL;
}

int dg_run_unknown(const char *name, struct dg_error *err)
{
	return dg_fail(err, -ENOENT, DG_EXIT_NOT_FOUND,
		       "there is no list %s: \"dnsguard list ls\" shows those there are",
		       DG_QUOTE(name));
}

int dg_run_select(struct dg_run *run, struct dg_error *err)
{
	for (__u32 i = 0; i < run->want->count; i++) {
		struct dg_item *item = dg_run_item(run, run->want->names[i]);

		if (!item)
			return dg_run_unknown(run->want->names[i], err);
		item->selected = true;
	}
	for (__u32 i = 0; !run->want->count && i < run->count; i++)
		run->item[i].selected = true;
	return 0;
}
