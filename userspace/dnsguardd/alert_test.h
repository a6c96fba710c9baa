/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alert_test.h - dnsguard alert test, done by the daemon: what receivers hear in earnest, they hear the same way.
 */
#ifndef DG_DAEMON_ALERT_TEST_H
#define DG_DAEMON_ALERT_TEST_H

struct dg_alert_testing;
struct dg_daemon;

/* Takes the note of who asks, tells every receiver, and publishes what became of it (config/reload.h). One at a time. */
void dg_alert_test_begin(struct dg_daemon *daemon);
/* Ends what is on its way, without an answer. The loop must run once more. */
void dg_alert_test_stop(struct dg_daemon *daemon);

#endif
