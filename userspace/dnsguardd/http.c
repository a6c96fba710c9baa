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
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/queue.h>

#include "userspace/config/config.h"
#include "userspace/dnsguardd/http.h"
#include "userspace/dnsguardd/login.h"

struct connection {
	TAILQ_ENTRY(connection) link;
	int fd;
	int listed;
	uint64_t since_ms; /* it came, or its last request was answered */
};

/* A request whose password is being checked: the library sleeps over its connection. */
struct waiting {
	TAILQ_ENTRY(waiting) link;
	struct dg_http *http;
	struct MHD_Connection *connection;
};

/*
 * The page that was last asked for in this turn of the loop. Many who ask at once, or one who asks twenty times at a stroke, cost one
 * rendering, and nobody gets what is older than the turn.
 */
struct shared {
	struct MHD_Response *response; /* NULL = none */
	unsigned int status;
	char path[64], accept[256]; /* what is longer is not shared */
};

struct dg_http {
	struct MHD_Daemon *mhd;
	struct shared shared;
	uv_poll_t poll;
	uv_timer_t timer;
	int handles;   /* not yet closed */
	int listen_fd; /* the library's */
	dg_http_page_fn *page;
	void *arg;
	struct dg_web_config *web;     /* NULL = plain HTTP for everybody */
	struct dg_login *login;	       /* NULL = no password is asked for */
	TAILQ_HEAD(, waiting) waiting; /* for a password to be checked */
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

/* At the end of the list, as of now: the list stays in the order of time. */
static void list_newest(struct dg_http *http, struct connection *c)
{
	c->since_ms = uv_now(http->timer.loop);
	c->listed = 1;
	TAILQ_INSERT_TAIL(&http->oldest_first, c, link);
	http->count++;
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
	*context = c;
	list_newest(http, c);
	if (http->count > DG_HTTP_CONNECTIONS_KEPT)
		evict_oldest(http);
}

/* A request is over: its connection is as good as new. */
static void on_completed(void *arg, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct dg_http *http = arg;
	struct connection *c =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
			->socket_context;

	(void)context;
	if (!c || !c->listed || code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
		return;
	unlist(http, c);
	list_newest(http, c);
}

/* The library's own timeout begins anew with each octet, so that a request could last for ever. */
static void evict_slow(struct dg_http *http)
{
	const uint64_t now_ms = uv_now(http->timer.loop);

	while (!TAILQ_EMPTY(&http->oldest_first) &&
	       TAILQ_FIRST(&http->oldest_first)->since_ms + DG_HTTP_REQUEST_S * 1000 < now_ms)
		evict_oldest(http);
}

/* For what is no page: a browser that shows it all the same loads and runs nothing. */
#define NOTHING "default-src 'none'; frame-ancestors 'none'"

/* ---- requests -------------------------------------------------------------------------------- */

/* Takes the body over, also when it fails: NULL. */
static struct MHD_Response *response_make(const struct dg_http *http,
					  const struct dg_http_page *page)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(page->len, page->body, MHD_RESPMEM_MUST_FREE);

	if (!response) {
		free(page->body);
		return NULL;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, page->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, "Content-Security-Policy",
				page->policy ? page->policy : NOTHING);
	if (page->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (page->status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
					"Basic realm=\"dnsguard\", charset=\"UTF-8\"");
	if (page->status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	for (unsigned int i = 0; http->web && i < http->web->headers; i++)
		MHD_add_response_header(response, http->web->header[i].name,
					http->web->header[i].value);
	return response;
}

static enum MHD_Result reply_plain(const struct dg_http *http, struct MHD_Connection *connection,
				   unsigned int status, const char *text)
{
	struct dg_http_page page = { .status = status,
				     .type = "text/plain; charset=utf-8",
				     .body = strdup(text) };
	struct MHD_Response *response;
	enum MHD_Result queued;

	if (!page.body)
		return MHD_NO;
	page.len = strlen(text);
	response = response_make(http, &page);
	if (!response)
		return MHD_NO;
	queued = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return queued;
}

static void shared_forget(struct shared *shared)
{
	if (shared->response)
		MHD_destroy_response(shared->response); /* those that are under way keep theirs */
	shared->response = NULL;
}

static bool shared_is(const struct shared *shared, const char *path, const char *accept)
{
	return shared->response && !strcmp(shared->path, path) && !strcmp(shared->accept, accept);
}

static void shared_name(struct shared *shared, const char *path, const char *accept)
{
	bool fits = strlen(path) < sizeof(shared->path) && strlen(accept) < sizeof(shared->accept);

	snprintf(shared->path, sizeof(shared->path), "%s", fits ? path : "");
	snprintf(shared->accept, sizeof(shared->accept), "%s", fits ? accept : "");
}

static enum MHD_Result reply_page(struct dg_http *http, struct MHD_Connection *connection,
				  const char *path)
{
	const char *accept =
		MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	struct dg_http_page page = { .status = MHD_HTTP_OK };
	struct shared *shared = &http->shared;
	int failed;

	if (shared_is(shared, path, accept ? accept : ""))
		return MHD_queue_response(connection, shared->status, shared->response);
	failed = http->page(http->arg, path, accept, &page);
	if (failed == -ENOENT)
		return reply_plain(http, connection, MHD_HTTP_NOT_FOUND, "not found\n");
	if (failed)
		return reply_plain(http, connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
				   "internal error\n");
	shared_forget(shared);
	shared->response = response_make(http, &page);
	if (!shared->response)
		return MHD_NO;
	shared->status = page.status;
	shared_name(shared, path, accept ? accept : "");
	return MHD_queue_response(connection, shared->status, shared->response);
}

/* ---- who may ask ----------------------------------------------------------------------------- */

/*
 * The library asks for a certificate; that it is a good one, and meant for clients, is seen here (GnuTLS manual,
 * "Certificate verification"). One that names no purpose is good for any (RFC 5280 section 4.2.1.12).
 */
static int shows_certificate(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
					  .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT };
	unsigned int status = ~0u;

	return info && info->tls_session &&
	       !gnutls_certificate_verify_peers(info->tls_session, &purpose, 1, &status) && !status;
}

static void wake(struct waiting *waiting)
{
	TAILQ_REMOVE(&waiting->http->waiting, waiting, link);
	MHD_resume_connection(waiting->connection);
	free(waiting);
}

static void run(struct dg_http *http);

static void on_checked(void *arg)
{
	struct waiting *waiting = arg;
	struct dg_http *http = waiting->http;

	wake(waiting);
	run(http);
}

/* Lets the connection sleep until the password has been checked; then the request is looked at again. */
static int wait_for_check(struct dg_http *http, struct MHD_Connection *connection, const char *name,
			  const char *password)
{
	struct waiting *waiting = calloc(1, sizeof(*waiting));
	int failed;

	if (!waiting)
		return -ENOMEM;
	*waiting = (struct waiting){ .http = http, .connection = connection };
	failed = dg_login_check(http->login, name, password, on_checked, waiting);
	if (failed) {
		free(waiting);
		return failed;
	}
	TAILQ_INSERT_TAIL(&http->waiting, waiting, link);
	MHD_suspend_connection(connection);
	return 0;
}

/* Status of the request: 200 may go on, 0 sleeps, else it is refused with it. */
static unsigned int login_look(struct dg_http *http, struct MHD_Connection *connection)
{
	enum dg_login_verdict verdict = DG_LOGIN_BAD;
	char *password = NULL;
	char *name = MHD_basic_auth_get_username_password(connection, &password);
	unsigned int status = MHD_HTTP_UNAUTHORIZED;

	if (name && password)
		verdict = dg_login_look(http->login, name, password);
	if (verdict == DG_LOGIN_GOOD)
		status = MHD_HTTP_OK;
	else if (verdict == DG_LOGIN_UNKNOWN)
		status = wait_for_check(http, connection, name, password) ?
				 MHD_HTTP_SERVICE_UNAVAILABLE :
				 0;
	if (password)
		explicit_bzero(password, strlen(password));
	MHD_free(password);
	MHD_free(name);
	return status;
}

/* Called when the headers are read, then when the request is complete, and again after a check. A body is read past. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *path,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **context)
{
	static int headers_seen;
	struct dg_http *http = arg;
	unsigned int status;

	(void)version;
	(void)data;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return reply_plain(http, connection, MHD_HTTP_METHOD_NOT_ALLOWED,
				   "only GET and HEAD\n");
	if (!*context) {
		*context = &headers_seen;
		return MHD_YES;
	}
	if (*data_len) {
		*data_len = 0;
		return MHD_YES;
	}
	if (http->web && http->web->client_ca && !shows_certificate(connection))
		return reply_plain(http, connection, MHD_HTTP_FORBIDDEN,
				   "a client certificate is needed\n");
	status = http->login ? login_look(http, connection) : MHD_HTTP_OK;
	if (!status)
		return MHD_YES;
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		return reply_plain(http, connection, status, "too many logins at once\n");
	if (status != MHD_HTTP_OK)
		return reply_plain(http, connection, status, "name and password are needed\n");
	return reply_page(http, connection, path);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void run(struct dg_http *http)
{
	MHD_UNSIGNED_LONG_LONG ms;

	evict_slow(http);
	MHD_run(http->mhd);
	shared_forget(&http->shared);
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
	const int on = 1, send_octets = DG_HTTP_SEND_OCTETS;

	if (fd < 0)
		return -errno;
	/* A restarted daemon must not wait for the old one's connections in TIME_WAIT. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Connections inherit it: who does not read makes the kernel hold so much, not megabytes of answers. */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_octets, sizeof(send_octets));
	if (at->ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)at, len) || listen(fd, SOMAXCONN))
		return -errno;
	*ret = dg_take_fd(fd);
	return 0;
}

