// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stage_remote.c - what a server has becomes a candidate: a URL by dnsguard-fetch, a zone by dnsguard-transfer.
 *
 * Both run without privileges and write into a descriptor of ours; what they say of it is bounded and judged.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "userspace/lib/quote.h"
#include "userspace/lists/internal.h"

#define FETCH_SECONDS_MAX 900

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
	char shown[DG_LIST_SOURCE_MAX];
	int rc = 0;

	if (child->exit_status || !event)
		rc = dg_fail(&item->err, -EIO, DG_EXIT_FAILED, "source %s: %.700s",
			     DG_QUOTE(dg_list_source_text(item->spec.source, shown)),
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

/* Descriptors that the child has besides its pipes; ends with -1. */
struct keep {
	int fd[5];
	unsigned int count;
};
#define KEEP_NONE                                                                                  \
	{                                                                                          \
		{ -1, -1, -1, -1, -1 }, 0                                                          \
	}

static int keep_add(struct keep *keep, int fd)
{
	keep->fd[keep->count++] = fd;
	return fd;
}

static void keep_close(struct keep *keep)
{
	for (unsigned int i = 0; i < keep->count; i++)
		close(keep->fd[i]);
}

/* A line in a pipe: a URL may hold a token, and everybody may read the words of every process. */
static int line_pipe(const char *line, int *ret)
{
	dg_scoped_fd int reader = -1, writer = -1;
	size_t len = strlen(line);
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	reader = fds[0];
	writer = fds[1];
	if (write(writer, line, len) != (ssize_t)len) /* less than a pipe holds */
		return -EIO;
	*ret = dg_take_fd(reader);
	return 0;
}

static int url_words(const struct dg_run *run, struct dg_item *item, struct dg_child *child,
		     struct keep *keep)
{
	const struct dg_list_meta *meta = &item->meta;
	bool known = meta->content_inode && !run->want->force;
	int url = -1, rc = line_pipe(item->spec.source, &url);

	if (rc)
		return dg_fail(&item->err, rc, DG_EXIT_FAILED, "cannot hand the URL over: %s",
			       strerror(-rc));
	child->program = "dnsguard-fetch";
	dg_child_word(child, "%s", child->program);
	dg_child_word(child, "--max-bytes=%llu", DG_LIST_BYTES_MAX);
	if (known && meta->etag[0])
		dg_child_word(child, "--etag=%s", meta->etag);
	if (known && meta->last_modified[0])
		dg_child_word(child, "--last-modified=%s", meta->last_modified);
	dg_child_word(child, "--url-fd=%d", keep_add(keep, url));
	return 0;
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
static int axfr_open(struct dg_item *item, struct dg_child *child, struct keep *keep)
{
	int rc = axfr_words(item, child, &item->err), fd;

	if (!rc && item->spec.tsig_file[0]) {
		rc = tsig_open(item, &fd, &item->err);
		if (!rc)
			dg_child_word(child, "--tsig-fd=%d", keep_add(keep, fd));
	}
	if (!rc && item->meta.content_inode && !dg_dir_file_open(&item->dir, "content", &fd, NULL))
		dg_child_word(child, "--state-fd=%d", keep_add(keep, fd));
	return rc;
}

/* What was written until a failure lies in the candidate, which nobody looks at then. */
static int remote_run(const struct dg_run *run, struct dg_item *item, struct dg_child *child,
		      struct keep *keep)
{
	int output, rc = dg_dir_file_make(&item->dir, "candidate", &output, &item->err);

	if (rc)
		return rc;
	keep_add(keep, output);
	rc = dg_list_kind_of(&item->spec) == DG_LIST_AXFR ? axfr_open(item, child, keep) :
							    url_words(run, item, child, keep);
	if (rc)
		return rc;
	child->keep = keep->fd;
	dg_child_word(child, "--output-fd=%d", output);
	rc = dg_child_run(child, &item->err);
	if (!rc)
		rc = answer_take(item, child);
	if (!rc && item->candidate)
		fsync(output);
	return rc;
}

int dg_stage_remote(const struct dg_run *run, struct dg_item *item)
{
	struct listener listener = { run, item };
	dg_scoped_child struct dg_child child = { .cwd_fd = -1,
						  .stdout_fd = -1,
						  .memory_max = dg_memory_max(run),
						  .file_max = DG_LIST_BYTES_MAX,
						  .seconds_max = FETCH_SECONDS_MAX,
						  .arg = &listener };
	struct keep keep = KEEP_NONE;
	int rc;

	if (dg_list_kind_of(&item->spec) == DG_LIST_URL)
		child.progress = progress_hear;
	rc = remote_run(run, item, &child, &keep);
	item->next.directory = false;
	keep_close(&keep);
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
	__u64 mark = DG_MARK_BEGIN;

	facts.st_mtim = (struct timespec){ 0, 0 };
	if (!statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &birth) && birth.stx_mask & STATX_BTIME)
		facts.st_mtim =
			(struct timespec){ birth.stx_btime.tv_sec, birth.stx_btime.tv_nsec };
	dg_mark_add(&facts, &mark);
	return mark;
}

static int stage_zone(const struct dg_run *run, struct dg_item *item, int from,
		      const struct stat *st)
{
	dg_scoped_fd int to = -1;
	int rc;

	if (dg_mark_is_known(run, item, zone_mark(from, st))) {
		item->outcome = DG_OUTCOME_SAME;
		return 0;
	}
	rc = dg_dir_file_make(&item->dir, "candidate", &to, &item->err);
	if (!rc)
		rc = dg_bytes_copy(run, item, from, to);
	if (rc && !item->err.text[0])
		rc = dg_fail(&item->err, rc, DG_EXIT_FAILED, "the zone cannot be copied: %s",
			     strerror(-rc));
	item->next.directory = false;
	item->candidate = !rc;
	return rc;
}

int dg_stage_axfr(const struct dg_run *run, struct dg_item *item)
{
	dg_scoped_fd int zone = -1;
	struct stat st;

	return zone_is_followed(run, item, &zone, &st) ? stage_zone(run, item, zone, &st) :
							 dg_stage_remote(run, item);
}
