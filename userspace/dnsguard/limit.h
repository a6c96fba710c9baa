/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * limit.h - the parts of limit.c that other verbs and the tests use.
 */
#ifndef DG_LIMIT_H
#define DG_LIMIT_H

#include <jansson.h>

#include "userspace/dnsguard/options.h"

/* The limits in words: what `limit show` prints. */
json_t *dg_limit_json(const struct dg_settings *settings);
/* Puts what was given (rows of dg_limit_set_options) into the settings; -EINVAL leaves them half-changed, unwritten. */
int dg_limit_apply(const struct dg_value value[], struct dg_settings *settings,
		   struct dg_error *err);

#endif
