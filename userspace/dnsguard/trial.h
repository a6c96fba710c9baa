/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trial.h - attach --try: a guard that goes by itself unless somebody says that it may stay.
 *
 * A child in a session of its own holds the trial: neither a dead terminal nor a dead shell reaches it. It listens on a
 * socket in the run directory, for attach --confirm and detach. Should it be killed, a guardian behind it ends the trial;
 * should both be, the next command or the daemon does.
 */
#ifndef DG_TRIAL_H
#define DG_TRIAL_H

#include "loader/loader.h"
#include "userspace/dnsguard/options.h"

struct dg_trial {
	const char *bpffs, *ifname;
	__u64 deadline_ns;
	const struct dg_attach_result *result;
};

#define DG_TRIAL_GUARDIAN "dnsguard-undo" /* what ps calls it; 15 characters at most */

enum dg_trial_word { DG_TRIAL_KEEP = 'k', DG_TRIAL_DROP = 'd' };

/*
 * Starts the child and returns its end of a channel on which DG_TRIAL_KEEP or DG_TRIAL_DROP can be said; the child writes
 * one of the two when the trial has ended so. After this the caller closes its link descriptors. On failure the
 * caller undoes the attach.
 */
int dg_trial_start(const struct dg_trial *trial, int *ret_channel, struct dg_error *err);

/* Tells a running trial. -ENOENT (status DG_EXIT_NOT_ATTACHED): no trial runs on this device. */
int dg_trial_tell(const char *bpffs, const char *ifname, enum dg_trial_word word,
		  struct dg_error *err);
/* Does a trial run there? */
bool dg_trial_runs(const char *bpffs, const char *ifname);

#endif
