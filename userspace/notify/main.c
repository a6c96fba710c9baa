// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - dnsguard-notify: reads one job, gives up its rights, does it.
 *
 * The only place of the program that prints and decides the exit status.
 */
#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "userspace/fetch/fetch.h"
#include "userspace/notify/notify.h"

static const char usage[] =
	"usage: dnsguard-notify <JOB\n"
	"Sends one message for dnsguardd and `dnsguard alert test`; not meant to be run by hand.\n";

static int post(const struct dg_job *job, struct dg_error *err)
{
	int rc = dg_fetch_rights_drop(err);

	if (!rc && curl_global_init(CURL_GLOBAL_DEFAULT))
		rc = dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "libcurl cannot be started");
	return rc ? rc : dg_job_post(job, err);
}

int main(int argc, char **argv)
{
	dg_scoped(dg_job_free) struct dg_job job = DG_JOB_NONE;
	struct dg_error err = { .status = DG_EXIT_FAILED };
	int rc;

	if (argc > 1) {
		bool help = !strcmp(argv[1], "--help");

		fputs(usage, help ? stdout : stderr);
		return help ? DG_EXIT_OK : DG_EXIT_USAGE;
	}
	rc = dg_job_read(STDIN_FILENO, &job, &err);
	if (!rc)
		rc = job.url ? post(&job, &err) : dg_job_exec(&job, &err);
	if (!rc)
		return DG_EXIT_OK;
	fprintf(stderr, "dnsguard-notify: %s\n", err.text);
	return (int)err.status;
}
