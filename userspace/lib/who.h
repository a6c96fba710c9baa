/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * who.h - the person behind a command, for the log: who logged in, as whom it runs, at which
 * terminal.
 *
 * For people who read logs, not for decisions: only the kernel's login uid cannot be made up.
 */
#ifndef DG_WHO_H
#define DG_WHO_H

#include <stddef.h>

#define DG_WHO_MAX 160

/*
 * "alice (uid 1000) as root on pts/3": the login uid of the session, else SUDO_USER, else the user
 * itself; without a terminal the last part is missing. Returns buf.
 */
char *dg_who_text(char *buf, size_t size);

#endif
