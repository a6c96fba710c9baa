/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * status.h - the state of the guard as a document: what `status` prints whole and `top` in part.
 */
#ifndef DG_STATUS_H
#define DG_STATUS_H

#include <jansson.h>

#include "userspace/dnsguard/options.h"
#include "userspace/lib/stats.h"

json_t *dg_status_json(const struct dg_cli *cli, const struct dg_maps *maps,
		       const struct dg_snapshot *snapshot);

/* How long answers took; JSON null = it cannot be read. */
json_t *dg_latency_json(const struct dg_cli *cli, const struct dg_maps *maps,
			const struct dg_snapshot *snapshot);

/* What the guard does not know of this host yet, with the command that mends it; JSON null = nothing. */
json_t *dg_drift_json(const struct dg_cli *cli, const struct dg_maps *maps,
		      const struct dg_snapshot *snapshot);

/* What a monitoring system asks. */
enum dg_check { DG_CHECK_OK, DG_CHECK_WARNING, DG_CHECK_CRITICAL, DG_CHECK_UNKNOWN };

/* Judges the document of dg_status_json(); the reason in a few words goes to buf. */
enum dg_check dg_status_judge(const json_t *status, char *buf, size_t size);

#endif
