// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * update.c - a run of the pipeline: refresh what is asked for, compile all lists at once, publish, commit.
 *
 * Order is what makes it safe. All that can be refused is refused before anything is changed; then the kernel's image is
 * swapped, then the disk follows by renames. Whoever dies in between leaves an old or a new image and old or new
 * contents; compiled.json says what the image was made of, so the next run sees whether they belong together.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "bpf/hash.h"
#include "userspace/lib/quote.h"
#include "userspace/lib/update_internal.h"

#define COMPILED "compiled.json"
#define COMPILED_BYTES_MAX (1 << 20)
#define KEY_TEXT 32
#define FILES_MAX 1024 /* as many as dnsguard-compile takes at once */

void dg_run_tell(const struct dg_run *run, const struct dg_update_progress *progress)
{
	if (run->want->progress)
		run->want->progress(progress, run->want->arg);
}

/* ---- a run's beginning and end -------------------------------------------------------------- */

static void items_free(struct dg_run *run)
{
	for (__u32 i = 0; run->item && i < run->count; i++) {
		dg_inputs_close(&run->item[i].inputs);
		dg_dir_close(&run->item[i].dir);
		json_decref(run->item[i].check);
	}
	free(run->item);
	run->item = NULL;
}

static void run_close(struct dg_run *run)
{
	items_free(run);
	free(run->registry);
	json_decref(run->report);
	dg_image_unmap(run->elements, run->elements_count);
	dg_maps_close(&run->maps);
	dg_dir_close(&run->lists);
	dg_close_fd(&run->protect);
	dg_close_fd(&run->lock);
}
#define scoped_run dg_scoped(run_close)

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

/* A list's directory that no registry names: half added, or half removed. */
static void orphan_remove(const struct dg_dir *lists, const char *name)
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

static void one_sweep(struct dg_run *run, const char *name)
{
	dg_scoped_dir struct dg_dir dir = DG_DIR_NONE;

	if (!dg_registry_find(run->registry, name))
		orphan_remove(&run->lists, name);
	else if (!dg_dir_enter(&run->lists, name, false, &dir, NULL))
		dg_stage_sweep(&dir);
}

/* Leftovers of runs that died. Without a registry nothing is known to be left over. */
static void sweep(struct dg_run *run)
{
	DIR *dir = fdopendir(dup(run->lists.fd));
	struct dirent *entry;

	dg_dir_remove(&run->lists, ".work");
	dg_dir_remove(&run->lists, "registry.json.new");
	dg_dir_remove(&run->lists, COMPILED ".new");
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

static int run_open(struct dg_run *run, const struct dg_update *want, struct dg_error *err)
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
static int items_make(struct dg_run *run, struct dg_error *err)
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

static struct dg_item *item_find(const struct dg_run *run, const char *name)
{
	for (__u32 i = 0; i < run->count; i++)
		if (!strcmp(run->item[i].spec.name, name))
			return run->item + i;
	return NULL;
}

static int unknown(const char *name, struct dg_error *err)
{
	return dg_fail(err, -ENOENT, DG_EXIT_NOT_FOUND,
		       "there is no list %s: \"dnsguard list ls\" shows those there are",
		       DG_QUOTE(name));
}

static int items_select(struct dg_run *run, struct dg_error *err)
{
	for (__u32 i = 0; i < run->want->count; i++) {
		struct dg_item *item = item_find(run, run->want->names[i]);

		if (!item)
			return unknown(run->want->names[i], err);
		item->selected = true;
	}
	for (__u32 i = 0; !run->want->count && i < run->count; i++)
		run->item[i].selected = true;
	return 0;
}

/* ---- one list's refresh --------------------------------------------------------------------- */

static void item_stale(struct dg_item *item)
{
	__u64 now = dg_unix_now();

	item->outcome = DG_OUTCOME_STALE;
	item->candidate = false;
	item->next = item->meta;
	item->next.attempted = now;
	item->next.failures++;
	if (!item->next.stale_since)
		item->next.stale_since = now;
	snprintf(item->next.error, sizeof(item->next.error), "%.600s", item->err.text);
	dg_inputs_close(&item->inputs);
	dg_stage_sweep(&item->dir);
}

static void item_fresh(struct dg_item *item)
{
	item->outcome = item->candidate ? DG_OUTCOME_UPDATED : DG_OUTCOME_SAME;
	item->next.fetched = item->next.attempted;
	item->next.stale_since = item->next.failures = 0;
	item->next.error[0] = '\0';
}

static void item_refresh(struct dg_run *run, struct dg_item *item)
{
	int rc = dg_stage(run, item);

	if (!rc && item->candidate) {
		rc = dg_stage_inputs(item, &item->err);
		if (!rc)
			rc = dg_compile_check(run, item);
		if (!rc)
			rc = dg_judge(run, item);
	}
	if (rc)
		item_stale(item);
	else
		item_fresh(item);
}

/* ---- do image and contents belong together? ------------------------------------------------- */

/* What an image is made of: each list's words and the generation of its content. */
static json_t *inputs_json(const struct dg_run *run)
{
	json_t *inputs = json_array();

	for (__u32 i = 0; i < run->count; i++) {
		const struct dg_item *item = run->item + i;
		__u64 generation = item->outcome ? item->next.generation : item->meta.generation;

		if (item->inputs.count)
			json_array_append_new(inputs, json_pack("[s, s, s, s, i, b, I]",
								item->spec.name, item->spec.format,
								item->spec.match, item->spec.answer,
								item->spec.ede, item->spec.observe,
								(json_int_t)generation));
	}
	return inputs;
}

static json_t *compiled_read(const struct dg_run *run)
{
	dg_scoped_free char *text = NULL;

	if (dg_dir_read(&run->lists, COMPILED, COMPILED_BYTES_MAX, &text, NULL))
		return NULL;
	return json_loads(text, 0, NULL);
}

/* What an image must have been made for to be of use: the key and the layout. */
static void key_text(const struct dg_run *run, char buf[KEY_TEXT])
{
	snprintf(buf, KEY_TEXT, "%016llx/%u", (unsigned long long)dg_hash_key_check(run->key),
		 DG_ABI_VERSION);
}

/* Of the image that is published; 0 = none is. */
static __u64 generation_live(const struct dg_run *run)
{
	struct dg_image_header header;

	return run->attached && !dg_image_current(&run->maps, &header, NULL, NULL) ?
		       header.generation :
		       0;
}

static __u64 generation_of(const json_t *compiled)
{
	return (__u64)json_integer_value(json_object_get(compiled, "generation"));
}

static bool is_kept(const struct dg_run *run)
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/image", run->want->state_dir) < PATH_MAX &&
	       !access(path, F_OK);
}

