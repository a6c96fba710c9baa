// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_transfer.c - serial arithmetic, the set of records, and differences: applied exactly or not at
 * all.
 *
 * Answers are built here record by record and cut into bytes at every place.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "userspace/transfer/intake.h"
#include "userspace/transfer/outlet.h"
#include "userspace/transfer/serial.h"
#include "userspace/transfer/zone_file.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define LIMIT (64u << 20)

static const knot_dname_t apex[] = "\3rpz\7example";

/* ---- serials -------------------------------------------------------------------------------- */

static const struct {
	__u32 a, b;
	bool newer;
} serials[] = {
	{ 1, 0, true },
	{ 0, 1, false },
	{ 5, 5, false },
	{ 5, 4294967290u, true },
	{ 4294967290u, 5, false },
	{ 2147483647u, 0, true },  /* the farthest that is ahead */
	{ 2147483648u, 0, false }, /* half a circle: undefined, neither is newer */
	{ 0, 2147483648u, false },
	{ 2147483649u, 0, false }, /* behind */
	{ 0, 2147483649u, true },
	{ 0, 4294967295u, true },
};

static void serials_on_a_circle(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(serials); i++)
		assert_int_equal(dg_serial_newer(serials[i].a, serials[i].b), serials[i].newer);
}

/* ---- records -------------------------------------------------------------------------------- */

/* One TXT-like record: owner "N.rpz.example.", data of one octet string. */
static void record_make(knot_rrset_t *rr, unsigned int number, const char *data)
{
	knot_dname_storage_t owner;
	char text[64];

	snprintf(text, sizeof(text), "N%u.rpz.example.", number);
	assert_non_null(knot_dname_from_str(owner, text, sizeof(owner)));
	knot_rrset_init(rr, knot_dname_copy(owner, NULL), KNOT_RRTYPE_TXT, KNOT_CLASS_IN, 60);
	assert_int_equal(knot_rrset_add_rdata(rr, (const __u8 *)data, (__u16)strlen(data), NULL),
			 0);
}

static void soa_make(knot_rrset_t *rr, __u32 serial)
{
	__u8 data[2 + 20] = { 0 };

	knot_wire_write_u32(data + 2, serial);
	knot_wire_write_u32(data + 6, 3600);
	knot_rrset_init(rr, knot_dname_copy(apex, NULL), KNOT_RRTYPE_SOA, KNOT_CLASS_IN, 60);
	assert_int_equal(knot_rrset_add_rdata(rr, data, sizeof(data), NULL), 0);
}

static void zone_set_serial(struct dg_zone *zone, __u32 serial)
{
	knot_rrset_t soa;

	soa_make(&soa, serial);
	assert_int_equal(dg_zone_set_soa(zone, &soa), 0);
	knot_rrset_clear(&soa, NULL);
}

static int zone_add(struct dg_zone *zone, unsigned int number, dg_ref *ret)
{
	knot_rrset_t rr;
	int rc;

	record_make(&rr, number, "\1x");
	rc = dg_zone_add(zone, &rr, ret);
	knot_rrset_clear(&rr, NULL);
	return rc;
}

static int zone_remove(struct dg_zone *zone, unsigned int number, dg_ref *ret)
{
	knot_rrset_t rr;
	int rc;

	record_make(&rr, number, "\1x");
	rc = dg_zone_remove(zone, &rr, ret);
	knot_rrset_clear(&rr, NULL);
	return rc;
}

static void zone_fill(struct dg_zone *zone, __u32 serial, unsigned int count)
{
	dg_ref unused;

	assert_int_equal(dg_zone_init(zone, apex, LIMIT), 0);
	zone_set_serial(zone, serial);
	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(zone_add(zone, i, &unused), 0);
}

/* The zone as text: what a difference must not change when it fails. */
static char *zone_text(const struct dg_zone *zone)
{
	char *text = NULL;
	size_t size = 0, bytes;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(dg_zone_write(zone, out, LIMIT, &bytes, NULL), 0);
	fclose(out);
	assert_int_equal(size, bytes);
	return text;
}

