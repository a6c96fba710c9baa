// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stage.c - brings a source's bytes into the list's directory as a candidate, and makes it the content.
 *
 * Nobody reads the bytes here. In a list's directory: content (or content.d), meta.json, zone if the daemon follows a
 * primary, and while a run is under way candidate (or candidate.d) and candidate.json. A candidate is taken over by
 * renaming it; candidate.json names its inode, so that a later run can tell whether the renaming took place and finish it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <time.h>

#include "userspace/lib/quote.h"
#include "userspace/lists/internal.h"

#define COPY_CHUNK (8 << 20)
#define FETCH_SECONDS_MAX 900
#define NS_PER_SEC 1000000000ull

__u64 dg_unix_now(void)
{
	return (__u64)time(NULL);
}

/* ---- inputs --------------------------------------------------------------------------------- */

void dg_inputs_close(struct dg_inputs *inputs)
{
	for (__u32 i = 0; i < inputs->count; i++) {
		close(inputs->fd[i]);
		free(inputs->label[i]);
	}
	inputs->count = 0;
}

int dg_inputs_add(struct dg_inputs *inputs, int fd, const char *label)
{
	char *copy = inputs->count < DG_LIST_FILES_MAX ? strdup(label) : NULL;

	if (!copy) {
		close(fd);
		return -ENOSPC;
	}
	inputs->fd[inputs->count] = fd;
	inputs->label[inputs->count++] = copy;
	return 0;
}

