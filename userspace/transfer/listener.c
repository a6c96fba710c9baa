// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * listener.c - the NOTIFY sockets: datagrams in and out, and a handful of short connections.
 *
 * Bounded whatever comes: so many datagrams a turn, so many connections, so many seconds each.
 */
#include "userspace/transfer/listener.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/uio.h>

#include "userspace/transfer/clock.h"

#define DATAGRAMS_A_TURN 32
#define STREAM_NS (5 * DG_NS_PER_S)

/* ---- opening -------------------------------------------------------------------------------- */

static int socket_bind(const struct dg_host *host, int type)
{
	dg_scoped_fd int fd = socket(host->addr.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* The answer leaves from the address that was asked, also on a wildcard socket. */
	if (host->addr.ss_family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&host->addr, host->len) ||
	    (type == SOCK_STREAM && listen(fd, DG_LISTENER_STREAMS)))
		return -errno;
	return dg_take_fd(fd);
}

int dg_listener_open(struct dg_listener *listener, const struct dg_host *host, struct dg_error *err)
{
	int udp, tcp = -1;

	for (unsigned int i = 0; i < DG_LISTENER_STREAMS; i++)
		listener->stream[i].fd = -1;
	udp = socket_bind(host, SOCK_DGRAM);
	if (udp >= 0)
		tcp = socket_bind(host, SOCK_STREAM);
	if (tcp < 0) {
		int error = udp < 0 ? -udp : -tcp;

		dg_close_fd(&udp);
		return dg_fail(err, -error, DG_EXIT_FAILED, "cannot listen on %s: %s", host->text,
			       strerror(error));
	}
	listener->udp = udp;
	listener->tcp = tcp;
	return 0;
}

static void stream_close(struct dg_stream *stream)
{
	dg_close_fd(&stream->fd);
}

void dg_listener_close(struct dg_listener *listener)
{
	dg_close_fd(&listener->udp);
	dg_close_fd(&listener->tcp);
	for (unsigned int i = 0; i < DG_LISTENER_STREAMS; i++)
		stream_close(listener->stream + i);
}

/* ---- datagrams ------------------------------------------------------------------------------ */

/* One datagram. False = there was none. */
static bool datagram_serve(struct dg_listener *listener)
{
	__u8 message[DG_NOTIFY_MAX], answer[DG_NOTIFY_MAX];
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct sockaddr_storage from;
	struct iovec part = { message, sizeof(message) };
	struct msghdr header = { .msg_name = &from,
				 .msg_namelen = sizeof(from),
				 .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control) };
	ssize_t len = recvmsg(listener->udp, &header, 0);

	if (len < 0)
		return errno == EINTR;
	if (header.msg_flags & MSG_TRUNC)
		return true;
	part = (struct iovec){ answer,
			       dg_notify_answer(listener, &from, message, (size_t)len, answer) };
	if (part.iov_len)
		(void)!sendmsg(listener->udp, &header, MSG_DONTWAIT);
	return true;
}

/* ---- connections ---------------------------------------------------------------------------- */

/* A free place, or that of the connection that has waited longest. */
static struct dg_stream *stream_place(struct dg_listener *listener)
{
	struct dg_stream *place = listener->stream;

	for (unsigned int i = 0; i < DG_LISTENER_STREAMS; i++) {
		struct dg_stream *stream = listener->stream + i;

		if (stream->fd < 0)
			return stream;
		if (stream->deadline_ns < place->deadline_ns)
			place = stream;
	}
	stream_close(place);
	return place;
}

static void stream_accept(struct dg_listener *listener)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	int fd = accept4(listener->tcp, (struct sockaddr *)&from, &len,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct dg_stream *stream;

	if (fd < 0)
		return;
	/* Without a key nobody else has anything to say. */
	if (!listener->key && !dg_host_same(&from, &listener->primary->addr)) {
		close(fd);
		return;
	}
	stream = stream_place(listener);
	stream->fd = fd;
	stream->from = from;
	stream->have = 0;
	stream->deadline_ns = dg_clock_ns() + STREAM_NS;
}

static size_t stream_wants(const struct dg_stream *stream)
{
	size_t len = (size_t)stream->frame[0] << 8 | stream->frame[1];

	return stream->have < 2 ? 2 : 2 + len;
}

static void stream_answer(struct dg_listener *listener, struct dg_stream *stream)
{
	__u8 answer[2 + DG_NOTIFY_MAX];
	size_t len = dg_notify_answer(listener, &stream->from, stream->frame + 2, stream->have - 2,
				      answer + 2);

	answer[0] = (__u8)(len >> 8);
	answer[1] = (__u8)len;
	/* A fresh connection takes a kilobyte at once; a peer that does not read loses its answer. */
	if (len)
		(void)!send(stream->fd, answer, 2 + len, MSG_NOSIGNAL | MSG_DONTWAIT);
	stream->have = 0;
}

/* Reads what is there; the connection ends when it must. */
static void stream_serve(struct dg_listener *listener, struct dg_stream *stream)
{
	size_t wants = stream_wants(stream);
	ssize_t len;

	/* Too long for a NOTIFY, or empty. */
	if (wants > sizeof(stream->frame) || wants == stream->have) {
		stream_close(stream);
		return;
	}
	len = recv(stream->fd, stream->frame + stream->have, wants - stream->have, 0);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		stream_close(stream);
		return;
	}
	stream->have += (size_t)len;
	if (stream->have > 2 && stream->have == stream_wants(stream))
		stream_answer(listener, stream);
}

/* ---- polling -------------------------------------------------------------------------------- */

unsigned int dg_listener_fill(const struct dg_listener *listener, struct pollfd *fds, __u64 *until)
{
	fds[0] = (struct pollfd){ listener->udp, POLLIN, 0 };
	fds[1] = (struct pollfd){ listener->tcp, POLLIN, 0 };
	for (unsigned int i = 0; i < DG_LISTENER_STREAMS; i++) {
		const struct dg_stream *stream = listener->stream + i;

		fds[2 + i] = (struct pollfd){ stream->fd, POLLIN, 0 };
		if (stream->fd >= 0 && stream->deadline_ns < *until)
			*until = stream->deadline_ns;
	}
	return DG_LISTENER_FDS;
}

void dg_listener_serve(struct dg_listener *listener, const struct pollfd *fds, unsigned int count)
{
	__u64 now = dg_clock_ns();

	for (unsigned int i = 2; i < count; i++) {
		struct dg_stream *stream = listener->stream + i - 2;

		if (stream->fd >= 0 && fds[i].revents)
			stream_serve(listener, stream);
		if (stream->fd >= 0 && now >= stream->deadline_ns)
			stream_close(stream);
	}
	/* Last: a new connection must not be taken for the one that had its place. */
	if (fds[1].revents)
		stream_accept(listener);
	for (unsigned int i = 0; fds[0].revents && i < DATAGRAMS_A_TURN; i++)
		if (!datagram_serve(listener))
			return;
}
