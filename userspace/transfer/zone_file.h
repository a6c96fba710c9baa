/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zone_file.h - a zone as a master file (RFC 1035 section 5): written whole, read back.
 *
 * Written: SOA first, then a record a line, owner names absolute, TTL on every line, no class, no directive. What is
 * read may come from elsewhere, but includes nothing.
 */
#ifndef DG_TRANSFER_ZONE_FILE_H
#define DG_TRANSFER_ZONE_FILE_H

#include "userspace/transfer/zone.h"

/*
 * Writes the zone, which has an SOA. *ret_bytes: octets of text. -EFBIG when the text would pass `limit`; the stream is not
 * flushed.
 */
int dg_zone_write(const struct dg_zone *zone, FILE *out, size_t limit, size_t *ret_bytes,
		  struct dg_error *err);
/*
 * Reads a regular file into an empty zone. -ENODATA when it is empty; -EINVAL with the line that is
 * no record of the zone; -EFBIG beyond the zone's limit. On failure the zone is to be cleared.
 */
int dg_zone_read(struct dg_zone *zone, int fd, struct dg_error *err);

#endif
