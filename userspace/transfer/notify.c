// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * notify.c - one message to the NOTIFY port (RFC 1996): whose it is, and what it is answered.
 *
 * Every byte here is from outside. Touches no socket.
 */
#include <errno.h>
#include <string.h>

#include "userspace/transfer/listener.h"
#include "userspace/transfer/question.h"

struct notify {
	const knot_pkt_t *message;
	bool from_primary;
	__u16 rcode;
	__u16 tsig_error;
	bool is_signed; /* and verified */
};

static bool is_for_zone(const struct dg_listener *listener, const knot_pkt_t *message)
{
	return knot_pkt_qtype(message) == KNOT_RRTYPE_SOA &&
	       knot_pkt_qclass(message) == KNOT_CLASS_IN &&
	       knot_dname_is_equal(knot_pkt_qname(message), listener->zone);
}

static __u16 signature_error(const struct dg_listener *listener, const knot_pkt_t *message)
{
	if (!listener->key || knot_tsig_rdata_alg(message->tsig_rr) != listener->key->algorithm)
		return KNOT_RCODE_BADKEY;
	switch (knot_tsig_server_check(message->tsig_rr, message->wire, message->size,
				       listener->key)) {
	case KNOT_EOK:
		return KNOT_RCODE_NOERROR;
	case KNOT_TSIG_EBADKEY:
		return KNOT_RCODE_BADKEY;
	case KNOT_TSIG_EBADTIME:
		return KNOT_RCODE_BADTIME;
	}
	return KNOT_RCODE_BADSIG;
}

/* RFC 8945 section 5.2 first, then RFC 1996 section 3.10 and 3.11. False = no answer at all. */
static bool judge(const struct dg_listener *listener, struct notify *notify)
{
	const knot_pkt_t *message = notify->message;

	if (message->tsig_rr)
		notify->tsig_error = signature_error(listener, message);
	notify->is_signed = message->tsig_rr && !notify->tsig_error;
	if (!notify->from_primary && !notify->is_signed)
		return false;
	if (notify->tsig_error)
		notify->rcode = KNOT_RCODE_NOTAUTH;
	else if (knot_wire_get_opcode(message->wire) != KNOT_OPCODE_NOTIFY)
		notify->rcode = KNOT_RCODE_NOTIMPL;
	else if (!is_for_zone(listener, message))
		notify->rcode = KNOT_RCODE_NOTAUTH;
	return true;
}

static int answer_sign(const struct dg_listener *listener, const struct notify *notify,
		       knot_pkt_t *answer)
{
	const knot_rrset_t *tsig = notify->message->tsig_rr;
	__u8 digest[DG_TSIG_MAC_MAX];
	size_t digest_len = sizeof(digest);

	if (!tsig)
		return 0;
	if (!knot_tsig_can_sign(notify->tsig_error))
		return knot_tsig_add(answer->wire, &answer->size, answer->max_size,
				     notify->tsig_error, tsig);
	return knot_tsig_sign(answer->wire, &answer->size, answer->max_size,
			      knot_tsig_rdata_mac(tsig), knot_tsig_rdata_mac_length(tsig), digest,
			      &digest_len, listener->key, notify->tsig_error,
			      knot_tsig_rdata_time_signed(tsig));
}

/* RFC 1996 section 4.7: the question again, QR set, nothing else. */
static size_t answer_write(const struct dg_listener *listener, const struct notify *notify,
			   __u8 *wire)
{
	dg_scoped_packet knot_pkt_t *answer = knot_pkt_new(wire, DG_NOTIFY_MAX, NULL);

	if (!answer || knot_pkt_init_response(answer, notify->message))
		return 0;
	knot_wire_set_rcode(answer->wire, (__u8)notify->rcode);
	if (!notify->rcode)
		knot_wire_set_aa(answer->wire);
	return answer_sign(listener, notify, answer) ? 0 : answer->size;
}

size_t dg_notify_answer(struct dg_listener *listener, const struct sockaddr_storage *from,
			__u8 *message, size_t len, __u8 *answer)
{
	dg_scoped_packet knot_pkt_t *packet = knot_pkt_new(message, (__u16)len, NULL);
	struct notify notify = { .message = packet };

	/* An answer, or what cannot be read, is no question: answering could go on for ever. */
	if (!packet || knot_pkt_parse(packet, 0) || knot_wire_get_qr(packet->wire) ||
	    !packet->qname_size)
		return 0;
	notify.from_primary = dg_host_same(from, &listener->primary->addr);
	if (!judge(listener, &notify))
		return 0;
	if (!notify.rcode)
		listener->notified = true;
	return answer_write(listener, &notify, answer);
}
