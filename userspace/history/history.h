/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * history.h - one line a day about TCP, kept in SQLite: queries, peak connections, the names asked
 * most.
 *
 * Fed with counters as they stand, once a minute; it remembers the last ones and adds what came
 * since, so a restart of the daemon loses nothing, and counters that began anew are never a
 * negative number. The time is the caller's. Bounded: DG_HISTORY_DAYS days, of each the names that
 * were asked most. Knows neither the kernel's tables nor the daemon.
 */
#ifndef DG_HISTORY_H
#define DG_HISTORY_H

#include <stdbool.h>

#include "bpf/abi.h"
#include "userspace/lib/scope.h"

#define DG_HISTORY_FILE "history.db" /* in the state directory */
#define DG_HISTORY_DAYS 400
#define DG_HISTORY_NAMES 100 /* of a day that is over; of today some thousands */
#define DG_HISTORY_DATE 11   /* "2026-11-24" and its NUL */

struct dg_history; /* an open file */

/*
 * Opens for writing (made if it is not there) or for reading. -ENOENT: nothing has been written yet
 * (status DG_EXIT_NOT_FOUND). -EBADF: the file is no history, or is damaged.
 */
int dg_history_open(const char *state_dir, bool to_write, struct dg_history **ret,
		    struct dg_error *err);
void dg_history_close(struct dg_history **history); /* accepts NULL */
#define dg_scoped_history dg_scoped(dg_history_close)
/* Puts a damaged file out of the way, under the same name with ".broken" behind it. */
void dg_history_put_aside(const char *state_dir);

/* A name's counter in the kernel's table: first_ns tells a later one in the same place from it. */
struct dg_history_name {
	char name[1025]; /* text, lower case */
	__u16 qtype;
	__u64 count, first_ns;
};

/* Counters as they stand. */
struct dg_history_sample {
	__u64 unix_s;
	__u64 queries, tcp_queries;
	__u64 tcp_peak; /* most connections that drew on one quota at one time since the last sample */
	const struct dg_history_name *name;
	unsigned int names;
};
/*
 * Adds what came since the last sample to the day (local time) of this one. The first one ever only
 * notes where the counters stand: nobody knows which day they are of. One transaction: all or
 * nothing.
 */
int dg_history_add(struct dg_history *history, const struct dg_history_sample *sample,
		   struct dg_error *err);

/* "2026-11-24" of a time, local. Returns buf. */
char *dg_history_date(__u64 unix_s, char buf[DG_HISTORY_DATE]);
/* Days from one date to a later one; as both are valid, never less than 0 for a later one. */
int dg_history_days_between(const char *from, const char *to);
/* Is it a date as above, and one that there is? */
bool dg_history_is_date(const char *text);

struct dg_history_day {
	char date[DG_HISTORY_DATE];
	__u64 queries, tcp_queries, tcp_peak;
};
/* The days from `since` on, oldest first, at most DG_HISTORY_DAYS. Returns how many, or -errno. */
int dg_history_days(struct dg_history *history, const char *since, struct dg_history_day *ret,
		    struct dg_error *err);

/*
 * The last day before a date, and the first one after it, "" where there is none. 1: the date itself is there, 0: it is
 * not. -errno.
 */
int dg_history_around(struct dg_history *history, const char *date, char ret[2][DG_HISTORY_DATE],
		      struct dg_error *err);

struct dg_history_top {
	char name[1025];
	__u16 qtype;
	__u64 queries;
};
/* The names asked most over TCP on a day, at most max. Returns how many, or -errno. */
int dg_history_top(struct dg_history *history, const char *date, struct dg_history_top *ret,
		   unsigned int max, struct dg_error *err);

#endif
