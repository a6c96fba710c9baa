/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * send.h - a message on its way: into the log at once, everywhere else by a job for dnsguard-notify.
 *
 * dnsguard-notify runs as nobody: what a server answers, TLS included, is never parsed where there are privileges.
 */
#ifndef DG_SEND_H
#define DG_SEND_H

#include <sys/types.h>

#include "userspace/alert/body.h"

#define DG_NOTIFY_PROGRAM "dnsguard-notify"
#define DG_NOTIFY_SECONDS 30

/*
 * Writes to journald (native protocol), syslog, or, "auto" and neither there, hands the line to `say`. Never waits:
 * -EAGAIN when the other side is behind.
 */
struct dg_log_paths {
	const char *journal, *syslog;
};
extern const struct dg_log_paths dg_log_paths_default;
int dg_send_log(enum dg_config_log where, const struct dg_log_paths *paths,
		const struct dg_message *message, void (*say)(int priority, const char *line));

/*
 * A file in memory with the job for dnsguard-notify's input, closed on exec. count messages: one, but for an Alertmanager, which
 * takes many. -errno.
 */
int dg_send_job(const struct dg_sink *sink, const struct dg_config *config,
		const struct dg_message *messages, unsigned int count, int *ret_fd);

/* A job under way. */
struct dg_sending {
	pid_t pid;
	int err_fd; /* it complains there */
	__u64 deadline_ns;
};
/* Starts the job. *ret goes to dg_send_end(), which is to be called once. -errno with *err. */
int dg_send_begin(int job_fd, struct dg_sending *ret, struct dg_error *err);
/* Waits for its end, at most DG_NOTIFY_SECONDS from its begin. -EIO, -ETIME: *err says what the receiver said. */
int dg_send_end(struct dg_sending *sending, struct dg_error *err);

#endif
