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
#include "userspace/lists/update.h"

/* One list for people: its description, what is known of it, its place in the image. snapshot NULL: no guard runs. */
json_t *dg_list_json(const struct dg_list_state *state, const struct dg_snapshot *snapshot);
/* Puts "lists" into the document of `status`; "lists_error" when they cannot be read. */
void dg_lists_status(const struct dg_cli *cli, const struct dg_snapshot *snapshot, json_t *doc);
/* Is something wrong with the lists of such a document? Then buf says what. */
bool dg_lists_judge(const json_t *status, char *buf, size_t size);

#endif
