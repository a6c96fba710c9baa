/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * schedule.h - when the daemon will refresh each list: its own word, which alone knows the configured interval and spread.
 *
 * A file in the run directory, replaced whole, that names the process which wrote it; the word of one that lives no more
 * counts for nothing.
 */
#ifndef DG_LISTS_SCHEDULE_H
#define DG_LISTS_SCHEDULE_H

#include <jansson.h>

#include "userspace/lib/scope.h"

/*
 * document: {schema, state_dir, refresh_seconds, spread_seconds, due {NAME: Unix second}}; a list without a moment is
 * refreshed when its source changes. Ours from now on. 0 or -errno.
 */
int dg_schedule_write(const char *bpffs, json_t *document);
/* The word of the daemon that runs for this directory and these lists; NULL = none does. The caller's. */
json_t *dg_schedule_read(const char *bpffs, const char *state_dir);

#endif
