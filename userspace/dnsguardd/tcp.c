// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcp.c - TCP connections in the daemon: the check of the kernel's counts, and their metrics.
 *
 * The counts live in the kernel; a daemon that is restarted finds them there.
 */
#include <inttypes.h>
#include <string.h>

#include "loader/loader.h"
#include "userspace/dnsguardd/daemon.h"
#include "userspace/dnsguardd/log.h"
#include "userspace/dnsguardd/tcp.h"

/* ---- the check ------------------------------------------------------------------------------ */

void dg_tcp_check(uv_timer_t *timer)
{
	const struct dg_daemon *daemon = timer->data;
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	static int failing; /* said once */
	__u64 next_ms;
	int moved;

	if (!dg_tcpstate_runs(daemon->options->bpffs) ||
	    dg_maps_open(daemon->options->bpffs, &maps, NULL))
		return;
	moved = dg_tcp_reconcile(&maps);
	if (moved > 0)
		dg_log(DG_LOG_INFO, "the count of TCP connections was moved by %d", moved);
	if (moved < 0 && !failing)
		dg_log(DG_LOG_WARNING, "cannot check the count of TCP connections: %s",
		       strerror(-moved));
	failing = moved < 0;
	next_ms = moved ? DG_TCP_CHECK_MS : DG_TCP_CHECK_CALM_MS;
	uv_timer_start(timer, dg_tcp_check, next_ms, next_ms);
}

/* ---- what is shown -------------------------------------------------------------------------- */

void dg_tcp_shown_read(const char *bpffs, const struct dg_maps *maps, struct dg_tcp_view **ret)
{
	*ret = dg_tcpstate_runs(bpffs) ? malloc(sizeof(**ret)) : NULL;
	if (*ret && dg_tcp_view_read(maps, *ret)) {
		free(*ret);
		*ret = NULL;
	}
}

void dg_tcp_shown_close(struct dg_tcp_view **view)
{
	if (*view)
		dg_tcp_books_close(&(*view)->books);
	free(*view);
	*view = NULL;
}

/* ---- metrics -------------------------------------------------------------------------------- */

typedef __u64 value_fn(const struct dg_tcp_listener *listener, const struct dg_tcp_row *row);

static __u64 connections_of(const struct dg_tcp_listener *listener, const struct dg_tcp_row *row)
{
	__s64 connections = row->connections;

	(void)listener;
	return connections > 0 ? (__u64)connections : 0;
}

static __u64 peak_of(const struct dg_tcp_listener *listener, const struct dg_tcp_row *row)
{
	(void)listener;
	return dg_tcp_peak_minute(row, dg_now_ns());
}

static __u64 opened_of(const struct dg_tcp_listener *listener, const struct dg_tcp_row *row)
{
	(void)listener;
	return row->opened;
}

static __u64 queue_of(const struct dg_tcp_listener *listener, const struct dg_tcp_row *row)
{
	(void)row;
	return listener->accept_queue;
}

static __u64 queue_max_of(const struct dg_tcp_listener *listener, const struct dg_tcp_row *row)
{
	(void)row;
	return listener->accept_queue_max;
}

static const struct {
	const char *name, *suffix, *type, *help;
	value_fn *value;
} metrics[] = {
	{ "dnsguard_tcp_connections", "", "gauge",
	  "Connections of a listener, those in its accept queue included.", connections_of },
	{ "dnsguard_tcp_connections_peak", "", "gauge",
	  "Most connections at one time in the last minute.", peak_of },
	{ "dnsguard_tcp_connections_opened", "_total", "counter",
	  "Connections that were established.", opened_of },
	{ "dnsguard_tcp_accept_queue", "", "gauge",
	  "Connections that the resolver has not accepted yet.", queue_of },
	{ "dnsguard_tcp_accept_queue_max", "", "gauge",
	  "Room in the accept queue; beyond it SYNs are dropped.", queue_max_of },
};

/* OpenMetrics names a family without its samples' suffix. */
static void announce(FILE *file, const char *name, const char *type, const char *help)
{
	fprintf(file, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void values_write(FILE *file, const struct dg_tcp_view *view, size_t metric)
{
	for (__u32 i = 0; i < view->dump.listeners; i++) {
		const struct dg_tcp_listener *listener = &view->dump.listener[i];
		const struct dg_tcp_row *row = dg_tcp_row_of(&view->books, &listener->key);
		char text[DG_TCP_KEY_TEXT];

		if (row)
			fprintf(file, "%s%s{listener=\"%s\"} %" PRIu64 "\n", metrics[metric].name,
				metrics[metric].suffix, dg_tcp_key_text(&listener->key, text),
				(uint64_t)metrics[metric].value(listener, row));
	}
}

/* Buckets are upper bounds and hold all that is below; the last one has no bound. */
static void hold_write(FILE *file, const char *listener, const struct dg_tcp_row *row)
{
	uint64_t below = 0;

	for (int i = 0; i < DG_TCP_HOLD_BUCKETS; i++) {
		char bound[32] = "+Inf";

		below += row->hold[i];
		if (i < DG_TCP_HOLD_BUCKETS - 1)
			snprintf(bound, sizeof(bound), "%.3f", (double)(1ull << i) / 1000);
		fprintf(file,
			"dnsguard_tcp_hold_seconds_bucket{listener=\"%s\",le=\"%s\"} %" PRIu64 "\n",
			listener, bound, below);
	}
	fprintf(file,
		"dnsguard_tcp_hold_seconds_sum{listener=\"%s\"} %.6f\n"
		"dnsguard_tcp_hold_seconds_count{listener=\"%s\"} %" PRIu64 "\n",
		listener, (double)row->hold_ns / 1e9, listener, below);
}

static void holds_write(FILE *file, const struct dg_tcp_view *view)
{
	for (__u32 i = 0; i < view->dump.listeners; i++) {
		const struct dg_tcp_key *key = &view->dump.listener[i].key;
		const struct dg_tcp_row *row = dg_tcp_row_of(&view->books, key);
		char text[DG_TCP_KEY_TEXT];

		if (row)
			hold_write(file, dg_tcp_key_text(key, text), row);
	}
}

void dg_tcp_metrics_write(FILE *file, const struct dg_tcp_view *view, enum dg_metrics_format format)
{
	const bool open = format == DG_METRICS_OPENMETRICS;
	char name[64];

	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", metrics[i].name,
			 open ? "" : metrics[i].suffix);
		announce(file, name, metrics[i].type, metrics[i].help);
		values_write(file, view, i);
	}
	announce(file, "dnsguard_tcp_hold_seconds", "histogram",
		 "How long a connection was held, until the resolver or its client ended it.");
	if (open)
		fputs("# UNIT dnsguard_tcp_hold_seconds seconds\n", file);
	holds_write(file, view);
	announce(file, "dnsguard_tcp_time_wait", "gauge",
		 "Sockets of this network namespace in TIME_WAIT.");
	fprintf(file, "dnsguard_tcp_time_wait %" PRIu64 "\n", (uint64_t)view->host.time_wait);
}
