// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * intake.c - the bytes of a transfer as they come over TCP, made into a zone: AXFR (RFC 5936) or IXFR
 * (RFC 1995).
 *
 * Every byte here is from outside. Reads forward only, remembers the place; decides nothing about what
 * to ask next.
 */
#include "userspace/transfer/intake.h"

#include <errno.h>
#include <string.h>

#include "userspace/transfer/serial.h"

static int unusable(struct dg_error *err, const char *reason)
{
	return dg_fail(err, -EPROTO, DG_EXIT_FAILED, "its answer cannot be used: %s", reason);
}

/* What zone and records refuse, in words. */
static int storage_fail(int rc, const struct dg_records *records, struct dg_error *err)
{
	if (rc == -EFBIG)
		return dg_fail(err, rc, DG_EXIT_FAILED,
			       "the zone is larger than %zu bytes (--max-bytes)", records->limit);
	return dg_fail(err, rc, DG_EXIT_FAILED, "not enough memory");
}

/* ---- life ----------------------------------------------------------------------------------- */

int dg_intake_begin(struct dg_intake *intake, const struct dg_question *question,
		    struct dg_signature *signature, const struct dg_zone *zone)
{
	intake->question = question;
	intake->signature = signature;
	intake->have = 0;
	intake->messages = 0;
	intake->place = DG_PLACE_START;
	intake->kind = DG_KIND_NONE;
	intake->stored = question->type == KNOT_RRTYPE_IXFR;
	intake->from = intake->stored ? dg_zone_serial(zone) : 0;
	intake->to = intake->cursor = 0;
	intake->soa = NULL;
	intake->change_count = 0;
	intake->changes = (struct dg_records){ .limit = zone->records.limit };
	return dg_zone_init(&intake->whole, zone->apex, zone->records.limit);
}

void dg_intake_end(struct dg_intake *intake)
{
	knot_rrset_free(intake->soa, NULL);
	intake->soa = NULL;
	dg_zone_clear(&intake->whole);
	dg_records_clear(&intake->changes);
}

/* ---- the records of a whole zone ------------------------------------------------------------ */

static int whole_record(struct dg_intake *intake, const knot_rrset_t *rr, struct dg_error *err)
{
	dg_ref unused;
	int rc = dg_zone_add(&intake->whole, rr, &unused);

	/* RFC 5936 section 3: a record that comes twice is one record. */
	if (rc && rc != -EEXIST)
		return storage_fail(rc, &intake->whole.records, err);
	return 0;
}

static int whole_soa(struct dg_intake *intake, __u32 serial, struct dg_error *err)
{
	if (serial != intake->to)
		return unusable(err, "the zone changed its serial while it came");
	intake->place = DG_PLACE_END;
	return 0;
}

/* ---- the records of differences ------------------------------------------------------------- */

static int change_record(struct dg_intake *intake, const knot_rrset_t *rr, struct dg_error *err)
{
	enum dg_mark mark = intake->place == DG_PLACE_ADD ? DG_MARK_ADD : DG_MARK_DELETE;
	dg_ref unused;
	int rc = dg_records_put(&intake->changes, rr, mark, &unused);

	intake->change_count += !rc;
	return rc ? storage_fail(rc, &intake->changes, err) : 0;
}

/* The SOA between the halves of a difference: what it leads to. */
static int difference_turn(struct dg_intake *intake, __u32 serial, struct dg_error *err)
{
	if (!dg_serial_newer(serial, intake->cursor) || dg_serial_newer(serial, intake->to))
		return unusable(err, "a difference does not lead forward");
	intake->cursor = serial;
	intake->place = DG_PLACE_ADD;
	return 0;
}

/* The SOA behind a difference: the next one, or the end. */
static int difference_end(struct dg_intake *intake, __u32 serial, struct dg_error *err)
{
	if (serial != intake->cursor)
		return unusable(err, "its differences do not follow one another");
	intake->place = serial == intake->to ? DG_PLACE_END : DG_PLACE_DELETE;
	return 0;
}

/* ---- which kind it is ----------------------------------------------------------------------- */

static int first_soa(struct dg_intake *intake, const knot_rrset_t *rr, __u32 serial)
{
	intake->soa = knot_rrset_copy(rr, NULL);
	if (!intake->soa)
		return -ENOMEM;
	intake->to = serial;
	/* RFC 1995 section 4: nothing newer is one SOA. Anything newer goes on. */
	intake->place = intake->stored && !dg_serial_newer(serial, intake->from) ? DG_PLACE_END :
										   DG_PLACE_SECOND;
	return 0;
}

