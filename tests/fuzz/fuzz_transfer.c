// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_transfer.c - any bytes as the primary's stream: refused, or a zone that is the same when its file
 * is read back.
 *
 * The first octet says what was asked (bit 0: differences; bit 1: signed), the second how the stream is cut.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "userspace/transfer/intake.h"
#include "userspace/transfer/zone_file.h"

#define LIMIT (1u << 20)

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const knot_dname_t apex[] = "\3rpz\7example";
static const char stored[] = "rpz.example. 60 SOA . . 1 3600 600 86400 60\n"
			     "n0.rpz.example. 60 TXT x\n"
			     "n1.rpz.example. 60 TXT x\n"
			     "n2.rpz.example. 60 TXT x\n";

static void expect(int held)
{
	if (!held)
		abort();
}

static void zone_load(struct dg_zone *zone, const char *text, size_t len)
{
	struct dg_error err;
	int fd = memfd_create("zone", MFD_CLOEXEC);

	expect(write(fd, text, len) == (ssize_t)len);
	if (dg_zone_read(zone, fd, &err)) {
		fprintf(stderr, "%s: %.*s\n", err.text, (int)len, text);
		abort();
	}
	close(fd);
}

static char *zone_text(const struct dg_zone *zone, size_t *ret_len)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, ret_len);

	expect(!dg_zone_write(zone, out, SIZE_MAX, &bytes, NULL));
	fclose(out);
	expect(bytes == *ret_len);
	return text;
}

/* What was written is what is read back. */
static void zone_judge(const struct dg_zone *zone)
{
	dg_scoped_zone struct dg_zone back;
	size_t len, again_len;
	dg_scoped_free char *text = zone_text(zone, &len);
	dg_scoped_free char *again = NULL;

	expect(!dg_zone_init(&back, apex, 64 * LIMIT));
	zone_load(&back, text, len);
	again = zone_text(&back, &again_len);
	expect(len == again_len && !memcmp(text, again, len));
}

static int stream_feed(struct dg_intake *intake, const __u8 *bytes, size_t size, size_t piece)
{
	struct dg_error err;
	int rc = 0;

	for (size_t at = 0; !rc && at < size; at += piece)
		rc = dg_intake_bytes(intake, bytes + at, size - at < piece ? size - at : piece,
				     &err);
	return rc;
}

static void answer_take(const unsigned char *data, size_t size)
{
	static struct dg_intake intake;
	static knot_tsig_key_t key;
	struct dg_question question = { .zone = apex, .type = KNOT_RRTYPE_AXFR, .id = 4711 };
	dg_scoped(dg_signature_end) struct dg_signature signature;
	dg_scoped_zone struct dg_zone zone;
	struct dg_change change;
	struct dg_error err;
	__u32 before;

	if (!key.name)
		expect(!knot_tsig_key_init(&key, "hmac-sha256", "k", "c2VjcmV0"));
	expect(!dg_zone_init(&zone, apex, LIMIT));
	if (data[0] & 1) {
		question.type = KNOT_RRTYPE_IXFR;
		zone_load(&zone, stored, sizeof(stored) - 1);
	}
	before = zone.count;
	dg_signature_begin(&signature, data[0] & 2 ? &key : NULL);
	expect(!dg_intake_begin(&intake, &question, &signature, &zone));
	if (stream_feed(&intake, data + 2, size - 2, 1u + data[1]) == 1) {
		/* Nobody here can sign. */
		expect(!(data[0] & 2));
		if (dg_intake_settle(&intake, &zone, &change, &err))
			expect(zone.count == before);
		else
			zone_judge(&zone);
	}
	dg_intake_end(&intake);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	if (size >= 2)
		answer_take(data, size);
	return 0;
}
