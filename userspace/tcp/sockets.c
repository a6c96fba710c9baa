// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sockets.c - sock_diag: a dump of sockets by local port, and SOCK_DESTROY.
 *
 * The kernel filters by port, so other people's connections cost nothing here.
 */
#include "userspace/tcp/sockets.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

/* include/net/tcp_states.h; netinet/tcp.h, which has the names, does not go with linux/tcp.h, which has all of tcp_info. */
enum { STATE_ESTABLISHED = 1, STATE_CLOSE_WAIT = 8, STATE_LISTEN = 10 };
#define CONNECTIONS (1u << STATE_ESTABLISHED | 1u << STATE_CLOSE_WAIT)

struct visit {
	dg_tcp_visit_fn *fn;
	void *arg;
};

static void socket_close(struct mnl_socket **socket)
{
	if (*socket)
		mnl_socket_close(*socket);
	*socket = NULL;
}

static int diag_open(struct mnl_socket **ret)
{
	*ret = mnl_socket_open(NETLINK_SOCK_DIAG);
	return *ret && mnl_socket_bind(*ret, 0, MNL_SOCKET_AUTOPID) >= 0 ? 0 : -errno;
}

/* ---- one socket ----------------------------------------------------------------------------- */

static struct dg_addr addr_of(__u8 family, const __be32 words[4])
{
	return family == AF_INET ? dg_addr_from_v4(words) : dg_addr_from_v6(words);
}

/* An older kernel sends a shorter one. */
static void detail_read(const struct nlattr *attr, struct dg_tcp_socket *ret)
{
	struct tcp_info info = { 0 };
	size_t len = mnl_attr_get_payload_len(attr);

	if (len < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received))
		return;
	memcpy(&info, mnl_attr_get_payload(attr), len < sizeof(info) ? len : sizeof(info));
	ret->detailed = true;
	ret->recv_ms = info.tcpi_last_data_recv;
	ret->sent_ms = info.tcpi_last_data_sent;
	ret->received = info.tcpi_bytes_received;
	ret->acked = info.tcpi_bytes_acked;
}

static int message_visit(const struct nlmsghdr *message, void *arg)
{
	const struct inet_diag_msg *said = mnl_nlmsg_get_payload(message);
	const struct visit *visit = arg;
	struct dg_tcp_socket socket = { 0 };
	struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*said))
		return MNL_CB_OK;
	socket.family = said->idiag_family;
	socket.state = said->idiag_state;
	socket.local.port = said->id.idiag_sport;
	socket.local.addr = addr_of(said->idiag_family, said->id.idiag_src);
	socket.peer = addr_of(said->idiag_family, said->id.idiag_dst);
	socket.rqueue = said->idiag_rqueue;
	socket.wqueue = said->idiag_wqueue;
	socket.inode = said->idiag_inode;
	socket.id = said->id;
	mnl_attr_for_each(attr, message, sizeof(*said))
	{
		if (mnl_attr_get_type(attr) == INET_DIAG_INFO)
			detail_read(attr, &socket);
	}
	visit->fn(&socket, visit->arg);
	return MNL_CB_OK;
}

/* ---- the dump ------------------------------------------------------------------------------- */

static struct inet_diag_req_v2 *request_make(char *buf, __u16 type, __u16 flags)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *wanted;

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | flags;
	request->nlmsg_seq = 1;
	wanted = mnl_nlmsg_put_extra_header(request, sizeof(*wanted));
	wanted->sdiag_protocol = IPPROTO_TCP;
	return wanted;
}

static int answers_read(struct mnl_socket *nl, char *buf, size_t size, struct visit *visit)
{
	int state = MNL_CB_OK;

	while (state > MNL_CB_STOP) {
		ssize_t got = mnl_socket_recvfrom(nl, buf, size);

		if (got < 0)
			return -errno;
		state = mnl_cb_run(buf, (size_t)got, 1, mnl_socket_get_portid(nl),
				   visit ? message_visit : NULL, visit);
	}
	return state < 0 ? -errno : 0;
}

static int family_dump(struct mnl_socket *nl, const struct inet_diag_req_v2 *filter,
		       struct visit *visit)
{
	char buf[32768]; /* what the kernel fills at most for one read of a dump */
	struct inet_diag_req_v2 *wanted = request_make(buf, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
	struct nlmsghdr *request = (struct nlmsghdr *)buf;

	*wanted = *filter;
	if (mnl_socket_sendto(nl, request, request->nlmsg_len) < 0)
		return -errno;
	return answers_read(nl, buf, sizeof(buf), visit);
}

int dg_tcp_sockets_each(const __be16 ports[DG_PORTS_MAX], unsigned int wanted,
			dg_tcp_visit_fn *visit, void *arg)
{
	static const __u8 families[] = { AF_INET, AF_INET6 };
	dg_scoped(socket_close) struct mnl_socket *nl = NULL;
	const __u32 states = (wanted & DG_TCP_LISTENERS ? 1u << STATE_LISTEN : 0) |
			     (wanted & DG_TCP_CONNECTIONS ? CONNECTIONS : 0);
	struct visit with = { visit, arg };
	int status = diag_open(&nl);

	for (int i = 0; !status && i < 2 * DG_PORTS_MAX; i++) {
		const struct inet_diag_req_v2 filter = {
			.sdiag_family = families[i % 2],
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_ext = wanted & DG_TCP_DETAIL ? 1 << (INET_DIAG_INFO - 1) : 0,
			.idiag_states = states,
			.id.idiag_sport = ports[i / 2],
		};

		if (ports[i / 2] && !(i % 2 && wanted & DG_TCP_NOT_IPV6))
			status = family_dump(nl, &filter, &with);
	}
	return status;
}

/* ---- one of them, again ----------------------------------------------------------------------- */

static int one_ask(const struct dg_tcp_socket *socket, __u16 type, struct visit *visit)
{
	char buf[8192];
	dg_scoped(socket_close) struct mnl_socket *nl = NULL;
	struct inet_diag_req_v2 *wanted = request_make(buf, type, NLM_F_ACK);
	struct nlmsghdr *request = (struct nlmsghdr *)buf;
	int status = diag_open(&nl);

	if (status)
		return status;
	wanted->sdiag_family = socket->family;
	wanted->idiag_ext = visit ? 1 << (INET_DIAG_INFO - 1) : 0;
	wanted->idiag_states = CONNECTIONS;
	wanted->id = socket->id; /* with its cookie: never another one that took its place */
	if (mnl_socket_sendto(nl, request, request->nlmsg_len) < 0)
		return -errno;
	return answers_read(nl, buf, sizeof(buf), visit);
}

static void take(const struct dg_tcp_socket *socket, void *arg)
{
	*(struct dg_tcp_socket *)arg = *socket;
}

int dg_tcp_socket_look(struct dg_tcp_socket *socket)
{
	struct dg_tcp_socket now = { .state = 0 };
	struct visit visit = { take, &now };
	int status = one_ask(socket, SOCK_DIAG_BY_FAMILY, &visit);

	if (!status && !(now.state < 32 && 1u << now.state & CONNECTIONS))
		status = -ENOENT;
	if (!status)
		*socket = now;
	return status;
}

int dg_tcp_socket_destroy(const struct dg_tcp_socket *socket)
{
	return one_ask(socket, SOCK_DESTROY, NULL);
}