static int name_compare(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The names of a directory's files, sorted; hidden ones and editors' backups are left out. */
struct names {
	__u32 count;
	char *name[DG_LIST_FILES_MAX];
};

static void names_free(struct names *names)
{
	for (__u32 i = 0; i < names->count; i++)
		free(names->name[i]);
}

static int names_read(int dir_fd, const char *path, struct names *ret, struct dg_error *err)
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

static int inputs_directory(struct dg_item *item, const char *name, struct dg_error *err)
{
	dg_scoped(names_free) struct names names = { 0 };
	dg_scoped_dir struct dg_dir dir = DG_DIR_NONE;
	char label[DG_LIST_SOURCE_MAX + sizeof(struct dg_quoted) + 2];
	int rc = dg_dir_enter(&item->dir, name, false, &dir, err);

	if (!rc)
		rc = names_read(dir.fd, dir.path, &names, err);
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

int dg_stage_inputs(struct dg_item *item, struct dg_error *err)
{
	const struct dg_list_meta *meta = item->candidate ? &item->next : &item->meta;
	const char *name = item->candidate ? "candidate" : "content";
	char directory[16];
	int fd, rc;

	if (!meta->content_inode)
		return 0; /* never fetched yet */
	snprintf(directory, sizeof(directory), "%s.d", name);
	if (meta->directory)
		rc = inputs_directory(item, directory, err);
	else {
		rc = dg_dir_file_open(&item->dir, name, &fd, err);
		if (!rc)
			rc = dg_inputs_add(&item->inputs, fd, item->spec.source);
	}
	return rc == -ENOENT ? dg_fail(err, rc, DG_EXIT_FAILED,
				       "%s/%s is gone: \"dnsguard list update "
				       "--force %s\" fetches it again",
				       item->dir.path, name, item->spec.name) :
			       rc;
}

/* ---- copying -------------------------------------------------------------------------------- */

static int too_large(struct dg_item *item, const char *path)
{
	return dg_fail(&item->err, -EFBIG, DG_EXIT_UNSAFE, "%s is larger than %llu MiB",
		       DG_QUOTE(path), DG_LIST_BYTES_MAX >> 20);
}

static int bytes_copy(const struct dg_run *run, struct dg_item *item, int from, int to)
{
	struct dg_update_progress progress = { .phase = "copy" };
	struct stat st;
	ssize_t n;

	if (fstat(from, &st))
		return -errno;
	snprintf(progress.list, sizeof(progress.list), "%s", item->spec.name);
	progress.bytes_total = (__u64)st.st_size;
	while ((n = sendfile(to, from, NULL, COPY_CHUNK)) > 0) {
		progress.bytes += (__u64)n;
		if (progress.bytes > DG_LIST_BYTES_MAX)
			return -EFBIG;
		dg_run_tell(run, &progress);
	}
	return n < 0 || fsync(to) ? -errno : 0;
}

/* One file, which must be the same one after copying as before: it may be written right now. */
static int file_copy(const struct dg_run *run, struct dg_item *item, int from, int to,
		     const char *path)
{
	struct stat before, after;
	int rc = fstat(from, &before) ? -errno : 0;

	if (!rc && (__u64)before.st_size > DG_LIST_BYTES_MAX)
		return too_large(item, path);
	if (!rc)
		rc = bytes_copy(run, item, from, to);
	if (rc == -EFBIG)
		return too_large(item, path);
	if (!rc && fstat(from, &after))
		rc = -errno;
	if (rc)
		return dg_fail(&item->err, rc, DG_EXIT_FAILED, "%s cannot be copied: %s",
			       DG_QUOTE(path), strerror(-rc));
	if (before.st_size != after.st_size || before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
	    before.st_mtim.tv_nsec != after.st_mtim.tv_nsec)
		return dg_fail(&item->err, -EAGAIN, DG_EXIT_FAILED,
			       "%s is being written: try again when it is done", DG_QUOTE(path));
	return 0;
}

/* ---- paths ---------------------------------------------------------------------------------- */

#define MARK_BEGIN 0xcbf29ce484222325ull

/* What a file was when it was copied stands where a URL has its ETag. */
static void mark_add(const struct stat *st, __u64 *mark)
{
	const __u64 facts[] = { st->st_dev, st->st_ino, (__u64)st->st_size,
				(__u64)st->st_mtim.tv_sec, (__u64)st->st_mtim.tv_nsec };
	const __u8 *bytes = (const __u8 *)facts;

	for (size_t i = 0; i < sizeof(facts); i++)
		*mark = (*mark ^ bytes[i]) * 0x100000001b3ull; /* FNV-1a */
}

/* Was it this very content that was taken over last time? Then there is nothing to do. */
static bool mark_is_known(const struct dg_run *run, struct dg_item *item, __u64 mark)
{
	snprintf(item->next.etag, sizeof(item->next.etag), "%016llx", (unsigned long long)mark);
	return !run->want->force && item->meta.content_inode && !item->meta.failures &&
	       !strcmp(item->meta.etag, item->next.etag);
}

#define SOURCE_FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/*
 * Whoever may write where a source lies could put a link there, and its bad lines are told: behind a link only what
 * everybody may read is taken.
 */
static int source_judge(struct dg_item *item, const char *path, const struct stat *st)
{
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return dg_fail(&item->err, -EINVAL, DG_EXIT_FAILED,
			       "source %s is neither a file nor a directory", DG_QUOTE(path));
	if (item->linked && !(st->st_mode & S_IROTH))
		return dg_fail(&item->err, -EPERM, DG_EXIT_UNSAFE,
			       "source %s is behind a symbolic link, and not everybody may read "
			       "it: name the file itself",
			       DG_QUOTE(path));
	return 0;
}

static int source_open(struct dg_item *item, int at, const char *path, int *ret,
		       struct stat *ret_st)
{
	dg_scoped_fd int fd = openat(at, path, SOURCE_FLAGS | O_NOFOLLOW);
	int rc;

	if (fd < 0 && errno == ELOOP) {
		item->linked = true;
		fd = openat(at, path, SOURCE_FLAGS);
	}
	if (fd < 0 || fstat(fd, ret_st))
		return dg_fail(&item->err, -errno, DG_EXIT_FAILED, "source %s: cannot open it: %s",
			       DG_QUOTE(path), strerror(errno));
	rc = source_judge(item, path, ret_st);
	if (!rc)
		*ret = dg_take_fd(fd);
	return rc;
}

static int stage_file(const struct dg_run *run, struct dg_item *item, int from)
{
	dg_scoped_fd int to = -1;
	int rc = dg_dir_file_make(&item->dir, "candidate", &to, &item->err);

	item->next.directory = false;
	return rc ? rc : file_copy(run, item, from, to, item->spec.source);
}

/* One file of a directory; what is no regular file is left out. */
static int member_copy(const struct dg_run *run, struct dg_item *item, int from_dir,
		       const struct dg_dir *to_dir, const char *name)
{
	dg_scoped_fd int from = -1, to = -1;
	bool linked = item->linked;
	struct stat st;
	int rc = source_open(item, from_dir, name, &from, &st);

	item->linked = linked; /* the next one may be none */
	if (rc || !S_ISREG(st.st_mode))
		return rc;
	rc = dg_dir_file_make(to_dir, name, &to, &item->err);
	return rc ? rc : file_copy(run, item, from, to, name);
}

static int stage_directory(const struct dg_run *run, struct dg_item *item, int from,
			   const struct names *names)
{
	dg_scoped_dir struct dg_dir to = DG_DIR_NONE;
	int rc;

	dg_dir_remove(&item->dir, "candidate.d");
	rc = dg_dir_enter(&item->dir, "candidate.d", true, &to, &item->err);
	for (__u32 i = 0; !rc && i < names->count; i++)
		rc = member_copy(run, item, from, &to, names->name[i]);
	if (!rc)
		fsync(to.fd);
	item->next.directory = true;
	return rc;
}

static int stage_path(const struct dg_run *run, struct dg_item *item)
{
	dg_scoped(names_free) struct names names = { 0 };
	__u64 mark = MARK_BEGIN;
	dg_scoped_fd int from = -1;
	struct stat st;
	int rc = source_open(item, AT_FDCWD, item->spec.source, &from, &st);

	if (rc)
		return rc;
	mark_add(&st, &mark);
	if (S_ISDIR(st.st_mode))
		rc = names_read(from, item->spec.source, &names, &item->err);
	for (__u32 i = 0; !rc && i < names.count; i++)
		if (!fstatat(from, names.name[i], &st, 0))
			mark_add(&st, &mark);
	if (rc)
		return rc;
	if (mark_is_known(run, item, mark)) {
		item->outcome = DG_OUTCOME_SAME;
		return 0;
	}
	fstat(from, &st);
	rc = S_ISDIR(st.st_mode) ? stage_directory(run, item, from, &names) :
				   stage_file(run, item, from);
	item->candidate = !rc;
	return rc;
}

/* ---- URLs and primaries --------------------------------------------------------------------- */

/* Who is told what a child says of its way. */
struct listener {
	const struct dg_run *run;
	const struct dg_item *item;
};

static void progress_hear(const char *line, void *arg)
{
	const struct listener *listener = arg;
	struct dg_update_progress progress = { .phase = "fetch" };
	json_t *said = json_loads(line, 0, NULL);

	snprintf(progress.list, sizeof(progress.list), "%s", listener->item->spec.name);
	progress.bytes = (__u64)json_integer_value(json_object_get(said, "bytes"));
	progress.bytes_total = (__u64)json_integer_value(json_object_get(said, "bytes_total"));
	json_decref(said);
	dg_run_tell(listener->run, &progress);
}

static void word_take(const json_t *said, const char *key, char *ret, size_t size)
{
	const char *text = json_string_value(json_object_get(said, key));

	snprintf(ret, size, "%s", text && dg_text_is_clean(text) ? text : "");
}

static __u64 number_take(const json_t *said, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(said, key));

	return number > 0 ? (__u64)number : 0;
}

/* What the child found out: new bytes in the candidate, or that nothing changed. */
static int answer_take(struct dg_item *item, const struct dg_child *child)
{
	json_t *said = child->said ? json_loads(child->said, 0, NULL) : NULL;
	const char *event = json_string_value(json_object_get(said, "event"));
	int rc = 0;

	if (child->exit_status || !event)
		rc = dg_fail(&item->err, -EIO, DG_EXIT_FAILED, "source %s: %.700s",
			     DG_QUOTE(item->spec.source),
			     child->complaint[0] ? child->complaint : "the helper said nothing");
	else if (!strcmp(event, "unchanged"))
		item->outcome = DG_OUTCOME_SAME;
	else
		item->candidate = true;
	if (item->candidate) {
		word_take(said, "etag", item->next.etag, sizeof(item->next.etag));
		word_take(said, "last_modified", item->next.last_modified,
			  sizeof(item->next.last_modified));
		item->next.interval_sec = number_take(said, "interval_seconds");
	}
	if (number_take(said, "refresh")) /* of a zone's SOA */
		item->next.interval_sec = number_take(said, "refresh");
	if (!rc)
		item->next.expires = number_take(said, "expires");
	json_decref(said);
	return rc;
}

static void url_words(const struct dg_run *run, const struct dg_item *item, struct dg_child *child)
{
	const struct dg_list_meta *meta = &item->meta;
	bool known = meta->content_inode && !run->want->force;

	child->program = "dnsguard-fetch";
	dg_child_word(child, "%s", child->program);
	dg_child_word(child, "--max-bytes=%llu", DG_LIST_BYTES_MAX);
	if (known && meta->etag[0])
		dg_child_word(child, "--etag=%s", meta->etag);
	if (known && meta->last_modified[0])
		dg_child_word(child, "--last-modified=%s", meta->last_modified);
	dg_child_word(child, "%s", item->spec.source);
}

static int axfr_words(const struct dg_item *item, struct dg_child *child, struct dg_error *err)
{
	struct dg_list_axfr axfr;
	int rc = dg_list_axfr_parse(item->spec.source, &axfr, err);

	child->program = "dnsguard-transfer";
	dg_child_word(child, "%s", child->program);
	dg_child_word(child, "--once");
	dg_child_word(child, "--json");
	dg_child_word(child, "--zone=%s", axfr.zone);
	dg_child_word(child, "--primary=%s@%s", axfr.host, axfr.port);
	dg_child_word(child, "--max-bytes=%llu", DG_LIST_BYTES_MAX);
	return rc;
}

/* Opened here, because the child may not: it belongs to root and to nobody else. */
static int tsig_open(const struct dg_item *item, int *ret, struct dg_error *err)
{
	const char *path = item->spec.tsig_file;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "TSIG key %s: cannot open it: %s",
			       DG_QUOTE(path), strerror(errno));
	*ret = fd;
	return 0;
}

