// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * history.c - one line a day about TCP, kept in SQLite.
 *
 * Tables: days and names hold what is shown; counters and marks hold where the kernel's counters
 * stood at the last sample.
 */
#include "userspace/history/history.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define BUSY_MS 5000
#define MARK_S 3600
#define NAMES_TODAY 4000 /* of the day under way: it may still be anybody's day */

struct dg_history {
	sqlite3 *db;
	char path[PATH_MAX];
};

/* Names of 1024 octets do not fit a quarter of a usual page: each would take one of its own. Counts when the file is made. */
static const char layout[] =
	"PRAGMA page_size = 16384;"
	"PRAGMA auto_vacuum = FULL;"
	"CREATE TABLE IF NOT EXISTS days (date TEXT PRIMARY KEY, queries INTEGER NOT NULL,"
	" tcp_queries INTEGER NOT NULL, tcp_peak INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS names (date TEXT NOT NULL, name TEXT NOT NULL, qtype INTEGER NOT NULL,"
	" queries INTEGER NOT NULL, PRIMARY KEY (date, name, qtype)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS counters (id INTEGER PRIMARY KEY, queries INTEGER NOT NULL,"
	" tcp_queries INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS marks (name TEXT NOT NULL, qtype INTEGER NOT NULL,"
	" first_ns INTEGER NOT NULL, count INTEGER NOT NULL, seen INTEGER NOT NULL,"
	" PRIMARY KEY (name, qtype)) WITHOUT ROWID;";

/* ---- SQLite in the house's words ------------------------------------------------------------- */

/* What to do about it. */
static const char *hint_of(const struct dg_history *history, int code)
{
	if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
		return "; dnsguardd puts it aside within a minute and begins a new one";
	if (code == SQLITE_FULL)
		return "; make room, it goes on by itself";
	if (code == SQLITE_BUSY)
		return "; another program keeps it locked";
	if (code == SQLITE_READONLY)
		return "; make it writable for root, it goes on by itself";
	if (code == SQLITE_CANTOPEN && access(history->path, R_OK) && errno == EACCES)
		return "; run it as root, with sudo";
	return "";
}

static int fail(const struct dg_history *history, struct dg_error *err)
{
	const int code = sqlite3_errcode(history->db) & 0xff;
	const int damaged = code == SQLITE_NOTADB || code == SQLITE_CORRUPT ||
			    code == SQLITE_ERROR; /* tables of somebody else's */

	return dg_fail(err, damaged ? -EBADF : -EIO, DG_EXIT_FAILED, "%.300s: %.300s%s",
		       history->path, sqlite3_errmsg(history->db), hint_of(history, code));
}

static void statement_end(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}
#define scoped_statement dg_scoped(statement_end)

/* A value of a statement: a number where text is NULL. */
struct bound {
	const char *text;
	__u64 number;
};

static int bind(sqlite3_stmt *statement, const struct bound *values, int count)
{
	int code = sqlite3_reset(statement);

	for (int i = 0; code == SQLITE_OK && i < count; i++)
		code = values[i].text ? sqlite3_bind_text(statement, i + 1, values[i].text, -1,
							  SQLITE_TRANSIENT) :
					sqlite3_bind_int64(statement, i + 1,
							   (sqlite3_int64)values[i].number);
	return code;
}

static int prepare(struct dg_history *history, const char *sql, sqlite3_stmt **ret)
{
	return sqlite3_prepare_v2(history->db, sql, -1, ret, NULL) == SQLITE_OK ? 0 : -EIO;
}

/* One statement that answers nothing. */
static int execute(struct dg_history *history, const char *sql, const struct bound *values,
		   int count)
{
	sqlite3_stmt *statement scoped_statement = NULL;

	if (prepare(history, sql, &statement) || bind(statement, values, count) != SQLITE_OK)
		return -EIO;
	return sqlite3_step(statement) == SQLITE_DONE ? 0 : -EIO;
}

static __u64 number_at(sqlite3_stmt *statement, int column)
{
	return (__u64)sqlite3_column_int64(statement, column);
}

/* ---- the file -------------------------------------------------------------------------------- */

static int path_make(const char *state_dir, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/" DG_HISTORY_FILE, state_dir) < PATH_MAX ?
		       0 :
		       -ENAMETOOLONG;
}

/*
 * Its mode is its owner's alone from the first moment, and SQLite gives its journal the same. Should
 * it fail, SQLite says why.
 */
