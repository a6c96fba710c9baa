// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * primary.c - the conversation with the primary: its SOA (UDP, then TCP), and transfers over TCP.
 *
 * Moves bytes under deadlines; what they mean is question.h's and intake.h's.
 */
#include "userspace/transfer/primary.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "userspace/transfer/clock.h"

#define ANSWER_MAX 65535

/* An answer by UDP is waited for three times, each twice as long as the last: 1 + 2 + 4 parts. */
#define UDP_TRIES 3
#define UDP_PARTS 7

static __u64 sooner(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

/* One sentence for what a socket or a wait says. */
static int socket_fail(int negative_errno, const char *doing, struct dg_error *err)
{
	if (negative_errno == -EINTR)
		return dg_fail(err, -EINTR, DG_EXIT_FAILED, "stopped");
	if (negative_errno == -ETIMEDOUT)
		return dg_fail(err, -ETIMEDOUT, DG_EXIT_FAILED, "timeout while %s", doing);
	return dg_fail(err, negative_errno, DG_EXIT_FAILED, "%s failed: %s", doing,
		       strerror(-negative_errno));
}

/* A question under way over one socket. */
struct ask {
	const struct dg_primary *primary;
	const struct dg_question *question;
	struct dg_signature *signature;
	int fd;
	__u64 deadline_ns; /* of the whole exchange */
};

static int ask_wait(const struct ask *ask, short events, __u64 span_ns)
{
	__u64 deadline = sooner(ask->deadline_ns, dg_clock_ns() + span_ns);

	return dg_loop_wait(ask->primary->loop, ask->fd, events, deadline);
}

/* Connected, within connect_ns. The socket is the caller's, also after a failure. */
static int ask_connect(struct ask *ask, int type, struct dg_error *err)
{
	const struct dg_host *host = &ask->primary->host;
	int error = 0, rc;
	socklen_t len = sizeof(error);

	ask->fd = socket(host->addr.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ask->fd < 0)
		return socket_fail(-errno, "opening a socket", err);
	if (!connect(ask->fd, (const struct sockaddr *)&host->addr, host->len))
		return 0;
	if (errno != EINPROGRESS)
		return socket_fail(-errno, "connecting", err);
	rc = ask_wait(ask, POLLOUT, ask->primary->connect_ns);
	if (!rc && getsockopt(ask->fd, SOL_SOCKET, SO_ERROR, &error, &len))
		rc = -errno;
	if (!rc)
		rc = -error;
	return rc ? socket_fail(rc, "connecting", err) : 0;
}

static void ask_end(struct ask *ask)
{
	dg_close_fd(&ask->fd);
}

/* ---- the SOA -------------------------------------------------------------------------------- */

struct soa_answer {
	bool truncated; /* ask by TCP */
	__u32 serial;
};

static int soa_read(const knot_pkt_t *message, const struct dg_question *question,
		    struct soa_answer *ret, struct dg_error *err)
{
	const knot_pktsection_t *answer = knot_pkt_section(message, KNOT_ANSWER);

	ret->truncated = knot_wire_get_tc(message->wire);
	/* A resolver, or a secondary whose zone has expired, is no primary. */
	if (!knot_wire_get_aa(message->wire))
		return dg_fail(err, -EPROTO, DG_EXIT_FAILED, "its answer is not authoritative");
	for (__u16 i = 0; i < answer->count; i++) {
		const knot_rrset_t *rr = knot_pkt_rr(answer, i);

		if (dg_soa_is_of(rr, question->zone)) {
			ret->serial = knot_soa_serial(rr->rrs.rdata);
			return 0;
		}
	}
	if (ret->truncated)
		return 0;
	return dg_fail(err, -EPROTO, DG_EXIT_FAILED, "its answer holds no SOA of the zone");
}

/* -EAGAIN: this message is not the answer. */
static int soa_message(const struct ask *ask, __u8 *wire, size_t len, struct soa_answer *ret,
		       struct dg_error *err)
{
	dg_scoped_packet knot_pkt_t *message = knot_pkt_new(wire, (__u16)len, NULL);
	int rc;

	if (!message || knot_pkt_parse(message, 0) ||
	    !dg_answer_matches(ask->question, message, true))
		return dg_fail(err, -EAGAIN, DG_EXIT_FAILED,
			       "its answer is malformed or answers another question");
	rc = dg_signature_check(ask->signature, message, err);
	if (!rc)
		rc = dg_answer_rcode(message, err);
	return rc ? rc : soa_read(message, ask->question, ret, err);
}

/* Waits for the datagram that answers; others are left aside. */
static int datagram_wait(const struct ask *ask, __u64 span_ns, struct soa_answer *ret,
			 struct dg_error *err)
{
	__u64 until = dg_clock_ns() + span_ns;
	__u8 wire[ANSWER_MAX];
	int rc = -EAGAIN;

	while (rc == -EAGAIN) {
		__u64 now = dg_clock_ns();
		ssize_t len;

		rc = ask_wait(ask, POLLIN, until > now ? until - now : 0);
		if (rc)
			return socket_fail(rc, "asking for its SOA by UDP", err);
		len = recv(ask->fd, wire, sizeof(wire), 0);
		if (len < 0 && errno != EAGAIN)
			return socket_fail(-errno, "asking for its SOA by UDP", err);
		rc = len < 0 ? -EAGAIN : soa_message(ask, wire, (size_t)len, ret, err);
	}
	return rc;
}

static int soa_by_udp(struct ask *ask, struct soa_answer *ret, struct dg_error *err)
{
	__u64 span = ask->primary->connect_ns / UDP_PARTS;
	int rc = ask_connect(ask, SOCK_DGRAM, err);

	if (rc)
		return rc;
	rc = -ETIMEDOUT;
	for (int try = 0; rc == -ETIMEDOUT && try < UDP_TRIES; try++, span *= 2) {
		if (send(ask->fd, ask->question->wire, ask->question->len, 0) < 0)
			return socket_fail(-errno, "asking for its SOA by UDP", err);
		rc = datagram_wait(ask, span, ret, err);
	}
	return rc;
}

/* ---- TCP ------------------------------------------------------------------------------------ */

/* A fresh connection takes a question at once. */
static int question_send(const struct ask *ask, struct dg_error *err)
{
	__u8 frame[2 + DG_QUESTION_MAX];
	size_t len = ask->question->len;
	ssize_t sent;

	frame[0] = (__u8)(len >> 8);
	frame[1] = (__u8)len;
	memcpy(frame + 2, ask->question->wire, len);
	sent = send(ask->fd, frame, 2 + len, MSG_NOSIGNAL);
	if (sent == (ssize_t)(2 + len))
		return 0;
	return socket_fail(sent < 0 ? -errno : -EIO, "sending the question", err);
}

/* What arrives next, up to `size` octets: more than 0, or an error. The end of the stream is -EPROTO. */
static ssize_t stream_read(const struct ask *ask, __u8 *bytes, size_t size, struct dg_error *err)
{
	ssize_t len = -1;
	int rc = 0;

	do {
		rc = ask_wait(ask, POLLIN, ask->primary->idle_ns);
		if (!rc)
			len = recv(ask->fd, bytes, size, 0);
	} while (!rc && len < 0 && (errno == EAGAIN || errno == EINTR));
	if (rc || len < 0)
		return socket_fail(rc ? rc : -errno, "reading its answer", err);
	if (!len)
		return dg_fail(err, -EPROTO, DG_EXIT_FAILED,
			       "it closed the connection in the middle of its answer");
	return len;
}

static int stream_fill(const struct ask *ask, __u8 *bytes, size_t size, struct dg_error *err)
{
	while (size) {
		ssize_t len = stream_read(ask, bytes, size, err);

		if (len < 0)
			return (int)len;
		bytes += len;
		size -= (size_t)len;
	}
	return 0;
}

static int soa_by_tcp(struct ask *ask, struct soa_answer *ret, struct dg_error *err)
{
	__u8 length[2], wire[ANSWER_MAX];
	size_t len = 0;
	int rc = ask_connect(ask, SOCK_STREAM, err);

	if (!rc)
		rc = question_send(ask, err);
	if (!rc)
		rc = stream_fill(ask, length, sizeof(length), err);
	if (!rc)
		len = (size_t)length[0] << 8 | length[1];
	if (!rc)
		rc = stream_fill(ask, wire, len, err);
	if (!rc)
		rc = soa_message(ask, wire, len, ret, err);
	return rc == -EAGAIN ? -EPROTO : rc;
}

static int soa_ask(const struct dg_primary *primary, const knot_dname_t *zone,
		   int (*by)(struct ask *, struct soa_answer *, struct dg_error *),
		   struct soa_answer *ret, struct dg_error *err)
{
	struct dg_question question = { .zone = zone, .type = KNOT_RRTYPE_SOA };
	dg_scoped(dg_signature_end) struct dg_signature signature;
	dg_scoped(ask_end) struct ask ask = { primary, &question, &signature, -1,
					      dg_clock_ns() + primary->whole_ns };
	int rc;

	dg_signature_begin(&signature, primary->key);
	rc = dg_question_build(&question, NULL, &signature, err);
	return rc ? rc : by(&ask, ret, err);
}

int dg_primary_serial(const struct dg_primary *primary, const knot_dname_t *zone, __u32 *ret_serial,
		      struct dg_error *err)
{
	struct soa_answer answer = { false, 0 };
	int rc = soa_ask(primary, zone, soa_by_udp, &answer, err);

	/* No answer may be a filter for UDP only; a truncated one asks for TCP (RFC 7766). */
	if (rc == -ETIMEDOUT || (!rc && answer.truncated))
		rc = soa_ask(primary, zone, soa_by_tcp, &answer, err);
	if (!rc)
		*ret_serial = answer.serial;
	return rc;
}

/* ---- transfers ------------------------------------------------------------------------------ */

static int answer_read(const struct ask *ask, struct dg_intake *intake, struct dg_error *err)
{
	__u8 bytes[1 << 16];
	int rc = 0;

	while (!rc) {
		ssize_t len = stream_read(ask, bytes, sizeof(bytes), err);

		if (len < 0)
			return (int)len;
		rc = dg_intake_bytes(intake, bytes, (size_t)len, err);
	}
	return rc < 0 ? rc : 0;
}

/* One connection, one question, its answer settled. */
static int transfer_once(struct ask *ask, struct dg_intake *intake, struct dg_zone *zone,
			 struct dg_change *ret, struct dg_error *err)
{
	int rc = ask_connect(ask, SOCK_STREAM, err);

	if (!rc)
		rc = question_send(ask, err);
	if (!rc)
		rc = answer_read(ask, intake, err);
	if (!rc)
		rc = dg_intake_settle(intake, zone, ret, err);
	return rc;
}

static int transfer(const struct dg_primary *primary, struct dg_zone *zone, __u16 type,
		    struct dg_change *ret, struct dg_error *err)
{
	struct dg_question question = { .zone = zone->apex, .type = type };
	dg_scoped(dg_signature_end) struct dg_signature signature;
	dg_scoped(ask_end) struct ask ask = { primary, &question, &signature, -1,
					      dg_clock_ns() + primary->whole_ns };
	dg_scoped_free struct dg_intake *intake = calloc(1, sizeof(*intake));
	knot_rrset_t soa;
	int rc;

	dg_signature_begin(&signature, primary->key);
	if (type == KNOT_RRTYPE_IXFR)
		soa = dg_records_view(&zone->records, zone->soa);
	rc = dg_question_build(&question, type == KNOT_RRTYPE_IXFR ? &soa : NULL, &signature, err);
	if (rc)
		return rc;
	if (!intake || dg_intake_begin(intake, &question, &signature, zone))
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	rc = transfer_once(&ask, intake, zone, ret, err);
	dg_intake_end(intake);
	return rc;
}

int dg_primary_transfer(const struct dg_primary *primary, struct dg_zone *zone,
			struct dg_change *ret, struct dg_error *err)
{
	int rc = -ESTALE;

	if (zone->soa)
		rc = transfer(primary, zone, KNOT_RRTYPE_IXFR, ret, err);
	if (rc == -ESTALE || rc == -EPROTO)
		rc = transfer(primary, zone, KNOT_RRTYPE_AXFR, ret, err);
	return rc;
}