static void a_set_of_records(void **state)
{
	dg_scoped_zone struct dg_zone zone;
	dg_ref ref, again;

	(void)state;
	zone_fill(&zone, 1, 5000);
	assert_int_equal(zone.count, 5000);
	assert_int_equal(zone_add(&zone, 17, &ref), -EEXIST);
	assert_int_equal(zone_remove(&zone, 5000, &ref), -ENOENT);
	/* Every other one goes: probing must still reach those behind the holes. */
	for (unsigned int i = 0; i < 5000; i += 2)
		assert_int_equal(zone_remove(&zone, i, &ref), 0);
	for (unsigned int i = 0; i < 5000; i++) {
		int rc = zone_remove(&zone, i, &ref);

		assert_int_equal(rc, i % 2 ? 0 : -ENOENT);
		if (!rc)
			dg_zone_restore(&zone, ref);
	}
	assert_int_equal(zone.count, 2500);
	assert_int_equal(zone_add(&zone, 0, &again), 0);
	dg_zone_withdraw(&zone, again);
	assert_int_equal(zone_remove(&zone, 0, &ref), -ENOENT);
}

static void packing_keeps_the_set(void **state)
{
	dg_scoped_zone struct dg_zone zone;
	dg_scoped_free char *before = NULL;
	dg_scoped_free char *after = NULL;
	size_t used;
	dg_ref ref;

	(void)state;
	zone_fill(&zone, 7, 3000);
	for (unsigned int i = 0; i < 2000; i++)
		assert_int_equal(zone_remove(&zone, i, &ref), 0);
	before = zone_text(&zone);
	used = zone.records.used;
	assert_int_equal(dg_zone_pack(&zone), 0);
	after = zone_text(&zone);
	assert_string_equal(before, after);
	assert_true(zone.records.used < used / 2);
	assert_int_equal(zone.dead, 0);
	assert_int_equal(dg_zone_serial(&zone), 7);
}

static void a_limit_holds(void **state)
{
	dg_scoped_zone struct dg_zone zone;
	dg_ref ref;
	unsigned int i = 0;
	int rc = 0;

	(void)state;
	assert_int_equal(dg_zone_init(&zone, apex, 4096), 0);
	while (!rc && i < 1000)
		rc = zone_add(&zone, i++, &ref);
	assert_int_equal(rc, -EFBIG);
	assert_true(i > 50 && zone.records.used <= 4096);
	assert_int_equal(zone_remove(&zone, i - 1, &ref), -ENOENT);
}

/* ---- transfers ------------------------------------------------------------------------------ */

/* What an answer is made of: 's' = an SOA with this serial, 'r' = record of this number. */
struct item {
	char kind;
	__u32 number;
};

/* The answer as it comes over TCP, `per_message` records a message. */
struct stream {
	__u8 bytes[1 << 16];
	size_t len;
};

static size_t message_build(const struct dg_question *question, const struct item *items,
			    size_t count, __u8 *wire)
{
	knot_pkt_t *packet = knot_pkt_new(wire, 16384, NULL);
	size_t len;

	knot_wire_set_id(packet->wire, question->id);
	knot_wire_set_qr(packet->wire);
	assert_int_equal(
		knot_pkt_put_question(packet, question->zone, KNOT_CLASS_IN, question->type), 0);
	knot_pkt_begin(packet, KNOT_ANSWER);
	for (size_t i = 0; i < count; i++) {
		knot_rrset_t rr;

		if (items[i].kind == 's')
			soa_make(&rr, items[i].number);
		else
			record_make(&rr, items[i].number, "\1x");
		assert_int_equal(knot_pkt_put(packet, KNOT_COMPR_HINT_NONE, &rr, 0), 0);
		knot_rrset_clear(&rr, NULL);
	}
	len = packet->size;
	knot_pkt_free(packet);
	return len;
}

static void stream_build(struct stream *stream, const struct dg_question *question,
			 const struct item *items, size_t count, size_t per_message)
{
	stream->len = 0;
	for (size_t i = 0; i < count; i += per_message) {
		size_t part = count - i < per_message ? count - i : per_message;
		size_t len =
			message_build(question, items + i, part, stream->bytes + stream->len + 2);

		stream->bytes[stream->len] = (__u8)(len >> 8);
		stream->bytes[stream->len + 1] = (__u8)len;
		stream->len += 2 + len;
	}
}

/* Reads the stream in pieces and settles: 0 or what failed. */
static int stream_settle(const struct stream *stream, size_t piece, struct dg_intake *intake,
			 struct dg_zone *zone, struct dg_change *ret)
{
	struct dg_error err;
	int rc = 0;