static void file_make(const char *path)
{
	int fd dg_scoped_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	(void)fd;
}

int dg_history_open(const char *state_dir, bool to_write, struct dg_history **ret,
		    struct dg_error *err)
{
	const int flags =
		to_write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
	struct dg_history *history dg_scoped_history = calloc(1, sizeof(*history));
	int code;

	if (!history || path_make(state_dir, history->path))
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "%s: cannot be opened", state_dir);
	if (to_write)
		file_make(history->path);
	code = sqlite3_open_v2(history->path, &history->db, flags | SQLITE_OPEN_NOFOLLOW, NULL);
	if (code != SQLITE_OK && !to_write && access(history->path, F_OK) && errno == ENOENT)
		return dg_fail(err, -ENOENT, DG_EXIT_NOT_FOUND,
			       "%s: there is no history yet; dnsguardd writes it once a minute",
			       history->path);
	if (code != SQLITE_OK)
		return fail(history, err);
	sqlite3_busy_timeout(history->db, BUSY_MS);
	if (to_write && sqlite3_exec(history->db, layout, NULL, NULL, NULL) != SQLITE_OK)
		return fail(history, err);
	*ret = dg_take_ptr(history);
	return 0;
}

void dg_history_close(struct dg_history **history)
{
	if (*history)
		sqlite3_close(((*history)->db));
	free(*history);
	*history = NULL;
}

void dg_history_put_aside(const char *state_dir)
{
	char path[PATH_MAX], aside[PATH_MAX + 8];

	if (path_make(state_dir, path))
		return;
	snprintf(aside, sizeof(aside), "%s.broken", path);
	if (rename(path, aside))
		unlink(path);
}

/* ---- dates ----------------------------------------------------------------------------------- */

char *dg_history_date(__u64 unix_s, char buf[DG_HISTORY_DATE])
{
	const time_t when = (time_t)unix_s;
	struct tm local;

	if (!localtime_r(&when, &local) || !strftime(buf, DG_HISTORY_DATE, "%Y-%m-%d", &local))
		strcpy(buf, "0000-00-00");
	return buf;
}

bool dg_history_is_date(const char *text)
{
	struct tm tm = { 0 };
	const char *end =
		strlen(text) == DG_HISTORY_DATE - 1 ? strptime(text, "%Y-%m-%d", &tm) : NULL;
	const int day = tm.tm_mday;

	tm.tm_hour = 12;
	tm.tm_isdst = -1;
	return end && !*end && mktime(&tm) != -1 && tm.tm_mday == day; /* no 31st of February */
}

static time_t noon_of(const char *date)
{
	struct tm tm = { 0 };

	strptime(date, "%Y-%m-%d", &tm);
	tm.tm_hour = 12;
	return timegm(&tm);
}

int dg_history_days_between(const char *from, const char *to)
{
	return (int)((noon_of(to) - noon_of(from)) / 86400);
}

/* ---- adding ---------------------------------------------------------------------------------- */

/* What a counter grew by; one that is smaller than before began anew. */
static __u64 grown(__u64 now, __u64 before)
{
	return now >= before ? now - before : now;
}

/* 1: *ret holds where the counters stood; 0: this is the first sample. */
static int counters_read(struct dg_history *history, __u64 ret[2])
{
	sqlite3_stmt *statement scoped_statement = NULL;

	if (prepare(history, "SELECT queries, tcp_queries FROM counters WHERE id = 1", &statement))
		return -EIO;
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		ret[0] = number_at(statement, 0);
		ret[1] = number_at(statement, 1);
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return -EIO;
	}
}

static int day_add(struct dg_history *history, const char *date,
		   const struct dg_history_sample *sample)
{
	__u64 before[2] = { sample->queries, sample->tcp_queries };
	const int known = counters_read(history, before);
	const struct bound day[] = { { .text = date },
				     { .number = grown(sample->queries, before[0]) },
				     { .number = grown(sample->tcp_queries, before[1]) },
				     { .number = sample->tcp_peak } };
	const struct bound counters[] = { { .number = sample->queries },
					  { .number = sample->tcp_queries } };

	if (known < 0 ||
	    execute(history,
		    "INSERT INTO days VALUES (?1, ?2, ?3, ?4) ON CONFLICT (date) DO UPDATE SET"
		    " queries = queries + ?2, tcp_queries = tcp_queries + ?3,"
		    " tcp_peak = max(tcp_peak, ?4)",
		    day, 4) ||
	    execute(history, "INSERT OR REPLACE INTO counters VALUES (1, ?1, ?2)", counters, 2))
		return -EIO;
	return known;
}

