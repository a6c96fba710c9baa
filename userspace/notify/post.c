// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * post.c - one POST of JSON. What the server answers is read past, but for its status and the beginning of a refusal.
 */
#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "userspace/lib/quote.h"
#include "userspace/notify/notify.h"

#define CONNECT_SECONDS 10L

struct answer {
	char text[160];
	size_t len;
};

static size_t answer_take(char *bytes, size_t size, size_t count, void *arg)
{
	struct answer *answer = arg;
	size_t room = sizeof(answer->text) - 1 - answer->len, len = size * count;

	memcpy(answer->text + answer->len, bytes, len < room ? len : room);
	answer->len += len < room ? len : room;
	return len;
}

static void easy_free(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

static void headers_free(struct curl_slist **headers)
{
	curl_slist_free_all(*headers);
}

/* What a URL says of a user gives way. */
static void credentials_set(CURL *curl, const struct dg_job *job)
{
	if (job->username && job->password) {
		curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
		curl_easy_setopt(curl, CURLOPT_USERNAME, job->username);
		curl_easy_setopt(curl, CURLOPT_PASSWORD, job->password);
	}
	if (job->token) {
		curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
		curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, job->token);
	}
}

static void request_set(CURL *curl, const struct dg_job *job, struct curl_slist *headers)
{
	curl_easy_setopt(curl, CURLOPT_URL, job->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, job->body);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "dnsguard/" DG_VERSION);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, job->seconds);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	credentials_set(curl, job);
	if (job->ca_file[0])
		curl_easy_setopt(curl, CURLOPT_CAINFO, job->ca_file);
}

static int refusal(long status, struct answer *answer, struct dg_error *err)
{
	if (status / 100 == 3)
		return dg_fail(err, -EIO, DG_EXIT_FAILED,
			       "the server answered with status %ld: redirects are not followed; "
			       "name the URL that it leads to",
			       status);
	answer->text[strcspn(answer->text, "\r\n")] = '\0';
	return dg_fail(err, -EIO, DG_EXIT_FAILED, "the server answered with status %ld%s%s", status,
		       answer->text[0] ? ": " : "",
		       dg_text_is_clean(answer->text) ? answer->text : DG_QUOTE(answer->text));
}

int dg_job_post(const struct dg_job *job, struct dg_error *err)
{
	dg_scoped(headers_free) struct curl_slist *headers =
		curl_slist_append(NULL, "Content-Type: application/json");
	dg_scoped(easy_free) CURL *curl = curl_easy_init();
	struct answer answer = { .len = 0 };
	char why[CURL_ERROR_SIZE] = "";
	long status = 0;
	CURLcode code;

	if (!curl || !headers)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	request_set(curl, job, headers);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, answer_take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	code = curl_easy_perform(curl);
	if (code)
		return dg_fail(err, -EIO, DG_EXIT_FAILED, "%s",
			       why[0] ? why : curl_easy_strerror(code));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return status / 100 == 2 ? 0 : refusal(status, &answer, err);
}
