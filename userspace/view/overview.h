/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * overview.h - what happens now, as one document: `dnsguard top` draws it, the page of the daemon fetches it.
 *
 * Made of two snapshots, so that everything that moves is a rate. Reads maps; knows neither terminal nor HTTP.
 */
#ifndef DG_OVERVIEW_H
#define DG_OVERVIEW_H

#include <jansson.h>

#include "userspace/lib/stats.h"
#include "userspace/tcp/tcp.h"

/* What the document is made of. Two snapshots of one guard, the older one first. */
struct dg_overview {
	const char *bpffs;     /* where links of devices are looked up */
	const char *state_dir; /* where the daemon keeps what it knows */
	const struct dg_maps *maps;
	const struct dg_snapshot *before, *now;
	const struct dg_tcp_view *tcp; /* NULL: connections are not counted */
	bool watched; /* a daemon runs; else states and alerts that one has left behind hold no more */
};

/* Rows of each table of people: senders, names. */
#define DG_OVERVIEW_ROWS 10

/*
 * {schema, unix, interval_seconds, paused_seconds, summary, rates {passed, dropped, answered, limited_sources, queries
 * {udp, tcp}, bytes}, interfaces [{name, state, mode, passed, dropped, answered, verdicts [...]}], verdicts [{verdict,
 * action, per_second, bytes_per_second, frames, meaning}], limited [...], syn_senders [...], lists [{name, names,
 * per_second, answers}], tcp [{listener, connections, peak_minute, accept_queue, accept_queue_max, new_per_second,
 * quota, resolver, state, seconds_to_full}], alerts [{name, of, state, summary, seconds}], response_seconds {udp_p99,
 * tcp_p99}, blocked [{name, queries}], thresholds {warning_percent, critical_percent}}. Null is not known.
 * All rates are a second. The caller's; NULL when memory is short.
 */
json_t *dg_overview_json(const struct dg_overview *view);

/* The rates alone, for who keeps them: what `rates` holds. */
struct dg_overview_rates {
	double passed, dropped, answered, bytes;
	double queries[DG_TRANSPORT_COUNT];
	__u32 limited_sources;
};
void dg_overview_rates(const struct dg_snapshot *before, const struct dg_snapshot *now,
		       struct dg_overview_rates *ret);

/* The heaviest `max` talkers of the last 10 s: [{prefix, frames, seconds_ago}]. */
json_t *dg_talkers_json(int map_fd, __u32 max);

#endif
