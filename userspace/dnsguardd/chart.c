// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * chart.c - a ring of samples, and the two documents made of it and of the counters.
 */
#include "userspace/dnsguardd/chart.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "userspace/dnsguardd/tcp.h"
#include "userspace/view/overview.h"

#define NS_PER_SEC 1000000000ull

struct sample {
	__u64 unix_seconds;
	struct dg_overview_rates rates;
	int connections[DG_CHART_LISTENERS]; /* -1 = not counted; the columns are chart.key[] */
};

struct dg_chart {
	struct dg_daemon *daemon;
	uv_timer_t timer;
	struct dg_tcp_key key[DG_CHART_LISTENERS];
	unsigned int keys;
	struct sample sample[DG_CHART_SAMPLES];
	unsigned int next, count;
	struct dg_snapshot snapshot[2]; /* the last two that were read */
	int read[2], newest;
};

/* ---- sampling ------------------------------------------------------------------------------- */

/* The column of a listener; a new one takes a free column. -1: there is none left. */
static int column_of(struct dg_chart *chart, const struct dg_tcp_key *key)
{
	for (unsigned int i = 0; i < chart->keys; i++)
		if (!memcmp(&chart->key[i], key, sizeof(*key)))
			return (int)i;
	if (chart->keys == DG_CHART_LISTENERS)
		return -1;
	chart->key[chart->keys] = *key;
	return (int)chart->keys++;
}

static void connections_take(struct dg_chart *chart, const struct dg_maps *maps,
			     int ret[DG_CHART_LISTENERS])
{
	struct dg_tcp_view *tcp dg_scoped(dg_tcp_shown_close) = NULL;

	for (int i = 0; i < DG_CHART_LISTENERS; i++)
		ret[i] = -1;
	dg_tcp_shown_read(chart->daemon->options->bpffs, maps, &tcp);
	for (__u32 i = 0; tcp && i < tcp->dump.listeners; i++) {
		const struct dg_tcp_key *key = &tcp->dump.listener[i].key;
		const struct dg_tcp_row *row = dg_tcp_row_of(&tcp->books, key);
		int column = row ? column_of(chart, key) : -1;

		if (column >= 0)
			ret[column] = row->connections > 0 ? (int)row->connections : 0;
	}
}

/* A rate needs two readings: the first one makes no sample. */
static void sample_take(struct dg_chart *chart, const struct dg_maps *maps, int before, int now)
{
	struct sample *sample = &chart->sample[chart->next];

	if (!chart->read[before])
		return;
	sample->unix_seconds = (__u64)time(NULL);
	dg_overview_rates(&chart->snapshot[before], &chart->snapshot[now], &sample->rates);
	connections_take(chart, maps, sample->connections);
	chart->next = (chart->next + 1) % DG_CHART_SAMPLES;
	chart->count += chart->count < DG_CHART_SAMPLES;
}

static void on_sample(uv_timer_t *timer)
{
	struct dg_chart *chart = timer->data;
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	const int before = chart->newest, now = !chart->newest;

	chart->read[now] = !dg_maps_open(chart->daemon->options->bpffs, &maps, NULL) &&
			   !dg_snapshot_read(&maps, &chart->snapshot[now]);
	chart->newest = now;
	if (chart->read[now])
		sample_take(chart, &maps, before, now);
}

