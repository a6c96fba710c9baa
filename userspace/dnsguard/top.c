// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * top.c - dnsguard top: what happens now, as rates a second, refreshed: a screen on a terminal, lines elsewhere.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "loader/loader.h"
#include "userspace/config/reload.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/source.h"
#include "userspace/dnsguard/tcp.h"
#include "userspace/dnsguard/top.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"
#include "userspace/view/overview.h"

#define NS_PER_SEC 1000000000ull
#define DEFAULT_INTERVAL_NS NS_PER_SEC
#define FIRST_NS (NS_PER_SEC / 5)
#define DEED_NS (600 * NS_PER_SEC) /* how long a ban or exemption by a key holds */

enum { INTERVAL, COUNT, ONCE };

const struct dg_option dg_top_options[] = {
	[INTERVAL] = { .name = "interval",
		       .type = DG_OPT_DURATION,
		       .arg = "D",
		       .help = "time between two readings (1s)" },
	[COUNT] = { .name = "count",
		    .type = DG_OPT_COUNT,
		    .arg = "N",
		    .min = 1,
		    .max = 1000000,
		    .help = "stop after N tables" },
	[ONCE] = { .name = "once", .type = DG_OPT_FLAG, .help = "one table, for scripts" },
	{ 0 },
};

static const struct dg_column verdict_columns[] = {
	{ "verdict", "VERDICT", DG_AS_TEXT },		{ "per_second", "FRAMES", DG_AS_RATE },
	{ "bytes_per_second", "BYTES/S", DG_AS_BYTES }, { "frames", "TOTAL", DG_AS_COUNT },
	{ "meaning", "MEANING", DG_AS_TEXT },		{ 0 },
};

