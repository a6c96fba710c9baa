// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcp.c - dnsguard tcp: connections of each listener on a guarded port, beside what it can take. Reads only.
 *
 * What is not known is null, never a guess. The forecast is made here, from the kernel's books; states are the daemon's.
 */
#include <errno.h>
#include <string.h>

#include "loader/loader.h"
#include "userspace/dnsguard/alert.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/tcp.h"
#include "userspace/dnsguard/tcp_asked.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"
#include "userspace/lib/stats.h"
#include "userspace/pressure/pressure.h"
#include "userspace/view/full.h"

static const char *const end_names[DG_TCP_ENDS] = { "local", "remote", "reset" };

static json_t *known(double value)
{
	return value < 0 ? json_null() : json_real(value);
}

static json_t *ends_json(const struct dg_tcp_row *row)
{
	json_t *all = json_object();

	for (int end = 0; end < DG_TCP_ENDS; end++)
		json_object_set_new(all, end_names[end], json_integer((json_int_t)row->ended[end]));
	return all;
}

/* What the books say of a listener. */
static void row_add(json_t *doc, const struct dg_tcp_row *row)
{
	const __u64 now_ns = dg_now_ns();
	const __s64 connections = row->connections;

	json_object_set_new(doc, "connections", json_integer(connections > 0 ? connections : 0));
	json_object_set_new(doc, "peak", json_integer((json_int_t)row->peak));
	json_object_set_new(doc, "peak_minute",
			    json_integer((json_int_t)dg_tcp_peak_minute(row, now_ns)));
	json_object_set_new(doc, "opened", json_integer((json_int_t)row->opened));
	json_object_set_new(doc, "closed_by", ends_json(row));
	json_object_set_new(doc, "new_per_second", json_real(dg_tcp_new_per_second(row, now_ns)));
	json_object_set_new(doc, "hold_seconds_p50", known(dg_tcp_hold_quantile(row, 0.5)));
}

/* What is null until it is known. */
static const char *const counted_keys[] = { "connections",
					    "peak",
					    "peak_minute",
					    "opened",
					    "new_per_second",
					    "hold_seconds_p50",
					    "sustainable_per_second",
					    "seconds_to_full" };

static double sustainable(const struct dg_tcp_quota *quota, const struct dg_tcp_row *row)
{
	if (!quota->known || !row->hold_count)
		return -1;
	return dg_sustainable((double)quota->connections,
			      (double)row->hold_ns / 1e9 / (double)row->hold_count);
}

/* One look at all listeners, and where they are in it. */
struct look {
	const struct dg_tcp_view *view;
	const struct dg_tcp_known *known;
	const json_t *kept; /* of the daemon that runs, else NULL */
	bool counted;
	__u64 now_ns;
};

/* A listener whose quota is asked after. */
struct asked_after {
	const struct look *look;
	__u32 at;
};

static bool same_quota(const void *arg, __u32 listener)
{
	const struct asked_after *asked = arg;
	const struct dg_tcp_known *a = &asked->look->known[asked->at];
	const struct dg_tcp_known *b = &asked->look->known[listener];

	return a == b || (a->quota.shared && b->quota.shared && a->owner.pid == b->owner.pid);
}

/* Seconds until the quota is full; the connections of all who share it count. -1 = not foreseen, or quota not known. */
static double full_in(const struct look *look, __u32 at)
{
	const struct asked_after asked = { look, at };
	const struct dg_tcp_quota *quota = &look->known[at].quota;
	const struct dg_full full = { .view = look->view,
				      .now_ns = look->now_ns,
				      .quota = quota->known ? quota->connections : 0,
				      .shares = same_quota,
				      .arg = &asked };

	return dg_full_in(&full);
}

static const json_t *kept_find(const struct look *look, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(look->kept, "listeners"), i, row)
	{
		const char *its = json_string_value(json_object_get(row, "listener"));

		if (its && !strcmp(its, name))
			return row;
	}
	return NULL;
}

/* The daemon keeps states; without it there are none. */
static void state_add(const struct look *look, json_t *doc)
{
	const json_t *row = kept_find(look, json_string_value(json_object_get(doc, "listener")));
	json_t *state = json_object_get(row, "state");

	if (state)
		json_object_set(doc, "state", state);
	else
		json_object_set_new(doc, "state", json_string("unknown"));
}