/* The descriptors of a transfer besides the output: the zone as it is, and the key. */
static int axfr_open(struct dg_item *item, struct dg_child *child, int keep[4])
{
	int rc = axfr_words(item, child, &item->err);

	if (!rc && item->spec.tsig_file[0]) {
		rc = tsig_open(item, keep + 1, &item->err);
		dg_child_word(child, "--tsig-fd=%d", keep[1]);
	}
	if (!rc && item->meta.content_inode &&
	    !dg_dir_file_open(&item->dir, "content", keep + (keep[1] >= 0 ? 2 : 1), NULL))
		dg_child_word(child, "--state-fd=%d", keep[keep[2] >= 0 ? 2 : 1]);
	return rc;
}

static void keep_close(int keep[4])
{
	for (int i = 0; i < 4; i++)
		if (keep[i] >= 0)
			close(keep[i]);
}

static int stage_remote(const struct dg_run *run, struct dg_item *item)
{
	struct listener listener = { run, item };
	dg_scoped_child struct dg_child child = { .cwd_fd = -1,
						  .stdout_fd = -1,
						  .file_max = DG_LIST_BYTES_MAX,
						  .seconds_max = FETCH_SECONDS_MAX,
						  .arg = &listener };
	int keep[4] = { -1, -1, -1, -1 };
	int rc = dg_dir_file_make(&item->dir, "candidate", keep, &item->err);

	child.keep = keep;
	if (!rc && dg_list_kind_of(&item->spec) == DG_LIST_AXFR)
		rc = axfr_open(item, &child, keep);
	else if (!rc)
		url_words(run, item, &child);
	child.progress = dg_list_kind_of(&item->spec) == DG_LIST_URL ? progress_hear : NULL;
	if (!rc) {
		dg_child_word(&child, "--output-fd=%d", keep[0]);
		rc = dg_child_run(&child, &item->err);
	}
	if (!rc)
		rc = answer_take(item, &child);
	if (!rc && item->candidate)
		fsync(keep[0]);
	item->next.directory = false;
	keep_close(keep);
	return rc;
}