/* Two SOAs in a row: differences begin with ours, a whole zone without records ends with its own. */
static int second_soa(struct dg_intake *intake, __u32 serial, struct dg_error *err)
{
	if (serial == intake->to) {
		intake->kind = DG_KIND_AXFR;
		intake->place = DG_PLACE_END;
		return 0;
	}
	if (!intake->stored || serial != intake->from)
		return unusable(err, "its differences do not begin with the serial that we have");
	intake->kind = DG_KIND_IXFR;
	intake->place = DG_PLACE_DELETE;
	intake->cursor = serial;
	return 0;
}

static int soa_take(struct dg_intake *intake, const knot_rrset_t *rr, struct dg_error *err)
{
	__u32 serial = knot_soa_serial(rr->rrs.rdata);

	switch (intake->place) {
	case DG_PLACE_START:
		if (first_soa(intake, rr, serial))
			return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
		return 0;
	case DG_PLACE_SECOND:
		return second_soa(intake, serial, err);
	case DG_PLACE_WHOLE:
		return whole_soa(intake, serial, err);
	case DG_PLACE_DELETE:
		return difference_turn(intake, serial, err);
	case DG_PLACE_ADD:
		return difference_end(intake, serial, err);
	case DG_PLACE_END:
		break;
	}
	return unusable(err, "it goes on after its end");
}

static int data_take(struct dg_intake *intake, const knot_rrset_t *rr, struct dg_error *err)
{
	switch (intake->place) {
	case DG_PLACE_START:
		return unusable(err, "it does not begin with the zone's SOA");
	case DG_PLACE_SECOND:
		intake->kind = DG_KIND_AXFR;
		intake->place = DG_PLACE_WHOLE;
		return whole_record(intake, rr, err);
	case DG_PLACE_WHOLE:
		return whole_record(intake, rr, err);
	case DG_PLACE_DELETE:
	case DG_PLACE_ADD:
		return change_record(intake, rr, err);
	case DG_PLACE_END:
		break;
	}
	return unusable(err, "it goes on after its end");
}

static int record_take(struct dg_intake *intake, const knot_rrset_t *rr, struct dg_error *err)
{
	if (!dg_zone_takes(&intake->whole, rr))
		return unusable(err, "a record in it is not of this zone");
	if (rr->type != KNOT_RRTYPE_SOA)
		return data_take(intake, rr, err);
	if (!dg_soa_is_of(rr, intake->whole.apex))
		return unusable(err, "an SOA in it is not the zone's");
	return soa_take(intake, rr, err);
}

/* ---- messages ------------------------------------------------------------------------------- */

static int message_records(struct dg_intake *intake, const knot_pkt_t *message,
			   struct dg_error *err)
{
	const knot_pktsection_t *answer = knot_pkt_section(message, KNOT_ANSWER);
	int rc = 0;

	for (__u16 i = 0; !rc && i < answer->count; i++)
		rc = record_take(intake, knot_pkt_rr(answer, i), err);
	return rc;
}

static int message_take(struct dg_intake *intake, __u8 *wire, __u16 len, struct dg_error *err)
{
	dg_scoped_packet knot_pkt_t *message = knot_pkt_new(wire, len, NULL);
	int rc;

	if (!message)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	if (knot_pkt_parse(message, 0))
		return unusable(err, "a message in it is malformed");
	if (!dg_answer_matches(intake->question, message, !intake->messages))
		return unusable(err, "a message in it answers another question");
	rc = dg_signature_check(intake->signature, message, err);
	if (!rc)
		rc = dg_answer_rcode(message, err);
	/* No message of a transfer is without records: else it could go on for ever. */
	if (!rc && !knot_pkt_section(message, KNOT_ANSWER)->count)
		rc = unusable(err, "a message in it is without records");
	if (!rc)
		rc = message_records(intake, message, err);
	intake->messages++;
	return rc;
}

/* A frame is complete: its message. 1 at the end of the answer. */
static int frame_take(struct dg_intake *intake, struct dg_error *err)
{
	__u16 len = (__u16)(intake->frame[0] << 8 | intake->frame[1]);
	int rc;

	if (len < KNOT_WIRE_HEADER_SIZE)
		return unusable(err, "a message in it is too short");
	rc = message_take(intake, intake->frame + 2, len, err);
	intake->have = 0;
	if (rc || intake->place != DG_PLACE_END)
		return rc;
	/* RFC 8945 section 5.3.1: the last message is signed. */
	if (!dg_signature_complete(intake->signature))
		return dg_fail(err, -EKEYREJECTED, DG_EXIT_FAILED,
			       "the end of its answer is not signed, and a TSIG key is configured");
	return 1;
}

