// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * report.c - dnsguard report tcp: TCP queries day by day, and the names of two days side by side.
 *
 * Reads the daemon's history; works without daemon and guard.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/history/history.h"
#include "userspace/lib/render.h"

#define TOP 10
#define DAY_S 86400
#define SINCE_DEFAULT_S (6 * DAY_S) /* a week, today included */

enum { SINCE, COMPARE };

const struct dg_option dg_report_tcp_options[] = {
	[SINCE] = { .name = "since",
		    .type = DG_OPT_TEXT,
		    .arg = "D",
		    .help = "the first day: 2026-11-24, or so long ago: 30d (default 6d)" },
	[COMPARE] = { .name = "compare",
		      .type = DG_OPT_TEXT,
		      .arg = "D",
		      .help = "the day whose names stand beside the last one's (default: the one "
			      "before it)" },
	{ 0 },
};

static const struct dg_column day_columns[] = {
	{ "date", "DATE", DG_AS_TEXT },
	{ "tcp_queries", "TCP QUERIES", DG_AS_COUNT },
	{ "queries", "ALL QUERIES", DG_AS_COUNT },
	{ "share", "TCP SHARE", DG_AS_TEXT },
	{ "peak_connections", "PEAK OF A QUOTA", DG_AS_COUNT },
	{ 0 },
};

/* A date, or a time ago, as a date. */
static int date_read(const char *what, const char *text, char ret[DG_HISTORY_DATE],
		     struct dg_error *err)
{
	__u64 ago_ns;

	if (dg_history_is_date(text)) {
		strcpy(ret, text);
		return 0;
	}
	if (dg_duration_parse(text, &ago_ns, NULL))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "--%s \"%.64s\": use a date like 2026-11-24, or a time ago like 7d",
			       what, text);
	dg_history_date((__u64)time(NULL) - ago_ns / 1000000000ull, ret);
	return 0;
}

static json_t *days_json(const struct dg_history_day *days, int count)
{
	json_t *list = json_array();
	char share[24];

	for (int i = 0; i < count; i++) {
		const double all = (double)days[i].queries, tcp = (double)days[i].tcp_queries;

		snprintf(share, sizeof(share), all > 0 ? "%.2f %%" : "-", 100 * tcp / all);
		json_array_append_new(
			list, json_pack("{s:s, s:I, s:I, s:f, s:s, s:I}", "date", days[i].date,
					"tcp_queries", (json_int_t)days[i].tcp_queries, "queries",
					(json_int_t)days[i].queries, "tcp_share",
					all > 0 ? tcp / all : 0, "share", share, "peak_connections",
					(json_int_t)days[i].tcp_peak));
	}
	return list;
}

/* Days between two that are known, of which nothing is. */
static json_t *gaps_json(const struct dg_history_day *days, int count)
{
	json_t *list = json_array();

	for (int i = 1; i < count; i++) {
		const int missing = dg_history_days_between(days[i - 1].date, days[i].date) - 1;

		if (missing > 0)
			json_array_append_new(list, json_pack("{s:s, s:s, s:i}", "after",
							      days[i - 1].date, "before",
							      days[i].date, "days", missing));
	}
	return list;
}

static json_t *names_json(struct dg_history *history, const char *date, struct dg_error *err)
{
	dg_scoped_free struct dg_history_top *top = calloc(TOP, sizeof(*top));
	int count = top ? dg_history_top(history, date, top, TOP, err) : -ENOMEM;
	json_t *list = count < 0 ? NULL : json_array();
	char type[24];

	for (int i = 0; i < count; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:I}", "name", top[i].name, "type",
						dg_qtype_text(top[i].qtype, type, sizeof(type)),
						"queries", (json_int_t)top[i].queries));
	return list;
}

/* ---- text ----------------------------------------------------------------------------------- */

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

static void half_print(const json_t *names, size_t i)
{
	const json_t *row = json_array_get(names, i);
	char count[24] = "";

	if (row)
		snprintf(count, sizeof(count), "%lld",
			 (long long)json_integer_value(json_object_get(row, "queries")));
	printf("%-34.34s %-8s %10s", text_of(row, "name"), text_of(row, "type"), count);
}

