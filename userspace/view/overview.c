// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * overview.c - two snapshots become rates, and the rates one document.
 */
#include "userspace/view/overview.h"

#include <ctype.h>
#include <stdbool.h>
#include <time.h>

#include "loader/loader.h"
#include "userspace/lib/latency.h"
#include "userspace/lib/names.h"
#include "userspace/tcp/names.h"
#include "userspace/lib/values.h"
#include "userspace/view/full.h"
#include "userspace/view/kept.h"

#define NS_PER_SEC 1000000000ull
#define TALKERS_MAX 64
#define TALKERS_WINDOW_NS (10 * NS_PER_SEC)
#define BLOCKED_WINDOW_NS (60 * NS_PER_SEC)

static const char *const action_names[] = {
	[DG_ACT_PASS] = "pass", [DG_ACT_DROP] = "drop", [DG_ACT_REPLY] = "reply"
};

/* ---- rates ---------------------------------------------------------------------------------- */

static double seconds_between(const struct dg_snapshot *before, const struct dg_snapshot *now)
{
	return now->now_ns > before->now_ns ?
		       (double)(now->now_ns - before->now_ns) / (double)NS_PER_SEC :
		       1;
}

/* A counter that went back was set to 0 by a purge: it has not counted anything yet. */
static double rate(__u64 now, __u64 before, double seconds)
{
	return now >= before ? (double)(now - before) / seconds : 0;
}

static struct dg_count action_sum(const struct dg_stats *stats, enum dg_action action)
{
	struct dg_count sum = { 0 };

	for (enum dg_verdict verdict = 0; verdict < DG_VERDICT_COUNT; verdict++) {
		if (dg_verdict_action(verdict) != action)
			continue;
		sum.frames += stats->verdict[verdict].frames;
		sum.bytes += stats->verdict[verdict].bytes;
	}
	return sum;
}

static double action_rate(const struct dg_stats *now, const struct dg_stats *before,
			  enum dg_action action, double seconds)
{
	return rate(action_sum(now, action).frames, action_sum(before, action).frames, seconds);
}

static __u64 bytes_of(const struct dg_stats *stats)
{
	return action_sum(stats, DG_ACT_PASS).bytes + action_sum(stats, DG_ACT_DROP).bytes +
	       action_sum(stats, DG_ACT_REPLY).bytes;
}

static __u64 queries_of(const struct dg_stats *stats, enum dg_transport transport)
{
	return stats->queries[DG_IPV4][transport] + stats->queries[DG_IPV6][transport];
}

void dg_overview_rates(const struct dg_snapshot *before, const struct dg_snapshot *now,
		       struct dg_overview_rates *ret)
{
	const double seconds = seconds_between(before, now);
	const struct dg_stats *old = &before->total, *new = &now->total;

	*ret = (struct dg_overview_rates){
		.passed = action_rate(new, old, DG_ACT_PASS, seconds),
		.dropped = action_rate(new, old, DG_ACT_DROP, seconds),
		.answered = action_rate(new, old, DG_ACT_REPLY, seconds),
		.bytes = rate(bytes_of(new), bytes_of(old), seconds),
		.limited_sources = now->limited_sources,
	};
	for (int transport = 0; transport < DG_TRANSPORT_COUNT; transport++)
		ret->queries[transport] =
			rate(queries_of(new, transport), queries_of(old, transport), seconds);
}

static json_t *rates_json(const struct dg_overview_rates *rates)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:i, s:{s:f, s:f}}", "passed", rates->passed,
			 "dropped", rates->dropped, "answered", rates->answered, "bytes",
			 rates->bytes, "limited_sources", (int)rates->limited_sources, "queries",
			 "udp", rates->queries[DG_UDP], "tcp", rates->queries[DG_TCP]);
}

/* ---- verdicts and devices ------------------------------------------------------------------- */

static json_t *verdict_json(enum dg_verdict verdict, const struct dg_count *now,
			    const struct dg_count *before, double seconds)
{
	return json_pack("{s:s, s:s, s:f, s:f, s:I, s:s}", "verdict", dg_verdict_label(verdict),
			 "action", action_names[dg_verdict_action(verdict)], "per_second",
			 rate(now->frames, before->frames, seconds), "bytes_per_second",
			 rate(now->bytes, before->bytes, seconds), "frames",
			 (json_int_t)now->frames, "meaning", dg_verdict_help(verdict));
}

