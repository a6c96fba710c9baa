/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pressure_internal.h - what the files of the daemon's watch share. pressure: the look, once a second. pressure_quota:
 * resolvers are asked, by a child. pressure_news: alerts in words. pressure_file: what outlives the daemon.
 */
#ifndef DG_PRESSURE_INTERNAL_H
#define DG_PRESSURE_INTERNAL_H

#include <jansson.h>
#include <uv.h>

#include "userspace/alert/alert.h"
#include "userspace/dnsguardd/daemon.h"
#include "userspace/dnsguardd/keep.h"
#include "userspace/dnsguardd/pressure.h"
#include "userspace/dnsguardd/program.h"
#include "userspace/tcp/tcp.h"
#include "userspace/pressure/pressure.h"
#include "userspace/pressure/share.h"

/* What a listener's resolver takes, as the child has told it. */
struct dg_quota_told {
	char resolver[32];
	__s64 pid;	   /* 0 = not found */
	__u64 connections; /* 0 = not known */
	__u64 slots;
	bool shared; /* by all listeners of the process; also where the operator says how large it is */
	char source[160], advice[200];
};

struct dg_quotas_listener {
	char name[DG_TCP_KEY_TEXT];
	bool present; /* at the last look */
	struct dg_quota_told quota;
	struct dg_pressure pressure;
	enum dg_pressure_state state;
	__u64 since_unix;

	/* as they were at the last look */
	const struct dg_tcp_row *row; /* during a look only */
	__u64 own;		      /* connections of this listener */
	struct dg_pressure_sample sample;
	double new_per_second, hold_mean_sec; /* -1 = not known */
};

struct dg_quotas {
	struct dg_daemon *daemon;
	uv_timer_t look;
	struct dg_quotas_listener *listener; /* DG_TCP_LISTENERS_MAX */
	unsigned int count;
	struct dg_program *asking;
	__u64 asked_ns;
	bool ask_again;	      /* a listener has come since */
	unsigned int unknown; /* asks in a row that left a quota unknown; the one under way, too */
	bool ask_complained;  /* that the child does not work was said */
	struct dg_share share;
	__u64 share_noted_ns;
	bool changed;		       /* since it was saved */
	__u64 warning_at, critical_at; /* percent, as they were at the last look */
	struct dg_keep keep;
	char path[4096];
};

/* The quota in force: as configured, else as told; 0 = not known. */
__u64 dg_quotas_of(const struct dg_quotas *watch, const struct dg_quotas_listener *listener);
/* Asks when it is time. */
void dg_quotas_ask(struct dg_quotas *watch, __u64 now_ns);

/* Tells the alerts of a listener whose state is what it is now. */
void dg_quotas_tell(struct dg_quotas *watch, const struct dg_quotas_listener *listener);
void dg_quotas_tell_share(struct dg_quotas *watch, const struct dg_share_now *now);

/* The text of the state file (free); NULL = out of memory. */
char *dg_quotas_text(const struct dg_quotas *watch);
void dg_quotas_load(struct dg_quotas *watch);

#endif
