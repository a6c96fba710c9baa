// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sources_file.c - bans and exemptions as text in the state directory, restored when a guard is made anew.
 *
 * One entry a line: PREFIX BANNED EXEMPT UNTIL [REASON]. BANNED and UNTIL are wall-clock seconds, because the monotonic
 * clock starts anew with the host; 0 = not, "ever" = for good. Client marks come from the configuration, not from here.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <time.h>

#include "userspace/lib/quote.h"
#include "userspace/lib/sources.h"
#include "userspace/lib/state.h"

#define NS_PER_SEC 1000000000ull
#define FILE_HEAD "# dnsguard: banned and exempt senders. PREFIX BANNED EXEMPT UNTIL [REASON]\n"
#define EXEMPT_FLAGS (DG_SRC_NO_LIMIT | DG_SRC_NO_SINKHOLE)

static const char *const exempt_words[] = { "no", "limits", "sinkhole", "both" }; /* by flags */
_Static_assert(EXEMPT_FLAGS == 3, "exempt_words is indexed by them");

static __u64 realtime_offset(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (__u64)now.tv_sec * NS_PER_SEC + (__u64)now.tv_nsec - dg_now_ns();
}

/* Rounded up, so that nothing ends early by being saved. */
static __u64 unix_of(__u64 until_ns, __u64 realtime_offset_ns)
{
	return (until_ns + realtime_offset_ns + NS_PER_SEC - 1) / NS_PER_SEC;
}

static char *when_text(__u64 until_ns, __u64 realtime_offset_ns, char buf[24])
{
	if (until_ns == 0 || until_ns == DG_FOR_GOOD)
		return strcpy(buf, until_ns ? "ever" : "0");
	snprintf(buf, 24, "%llu", (unsigned long long)unix_of(until_ns, realtime_offset_ns));
	return buf;
}

char *dg_source_line_text(const struct dg_source_entry *entry, __u64 realtime_offset_ns, char *buf)
{
	const struct dg_source *source = &entry->source;
	char prefix[64], banned[24], until[24];

	snprintf(buf, DG_SOURCE_LINE_MAX, "%s %s %s %s%s%.47s",
		 dg_prefix_text(&entry->prefix, prefix, sizeof(prefix)),
		 when_text(source->own_banned_until_ns, realtime_offset_ns, banned),
		 exempt_words[source->own_flags & EXEMPT_FLAGS],
		 when_text(source->until_ns, realtime_offset_ns, until),
		 source->reason[0] ? " " : "", source->reason);
	return buf;
}

/* A deadline that is past, or before this boot, becomes the earliest there is. */
static int when_parse(const char *text, __u64 realtime_offset_ns, __u64 *ret, struct dg_error *err)
{
	__u64 seconds, unix_ns;
	int status;

	if (!strcmp(text, "ever")) {
		*ret = DG_FOR_GOOD;
		return 0;
	}
	status = dg_count_parse("deadline", text, 0, ULLONG_MAX / NS_PER_SEC, &seconds, err);
	if (status)
		return status;
	unix_ns = seconds * NS_PER_SEC;
	*ret = !seconds ? 0 : unix_ns > realtime_offset_ns ? unix_ns - realtime_offset_ns : 1;
	return 0;
}

static int exempt_parse(const char *text, __u32 *ret, struct dg_error *err)
{
	for (__u32 flags = 0; flags <= EXEMPT_FLAGS; flags++) {
		if (strcmp(text, exempt_words[flags]))
			continue;
		*ret = flags;
		return 0;
	}
	return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "%s is none of: no, limits, sinkhole, both",
		       DG_QUOTE(text));
}

int dg_source_line_parse(const char *line, __u64 realtime_offset_ns, struct dg_source_entry *ret,
			 struct dg_error *err)
{
	char prefix[64], banned[24], exempt[16], until[24];
	struct dg_source_entry entry = { 0 };
	int reason_at = 0, status;

	if (sscanf(line, "%63s %23s %15s %23s %n", prefix, banned, exempt, until, &reason_at) != 4)
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
			       "%s has not the form PREFIX BANNED EXEMPT UNTIL [REASON]",
			       DG_QUOTE(line));
	status = dg_prefix_parse(prefix, &entry.prefix, err);
	if (!status)
		status = when_parse(banned, realtime_offset_ns, &entry.source.own_banned_until_ns,
				    err);
	if (!status)
		status = exempt_parse(exempt, &entry.source.own_flags, err);
	if (!status)
		status = when_parse(until, realtime_offset_ns, &entry.source.until_ns, err);
	if (status)
		return status;
	snprintf(entry.source.reason, sizeof(entry.source.reason), "%s", line + reason_at);
	*ret = entry;
	return 0;
}

