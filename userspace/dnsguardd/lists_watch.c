// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lists_watch.c - what happens to files and directories that are sources of lists, and to the registry (inotify).
 *
 * Directories are watched, never files: a file that is replaced is another file under the same name. News only say where
 * to look; what there is now the pipeline finds out.
 */
#include <errno.h>
#include <libgen.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "userspace/dnsguardd/lists_internal.h"
#include "userspace/dnsguardd/log.h"

/* IN_MODIFY is left out: who writes for long is read when he closes. */
#define MASK                                                                                       \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_DELETE_SELF |   \
	 IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR)

/* ---- watched directories -------------------------------------------------------------------- */

static struct dg_watched *watched_find(struct dg_lists *lists, int wd)
{
	for (unsigned int i = 0; i < lists->watched_count; i++)
		if (lists->watched[i].wd == wd)
			return lists->watched + i;
	return NULL;
}

static struct dg_watched *watched_make(struct dg_lists *lists, int wd)
{
	if (lists->watched_count == lists->watched_room) {
		unsigned int room = lists->watched_room * 2 + 8;
		struct dg_watched *grown = realloc(lists->watched, room * sizeof(*grown));

		if (!grown)
			return NULL;
		lists->watched = grown;
		lists->watched_room = room;
	}
	lists->watched[lists->watched_count] = (struct dg_watched){ .wd = wd };
	return lists->watched + lists->watched_count++;
}

/* The same directory is the same watch, however often it is asked for. -1: it cannot be watched now. */
static int watch_directory(struct dg_lists *lists, const char *path)
{
	int wd = inotify_add_watch(lists->inotify, path, MASK);
	struct dg_watched *watched;

	if (wd < 0)
		return -1;
	watched = watched_find(lists, wd);
	if (!watched)
		watched = watched_make(lists, wd);
	if (!watched)
		return -1;
	watched->used = true;
	snprintf(watched->path, sizeof(watched->path), "%s", path);
	return wd;
}

static void unused_drop(struct dg_lists *lists)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < lists->watched_count; i++) {
		if (lists->watched[i].used)
			lists->watched[kept++] = lists->watched[i];
		else
			inotify_rm_watch(lists->inotify, lists->watched[i].wd);
	}
	lists->watched_count = kept;
}

/* ---- one list's source ---------------------------------------------------------------------- */

static void watch_add(struct dg_entry *entry, const char *directory, const char *name)
{
	struct dg_watch *watch = entry->watch + entry->watches;

	watch->wd = watch_directory(entry->lists, directory);
	if (watch->wd < 0)
		return;
	snprintf(watch->name, sizeof(watch->name), "%s", name);
	entry->watches++;
}

/* name: of the last part of the path in its directory, or any. */
static void watch_parent(struct dg_entry *entry, const char *path, bool any)
{
	char directory[PATH_MAX], last[PATH_MAX];

	snprintf(directory, sizeof(directory), "%s", path);
	snprintf(last, sizeof(last), "%s", path);
	watch_add(entry, dirname(directory), any ? "" : basename(last));
}

static bool was_watched(const struct dg_watch *before, int count, int wd)
{
	for (int i = 0; i < count; i++)
		if (before[i].wd == wd)
			return true;
	return false;
}

/* A link may be led elsewhere by swapping another one beside it: any change there may be one of the source. */
static void watch_source(struct dg_entry *entry)
{
	struct dg_watch before[DG_WATCHES];
	const char *source = entry->spec.source;
	int count = entry->watches;
	char real[PATH_MAX];
	struct stat st;

	memcpy(before, entry->watch, sizeof(before));
	entry->watches = 0;
	watch_parent(entry, source, !lstat(source, &st) && S_ISLNK(st.st_mode));
	if (realpath(source, real)) {
		if (strcmp(real, source))
			watch_parent(entry, real, false);
		if (!stat(real, &st) && S_ISDIR(st.st_mode))
			watch_add(entry, real, "");
	}
	/* Another directory than before: what happened in it until now was not seen. */
	for (int i = 0; i < entry->watches; i++)
		if (!was_watched(before, count, entry->watch[i].wd))
			dg_entry_touch(entry);
}

