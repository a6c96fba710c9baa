/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kept.h - what the daemon has written down of TCP quotas and alerts, for who shows it beside live counters.
 *
 * Reads two files of the state directory and nothing else. A file that is missing or broken is as if empty: what is
 * not known is shown as unknown.
 */
#ifndef DG_KEPT_H
#define DG_KEPT_H

#include <jansson.h>

struct dg_kept {
	json_t *listeners;		  /* rows of pressure.json */
	json_t *warning_at, *critical_at; /* of it, percent of a quota; null = nobody has said */
	json_t *alerts;			  /* rows of alerts.json */
};

void dg_kept_read(const char *state_dir, struct dg_kept *ret);
void dg_kept_drop(struct dg_kept *kept);

/* The row of a listener ("192.0.2.1:53"), borrowed; NULL = the daemon has not seen it. */
const json_t *dg_kept_listener(const struct dg_kept *kept, const char *listener);
/* Do both draw on one quota? */
int dg_kept_shares(const json_t *one, const json_t *other);

/* What fires: [{name, of, state, summary, seconds}]. The caller's. */
json_t *dg_kept_alerts_json(const struct dg_kept *kept);

#endif