/* Octets that the frame needs next: its length, then its message. */
static size_t frame_wants(const struct dg_intake *intake)
{
	size_t len = (size_t)intake->frame[0] << 8 | intake->frame[1];

	return intake->have < 2 ? 2 - intake->have : 2 + len - intake->have;
}

int dg_intake_bytes(struct dg_intake *intake, const __u8 *bytes, size_t len, struct dg_error *err)
{
	int rc = 0;

	while (!rc && len) {
		size_t part = frame_wants(intake);

		if (part > len)
			part = len;
		memcpy(intake->frame + intake->have, bytes, part);
		intake->have += part;
		bytes += part;
		len -= part;
		if (intake->have >= 2 && !frame_wants(intake))
			rc = frame_take(intake, err);
	}
	if (rc == 1 && len)
		return unusable(err, "it goes on after its end");
	return rc;
}

/* ---- settling ------------------------------------------------------------------------------- */

static int change_do(struct dg_zone *zone, const knot_rrset_t *rr, enum dg_mark mark,
		     dg_ref *ret_touched)
{
	if (mark == DG_MARK_ADD)
		return dg_zone_add(zone, rr, ret_touched);
	return dg_zone_remove(zone, rr, ret_touched);
}

/*
 * Undoes changes, the last first: at each step a record that is gone was taken by that change, one
 * that is there was brought by it.
 */
static void changes_undo(struct dg_zone *zone, const dg_ref *touched, size_t count)
{
	while (count--) {
		if (dg_records_mark(&zone->records, touched[count]) == DG_MARK_GONE)
			dg_zone_restore(zone, touched[count]);
		else
			dg_zone_withdraw(zone, touched[count]);
	}
}

static int change_fail(int rc, const struct dg_zone *zone, const knot_rrset_t *rr,
		       struct dg_error *err)
{
	char owner[KNOT_DNAME_TXT_MAXLEN + 1];

	if (rc != -ENOENT && rc != -EEXIST)
		return storage_fail(rc, &zone->records, err);
	knot_dname_to_str(owner, rr->owner, sizeof(owner));
	return dg_fail(err, -ESTALE, DG_EXIT_FAILED, "its differences %s a record of %s that is %s",
		       rc == -ENOENT ? "delete" : "add", owner,
		       rc == -ENOENT ? "not there" : "there already");
}

/* All changes and the new SOA, or none. */
static int changes_apply(const struct dg_intake *intake, struct dg_zone *zone,
			 struct dg_change *change, struct dg_error *err)
{
	const struct dg_records *changes = &intake->changes;
	dg_scoped_free dg_ref *touched = calloc(intake->change_count + 1, sizeof(*touched));
	size_t done = 0;
	int rc = touched ? 0 : -ENOMEM;

	for (dg_ref ref = 0; !rc && (ref = dg_records_next(changes, ref));) {
		enum dg_mark mark = dg_records_mark(changes, ref);
		knot_rrset_t rr = dg_records_view(changes, ref);

		rc = change_do(zone, &rr, mark, touched + done);
		if (rc) {
			rc = change_fail(rc, zone, &rr, err);
			break;
		}
		done++;
		change->added += mark == DG_MARK_ADD;
		change->deleted += mark == DG_MARK_DELETE;
	}
	if (!rc && dg_zone_set_soa(zone, intake->soa))
		rc = storage_fail(-EFBIG, &zone->records, err);
	if (rc)
		changes_undo(zone, touched, done);
	return rc;
}

static int whole_settle(struct dg_intake *intake, struct dg_zone *zone, struct dg_change *change,
			struct dg_error *err)
{
	int rc = dg_zone_set_soa(&intake->whole, intake->soa);

	if (rc)
		return storage_fail(rc, &intake->whole.records, err);
	change->added = intake->whole.count;
	change->deleted = zone->count;
	dg_zone_clear(zone);
	*zone = intake->whole;
	/* What it held belongs to the zone now. */
	intake->whole = (struct dg_zone){ .records.limit = zone->records.limit };
	return 0;
}

int dg_intake_settle(struct dg_intake *intake, struct dg_zone *zone, struct dg_change *ret,
		     struct dg_error *err)
{
	struct dg_change change = { intake->kind, intake->from, intake->to, 0, 0 };
	int rc = 0;

	if (zone->soa && !dg_serial_newer(intake->to, dg_zone_serial(zone)))
		change.kind = DG_KIND_NONE;
	if (change.kind == DG_KIND_IXFR)
		rc = changes_apply(intake, zone, &change, err);
	if (change.kind == DG_KIND_AXFR)
		rc = whole_settle(intake, zone, &change, err);
	if (!rc)
		*ret = change;
	return rc;
}
