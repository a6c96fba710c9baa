// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - dnsguard-fetch: downloads one URL into a descriptor, without privileges, and reports.
 *
 * The only place of the program that prints and decides the exit status.
 */
#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>

#include "userspace/fetch/fetch.h"

static int report(const struct dg_fetched *fetched)
{
	json_t *doc = json_pack("{s:i, s:s, s:I, s:I, s:s, s:s, s:s, s:I, s:I}", "schema", 1,
				"event", fetched->unchanged ? "unchanged" : "changed", "status",
				(json_int_t)fetched->status, "bytes", (json_int_t)fetched->bytes,
				"etag", fetched->etag, "last_modified", fetched->last_modified,
				"url", fetched->url, "expires", (json_int_t)fetched->expires,
				"interval_seconds", (json_int_t)fetched->interval_sec);
	int rc = doc ? json_dumpf(doc, stdout, JSON_COMPACT) : -1;

	putchar('\n');
	json_decref(doc);
	return rc || fflush(stdout) ? DG_EXIT_FAILED : DG_EXIT_OK;
}

int main(int argc, char **argv)
{
	struct dg_error err = { .status = DG_EXIT_FAILED };
	struct dg_fetched fetched;
	struct dg_fetch fetch;
	int rc = dg_fetch_options(argc, argv, &fetch, &err);

	if (!rc && fetch.help)
		return fputs(dg_fetch_usage, stdout) < 0;
	if (!rc)
		rc = dg_fetch_rights_drop(&err);
	if (!rc && curl_global_init(CURL_GLOBAL_DEFAULT))
		rc = dg_fail(&err, -ENOMEM, DG_EXIT_FAILED, "libcurl cannot be started");
	if (!rc)
		rc = dg_fetch_download(&fetch, &fetched, &err);
	if (!rc)
		return report(&fetched);
	fprintf(stderr, "dnsguard-fetch: %s\n", err.text);
	return (int)err.status;
}