/* TLS 1.2 at least, forward secrecy, no CBC: GnuTLS priority strings. */
#define PRIORITIES "SECURE128:-VERS-ALL:-RSA:-AES-128-CBC:-AES-256-CBC:%SERVER_PRECEDENCE"

static struct MHD_Daemon *mhd_start(struct dg_http *http, int fd)
{
	const struct dg_web_config *web = http->web;
	const bool tls = web && web->certificate;
	struct MHD_OptionItem options[5];
	char priorities[160];
	int used = 0;

	snprintf(priorities, sizeof(priorities), "%s%s%s", PRIORITIES,
		 tls && web->tls12 ? ":+VERS-TLS1.2" : "",
		 tls && web->tls13 ? ":+VERS-TLS1.3" : "");
	if (tls) {
		options[used++] =
			(struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, web->certificate };
		options[used++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, web->key };
		options[used++] =
			(struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, priorities };
	}
	if (tls && web->client_ca)
		options[used++] =
			(struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_TRUST, 0, web->client_ca };
	options[used] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (tls ? MHD_USE_TLS : 0),
				0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET, fd,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned int)DG_HTTP_CONNECTIONS_MAX,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)DG_HTTP_TIMEOUT_S,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				(size_t)DG_HTTP_CONNECTION_BYTES, MHD_OPTION_NOTIFY_CONNECTION,
				on_connection, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
				http, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
}

