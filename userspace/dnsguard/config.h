/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.h - which configuration a command means: the file it names, that of the running daemon, or
 * the default.
 */
#ifndef DG_CLI_CONFIG_H
#define DG_CLI_CONFIG_H

#include <jansson.h>

#include "userspace/config/config.h"
#include "userspace/dnsguard/options.h"

/*
 * The path for dg_config_load(): `named`, else what the running daemon was started with, else NULL.
 * *keep (drop it after use) holds the text.
 */
const char *dg_config_path(const struct dg_cli *cli, const char *named, json_t **keep);

/* The key of the marks in a daemon's lines, or NULL: it does not mark what it hides. */
const __u64 *dg_running_mark(const json_t *state, __u64 key[4]);

/* The files that were read, in their order. NULL = out of memory. */
json_t *dg_config_files_json(const struct dg_config *config);

#endif
