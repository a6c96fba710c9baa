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
							 stage_remote(run, item);
}

int dg_stage_url(const struct dg_run *run, struct dg_item *item)
{
	return stage_remote(run, item);
}
