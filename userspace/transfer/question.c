// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * question.c - what is asked of the primary, and whether a message answers it.
 *
 * Builds and compares; sends nothing.
 */
#include "userspace/transfer/question.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static int packet_fill(const struct dg_question *question, const knot_rrset_t *soa,
		       knot_pkt_t *packet)
{
	int rc;

	knot_wire_set_id(packet->wire, question->id);
	rc = knot_pkt_put_question(packet, question->zone, KNOT_CLASS_IN, question->type);
	if (!rc && soa)
		rc = knot_pkt_begin(packet, KNOT_AUTHORITY);
	if (!rc && soa)
		rc = knot_pkt_put(packet, KNOT_COMPR_HINT_NONE, soa, 0);
	return rc;
}

int dg_question_build(struct dg_question *question, const knot_rrset_t *soa,
		      struct dg_signature *signature, struct dg_error *err)
{
	dg_scoped_packet knot_pkt_t *packet =
		knot_pkt_new(question->wire, sizeof(question->wire), NULL);
	int rc;

	if (!packet)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	if (getrandom(&question->id, sizeof(question->id), 0) != sizeof(question->id))
		return dg_fail(err, -EIO, DG_EXIT_FAILED, "no random numbers");
	rc = packet_fill(question, soa, packet);
	if (rc)
		return dg_fail(err, -EIO, DG_EXIT_FAILED, "cannot build the question: %s",
			       knot_strerror(rc));
	rc = dg_signature_sign(signature, packet, err);
	question->len = packet->size;
	return rc;
}

bool dg_answer_matches(const struct dg_question *question, const knot_pkt_t *message, bool first)
{
	const __u8 *wire = message->wire;

	if (!knot_wire_get_qr(wire) || knot_wire_get_opcode(wire) != KNOT_OPCODE_QUERY ||
	    knot_wire_get_id(wire) != question->id)
		return false;
	/* An error may come without the question: FORMERR of a server that could not read it. */
	if (!knot_wire_get_qdcount(wire))
		return !first || knot_wire_get_rcode(wire);
	return knot_pkt_qtype(message) == question->type &&
	       knot_pkt_qclass(message) == KNOT_CLASS_IN &&
	       knot_dname_is_equal(knot_pkt_qname(message), question->zone);
}

int dg_answer_rcode(const knot_pkt_t *message, struct dg_error *err)
{
	if (!knot_wire_get_rcode(message->wire))
		return 0;
	return dg_fail(err, -EPROTO, DG_EXIT_FAILED, "it answers %s",
		       knot_pkt_ext_rcode_name(message));
}
