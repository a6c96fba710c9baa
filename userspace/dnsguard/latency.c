// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * latency.c - response times in the document of `dnsguard status`. Reads only.
 */
#include "userspace/dnsguard/status.h"

#include <math.h>

#include "loader/loader.h"
#include "userspace/lib/latency.h"

/* In whole microseconds; null when nothing was answered. */
static json_t *quantile_json(const __u64 *bucket, double share)
{
	double seconds = dg_latency_quantile(bucket, share);

	return seconds < 0 ? json_null() : json_real(round(seconds * 1e6) / 1e6);
}

static json_t *kind_json(const struct dg_latency_view *view)
{
	return json_pack("{s:I, s:I, s:o, s:o}", "answers", (json_int_t)view->answers,
			 "answers_last_minute", (json_int_t)view->recent_answers, "p50_seconds",
			 quantile_json(view->recent, 0.5), "p99_seconds",
			 quantile_json(view->recent, 0.99));
}

/* Every device that is guarded, or none: one that is left out would be missing unseen. */
static bool is_measured(const struct dg_cli *cli, const struct dg_snapshot *snapshot)
{
	bool measured = snapshot->ifaces > 0;

	for (__u32 i = 0; i < snapshot->ifaces; i++)
		measured = measured && dg_egress_times(cli->bpffs, &snapshot->iface[i]);
	return measured;
}

json_t *dg_latency_json(const struct dg_cli *cli, const struct dg_maps *maps,
			const struct dg_snapshot *snapshot)
{
	struct dg_latency_view view[DG_LATENCY_KINDS];
	json_t *udp;

	if (dg_latency_read(maps, snapshot->now_ns, view))
		return json_null();
	udp = kind_json(&view[DG_LATENCY_UDP]);
	json_object_set_new(udp, "one_in", json_integer(dg_latency_sample(&snapshot->settings)));
	json_object_set_new(udp, "unanswered",
			    json_integer((json_int_t)view[DG_LATENCY_UDP].unanswered));
	return json_pack("{s:b, s:o, s:o, s:o}", "measured", is_measured(cli, snapshot), "udp", udp,
			 "tcp", kind_json(&view[DG_LATENCY_TCP]), "tcp_first",
			 kind_json(&view[DG_LATENCY_TCP_FIRST]));
}