/* ---- a zone that is followed ---------------------------------------------------------------- */

/*
 * A dnsguard-transfer that stays keeps the zone beside the content, and sets the file's time whenever the primary has
 * confirmed it. What was confirmed since we last asked need not be transferred a second time.
 */
static bool zone_is_followed(const struct dg_run *run, const struct dg_item *item, int *ret,
			     struct stat *ret_st)
{
	dg_scoped_fd int fd = -1;

	if (run->want->force || dg_dir_file_open(&item->dir, "zone", &fd, NULL) ||
	    fstat(fd, ret_st) || (__u64)ret_st->st_mtim.tv_sec < item->meta.attempted)
		return false;
	*ret = dg_take_fd(fd);
	return true;
}

/* Its time says when it was confirmed; when it was made says which one it is. */
static __u64 zone_mark(int fd, const struct stat *st)
{
	struct statx birth = { .stx_mask = 0 };
	struct stat facts = *st;
	__u64 mark = MARK_BEGIN;

	facts.st_mtim = (struct timespec){ 0, 0 };
	if (!statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &birth) && birth.stx_mask & STATX_BTIME)
		facts.st_mtim =
			(struct timespec){ birth.stx_btime.tv_sec, birth.stx_btime.tv_nsec };
	mark_add(&facts, &mark);
	return mark;
}