static json_t *listener_json(const struct look *look, __u32 at)
{
	const struct dg_tcp_listener *listener = &look->view->dump.listener[at];
	const struct dg_tcp_row *row = dg_tcp_row_of(&look->view->books, &listener->key);
	json_t *doc = dg_tcp_known_json(listener, &look->known[at]);

	if (!doc)
		return NULL;
	for (size_t i = 0; i < sizeof(counted_keys) / sizeof(counted_keys[0]); i++)
		json_object_set_new(doc, counted_keys[i], json_null());
	json_object_set_new(doc, "sockets", json_integer(listener->sockets));
	json_object_set_new(doc, "accept_queue", json_integer(listener->accept_queue));
	json_object_set_new(doc, "accept_queue_max", json_integer(listener->accept_queue_max));
	state_add(look, doc);
	if (!row || !look->counted)
		return doc;
	row_add(doc, row);
	json_object_set_new(doc, "sustainable_per_second",
			    known(sustainable(&look->known[at].quota, row)));
	json_object_set_new(doc, "seconds_to_full", known(full_in(look, at)));
	return doc;
}

/* A quota that the operator has said to the daemon is the quota. */
static void configured_take(const json_t *kept, const struct dg_tcp_listener *listener,
			    struct dg_tcp_known *known)
{
	const struct look look = { .kept = kept };
	char text[DG_TCP_KEY_TEXT];
	const json_t *row = kept_find(&look, dg_tcp_key_text(&listener->key, text));

	if (json_is_true(json_object_get(row, "configured")))
		dg_tcp_quota_configured((__u64)json_integer_value(json_object_get(row, "quota")),
					&known->quota);
}

static json_t *listeners_json(const struct dg_tcp_view *view, const json_t *kept, bool counted)
{
	dg_scoped_free struct dg_tcp_known *all = calloc(DG_TCP_LISTENERS_MAX, sizeof(*all));
	const struct look look = {
		.view = view, .known = all, .kept = kept, .counted = counted, .now_ns = dg_now_ns()
	};
	json_t *list = json_array();

	if (!all)
		return list;
	dg_tcp_known_ask(&view->dump, all);
	for (__u32 i = 0; i < view->dump.listeners; i++)
		configured_take(kept, &view->dump.listener[i], &all[i]);
	for (__u32 i = 0; i < view->dump.listeners; i++)
		json_array_append_new(list, listener_json(&look, i));
	return list;
}

/* Listeners of whose connections nobody keeps books: there are more than there is room for. */
static json_int_t left_out(const struct dg_tcp_view *view, bool counted)
{
	json_int_t without = view->dump.left_out;

	for (__u32 i = 0; counted && i < view->dump.listeners; i++)
		without += !dg_tcp_row_of(&view->books, &view->dump.listener[i].key);
	return without;
}

static json_t *tcp_json(const struct dg_tcp_view *view, const json_t *kept, bool counted)
{
	return json_pack("{s:i, s:b, s:I, s:I, s:I, s:I, s:o}", "schema", 1, "counted", counted,
			 "listen_overflows", (json_int_t)view->host.listen_overflows,
			 "listen_drops", (json_int_t)view->host.listen_drops, "time_wait",
			 (json_int_t)view->host.time_wait, "left_out", left_out(view, counted),
			 "listeners", listeners_json(view, kept, counted));
}

