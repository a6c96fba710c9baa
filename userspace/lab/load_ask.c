// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load_ask.c - honest clients: queries on a schedule, answers checked, latency taken from the schedule.
 *
 * Open loop: a query is due at its time whatever became of the ones before, and a stall of the resolver (or of
 * this tool) counts against every query that should have gone meanwhile. An answer counts when ID, question and
 * RCODE are right, it is not truncated, and it came within the timeout.
 *
 * With a window no more than so many wait for their answers at a time, and the time counts from the sending: queues on the
 * way then have room for all of them, and what is lost, is lost by whoever stands in the way.
 */
#include "userspace/lab/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#define IDS 65536 /* a query's place in the table is its ID */
#define EVENTS 64
#define BURST 64 /* queries after which answers are taken, however late it is */
#define RCODES 16
#define CLIENTS_MAX 10000
#define HEADER_BYTES 12

struct pending {
	__u64 scheduled_ns; /* 0 = free */
	__u64 sent_ns;
	__u32 client;
	__u16 len;
	__u8 message[DG_LOAD_FRAME_MAX];
};

struct ask {
	struct dg_load_order *order;
	int epoll;
	int *sockets; /* one a client */
	__u32 clients;
	struct pending *pending; /* IDS of them */
	__u64 total, sent, waiting;
	__u32 *latency_us; /* of the answered ones */
	__u32 *behind_us; /* of those sent: how long after their time, which is this tool's own delay */
	__u64 answered, truncated, wrong, late, unsent;
	__u64 rcodes[RCODES];
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static socklen_t sockaddr_fill(struct dg_addr addr, enum dg_family family, __u16 port,
			       struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (family == DG_IPV4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		v4->sin_addr.s_addr = (__u32)(addr.lo >> 32);
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, &addr, 16);
	return sizeof(*v6);
}

/* Bound freely: a prefix routed to loopback ("ip route add local") serves without an address on a device. */
static int socket_open(const struct ask *ask, __u32 client, struct dg_error *err)
{
	const struct dg_load_order *order = ask->order;
	struct dg_addr from = dg_load_source_pick(&order->from, client);
	int v4 = order->family == DG_IPV4, one = 1, buffer = 1 << 20;
	struct sockaddr_storage at;
	char text[64];
	int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sockaddr_fill(from, order->family, order->from_port, &at);

	if (fd < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "socket: %s", strerror(errno));
	setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_FREEBIND : IPV6_FREEBIND, &one,
		   sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (!bind(fd, (struct sockaddr *)&at, len)) {
		len = sockaddr_fill(order->to, order->family, order->port, &at);
		if (!connect(fd, (struct sockaddr *)&at, len))
			return fd;
	}
	dg_fail(err, -errno, DG_EXIT_FAILED, "client %s: %s",
		dg_addr_text(from, text, sizeof(text)), strerror(errno));
	close(fd);
	return -EADDRNOTAVAIL;
}

static int clients_open(struct ask *ask, struct dg_error *err)
{
	for (__u32 i = 0; i < ask->clients; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
		int fd = socket_open(ask, i, err);

		if (fd < 0)
			return fd;
		ask->sockets[i] = fd;
		if (epoll_ctl(ask->epoll, EPOLL_CTL_ADD, fd, &event))
			return dg_fail(err, -errno, DG_EXIT_FAILED, "epoll: %s", strerror(errno));
	}
	return 0;
}

static int ask_open(struct ask *ask, struct dg_error *err)
{
	const struct dg_load_order *order = ask->order;

	ask->clients = (__u32)(order->from.count < CLIENTS_MAX ? order->from.count : CLIENTS_MAX);
	ask->total = order->rate * order->duration_ns / DG_LOAD_NS_PER_SEC;
	ask->epoll = epoll_create1(EPOLL_CLOEXEC);
	ask->sockets = malloc(ask->clients * sizeof(int));
	ask->pending = calloc(IDS, sizeof(struct pending));
	ask->latency_us = calloc(ask->total + 1, sizeof(__u32));
	ask->behind_us = calloc(ask->total + 1, sizeof(__u32));
	if (ask->epoll < 0 || !ask->sockets || !ask->pending || !ask->latency_us || !ask->behind_us)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED,
			       "no memory for %u clients and %llu queries", ask->clients,
			       (unsigned long long)ask->total);
	memset(ask->sockets, 0xff, ask->clients * sizeof(int));
	return clients_open(ask, err);
}

