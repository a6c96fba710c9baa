/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * body.h - an alert in the words of each kind of receiver.
 *
 * Pure: struct in, text or JSON out. Formats: Alertmanager's API version 2 (POST /api/v2/alerts), the body that Alertmanager
 * sends to a webhook (version 4), fields NAME=VALUE for a journal or an environment.
 */
#ifndef DG_BODY_H
#define DG_BODY_H

#include <jansson.h>

#include "userspace/alert/alert.h"

/* One alert on its way to one receiver. */
struct dg_message {
	const struct dg_alert *alert;
	const char *instance;
	__u64 suppressed; /* changes that are not told one by one */
	__u64 now_unix;
	__u64 resend_sec; /* Alertmanager: how soon it hears again */
};

/* An element of Alertmanager's array. Firing, it ends by itself unless it is sent again. */
json_t *dg_body_alertmanager(const struct dg_message *message);
/* A whole body for a webhook, with one alert. */
json_t *dg_body_webhook(const struct dg_message *message);

/* ["DNSGUARD_ALERT=...", ...]; no value holds a newline. */
json_t *dg_body_fields(const struct dg_message *message);
/* One line for people. Returns buf. */
char *dg_body_line(const struct dg_message *message, char *buf, size_t size);
/* Of syslog(3): 2 critical, 4 warning, 5 resolved. */
int dg_body_priority(const struct dg_message *message);

#endif
