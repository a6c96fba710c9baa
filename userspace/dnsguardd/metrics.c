// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * metrics.c - the Prometheus text, by hand: one table of metrics, one function for each that writes
 * its samples.
 *
 * A metric's name stands once, in the table, as it is exported. Text format 0.0.4 and
 * OpenMetrics 1.0 differ only in how a family is announced and in the end mark; the samples are the
 * same bytes. Counters are integers, whole.
 */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "userspace/dnsguardd/latency.h"
#include "userspace/dnsguardd/metrics.h"
#include "userspace/dnsguardd/pressure.h"
#include "userspace/dnsguardd/protect.h"
#include "userspace/dnsguardd/tcp.h"
#include "userspace/tcp/names.h"
#include "userspace/lib/values.h"

enum kind { COUNTER, GAUGE, INFO };

struct out {
	FILE *file;
	const char *name; /* of the metric being written */
	const struct dg_metrics_view *view;
};

struct metric {
	const char *name; /* counters end in _total, infos in _info */
	enum kind kind;
	const char *unit; /* "" or what the family's name ends in */
	const char *help;
	void (*write)(const struct out *out);
};

struct label {
	const char *name, *value;
};
#define LABELS(...) ((const struct label[]){ __VA_ARGS__, { NULL, NULL } })

static const char *const family_names[DG_FAMILY_COUNT] = { "ipv4", "ipv6" };
static const char *const action_names[] = { "pass", "drop", "reply" };
static const char *const limit_names[DG_LIMIT_ACTIONS] = { "passed", "dropped", "slipped",
							   "observed" };
static const char *const transport_names[DG_TRANSPORT_COUNT] = { "udp", "tcp" };
static const char *const syn_names[DG_SYN_KINDS] = { "first", "retransmitted" };

/* ---- text ------------------------------------------------------------------------------------ */

