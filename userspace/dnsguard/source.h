/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * source.h - what is said of senders, for verbs that do so by the way.
 */
#ifndef DG_SOURCE_VERB_H
#define DG_SOURCE_VERB_H

#include "userspace/dnsguard/options.h"

enum dg_source_deed { DG_SOURCE_BAN, DG_SOURCE_EXEMPT };

/* As `source ban PREFIX --for` and `source exempt PREFIX --for`, without a word on stdout. *err says why not. */
int dg_source_act(const struct dg_cli *cli, enum dg_source_deed deed, const char *prefix,
		  __u64 span_ns, struct dg_error *err);

#endif