struct name_statements {
	sqlite3_stmt *mark, *add;
};

static void name_statements_end(struct name_statements *statements)
{
	sqlite3_finalize(statements->mark);
	sqlite3_finalize(statements->add);
}

/* What a name's counter grew by, from where it stood: a later entry of the same name began at 0. */
static int name_grown(sqlite3_stmt *mark, const struct dg_history_name *name, __u64 *ret)
{
	const struct bound key[] = { { .text = name->name }, { .number = name->qtype } };
	int code = bind(mark, key, 2);

	if (code == SQLITE_OK)
		code = sqlite3_step(mark);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		return -EIO;
	*ret = code == SQLITE_ROW && number_at(mark, 0) == name->first_ns ?
		       grown(name->count, number_at(mark, 1)) :
		       name->count;
	sqlite3_reset(mark);
	return 0;
}

/* Adds what each name's counter grew by, unless this is the first sample of all. */
static int names_add(struct dg_history *history, const char *date,
		     const struct dg_history_sample *sample)
{
	struct name_statements with dg_scoped(name_statements_end) = { 0 };

	if (prepare(history, "SELECT first_ns, count FROM marks WHERE name = ?1 AND qtype = ?2",
		    &with.mark) ||
	    prepare(history,
		    "INSERT INTO names VALUES (?1, ?2, ?3, ?4) ON CONFLICT (date, name, qtype)"
		    " DO UPDATE SET queries = queries + ?4",
		    &with.add))
		return -EIO;
	for (unsigned int i = 0; i < sample->names; i++) {
		struct bound row[] = { { .text = date },
				       { .text = sample->name[i].name },
				       { .number = sample->name[i].qtype },
				       { .number = 0 } };

		if (name_grown(with.mark, &sample->name[i], &row[3].number))
			return -EIO;
		if (!row[3].number)
			continue;
		if (bind(with.add, row, 4) != SQLITE_OK || sqlite3_step(with.add) != SQLITE_DONE)
			return -EIO;
	}
	return 0;
}

/*
 * Where the names' counters stand now. One that was not seen this time may only have been unreadable
 * at that moment; after an hour it has left the kernel's table, and is forgotten.
 */
static int marks_write(struct dg_history *history, const struct dg_history_sample *sample)
{
	sqlite3_stmt *statement scoped_statement = NULL;

	const struct bound forgotten[] = { { .number = sample->unix_s - MARK_S } };

	if (execute(history, "DELETE FROM marks WHERE seen < ?1", forgotten, 1) ||
	    prepare(history, "INSERT OR REPLACE INTO marks VALUES (?1, ?2, ?3, ?4, ?5)",
		    &statement))
		return -EIO;
	for (unsigned int i = 0; i < sample->names; i++) {
		const struct dg_history_name *name = &sample->name[i];
		const struct bound row[] = { { .text = name->name },
					     { .number = name->qtype },
					     { .number = name->first_ns },
					     { .number = name->count },
					     { .number = sample->unix_s } };

		if (bind(statement, row, 5) != SQLITE_OK || sqlite3_step(statement) != SQLITE_DONE)
			return -EIO;
	}
	return 0;
}

/* The names asked most stay: many of the day under way, fewer of one that is over. */
static int names_bound(struct dg_history *history, const char *date, __u64 max)
{
	const struct bound values[] = { { .text = date }, { .number = max } };

	return execute(
		history,
		"DELETE FROM names WHERE date = ?1 AND (name, qtype) NOT IN (SELECT name, qtype"
		" FROM names WHERE date = ?1 ORDER BY queries DESC, name, qtype LIMIT ?2)",
		values, 2);
}

