// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * job.c - a job from its JSON.
 */
#include <errno.h>
#include <string.h>

#include "userspace/notify/notify.h"

void dg_job_free(struct dg_job *job)
{
	json_decref(job->doc);
	*job = DG_JOB_NONE;
}

/* Every element a text; ret has room for DG_JOB_WORDS_MAX and the NULL behind them. */
static int words_read(const json_t *list, const char **ret)
{
	size_t count = json_array_size(list);

	if (count > DG_JOB_WORDS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		ret[i] = json_string_value(json_array_get(list, i));
		if (!ret[i])
			return -EINVAL;
	}
	ret[count] = NULL;
	return 0;
}

static int job_take(struct dg_job *job)
{
	static const char path[] =
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

	job->url = json_string_value(json_object_get(job->doc, "url"));
	job->body = json_string_value(json_object_get(job->doc, "body"));
	job->ca_file = json_string_value(json_object_get(job->doc, "ca_file"));
	job->username = json_string_value(json_object_get(job->doc, "username"));
	job->password = json_string_value(json_object_get(job->doc, "password"));
	job->token = json_string_value(json_object_get(job->doc, "token"));
	job->input = json_string_value(json_object_get(job->doc, "input"));
	job->seconds = (long)json_integer_value(json_object_get(job->doc, "seconds"));
	job->environment[0] = path;
	if (job->url)
		return job->body && job->ca_file && job->seconds > 0 ? 0 : -EINVAL;
	if (words_read(json_object_get(job->doc, "argv"), job->argv) ||
	    words_read(json_object_get(job->doc, "environment"), job->environment + 1))
		return -EINVAL;
	return job->argv[0] && job->input ? 0 : -EINVAL;
}

int dg_job_read(int fd, struct dg_job *ret, struct dg_error *err)
{
	dg_scoped_free char *text = malloc(DG_JOB_BYTES_MAX);
	size_t len = 0;
	ssize_t got = 1;

	while (text && got > 0 && len < DG_JOB_BYTES_MAX) {
		got = read(fd, text + len, DG_JOB_BYTES_MAX - len);
		len += got > 0 ? (size_t)got : 0;
	}
	if (!text || got)
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "the job cannot be read: %s",
			       !text   ? "out of memory" :
			       got < 0 ? strerror(errno) :
					 "too large");
	ret->doc = json_loadb(text, len, 0, NULL);
	if (!ret->doc || job_take(ret))
		return dg_fail(
			err, -EINVAL, DG_EXIT_USAGE,
			"no job on standard input; dnsguardd and dnsguard alert test run this");
	return 0;
}
