/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon.h - the daemon as one struct, and what its rooms do with it.
 *
 * The daemon keeps no kernel state of its own: every task opens the pinned maps, works, and closes
 * them. So it never holds on to tables that `dnsguard detach` has put away, and a crash loses
 * nothing.
 */
#ifndef DG_DAEMON_H
#define DG_DAEMON_H

#include <uv.h>

#include "userspace/config/config.h"
#include "userspace/config/reload.h"
#include "userspace/dnsguardd/http.h"

/* The command line. Texts point into argv. */
struct dg_daemon_options {
	const char *config; /* NULL: the default path, which may be absent */
	const char *bpffs, *state_dir;
	const char *listen; /* NULL: as configured */
	const char *iface[DG_IF_MAX];
	unsigned int iface_count;
	int observe, check_config;
};

/* A device the daemon was told to guard. */
struct dg_guarded {
	char name[16];
	__u32 ifindex; /* the device we attached to; 0 = it is away */
	int refused;   /* attaching it again failed, and was said */
};

struct dg_alert_testing;
struct dg_alerting;
struct dg_chart;
struct dg_lists;
struct dg_quotas;
struct dg_protecting;

struct dg_daemon {
	const struct dg_daemon_options *options;
	uv_loop_t loop;
	struct dg_config *config; /* as applied last */
	struct dg_maps_kept kept; /* for those who look every second */
	struct dg_guarded guarded[DG_IF_MAX];
	unsigned int guarded_count;
	int addresses; /* guarded, as logged last */
	struct dg_error
		locked_out; /* why maps or lock could not be had, as logged last; no text = they could */
	__u8 prog_tag[8]; /* of the program this daemon loads; learnt once, see guard.c */
	int prog_tag_known;
	struct dg_lists *lists;			/* NULL until all is guarded */
	struct dg_chart *chart;			/* likewise */
	struct dg_alerting *alerting;		/* likewise */
	struct dg_alert_testing *alert_testing; /* NULL: none is under way */
	struct dg_quotas *quotas;		/* likewise */
	struct dg_protecting *protecting;	/* likewise */
	struct dg_http *http;
	struct sockaddr_storage http_at;
	char asked[DG_TOKEN_MAX + 1]; /* token of the command that asked for a reload last */
	int config_good;
	__u64 config_good_unix;
};

/* ---- guard.c: devices and settings ----------------------------------------------------------- */

/*
 * Makes the running guard what `next` says: attaches devices, then writes addresses, client
 * prefixes and settings under the lock. All or nothing: on failure devices attached now are
 * detached again and the rest is as before.
 */
int dg_guard_apply(struct dg_daemon *daemon, const struct dg_config *next, struct dg_error *err);
/* Devices, their MACs and the host's addresses may have changed: catch up. Logs what it does. */
void dg_guard_resync(struct dg_daemon *daemon);
/* Removes expired entries of the operator and sets the clock offset. Logs failures. */
void dg_guard_tidy(struct dg_daemon *daemon);

/* ---- netwatch.c: the kernel's news ----------------------------------------------------------- */

struct dg_netwatch;
/* Calls dg_guard_resync() when links or addresses of this network namespace have changed. */
int dg_netwatch_start(struct dg_daemon *daemon, struct dg_netwatch **ret, struct dg_error *err);
void dg_netwatch_stop(
	struct dg_netwatch **netwatch); /* accepts NULL; the loop must run once more */

/* ---- pages.c: what HTTP shows ---------------------------------------------------------------- */

dg_http_page_fn dg_daemon_page; /* arg is the struct dg_daemon */

#endif
