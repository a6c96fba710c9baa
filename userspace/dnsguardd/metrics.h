/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metrics.h - a snapshot as Prometheus text: version 0.0.4 or OpenMetrics 1.0 from one table of
 * metrics.
 *
 * Pure rendering: reads no map and no file, so a filled struct is all a test needs.
 */
#ifndef DG_METRICS_H
#define DG_METRICS_H

#include "userspace/dnsguardd/process.h"
#include "userspace/lib/stats.h"

enum dg_metrics_format { DG_METRICS_TEXT, DG_METRICS_OPENMETRICS };

#define DG_METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define DG_METRICS_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* What is known of the refreshing of one list. Times are Unix seconds, 0 = never. */
struct dg_list_row {
	char name[DG_TEXT_MAX + 1];
	__u64 last_success_unix;
	__u64 stale_since_unix; /* 0 = it is not stale */
	__u64 failures;		/* since the daemon started */
	__u64 rejected_lines;	/* of what it has now */
};

struct dg_tcp_view;
struct dg_quotas;
struct dg_latency_view;

/* All that one scrape shows. */
struct dg_metrics_view {
	const struct dg_snapshot *snapshot; /* NULL: no guard is loaded */
	const __u8 *attached;		    /* for each device of the snapshot: is it there? */
	const struct dg_map_usage *usage;   /* usage_count rows, may be NULL with 0 */
	int usage_count;
	const struct dg_list_row *lists; /* list_count rows, may be NULL with 0 */
	int list_count;
	const struct dg_tcp_view *tcp;	       /* NULL: TCP connections are not counted */
	const struct dg_quotas *quotas;	       /* NULL: quotas are not watched */
	const struct dg_latency_view *latency; /* DG_LATENCY_KINDS; NULL: no guard is loaded */
	struct dg_process process;
	const char *version;
	int config_good;	/* the last (re)load was applied */
	__u64 config_good_unix; /* seconds, when a configuration was last applied; 0 = never */
};

/* The text, owned by the caller (free), or NULL when memory is short. */
char *dg_metrics_render(const struct dg_metrics_view *view, enum dg_metrics_format format,
			size_t *ret_len);

/*
 * Which format an Accept header asks for (NULL = none): the acceptable one with the higher q,
 * OpenMetrics 1.0 when they are even, text when neither is named. RFC 9110 section 12.5.1.
 */
enum dg_metrics_format dg_metrics_negotiate(const char *accept);

#endif
