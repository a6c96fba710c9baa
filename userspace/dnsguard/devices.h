/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * devices.h - attach and detach beside the configuration: what it says of their devices, and writing down what they did.
 */
#ifndef DG_DEVICES_H
#define DG_DEVICES_H

#include <stdbool.h>

#include "loader/loader.h"
#include "userspace/dnsguard/options.h"

/* What becomes of one device. */
struct dg_device_change {
	const char *name;
	bool gone; /* no longer to be guarded; the other two say nothing */
	enum dg_attach_mode mode;
	bool observe;
	bool was_named; /* dg_devices_save() says: the configuration named it */
};

/*
 * Writes the changes into `interfaces` of conf.d/50-cli.yaml, all of them or none; takes the guard's lock. With rehearse nothing
 * is written: what would refuse it is found before anything is attached. Errors are those of dg_config_load() and
 * dg_config_save_begin().
 */
int dg_devices_save(const struct dg_cli *cli, struct dg_device_change *changes, unsigned int count,
		    bool rehearse, struct dg_error *err);

/* Visits the devices that the configuration names. Errors are those of dg_config_load(). */
int dg_devices_each(const struct dg_cli *cli, int (*visit)(const char *ifname, void *arg),
		    void *arg, struct dg_error *err);

/* Tells on stderr where the configuration says otherwise, which wins at the next reload or start. */
void dg_devices_tell(const struct dg_cli *cli, const struct dg_device_change *changes,
		     unsigned int count, bool saved);

#endif
