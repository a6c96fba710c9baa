// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * zone_file.c - a zone as a master file (RFC 1035 section 5): written whole, read back.
 *
 * Text is libknot's, parsing is libzscanner's. Opens nothing: descriptors come from whoever still had the right to open.
 */
#include "userspace/transfer/zone_file.h"

#include <errno.h>
#include <libknot/libknot.h>
#include <libzscanner/scanner.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "userspace/transfer/text.h"

/* ---- writing -------------------------------------------------------------------------------- */

struct writer {
	FILE *out;
	struct dg_text text;
	size_t bytes, limit;
};

static void writer_end(struct writer *writer)
{
	dg_text_end(&writer->text);
}

static int record_write(struct writer *writer, const knot_rrset_t *rr, struct dg_error *err)
{
	char owner[KNOT_DNAME_TXT_MAXLEN + 1];
	int len = dg_text_record(&writer->text, rr);

	if (len < 0) {
		knot_dname_to_str(owner, rr->owner, sizeof(owner));
		return dg_fail(err, len, DG_EXIT_FAILED,
			       "a record of type %u of %.300s cannot be written as text", rr->type,
			       owner);
	}
	writer->bytes += (size_t)len;
	if (writer->bytes > writer->limit)
		return dg_fail(err, -EFBIG, DG_EXIT_FAILED,
			       "the zone is larger than %zu bytes of text (--max-bytes)",
			       writer->limit);
	if (fwrite(writer->text.line, 1, (size_t)len, writer->out) != (size_t)len)
		return dg_fail(err, -EIO, DG_EXIT_FAILED, "cannot write the zone: %s",
			       strerror(errno));
	return 0;
}

int dg_zone_write(const struct dg_zone *zone, FILE *out, size_t limit, size_t *ret_bytes,
		  struct dg_error *err)
{
	dg_scoped(writer_end) struct writer writer = { .out = out, .limit = limit };
	knot_rrset_t rr = dg_records_view(&zone->records, zone->soa);
	int rc;

	if (dg_text_begin(&writer.text))
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	rc = record_write(&writer, &rr, err);
	for (dg_ref ref = 0; !rc && (ref = dg_zone_next(zone, ref));) {
		rr = dg_records_view(&zone->records, ref);
		rc = record_write(&writer, &rr, err);
	}
	if (!rc)
		*ret_bytes = writer.bytes;
	return rc;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct mapping {
	void *text;
	size_t size;
};

static void mapping_end(struct mapping *mapping)
{
	if (mapping->text)
		munmap(mapping->text, mapping->size);
}

static int mapping_begin(int fd, size_t limit, struct mapping *ret, struct dg_error *err)
{
	struct stat st;
	void *text;

	if (fstat(fd, &st))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot read it: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "it is no regular file");
	if (!st.st_size)
		return dg_fail(err, -ENODATA, DG_EXIT_FAILED, "it is empty");
	if ((size_t)st.st_size > limit)
		return dg_fail(err, -EFBIG, DG_EXIT_FAILED,
			       "it is larger than %zu bytes (--max-bytes)", limit);
	text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot read it: %s", strerror(errno));
	*ret = (struct mapping){ text, (size_t)st.st_size };
	return 0;
}

static void scanner_end(zs_scanner_t **scanner)
{
	if (*scanner)
		zs_deinit(*scanner);
	free(*scanner);
}

static int line_fail(const zs_scanner_t *scanner, const char *reason, struct dg_error *err)
{
	return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "line %llu: %s",
		       (unsigned long long)scanner->line_counter, reason);
}

/* The scanner's record as a set of one, in canonical form as records from the wire are. */
static int scanned_record(zs_scanner_t *scanner, knot_rrset_t *ret)
{
	int rc;

	knot_rrset_init(ret, scanner->r_owner, scanner->r_type, scanner->r_class, scanner->r_ttl);
	rc = knot_rrset_add_rdata(ret, scanner->r_data, (__u16)scanner->r_data_length, NULL);
	if (!rc)
		rc = knot_rrset_rr_to_canonical(ret);
	return rc ? -ENOMEM : 0;
}

static int record_keep(struct dg_zone *zone, const knot_rrset_t *rr)
{
	dg_ref unused;
	int rc;

	if (!zone->soa)
		return dg_soa_is_of(rr, zone->apex) ? dg_zone_set_soa(zone, rr) : -EINVAL;
	if (rr->type == KNOT_RRTYPE_SOA || !dg_zone_takes(zone, rr))
		return -EINVAL;
	rc = dg_zone_add(zone, rr, &unused);
	return rc == -EEXIST ? 0 : rc;
}

static int record_take(struct dg_zone *zone, zs_scanner_t *scanner, struct dg_error *err)
{
	knot_rrset_t rr;
	int rc = scanned_record(scanner, &rr);

	if (!rc)
		rc = record_keep(zone, &rr);
	knot_rdataset_clear(&rr.rrs, NULL);
	if (rc == -EINVAL)
		return line_fail(scanner,
				 zone->soa ? "not a record of this zone" :
					     "the first record is not the zone's SOA",
				 err);
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "%s",
			       rc == -EFBIG ? "more than --max-bytes allows" : "not enough memory");
	return 0;
}

static int scan(struct dg_zone *zone, zs_scanner_t *scanner, struct dg_error *err)
{
	int rc = 0;

	while (!rc && !zs_parse_record(scanner) && scanner->state != ZS_STATE_EOF) {
		if (scanner->state == ZS_STATE_DATA)
			rc = record_take(zone, scanner, err);
		else if (scanner->state == ZS_STATE_INCLUDE)
			rc = line_fail(scanner, "$INCLUDE is not followed", err);
		else
			rc = line_fail(scanner, zs_strerror(scanner->error.code), err);
	}
	return rc;
}

int dg_zone_read(struct dg_zone *zone, int fd, struct dg_error *err)
{
	dg_scoped(mapping_end) struct mapping mapping = { 0 };
	dg_scoped(scanner_end) zs_scanner_t *scanner = malloc(sizeof(*scanner));
	char origin[KNOT_DNAME_TXT_MAXLEN + 1];
	int rc = mapping_begin(fd, zone->records.limit, &mapping, err);

	if (rc)
		return rc;
	if (!scanner || !knot_dname_to_str(origin, zone->apex, sizeof(origin)) ||
	    zs_init(scanner, origin, KNOT_CLASS_IN, 0) ||
	    zs_set_input_string(scanner, mapping.text, mapping.size))
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");
	rc = scan(zone, scanner, err);
	if (!rc && !zone->soa)
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "it has no SOA");
	return rc;
}
