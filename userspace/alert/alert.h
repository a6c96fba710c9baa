/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alert.h - alerts that fire and resolve, receivers that are told, and who still has to be told what.
 *
 * Nothing is queued as a message: each receiver has one place for each alert, which says what it knows. So what waits is
 * bounded by the number of alerts, a receiver that was away is told how things are now and how many changes it missed,
 * and a restart forgets nothing and repeats nothing. Times are Unix seconds, 0 = never.
 */
#ifndef DG_ALERT_H
#define DG_ALERT_H

#include <linux/types.h>
#include <stdbool.h>

#include "userspace/config/config.h"

#define DG_ALERTS_MAX 1024
#define DG_SINKS_MAX (2 + 2 * DG_CONFIG_URLS_MAX)

enum dg_sink_kind { DG_SINK_LOG, DG_SINK_ALERTMANAGER, DG_SINK_WEBHOOK, DG_SINK_COMMAND };

/* A receiver. */
struct dg_sink {
	enum dg_sink_kind kind;
	char id[128]; /* for people and for the state file: no password, no token */
	struct dg_config_url to;
	__u64 delivered, failed; /* messages, tries */
	__u64 last_unix;	 /* of the last delivery */
	char last_error[160];	 /* of the last try, "" = it was delivered */
	unsigned int tries;	 /* failed in a row */
	__u64 not_before_unix;
	bool busy; /* a message is on its way */
};

/* What a receiver knows of an alert. */
struct dg_told {
	__u64 changes; /* up to which change */
	__u64 unix_sec;
};

struct dg_alert {
	char name[32], severity[12]; /* as in the Prometheus rules */
	char listener[64];	     /* "" = none */
	char resolver[32];
	char summary[256], description[512];
	bool firing;
	__u64 starts_unix, ends_unix;
	__u64 changes; /* so often it began to fire, or ended */
	__u64 order;   /* of the latest of them among those of all alerts */
	struct dg_told told[DG_SINKS_MAX];
};

struct dg_alerts {
	struct dg_alert *alert; /* in the order in which they came up */
	unsigned int count, room;
	__u64 order;   /* of the latest change of all */
	__u64 refused; /* beyond DG_ALERTS_MAX */
	struct dg_sink sink[DG_SINKS_MAX];
	unsigned int sinks;
	bool changed; /* since it was saved */
};
void dg_alerts_free(struct dg_alerts *alerts);
#define dg_scoped_alerts dg_scoped(dg_alerts_free)

/* ---- alert.c: what fires ---------------------------------------------------------------------- */

/* What is to be said of an alert. */
struct dg_news {
	const char *name, *severity, *listener, *resolver, *summary, *description;
	bool firing;
};
/* An alert that does not exist and does not fire is no news. */
void dg_alerts_note(struct dg_alerts *alerts, const struct dg_news *news, __u64 now_unix);
/* Alerts of listeners that are gone end: so does what has ended and been told for longer than an hour. */
void dg_alerts_tidy(struct dg_alerts *alerts, __u64 now_unix);

struct dg_tell_rules {
	__u64 interval_sec; /* at most one message an alert to a receiver in so long */
	__u64 resend_sec;   /* how often an Alertmanager hears what it knows */
};
/* An alert that says that nothing is wrong, to see whether it arrives. It has no listener. */
#define DG_TEST_RESEND_SEC 15 /* an Alertmanager lets it go after four of these */
void dg_alert_test_make(struct dg_alert *ret, __u64 now_unix);
/* May this receiver be told of this alert now? */
bool dg_alert_due(const struct dg_alert *alert, const struct dg_sink *sink, unsigned int at,
		  const struct dg_tell_rules *rules, __u64 now_unix);
#define DG_BATCH_MAX 64 /* alerts in one message */
/*
 * Numbers of the alerts of the receiver's next message: an Alertmanager takes all that are due at once, the others one at a
 * time. Those that changed first come first, and no end before what its listener went through earlier, so that one that is
 * slow hears of things in their order. Returns how many.
 */
unsigned int dg_alerts_due(const struct dg_alerts *alerts, unsigned int sink,
			   const struct dg_tell_rules *rules, __u64 now_unix,
			   unsigned int ret[DG_BATCH_MAX]);
/* Changes that this receiver is not told one by one. */
__u64 dg_alert_suppressed(const struct dg_alert *alert, unsigned int sink);
/* Alerts of which the receiver does not know the latest. */
unsigned int dg_sink_queued(const struct dg_alerts *alerts, unsigned int sink);
/* A try has ended; error NULL = delivered. */
void dg_sink_tried(struct dg_sink *sink, const char *error, __u64 now_unix);

/* ---- sinks.c: receivers ----------------------------------------------------------------------- */

/* Receivers as configured. One that was there before keeps what it knows; a new one is told what fires. */
void dg_sinks_configure(struct dg_alerts *alerts, const struct dg_config *config);
/* The label "instance": as configured, else the host's name. Returns buf. */
char *dg_alert_instance(const struct dg_config *config, char *buf, size_t size);

/* ---- file.c: state that outlives the daemon --------------------------------------------------- */

/* In the state directory: alerts and receivers; states of listeners. `dnsguard alert ls` shows both. */
#define DG_ALERTS_FILE "alerts.json"
#define DG_PRESSURE_FILE "pressure.json"
/* The text of the state file, the caller's (free). NULL = out of memory. */
char *dg_alerts_text(const struct dg_alerts *alerts);
/* Takes alerts and what receivers knew; call dg_sinks_configure() after it. A file that is not there is empty. */
int dg_alerts_load(const char *state_dir, struct dg_alerts *ret, struct dg_error *err);
#endif
