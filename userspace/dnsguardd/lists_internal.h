/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lists_internal.h - what the files about lists in the daemon share; nobody else includes it.
 *
 * One entry a list of the registry. Everything that happens (a changed file, a NOTIFY, a clock) is noted in the entry;
 * dg_lists_look() alone draws the consequences. From the bottom up: lists_when.c, then lists_run.c, lists_watch.c and
 * lists_follow.c beside each other, lists.c on top; who stands below asks for a look by the clock and calls nobody above.
 */
#ifndef DG_DAEMON_LISTS_INTERNAL_H
#define DG_DAEMON_LISTS_INTERNAL_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <uv.h>

#include "userspace/dnsguardd/daemon.h"
#include "userspace/dnsguardd/lists.h"
#include "userspace/dnsguardd/program.h"
#include "userspace/lists/lists.h"

/* One run of the pipeline a lane, so that a slow server does not hold up a file that changed. */
enum dg_lane { DG_LANE_LOCAL, DG_LANE_REMOTE, DG_LANES };

/* A directory in which something happens to a list's source: by a name in it, or (name "") any. */
struct dg_watch {
	int wd;
	char name[NAME_MAX + 1];
};
/* The path's directory, the directory itself, and where a symbolic link leads. */
#define DG_WATCHES 3

struct dg_follower;

struct dg_entry {
	struct dg_lists *lists;
	struct dg_list_spec spec;
	struct dg_list_meta meta; /* as read last */
	bool found;		  /* in the registry that was read last */
	bool running;		  /* in this lane */
	enum dg_lane lane;

	bool touched; /* its source, or its zone file, is another one */
	__u64 touched_first_ms, touched_last_ms;
	bool asked; /* ask its source now, whatever the clock says */

	__u64 spread_for, spread_sec; /* drawn once for each moment at which it is due */
	__u64 failures;		      /* since the daemon started */
	/* Runs that came to nothing at all, of which the pipeline could note nothing. */
	__u64 broken, broken_since, not_before; /* in a row; Unix seconds */
	bool expired;				/* its zone, by the SOA's timer */
	__u64 expired_since;

	struct dg_watch watch[DG_WATCHES];
	int watches;
	struct dg_follower *follower; /* of an axfr:// source */
	__u64 follow_at; /* Unix second at which that is started, 0 = it runs, or there is none */
};

struct dg_lane_run {
	struct dg_lists *lists;
	struct dg_program *program; /* NULL = free */
};

/* A watched directory. */
struct dg_watched {
	int wd;
	bool used;
	char path[PATH_MAX];
};

struct dg_lists {
	struct dg_daemon *daemon;
	__u64 started; /* Unix seconds */
	bool stopping;
	bool unreadable;  /* said already */
	bool look_wanted; /* a look is to come, whatever else happens before it */
	unsigned int count;
	struct dg_entry *entry[DG_LISTS_MAX]; /* as the registry orders them */
	struct dg_lane_run lane[DG_LANES];
	uv_timer_t wake;
	uv_timer_cb on_wake; /* the look, in lists.c */
	int inotify;
	uv_poll_t news;
	struct dg_watched *watched; /* growing array */
	unsigned int watched_count, watched_room;
	int registry_wd,
		state_wd; /* the directories of the registry and above it; -1 = not there */
	json_t *told;	  /* of when lists are refreshed */
	int handles;	  /* not yet closed */
};

/* lists_when.c */
struct dg_entry *dg_lists_entry(struct dg_lists *lists,
				const char *name); /* NULL = there is none */
/* Something happened to the source: it is refreshed when it has been quiet for a moment. */
void dg_entry_touch(struct dg_entry *entry);
#define DG_WAIT_NEVER (~0ull)
/* Milliseconds until it is to be refreshed: 0 = now, DG_WAIT_NEVER. */
__u64 dg_entry_wait_ms(struct dg_entry *entry);
/* Unix second at which the clock brings it, 0 = only a change of its source does. */
__u64 dg_entry_due(struct dg_entry *entry);
/* The lane in which it would run now. */
enum dg_lane dg_entry_lane(const struct dg_entry *entry);
/* Puts the clock so that the next look comes when it is needed, or at once. */
void dg_lists_arm(struct dg_lists *lists);
void dg_lists_look_soon(struct dg_lists *lists);

/* lists_run.c: refreshes these, all in one run. Notes what came of each and asks for a look. */
void dg_lists_run(struct dg_lists *lists, enum dg_lane lane, struct dg_entry *const *entries,
		  unsigned int count);

/* lists_watch.c */
int dg_watch_start(struct dg_lists *lists, struct dg_error *err);
/* Watches what the entries' sources are now, and nothing else. */
void dg_watch_sync(struct dg_lists *lists);

/* lists_follow.c: keeps a dnsguard-transfer for each zone that should have one. */
void dg_follow_sync(struct dg_entry *entry);
void dg_follow_stop(struct dg_follower **follower); /* accepts NULL */

#endif