static void http_free(struct dg_http *http)
{
	dg_login_free(&http->login);
	dg_web_config_free(&http->web);
	free(http);
}

/* All but the loop's handles. On failure *http owns nothing of the caller's. */
static int http_open(struct dg_http *http, uv_loop_t *loop, const struct dg_http_want *want,
		     const struct dg_http *before)
{
	int fd dg_scoped_fd = -1;
	int failed = 0;

	if (before)
		fd = fcntl(before->listen_fd, F_DUPFD_CLOEXEC, 0);
	else
		failed = listen_socket(want->listen_at, &fd);
	if (failed || fd < 0)
		return failed ? failed : -errno;
	if (want->web && want->web->users) {
		http->login = dg_login_new(loop, want->web->user, want->web->users);
		if (!http->login)
			return -ENOMEM;
	}
	http->web = want->web;
	http->mhd = mhd_start(http, fd);
	if (!http->mhd) {
		http->web = NULL;
		return -ENOMEM;
	}
	http->listen_fd = dg_take_fd(fd); /* the library's now */
	return 0;
}

int dg_http_start(uv_loop_t *loop, const struct dg_http_want *want, const struct dg_http *before,
		  struct dg_http **ret)
{
	struct dg_http *http = calloc(1, sizeof(*http));
	int failed;

	if (!http)
		return -ENOMEM;
	http->page = want->page;
	http->arg = want->arg;
	TAILQ_INIT(&http->oldest_first);
	TAILQ_INIT(&http->waiting);
	failed = http_open(http, loop, want, before);
	if (failed) {
		http_free(http);
		return failed;
	}
	uv_timer_init(loop, &http->timer);
	uv_poll_init(loop, &http->poll,
		     MHD_get_daemon_info(http->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd);
	http->timer.data = http->poll.data = http;
	http->handles = 2;
	uv_poll_start(&http->poll, UV_READABLE, on_poll);
	*ret = http;
	return 0;
}

bool dg_http_is_tls(const struct dg_http *http)
{
	return http->web && http->web->certificate;
}

bool dg_http_has_web_config(const struct dg_http *http)
{
	return http->web != NULL;
}

int dg_http_fail(const struct sockaddr_storage *listen_at, int negative_errno, struct dg_error *err)
{
	const char *hint = negative_errno == -EADDRINUSE ?
				   "; choose another with metrics.listen or --listen" :
				   "";
	char text[80];

	return dg_fail(err, negative_errno, DG_EXIT_FAILED, "cannot serve metrics on %s: %s%s",
		       dg_config_endpoint_text(listen_at, text, sizeof(text)),
		       strerror(-negative_errno), hint);
}

static void on_closed(uv_handle_t *handle)
{
	struct dg_http *http = handle->data;

	if (!--http->handles)
		http_free(http);
}

void dg_http_stop(struct dg_http **http)
{
	struct dg_http *h = *http;

	if (!h)
		return;
	*http = NULL;
	/* The loop lets go of the epoll descriptor before the library closes it. */
	uv_poll_stop(&h->poll);
	dg_login_free(&h->login); /* checks that run know nobody any more */
	while (!TAILQ_EMPTY(&h->waiting))
		wake(TAILQ_FIRST(&h->waiting));
	shared_forget(&h->shared);
	MHD_stop_daemon(h->mhd);
	uv_close((uv_handle_t *)&h->poll, on_closed);
	uv_close((uv_handle_t *)&h->timer, on_closed);
}
