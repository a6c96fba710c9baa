// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dump.c - which TCP sockets there are on the guarded ports, by listener, and what the namespace counts itself.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>

#include "userspace/tcp/shares.h"
#include "userspace/tcp/sockets.h"

struct visit {
	const struct dg_tcp_books *books; /* of connections; where only listeners come, NULL */
	struct dg_tcp_dump *dump;
	struct dg_tcp_tally *tally; /* NULL = not wanted */
	bool *ipv6;		    /* set when a listener is a socket of that family */
};

/* ---- one socket ----------------------------------------------------------------------------- */

static void listener_add(struct dg_tcp_dump *dump, const struct dg_tcp_socket *socket)
{
	const struct dg_tcp_key key = socket->local;
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
	dump->listener[at].accept_queue += socket->rqueue;
	dump->listener[at].accept_queue_max += socket->wqueue;
	if (socket->rqueue > dump->listener[at].accept_queue_longest)
		dump->listener[at].accept_queue_longest = socket->rqueue;
	dump->listener[at].inode = socket->inode;
}

/* The row of a key, -1 = none. */
static int row_of(const struct dg_tcp_books *books, const struct dg_tcp_key *key)
{
	for (__u32 i = 0; i < books->count; i++)
		if (!memcmp(&books->key[i], key, sizeof(*key)))
			return (int)books->at[i];
	return -1;
}

static bool is_v4(const struct dg_tcp_key *key)
{
	static const __u8 any4[4];
	const struct dg_addr mapped = dg_addr_from_v4(any4);

	return key->addr.hi == mapped.hi &&
	       !memcmp((const __u8 *)&key->addr + 8, (const __u8 *)&mapped + 8, 4);
}

int dg_tcp_row_find(const struct dg_tcp_books *books, struct dg_tcp_key key)
{
	static const __u8 any4[4];
	int row = row_of(books, &key);

	if (row < 0 && is_v4(&key)) {
		key.addr = dg_addr_from_v4(any4);
		row = row_of(books, &key);
	}
	if (row < 0) {
		key.addr = (struct dg_addr){ 0 };
		row = row_of(books, &key);
	}
	return row;
}

static void socket_visit(const struct dg_tcp_socket *socket, void *arg)
{
	const struct visit *visit = arg;
	int row;

	if (socket->state == TCP_LISTEN) {
		listener_add(visit->dump, socket);
		*visit->ipv6 |= socket->family == AF_INET6;
		return;
	}
	row = dg_tcp_row_find(visit->books, socket->local);
	if (row < 0)
		return;
	visit->dump->connections[row]++;
	if (visit->tally)
		dg_tcp_tally_add(visit->tally, socket->peer);
}

/* Was there ever a listener, gone or not, whose connections may be sockets of the family AF_INET6? */
static bool knows_ipv6(const struct dg_tcp_books *books)
{
	for (__u32 i = 0; i < books->count; i++)
		if (!is_v4(&books->key[i]))
			return true;
	return false;
}

/* A connection has the family of its listener's socket, so where none is of AF_INET6 that walk, half of the cost, is left out. */
int dg_tcp_dump_read(const struct dg_tcp_books *books, const __be16 ports[DG_PORTS_MAX],
		     struct dg_tcp_tally *tally, struct dg_tcp_dump *ret)
{
	bool ipv6 = knows_ipv6(books);
	struct visit visit = { .books = books, .dump = ret, .tally = tally, .ipv6 = &ipv6 };
	int status;

	memset(ret, 0, sizeof(*ret));
	status = dg_tcp_sockets_each(ports, DG_TCP_LISTENERS, socket_visit, &visit);
	if (status)
		return status;
	return dg_tcp_sockets_each(ports, DG_TCP_CONNECTIONS | (ipv6 ? 0 : DG_TCP_NOT_IPV6),
				   socket_visit, &visit);
}

int dg_tcp_listeners_read(const __be16 ports[DG_PORTS_MAX], struct dg_tcp_dump *ret)
{
	bool ipv6 = false;
	struct visit visit = { .dump = ret, .ipv6 = &ipv6 };

	memset(ret, 0, sizeof(*ret));
	return dg_tcp_sockets_each(ports, DG_TCP_LISTENERS, socket_visit, &visit);
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