int dg_chart_start(struct dg_daemon *daemon, struct dg_chart **ret)
{
	struct dg_chart *chart = calloc(1, sizeof(*chart));

	if (!chart)
		return -ENOMEM;
	chart->daemon = daemon;
	uv_timer_init(&daemon->loop, &chart->timer);
	chart->timer.data = chart;
	uv_timer_start(&chart->timer, on_sample, 0, DG_CHART_INTERVAL_S * 1000);
	*ret = chart;
	return 0;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void dg_chart_stop(struct dg_chart **chart)
{
	if (*chart)
		uv_close((uv_handle_t *)&(*chart)->timer, on_closed);
	*chart = NULL;
}

/* ---- documents ------------------------------------------------------------------------------ */

/* A reading at least a second old, so that rates do not jump; NULL before there is one. */
static const struct dg_snapshot *earlier(const struct dg_chart *chart, __u64 now_ns)
{
	for (int age = 0; age < 2; age++) {
		const int at = chart->newest ^ age;

		if (chart->read[at] && chart->snapshot[at].now_ns + NS_PER_SEC <= now_ns)
			return &chart->snapshot[at];
	}
	return NULL;
}

json_t *dg_chart_now_json(struct dg_chart *chart)
{
	dg_scoped_free struct dg_snapshot *now = malloc(sizeof(*now));
	struct dg_tcp_view *tcp dg_scoped(dg_tcp_shown_close) = NULL;
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	const char *bpffs = chart->daemon->options->bpffs;
	const struct dg_snapshot *before;

	if (!now || dg_maps_open(bpffs, &maps, NULL) || dg_snapshot_read(&maps, now))
		return NULL;
	before = earlier(chart, now->now_ns);
	dg_tcp_shown_read(bpffs, &maps, &tcp);
	return dg_overview_json(
		&(struct dg_overview){ .bpffs = bpffs,
				       .state_dir = chart->daemon->options->state_dir,
				       .maps = &maps,
				       .before = before ? before : now,
				       .now = now,
				       .tcp = tcp,
				       .watched = true });
}

/* ---- history ---- */

static const struct sample *sample_at(const struct dg_chart *chart, unsigned int at)
{
	unsigned int oldest = (chart->next + DG_CHART_SAMPLES - chart->count) % DG_CHART_SAMPLES;

	return &chart->sample[(oldest + at) % DG_CHART_SAMPLES];
}

static const struct {
	const char *name;
	size_t offset; /* of a double in struct dg_overview_rates */
} series[] = {
	{ "passed", offsetof(struct dg_overview_rates, passed) },
	{ "dropped", offsetof(struct dg_overview_rates, dropped) },
	{ "answered", offsetof(struct dg_overview_rates, answered) },
	{ "udp", offsetof(struct dg_overview_rates, queries[DG_UDP]) },
	{ "tcp", offsetof(struct dg_overview_rates, queries[DG_TCP]) },
};

static json_t *series_json(const struct dg_chart *chart, size_t offset)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < chart->count; i++) {
		const char *rates = (const char *)&sample_at(chart, i)->rates;

		json_array_append_new(list, json_real(*(const double *)(rates + offset)));
	}
	return list;
}

static json_t *limited_json(const struct dg_chart *chart)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < chart->count; i++)
		json_array_append_new(list,
				      json_integer(sample_at(chart, i)->rates.limited_sources));
	return list;
}

static json_t *connections_json(const struct dg_chart *chart, unsigned int column)
{
	json_t *list = json_array();
	char text[DG_TCP_KEY_TEXT];

	for (unsigned int i = 0; i < chart->count; i++) {
		int connections = sample_at(chart, i)->connections[column];

		json_array_append_new(list,
				      connections < 0 ? json_null() : json_integer(connections));
	}
	return json_pack("{s:s, s:o}", "listener", dg_tcp_key_text(&chart->key[column], text),
			 "connections", list);
}

json_t *dg_chart_history_json(const struct dg_chart *chart)
{
	json_t *times = json_array(), *all = json_object(), *tcp = json_array();

	for (unsigned int i = 0; i < chart->count; i++)
		json_array_append_new(times,
				      json_integer((json_int_t)sample_at(chart, i)->unix_seconds));
	for (size_t i = 0; i < sizeof(series) / sizeof(series[0]); i++)
		json_object_set_new(all, series[i].name, series_json(chart, series[i].offset));
	json_object_set_new(all, "limited_sources", limited_json(chart));
	for (unsigned int column = 0; column < chart->keys; column++)
		json_array_append_new(tcp, connections_json(chart, column));
	return json_pack("{s:i, s:i, s:o, s:o, s:o}", "schema", 1, "interval_seconds",
			 DG_CHART_INTERVAL_S, "unix", times, "series", all, "tcp", tcp);
}