static bool is_in_step(const struct dg_run *run)
{
	json_t *compiled = compiled_read(run), *inputs = inputs_json(run);
	const char *key = json_string_value(json_object_get(compiled, "made_for"));
	char now[KEY_TEXT];
	bool same;

	key_text(run, now);
	same = json_equal(json_object_get(compiled, "inputs"), inputs) && key && !strcmp(key, now);
	if (run->attached)
		same = same && generation_live(run) == generation_of(compiled);
	else
		same = same && (is_kept(run) || !json_array_size(inputs));
	json_decref(compiled);
	json_decref(inputs);
	return same;
}

static int compiled_write(const struct dg_run *run, struct dg_error *err)
{
	const struct dg_image_header *header = run->elements;
	dg_scoped_free char *text = NULL;
	char key[KEY_TEXT];
	json_t *document;

	key_text(run, key);
	document = json_pack("{s:i, s:o, s:I, s:s}", "schema", 1, "inputs", inputs_json(run),
			     "generation", header ? (json_int_t)header->generation : 0, "made_for",
			     key);
	text = document ? json_dumps(document, JSON_INDENT(1)) : NULL;
	json_decref(document);
	return text ? dg_dir_write(&run->lists, COMPILED, text, err) :
		      dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
}

/* ---- all lists ------------------------------------------------------------------------------ */

static int inputs_open(struct dg_run *run, struct dg_error *err)
{
	int rc = 0;

	__u32 files = 0;

	for (__u32 i = 0; !rc && i < run->count; i++) {
		if (!run->item[i].inputs.count)
			rc = dg_stage_inputs(run->item + i, err);
		files += run->item[i].inputs.count;
	}
	if (!rc && files > FILES_MAX)
		rc = dg_fail(err, -E2BIG, DG_EXIT_UNSAFE,
			     "all lists together have %u files, at most %d are allowed", files,
			     FILES_MAX);
	return rc;
}

static bool any_inputs(const struct dg_run *run)
{
	for (__u32 i = 0; i < run->count; i++)
		if (run->item[i].inputs.count)
			return true;
	return false;
}

/* The one moment at which the kernel changes. Only an image of ours is taken away when no list is left. */
static int publish(struct dg_run *run, struct dg_error *err)
{
	struct dg_update_progress progress = { .phase = "publish" };
	json_t *compiled;
	int rc = 0;

	dg_run_tell(run, &progress);
	if (run->elements)
		rc = dg_image_publish(&run->maps, run->elements, run->elements_count, err);
	else {
		compiled = compiled_read(run);
		if (generation_live(run) && generation_live(run) == generation_of(compiled))
			rc = dg_image_drop(&run->maps, err);
		json_decref(compiled);
	}
	run->published = !rc;
	return rc;
}

static int publish_locked(struct dg_run *run, struct dg_error *err)
{
	dg_scoped_fd int lock = -1;
	int rc = run->attached ? dg_lock(run->want->bpffs, &lock, err) : 0;

	if (!rc && run->attached)
		rc = publish(run, err);
	if (!rc && run->attached)
		rc = dg_update_sources(run, err);
	return rc;
}

/* The disk follows: contents, registry, the image for the next attach, and what it was made of. */
static int commit(struct dg_run *run, bool compiled, struct dg_error *err)
{
	int rc = 0;

	for (__u32 i = 0; !rc && i < run->count; i++)
		if (run->item[i].outcome)
			rc = dg_stage_commit(run->item + i, err);
	if (!rc && run->registry_changed)
		rc = dg_registry_save(&run->lists, run->registry, err);
	if (!rc && compiled)
		rc = dg_image_keep(run->want->state_dir, run->elements, run->elements_count, err);
	if (!rc && compiled)
		rc = compiled_write(run, err);
	return rc;
}

