/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp.h - what `dnsguard tcp` and `dnsguard doctor tcp` share: whose a listener is, and what it takes.
 */
#ifndef DG_CLI_TCP_H
#define DG_CLI_TCP_H

#include <jansson.h>

#include "userspace/doctor/listeners.h"
#include "userspace/tcp/tcp.h"

/* {listener, address, port, resolver, pid, quota, quota_shared, quota_slots, quota_source, quota_advice} */
json_t *dg_tcp_known_json(const struct dg_tcp_listener *listener, const struct dg_tcp_known *known);

/* TCP protection: {mode, reaper, step, steps, connections_of_a_source, syns_dropped, syns_observed, reaped, ...} */
struct dg_snapshot;
json_t *dg_tcp_protect_json(const struct dg_snapshot *snapshot, const struct dg_tcp_now *now);
/* What it means for these settings that no daemon runs. */
json_t *dg_tcp_alone_json(const struct dg_tcp_protect *protect);
/* What would help the resolvers of these rows: [{listener, setting, why}]. */
json_t *dg_tcp_advice_json(const json_t *listeners);

#endif
