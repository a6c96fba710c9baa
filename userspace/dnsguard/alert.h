/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alert.h - what verbs show of the daemon's state files.
 */
#ifndef DG_CLI_ALERT_H
#define DG_CLI_ALERT_H

#include <jansson.h>
#include <stdbool.h>

#include "userspace/alert/alert.h"
#include "userspace/dnsguard/options.h"

/* One of the daemon's files, to be dropped; NULL = there is none. And whether the daemon runs. */
json_t *dg_pressure_kept(const struct dg_cli *cli, const char *name, bool *ret_running);

/* Puts "tcp_pressure" {listener, state}, the worst listener's, into the document of `status` while the daemon runs. */
void dg_pressure_status(const struct dg_cli *cli, json_t *doc);

#endif
