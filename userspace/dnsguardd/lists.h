/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lists.h - the daemon decides when a list is refreshed; the update pipeline, as a child, does it.
 *
 * Reads the registry and what is known of each list from the state directory; changes neither. The loop never waits for
 * a source.
 */
#ifndef DG_DAEMON_LISTS_H
#define DG_DAEMON_LISTS_H

#include "userspace/dnsguardd/metrics.h"
#include "userspace/lib/scope.h"

struct dg_daemon;
struct dg_lists;

/*
 * Looks at the lists for the first time as soon as the loop runs: what is guarded by then has the kept image already.
 * Files and directories are watched, URLs and zones refreshed when they are due.
 */
int dg_lists_start(struct dg_daemon *daemon, struct dg_lists **ret, struct dg_error *err);
/* Ends all children. Accepts NULL; *lists becomes NULL. The loop must run once more. */
void dg_lists_stop(struct dg_lists **lists);
/* The configuration or the registry is another one: see what is due now. Accepts NULL. */
void dg_lists_look(struct dg_lists *lists);
/* A row for each list, in order; *ret is malloc'ed. Returns how many, 0 also when they cannot be read. */
int dg_lists_rows(const struct dg_lists *lists, struct dg_list_row **ret);

#endif
