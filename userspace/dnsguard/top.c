// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * top.c - dnsguard top: what happens now, as rates a second, refreshed. Reads only.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/status.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"

#define NS_PER_SEC 1000000000ull
#define DEFAULT_INTERVAL_NS NS_PER_SEC
#define ROWS 10

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
	{ "verdict", "VERDICT", DG_AS_TEXT },
	{ "frames_per_second", "FRAMES", DG_AS_RATE },
	{ "bytes_per_second", "BYTES/S", DG_AS_BYTES },
	{ "frames", "TOTAL", DG_AS_COUNT },
	{ "meaning", "MEANING", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_column talker_columns[] = {
	{ "prefix", "PREFIX", DG_AS_TEXT },
	{ "frames", "FRAMES", DG_AS_COUNT },
	{ "seconds_ago", "LAST SEEN (S AGO)", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_section sections[] = {
	{ "summary", NULL, DG_AS_TEXT, NULL, NULL },
	{ "rates", "", DG_AS_TEXT, verdict_columns, "\nno frame was seen yet" },
	{ "limited", "limited in the last 10 s", DG_AS_TEXT, talker_columns, NULL },
	{ "syn_senders", "senders of SYNs in the last 10 s", DG_AS_TEXT, talker_columns, NULL },
	{ 0 },
};

static double rate(__u64 now, __u64 before, double seconds)
{
	return now >= before ? (double)(now - before) / seconds :
			       0; /* counters start anew with a purge */
}

/* A row for every verdict that ever happened, the busiest on top where people look. */
static json_t *rates_json(const struct dg_snapshot *now, const struct dg_snapshot *before,
			  double seconds)
{
	json_t *list = json_array();

	for (enum dg_verdict verdict = 0; verdict < DG_VERDICT_COUNT; verdict++) {
		const struct dg_count *new = &now->total.verdict[verdict],
				      *old = &before->total.verdict[verdict];
		double frames = rate(new->frames, old->frames, seconds);
		size_t at = 0;

		if (!new->frames)
			continue;
		while (at < json_array_size(list) &&
		       json_number_value(json_object_get(json_array_get(list, at),
							 "frames_per_second")) >= frames)
			at++;
		json_array_insert_new(
			list, at,
			json_pack("{s:s, s:f, s:f, s:I, s:s}", "verdict", dg_verdict_label(verdict),
				  "frames_per_second", frames, "bytes_per_second",
				  rate(new->bytes, old->bytes, seconds), "frames",
				  (json_int_t) new->frames, "meaning", dg_verdict_help(verdict)));
	}
	return list;
}

static struct dg_count actions_sum(const struct dg_stats *stats, enum dg_action action)
{
	struct dg_count sum = { 0 };

	for (enum dg_verdict verdict = 0; verdict < DG_VERDICT_COUNT; verdict++)
		if (dg_verdict_action(verdict) == action)
			sum.frames += stats->verdict[verdict].frames;
	return sum;
}

static double action_rate(const struct dg_snapshot *now, const struct dg_snapshot *before,
			  enum dg_action action)
{
	return rate(actions_sum(&now->total, action).frames,
		    actions_sum(&before->total, action).frames,
		    (double)(now->now_ns - before->now_ns) / 1e9);
}

static json_t *top_json(const struct dg_maps *maps, const struct dg_snapshot *now,
			const struct dg_snapshot *before)
{
	double seconds = (double)(now->now_ns - before->now_ns) / 1e9;
	double passed = action_rate(now, before, DG_ACT_PASS),
	       dropped = action_rate(now, before, DG_ACT_DROP);
	double answered = action_rate(now, before, DG_ACT_REPLY);
	char summary[256];

	snprintf(summary, sizeof(summary),
		 "%u device%s, passed %.1f/s, dropped %.1f/s, answered %.1f/s, limited %u%s",
		 now->ifaces, now->ifaces == 1 ? "" : "s", passed, dropped, answered,
		 now->limited_sources,
		 now->settings.paused_until_ns > now->now_ns ? ", PAUSED" : "");
	return json_pack("{s:i, s:s, s:f, s:f, s:f, s:f, s:i, s:o, s:o, s:o}", "schema", 1,
			 "summary", summary, "interval_seconds", seconds, "passed_per_second",
			 passed, "dropped_per_second", dropped, "answered_per_second", answered,
			 "limited_sources", (int)now->limited_sources, "rates",
			 rates_json(now, before, seconds), "limited",
			 dg_json_talkers(maps->dg_limited, ROWS), "syn_senders",
			 dg_json_talkers(maps->dg_syn_talkers, ROWS));
}

/* Waits unless told to stop; a signal cuts it short. */
static void interval_wait(__u64 interval_ns)
{
	poll(NULL, 0, (int)(interval_ns / 1000000));
}

static int table_print(const struct dg_cli *cli, const struct dg_maps *maps,
		       const struct dg_snapshot *now, const struct dg_snapshot *before)
{
	if (!cli->json && isatty(STDOUT_FILENO) && !cli->value[ONCE].given)
		fputs("\033[H\033[J", stdout);
	else if (!cli->json)
		putchar('\n');
	return dg_render(stdout, top_json(maps, now, before), sections, cli->json);
}

static int tables_print(const struct dg_cli *cli, const struct dg_maps *maps,
			struct dg_snapshot snapshots[2])
{
	__u64 left = cli->value[ONCE].given  ? 1 :
		     cli->value[COUNT].given ? cli->value[COUNT].number :
					       ~0ull;
	__u64 interval_ns =
		cli->value[INTERVAL].given ? cli->value[INTERVAL].number : DEFAULT_INTERVAL_NS;
	int status = dg_snapshot_read(maps, &snapshots[0]);

	for (int turn = 1; !status && left--; turn ^= 1) {
		interval_wait(interval_ns);
		if (dg_stopped)
			break;
		status = dg_snapshot_read(maps, &snapshots[turn]);
		if (!status)
			status = table_print(cli, maps, &snapshots[turn], &snapshots[turn ^ 1]);
	}
	return status == -EPIPE ? 0 : status; /* whoever read has seen enough */
}

int dg_top_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_free struct dg_snapshot *snapshots = calloc(2, sizeof(*snapshots));
	int status = dg_maps_open(cli->bpffs, &maps, err);

	if (status)
		return status;
	dg_stop_catch();
	status = snapshots ? tables_print(cli, &maps, snapshots) : -ENOMEM;
	return status ? dg_fail(err, status, DG_EXIT_FAILED, "cannot read the counters: %s",
				strerror(-status)) :
			0;
}
