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
 * Gives up, for good, everything but
 * - CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON: a device that comes back must be attached again, which loads a program.
 *   CAP_PERFMON, which also opens kernel memory to tracing programs, is only switched on around an attach;
 * - CAP_SETUID, CAP_SETGID, CAP_KILL and CAP_NET_BIND_SERVICE, never on here but to end a child: the programs that the
 *   daemon starts for lists need them to become nobody, to end helpers that are nobody, to hear NOTIFY on port 53.
 */
int dg_caps_limit(struct dg_error *err);

/* CAP_PERFMON on (before an attach) or off (after it). Does nothing before dg_caps_limit(). */
void dg_caps_loading(int on);
/* CAP_KILL on or off: a helper that runs as nobody cannot be ended without it. */
void dg_caps_killing(int on);

#endif
