// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * download.c - fetches one URL with libcurl into a descriptor.
 *
 * Nothing that the server says is believed further than its bounds: size, time, speed, redirects, schemes. What it sends
 * is written as it is; others judge it.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "userspace/fetch/fetch.h"
#include "userspace/lib/quote.h"

#define REDIRECTS_MAX 5
#define SLOW_BYTES_PER_SEC 100
#define SLOW_SECONDS 30
#define PROGRESS_NS 200000000ll
#define HEAD_BYTES 8192 /* kept to look for "Expires:" */
#define NS_PER_SEC 1000000000ll

struct transfer {
	const struct dg_fetch *fetch;
	struct dg_fetched *fetched;
	CURL *curl;
	struct curl_slist *headers;
	char head[HEAD_BYTES];
	size_t head_len;
	__u64 max_age;
	bool too_large;
	bool home_private; /* the URL itself leads to an address of our own site: then redirects may */
	char astray[INET6_ADDRSTRLEN]; /* the address that a redirect must not lead to */
	int write_error;
	long long told_ns;
	char why[CURL_ERROR_SIZE];
};

static void transfer_end(struct transfer *transfer)
{
	curl_slist_free_all(transfer->headers);
	curl_easy_cleanup(transfer->curl);
}

/* ---- what comes ----------------------------------------------------------------------------- */

static int write_whole(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? errno : EIO;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static void head_keep(struct transfer *transfer, const char *bytes, size_t len)
{
	size_t room = sizeof(transfer->head) - transfer->head_len;

	if (len > room)
		len = room;
	memcpy(transfer->head + transfer->head_len, bytes, len);
	transfer->head_len += len;
}

static size_t body_take(char *bytes, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	size_t len = size * count;
	long status = 0;

	curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return len; /* the page of an error or a redirect */
	transfer->too_large = transfer->fetched->bytes + len > transfer->fetch->max_bytes;
	if (transfer->too_large)
		return 0;
	transfer->write_error = write_whole(transfer->fetch->output_fd, bytes, len);
	if (transfer->write_error)
		return 0;
	head_keep(transfer, bytes, len);
	transfer->fetched->bytes += len;
	return len;
}

/* Copies a header's value when it is the one that is named, clean and short enough. */
static void value_take(const char *line, const char *name, char *ret, size_t size)
{
	size_t len = strlen(name);
	const char *value = line + len;

	if (strncasecmp(line, name, len))
		return;
	value += strspn(value, " \t");
	ret[0] = '\0';
	if (strlen(value) < size && dg_text_is_clean(value))
		strcpy(ret, value);
}

/* One header. A new answer (after a redirect) begins with its status line and forgets those before. */
static size_t header_take(char *bytes, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	struct dg_fetched *fetched = transfer->fetched;
	char line[1024], age[512] = "", date[128] = "";
	size_t len = size * count;
	time_t expires;

	snprintf(line, sizeof(line), "%.*s", (int)(len < sizeof(line) ? len : sizeof(line) - 1),
		 bytes);
	line[strcspn(line, "\r\n")] = '\0';
	if (!strncmp(line, "HTTP/", 5)) {
		fetched->etag[0] = fetched->last_modified[0] = '\0';
		fetched->expires = transfer->max_age = 0;
	}
	value_take(line, "ETag:", fetched->etag, sizeof(fetched->etag));
	value_take(line, "Last-Modified:", fetched->last_modified, sizeof(fetched->last_modified));
	value_take(line, "Cache-Control:", age, sizeof(age));
	if (age[0])
		transfer->max_age = dg_fetch_max_age(age);
	value_take(line, "Expires:", date, sizeof(date));
	expires = date[0] ? curl_getdate(date, NULL) : -1;
	if (expires > 0)
		fetched->expires = (__u64)expires;
	return len;
}

/* ---- where it leads ------------------------------------------------------------------------- */

static bool is_redirected(const struct transfer *transfer)
{
	long redirects = 0;

	curl_easy_getinfo(transfer->curl, CURLINFO_REDIRECT_COUNT, &redirects);
	return redirects > 0;
}

/* Before anything is sent to that address, a first SYN included. */
static curl_socket_t socket_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *transfer = arg;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->addr;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->addr;

	(void)purpose;
	if (!is_redirected(transfer) || transfer->home_private ||
	    !dg_fetch_address_is_private(&address->addr))
		return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (!inet_ntop(address->family,
		       address->family == AF_INET ? (const void *)&v4->sin_addr :
						    (const void *)&v6->sin6_addr,
		       transfer->astray, sizeof(transfer->astray)))
		strcpy(transfer->astray, "?");
	return CURL_SOCKET_BAD;
}

/* Connected, nothing asked yet: who it is that answers to the URL. */
static int request_begin(void *arg, char *address, char *local, int port, int local_port)
{
	struct transfer *transfer = arg;

	(void)local;
	(void)port;
	(void)local_port;
	if (!is_redirected(transfer))
		transfer->home_private = dg_fetch_text_is_private(address);
	return CURL_PREREQFUNC_OK;
}

