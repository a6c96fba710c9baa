/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alerts.h - the daemon tells receivers what fires; it waits for none of them.
 */
#ifndef DG_DAEMON_ALERTS_H
#define DG_DAEMON_ALERTS_H

#include "userspace/alert/alert.h"

struct dg_daemon;
struct dg_alerting;

/* Takes up what the state directory holds: nothing that was told is told again. */
int dg_alerting_start(struct dg_daemon *daemon, struct dg_alerting **ret, struct dg_error *err);
/* Ends what is on its way. Accepts NULL. The loop must run once more, then dg_alerting_free() saves and frees. */
void dg_alerting_stop(struct dg_alerting *alerting);
void dg_alerting_free(struct dg_alerting *alerting);
/* The configuration is another one. Accepts NULL. */
void dg_alerting_configure(struct dg_alerting *alerting);
/* Ends the alerts of listeners that `known` does not know. Accepts NULL. */
void dg_alerting_settle(struct dg_alerting *alerting,
			bool (*known)(void *arg, const char *listener), void *arg);
/* News of an alert. Accepts NULL. */
void dg_alerting_note(struct dg_alerting *alerting, const struct dg_news *news);

#endif
