// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcp.c - dnsguard tcp: connections of each listener on a guarded port, beside what it can take. Reads only.
 *
 * What is not known is null, never a guess. A forecast and a state need a model of the quota over time, which is not here
 * yet.
 */
#include <errno.h>
#include <string.h>

#include "loader/loader.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"
#include "userspace/lib/tcp.h"
#include "userspace/lib/tcp_quota.h"

#define ASK_NS 2000000000ull /* for all that is asked of resolvers together */

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

/* New connections a second that the quota bears for good, at the mean hold time. */
static double sustainable(const struct dg_tcp_quota *quota, const struct dg_tcp_row *row)
{
	if (!quota->known || !row || !row->hold_count || !row->hold_ns)
		return -1;
	return (double)quota->connections * 1e9 * (double)row->hold_count / (double)row->hold_ns;
}

/* Whose it is, and how many it takes. */
static void quota_add(json_t *doc, const struct dg_tcp_listener *listener,
		      const struct dg_tcp_row *row, __u64 deadline_ns)
{
	struct dg_tcp_owner owner;
	struct dg_tcp_quota quota;

	if (!dg_tcp_owner_find(listener->inode, &owner)) {
		json_object_set_new(doc, "resolver", json_string(owner.program));
		json_object_set_new(doc, "pid", json_integer(owner.pid));
	}
	dg_tcp_quota_ask(&owner, deadline_ns, &quota);
	json_object_set_new(doc, "quota_source", json_string(quota.source));
	if (!quota.known)
		return;
	json_object_set_new(doc, "quota", json_integer((json_int_t)quota.connections));
	json_object_set_new(doc, "quota_shared", json_boolean(quota.shared));
	json_object_set_new(doc, "sustainable_per_second", known(sustainable(&quota, row)));
}

static json_t *listener_json(const struct dg_tcp_view *view, __u32 at, bool counted,
			     __u64 deadline_ns)
{
	const struct dg_tcp_listener *listener = &view->dump.listener[at];
	const struct dg_tcp_row *row = dg_tcp_row_of(&view->books, &listener->key);
	char text[DG_TCP_KEY_TEXT], *port = strrchr(dg_tcp_key_text(&listener->key, text), ':');
	json_t *doc =
		json_pack("{s:s, s:s#, s:i, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n}",
			  "listener", text, "address", text + (text[0] == '['),
			  (int)(port - text - 2 * (text[0] == '[')), "port", atoi(port + 1),
			  "connections", "quota", "quota_source", "peak", "new_per_second",
			  "hold_seconds_p50", "sustainable_per_second", "seconds_to_full",
			  "resolver", "pid", "quota_shared");

	if (!doc)
		return NULL;
	json_object_set_new(doc, "sockets", json_integer(listener->sockets));
	json_object_set_new(doc, "accept_queue", json_integer(listener->accept_queue));
	json_object_set_new(doc, "accept_queue_max", json_integer(listener->accept_queue_max));
	json_object_set_new(doc, "state", json_string("unknown"));
	quota_add(doc, listener, counted ? row : NULL, deadline_ns);
	if (row && counted)
		row_add(doc, row);
	return doc;
}

static json_t *tcp_json(const struct dg_tcp_view *view, bool counted)
{
	const __u64 deadline_ns = dg_now_ns() + ASK_NS;
	json_t *list = json_array();

	for (__u32 i = 0; i < view->dump.listeners; i++)
		json_array_append_new(list, listener_json(view, i, counted, deadline_ns));
	return json_pack("{s:i, s:b, s:I, s:I, s:I, s:I, s:o}", "schema", 1, "counted", counted,
			 "listen_overflows", (json_int_t)view->host.listen_overflows,
			 "listen_drops", (json_int_t)view->host.listen_drops, "time_wait",
			 (json_int_t)view->host.time_wait, "left_out",
			 (json_int_t)(view->dump.left_out + view->books.now->refused), "listeners",
			 list);
}

static const struct dg_column columns[] = {
	{ "listener", "LISTENER", DG_AS_TEXT },
	{ "resolver", "RESOLVER", DG_AS_TEXT },
	{ "connections", "CONNECTIONS", DG_AS_COUNT },
	{ "quota", "QUOTA", DG_AS_COUNT },
	{ "peak_minute", "PEAK 1 MIN", DG_AS_COUNT },
	{ "peak", "PEAK", DG_AS_COUNT },
	{ "accept_queue", "QUEUE", DG_AS_COUNT },
	{ "accept_queue_max", "OF", DG_AS_COUNT },
	{ "new_per_second", "NEW/S", DG_AS_RATE },
	{ "hold_seconds_p50", "HELD (S, MEDIAN)", DG_AS_TEXT },
	{ "quota_source", "QUOTA KNOWN FROM", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_section sections[] = {
	{ "warning", "NOT COUNTED", DG_AS_TEXT, NULL, NULL },
	{ "time_wait", "TIME_WAIT", DG_AS_COUNT, NULL, NULL },
	{ "listen_overflows", "accept queue overflows", DG_AS_COUNT, NULL, NULL },
	{ "listen_drops", "SYNs dropped by listeners", DG_AS_COUNT, NULL, NULL },
	{ "listeners", "", DG_AS_TEXT, columns, "nobody listens on a guarded TCP port" },
	{ 0 },
};

int dg_tcp_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_free struct dg_tcp_view *view = calloc(1, sizeof(*view));
	const bool counted = dg_tcpstate_runs(cli->bpffs);
	int status = dg_maps_open(cli->bpffs, &maps, err);
	json_t *doc;

	if (status)
		return status;
	status = view ? dg_tcp_view_read(&maps, view) : -ENOMEM;
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot read the TCP sockets: %s",
			       strerror(-status));
	doc = tcp_json(view, counted);
	dg_tcp_books_close(&view->books);
	if (doc && !counted)
		json_object_set_new(
			doc, "warning",
			json_string(
				"the kernel has no program that counts connections: attach again says why"));
	return dg_render(stdout, doc, sections, cli->json);
}
