/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify.h - what a Type=notify service tells systemd: sd_notify(3)'s datagram, without its
 * library.
 */
#ifndef DG_NOTIFY_H
#define DG_NOTIFY_H

/* Sends "READY=1" and the like to $NOTIFY_SOCKET. 0 also when nobody listens; -errno. */
int dg_notify(const char *state);
/* RELOADING=1 with the clock reading that systemd asks for. */
int dg_notify_reloading(void);
/* Milliseconds between two WATCHDOG=1, half of what systemd allows; 0 = no watchdog for this
 * process. */
unsigned long long dg_notify_watchdog_ms(void);

#endif
