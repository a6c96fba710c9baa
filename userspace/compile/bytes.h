/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bytes.h - a file from elsewhere as lines: plain or gzip, within limits.
 *
 * Reads a descriptor once, from front to back. Knows nothing of what stands in the lines.
 */
#ifndef DG_BYTES_H
#define DG_BYTES_H

#include <linux/types.h>

#include "userspace/compile/words.h"
#include "userspace/lib/scope.h"

#define DG_LINE_MAX (64 << 10)			 /* octets; a longer one is no line of a list */
#define DG_FILE_BYTES_MAX (2ull << 30)		 /* after unpacking */
#define DG_FILE_LINES_MAX (100ull * 1000 * 1000) /* ten times what the largest lists have */

struct dg_bytes_limits {
	__u64 bytes, lines;
};

struct dg_bytes;

/*
 * The descriptor stays the caller's; path is for messages and must live as long. Reads the first
 * octets. *ret is dg_bytes_close'd.
 */
int dg_bytes_open(int fd, const char *path, const struct dg_bytes_limits *limits,
		  struct dg_bytes **ret, struct dg_error *err);
void dg_bytes_close(struct dg_bytes **bytes);
/* What is buffered of the rest and not read yet: at first the head of the file. */
struct dg_span dg_bytes_ahead(const struct dg_bytes *bytes);
/*
 * 1 = *ret is the next line, without its end, until the next call; 0 = there is none; else -errno and
 * err: cannot be read, gzip broken or cut short, over a limit. A line of more than DG_LINE_MAX is
 * given cut, of DG_LINE_MAX + 1 octets.
 */
int dg_bytes_line(struct dg_bytes *bytes, struct dg_span *ret, struct dg_error *err);
/* Lines given so far, octets read of the file, octets unpacked. */
__u64 dg_bytes_lines(const struct dg_bytes *bytes);
__u64 dg_bytes_read(const struct dg_bytes *bytes);
__u64 dg_bytes_unpacked(const struct dg_bytes *bytes);

#endif