	for (size_t at = 0; !rc && at < stream->len; at += piece) {
		size_t len = stream->len - at < piece ? stream->len - at : piece;

		rc = dg_intake_bytes(intake, stream->bytes + at, len, &err);
	}
	return rc == 1 ? dg_intake_settle(intake, zone, ret, &err) : rc;
}

static int answer_apply(struct dg_zone *zone, const struct item *items, size_t count,
			size_t per_message, struct dg_change *ret)
{
	struct dg_question question = { .zone = apex,
					.type = zone->soa ? KNOT_RRTYPE_IXFR : KNOT_RRTYPE_AXFR,
					.id = 4711 };
	dg_scoped_free struct stream *stream = calloc(1, sizeof(*stream));
	dg_scoped_free struct dg_intake *intake = calloc(1, sizeof(*intake));
	struct dg_signature signature;
	int rc;

	dg_signature_begin(&signature, NULL);
	stream_build(stream, &question, items, count, per_message);
	assert_int_equal(dg_intake_begin(intake, &question, &signature, zone), 0);
	rc = stream_settle(stream, 1 + per_message * 7, intake, zone, ret);
	dg_intake_end(intake);
	return rc;
}

#define S(serial)                                                                                  \
	{                                                                                          \
		's', serial                                                                        \
	}
#define R(number)                                                                                  \
	{                                                                                          \
		'r', number                                                                        \
	}
#define ITEMS_MAX 16

/* The zone before holds records 0, 1, 2 at serial 1. */
static const struct {
	const char *what;
	struct item items[ITEMS_MAX];
	size_t count;
	int rc;
	enum dg_kind kind;
	__u32 serial, records; /* afterwards */
} answers[] = {
	{ "one difference", { S(2), S(1), R(0), S(2), R(7), S(2) }, 6, 0, DG_KIND_IXFR, 2, 3 },
	{ "only additions", { S(2), S(1), S(2), R(7), R(8), S(2) }, 6, 0, DG_KIND_IXFR, 2, 5 },
	{ "only deletions", { S(2), S(1), R(0), R(1), S(2), S(2) }, 6, 0, DG_KIND_IXFR, 2, 1 },
	{ "a new serial alone", { S(2), S(1), S(2), S(2) }, 4, 0, DG_KIND_IXFR, 2, 3 },
	{ "two differences, one record comes and goes",
	  { S(3), S(1), S(2), R(7), S(2), R(7), S(3), R(8), S(3) },
	  9,
	  0,
	  DG_KIND_IXFR,
	  3,
	  4 },
	{ "a record goes and comes again",
	  { S(3), S(1), R(0), S(2), S(2), S(3), R(0), S(3) },
	  8,
	  0,
	  DG_KIND_IXFR,
	  3,
	  3 },
	{ "within one difference too",
	  { S(2), S(1), R(0), S(2), R(0), S(2) },
	  6,
	  0,
	  DG_KIND_IXFR,
	  2,
	  3 },
	{ "condensed: one difference over many serials",
	  { S(900), S(1), R(0), R(1), S(900), R(9), S(900) },
	  7,
	  0,
	  DG_KIND_IXFR,
	  900,
	  2 },
	{ "the whole zone instead", { S(5), R(7), R(8), S(5) }, 4, 0, DG_KIND_AXFR, 5, 2 },
	{ "an empty zone instead", { S(5), S(5) }, 2, 0, DG_KIND_AXFR, 5, 0 },
	{ "nothing newer", { S(1) }, 1, 0, DG_KIND_NONE, 1, 3 },
	{ "older", { S(0) }, 1, 0, DG_KIND_NONE, 1, 3 },
	{ "deletes what is not there",
	  { S(2), S(1), R(0), R(1), R(7), S(2), R(9), S(2) },
	  8,
	  -ESTALE,
	  0,
	  1,
	  3 },
	{ "adds what is there", { S(2), S(1), R(0), S(2), R(8), R(1), S(2) }, 7, -ESTALE, 0, 1, 3 },
	{ "fails in the second difference",
	  { S(3), S(1), R(0), S(2), R(0), S(2), R(1), R(7), S(3), S(3) },
	  10,
	  -ESTALE,
	  0,
	  1,
	  3 },
	{ "starts elsewhere", { S(3), S(2), R(0), S(3), S(3) }, 5, -EPROTO, 0, 1, 3 },
	{ "leads past its end", { S(3), S(1), R(0), S(4), S(4) }, 5, -EPROTO, 0, 1, 3 },
	{ "leads backward", { S(3), S(1), R(0), S(0), S(3) }, 5, -EPROTO, 0, 1, 3 },
	{ "has a gap", { S(4), S(1), S(2), S(3), S(4), S(4) }, 6, -EPROTO, 0, 1, 3 },
	{ "goes on after its end", { S(2), S(1), S(2), S(2), R(9) }, 5, -EPROTO, 0, 1, 3 },
	{ "begins with no SOA", { R(1), S(2) }, 2, -EPROTO, 0, 1, 3 },
	{ "is not complete", { S(2), S(1), R(0), S(2), R(7) }, 5, 0, DG_KIND_NONE, 1, 3 },
};