static int stage_zone(const struct dg_run *run, struct dg_item *item, int from,
		      const struct stat *st)
{
	dg_scoped_fd int to = -1;
	int rc;

	if (mark_is_known(run, item, zone_mark(from, st))) {
		item->outcome = DG_OUTCOME_SAME;
		return 0;
	}
	rc = dg_dir_file_make(&item->dir, "candidate", &to, &item->err);
	if (!rc)
		rc = bytes_copy(run, item, from, to);
	if (rc && !item->err.text[0])
		rc = dg_fail(&item->err, rc, DG_EXIT_FAILED, "the zone cannot be copied: %s",
			     strerror(-rc));
	item->next.directory = false;
	item->candidate = !rc;
	return rc;
}

static int stage_axfr(const struct dg_run *run, struct dg_item *item)
{
	dg_scoped_fd int zone = -1;
	struct stat st;

	return zone_is_followed(run, item, &zone, &st) ? stage_zone(run, item, zone, &st) :
							 stage_remote(run, item);
}

/* ---- the stage ------------------------------------------------------------------------------ */

static const char *candidate_name(const struct dg_item *item)
{
	return item->next.directory ? "candidate.d" : "candidate";
}

static int stage_source(const struct dg_run *run, struct dg_item *item)
{
	switch (dg_list_kind_of(&item->spec)) {
	case DG_LIST_PATH:
		return stage_path(run, item);
	case DG_LIST_AXFR:
		return stage_axfr(run, item);
	default:
		return stage_remote(run, item);
	}
}

int dg_stage(const struct dg_run *run, struct dg_item *item)
{
	struct timespec now;
	int rc;

	clock_gettime(CLOCK_REALTIME, &now);
	item->next = item->meta;
	item->next.attempted = (__u64)now.tv_sec;
	rc = stage_source(run, item);
	if (rc || !item->candidate)
		return rc;
	item->next.content_inode = dg_dir_inode(&item->dir, candidate_name(item));
	item->next.generation = (__u64)now.tv_sec * NS_PER_SEC + (__u64)now.tv_nsec;
	item->next.changed = item->next.attempted;
	return 0;
}

/* Puts the candidate where the content is; a directory cannot be renamed over another one. */
static int candidate_rename(struct dg_item *item, struct dg_error *err)
{
	const char *from = candidate_name(item);
	const char *to = item->next.directory ? "content.d" : "content";

	if (item->next.directory &&
	    !renameat2(item->dir.fd, from, item->dir.fd, to, RENAME_EXCHANGE)) {
		fsync(item->dir.fd);
		return 0;
	}
	return dg_dir_rename(&item->dir, from, to, err);
}

int dg_stage_commit(struct dg_item *item, struct dg_error *err)
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
		dg_stage_sweep(&item->dir);
	}
	return rc;
}

void dg_stage_sweep(const struct dg_dir *list)
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