static double per_second_at(const json_t *list, size_t at)
{
	return json_number_value(json_object_get(json_array_get(list, at), "per_second"));
}

/* Behind the last row that is not less: the busiest on top, equal ones in the table's order. */
static void insert_by_rate(json_t *list, json_t *row)
{
	const double own = json_number_value(json_object_get(row, "per_second"));
	size_t at = 0;

	while (at < json_array_size(list) && per_second_at(list, at) >= own)
		at++;
	json_array_insert_new(list, at, row);
}

/* A row for every verdict that ever happened. */
static json_t *verdicts_json(const struct dg_stats *now, const struct dg_stats *before,
			     double seconds)
{
	json_t *list = json_array();

	for (enum dg_verdict verdict = 0; verdict < DG_VERDICT_COUNT; verdict++)
		if (now->verdict[verdict].frames)
			insert_by_rate(list, verdict_json(verdict, &now->verdict[verdict],
							  &before->verdict[verdict], seconds));
	return list;
}

/* The row of a device stays when the device goes; its link knows. A trial's link is not pinned. */
static const char *iface_state(const struct dg_overview *view, __u32 at)
{
	const struct dg_iface *iface = &view->now->iface[at];
	struct dg_link_state link;
	bool attached = dg_link_state(view->bpffs, iface->name, &link) ?
				(iface->flags & DG_IF_TRIAL) != 0 :
				link.ifindex == iface->ifindex;

	return !attached ? "gone" : dg_snapshot_enforces(view->now, at) ? "enforcing" : "observing";
}

/* The device's own counters a moment ago; all 0 when it was not there. */
static const struct dg_stats *stats_before(const struct dg_overview *view, __u32 slot)
{
	static const struct dg_stats none;

	for (__u32 i = 0; i < view->before->ifaces; i++)
		if (view->before->slot[i] == slot)
			return &view->before->per_iface[i];
	return &none;
}

static json_t *iface_json(const struct dg_overview *view, __u32 at)
{
	const double seconds = seconds_between(view->before, view->now);
	const struct dg_stats *now = &view->now->per_iface[at],
			      *before = stats_before(view, view->now->slot[at]);
	const struct dg_iface *iface = &view->now->iface[at];

	return json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:o}", "name", iface->name, "state",
			 iface_state(view, at), "mode",
			 iface->flags & DG_IF_GENERIC ? "generic" : "native", "passed",
			 action_rate(now, before, DG_ACT_PASS, seconds), "dropped",
			 action_rate(now, before, DG_ACT_DROP, seconds), "answered",
			 action_rate(now, before, DG_ACT_REPLY, seconds), "verdicts",
			 verdicts_json(now, before, seconds));
}

static json_t *ifaces_json(const struct dg_overview *view)
{
	json_t *list = json_array();

	for (__u32 i = 0; i < view->now->ifaces; i++)
		json_array_append_new(list, iface_json(view, i));
	return list;
}

/* ---- people and lists ----------------------------------------------------------------------- */

static json_t *talker_json(const struct dg_talker *talker, __u64 now_ns)
{
	struct dg_prefix prefix = { .family = talker->family,
				    .bits = talker->bits,
				    .addr = talker->addr };
	__u64 ago_ns = now_ns > talker->last_ns ? now_ns - talker->last_ns : 0;
	char text[64];

	return json_pack("{s:s, s:I, s:f}", "prefix", dg_prefix_text(&prefix, text, sizeof(text)),
			 "frames", (json_int_t)talker->count, "seconds_ago",
			 (double)ago_ns / (double)NS_PER_SEC);
}

json_t *dg_talkers_json(int map_fd, __u32 max)
{
	struct dg_talker talkers[TALKERS_MAX];
	__u64 now_ns = dg_now_ns();
	__u64 since_ns = now_ns > TALKERS_WINDOW_NS ? now_ns - TALKERS_WINDOW_NS : 0;
	int count =
		dg_talkers_read(map_fd, since_ns, talkers, max < TALKERS_MAX ? max : TALKERS_MAX);
	json_t *list = json_array();

	for (int i = 0; i < count; i++)
		json_array_append_new(list, talker_json(&talkers[i], now_ns));
	return list;
}

