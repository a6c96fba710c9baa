/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * caps.h - which capabilities the daemon holds, and when.
 */
#ifndef DG_CAPS_H
#define DG_CAPS_H

#include "userspace/lib/scope.h"

/* -EPERM: a capability that guarding needs is missing; *err names it and the mending command. */
int dg_caps_check(struct dg_error *err);

/*
 * Gives up everything but CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, for good. The three stay because
 * a device that comes back must be attached again, which loads a program: the daemon cannot do with
 * less without losing that. CAP_PERFMON, which also opens kernel memory to tracing programs, is
 * only switched on around an attach.
 */
int dg_caps_limit(struct dg_error *err);

/* CAP_PERFMON on (before an attach) or off (after it). Does nothing before dg_caps_limit(). */
void dg_caps_loading(int on);

#endif
