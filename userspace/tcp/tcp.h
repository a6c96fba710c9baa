/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp.h - TCP connections of the guarded ports: the kernel's books, and a dump of the sockets to check them with.
 *
 * The books (struct dg_tcp_row) are kept by a program on the socket states; a dump (sock_diag) says how many sockets
 * there are at one time. The books are exact from one change to the next, the dump is right whatever was missed.
 */
#ifndef DG_TCP_H
#define DG_TCP_H

#include <stdbool.h>

#include "userspace/lib/maps.h"

/* The books, in memory that is shared with the kernel. Words change under the reader; only atomic ones are written. */
struct dg_tcp_books {
	struct dg_tcp_row *row; /* DG_TCP_LISTENERS_MAX of them */
	struct dg_tcp_now *now;
	struct dg_tcp_key key[DG_TCP_LISTENERS_MAX]; /* as they were when the books were opened */
	__u32 at[DG_TCP_LISTENERS_MAX];		     /* the row of each key */
	__u32 count;				     /* of keys */
};
#define DG_TCP_BOOKS_NONE ((struct dg_tcp_books){ .row = NULL })
int dg_tcp_books_open(const struct dg_maps *maps, struct dg_tcp_books *ret);
void dg_tcp_books_close(struct dg_tcp_books *books); /* accepts DG_TCP_BOOKS_NONE */

/* A listening address and port. Several sockets may share it (SO_REUSEPORT): then these are sums. */
struct dg_tcp_listener {
	struct dg_tcp_key key;
	__u32 sockets;
	__u32 accept_queue, accept_queue_max;
	__u32 accept_queue_longest; /* of one socket */
	__u32 inode;		    /* of one of them */
};

/* What there is at one time in this network namespace, on the guarded ports. */
struct dg_tcp_dump {
	struct dg_tcp_listener listener[DG_TCP_LISTENERS_MAX];
	__u32 listeners;
	__u32 left_out; /* listeners beyond the table */
	__u32 connections
		[DG_TCP_LISTENERS_MAX]; /* by row of the books: ESTABLISHED and CLOSE_WAIT */
};

/*
 * Reads sockets by sock_diag, both families. `books` says to which row a connection belongs; their peers are added to
 * tally (may be NULL). -errno.
 */
struct dg_tcp_tally;
int dg_tcp_dump_read(const struct dg_tcp_books *books, const __be16 ports[DG_PORTS_MAX],
		     struct dg_tcp_tally *tally, struct dg_tcp_dump *ret);

/* The row of a connection to this local address: of the listener on it, on any IPv4 address, on any. -1 = none. */
int dg_tcp_row_find(const struct dg_tcp_books *books, struct dg_tcp_key key);

/* Listeners alone, which costs the same with one connection and with a million. */
int dg_tcp_listeners_read(const __be16 ports[DG_PORTS_MAX], struct dg_tcp_dump *ret);

/*
 * Listeners that the books do not know get a row; where a count, of a listener or of a source, cannot be right it is moved by
 * the least that makes it possible, atomically. On a host without TCP traffic at this moment that is exact. Returns how many
 * connections of listeners were added or taken away, or -errno.
 */
int dg_tcp_reconcile(const struct dg_maps *maps);

/* Inode of this process's network namespace, which is the one that is counted. 0 = cannot be told. */
__u32 dg_tcp_netns(void);

/* Counters of this network namespace. A field that cannot be read is 0. */
struct dg_tcp_host {
	__u64 listen_overflows, listen_drops; /* TcpExt of /proc/net/netstat */
	__u64 time_wait;		      /* /proc/net/sockstat */
};
void dg_tcp_host_read(struct dg_tcp_host *ret);

/* All of it for a reader. Close the books. */
struct dg_tcp_view {
	struct dg_tcp_books books;
	struct dg_tcp_dump dump;
	struct dg_tcp_host host;
};
int dg_tcp_view_read(const struct dg_maps *maps, struct dg_tcp_view *ret);

/* The books of a listener, NULL when it has none. */
const struct dg_tcp_row *dg_tcp_row_of(const struct dg_tcp_books *books,
				       const struct dg_tcp_key *key);

/* ---- reading a row -------------------------------------------------------------------------- */

/* Most connections at one time in the last minute. */
__u64 dg_tcp_peak_minute(const struct dg_tcp_row *row, __u64 now_ns);
/* New connections a second, over the last 10 whole seconds. */
double dg_tcp_new_per_second(const struct dg_tcp_row *row, __u64 now_ns);
/*
 * Connections in each of the last `count` seconds, at most DG_TCP_SECONDS, the last one is now: the most at one time
 * where something changed, else what there was.
 */
void dg_tcp_series(const struct dg_tcp_row *row, __u64 now_ns, double *ret, unsigned int count);
/* The same, added to what levels[] has: of listeners that share a quota the sum counts. */
void dg_tcp_series_add(const struct dg_tcp_row *row, __u64 now_ns, double *levels,
		       unsigned int count);
/* Hold time that so many of the closed connections did not exceed, seconds; -1 when none was seen. */
double dg_tcp_hold_quantile(const struct dg_tcp_row *row, double quantile);
/* "192.0.2.1:53", "[2001:db8::1]:53". Returns buf. */
#define DG_TCP_KEY_TEXT 64
char *dg_tcp_key_text(const struct dg_tcp_key *key, char buf[DG_TCP_KEY_TEXT]);

#endif
