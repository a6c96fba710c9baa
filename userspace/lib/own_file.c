// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * own_file.c - the operator's own entries as text: one entry a line, restored whole or not at all.
 *
 * Deadlines stand there as wall-clock time, because the monotonic clock starts anew with the host.
 */
#include "userspace/lib/own.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "userspace/lib/quote.h"
#include "userspace/lib/state.h"
#include "userspace/lib/values.h"

#define NS_PER_SEC 1000000000ull
#define FILE_HEAD "# dnsguard: the operator's own entries. ANSWER EDE UNTIL ADDED NAME [REASON]\n"
#define OPERATOR "operator"

static __u64 clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (__u64)now.tv_sec * NS_PER_SEC + (__u64)now.tv_nsec;
}

static __u64 realtime_offset(void)
{
	return clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
}

void dg_own_default(struct dg_own *ret)
{
	*ret = (struct dg_own){
		.answer = { .kind = DG_ANSWER_NXDOMAIN,
			    .ede = 15,
			    .text = OPERATOR,
			    .text_len = sizeof(OPERATOR) - 1 },
		.added_unix = clock_ns(CLOCK_REALTIME) / NS_PER_SEC,
	};
}

/* ---- a line --------------------------------------------------------------------------------- */

/* Rounded up, so that an entry does not end early by being saved. */
static __u64 until_unix(const struct dg_own *entry, __u64 realtime_offset_ns)
{
	return entry->until_ns ?
		       (entry->until_ns + realtime_offset_ns + NS_PER_SEC - 1) / NS_PER_SEC :
		       0;
}

char *dg_own_line_text(const struct dg_own *entry, __u64 realtime_offset_ns, char *buf)
{
	char answer[128], name[1025], ede[8] = "-";

	if (!(entry->answer.flags & DG_ANS_NO_EDE))
		snprintf(ede, sizeof(ede), "%u", entry->answer.ede);
	snprintf(buf, DG_OWN_LINE_MAX, "%s %s %llu %llu %s%s%.63s",
		 dg_answer_text(&entry->answer, answer, sizeof(answer)), ede,
		 (unsigned long long)until_unix(entry, realtime_offset_ns),
		 (unsigned long long)entry->added_unix,
		 dg_name_text(entry->name, entry->name_len, name), entry->reason[0] ? " " : "",
		 entry->reason);
	return buf;
}

enum field { FIELD_ANSWER, FIELD_EDE, FIELD_UNTIL, FIELD_ADDED, FIELD_NAME, FIELDS };

/*
 * Cuts the line's first words into fields[]; *ret_rest is what follows the space behind the last.
 */
static int fields_cut(char *line, char *fields[FIELDS], const char **ret_rest)
{
	for (int i = 0; i < FIELDS; i++) {
		size_t len = strcspn(line, " ");

		if (!len)
			return -EINVAL;
		fields[i] = line;
		line += len;
		if (*line)
			*line++ = '\0';
	}
	*ret_rest = line;
	return 0;
}

static int answer_read(char *const fields[FIELDS], struct dg_answer *answer, struct dg_error *err)
{
	__u64 ede = 0;
	int rc;

	if (!strcmp(fields[FIELD_ANSWER], dg_answer_kind_name(DG_ANSWER_ALLOW)))
		answer->kind = DG_ANSWER_ALLOW;
	else if ((rc = dg_answer_parse(fields[FIELD_ANSWER], answer, err)) != 0)
		return rc;
	if (!strcmp(fields[FIELD_EDE], "-")) {
		answer->flags |= DG_ANS_NO_EDE;
		return 0;
	}
	rc = dg_count_parse("EDE", fields[FIELD_EDE], 0, 255, &ede, err);
	answer->ede = (__u8)ede;
	return rc;
}

/*
 * Wall-clock seconds to a deadline; one that is past, or before this boot, becomes the earliest
 * there is.
 */
static __u64 until_ns(__u64 until, __u64 realtime_offset_ns)
{
	__u64 unix_ns = until * NS_PER_SEC;

	if (!until)
		return 0;
	return unix_ns > realtime_offset_ns ? unix_ns - realtime_offset_ns : 1;
}

static int fields_read(char *const fields[FIELDS], __u64 realtime_offset_ns, struct dg_own *entry,
		       struct dg_error *err)
{
	__u64 until, max = ULLONG_MAX / NS_PER_SEC;
	int rc = answer_read(fields, &entry->answer, err);

	if (!rc)
		rc = dg_count_parse("deadline", fields[FIELD_UNTIL], 0, max, &until, err);
	if (!rc)
		rc = dg_count_parse("time", fields[FIELD_ADDED], 0, max, &entry->added_unix, err);
	if (!rc)
		entry->until_ns = until_ns(until, realtime_offset_ns);
	return rc;
}

int dg_own_reason_set(struct dg_own *entry, const char *reason, struct dg_error *err)
{
	if (strlen(reason) >= sizeof(entry->reason) || !dg_text_is_clean(reason))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "reason %s is not one line of at most %zu octets", DG_QUOTE(reason),
			       sizeof(entry->reason) - 1);
	memset(entry->reason, 0, sizeof(entry->reason));
	memcpy(entry->reason, reason, strlen(reason));
	return 0;
}