static void answer_check(size_t i, size_t per_message)
{
	dg_scoped_zone struct dg_zone zone;
	dg_scoped_free char *before = NULL;
	dg_scoped_free char *after = NULL;
	struct dg_change change = { .kind = DG_KIND_NONE };
	int rc;

	zone_fill(&zone, 1, 3);
	before = zone_text(&zone);
	rc = answer_apply(&zone, answers[i].items, answers[i].count, per_message, &change);
	if (rc != answers[i].rc || change.kind != answers[i].kind ||
	    dg_zone_serial(&zone) != answers[i].serial || zone.count != answers[i].records)
		fail_msg("%s: rc %d, kind %d, serial %u, records %u", answers[i].what, rc,
			 change.kind, dg_zone_serial(&zone), zone.count);
	after = zone_text(&zone);
	if (answers[i].kind == DG_KIND_NONE && strlen(before) != strlen(after))
		fail_msg("%s: the zone changed", answers[i].what);
}

static void answers_in_messages_of_every_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++)
		for (size_t per_message = 1; per_message <= ITEMS_MAX; per_message++)
			answer_check(i, per_message);
}

/* After a difference that did not fit, one that fits still does. */
static void undone_is_as_before(void **state)
{
	static const struct item bad[] = { S(2), S(1), R(0), R(1), S(2), R(8), R(9), R(2), S(2) };
	static const struct item good[] = { S(2), S(1), R(0), R(1), R(2), S(2), R(8), R(9), S(2) };
	dg_scoped_zone struct dg_zone zone;
	struct dg_change change;

	(void)state;
	zone_fill(&zone, 1, 3);
	for (int i = 0; i < 100; i++)
		assert_int_equal(answer_apply(&zone, bad, COUNT_OF(bad), 4, &change), -ESTALE);
	assert_int_equal(answer_apply(&zone, good, COUNT_OF(good), 4, &change), 0);
	assert_int_equal(change.added, 2);
	assert_int_equal(change.deleted, 3);
	assert_int_equal(zone.count, 2);
}

static void serial_wraps_in_a_difference(void **state)
{
	static const struct item items[] = { S(5), S(4294967290u), R(0), S(2),
					     R(7), S(2),	   S(5), S(5) };
	dg_scoped_zone struct dg_zone zone;
	struct dg_change change;

	(void)state;
	zone_fill(&zone, 4294967290u, 3);
	assert_int_equal(answer_apply(&zone, items, COUNT_OF(items), 3, &change), 0);
	assert_int_equal(dg_zone_serial(&zone), 5);
}

/* ---- files ---------------------------------------------------------------------------------- */

static void written_is_read_back(void **state)
{
	dg_scoped_zone struct dg_zone zone;
	dg_scoped_zone struct dg_zone back;
	dg_scoped_free char *before = NULL;
	dg_scoped_free char *after = NULL;
	dg_scoped_file FILE *file = tmpfile();
	struct dg_error err;
	knot_rrset_t odd;
	dg_ref ref;
	size_t bytes;

	(void)state;
	zone_fill(&zone, 9, 500);
	/* Data that no TXT record has: a string that is longer than what is there. */
	record_make(&odd, 1, "\377odd");
	assert_int_equal(dg_zone_add(&zone, &odd, &ref), 0);
	knot_rrset_clear(&odd, NULL);
	assert_int_equal(dg_zone_write(&zone, file, LIMIT, &bytes, &err), 0);
	fflush(file);
	assert_int_equal(dg_zone_init(&back, apex, LIMIT), 0);
	assert_int_equal(dg_zone_read(&back, fileno(file), &err), 0);
	before = zone_text(&zone);
	after = zone_text(&back);
	assert_string_equal(before, after);
}

