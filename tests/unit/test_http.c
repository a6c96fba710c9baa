// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_http.c - the listener on a loop of our own: what many ask for in one turn of it is rendered once, and nobody is handed
 * what is older than the turn.
 *
 * Clients and listener share this one thread, and what a client wrote lies in the listener's socket before the loop turns: how
 * fast the machine is does not matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "userspace/dnsguardd/http.h"
#include "userspace/lib/maps.h"

#define CLIENTS 20
#define ANSWER_MAX 4096
#define PATIENCE_NS 60000000000ull

struct client {
	int fd;
	char answer[ANSWER_MAX]; /* what has come of it, as text */
	size_t len;
};

struct world {
	uv_loop_t loop;
	struct dg_http *http;
	struct client client[CLIENTS];
	unsigned int rendered;
};

/* A page says how many were made before it, and for whom it is. */
static int render(void *arg, const char *path, const char *accept, struct dg_http_page *ret)
{
	struct world *w = arg;
	int len = asprintf(&ret->body, "<%u %s %s>", w->rendered++, path, accept);

	assert_true(len > 0);
	ret->len = (size_t)len;
	ret->type = "text/plain";
	return 0;
}

/* The one socket of ours that listens: its port was the kernel's choice. */
static void listener_find(struct sockaddr_in *ret)
{
	for (int fd = 3; fd < 256; fd++) {
		socklen_t len = sizeof(*ret), size = sizeof(int);
		int listens = 0;

		if (!getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) && listens &&
		    !getsockname(fd, (struct sockaddr *)ret, &len))
			return;
	}
	fail_msg("nobody listens");
}

static int world_make(void **state)
{
	struct sockaddr_storage any = { .ss_family = AF_INET };
	struct world *w = calloc(1, sizeof(*w));
	struct sockaddr_in at;

	*state = w;
	((struct sockaddr_in *)&any)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!w || uv_loop_init(&w->loop) ||
	    dg_http_start(&w->loop,
			  &(struct dg_http_want){ .listen_at = &any, .page = render, .arg = w },
			  NULL, &w->http))
		return -1;
	listener_find(&at);
	for (int i = 0; i < CLIENTS; i++) {
		w->client[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(w->client[i].fd, (struct sockaddr *)&at, sizeof(at)))
			return -1;
	}
	return 0;
}

static int world_end(void **state)
{
	struct world *w = *state;

	dg_http_stop(&w->http);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	uv_loop_close(&w->loop);
	for (int i = 0; i < CLIENTS; i++)
		close(w->client[i].fd);
	free(w);
	return 0;
}

static void client_ask(struct client *client, const char *path, const char *accept)
{
	client->len = 0;
	client->answer[0] = '\0';
	assert_true(dprintf(client->fd, "GET %s HTTP/1.1\r\nHost: x\r\nAccept: %s\r\n\r\n", path,
			    accept) > 0);
}

/* All that was written has been acknowledged: it lies where the listener will read it. */
static void all_delivered(struct world *w)
{
	const __u64 end_ns = dg_now_ns() + PATIENCE_NS;

	for (int i = 0; i < CLIENTS; i++)
		for (int left = 1; left && dg_now_ns() < end_ns;)
			assert_int_equal(ioctl(w->client[i].fd, SIOCOUTQ, &left), 0);
}

static bool is_answered(struct client *client)
{
	ssize_t len = recv(client->fd, client->answer + client->len, ANSWER_MAX - 1 - client->len,
			   MSG_DONTWAIT);

	client->len += len > 0 ? (size_t)len : 0;
	client->answer[client->len] = '\0';
	return strstr(client->answer, "\r\n\r\n") && strchr(client->answer, '>');
}

/* Turns the loop until every client has its answer. */
static void all_answered(struct world *w)
{
	const __u64 end_ns = dg_now_ns() + PATIENCE_NS;

	for (int i = 0; i < CLIENTS; i++)
		while (!is_answered(&w->client[i])) {
			assert_true(dg_now_ns() < end_ns);
			uv_run(&w->loop, UV_RUN_NOWAIT);
		}
}

/* The listener knows them all from here on: what they ask next comes in one turn. */
static void all_accepted(struct world *w)
{
	for (int i = 0; i < CLIENTS; i++)
		client_ask(&w->client[i], "/first", "x");
	all_answered(w);
	w->rendered = 0;
}

static void assert_page(const struct client *client, const char *page)
{
	assert_non_null(strstr(client->answer, "HTTP/1.1 200"));
	assert_string_equal(strchr(client->answer, '<'), page);
}

static void many_in_one_turn_cost_one_rendering(void **state)
{
	struct world *w = *state;

	all_accepted(w);
	for (unsigned int turn = 0; turn < 3; turn++) {
		char page[32];

		for (int i = 0; i < CLIENTS; i++)
			client_ask(&w->client[i], "/metrics", "text");
		all_delivered(w);
		all_answered(w);
		assert_int_equal(w->rendered, turn + 1);
		snprintf(page, sizeof(page), "<%u /metrics text>", turn);
		for (int i = 0; i < CLIENTS; i++)
			assert_page(&w->client[i], page); /* of this turn, not of the last */
	}
}

static void nobody_gets_what_another_asked_for(void **state)
{
	static const char *const asked[][2] = { { "/metrics", "text" },
						{ "/metrics", "openmetrics" },
						{ "/", "text" } };
	struct world *w = *state;

	all_accepted(w);
	for (int i = 0; i < CLIENTS; i++)
		client_ask(&w->client[i], asked[i % 3][0], asked[i % 3][1]);
	all_delivered(w);
	all_answered(w);
	for (int i = 0; i < CLIENTS; i++) {
		char page[64];

		snprintf(page, sizeof(page), " %s %s>", asked[i % 3][0], asked[i % 3][1]);
		assert_non_null(strstr(w->client[i].answer, "HTTP/1.1 200"));
		assert_non_null(strstr(w->client[i].answer, page));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(many_in_one_turn_cost_one_rendering, world_make,
						world_end),
		cmocka_unit_test_setup_teardown(nobody_gets_what_another_asked_for, world_make,
						world_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