/* The listed names that decided most queries of the last minute: about how many since they came into the table. */
static json_t *blocked_json(const struct dg_overview *view)
{
	const __u64 now_ns = view->now->now_ns;
	struct dg_tcp_name names[DG_OVERVIEW_ROWS];
	int count = dg_names_asked_read(view->maps->dg_listed,
					now_ns > BLOCKED_WINDOW_NS ? now_ns - BLOCKED_WINDOW_NS : 0,
					names, DG_OVERVIEW_ROWS);
	json_t *list = json_array();
	char text[4 * DG_NAME_MAX + 5]; /* see dg_name_text() */

	for (int i = 0; i < count; i++) {
		dg_name_text(names[i].name, names[i].name_len, text);
		for (char *c = text; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		json_array_append_new(list,
				      json_pack("{s:s, s:I}", "name", text, "queries",
						(json_int_t)names[i].count * DG_LISTED_SAMPLE));
	}
	return list;
}

static __u64 answers_of(const struct dg_list_stats *stats)
{
	__u64 sum = 0;

	for (int kind = 0; kind < DG_ANSWER_KINDS; kind++)
		sum += stats->answers[kind];
	return sum;
}

/* List 0 is the operator's own entries. Numbers are those of the image, so a swap in between gives one odd rate. */
static json_t *lists_json(const struct dg_overview *view)
{
	const double seconds = seconds_between(view->before, view->now);
	json_t *list = json_array();

	for (__u32 i = 0; i <= view->now->image.lists && i <= DG_LISTS_MAX; i++) {
		const struct dg_answer *answer = &view->now->image_list[i];
		__u64 now = answers_of(&view->now->list[i]);

		insert_by_rate(list,
			       json_pack("{s:s%, s:I, s:f, s:I}", "name",
					 i ? answer->text : "operator",
					 i ? (size_t)answer->text_len : (size_t)8, "names",
					 i ? (json_int_t)answer->names :
					     (json_int_t)view->now->own_entries,
					 "per_second",
					 rate(now, answers_of(&view->before->list[i]), seconds),
					 "answers", (json_int_t)now));
	}
	return list;
}

/* What is known of a listener whose quota is asked after. */
struct asked_after {
	const struct dg_overview *view;
	const struct dg_kept *kept;
	const json_t *known;
};

static bool same_quota(const void *arg, __u32 listener)
{
	const struct asked_after *asked = arg;
	char text[DG_TCP_KEY_TEXT];
	const json_t *other = dg_kept_listener(
		asked->kept, dg_tcp_key_text(&asked->view->tcp->dump.listener[listener].key, text));

	return other && dg_kept_shares(asked->known, other);
}

/* Seconds until the quota is full, the connections of all who draw on it added up; null = not foreseen. */
static json_t *full_json(const struct dg_overview *view, const struct dg_kept *kept,
			 const json_t *known)
{
	const struct asked_after asked = { view, kept, known };
	const struct dg_full full = { .view = view->tcp,
				      .now_ns = view->now->now_ns,
				      .quota = (__u64)json_integer_value(
					      json_object_get(known, "quota")),
				      .shares = same_quota,
				      .arg = &asked };
	double seconds = dg_full_in(&full);

	return seconds < 0 ? json_null() : json_real(seconds);
}

/* What the daemon knows of a listener's quota; without it everything is unknown. */
static void known_add(json_t *doc, const struct dg_overview *view, const struct dg_kept *kept)
{
	const json_t *known =
		dg_kept_listener(kept, json_string_value(json_object_get(doc, "listener")));
	const json_int_t quota = json_integer_value(json_object_get(known, "quota"));
	json_t *state = view->watched ? json_object_get(known, "state") : NULL,
	       *name = json_object_get(known, "resolver");

	json_object_set_new(doc, "quota", quota ? json_integer(quota) : json_null());
	json_object_set_new(doc, "resolver", name ? json_incref(name) : json_null());
	json_object_set_new(doc, "state", state ? json_incref(state) : json_string("unknown"));
	json_object_set_new(doc, "seconds_to_full",
			    quota ? full_json(view, kept, known) : json_null());
}

static json_t *listener_json(const struct dg_tcp_listener *listener, const struct dg_tcp_row *row,
			     __u64 now_ns)
{
	char text[DG_TCP_KEY_TEXT];

	return json_pack("{s:s, s:I, s:I, s:i, s:i, s:f}", "listener",
			 dg_tcp_key_text(&listener->key, text), "connections",
			 (json_int_t)(row->connections > 0 ? row->connections : 0), "peak_minute",
			 (json_int_t)dg_tcp_peak_minute(row, now_ns), "accept_queue",
			 (int)listener->accept_queue, "accept_queue_max",
			 (int)listener->accept_queue_max, "new_per_second",
			 dg_tcp_new_per_second(row, now_ns));
}

static json_t *tcp_json(const struct dg_overview *view, const struct dg_kept *kept)
{
	json_t *list = json_array();

	for (__u32 i = 0; view->tcp && i < view->tcp->dump.listeners; i++) {
		const struct dg_tcp_listener *listener = &view->tcp->dump.listener[i];
		const struct dg_tcp_row *row = dg_tcp_row_of(&view->tcp->books, &listener->key);
		json_t *doc = row ? listener_json(listener, row, view->now->now_ns) : NULL;

		if (!doc)
			continue;
		known_add(doc, view, kept);
		json_array_append_new(list, doc);
	}
	return list;
}

/* ---- latency -------------------------------------------------------------------------------- */

/* What 99 of 100 answers of the last minute did not exceed; null = there were none, or nobody times them. */
static json_t *latency_json(const struct dg_overview *view)
{
	struct dg_latency_view latency[DG_LATENCY_KINDS];
	double udp = -1, tcp = -1;

	if (!dg_latency_read(view->maps, view->now->now_ns, latency)) {
		udp = dg_latency_quantile(latency[DG_LATENCY_UDP].recent, 0.99);
		tcp = dg_latency_quantile(latency[DG_LATENCY_TCP].recent, 0.99);
	}
	return json_pack("{s:o, s:o}", "udp_p99", udp < 0 ? json_null() : json_real(udp), "tcp_p99",
			 tcp < 0 ? json_null() : json_real(tcp));
}

/* ---- the whole ------------------------------------------------------------------------------ */

static json_t *paused_json(const struct dg_snapshot *now)
{
	const __u64 until_ns = now->settings.paused_until_ns;

	return until_ns > now->now_ns ?
		       json_integer((json_int_t)((until_ns - now->now_ns) / NS_PER_SEC + 1)) :
		       json_null();
}

static json_t *summary_json(const struct dg_snapshot *now, const struct dg_overview_rates *rates)
{
	return json_sprintf("%u device%s, passed %.1f/s, dropped %.1f/s, answered %.1f/s, "
			    "limited %u%s",
			    now->ifaces, now->ifaces == 1 ? "" : "s", rates->passed, rates->dropped,
			    rates->answered, rates->limited_sources,
			    now->settings.paused_until_ns > now->now_ns ? ", PAUSED" : "");
}

json_t *dg_overview_json(const struct dg_overview *view)
{
	const double seconds = seconds_between(view->before, view->now);
	dg_scoped(dg_kept_drop) struct dg_kept kept;
	struct dg_overview_rates rates;

	dg_overview_rates(view->before, view->now, &rates);
	dg_kept_read(view->state_dir, &kept);
	return json_pack(
		"{s:i, s:I, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:O, s:O}}",
		"schema", 1, "unix", (json_int_t)time(NULL), "interval_seconds", seconds,
		"paused_seconds", paused_json(view->now), "summary",
		summary_json(view->now, &rates), "rates", rates_json(&rates), "interfaces",
		ifaces_json(view), "verdicts",
		verdicts_json(&view->now->total, &view->before->total, seconds), "limited",
		dg_talkers_json(view->maps->dg_limited, DG_OVERVIEW_ROWS), "syn_senders",
		dg_talkers_json(view->maps->dg_syn_talkers, DG_OVERVIEW_ROWS), "lists",
		lists_json(view), "tcp", tcp_json(view, &kept), "alerts",
		view->watched ? dg_kept_alerts_json(&kept) : json_array(), "response_seconds",
		latency_json(view), "blocked", blocked_json(view), "thresholds", "warning_percent",
		kept.warning_at, "critical_percent", kept.critical_at);
}