/* Octets of the well-formed UTF-8 sequence at s, 0 = none starts here (RFC 3629). */
static unsigned int utf8_len(const unsigned char *s)
{
	unsigned int n = s[0] < 0x80 ? 1 :
			 s[0] < 0xc2 ? 0 :
			 s[0] < 0xe0 ? 2 :
			 s[0] < 0xf0 ? 3 :
			 s[0] < 0xf5 ? 4 :
				       0;

	for (unsigned int i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* A label's value: backslash, quote and newline escaped; what is not UTF-8 becomes U+FFFD. */
static void write_value(FILE *file, const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s;) {
		unsigned int n = utf8_len(s);

		if (*s == '\\' || *s == '"')
			fprintf(file, "\\%c", *s);
		else if (*s == '\n')
			fputs("\\n", file);
		else if (n)
			fwrite(s, 1, n, file);
		else
			fputs("\xef\xbf\xbd", file);
		s += n ? n : 1;
	}
}

static void write_head(const struct out *out, const struct label *labels)
{
	fputs(out->name, out->file);
	for (const struct label *l = labels; l && l->name; l++) {
		fprintf(out->file, "%s%s=\"", l == labels ? "{" : ",", l->name);
		write_value(out->file, l->value);
		fputs("\"", out->file);
	}
	if (labels)
		fputs("}", out->file);
}

static void sample(const struct out *out, __u64 value, const struct label *labels)
{
	write_head(out, labels);
	fprintf(out->file, " %" PRIu64 "\n", (uint64_t)value);
}

static void sample_seconds(const struct out *out, double value)
{
	write_head(out, NULL);
	fprintf(out->file, " %.2f\n", value);
}

/* ---- one writer a metric --------------------------------------------------------------------- */

static void each_verdict(const struct out *out, int bytes)
{
	const struct dg_snapshot *s = out->view->snapshot;

	for (__u32 i = 0; s && i < s->ifaces; i++) {
		for (int v = 0; v < DG_VERDICT_COUNT; v++) {
			const struct dg_count *c = &s->per_iface[i].verdict[v];

			sample(out, bytes ? c->bytes : c->frames,
			       LABELS({ "interface", s->iface[i].name },
				      { "verdict", dg_verdict_label((enum dg_verdict)v) }));
		}
	}
}

static void write_packets(const struct out *out)
{
	each_verdict(out, 0);
}

static void write_bytes(const struct out *out)
{
	each_verdict(out, 1);
}

static void write_verdict_info(const struct out *out)
{
	for (int v = 0; v < DG_VERDICT_COUNT; v++)
		sample(out, 1,
		       LABELS({ "verdict", dg_verdict_label((enum dg_verdict)v) },
			      { "action", action_names[dg_verdict_action((enum dg_verdict)v)] },
			      { "help", dg_verdict_help((enum dg_verdict)v) }));
}

static void write_queries(const struct out *out)
{
	const struct dg_snapshot *s = out->view->snapshot;

	for (int f = 0; s && f < DG_FAMILY_COUNT; f++)
		for (int t = 0; t < DG_TRANSPORT_COUNT; t++)
			sample(out, s->total.queries[f][t],
			       LABELS({ "family", family_names[f] },
				      { "transport", transport_names[t] }));
}

static void write_types(const struct out *out)
{
	const struct dg_snapshot *s = out->view->snapshot;

	for (int t = 0; s && t < DG_TRANSPORT_COUNT; t++)
		for (int row = 0; row < DG_QTYPE_COUNT; row++)
			sample(out, s->total.qtype[t][row],
			       LABELS({ "transport", transport_names[t] },
				      { "qtype", dg_qtype_label((enum dg_qtype)row) }));
}

static void write_reached(const struct out *out)
{
	const struct dg_snapshot *s = out->view->snapshot;
	char at_least[8];

	for (int i = 0; s && i < DG_TCP_REACHED; i++) {
		snprintf(at_least, sizeof(at_least), "%d", 1 << i);
		sample(out, s->tcp.reached[i], LABELS({ "at_least", at_least }));
	}
}

/* A list's name as label; made unique by its number where another list bears it too. */
static const char *list_label(const struct dg_snapshot *s, __u32 list, char buf[2 * DG_TEXT_MAX])
{
	const char *text = s->image_list[list].text;
	int len = (int)strnlen(text, DG_TEXT_MAX);
	int clash = !len || !strncmp(text, "operator", DG_TEXT_MAX);

	if (!list)
		return "operator";
	for (__u32 i = 1; i <= DG_LISTS_MAX && !clash; i++)
		clash = i != list && !strncmp(text, s->image_list[i].text, DG_TEXT_MAX);
	if (clash)
		snprintf(buf, 2 * DG_TEXT_MAX, "%.*s#%u", len, text, list);
	else
		snprintf(buf, 2 * DG_TEXT_MAX, "%.*s", len, text);
	return buf;
}

/* The operator's entries: all kinds. A list: the kind it has, and others it was seen with. */
static void write_answers(const struct out *out)
{
	const struct dg_snapshot *s = out->view->snapshot;
	char buf[2 * DG_TEXT_MAX];

	for (__u32 list = 0; s && list <= DG_LISTS_MAX; list++) {
		int known = list <= s->image.lists;

		for (int kind = 0; kind < DG_ANSWER_KINDS; kind++) {
			__u64 answers = s->list[list].answers[kind];

			if (list && !answers && (!known || s->image_list[list].kind != kind))
				continue;
			sample(out, answers,
			       LABELS({ "list", list_label(s, list, buf) },
				      { "response",
					dg_answer_kind_name((enum dg_answer_kind)kind) }));
		}
	}
}

static void write_list_names(const struct out *out)
{
	const struct dg_snapshot *s = out->view->snapshot;
	char buf[2 * DG_TEXT_MAX];

	for (__u32 list = 1; s && list <= s->image.lists && list <= DG_LISTS_MAX; list++)
		sample(out, s->image_list[list].names,
		       LABELS({ "list", list_label(s, list, buf) }));
}

static void write_list_success(const struct out *out)
{
	for (int i = 0; i < out->view->list_count; i++)
		sample(out, out->view->lists[i].last_success_unix,
		       LABELS({ "list", out->view->lists[i].name }));
}

static void write_list_stale(const struct out *out)
{
	for (int i = 0; i < out->view->list_count; i++)
		sample(out, out->view->lists[i].stale_since_unix != 0,
		       LABELS({ "list", out->view->lists[i].name }));
}

static void write_list_stale_since(const struct out *out)
{
	for (int i = 0; i < out->view->list_count; i++)
		sample(out, out->view->lists[i].stale_since_unix,
		       LABELS({ "list", out->view->lists[i].name }));
}

static void write_list_failures(const struct out *out)
{
	for (int i = 0; i < out->view->list_count; i++)
		sample(out, out->view->lists[i].failures,
		       LABELS({ "list", out->view->lists[i].name }));
}

static void write_list_rejected(const struct out *out)
{
	for (int i = 0; i < out->view->list_count; i++)
		sample(out, out->view->lists[i].rejected_lines,
		       LABELS({ "list", out->view->lists[i].name }));
}

static void write_ratelimit(const struct out *out)
{
	const struct dg_snapshot *s = out->view->snapshot;

	for (int f = 0; s && f < DG_FAMILY_COUNT; f++)
		for (int a = 0; a < DG_LIMIT_ACTIONS; a++)
			sample(out, s->total.limit[f][a],
			       LABELS({ "family", family_names[f] }, { "action", limit_names[a] }));
}

static void write_syn(const struct out *out)
{
	const struct dg_snapshot *s = out->view->snapshot;

	for (int f = 0; s && f < DG_FAMILY_COUNT; f++)
		for (int k = 0; k < DG_SYN_KINDS; k++)
			sample(out, s->total.syn[f][k],
			       LABELS({ "family", family_names[f] }, { "kind", syn_names[k] }));
}

static void write_events_lost(const struct out *out)
{
	if (out->view->snapshot)
		sample(out, out->view->snapshot->total.events_lost, NULL);
}

static void write_limited(const struct out *out)
{
	if (out->view->snapshot)
		sample(out, out->view->snapshot->limited_sources, NULL);
}

static void write_names(const struct out *out)
{
	const struct dg_snapshot *s = out->view->snapshot;

	if (!s)
		return;
	sample(out, s->own_entries, LABELS({ "origin", "operator" }));
	sample(out, dg_snapshot_listed(s), LABELS({ "origin", "lists" }));
}

static void write_map_entries(const struct out *out)
{
	for (int i = 0; i < out->view->usage_count; i++)
		sample(out, out->view->usage[i].entries,
		       LABELS({ "map", out->view->usage[i].name }));
}

static void write_map_max(const struct out *out)
{
	for (int i = 0; i < out->view->usage_count; i++)
		sample(out, out->view->usage[i].max_entries,
		       LABELS({ "map", out->view->usage[i].name }));
}

static void write_map_bytes(const struct out *out)
{
	for (int i = 0; i < out->view->usage_count; i++)
		sample(out, out->view->usage[i].bytes, LABELS({ "map", out->view->usage[i].name }));
}

static void write_up(const struct out *out)
{
	const struct dg_snapshot *s = out->view->snapshot;
	int up = 0;

	for (__u32 i = 0; s && i < s->ifaces; i++)
		up |= out->view->attached[i];
	sample(out, (__u64) !!up, NULL);
}

static void write_paused(const struct out *out)
{
	const struct dg_snapshot *s = out->view->snapshot;

	if (s)
		sample(out, s->settings.paused_until_ns > s->now_ns, NULL);
}

static void write_enforcing(const struct out *out)
{
	const struct dg_snapshot *s = out->view->snapshot;

	for (__u32 i = 0; s && i < s->ifaces; i++)
		sample(out, out->view->attached[i] && dg_snapshot_enforces(s, i),
		       LABELS({ "interface", s->iface[i].name }));
}

static void write_build_info(const struct out *out)
{
	char abi[16];

	snprintf(abi, sizeof(abi), "%d", DG_ABI_VERSION);
	sample(out, 1, LABELS({ "version", out->view->version }, { "abi", abi }));
}

static void write_config_good(const struct out *out)
{
	sample(out, (__u64) !!out->view->config_good, NULL);
}

static void write_config_time(const struct out *out)
{
	sample(out, out->view->config_good_unix, NULL);
}

static void write_cpu(const struct out *out)
{
	sample_seconds(out, out->view->process.cpu_seconds);
}

static void write_start(const struct out *out)
{
	sample_seconds(out, out->view->process.start_unix_seconds);
}

static void write_resident(const struct out *out)
{
	sample(out, out->view->process.resident_bytes, NULL);
}

static void write_virtual(const struct out *out)
{
	sample(out, out->view->process.virtual_bytes, NULL);
}

static void write_open_fds(const struct out *out)
{
	sample(out, out->view->process.open_fds, NULL);
}

static void write_max_fds(const struct out *out)
{
	sample(out, out->view->process.max_fds, NULL);
}

static const struct metric metrics[] = {
	{ "dnsguard_packets_total", COUNTER, "", "Frames seen, each under exactly one verdict.",
	  write_packets },
	{ "dnsguard_bytes_total", COUNTER, "bytes", "Bytes of the frames seen, by verdict.",
	  write_bytes },
	{ "dnsguard_verdict_info", INFO, "", "What a verdict means and what it does to the frame.",
	  write_verdict_info },
	{ "dnsguard_dns_queries_total", COUNTER, "",
	  "Queries to guarded services, over TCP as far as their beginning was found.",
	  write_queries },
	{ "dnsguard_dns_queries_by_type_total", COUNTER, "",
	  "The same queries by type; unread: refused before, malformed or in pieces.",
	  write_types },
	{ "dnsguard_tcp_query_connections_total", COUNTER, "",
	  "TCP connections that have carried at least so many queries.", write_reached },
	{ "dnsguard_sinkhole_answers_total", COUNTER, "",
	  "Queries for listed names, by deciding list and answer.", write_answers },
	{ "dnsguard_list_names", GAUGE, "", "Names of a list in the image that answers.",
	  write_list_names },
	{ "dnsguard_list_last_success_timestamp_seconds", GAUGE, "seconds",
	  "When a list's source was last found good, Unix time; 0 never.", write_list_success },
	{ "dnsguard_list_stale", GAUGE, "",
	  "1 while a list's last refresh failed and it answers with what it had.",
	  write_list_stale },
	{ "dnsguard_list_stale_since_timestamp_seconds", GAUGE, "seconds",
	  "Since when a list is stale, Unix time; 0 while it is not.", write_list_stale_since },
	{ "dnsguard_list_update_failures_total", COUNTER, "",
	  "Refreshes of a list by the daemon that failed.", write_list_failures },
	{ "dnsguard_list_rejected_lines", GAUGE, "",
	  "Lines of a list's content that could not be understood.", write_list_rejected },
	{ "dnsguard_ratelimit_packets_total", COUNTER, "",
	  "Queries charged to their sender's limit, by outcome.", write_ratelimit },
	{ "dnsguard_tcp_syn_total", COUNTER, "",
	  "TCP SYNs to guarded services, first and retransmitted.", write_syn },
	{ "dnsguard_events_lost_total", COUNTER, "",
	  "Events not delivered to watchers; no packet was lost by it.", write_events_lost },
	{ "dnsguard_limited_sources", GAUGE, "",
	  "Senders' prefixes refused in the last 10 seconds.", write_limited },
	{ "dnsguard_names", GAUGE, "", "Listed names, by origin.", write_names },
	{ "dnsguard_map_entries", GAUGE, "", "Entries in use of a kernel table.",
	  write_map_entries },
	{ "dnsguard_map_max_entries", GAUGE, "", "Entries a kernel table has room for.",
	  write_map_max },
	{ "dnsguard_map_memory_bytes", GAUGE, "bytes", "Kernel memory of a table.",
	  write_map_bytes },
	{ "dnsguard_up", GAUGE, "", "1 while a device is guarded.", write_up },
	{ "dnsguard_enforcing", GAUGE, "",
	  "1 while verdicts are carried out, 0 while only observed or paused.", write_enforcing },
	{ "dnsguard_paused", GAUGE, "", "1 while the operator has paused the guard.",
	  write_paused },
	{ "dnsguard_config_last_reload_successful", GAUGE, "",
	  "1 when the last configuration read was applied.", write_config_good },
	{ "dnsguard_config_last_reload_success_timestamp_seconds", GAUGE, "seconds",
	  "When a configuration was last applied, Unix time.", write_config_time },
	{ "dnsguard_build_info", INFO, "", "The version that runs.", write_build_info },
	{ "process_cpu_seconds_total", COUNTER, "seconds",
	  "User and system CPU time of the daemon.", write_cpu },
	{ "process_resident_memory_bytes", GAUGE, "bytes", "Resident memory of the daemon.",
	  write_resident },
	{ "process_virtual_memory_bytes", GAUGE, "bytes", "Virtual memory of the daemon.",
	  write_virtual },
	{ "process_start_time_seconds", GAUGE, "seconds", "Start of the daemon, Unix time.",
	  write_start },
	{ "process_open_fds", GAUGE, "", "File descriptors in use.", write_open_fds },
	{ "process_max_fds", GAUGE, "", "File descriptors allowed.", write_max_fds },
};

/* ---- families -------------------------------------------------------------------------------- */

/* OpenMetrics names a family without its samples' suffix. */
static int family_len(const struct metric *m, enum dg_metrics_format format)
{
	static const char *const suffixes[] = {
		[COUNTER] = "_total", [GAUGE] = "", [INFO] = "_info"
	};
	size_t len = strlen(m->name);

	return (int)(format == DG_METRICS_TEXT ? len : len - strlen(suffixes[m->kind]));
}

static void announce(FILE *file, const struct metric *m, enum dg_metrics_format format)
{
	static const char *const text_types[] = {
		[COUNTER] = "counter", [GAUGE] = "gauge", [INFO] = "gauge"
	};
	static const char *const open_types[] = {
		[COUNTER] = "counter", [GAUGE] = "gauge", [INFO] = "info"
	};
	const char *type = format == DG_METRICS_TEXT ? text_types[m->kind] : open_types[m->kind];
	int len = family_len(m, format);

	fprintf(file, "# HELP %.*s %s\n# TYPE %.*s %s\n", len, m->name, m->help, len, m->name,
		type);
	if (format == DG_METRICS_OPENMETRICS && m->unit[0])
		fprintf(file, "# UNIT %.*s %s\n", len, m->name, m->unit);
}

char *dg_metrics_render(const struct dg_metrics_view *view, enum dg_metrics_format format,
			size_t *ret_len)
{
	char *text = NULL;
	FILE *file = open_memstream(&text, ret_len);
	int failed;

	if (!file)
		return NULL;
	for (unsigned int i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		const struct out out = { file, metrics[i].name, view };

		announce(file, &metrics[i], format);
		metrics[i].write(&out);
	}
	if (view->latency)
		dg_latency_metrics_write(file, view->latency, format);
	if (view->tcp)
		dg_tcp_metrics_write(file, view->tcp, format);
	if (view->tcp)
		dg_quotas_metrics_write(file, view->quotas, format);
	if (view->tcp && view->snapshot)
		dg_protect_metrics_write(file, view, format);
	if (format == DG_METRICS_OPENMETRICS)
		fputs("# EOF\n", file);
	failed = ferror(file) | fclose(file);
	if (failed) {
		free(text);
		return NULL;
	}
	return text;
}

/* ---- Accept ---------------------------------------------------------------------------------- */

/* A qvalue in thousandths: 0, 0.5, 1.000. What is broken counts as 1. */
static int q_of(const char *p, const char *end)
{
	int value, digit = 100;

	for (; p < end && strncasecmp(p, "q=", 2); p++)
		;
	if (end - p < 3 || p[2] < '0' || p[2] > '1')
		return 1000;
	value = (p[2] - '0') * 1000;
	for (p += 3; p < end && (*p == '.' || (*p >= '0' && *p <= '9')) && digit; p++) {
		if (*p == '.')
			continue;
		value += (*p - '0') * digit;
		digit /= 10;
	}
	return value > 1000 ? 1000 : value;
}

/* Does [p, end) hold the word? Parameters of one media range are few and short. */
static int holds(const char *p, const char *end, const char *word)
{
	size_t len = strlen(word);

	for (; (size_t)(end - p) >= len; p++)
		if (!strncasecmp(p, word, len))
			return 1;
	return 0;
}

enum dg_metrics_format dg_metrics_negotiate(const char *accept)
{
	int open_q = 0, text_q = 0;

	for (const char *p = accept; p && *p;) {
		const char *end = strchrnul(p, ',');
		int q = q_of(p, end);
		int other_version = holds(p, end, "version=") && !holds(p, end, "version=1.0") &&
				    !holds(p, end, "version=\"1.0");

		if (holds(p, end, "application/openmetrics-text") && !other_version)
			open_q = q > open_q ? q : open_q;
		else if (holds(p, end, "text/plain") || holds(p, end, "text/*"))
			text_q = q > text_q ? q : text_q;
		p = *end ? end + 1 : end;
	}
	return open_q && open_q >= text_q ? DG_METRICS_OPENMETRICS : DG_METRICS_TEXT;
}
