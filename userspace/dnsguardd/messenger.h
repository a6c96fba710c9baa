/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * messenger.h - one message to one receiver by a child, dnsguard-notify, on the event loop.
 */
#ifndef DG_MESSENGER_H
#define DG_MESSENGER_H

#include "userspace/alert/send.h"
#include "userspace/dnsguardd/program.h"

struct dg_daemon;

struct dg_errand {
	const struct dg_sink *sink; /* anything but the log */
	const struct dg_message *messages;
	unsigned int count; /* 1, but for an Alertmanager */
	void (*end)(void *arg, const struct dg_program_end *end);
	void *arg;
};
/* As dg_program_start(). Nothing of *errand is kept but end and arg. */
int dg_messenger_start(struct dg_daemon *daemon, const struct dg_errand *errand,
		       struct dg_program **ret, struct dg_error *err);

#define DG_MESSENGER_ERROR 160
/* Why the message has not arrived. Returns buf, or NULL: it has. */
const char *dg_messenger_error(const struct dg_program_end *end, char buf[DG_MESSENGER_ERROR]);

#endif