/* Done when a day begins: the one before is over, and the oldest may be too old. */
static int days_bound(struct dg_history *history, const char *date)
{
	sqlite3_stmt *statement scoped_statement = NULL;
	const struct bound today[] = { { .text = date } },
			   days[] = { { .number = DG_HISTORY_DAYS } };
	char over[DG_HISTORY_DATE] = "";

	if (prepare(history, "SELECT max(date) FROM days WHERE date < ?1", &statement) ||
	    bind(statement, today, 1) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW)
		return -EIO;
	if (sqlite3_column_text(statement, 0))
		snprintf(over, sizeof(over), "%s", (const char *)sqlite3_column_text(statement, 0));
	sqlite3_reset(statement);
	if (execute(history,
		    "DELETE FROM days WHERE date NOT IN (SELECT date FROM days ORDER BY date DESC LIMIT ?1)",
		    days, 1) ||
	    execute(history, "DELETE FROM names WHERE date NOT IN (SELECT date FROM days)", NULL,
		    0))
		return -EIO;
	return over[0] ? names_bound(history, over, DG_HISTORY_NAMES) : 0;
}

static int sample_add(struct dg_history *history, const struct dg_history_sample *sample)
{
	char date[DG_HISTORY_DATE];
	int known;

	dg_history_date(sample->unix_s, date);
	known = day_add(history, date, sample);
	if (known < 0 || (known && names_add(history, date, sample)) ||
	    marks_write(history, sample) || days_bound(history, date))
		return -EIO;
	return names_bound(history, date, NAMES_TODAY);
}

int dg_history_add(struct dg_history *history, const struct dg_history_sample *sample,
		   struct dg_error *err)
{
	int failed;

	if (sqlite3_exec(history->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return fail(history, err);
	failed = sample_add(history, sample);
	if (!failed && sqlite3_exec(history->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		failed = -EIO;
	if (!failed)
		return 0;
	failed = fail(history, err);
	sqlite3_exec(history->db, "ROLLBACK", NULL, NULL, NULL);
	return failed;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void text_copy(char *to, size_t size, sqlite3_stmt *statement, int column)
{
	const unsigned char *text = sqlite3_column_text(statement, column);

	snprintf(to, size, "%s", text ? (const char *)text : "");
}

int dg_history_days(struct dg_history *history, const char *since, struct dg_history_day *ret,
		    struct dg_error *err)
{
	sqlite3_stmt *statement scoped_statement = NULL;
	const struct bound values[] = { { .text = since } };
	int count = 0, code;

	if (prepare(history,
		    "SELECT date, queries, tcp_queries, tcp_peak FROM days WHERE date >= ?1 ORDER BY date",
		    &statement) ||
	    bind(statement, values, 1) != SQLITE_OK)
		return fail(history, err);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW && count < DG_HISTORY_DAYS) {
		struct dg_history_day *day = &ret[count++];

		text_copy(day->date, sizeof(day->date), statement, 0);
		day->queries = number_at(statement, 1);
		day->tcp_queries = number_at(statement, 2);
		day->tcp_peak = number_at(statement, 3);
	}
	return code == SQLITE_ROW || code == SQLITE_DONE ? count : fail(history, err);
}

int dg_history_around(struct dg_history *history, const char *date, char ret[2][DG_HISTORY_DATE],
		      struct dg_error *err)
{
	sqlite3_stmt *statement scoped_statement = NULL;
	const struct bound values[] = { { .text = date } };

	if (prepare(history,
		    "SELECT (SELECT max(date) FROM days WHERE date < ?1),"
		    " (SELECT min(date) FROM days WHERE date > ?1),"
		    " EXISTS (SELECT 1 FROM days WHERE date = ?1)",
		    &statement) ||
	    bind(statement, values, 1) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW)
		return fail(history, err);
	for (int i = 0; i < 2; i++)
		text_copy(ret[i], DG_HISTORY_DATE, statement, i);
	return (int)number_at(statement, 2);
}

int dg_history_top(struct dg_history *history, const char *date, struct dg_history_top *ret,
		   unsigned int max, struct dg_error *err)
{
	sqlite3_stmt *statement scoped_statement = NULL;
	const struct bound values[] = { { .text = date }, { .number = max } };
	int count = 0, code;

	if (prepare(history,
		    "SELECT name, qtype, queries FROM names WHERE date = ?1"
		    " ORDER BY queries DESC, name, qtype LIMIT ?2",
		    &statement) ||
	    bind(statement, values, 2) != SQLITE_OK)
		return fail(history, err);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct dg_history_top *top = &ret[count++];

		text_copy(top->name, sizeof(top->name), statement, 0);
		top->qtype = (__u16)number_at(statement, 1);
		top->queries = number_at(statement, 2);
	}
	return code == SQLITE_DONE ? count : fail(history, err);
}