static int progress_tell(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total,
			 curl_off_t up_now)
{
	struct transfer *transfer = arg;
	struct timespec clock;
	long long now_ns;

	(void)up_total;
	(void)up_now;
	clock_gettime(CLOCK_MONOTONIC, &clock);
	now_ns = clock.tv_sec * NS_PER_SEC + clock.tv_nsec;
	if (transfer->fetch->progress_fd < 0 || now_ns - transfer->told_ns < PROGRESS_NS)
		return 0;
	transfer->told_ns = now_ns;
	dprintf(transfer->fetch->progress_fd,
		"{\"phase\":\"fetch\",\"bytes\":%lld,\"bytes_total\":%lld}\n", (long long)now,
		(long long)total);
	return 0;
}

/* ---- what is asked -------------------------------------------------------------------------- */

static int header_add(struct transfer *transfer, const char *name, const char *value)
{
	char line[DG_FETCH_TEXT_MAX + 32];
	struct curl_slist *longer;

	if (!value)
		return 0;
	snprintf(line, sizeof(line), "%s: %s", name, value);
	longer = curl_slist_append(transfer->headers, line);
	if (!longer)
		return -ENOMEM;
	transfer->headers = longer;
	return 0;
}

static void bounds_set(CURL *curl, const struct dg_fetch *fetch)
{
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	/* From https only https: whoever sits on the way must not get hold of what follows. */
	curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR,
			 strncasecmp(fetch->url, "https:", 6) ? "http,https" : "https");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
	curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)fetch->max_bytes);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)fetch->max_seconds);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)fetch->connect_seconds);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES_PER_SEC);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SLOW_SECONDS);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	if (fetch->ca_file)
		curl_easy_setopt(curl, CURLOPT_CAINFO, fetch->ca_file);
}

static void listeners_set(struct transfer *transfer)
{
	CURL *curl = transfer->curl;

	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transfer->why);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_take);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, socket_open);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, request_begin);
	curl_easy_setopt(curl, CURLOPT_PREREQDATA, transfer);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, progress_tell);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transfer);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
}

static int transfer_begin(struct transfer *transfer, struct dg_error *err)
{
	CURL *curl = transfer->curl = curl_easy_init();
	int rc = curl ? 0 : -ENOMEM;

	if (!rc)
		rc = header_add(transfer, "If-None-Match", transfer->fetch->etag);
	if (!rc)
		rc = header_add(transfer, "If-Modified-Since", transfer->fetch->last_modified);
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "not enough memory");
	bounds_set(curl, transfer->fetch);
	listeners_set(transfer);
	curl_easy_setopt(curl, CURLOPT_URL, transfer->fetch->url);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "dnsguard/" DG_VERSION);
	curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip"); /* bounded by max_bytes unpacked */
	if (transfer->headers)
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, transfer->headers);
	return 0;
}

/* ---- what came of it ------------------------------------------------------------------------ */

static int failure(const struct transfer *transfer, CURLcode code, struct dg_error *err)
{
	if (transfer->too_large || code == CURLE_FILESIZE_EXCEEDED)
		return dg_fail(err, -EFBIG, DG_EXIT_FAILED, "it is larger than %llu bytes",
			       (unsigned long long)transfer->fetch->max_bytes);
	if (transfer->astray[0])
		return dg_fail(err, -EPERM, DG_EXIT_FAILED,
			       "the server sends us on to %s, an address of our own site: if that "
			       "is meant, give the URL there",
			       transfer->astray);
	if (transfer->write_error)
		return dg_fail(err, -transfer->write_error, DG_EXIT_FAILED,
			       "what came cannot be written: %s", strerror(transfer->write_error));
	return dg_fail(err, -EIO, DG_EXIT_FAILED, "%s",
		       transfer->why[0] ? transfer->why : curl_easy_strerror(code));
}

static int outcome(struct transfer *transfer, struct dg_error *err)
{
	struct dg_fetched *fetched = transfer->fetched;
	bool asked = transfer->fetch->etag || transfer->fetch->last_modified;
	const char *url = NULL;

	curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &fetched->status);
	curl_easy_getinfo(transfer->curl, CURLINFO_EFFECTIVE_URL, &url);
	snprintf(fetched->url, sizeof(fetched->url), "%s", url ? url : "");
	fetched->unchanged = fetched->status == 304 && asked;
	if (fetched->status != 200 && !fetched->unchanged)
		return dg_fail(err, -EIO, DG_EXIT_FAILED, "the server answered with status %ld",
			       fetched->status);
	if (transfer->max_age)
		fetched->expires = (__u64)time(NULL) + transfer->max_age;
	fetched->interval_sec = dg_fetch_expires(transfer->head, transfer->head_len);
	return 0;
}

int dg_fetch_download(const struct dg_fetch *fetch, struct dg_fetched *ret, struct dg_error *err)
{
	dg_scoped(transfer_end) struct transfer transfer = { .fetch = fetch, .fetched = ret };
	CURLcode code;
	int rc;

	*ret = (struct dg_fetched){ .status = 0 };
	rc = transfer_begin(&transfer, err);
	if (rc)
		return rc;
	code = curl_easy_perform(transfer.curl);
	return code ? failure(&transfer, code, err) : outcome(&transfer, err);
}