/* ---- the keeper ----------------------------------------------------------------------------- */

struct kept {
	char directory[64], path[80];
	struct dg_outlet outlet;
};

/* A file "old", and a keeper for it. */
static void kept_begin(struct kept *kept)
{
	FILE *file;

	*kept = (struct kept){ .directory = "/tmp/dnsguard-unit.XXXXXX" };
	assert_non_null(mkdtemp(kept->directory));
	snprintf(kept->path, sizeof(kept->path), "%s/zone", kept->directory);
	file = fopen(kept->path, "w");
	fputs("old", file);
	fclose(file);
	kept->outlet = (struct dg_outlet){ .path = kept->path, .fd = -1, .keeper = -1 };
	assert_int_equal(dg_outlet_keep(&kept->outlet, NULL), 0);
}

/* The keeper ends with the process that it serves: here, with the socket. */
static void kept_end(struct kept *kept)
{
	dg_close_fd(&kept->outlet.keeper);
	assert_true(wait(NULL) > 0);
	assert_int_equal(unlink(kept->path), 0);
	/* Fails when something is left beside the file. */
	assert_int_equal(rmdir(kept->directory), 0);
}

static void assert_kept(const struct kept *kept, const char *content)
{
	char text[16] = "";
	dg_scoped_file FILE *file = fopen(kept->path, "r");

	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	assert_string_equal(text, content);
}

static void begin_writing(struct kept *kept)
{
	FILE *out;

	assert_int_equal(dg_outlet_begin(&kept->outlet, &out, NULL), 0);
	fputs("new", out);
}

static void keeper_replaces_the_file(void **state)
{
	struct kept kept;

	(void)state;
	kept_begin(&kept);
	begin_writing(&kept);
	assert_kept(&kept, "old");
	assert_int_equal(dg_outlet_commit(&kept.outlet, NULL), 0);
	assert_kept(&kept, "new");
	dg_outlet_abandon(&kept.outlet); /* nothing is begun: nothing happens */
	kept_end(&kept);
}

static void keeper_forgets_what_was_begun(void **state)
{
	struct kept kept;

	(void)state;
	kept_begin(&kept);
	begin_writing(&kept);
	dg_outlet_abandon(&kept.outlet);
	begin_writing(&kept);
	/* The end comes before the commit. */
	fclose(kept.outlet.file);
	dg_close_fd(&kept.outlet.keeper);
	assert_true(wait(NULL) > 0);
	assert_kept(&kept, "old");
	assert_int_equal(unlink(kept.path), 0);
	assert_int_equal(rmdir(kept.directory), 0);
}

/* A signal to the whole group reaches the keeper too, which has to outlive the other process. */
static void keeper_outlives_signals(void **state)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
	char list[64], text[32] = "";
	dg_scoped_file FILE *file = NULL;
	struct kept kept;

	(void)state;
	kept_begin(&kept);
	/* It answers: it is past its beginning. */
	assert_int_equal(dg_outlet_touch(&kept.outlet, NULL), 0);
	snprintf(list, sizeof(list), "/proc/self/task/%d/children", getpid());
	file = fopen(list, "r");
	assert_non_null(fgets(text, sizeof(text), file));
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		assert_int_equal(kill(atoi(text), numbers[i]), 0);
	begin_writing(&kept);
	assert_int_equal(dg_outlet_commit(&kept.outlet, NULL), 0);
	assert_kept(&kept, "new");
	kept_end(&kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(serials_on_a_circle),
		cmocka_unit_test(a_set_of_records),
		cmocka_unit_test(packing_keeps_the_set),
		cmocka_unit_test(a_limit_holds),
		cmocka_unit_test(answers_in_messages_of_every_size),
		cmocka_unit_test(undone_is_as_before),
		cmocka_unit_test(serial_wraps_in_a_difference),
		cmocka_unit_test(written_is_read_back),
		cmocka_unit_test(keeper_replaces_the_file),
		cmocka_unit_test(keeper_forgets_what_was_begun),
		cmocka_unit_test(keeper_outlives_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
