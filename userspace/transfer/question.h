/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * question.h - what is asked of the primary, and whether a message answers it.
 *
 * A message is an answer only when identifier, opcode and question match; where it came from is the
 * socket's business (connected, so the kernel compares addresses).
 */
#ifndef DG_TRANSFER_QUESTION_H
#define DG_TRANSFER_QUESTION_H

#include "userspace/transfer/signature.h"

#define DG_QUESTION_MAX 2048 /* two names, an SOA, a TSIG record */

struct dg_question {
	const knot_dname_t *zone; /* wire form, lower case */
	__u16 type;		  /* KNOT_RRTYPE_SOA, _IXFR, _AXFR */
	__u16 id;
	size_t len;
	__u8 wire[DG_QUESTION_MAX];
};

/*
 * Builds and signs the question with a random identifier. `soa`: what we have, for IXFR (RFC 1995
 * section 3); NULL otherwise.
 */
int dg_question_build(struct dg_question *question, const knot_rrset_t *soa,
		      struct dg_signature *signature, struct dg_error *err);

/* ---- answers -------------------------------------------------------------------------------- */

static inline void dg_packet_free(knot_pkt_t **packet)
{
	knot_pkt_free(*packet);
	*packet = NULL;
}
#define dg_scoped_packet dg_scoped(dg_packet_free)

/*
 * Does the parsed message answer the question? The first message of an answer must repeat the
 * question, later ones may leave it out (RFC 5936 section 2.2.1).
 */
bool dg_answer_matches(const struct dg_question *question, const knot_pkt_t *message, bool first);
/* 0, or -EPROTO with the response code in words. */
int dg_answer_rcode(const knot_pkt_t *message, struct dg_error *err);

#endif
