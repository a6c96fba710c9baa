/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fetch.h - one download: what is asked for, and what came of it.
 *
 * options.c reads the command line, rights.c and fence.c give up what a download does not need, download.c talks to the
 * server, address.c says where it may not lead us, expires.c looks what the content says of itself. main.c joins and
 * reports.
 */
#ifndef DG_FETCH_H
#define DG_FETCH_H

#include <stdbool.h>

#include <linux/types.h>
#include <sys/socket.h>

#include "userspace/lib/scope.h"

#define DG_FETCH_TEXT_MAX 256 /* an ETag or a date, its NUL included */
#define DG_FETCH_URL_MAX 4096 /* likewise */

struct dg_fetch {
	const char *url;
	int url_fd;				    /* -1 = the URL stands in the command line */
	int output_fd, progress_fd;		    /* progress: -1 = nobody listens */
	const char *etag, *last_modified, *ca_file; /* NULL = not given */
	__u64 max_bytes;
	unsigned int max_seconds, connect_seconds;
	bool help;
};

struct dg_fetched {
	bool unchanged; /* 304: nothing was written */
	long status;
	__u64 bytes; /* written, unpacked when the transfer was packed */
	char etag[DG_FETCH_TEXT_MAX], last_modified[DG_FETCH_TEXT_MAX];
	__u64 expires; /* Unix seconds until when the server says it holds, 0 = it says nothing */
	__u64 interval_sec; /* how often the content itself asks to be fetched, 0 = it does not */
	char url[2048];	    /* after redirects */
};

int dg_fetch_options(int argc, char **argv, struct dg_fetch *ret, struct dg_error *err);
extern const char dg_fetch_usage[];

/* The user nobody, no groups, no capability, no new privileges, bounded memory, and the fence. */
int dg_fetch_rights_drop(struct dg_error *err);

/* No process but this one, no file but to read. 0 or -errno. Needs no_new_privs. */
int dg_fetch_fence(void);

/* -EIO and the reason in a sentence; what was written until then must not be used. */
int dg_fetch_download(const struct dg_fetch *fetch, struct dg_fetched *ret, struct dg_error *err);

/* Is it this host's, this site's, or nobody's in particular? Nothing but a text of an address is public. */
bool dg_fetch_address_is_private(const struct sockaddr *address);
bool dg_fetch_text_is_private(const char *text);

/* "! Expires: 4 days" among the first lines, in seconds; 0 = it says nothing. */
__u64 dg_fetch_expires(const char *head, size_t len);

/* Seconds of "max-age" in a Cache-Control header; 0 = none, or it must not be kept. */
__u64 dg_fetch_max_age(const char *value);

#endif
