/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify.h - dnsguard-notify: one message to one receiver, as nobody.
 *
 * The job comes as JSON on standard input, never on the command line: a URL may hold a token, and ps shows command lines.
 */
#ifndef DG_NOTIFY_JOB_H
#define DG_NOTIFY_JOB_H

#include <jansson.h>

#include "userspace/lib/scope.h"

#define DG_JOB_BYTES_MAX (4 << 20)
#define DG_JOB_WORDS_MAX 128

/* A POST (url is set) or a command (argv[0] is set). Texts belong to doc. */
struct dg_job {
	json_t *doc;
	const char *url, *body, *ca_file;	 /* ca_file "" = the system's */
	const char *username, *password, *token; /* NULL = none */
	long seconds;
	const char *argv[DG_JOB_WORDS_MAX + 1];
	const char *environment[DG_JOB_WORDS_MAX + 2];
	const char *input;
};
#define DG_JOB_NONE ((struct dg_job){ .doc = NULL })
void dg_job_free(struct dg_job *job);

/* Reads a whole job. -EINVAL with *err. */
int dg_job_read(int fd, struct dg_job *ret, struct dg_error *err);
/* Sends it; any status 2xx is success. Redirects are not followed: a message goes where it was sent. */
int dg_job_post(const struct dg_job *job, struct dg_error *err);
/* Becomes the command. Returns only on failure. */
int dg_job_exec(const struct dg_job *job, struct dg_error *err);

#endif