static void ask_close(struct ask *ask)
{
	for (__u32 i = 0; ask->sockets && i < ask->clients; i++)
		dg_close_fd(&ask->sockets[i]);
	dg_close_fd(&ask->epoll);
	free(ask->sockets);
	free(ask->pending);
	free(ask->latency_us);
	free(ask->behind_us);
}

/* The question comes back byte for byte, QR is set: RFC 1035 section 4.1.1, RFC 5452 section 4.2. */
static bool answer_matches(const struct pending *query, const __u8 *answer, size_t len)
{
	size_t question = query->len - HEADER_BYTES;

	if (query->message[11]) /* an OPT of 11 octets follows the question */
		question -= 11;
	return len >= HEADER_BYTES + question && (answer[2] & 0x80) && answer[4] == 0 &&
	       answer[5] == 1 &&
	       !memcmp(answer + HEADER_BYTES, query->message + HEADER_BYTES, question);
}

static void answer_take(struct ask *ask, __u32 client, const __u8 *answer, size_t len)
{
	struct pending *query = &ask->pending[len >= 2 ? answer[0] << 8 | answer[1] : 0];
	__u64 took;

	if (len < HEADER_BYTES || !query->scheduled_ns || query->client != client ||
	    !answer_matches(query, answer, len)) {
		ask->wrong++;
		return;
	}
	took = dg_load_now_ns() - query->scheduled_ns;
	query->scheduled_ns = 0;
	ask->waiting--;
	ask->rcodes[answer[3] & 0x0f]++;
	if (took > ask->order->timeout_ns)
		ask->late++;
	else if (answer[2] & 0x02)
		ask->truncated++;
	else if (ask->order->expect == DG_LOAD_EXPECT_ANY ||
		 ask->order->expect == (answer[3] & 0x0f))
		ask->latency_us[ask->answered++] = (__u32)(took / 1000);
}

static void client_drain(struct ask *ask, __u32 client)
{
	__u8 answer[4096];
	ssize_t len;

	/* An ICMP error surfaces here once and is no answer. */
	while ((len = recv(ask->sockets[client], answer, sizeof(answer), 0)) >= 0 ||
	       errno == ECONNREFUSED)
		if (len >= 0)
			answer_take(ask, client, answer, (size_t)len);
}

static __u64 due_ns(const struct ask *ask, __u64 start, __u64 turn)
{
	return start + (__u64)((double)turn * DG_LOAD_NS_PER_SEC / (double)ask->order->rate);
}

static void query_send(struct ask *ask, __u64 scheduled_ns)
{
	struct pending *query = &ask->pending[ask->sent % IDS];

	if (!query->scheduled_ns)
		ask->waiting++; /* else the query that stood here is lost */
	query->scheduled_ns = scheduled_ns;
	query->sent_ns = dg_load_now_ns();
	ask->behind_us[ask->sent] = (__u32)((query->sent_ns - scheduled_ns) / 1000);
	query->client = (__u32)(ask->sent % ask->clients);
	query->len =
		(__u16)dg_load_message(ask->order, dg_load_name_pick(&ask->order->names, ask->sent),
				       (__u16)(ask->sent % IDS), query->message);
	if (send(ask->sockets[query->client], query->message, query->len, 0) < 0)
		ask->unsent++;
	ask->sent++;
}

/* Sleeps until something arrives or the moment comes; says whether anything arrived. */
static void answers_wait(struct ask *ask, __u64 until_ns)
{
	__u64 now = dg_load_now_ns(), rest = until_ns > now ? until_ns - now : 0;
	struct timespec timeout = { .tv_sec = (time_t)(rest / DG_LOAD_NS_PER_SEC),
				    .tv_nsec = (long)(rest % DG_LOAD_NS_PER_SEC) };
	struct epoll_event events[EVENTS];
	int count = epoll_pwait2(ask->epoll, events, EVENTS, &timeout, NULL);

	for (int i = 0; i < count; i++)
		client_drain(ask, events[i].data.u32);
}

/*
 * Until when the next query's ID is an earlier one's, whose answer would be taken for this one's; 0 = it is free. Only who was
 * held up, and asks faster now to catch up, comes round so soon; or who has a window, of which one waits much longer.
 */
static __u64 id_taken_until_ns(const struct ask *ask, __u64 now)
{
	const struct pending *query = &ask->pending[ask->sent % IDS];
	const __u64 until = query->sent_ns + ask->order->timeout_ns;

	return query->scheduled_ns && until > now ? until : 0;
}