int dg_own_line_parse(const char *line, __u64 realtime_offset_ns, struct dg_name *ret_name,
		      struct dg_own *ret, struct dg_error *err)
{
	char copy[DG_OWN_LINE_MAX], *fields[FIELDS];
	const char *rest = NULL;
	struct dg_own entry;
	struct dg_name name;
	int rc;

	if (strlen(line) >= sizeof(copy))
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "line is longer than %zu octets",
			       sizeof(copy) - 1);
	strcpy(copy, line);
	if (fields_cut(copy, fields, &rest))
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
			       "line is not ANSWER EDE UNTIL ADDED NAME [REASON]");
	dg_own_default(&entry);
	rc = fields_read(fields, realtime_offset_ns, &entry, err);
	if (!rc)
		rc = dg_name_parse(fields[FIELD_NAME], &name, err);
	if (!rc)
		rc = dg_own_reason_set(&entry, rest, err);
	if (rc)
		return rc;
	memcpy(entry.name, name.wire, name.len);
	entry.name_len = name.len;
	*ret_name = name;
	*ret = entry;
	return 0;
}

/* ---- the file ------------------------------------------------------------------------------- */

static int path_make(const char *state_dir, char path[PATH_MAX], struct dg_error *err)
{
	if (snprintf(path, PATH_MAX, "%s/own", state_dir) < PATH_MAX)
		return 0;
	return dg_fail(err, -ENAMETOOLONG, DG_EXIT_USAGE,
		       "state directory %s: its name is too long", DG_QUOTE(state_dir));
}

struct save_arg {
	FILE *file;
	__u64 offset_ns;
};

static int line_save(const struct dg_own *entry, void *arg)
{
	struct save_arg *save = arg;
	char line[DG_OWN_LINE_MAX];

	return fprintf(save->file, "%s\n", dg_own_line_text(entry, save->offset_ns, line)) < 0 ?
		       -EIO :
		       0;
}

int dg_own_save(const struct dg_maps *maps, const char *state_dir, struct dg_error *err)
{
	dg_scoped_state struct dg_state_file state = DG_STATE_FILE_NONE;
	struct save_arg save = { .offset_ns = realtime_offset() };
	char path[PATH_MAX];
	int rc = path_make(state_dir, path, err);

	if (!rc)
		rc = dg_state_dir_make(state_dir, err);
	if (!rc)
		rc = dg_state_begin(path, 0644, &state, err);
	if (rc)
		return rc;
	save.file = state.file;
	fputs(FILE_HEAD, state.file);
	rc = dg_own_each(maps, line_save, &save);
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "file %s: cannot write the own entries: %s",
			       DG_QUOTE(path), strerror(-rc));
	return dg_state_commit(&state, err);
}

/* Entries read so far; nothing reaches the kernel before the last line was good. */
struct restore {
	struct dg_own *entries;
	size_t count, room;
};

static void restore_free(struct restore *restore)
{
	free(restore->entries);
}

static int restore_add(struct restore *restore, const struct dg_own *entry)
{
	if (restore->count == restore->room) {
		size_t room = restore->room * 2 + 64;
		struct dg_own *entries = realloc(restore->entries, room * sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		restore->entries = entries;
		restore->room = room;
	}
	restore->entries[restore->count++] = *entry;
	return 0;
}

static int lines_read(FILE *file, const char *path, struct restore *restore, struct dg_error *err)
{
	char line[DG_OWN_LINE_MAX + 2];
	__u64 offset_ns = realtime_offset(), now_ns = clock_ns(CLOCK_MONOTONIC);
	struct dg_error inner = { .text = "" };
	struct dg_name name;
	struct dg_own entry;

	for (unsigned int number = 1; fgets(line, sizeof(line), file); number++) {
		line[strcspn(line, "\n")] = '\0';
		if (!line[0] || line[0] == '#')
			continue;
		if (dg_own_line_parse(line, offset_ns, &name, &entry, &inner))
			return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "%s:%u: %.800s", path, number,
				       inner.text);
		if (entry.until_ns && entry.until_ns <= now_ns)
			continue;
		if (restore_add(restore, &entry))
			return dg_fail(err, -ENOMEM, DG_EXIT_FAILED,
				       "%s: not enough memory to read it", path);
	}
	return ferror(file) ? dg_fail(err, -EIO, DG_EXIT_FAILED, "%s: cannot read it", path) : 0;
}

static int entries_set(const struct dg_maps *maps, struct restore *restore, struct dg_error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < restore->count; i++) {
		struct dg_own *entry = restore->entries + i;
		struct dg_name name = { .len = entry->name_len };

		memcpy(name.wire, entry->name, entry->name_len);
		rc = dg_own_set(maps, &name, entry, err);
	}
	return rc;
}

int dg_own_restore(const struct dg_maps *maps, const char *state_dir, struct dg_error *err)
{
	dg_scoped(restore_free) struct restore restore = { 0 };
	dg_scoped_file FILE *file = NULL;
	char path[PATH_MAX];
	int rc = path_make(state_dir, path, err);

	if (rc)
		return rc;
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? 0 :
					 dg_fail(err, -errno, DG_EXIT_FAILED,
						 "%s: cannot read it: %s", path, strerror(errno));
	rc = lines_read(file, path, &restore, err);
	return rc ? rc : entries_set(maps, &restore, err);
}
