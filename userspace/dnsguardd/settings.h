/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settings.h - the configuration's keys as fields of the kernel's live settings. Pure arithmetic.
 */
#ifndef DG_DAEMON_SETTINGS_H
#define DG_DAEMON_SETTINGS_H

#include "userspace/config/config.h"

/*
 * Writes what the keys in `keys` say into the settings and leaves
 * all other fields alone. On a reload keys are those given now or before: one that was taken out of
 * the file returns to its default.
 */
void dg_settings_configure(const struct dg_config *config, const struct dg_key_set *keys,
			   struct dg_settings *settings);

#endif
