// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcp_asked.c - queries over TCP as the kernel has counted them: share, types, names and clients. Reads only.
 */
#include "userspace/dnsguard/tcp_asked.h"

#include <stdlib.h>

#include "userspace/lib/names.h"
#include "userspace/lib/sources.h"
#include "userspace/lib/stats.h"
#include "userspace/tcp/names.h"
#include "userspace/lib/values.h"

#define NS_PER_SEC 1000000000ull
#define ROWS 10 /* of names and of clients */
#define NAME_TEXT 1025

/* What is asked today: an entry that was silent for longer is not shown, though the kernel may keep it. */
#define WINDOW_NS (24 * 3600 * NS_PER_SEC)

static __u64 since(__u64 now_ns)
{
	return now_ns > WINDOW_NS ? now_ns - WINDOW_NS : 0;
}

static json_int_t seconds_ago(__u64 now_ns, __u64 then_ns)
{
	return (json_int_t)(now_ns > then_ns ? (now_ns - then_ns) / NS_PER_SEC : 0);
}

/* Names are told apart whatever their case; shown as the most careful would write them. */
static json_t *name_json(const struct dg_tcp_name *name, __u64 now_ns)
{
	char text[NAME_TEXT], type[16];
	__u8 wire[DG_NAME_MAX + 1] = { 0 };

	for (__u32 i = 0; i < name->name_len; i++)
		wire[i] = name->name[i] >= 'A' && name->name[i] <= 'Z' ? name->name[i] + 0x20 :
									 name->name[i];
	return json_pack("{s:s, s:s, s:I, s:I}", "name", dg_name_text(wire, name->name_len, text),
			 "type", dg_qtype_text(name->qtype, type, sizeof(type)), "queries",
			 (json_int_t)name->count, "seconds_ago",
			 seconds_ago(now_ns, name->last_ns));
}

static json_t *names_json(const struct dg_maps *maps, __u64 now_ns)
{
	dg_scoped_free struct dg_tcp_name *names = calloc(ROWS, sizeof(*names));
	const int count =
		names ? dg_names_asked_read(maps->dg_tcp_names, since(now_ns), names, ROWS) : 0;
	json_t *list = json_array();

	for (int i = 0; i < count; i++)
		json_array_append_new(list, name_json(&names[i], now_ns));
	return list;
}

static json_t *clients_json(const struct dg_maps *maps, __u64 now_ns)
{
	struct dg_talker clients[ROWS];
	const int count = dg_talkers_read(maps->dg_tcp_clients, since(now_ns), clients, ROWS);
	char text[64];
	json_t *list = json_array();

	for (int i = 0; i < count; i++) {
		const struct dg_prefix prefix = { .addr = clients[i].addr,
						  .bits = (__u8)clients[i].bits,
						  .family = (__u8)clients[i].family };

		json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "prefix",
						      dg_prefix_text(&prefix, text, sizeof(text)),
						      "segments", (json_int_t)clients[i].count,
						      "seconds_ago",
						      seconds_ago(now_ns, clients[i].last_ns)));
	}
	return list;
}

/* Types that were asked over TCP, and the same ones over UDP. */
static json_t *types_json(const struct dg_stats *stats)
{
	json_t *list = json_array();

	for (int row = 0; row < DG_QTYPE_COUNT; row++)
		if (stats->qtype[DG_TCP][row])
			json_array_append_new(
				list, json_pack("{s:s, s:I, s:I}", "type",
						dg_qtype_label((enum dg_qtype)row), "tcp",
						(json_int_t)stats->qtype[DG_TCP][row], "udp",
						(json_int_t)stats->qtype[DG_UDP][row]));
	return list;
}

static json_t *connections_json(const struct dg_tcp_stats *tcp)
{
	json_t *list = json_array();

	for (int i = 0; i < DG_TCP_REACHED && tcp->reached[i]; i++)
		json_array_append_new(list, json_pack("{s:i, s:I}", "at_least", 1 << i,
						      "connections", (json_int_t)tcp->reached[i]));
	return list;
}

static __u64 queries_of(const struct dg_stats *stats, enum dg_transport transport)
{
	return stats->queries[DG_IPV4][transport] + stats->queries[DG_IPV6][transport];
}

static json_t *ratio(__u64 part, __u64 whole)
{
	return whole ? json_real((double)part / (double)whole) : json_null();
}

json_t *dg_tcp_asked_json(const struct dg_maps *maps)
{
	dg_scoped_free struct dg_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	__u64 over_tcp, all;

	if (!snapshot || dg_snapshot_read(maps, snapshot))
		return NULL;
	over_tcp = queries_of(&snapshot->total, DG_TCP);
	all = over_tcp + queries_of(&snapshot->total, DG_UDP);
	return json_pack("{s:I, s:I, s:o, s:I, s:o, s:I, s:o, s:o, s:o, s:o}", "udp",
			 (json_int_t)(all - over_tcp), "tcp", (json_int_t)over_tcp, "tcp_share",
			 ratio(over_tcp, all), "connections", (json_int_t)snapshot->tcp.reached[0],
			 "queries_per_connection", ratio(over_tcp, snapshot->tcp.reached[0]),
			 "not_read", (json_int_t)snapshot->total.qtype[DG_TCP][DG_QTYPE_UNREAD],
			 "by_type", types_json(&snapshot->total), "per_connection",
			 connections_json(&snapshot->tcp), "names",
			 names_json(maps, snapshot->now_ns), "clients",
			 clients_json(maps, snapshot->now_ns));
}
