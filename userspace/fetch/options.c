// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c - the command line of dnsguard-fetch.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "userspace/fetch/fetch.h"
#include "userspace/lib/quote.h"
#include "userspace/lib/values.h"

#define MAX_BYTES_DEFAULT (1ull << 30)
#define SECONDS_DEFAULT 600
#define CONNECT_SECONDS_DEFAULT 30

const char dg_fetch_usage[] =
	"usage: dnsguard-fetch --output-fd N [OPTIONS] URL\n"
	"       dnsguard-fetch --output-fd N [OPTIONS] --url-fd N\n"
	"\n"
	"Downloads one http:// or https:// URL into an open descriptor, without privileges, and\n"
	"says in one line of JSON what came of it.\n"
	"\n"
	"  --output-fd N      where the bytes go\n"
	"  --url-fd N         read the URL there: no list of processes shows what it holds\n"
	"  --etag E           as it was reported last time: ask only for something newer\n"
	"  --last-modified D  likewise\n"
	"  --max-bytes N      refuse more than that, unpacked (default 1 GiB)\n"
	"  --max-time S       give up after so many seconds (default 600)\n"
	"  --connect-time S   of which for connecting (default 30)\n"
	"  --ca-file FILE     certificates to trust instead of the system's\n"
	"  --progress-fd N    a line of JSON now and then\n"
	"\n"
	"Redirects are followed five times, never from https to http, never to another scheme, and\n"
	"never to a private, loopback or link-local address unless URL itself leads to such a one.\n"
	"A proxy is used when https_proxy, http_proxy or no_proxy say so in the environment;\n"
	"dnsguard starts it with an empty one.\n"
	"\n"
	"exit status: 0 fetched or unchanged, 1 failed, 2 usage\n";

enum {
	OPT_OUTPUT = 256,
	OPT_URL,
	OPT_ETAG,
	OPT_MODIFIED,
	OPT_BYTES,
	OPT_TIME,
	OPT_CONNECT,
	OPT_CA,
	OPT_PROGRESS,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "output-fd", required_argument, NULL, OPT_OUTPUT },
	{ "url-fd", required_argument, NULL, OPT_URL },
	{ "etag", required_argument, NULL, OPT_ETAG },
	{ "last-modified", required_argument, NULL, OPT_MODIFIED },
	{ "max-bytes", required_argument, NULL, OPT_BYTES },
	{ "max-time", required_argument, NULL, OPT_TIME },
	{ "connect-time", required_argument, NULL, OPT_CONNECT },
	{ "ca-file", required_argument, NULL, OPT_CA },
	{ "progress-fd", required_argument, NULL, OPT_PROGRESS },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

static int fd_take(const char *what, int *ret, struct dg_error *err)
{
	__u64 fd;
	int rc = dg_count_parse(what, optarg, 0, 65535, &fd, err);

	if (!rc)
		*ret = (int)fd;
	return rc;
}

static int seconds_take(const char *what, unsigned int *ret, struct dg_error *err)
{
	__u64 seconds;
	int rc = dg_count_parse(what, optarg, 1, 86400, &seconds, err);

	if (!rc)
		*ret = (unsigned int)seconds;
	return rc;
}

/* What goes into a header must be one line. */
static int text_take(const char *what, const char **ret, struct dg_error *err)
{
	if (strlen(optarg) >= DG_FETCH_TEXT_MAX || !dg_text_is_clean(optarg))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "%s %s is not one line of at most %d octets", what, DG_QUOTE(optarg),
			       DG_FETCH_TEXT_MAX - 1);
	*ret = optarg;
	return 0;
}

static int option_take(int option, struct dg_fetch *fetch, struct dg_error *err)
{
	switch (option) {
	case OPT_OUTPUT:
		return fd_take("--output-fd", &fetch->output_fd, err);
	case OPT_URL:
		return fd_take("--url-fd", &fetch->url_fd, err);
	case OPT_PROGRESS:
		return fd_take("--progress-fd", &fetch->progress_fd, err);
	case OPT_ETAG:
		return text_take("--etag", &fetch->etag, err);
	case OPT_MODIFIED:
		return text_take("--last-modified", &fetch->last_modified, err);
	case OPT_BYTES:
		return dg_count_parse("--max-bytes", optarg, 1, 1ull << 40, &fetch->max_bytes, err);
	case OPT_TIME:
		return seconds_take("--max-time", &fetch->max_seconds, err);
	case OPT_CONNECT:
		return seconds_take("--connect-time", &fetch->connect_seconds, err);
	case OPT_CA:
		fetch->ca_file = optarg;
		return 0;
	case OPT_HELP:
		fetch->help = true;
		return 0;
	}
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
		       "an option is unknown or lacks its value: see dnsguard-fetch --help");
}

/* The URL as the first line of a descriptor. */
static int url_read(struct dg_fetch *fetch, struct dg_error *err)
{
	static char url[DG_FETCH_URL_MAX + 1];
	size_t len = 0;
	ssize_t got;

	while ((got = read(fetch->url_fd, url + len, sizeof(url) - 1 - len)) > 0)
		len += (size_t)got;
	close(fetch->url_fd);
	url[strcspn(url, "\n")] = '\0';
	if (got < 0 || !url[0] || strlen(url) >= DG_FETCH_URL_MAX)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "--url-fd %d holds no line of at most %d octets", fetch->url_fd,
			       DG_FETCH_URL_MAX - 1);
	fetch->url = url;
	return 0;
}

int dg_fetch_options(int argc, char **argv, struct dg_fetch *ret, struct dg_error *err)
{
	int option, rc = 0;

	*ret = (struct dg_fetch){ .url_fd = -1,
				  .output_fd = -1,
				  .progress_fd = -1,
				  .max_bytes = MAX_BYTES_DEFAULT,
				  .max_seconds = SECONDS_DEFAULT,
				  .connect_seconds = CONNECT_SECONDS_DEFAULT };
	opterr = 0;
	while (!rc && (option = getopt_long(argc, argv, "", long_options, NULL)) >= 0)
		rc = option_take(option, ret, err);
	if (rc || ret->help)
		return rc;
	if (ret->output_fd < 0 || argc - optind != (ret->url_fd < 0))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "%s: see dnsguard-fetch --help",
			       ret->output_fd < 0 ? "--output-fd is missing" : "give one URL");
	if (ret->url_fd >= 0)
		return url_read(ret, err);
	ret->url = argv[optind];
	return 0;
}
