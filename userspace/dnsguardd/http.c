// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * http.c - libmicrohttpd driven by the daemon's own loop: no second thread, so no lock anywhere in
 * the daemon.
 *
 * The library keeps its sockets in one epoll descriptor; that descriptor is one more handle of the
 * loop, beside a timer for the library's timeouts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/queue.h>

#include "userspace/dnsguardd/http.h"

struct connection {
	TAILQ_ENTRY(connection) link;
	int fd;
	int listed;
};

struct dg_http {
	struct MHD_Daemon *mhd;
	uv_poll_t poll;
	uv_timer_t timer;
	int handles; /* not yet closed */
	dg_http_page_fn *page;
	void *arg;
	TAILQ_HEAD(, connection) oldest_first;
	unsigned int count;
};

/* ---- connections ----------------------------------------------------------------------------- */

static void unlist(struct dg_http *http, struct connection *c)
{
	if (!c->listed)
		return;
	TAILQ_REMOVE(&http->oldest_first, c, link);
	http->count--;
	c->listed = 0;
}

/* Shutting the socket down is seen by the library as the peer's end; it closes and frees by itself.
 */
static void evict_oldest(struct dg_http *http)
{
	struct connection *c = TAILQ_FIRST(&http->oldest_first);

	unlist(http, c);
	shutdown(c->fd, SHUT_RDWR);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct dg_http *http = arg;
	struct connection *c = *context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (c)
			unlist(http, c);
		free(c);
		*context = NULL;
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return; /* not evictable; its timeout remains */
	c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	c->listed = 1;
	*context = c;
	TAILQ_INSERT_TAIL(&http->oldest_first, c, link);
	if (++http->count > DG_HTTP_CONNECTIONS_KEPT)
		evict_oldest(http);
}

/* For what is no page: a browser that shows it all the same loads and runs nothing. */
#define NOTHING "default-src 'none'; frame-ancestors 'none'"

/* ---- requests -------------------------------------------------------------------------------- */

static enum MHD_Result reply(struct MHD_Connection *connection, const struct dg_http_page *page)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(page->len, page->body, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result queued;

	if (!response) {
		free(page->body);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, "Content-Security-Policy",
				page->policy ? page->policy : NOTHING);
	if (page->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	queued = MHD_queue_response(connection, page->status, response);
	MHD_destroy_response(response);
	return queued;
}

static enum MHD_Result reply_plain(struct MHD_Connection *connection, unsigned int status,
				   const char *text)
{
	struct dg_http_page page = { .status = status,
				     .type = "text/plain; charset=utf-8",
				     .body = strdup(text) };

	if (!page.body)
		return MHD_NO;
	page.len = strlen(text);
	return reply(connection, &page);
}

static enum MHD_Result reply_page(struct dg_http *http, struct MHD_Connection *connection,
				  const char *path)
{
	const char *accept =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	struct dg_http_page page = { .status = MHD_HTTP_OK };
	int failed = http->page(http->arg, path, accept, &page);

	if (failed == -ENOENT)
		return reply_plain(connection, MHD_HTTP_NOT_FOUND, "not found\n");
	if (failed)
		return reply_plain(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "internal error\n");
	return reply(connection, &page);
}

/* Called when the headers are read, then when the request is complete. A body is read past. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **context)
{
	static int headers_seen;

	(void)version;
	(void)data;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return reply_plain(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	if (!*context) {
		*context = &headers_seen;
		return MHD_YES;
	}
	if (*data_len) {
		*data_len = 0;
		return MHD_YES;
	}
	return reply_page(arg, connection, path);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void run(struct dg_http *http)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(http->mhd);
	if (MHD_get_timeout(http->mhd, &ms) == MHD_YES)
		uv_timer_start(&http->timer, on_timer, ms, 0);
	else
		uv_timer_stop(&http->timer);
}

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

static int listen_socket(const struct sockaddr_storage *at, int *ret)
{
	socklen_t len = at->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
						    sizeof(struct sockaddr_in);
	int fd dg_scoped_fd = socket(at->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	/* A restarted daemon must not wait for the old one's connections in TIME_WAIT. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)at, len) || listen(fd, SOMAXCONN))
		return -errno;
	*ret = dg_take_fd(fd);
	return 0;
}

static struct MHD_Daemon *mhd_start(struct dg_http *http, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, http,
				MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				(unsigned int)DG_HTTP_CONNECTIONS_MAX,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)DG_HTTP_TIMEOUT_S,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				(size_t)DG_HTTP_CONNECTION_BYTES, MHD_OPTION_NOTIFY_CONNECTION,
				on_connection, http, MHD_OPTION_END);
}

int dg_http_start(uv_loop_t *loop, const struct sockaddr_storage *listen_at, dg_http_page_fn *page,
		  void *arg, struct dg_http **ret)
{
	struct dg_http *http dg_scoped_free = calloc(1, sizeof(*http));
	int fd dg_scoped_fd = -1;
	int failed;

	if (!http)
		return -ENOMEM;
	http->page = page;
	http->arg = arg;
	TAILQ_INIT(&http->oldest_first);
	failed = listen_socket(listen_at, &fd);
	if (failed)
		return failed;
	http->mhd = mhd_start(http, fd);
	if (!http->mhd)
		return -ENOMEM;
	dg_take_fd(fd); /* the library's now */
	uv_timer_init(loop, &http->timer);
	uv_poll_init(loop, &http->poll,
		     MHD_get_daemon_info(http->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
	http->timer.data = http->poll.data = http;
	http->handles = 2;
	uv_poll_start(&http->poll, UV_READABLE, on_poll);
	*ret = dg_take_ptr(http);
	return 0;
}

char *dg_http_endpoint_text(const struct sockaddr_storage *at, char *buf, size_t size)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)at;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)at;
	char host[INET6_ADDRSTRLEN] = "?";

	if (at->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(buf, size, "[%s]:%u", host, ntohs(v6->sin6_port));
	} else {
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		snprintf(buf, size, "%s:%u", host, ntohs(v4->sin_port));
	}
	return buf;
}

int dg_http_fail(const struct sockaddr_storage *listen_at, int negative_errno, struct dg_error *err)
{
	const char *hint = negative_errno == -EADDRINUSE ?
				   "; choose another with metrics.listen or --listen" :
				   "";
	char text[80];

	return dg_fail(err, negative_errno, DG_EXIT_FAILED, "cannot serve metrics on %s: %s%s",
		       dg_http_endpoint_text(listen_at, text, sizeof(text)),
		       strerror(-negative_errno), hint);
}

static void on_closed(uv_handle_t *handle)
{
	struct dg_http *http = handle->data;

	if (!--http->handles)
		free(http);
}

void dg_http_stop(struct dg_http **http)
{
	struct dg_http *h = *http;

	if (!h)
		return;
	*http = NULL;
	/* The loop lets go of the epoll descriptor before the library closes it. */
	uv_poll_stop(&h->poll);
	MHD_stop_daemon(h->mhd);
	uv_close((uv_handle_t *)&h->poll, on_closed);
	uv_close((uv_handle_t *)&h->timer, on_closed);
}