void dg_watch_sync(struct dg_lists *lists)
{
	const char *state = lists->daemon->options->state_dir;
	char path[PATH_MAX];

	for (unsigned int i = 0; i < lists->watched_count; i++)
		lists->watched[i].used = false;
	snprintf(path, sizeof(path), "%s/lists", state);
	lists->registry_wd = watch_directory(lists, path);
	lists->state_wd = lists->registry_wd < 0 ? watch_directory(lists, state) : -1;
	for (unsigned int i = 0; i < lists->count; i++)
		if (dg_list_kind_of(&lists->entry[i]->spec) == DG_LIST_PATH)
			watch_source(lists->entry[i]);
	unused_drop(lists);
}

/* ---- news ----------------------------------------------------------------------------------- */

/* A regular file that was just made is still being written; closing it makes the news. Links come whole. */
static bool is_unfinished(struct dg_lists *lists, const struct inotify_event *event)
{
	const struct dg_watched *watched = watched_find(lists, event->wd);
	char path[PATH_MAX + NAME_MAX + 2];
	struct stat st;

	if (!(event->mask & IN_CREATE) || !watched || !event->len)
		return false;
	snprintf(path, sizeof(path), "%s/%s", watched->path, event->name);
	return !lstat(path, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1;
}

/* What editors and downloaders leave beside a file is in no list; "..data" is how mounts of configuration are swapped. */
static bool is_passing(const char *name)
{
	size_t len = strlen(name);

	return (name[0] == '.' && name[1] != '.') || (len && name[len - 1] == '~');
}

static bool concerns(const struct dg_entry *entry, const struct inotify_event *event)
{
	for (int i = 0; i < entry->watches; i++) {
		const struct dg_watch *watch = entry->watch + i;

		if (watch->wd != event->wd)
			continue;
		if (!event->len ||
		    (watch->name[0] ? !strcmp(watch->name, event->name) : !is_passing(event->name)))
			return true;
	}
	return event->mask & IN_Q_OVERFLOW && dg_list_kind_of(&entry->spec) == DG_LIST_PATH;
}

/* Is the registry another one, or is it no longer sure what is watched? */
static bool changes_lists(const struct dg_lists *lists, const struct inotify_event *event)
{
	if (event->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF))
		return true;
	if (event->wd == lists->registry_wd)
		return event->len && !strcmp(event->name, "registry.json");
	return event->wd == lists->state_wd && event->len && !strcmp(event->name, "lists");
}

/* True: all must be looked at again. */
static bool event_take(struct dg_lists *lists, const struct inotify_event *event)
{
	if (event->mask & IN_IGNORED || is_unfinished(lists, event))
		return false;
	for (unsigned int i = 0; i < lists->count; i++)
		if (concerns(lists->entry[i], event))
			dg_entry_touch(lists->entry[i]);
	return changes_lists(lists, event);
}

static void on_news(uv_poll_t *poll, int status, int events)
{
	struct dg_lists *lists = poll->data;
	union {
		char room[16384];
		struct inotify_event aligned;
	} buffer;
	bool look = false;
	ssize_t got;

	(void)status;
	(void)events;
	while ((got = read(lists->inotify, buffer.room, sizeof(buffer.room))) > 0) {
		const struct inotify_event *event;

		for (char *at = buffer.room; at < buffer.room + got;
		     at += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)at;
			look |= event_take(lists, event);
		}
	}
	if (look)
		dg_lists_look_soon(lists);
	else
		dg_lists_arm(lists);
}

int dg_watch_start(struct dg_lists *lists, struct dg_error *err)
{
	lists->registry_wd = lists->state_wd = -1;
	lists->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (lists->inotify < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot watch files of lists: %s",
			       strerror(errno));
	uv_poll_init(&lists->daemon->loop, &lists->news, lists->inotify);
	lists->news.data = lists;
	uv_poll_start(&lists->news, UV_READABLE, on_news);
	return 0;
}
