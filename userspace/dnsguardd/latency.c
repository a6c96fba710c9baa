// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * latency.c - response times as Prometheus text: the kernel's fine buckets, one bound an octave.
 */
#include "userspace/dnsguardd/latency.h"

#include <inttypes.h>

/* From 32 us, below which no resolver answers, to 16.8 s. */
#define FIRST_BOUND_US 32
#define LAST_BOUND_US (1 << 24)

static void announce(FILE *file, const char *name, const char *type, const char *help)
{
	fprintf(file, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* label: `transport="udp"`, or "". Bounds are powers of two, where a fine bucket ends as well. */
static void buckets_write(FILE *file, const char *name, const char *label,
			  const struct dg_latency_view *view)
{
	const char *comma = label[0] ? "," : "";
	uint64_t below = 0, bound_us = FIRST_BOUND_US;

	for (__u32 i = 0; i < DG_LATENCY_BUCKETS && bound_us <= LAST_BOUND_US; i++) {
		below += view->bucket[i];
		if (dg_latency_end_us(i) != bound_us)
			continue;
		fprintf(file, "%s_bucket{%s%sle=\"%.6f\"} %" PRIu64 "\n", name, label, comma,
			(double)bound_us / 1e6, below);
		bound_us *= 2;
	}
	fprintf(file, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, label, comma,
		(uint64_t)view->answers);
}

static void histogram_write(FILE *file, const char *name, const char *label,
			    const struct dg_latency_view *view)
{
	const char *open = label[0] ? "{" : "", *close = label[0] ? "}" : "";

	buckets_write(file, name, label, view);
	fprintf(file, "%s_sum%s%s%s %.6f\n%s_count%s%s%s %" PRIu64 "\n", name, open, label, close,
		(double)view->sum_ns / 1e9, name, open, label, close, (uint64_t)view->answers);
}

static void counter_write(FILE *file, enum dg_metrics_format format, const char *help, __u64 value)
{
	static const char name[] = "dnsguard_response_awaited";

	announce(file, format == DG_METRICS_TEXT ? "dnsguard_response_awaited_total" : name,
		 "counter", help);
	fprintf(file, "%s_total{transport=\"udp\"} %" PRIu64 "\n", name, (uint64_t)value);
}

static void histogram_announce(FILE *file, enum dg_metrics_format format, const char *name,
			       const char *help)
{
	announce(file, name, "histogram", help);
	if (format == DG_METRICS_OPENMETRICS)
		fprintf(file, "# UNIT %s seconds\n", name);
}

void dg_latency_metrics_write(FILE *file, const struct dg_latency_view *view,
			      enum dg_metrics_format format)
{
	histogram_announce(file, format, "dnsguard_response_seconds",
			   "From a query's arrival to the resolver's answer leaving; of UDP "
			   "queries a sample.");
	histogram_write(file, "dnsguard_response_seconds", "transport=\"udp\"",
			&view[DG_LATENCY_UDP]);
	histogram_write(file, "dnsguard_response_seconds", "transport=\"tcp\"",
			&view[DG_LATENCY_TCP]);
	histogram_announce(file, format, "dnsguard_tcp_first_answer_seconds",
			   "From a TCP connection's first SYN to the first octet that is sent "
			   "back.");
	histogram_write(file, "dnsguard_tcp_first_answer_seconds", "", &view[DG_LATENCY_TCP_FIRST]);
	counter_write(
		file, format,
		"UDP queries of the sample that went to the resolver; those without an answer "
		"are missing in dnsguard_response_seconds_count.",
		view[DG_LATENCY_UDP].asked);
}
