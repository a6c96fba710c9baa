/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list.h - what the files of `dnsguard list` share, and what `status` shows of lists.
 */
#ifndef DG_CLI_LIST_H
#define DG_CLI_LIST_H

#include <jansson.h>

#include "userspace/dnsguard/progress.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/stats.h"
#include "userspace/lib/update.h"

/* One list for people: its description, what is known of it, and its place in the image (0 entries: not there). */
json_t *dg_list_json(const struct dg_list_state *state, const struct dg_answer *image_lists,
		     __u32 image_count);
/* All lists for `status`: [] when there are none or they cannot be read. */
json_t *dg_lists_json(const struct dg_cli *cli, const struct dg_snapshot *snapshot);
/* Is a list of dg_lists_json() stale? Then buf says which, and since when. */
bool dg_lists_stale(const json_t *lists, char *buf, size_t size);

#endif
