/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listener.h - NOTIFY (RFC 1996) over UDP and TCP: heard, answered, remembered as one flag.
 *
 * Accepted from the primary's address, or from anywhere when signed with the key. A NOTIFY only makes us ask the primary
 * sooner: it brings no data, and any number of them is one question. Strangers get no answer.
 */
#ifndef DG_TRANSFER_LISTENER_H
#define DG_TRANSFER_LISTENER_H

#include <libknot/libknot.h>
#include <linux/types.h>
#include <poll.h>
#include <stdbool.h>

#include "userspace/transfer/host.h"

#define DG_LISTENER_STREAMS 8
#define DG_LISTENER_FDS (2 + DG_LISTENER_STREAMS)
#define DG_NOTIFY_MAX 1024 /* octets of a NOTIFY: question, SOA, TSIG */

/* A TCP connection that brings one NOTIFY. */
struct dg_stream {
	int fd; /* -1 = free */
	struct sockaddr_storage from;
	__u64 deadline_ns;
	size_t have;
	__u8 frame[2 + DG_NOTIFY_MAX];
};

struct dg_listener {
	const knot_dname_t *zone; /* wire form, lower case */
	const struct dg_host *primary;
	const knot_tsig_key_t *key; /* NULL = none */
	int udp, tcp;		    /* -1 = not open */
	bool notified;
	struct dg_stream stream[DG_LISTENER_STREAMS];
};

/* Binds both sockets. On failure nothing is open. */
int dg_listener_open(struct dg_listener *listener, const struct dg_host *host,
		     struct dg_error *err);
void dg_listener_close(struct dg_listener *listener);
/*
 * Fills in what to poll for (up to DG_LISTENER_FDS) and returns how many; *until is brought forward to
 * the first moment at which a connection has waited long enough.
 */
unsigned int dg_listener_fill(const struct dg_listener *listener, struct pollfd *fds, __u64 *until);
/* Serves what poll found. */
void dg_listener_serve(struct dg_listener *listener, const struct pollfd *fds, unsigned int count);
/*
 * The answer to one message, into `answer` of DG_NOTIFY_MAX octets; returns its length, 0 = none. The message's memory is
 * changed. Sets `notified`.
 */
size_t dg_notify_answer(struct dg_listener *listener, const struct sockaddr_storage *from,
			__u8 *message, size_t len, __u8 *answer);

#endif