static void gaps_print(const json_t *document)
{
	size_t i;
	json_t *gap;

	json_array_foreach(json_object_get(document, "gaps"), i, gap)
	{
		const int days = (int)json_integer_value(json_object_get(gap, "days"));

		printf("%snothing was recorded between %s and %s: %d day%s\n", i ? "" : "\n",
		       text_of(gap, "after"), text_of(gap, "before"), days, days == 1 ? "" : "s");
	}
}

static void names_print(const json_t *document)
{
	const json_t *last = json_object_get(document, "names");
	const json_t *other = json_object_get(document, "compare_names");
	const size_t rows = json_array_size(last) > json_array_size(other) ? json_array_size(last) :
									     json_array_size(other);

	printf("\nnames asked most over TCP\n    %-54s   %s\n", text_of(document, "date"),
	       text_of(document, "compare"));
	for (size_t i = 0; i < rows; i++) {
		printf("%2zu  ", i + 1);
		half_print(last, i);
		printf("   ");
		half_print(other, i);
		putchar('\n');
	}
	if (!rows)
		printf("    none is known of these days\n");
}

static const struct dg_section sections[] = {
	{ "days", NULL, DG_AS_TEXT, day_columns, "no day is known since then" },
	{ 0 },
};

/* ---- the command ---------------------------------------------------------------------------- */

/* A day that is asked for by name must be there: an empty column would read as a day without queries. */
static int compare_check(struct dg_history *history, const char *date, struct dg_error *err)
{
	char near[2][DG_HISTORY_DATE];
	const int known = dg_history_around(history, date, near, err);

	if (known)
		return known < 0 ? known : 0;
	return dg_fail(err, -ENOENT, DG_EXIT_NOT_FOUND,
		       "--compare: nothing was recorded on %s; recorded next to it: %s%s%s", date,
		       near[0][0] || near[1][0] ? near[0] : "nothing",
		       near[0][0] && near[1][0] ? " and " : "", near[1]);
}

/* The day before the last one that is known, or the last itself when there is no other. */
static int dates_choose(const struct dg_cli *cli, const struct dg_history_day *days, int count,
			char ret[2][DG_HISTORY_DATE], struct dg_error *err)
{
	dg_history_date((__u64)time(NULL), ret[0]);
	if (count)
		strcpy(ret[0], days[count - 1].date);
	if (cli->value[COMPARE].given)
		return date_read("compare", cli->value[COMPARE].text, ret[1], err);
	strcpy(ret[1], count > 1 ? days[count - 2].date : "");
	return 0;
}

static int report_make(struct dg_history *history, const struct dg_cli *cli, const char *since,
		       json_t **ret, struct dg_error *err)
{
	dg_scoped_free struct dg_history_day *days = calloc(DG_HISTORY_DAYS, sizeof(*days));
	int count = days ? dg_history_days(history, since, days, err) : -ENOMEM;
	char date[2][DG_HISTORY_DATE];
	json_t *last, *other;
	int status = count < 0 ? count : dates_choose(cli, days, count, date, err);

	if (!status && cli->value[COMPARE].given)
		status = compare_check(history, date[1], err);
	if (status)
		return status;
	last = names_json(history, date[0], err);
	other = last ? names_json(history, date[1], err) : NULL;
	if (!other) {
		json_decref(last);
		return -EIO;
	}
	*ret = json_pack("{s:i, s:o, s:o, s:s, s:o, s:s, s:o}", "schema", 1, "days",
			 days_json(days, count), "gaps", gaps_json(days, count), "date", date[0],
			 "names", last, "compare", date[1], "compare_names", other);
	return 0;
}

int dg_report_tcp_run(const struct dg_cli *cli, struct dg_error *err)
{
	struct dg_history *history dg_scoped_history = NULL;
	json_t *document dg_scoped(dg_json_drop) = NULL;
	char since[DG_HISTORY_DATE];
	int status = 0;

	dg_history_date((__u64)time(NULL) - SINCE_DEFAULT_S, since);
	if (cli->value[SINCE].given)
		status = date_read("since", cli->value[SINCE].text, since, err);
	if (!status)
		status = dg_history_open(cli->state_dir, false, &history, err);
	if (status)
		return status;
	status = report_make(history, cli, since, &document, err);
	if (status)
		return status;
	if (cli->json)
		return dg_render(stdout, json_incref(document), NULL, true);
	status = dg_render(stdout, json_incref(document), sections, false);
	gaps_print(document);
	names_print(document);
	return status;
}
