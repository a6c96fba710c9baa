/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * save.h - writing values down: conf.d/50-cli.yaml, the file that the command line keeps.
 */
#ifndef DG_CONFIG_SAVE_H
#define DG_CONFIG_SAVE_H

#include "userspace/config/config.h"
#include "userspace/lib/state.h"

#define DG_CONFIG_CLI_FILE "50-cli.yaml"

/* A scalar key and its new value, in the words of the file. */
struct dg_config_change {
	enum dg_config_key_id id;
	char value[64];
};

struct dg_config_changes {
	struct dg_config_change *change;
	unsigned int count;
	const struct dg_config *interfaces; /* whose list of devices is written; NULL: it stays */
	const char *who;		    /* noted beside each value */
};

/*
 * Prepares the file beside `path` (NULL: DG_CONFIG_PATH) with the changes made: other keys in it
 * stay, and so do its mode and owner. Nothing is seen of it until the caller commits *ret; the
 * caller holds the guard's lock. -EINVAL: the file is not good, or holds a secret, which cannot be
 * written back; -EROFS, -EACCES and their kin: it cannot be written.
 */
int dg_config_save_begin(const char *path, const struct dg_config_changes *changes,
			 struct dg_state_file *ret, struct dg_error *err);

#endif
