/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chart.h - the last quarter of an hour, kept for the page: a sample every few seconds, the oldest gives way.
 *
 * A fixed amount of memory; what was before the daemon started is not there. Knows no HTTP.
 */
#ifndef DG_CHART_H
#define DG_CHART_H

#include <jansson.h>

#include "userspace/dnsguardd/daemon.h"

#define DG_CHART_INTERVAL_S 5
#define DG_CHART_SAMPLES (15 * 60 / DG_CHART_INTERVAL_S)
#define DG_CHART_LISTENERS 16 /* listeners that get a line of their own */

struct dg_chart;

/* Samples from now on. */
int dg_chart_start(struct dg_daemon *daemon, struct dg_chart **ret);
void dg_chart_stop(struct dg_chart **chart); /* accepts NULL; the loop must run once more */

/* What happens now, against a sample that is at least a second old: see overview.h. NULL: no guard is loaded yet. */
json_t *dg_chart_now_json(struct dg_chart *chart);

/*
 * {schema, interval_seconds, unix [...], series {passed, dropped, answered, udp, tcp, limited_sources: [...]},
 * tcp [{listener, connections [...]}]}: oldest first, null where nothing was counted.
 */
json_t *dg_chart_history_json(const struct dg_chart *chart);

#endif