/* ---- the file ------------------------------------------------------------------------------- */

static int file_path(const char *state_dir, char path[PATH_MAX], struct dg_error *err)
{
	if (snprintf(path, PATH_MAX, "%s/sources", state_dir) < PATH_MAX)
		return 0;
	return dg_fail(err, -ENAMETOOLONG, DG_EXIT_USAGE,
		       "state directory %s: its name is too long", DG_QUOTE(state_dir));
}

int dg_sources_save(const struct dg_maps *maps, const char *state_dir, struct dg_error *err)
{
	dg_scoped_state struct dg_state_file state = DG_STATE_FILE_NONE;
	dg_scoped_free struct dg_source_entry *entries = NULL;
	char path[PATH_MAX], line[DG_SOURCE_LINE_MAX];
	int count, status = file_path(state_dir, path, err);

	if (!status)
		status = dg_state_dir_make(state_dir, err);
	if (!status)
		status = dg_state_begin(path, 0600, &state, err);
	if (status)
		return status;
	count = dg_sources_list(maps, &entries);
	if (count < 0)
		return dg_fail(err, count, DG_EXIT_FAILED, "cannot read the table of senders: %s",
			       strerror(-count));
	fputs(FILE_HEAD, state.file);
	for (int i = 0; i < count; i++)
		if (entries[i].source.own_banned_until_ns ||
		    entries[i].source.own_flags & EXEMPT_FLAGS)
			fprintf(state.file, "%s\n",
				dg_source_line_text(&entries[i], realtime_offset(), line));
	return dg_state_commit(&state, err);
}

/* What the file says, in its order. */
struct said {
	__u32 count, room;
	struct dg_source_entry *entry;
};

static void said_free(struct said *said)
{
	free(said->entry);
}

static int said_add(struct said *said, const struct dg_source_entry *entry)
{
	if (said->count == said->room) {
		__u32 room = said->room ? 2 * said->room : 64;
		struct dg_source_entry *grown = realloc(said->entry, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		said->entry = grown;
		said->room = room;
	}
	said->entry[said->count++] = *entry;
	return 0;
}

/* What has ended meanwhile is left out. False: nothing is left. */
static bool still_holds(struct dg_source *source, __u64 now_ns)
{
	if (source->own_banned_until_ns <= now_ns)
		source->own_banned_until_ns = 0;
	if (source->until_ns && source->until_ns <= now_ns)
		source->own_flags = 0;
	return source->own_banned_until_ns || source->own_flags;
}

static int line_read(char *line, __u64 now_ns, struct said *said, struct dg_error *err)
{
	struct dg_source_entry entry;
	int status;

	line[strcspn(line, "\n")] = '\0';
	if (line[0] == '#' || !line[0])
		return 0;
	status = dg_source_line_parse(line, realtime_offset(), &entry, err);
	if (status || !still_holds(&entry.source, now_ns))
		return status;
	if (said_add(said, &entry))
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	return 0;
}

static int file_read(FILE *file, const char *path, struct said *said, struct dg_error *err)
{
	const __u64 now_ns = dg_now_ns();
	char line[DG_SOURCE_LINE_MAX + 2];
	struct dg_error inner = { .text = "" };

	for (unsigned long number = 1; fgets(line, sizeof(line), file); number++) {
		int status = line_read(line, now_ns, said, &inner);

		if (status)
			return dg_fail(err, status, DG_EXIT_FAILED, "%s:%lu: %.800s", path, number,
				       inner.text);
	}
	return 0;
}

int dg_sources_restore(const struct dg_maps *maps, const char *state_dir, struct dg_error *err)
{
	dg_scoped(said_free) struct said said = { 0 };
	dg_scoped_file FILE *file = NULL;
	char path[PATH_MAX];
	int status = file_path(state_dir, path, err);

	if (status)
		return status;
	file = fopen(path, "re");
	if (!file && errno == ENOENT)
		return 0;
	if (!file)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot open %s: %s", path,
			       strerror(errno));
	status = file_read(file, path, &said, err);
	return status ? status : dg_sources_say(maps, said.entry, said.count, err);
}
