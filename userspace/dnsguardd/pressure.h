/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pressure.h - the daemon watches how full each listener's TCP quota is, and raises the alarm.
 */
#ifndef DG_DAEMON_PRESSURE_H
#define DG_DAEMON_PRESSURE_H

#include <stdbool.h>
#include <stdio.h>

#include "userspace/dnsguardd/metrics.h"
#include "userspace/history/sample.h"
#include "userspace/lib/scope.h"
#include "userspace/tcp/tcp.h"

struct dg_daemon;
struct dg_quotas;

#define DG_PRESSURE_FILE                                                                           \
	"pressure.json" /* in the state directory; `dnsguard tcp` shows its states */

/* Takes up the states that the state directory holds. */
int dg_quotas_start(struct dg_daemon *daemon, struct dg_quotas **ret, struct dg_error *err);
/* Accepts NULL. The loop must run once more, then dg_quotas_free() saves and frees. */
void dg_quotas_stop(struct dg_quotas *watch);
void dg_quotas_free(struct dg_quotas *watch);

/* The quota in force of a listener, and whose it is. False: not known. Accepts NULL. */
struct dg_quota_known {
	__u64 connections;
	bool shared; /* by all listeners of the process */
	__s64 pid;
};
bool dg_quotas_find(const struct dg_quotas *watch, const struct dg_tcp_key *key,
		    struct dg_quota_known *ret);

/* Which listeners draw on one quota. Accepts NULL: none is known to. */
void dg_quotas_sharers(const struct dg_quotas *watch, struct dg_quota_sharers *ret);

/* Quota, state and forecast of each listener as Prometheus text. Accepts NULL. */
void dg_quotas_metrics_write(FILE *file, const struct dg_quotas *watch,
			     enum dg_metrics_format format);

#endif