static bool window_has_room(const struct ask *ask)
{
	return !ask->order->window || ask->waiting < ask->order->window;
}

static void ask_run(struct ask *ask)
{
	__u64 start = dg_load_now_ns(), end;

	while (!stopped && ask->sent < ask->total) {
		__u64 now = dg_load_now_ns(), next = due_ns(ask, start, ask->sent), taken_until;

		if (ask->sent % BURST == 0)
			answers_wait(ask, now); /* also when there is no time to wait */
		taken_until = id_taken_until_ns(ask, now);
		if (taken_until)
			answers_wait(ask, taken_until);
		else if (!window_has_room(ask))
			answers_wait(ask, now + DG_LOAD_NS_PER_SEC);
		else if (now < next)
			answers_wait(ask, next);
		else
			query_send(ask, ask->order->window ? now : next);
	}
	/* Stopped or not: what was asked is waited for. */
	end = dg_load_now_ns() + ask->order->timeout_ns;
	while (ask->waiting && dg_load_now_ns() < end)
		answers_wait(ask, end);
}

/* ---- the result ----------------------------------------------------------------------------- */

static int latency_compare(const void *left, const void *right)
{
	__u32 a = *(const __u32 *)left, b = *(const __u32 *)right;

	return (a > b) - (a < b);
}

/* Milliseconds below which `percent` of the sorted times lie; 0 when there are none. */
static double percentile_ms(const __u32 *sorted_us, __u64 count, __u32 percent)
{
	__u64 rank = (count * percent + 99) / 100;

	return count ? sorted_us[rank ? rank - 1 : 0] / 1000.0 : 0;
}

static void latencies_print(const struct ask *ask)
{
	qsort(ask->latency_us, ask->answered, sizeof(__u32), latency_compare);
	qsort(ask->behind_us, ask->sent, sizeof(__u32), latency_compare);
	printf(ask->order->json ?
		       "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"behind_p99_ms\": %.3f, " :
		       "p50 %.3f ms, p99 %.3f ms, max %.3f ms; sent behind time, p99 %.3f ms\n",
	       percentile_ms(ask->latency_us, ask->answered, 50),
	       percentile_ms(ask->latency_us, ask->answered, 99),
	       percentile_ms(ask->latency_us, ask->answered, 100),
	       percentile_ms(ask->behind_us, ask->sent, 99));
}

static void rcodes_print(const struct ask *ask)
{
	const char *comma = "";

	printf("\"rcodes\": {");
	for (int i = 0; i < RCODES; i++) {
		if (!ask->rcodes[i])
			continue;
		printf("%s\"%d\": %llu", comma, i, (unsigned long long)ask->rcodes[i]);
		comma = ", ";
	}
	printf("}}\n");
}

static void ask_print(struct ask *ask)
{
	double percent = ask->sent ? 100.0 * (double)ask->answered / (double)ask->sent : 0;

	printf(ask->order->json ?
		       "{\"schema\": 1, \"sent\": %llu, \"answered\": %llu, \"answered_percent\": %.3f, "
		       "\"truncated\": %llu, \"late\": %llu, \"wrong\": %llu, \"unsent\": %llu, " :
		       "sent %llu, answered %llu (%.2f %%), truncated %llu, late %llu, wrong %llu, unsent %llu; ",
	       (unsigned long long)ask->sent, (unsigned long long)ask->answered, percent,
	       (unsigned long long)ask->truncated, (unsigned long long)ask->late,
	       (unsigned long long)ask->wrong, (unsigned long long)ask->unsent);
	latencies_print(ask);
	if (ask->order->json)
		rcodes_print(ask);
}

int dg_load_ask(struct dg_load_order *order, struct dg_error *err)
{
	dg_scoped(ask_close) struct ask ask = { .order = order, .epoll = -1 };
	struct sigaction on_stop = { .sa_handler = stop };
	int rc;

	if (order->from.kind != DG_LOAD_FROM_PREFIX)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "clients need --from ADDRESS or PREFIX: they must "
			       "receive their answers");
	rc = ask_open(&ask, err);
	if (rc)
		return rc;
	sigaction(SIGINT, &on_stop, NULL);
	sigaction(SIGTERM, &on_stop, NULL);
	prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
	ask_run(&ask);
	ask_print(&ask);
	return 0;
}