/* What was fetched and not taken over goes at once: it may be large. */
static void candidates_drop(struct dg_run *run)
{
	for (__u32 i = 0; i < run->count; i++)
		if (run->item[i].candidate)
			dg_stage_sweep(&run->item[i].dir);
}

static int finish(struct dg_run *run, struct dg_error *err)
{
	bool compile;
	int rc = inputs_open(run, err);

	if (rc)
		return rc;
	compile = !is_in_step(run);
	if (compile && any_inputs(run)) {
		rc = dg_judge_memory(run, err);
		if (!rc)
			rc = dg_compile_all(run, err);
	}
	if (!rc && compile)
		rc = publish_locked(run, err);
	if (!rc)
		rc = commit(run, compile, err);
	candidates_drop(run);
	return rc;
}

/* ---- the three runs ------------------------------------------------------------------------- */

int dg_update_run(const struct dg_update *want, json_t **ret_report, struct dg_error *err)
{
	scoped_run struct dg_run run;
	int rc = run_open(&run, want, err);

	if (!rc)
		rc = items_make(&run, err);
	if (!rc)
		rc = items_select(&run, err);
	for (__u32 i = 0; !rc && i < run.count; i++)
		if (run.item[i].selected)
			item_refresh(&run, run.item + i);
	if (!rc)
		rc = finish(&run, err);
	*ret_report = dg_run_report(&run);
	return rc;
}

/* What the first five bad lines are, under the sentence that refuses the list. */
static void problems_append(const struct dg_item *item, struct dg_error *err)
{
	const json_t *problem,
		*problems = json_object_get(dg_report_list(item->check, 0), "problems");
	size_t i, used = strlen(err->text);

	json_array_foreach(problems, i, problem)
	{
		const char *file = json_string_value(json_object_get(problem, "file"));
		const char *reason = json_string_value(json_object_get(problem, "reason"));

		snprintf(err->text + used, sizeof(err->text) - used, "\n  %.120s:%lld:%lld: %.100s",
			 file ? file : "?",
			 (long long)json_integer_value(json_object_get(problem, "line")),
			 (long long)json_integer_value(json_object_get(problem, "column")),
			 reason ? reason : "?");
		used += strlen(err->text + used);
	}
}

static int add_refresh(struct dg_run *run, const char *name, struct dg_error *err)
{
	struct dg_item *item = item_find(run, name);

	item->selected = true;
	item_refresh(run, item);
	if (item->outcome != DG_OUTCOME_STALE)
		return 0;
	*err = item->err;
	problems_append(item, err);
	return -EINVAL;
}

int dg_update_add(const struct dg_update *want, const struct dg_update_add *add,
		  json_t **ret_report, struct dg_error *err)
{
	scoped_run struct dg_run run;
	int rc = dg_list_spec_check(&add->spec, err);

	*ret_report = NULL;
	run = (struct dg_run){
		.lists = DG_DIR_NONE, .lock = -1, .protect = -1, .maps = DG_MAPS_NONE
	};
	if (!rc)
		rc = run_open(&run, want, err);
	if (!rc)
		rc = dg_registry_add(run.registry, &add->spec, add->first, err);
	if (rc)
		return rc;
	run.registry_changed = true;
	rc = items_make(&run, err);
	if (!rc && add->fetch)
		rc = add_refresh(&run, add->spec.name, err);
	if (!rc)
		rc = finish(&run, err);
	if (rc)
		orphan_remove(&run.lists, add->spec.name);
	else
		*ret_report = dg_run_report(&run);
	return rc;
}

int dg_update_move(const struct dg_update *want, const char *name, __u32 position,
		   json_t **ret_report, struct dg_error *err)
{
	scoped_run struct dg_run run;
	int rc = run_open(&run, want, err);

	*ret_report = NULL;
	if (!rc && !dg_registry_find(run.registry, name))
		rc = unknown(name, err);
	if (rc)
		return rc;
	dg_registry_move(run.registry, name, position);
	run.registry_changed = true;
	rc = items_make(&run, err);
	if (!rc)
		rc = finish(&run, err);
	if (!rc)
		*ret_report = dg_run_report(&run);
	return rc;
}

int dg_update_remove(const struct dg_update *want, const char *name, json_t **ret_report,
		     struct dg_error *err)
{
	scoped_run struct dg_run run;
	int rc = run_open(&run, want, err);

	*ret_report = NULL;
	if (!rc && !dg_registry_find(run.registry, name))
		rc = unknown(name, err);
	if (rc)
		return rc;
	dg_registry_remove(run.registry, name);
	run.registry_changed = true;
	rc = items_make(&run, err);
	if (!rc)
		rc = finish(&run, err);
	if (!rc) {
		orphan_remove(&run.lists, name);
		*ret_report = dg_run_report(&run);
	}
	return rc;
}
