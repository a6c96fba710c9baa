/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sockets.h - the TCP sockets of this network namespace on guarded ports, one by one (sock_diag), and how to close one
 * that belongs to somebody else.
 */
#ifndef DG_TCP_SOCKETS_H
#define DG_TCP_SOCKETS_H

#include <linux/inet_diag.h>
#include <stdbool.h>

#include "userspace/tcp/tcp.h"

/* One socket: a listener, or a connection that is ESTABLISHED or CLOSE_WAIT. */
struct dg_tcp_socket {
	struct dg_tcp_key local;
	struct dg_addr peer;
	__u8 family, state; /* AF_INET or AF_INET6; TCP_LISTEN, TCP_ESTABLISHED, TCP_CLOSE_WAIT */
	__u32 rqueue,
		wqueue; /* octets unread, unsent or unacknowledged; of a listener see idiag_rqueue */
	__u32 inode;	/* 0 = not accepted yet */
	struct inet_diag_sockid id;
	/* Asked for in detail, and given: */
	bool detailed;
	__u32 recv_ms,
		sent_ms; /* since data last came, was last sent, in the kernel's ticks; since its begin where there was none */
	__u64 received, acked; /* octets that came; octets that went, as far as they have arrived */
};

typedef void dg_tcp_visit_fn(const struct dg_tcp_socket *socket, void *arg);

/* Which are wanted; listeners alone cost the same with one connection and with a million. */
enum dg_tcp_wanted {
	DG_TCP_LISTENERS = 1 << 0,
	DG_TCP_CONNECTIONS = 1 << 1,
	DG_TCP_DETAIL = 1 << 2,
	DG_TCP_NOT_IPV6 =
		1
		<< 3, /* sockets of the family AF_INET alone: to the kernel each family is a walk over all there are */
};

/* Visits them, both families unless told otherwise. -errno of sock_diag. */
int dg_tcp_sockets_each(const __be16 ports[DG_PORTS_MAX], unsigned int wanted,
			dg_tcp_visit_fn *visit, void *arg);

/* Reads it anew, in detail. -ENOENT: it has gone meanwhile, or is being closed; *socket is as it was. -errno of sock_diag. */
int dg_tcp_socket_look(struct dg_tcp_socket *socket);

/*
 * Closes it from outside: its process reads an error, the peer gets a reset. 0; -ENOENT: it has gone meanwhile;
 * -EOPNOTSUPP: this kernel is built without CONFIG_INET_DIAG_DESTROY; -EPERM: CAP_NET_ADMIN is missing.
 */
int dg_tcp_socket_destroy(const struct dg_tcp_socket *socket);

#endif