static const struct dg_column talker_columns[] = {
	{ "prefix", "PREFIX", DG_AS_TEXT },
	{ "frames", "FRAMES", DG_AS_COUNT },
	{ "seconds_ago", "LAST SEEN (S AGO)", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_column alert_columns[] = {
	{ "name", "ALERT", DG_AS_TEXT },
	{ "state", "SEVERITY", DG_AS_TEXT },
	{ "summary", "SUMMARY", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_column tcp_columns[] = {
	{ "listener", "LISTENER", DG_AS_TEXT },
	{ "state", "STATE", DG_AS_TEXT },
	{ "connections", "CONNECTIONS", DG_AS_COUNT },
	{ "quota", "QUOTA", DG_AS_COUNT },
	{ "seconds_to_full", "FULL IN", DG_AS_SECONDS },
	{ "accept_queue", "QUEUE", DG_AS_COUNT },
	{ "accept_queue_max", "OF", DG_AS_COUNT },
	{ "new_per_second", "NEW/S", DG_AS_RATE },
	{ 0 },
};

static const struct dg_column name_columns[] = {
	{ "name", "NAME", DG_AS_TEXT },
	{ "queries", "QUERIES, ABOUT", DG_AS_COUNT },
	{ 0 },
};

static const struct dg_section sections[] = {
	{ "summary", NULL, DG_AS_TEXT, NULL, NULL },
	{ "daemon", "dnsguardd", DG_AS_TEXT, NULL, NULL },
	{ "alerts", "alerts", DG_AS_TEXT, alert_columns, NULL },
	{ "verdicts", "", DG_AS_TEXT, verdict_columns, "\nno frame was seen yet" },
	{ "tcp", "TCP connections", DG_AS_TEXT, tcp_columns, NULL },
	{ "blocked", "blocked names of the last minute", DG_AS_TEXT, name_columns, NULL },
	{ "limited", "limited in the last 10 s", DG_AS_TEXT, talker_columns, NULL },
	{ "syn_senders", "senders of SYNs in the last 10 s", DG_AS_TEXT, talker_columns, NULL },
	{ 0 },
};

/* Waits unless told to stop; a signal cuts it short. */
static void interval_wait(__u64 interval_ns)
{
	poll(NULL, 0, (int)(interval_ns / 1000000));
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Two readings of the counters; which of them is the newer one changes with each turn. */
struct reading {
	const struct dg_cli *cli;
	const struct dg_maps *maps;
	struct dg_snapshot *snapshot; /* two of them */
	int newest;
};

static int reading_take(struct reading *reading)
{
	reading->newest ^= 1;
	return dg_snapshot_read(reading->maps, &reading->snapshot[reading->newest]);
}

/* NULL: out of memory. */
static json_t *reading_json(const struct reading *reading)
{
	dg_scoped_free struct dg_tcp_view *tcp = malloc(sizeof(*tcp));
	const struct dg_snapshot *now = &reading->snapshot[reading->newest];
	pid_t pid;
	const bool watched = !dg_daemon_pid(reading->cli->bpffs, &pid, NULL);
	const bool counted = tcp && dg_tcpstate_runs(reading->cli->bpffs) &&
			     !dg_tcp_view_read(reading->maps, tcp);
	json_t *doc = dg_overview_json(
		&(struct dg_overview){ .bpffs = reading->cli->bpffs,
				       .state_dir = reading->cli->state_dir,
				       .maps = reading->maps,
				       .before = &reading->snapshot[!reading->newest],
				       .now = now,
				       .tcp = counted ? tcp : NULL,
				       .watched = watched });
	char host[65] = "";

	if (counted)
		dg_tcp_books_close(&tcp->books);
	gethostname(host, sizeof(host) - 1);
	if (doc)
		json_object_set_new(doc, "host", json_string(host));
	if (doc && !watched)
		json_object_set_new(doc, "daemon", dg_tcp_alone_json(&now->settings.protect));
	return doc;
}

static __u64 interval_of(const struct dg_cli *cli)
{
	return cli->value[INTERVAL].given ? cli->value[INTERVAL].number : DEFAULT_INTERVAL_NS;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static int tables_print(struct reading *reading)
{
	const struct dg_cli *cli = reading->cli;
	__u64 left = cli->value[ONCE].given  ? 1 :
		     cli->value[COUNT].given ? cli->value[COUNT].number :
					       ~0ull;
	int status = 0;

	while (!status && left--) {
		interval_wait(interval_of(cli));
		if (dg_stopped)
			break;
		status = reading_take(reading);
		if (status)
			break;
		if (!cli->json)
			putchar('\n');
		status = dg_render(stdout, reading_json(reading), sections, cli->json);
	}
	return status == -EPIPE ? 0 : status; /* whoever read has seen enough */
}

/* ---- the screen ----------------------------------------------------------------------------- */

static void deed_do(const struct dg_cli *cli, struct dg_top *top, enum dg_top_wish wish)
{
	struct dg_error err = { 0 };
	const bool ban = wish == DG_TOP_BAN;
	char line[160];

	if (dg_source_act(cli, ban ? DG_SOURCE_BAN : DG_SOURCE_EXEMPT, top->chosen, DEED_NS,
			  &err)) {
		snprintf(top->message, sizeof(top->message), "%.150s", err.text);
		return;
	}
	snprintf(top->message, sizeof(top->message), "%s is %s for 10 minutes", top->chosen,
		 ban ? "banned" : "exempt");
	snprintf(line, sizeof(line), "source %s %s --for 10m (a key in top)",
		 ban ? "ban" : "exempt", top->chosen);
	dg_journal_line(line);
}

/* Milliseconds until the next reading; none while the numbers stand still. */
static int patience(const struct dg_top *top, __u64 due_ns)
{
	const __u64 now_ns = dg_now_ns();

	return top->frozen ? 1000 : due_ns > now_ns ? (int)((due_ns - now_ns) / 1000000) + 1 : 0;
}

static int screen_run(struct reading *reading, struct dg_top *top)
{
	json_t *doc = reading_json(reading), *next;
	__u64 due_ns = dg_now_ns() + interval_of(reading->cli);
	enum dg_top_wish wish = DG_TOP_NOTHING;
	int status = 0, key;

	while (!status && !dg_stopped && wish != DG_TOP_QUIT) {
		dg_top_draw(top, doc);
		key = dg_top_wait(patience(top, due_ns));
		wish = key < 0 ? DG_TOP_NOTHING : dg_top_key(top, key);
		if (wish == DG_TOP_BAN || wish == DG_TOP_EXEMPT)
			deed_do(reading->cli, top, wish);
		if (top->frozen || dg_now_ns() < due_ns)
			continue;
		due_ns = dg_now_ns() + interval_of(reading->cli);
		status = reading_take(reading);
		next = status ? NULL : reading_json(reading);
		json_decref(next ? doc : NULL);
		doc = next ? next : doc;
	}
	json_decref(doc);
	return status;
}

/* The first numbers come at once, as rates since a moment ago. */
static int screen_show(struct reading *reading)
{
	struct dg_top top;
	int status;

	interval_wait(FIRST_NS);
	status = reading_take(reading);
	if (status)
		return status;
	dg_top_start(&top);
	status = dg_top_open();
	if (status)
		return tables_print(reading);
	status = screen_run(reading, &top);
	dg_top_close();
	return status;
}

int dg_top_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_free struct dg_snapshot *snapshots = calloc(2, sizeof(*snapshots));
	struct reading reading = { .cli = cli, .maps = &maps, .snapshot = snapshots };
	const bool screen = !cli->json && !cli->value[ONCE].given && !cli->value[COUNT].given &&
			    isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	int status = dg_maps_open(cli->bpffs, &maps, err);

	if (status)
		return status;
	dg_stop_catch();
	status = snapshots ? reading_take(&reading) : -ENOMEM;
	if (!status)
		status = screen ? screen_show(&reading) : tables_print(&reading);
	return status ? dg_fail(err, status, DG_EXIT_FAILED, "cannot read the counters: %s",
				strerror(-status)) :
			0;
}
