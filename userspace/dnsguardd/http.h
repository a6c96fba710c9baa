/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http.h - a small HTTP listener on the daemon's event loop: GET and HEAD of a few pages, over TLS and with passwords
 * where web_config.h says so.
 *
 * Knows sockets, connections and methods; what a page holds is its caller's. Memory and time are bounded: a
 * fixed number of connections, and when that nears its end the one whose last request is the longest ago
 * makes room for a new one, so idle ones cannot shut it; and no request takes longer than so many seconds.
 */
#ifndef DG_HTTP_H
#define DG_HTTP_H

#include <sys/socket.h>
#include <uv.h>

#include "userspace/web/web_config.h"

#define DG_HTTP_CONNECTIONS_MAX 256
#define DG_HTTP_CONNECTIONS_KEPT 192 /* above this the oldest is closed */
#define DG_HTTP_CONNECTION_BYTES (16 << 10)
#define DG_HTTP_SEND_OCTETS (64 << 10) /* of answers that the kernel holds for a connection */
#define DG_HTTP_TIMEOUT_S 10	       /* without an octet in either direction */
#define DG_HTTP_REQUEST_S 15 /* for a whole request and its answer, however slowly they come */

struct dg_http_page {
	unsigned int status;
	const char *type;   /* Content-Type, static */
	const char *policy; /* Content-Security-Policy, static; NULL = nothing may be loaded */
	char *body;	    /* malloc'ed, taken over */
	size_t len;
};

/* Fills the page for a path; 0, or -ENOENT: there is none, -errno: 500. accept is the Accept header
 * or NULL. */
typedef int dg_http_page_fn(void *arg, const char *path, const char *accept,
			    struct dg_http_page *ret);

struct dg_http;

struct dg_http_want {
	const struct sockaddr_storage *listen_at;
	struct dg_web_config *web; /* TLS and passwords; NULL = neither. Taken over on success. */
	dg_http_page_fn *page;
	void *arg;
};

/*
 * Listens at once; -EADDRINUSE, -EADDRNOTAVAIL, -EACCES: see dg_http_fail().
 * `before` (may be NULL) listens at the same address: its socket is shared, and nobody is refused in between.
 */
int dg_http_start(uv_loop_t *loop, const struct dg_http_want *want, const struct dg_http *before,
		  struct dg_http **ret);
/* Is it spoken over TLS? */
bool dg_http_is_tls(const struct dg_http *http);
/* Has it TLS or passwords? */
bool dg_http_has_web_config(const struct dg_http *http);
/* The reason of a dg_http_start() that failed, with the address. */
int dg_http_fail(const struct sockaddr_storage *listen_at, int negative_errno,
		 struct dg_error *err);
/* Closes all connections. Accepts NULL; *http becomes NULL. The loop must run once more afterwards.
 */
void dg_http_stop(struct dg_http **http);

#endif
