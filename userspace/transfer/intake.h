/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * intake.h - the bytes of a transfer as they come over TCP, made into a zone: AXFR (RFC 5936) or IXFR (RFC 1995).
 *
 * Splits the stream into messages, matches and verifies each, and tells from the records which kind of answer it is. The
 * zone itself changes only in dg_intake_settle, after the whole answer was there and verified. Touches no socket.
 */
#ifndef DG_TRANSFER_INTAKE_H
#define DG_TRANSFER_INTAKE_H

#include "userspace/transfer/question.h"
#include "userspace/transfer/zone.h"

enum dg_kind {
	DG_KIND_NONE, /* nothing is newer there */
	DG_KIND_AXFR, /* the whole zone, also when differences were asked for */
	DG_KIND_IXFR,
};

/* Where the reader stands among the records of the answer. */
enum dg_place {
	DG_PLACE_START,	 /* before the first SOA */
	DG_PLACE_SECOND, /* before the record that tells the kind */
	DG_PLACE_WHOLE,	 /* in a whole zone */
	DG_PLACE_DELETE, /* in what a difference takes away */
	DG_PLACE_ADD,	 /* in what it brings */
	DG_PLACE_END,
};

struct dg_intake {
	const struct dg_question *question;
	struct dg_signature *signature;
	/* stream */
	size_t have;
	__u8 frame[2 + 65535];
	__u64 messages;
	/* records */
	enum dg_place place;
	enum dg_kind kind;
	bool stored;		/* `from` is the serial of a zone that we have */
	__u32 from, to, cursor; /* serials: ours, the answer's, of the difference being read */
	knot_rrset_t *soa;	/* the answer's */
	struct dg_zone whole;
	struct dg_records changes;
	size_t change_count;
};

/* What a transfer came to. */
struct dg_change {
	enum dg_kind kind;
	__u32 from, to; /* from: only with DG_KIND_IXFR */
	__u64 added, deleted;
};

/*
 * Starts reading the answer to a question about the zone, whose limit holds for what comes. The caller keeps question,
 * signature and intake, and ends the intake also after a failure. An intake is large: allocate it.
 */
int dg_intake_begin(struct dg_intake *intake, const struct dg_question *question,
		    struct dg_signature *signature, const struct dg_zone *zone);
void dg_intake_end(struct dg_intake *intake);
/*
 * Takes bytes. 1 = the answer is complete and verified, 0 = more is needed, -EPROTO = not an answer that can be used (ask for
 * the whole zone), -EKEYREJECTED = TSIG, -EFBIG = a limit, -ENOMEM.
 */
int dg_intake_bytes(struct dg_intake *intake, const __u8 *bytes, size_t len, struct dg_error *err);
/*
 * After 1: brings the zone to the answer's serial. -ESTALE: the differences do not fit what we have, the zone is as
 * before (ask for the whole zone). -EFBIG, -ENOMEM: likewise as before.
 */
int dg_intake_settle(struct dg_intake *intake, struct dg_zone *zone, struct dg_change *ret,
		     struct dg_error *err);

#endif