static const struct dg_column columns[] = {
	{ "listener", "LISTENER", DG_AS_TEXT },
	{ "resolver", "RESOLVER", DG_AS_TEXT },
	{ "state", "STATE", DG_AS_TEXT },
	{ "connections", "CONNECTIONS", DG_AS_COUNT },
	{ "quota", "QUOTA", DG_AS_COUNT },
	{ "seconds_to_full", "FULL IN", DG_AS_SECONDS },
	{ "peak_minute", "PEAK 1 MIN", DG_AS_COUNT },
	{ "peak", "PEAK", DG_AS_COUNT },
	{ "accept_queue", "QUEUE", DG_AS_COUNT },
	{ "accept_queue_max", "OF", DG_AS_COUNT },
	{ "new_per_second", "NEW/S", DG_AS_RATE },
	{ "hold_seconds_p50", "HELD (S, MEDIAN)", DG_AS_TEXT },
	{ "quota_source", "QUOTA KNOWN FROM", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_column advice_columns[] = {
	{ "listener", "LISTENER", DG_AS_TEXT },
	{ "setting", "SETTING", DG_AS_TEXT },
	{ "why", "WHY", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_column type_columns[] = {
	{ "type", "TYPE", DG_AS_TEXT },
	{ "tcp", "OVER TCP", DG_AS_COUNT },
	{ "udp", "OVER UDP", DG_AS_COUNT },
	{ 0 },
};

static const struct dg_column connection_columns[] = {
	{ "at_least", "QUERIES, AT LEAST", DG_AS_COUNT },
	{ "connections", "CONNECTIONS", DG_AS_COUNT },
	{ 0 },
};

static const struct dg_column name_columns[] = {
	{ "name", "NAME", DG_AS_TEXT },
	{ "type", "TYPE", DG_AS_TEXT },
	{ "queries", "QUERIES", DG_AS_COUNT },
	{ "seconds_ago", "LAST ASKED (S AGO)", DG_AS_COUNT },
	{ 0 },
};

static const struct dg_column client_columns[] = {
	{ "prefix", "CLIENT", DG_AS_TEXT },
	{ "segments", "SEGMENTS WITH QUERIES", DG_AS_COUNT },
	{ "seconds_ago", "LAST SEEN (S AGO)", DG_AS_COUNT },
	{ 0 },
};

static const struct dg_section sections[] = {
	{ "warning", "NOT COUNTED", DG_AS_TEXT, NULL, NULL },
	{ "daemon", "dnsguardd", DG_AS_TEXT, NULL, NULL },
	{ "time_wait", "TIME_WAIT", DG_AS_COUNT, NULL, NULL },
	{ "listen_overflows", "accept queue overflows", DG_AS_COUNT, NULL, NULL },
	{ "listen_drops", "SYNs dropped by listeners", DG_AS_COUNT, NULL, NULL },
	{ "queries.tcp", "queries over TCP", DG_AS_COUNT, NULL, NULL },
	{ "queries.tcp_share", "share of all queries", DG_AS_TEXT, NULL, NULL },
	{ "queries.queries_per_connection", "queries per connection", DG_AS_TEXT, NULL, NULL },
	{ "protect.mode", "protection", DG_AS_TEXT, NULL, NULL },
	{ "protect.step", "pressure step", DG_AS_COUNT, NULL, NULL },
	{ "protect.connections_of_a_source", "connections one source may hold", DG_AS_COUNT, NULL,
	  NULL },
	{ "protect.syns_dropped", "SYNs dropped above it", DG_AS_COUNT, NULL, NULL },
	{ "protect.syns_observed", "SYNs that would be dropped", DG_AS_COUNT, NULL, NULL },
	{ "protect.reaper", "reaper", DG_AS_TEXT, NULL, NULL },
	{ "protect.reaped", "idle connections closed", DG_AS_COUNT, NULL, NULL },
	{ "protect.reaped_observed", "connections that would be closed", DG_AS_COUNT, NULL, NULL },
	{ "protect.held_to_less", "sources held to less for it", DG_AS_COUNT, NULL, NULL },
	{ "listeners", "", DG_AS_TEXT, columns,
	  "nobody listens on a guarded TCP port: is the resolver running, in this network namespace? ports are "
	  "named under service.ports" },
	{ "advice", "WHAT WOULD HELP", DG_AS_TEXT, advice_columns, NULL },
	{ "queries.by_type", "queries by type", DG_AS_TEXT, type_columns, NULL },
	{ "queries.per_connection", "connections by their queries", DG_AS_TEXT, connection_columns,
	  NULL },
	{ "queries.names", "names asked over TCP", DG_AS_TEXT, name_columns, NULL },
	{ "queries.clients", "clients over TCP", DG_AS_TEXT, client_columns, NULL },
	{ 0 },
};

/* Beside the listeners: protection, and what would help. */
static void more_add(json_t *doc, const struct dg_maps *maps, const struct dg_tcp_view *view)
{
	dg_scoped_free struct dg_snapshot *snapshot = malloc(sizeof(*snapshot));

	if (!doc || !snapshot || dg_snapshot_read(maps, snapshot))
		return;
	json_object_set_new(doc, "protect", dg_tcp_protect_json(snapshot, view->books.now));
	if (!json_is_true(json_object_get(doc, "running")))
		json_object_set_new(doc, "daemon", dg_tcp_alone_json(&snapshot->settings.protect));
	json_object_set_new(doc, "advice", dg_tcp_advice_json(json_object_get(doc, "listeners")));
}

int dg_tcp_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_free struct dg_tcp_view *view = calloc(1, sizeof(*view));
	const bool counted = dg_tcpstate_runs(cli->bpffs);
	int status = dg_maps_open(cli->bpffs, &maps, err);
	bool running = false;
	json_t *doc, *kept;

	if (status)
		return status;
	status = view ? dg_tcp_view_read(&maps, view) : -ENOMEM;
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot read the TCP sockets: %s",
			       strerror(-status));
	kept = dg_pressure_kept(cli, DG_PRESSURE_FILE, &running);
	doc = tcp_json(view, running ? kept : NULL, counted);
	json_decref(kept);
	if (doc)
		json_object_set_new(doc, "running", json_boolean(running));
	more_add(doc, &maps, view);
	if (doc)
		json_object_set_new(doc, "queries", dg_tcp_asked_json(&maps));
	dg_tcp_books_close(&view->books);
	if (doc && !counted)
		json_object_set_new(
			doc, "warning",
			json_string(
				"the kernel has no program that counts connections: attach again says why"));
	return dg_render(stdout, doc, sections, cli->json);
}
