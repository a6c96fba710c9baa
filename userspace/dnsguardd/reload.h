/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reload.h - what the daemon says of a change of its configuration: to the log, and to the command
 * that asked.
 */
#ifndef DG_DAEMON_RELOAD_H
#define DG_DAEMON_RELOAD_H

#include "userspace/config/reload.h"
#include "userspace/dnsguardd/daemon.h"

/*
 * Called after a configuration was applied (good) or refused (reason says why). before is what ran
 * until now, NULL at the start. Logs each change and who asked for it, then publishes what runs.
 */
void dg_reload_tell(const struct dg_daemon *daemon, const struct dg_config *before,
		    const struct dg_reload_note *note, const struct dg_error *reason);

#endif
