/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common.h - what several verbs share: opening the guard, words for modes, times as JSON.
 */
#ifndef DG_COMMON_H
#define DG_COMMON_H

#include <jansson.h>
#include <signal.h>

#include "userspace/dnsguard/options.h"
#include "userspace/lib/maps.h"

extern const char
	*const dg_mode_names[]; /* by enum dg_mode, ends with NULL: the choices of an option */

/* Opens the maps and takes the lock, for a verb that changes something. */
int dg_open_locked(const struct dg_cli *cli, struct dg_maps *ret_maps, int *ret_lock,
		   struct dg_error *err);

/*
 * The end of a verb that has changed the kernel's tables and then written its file, or `failed` to: a failure is told as one
 * that leaves the change in force, with what err says of the file, and who made the change is logged all the same.
 */
int dg_change_saved(const struct dg_cli *cli, int failed, struct dg_error *err);

/* -ENODEV and err, with the nearest name there is, when this namespace has no such network device. */
int dg_device_check(const char *name, struct dg_error *err);

/* Seconds from now until a deadline, null when it is 0 or for good. */
json_t *dg_json_until(__u64 until_ns);

/* For dg_scoped(): drops a document, NULL included. */
void dg_json_drop(json_t **document);

/* 1 once SIGINT, SIGTERM or SIGHUP has come; the first call of dg_stop_catch() arms it. */
extern volatile sig_atomic_t dg_stopped;
void dg_stop_catch(void);

#endif
