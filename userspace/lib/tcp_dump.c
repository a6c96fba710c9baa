// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcp_dump.c - which TCP sockets there are on the guarded ports (sock_diag), and what the namespace counts itself.
 *
 * The kernel filters by local port, so other people's connections cost nothing here.
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "userspace/lib/tcp.h"

#define STATES (1u << TCP_ESTABLISHED | 1u << TCP_CLOSE_WAIT | 1u << TCP_LISTEN)

struct visit {
	const struct dg_tcp_books *books; /* NULL: only listeners are asked for */
	__u32 states;
	struct dg_tcp_dump *dump;
};

static void socket_close(struct mnl_socket **socket)
{
	if (*socket)
		mnl_socket_close(*socket);
	*socket = NULL;
}

/* ---- one socket ----------------------------------------------------------------------------- */

static struct dg_tcp_key key_of(const struct inet_diag_msg *socket)
{
	struct dg_tcp_key key = { .port = socket->id.idiag_sport };

	key.addr = socket->idiag_family == AF_INET ? dg_addr_from_v4(socket->id.idiag_src) :
						     dg_addr_from_v6(socket->id.idiag_src);
	return key;
}

static void listener_add(struct dg_tcp_dump *dump, const struct inet_diag_msg *socket)
{
	struct dg_tcp_key key = key_of(socket);
	__u32 at = 0;

	while (at < dump->listeners && memcmp(&dump->listener[at].key, &key, sizeof(key)))
		at++;
	if (at == DG_TCP_LISTENERS_MAX) {
		dump->left_out++;
		return;
	}
	dump->listeners = at == dump->listeners ? at + 1 : dump->listeners;
	dump->listener[at].key = key;
	dump->listener[at].sockets++;
	dump->listener[at].accept_queue += socket->idiag_rqueue;
	dump->listener[at].accept_queue_max += socket->idiag_wqueue;
	if (socket->idiag_rqueue > dump->listener[at].accept_queue_longest)
		dump->listener[at].accept_queue_longest = socket->idiag_rqueue;
	dump->listener[at].inode = socket->idiag_inode;
}

/* The row of a key, -1 = none. */
static int row_of(const struct dg_tcp_books *books, const struct dg_tcp_key *key)
{
	for (__u32 i = 0; i < books->count; i++)
		if (!memcmp(&books->key[i], key, sizeof(*key)))
			return (int)books->at[i];
	return -1;
}

/* On its very address, on any IPv4 address, on any address: as the program looks it up. */
static int row_find(const struct dg_tcp_books *books, struct dg_tcp_key key)
{
	static const __u8 any4[4];
	struct dg_addr mapped = dg_addr_from_v4(any4);
	bool is_v4 = key.addr.hi == mapped.hi &&
		     !memcmp((const __u8 *)&key.addr + 8, (const __u8 *)&mapped + 8, 4);
	int row = row_of(books, &key);

	if (row < 0 && is_v4) {
		key.addr = mapped;
		row = row_of(books, &key);
	}
	if (row < 0) {
		key.addr = (struct dg_addr){ 0 };
		row = row_of(books, &key);
	}
	return row;
}

static int socket_visit(const struct nlmsghdr *message, void *arg)
{
	const struct inet_diag_msg *socket = mnl_nlmsg_get_payload(message);
	const struct visit *visit = arg;
	int row;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*socket))
		return MNL_CB_OK;
	if (socket->idiag_state == TCP_LISTEN) {
		listener_add(visit->dump, socket);
		return MNL_CB_OK;
	}
	row = row_find(visit->books, key_of(socket));
	if (row >= 0)
		visit->dump->connections[row]++;
	return MNL_CB_OK;
}

/* ---- the dump ------------------------------------------------------------------------------- */

static int family_dump(struct mnl_socket *nl, __u8 family, __be16 port, struct visit *visit)
{
	char buf[32768]; /* what the kernel fills at most for one read of a dump */
	struct nlmsghdr *request = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *wanted;
	int state = MNL_CB_OK;

	request->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = 1;
	wanted = mnl_nlmsg_put_extra_header(request, sizeof(*wanted));
	wanted->sdiag_family = family;
	wanted->sdiag_protocol = IPPROTO_TCP;
	wanted->idiag_states = visit->states;
	wanted->id.idiag_sport = port;
	if (mnl_socket_sendto(nl, request, request->nlmsg_len) < 0)
		return -errno;
	while (state > MNL_CB_STOP) {
		ssize_t got = mnl_socket_recvfrom(nl, buf, sizeof(buf));

		if (got < 0)
			return -errno;
		state = mnl_cb_run(buf, (size_t)got, 1, mnl_socket_get_portid(nl), socket_visit,
				   visit);
	}
	return state < 0 ? -errno : 0;
}

static int ports_dump(const __be16 ports[DG_PORTS_MAX], struct visit *visit)
{
	dg_scoped(socket_close) struct mnl_socket *nl = mnl_socket_open(NETLINK_SOCK_DIAG);
	int status = nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) >= 0 ? 0 : -errno;

	memset(visit->dump, 0, sizeof(*visit->dump));
	for (int i = 0; !status && i < DG_PORTS_MAX; i++) {
		if (!ports[i])
			continue;
		status = family_dump(nl, AF_INET, ports[i], visit);
		if (!status)
			status = family_dump(nl, AF_INET6, ports[i], visit);
	}
	return status;
}

int dg_tcp_dump_read(const struct dg_tcp_books *books, const __be16 ports[DG_PORTS_MAX],
		     struct dg_tcp_dump *ret)
{
	struct visit visit = { .books = books, .states = STATES, .dump = ret };

	return ports_dump(ports, &visit);
}

int dg_tcp_listeners_read(const __be16 ports[DG_PORTS_MAX], struct dg_tcp_dump *ret)
{
	struct visit visit = { .states = 1u << TCP_LISTEN, .dump = ret };

	return ports_dump(ports, &visit);
}

/* ---- the namespace's own counters ----------------------------------------------------------- */

/* The word after `name` in a line "NAME n NAME n ...". */
static __u64 pair_value(const char *line, const char *name)
{
	const char *at = strstr(line, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

static void sockstat_read(struct dg_tcp_host *ret)
{
	dg_scoped_file FILE *file = fopen("/proc/thread-self/net/sockstat", "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "TCP: ", 5))
			ret->time_wait = pair_value(line, " tw ");
}

/* The value below a name, where a line of names stands over a line of values. */
static __u64 column_value(char *names, char *values, const char *wanted)
{
	char *name_rest, *value_rest;
	const char *name = strtok_r(names, " \n", &name_rest);
	const char *value = strtok_r(values, " \n", &value_rest);

	while (name && value && strcmp(name, wanted)) {
		name = strtok_r(NULL, " \n", &name_rest);
		value = strtok_r(NULL, " \n", &value_rest);
	}
	return name && value ? strtoull(value, NULL, 10) : 0;
}

static __u64 netstat_value(const char *wanted)
{
	dg_scoped_file FILE *file = fopen("/proc/thread-self/net/netstat", "re");
	char names[8192], values[8192];

	while (file && fgets(names, sizeof(names), file) && fgets(values, sizeof(values), file))
		if (!strncmp(names, "TcpExt:", strlen("TcpExt:")))
			return column_value(names, values, wanted);
	return 0;
}

void dg_tcp_host_read(struct dg_tcp_host *ret)
{
	*ret = (struct dg_tcp_host){ .listen_overflows = netstat_value("ListenOverflows"),
				     .listen_drops = netstat_value("ListenDrops") };
	sockstat_read(ret);
}
