// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bytes.c - a file from elsewhere as lines.
 *
 * One large buffer; lines are looked for in it and given where they lie. gzip (RFC 1952) is known by
 * its magic, may have several members, and must be whole.
 */
#include "userspace/compile/bytes.h"

#include <errno.h>
#include <zlib.h>

#define BUFFER_BYTES (1 << 20)
#define PACKED_BYTES (256 << 10)
#define GZIP_AND_ZLIB 32 /* added to the window bits: the header says which */

struct dg_bytes {
	int fd;
	const char *path;
	struct dg_bytes_limits limits;
	__u64 lines, read, unpacked;
	bool gzip, member; /* inside a member that has not ended */
	bool end;	   /* of the file */
	bool skipping;	   /* the rest of a line that was too long */
	z_stream z;
	size_t start, filled;
	char buffer[BUFFER_BYTES];
	unsigned char packed[PACKED_BYTES];
};

static int fail(const struct dg_bytes *b, int error, struct dg_error *err)
{
	return dg_fail(err, -error, DG_EXIT_FAILED, "%s: cannot read it: %s", b->path,
		       strerror(error));
}

/* Octets read; 0 at the end. */
static ssize_t descriptor_read(struct dg_bytes *b, void *to, size_t room, struct dg_error *err)
{
	ssize_t n;

	do
		n = read(b->fd, to, room);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(b, errno, err);
	b->read += (__u64)n;
	return n;
}

/* ---- gzip ----------------------------------------------------------------------------------- */

static int gzip_refuse(const struct dg_bytes *b, const char *what, struct dg_error *err)
{
	return dg_fail(err, -EBADMSG, DG_EXIT_FAILED,
		       "%s:%llu:1: the gzip file is %s behind %llu octets", b->path,
		       (unsigned long long)b->lines + 1, what, (unsigned long long)b->unpacked);
}

/* One step of the inflater into the room; 1 = it wants more input. */
static int gzip_step(struct dg_bytes *b, struct dg_error *err)
{
	int rc;

	if (!b->member && inflateReset(&b->z) != Z_OK)
		return gzip_refuse(b, "broken", err);
	b->member = true;
	rc = inflate(&b->z, Z_NO_FLUSH);
	if (rc == Z_STREAM_END) {
		b->member = false;
		return 0;
	}
	if (rc != Z_OK && rc != Z_BUF_ERROR)
		return gzip_refuse(b, "broken", err);
	return b->z.avail_in == 0;
}

/* Unpacked octets; 0 at the end of the last member. */
static ssize_t gzip_read(struct dg_bytes *b, void *to, size_t room, struct dg_error *err)
{
	int rc = 0;

	b->z.next_out = to;
	b->z.avail_out = (uInt)room;
	while (!rc && b->z.avail_out == room) {
		if (!b->z.avail_in) {
			ssize_t n = descriptor_read(b, b->packed, sizeof(b->packed), err);

			if (n < 0)
				return n;
			if (!n)
				return b->member ? gzip_refuse(b, "cut short", err) : 0;
			b->z.next_in = b->packed;
			b->z.avail_in = (uInt)n;
		}
		rc = gzip_step(b, err);
		rc = rc > 0 ? 0 : rc;
	}
	return rc ? rc : (ssize_t)(room - b->z.avail_out);
}

/* The buffer's first octets were packed ones. */
static int gzip_begin(struct dg_bytes *b, struct dg_error *err)
{
	if (inflateInit2(&b->z, MAX_WBITS + GZIP_AND_ZLIB) != Z_OK)
		return fail(b, ENOMEM, err);
	memcpy(b->packed, b->buffer, b->filled);
	b->z.next_in = b->packed;
	b->z.avail_in = (uInt)b->filled;
	b->gzip = b->member = true;
	b->filled = 0;
	return 0;
}

/* ---- the buffer ----------------------------------------------------------------------------- */

/* Moves what is left to the front and reads on behind it. */
static int fill(struct dg_bytes *b, struct dg_error *err)
{
	size_t left = b->filled - b->start;
	ssize_t n;

	memmove(b->buffer, b->buffer + b->start, left);
	b->start = 0;
	b->filled = left;
	n = b->gzip ? gzip_read(b, b->buffer + left, BUFFER_BYTES - left, err) :
		      descriptor_read(b, b->buffer + left, BUFFER_BYTES - left, err);
	if (n < 0)
		return (int)n;
	b->end = n == 0;
	b->filled += (size_t)n;
	b->unpacked += (__u64)n;
	if (b->unpacked > b->limits.bytes)
		return dg_fail(err, -EFBIG, DG_EXIT_UNSAFE,
			       "%s:%llu:1: more than the %llu octets that a file may have", b->path,
			       (unsigned long long)b->lines + 1,
			       (unsigned long long)b->limits.bytes);
	return 0;
}

/* The head of the file: some octets, enough to see what it is. */
static int head_read(struct dg_bytes *b, struct dg_error *err)
{
	ssize_t n = descriptor_read(b, b->buffer, sizeof(b->packed), err);
	int rc;

	if (n < 0)
		return (int)n;
	b->filled = (size_t)n;
	if (n < 2 || memcmp(b->buffer, "\x1f\x8b", 2) != 0) {
		b->end = n == 0;
		b->unpacked = (__u64)n;
		return 0;
	}
	rc = gzip_begin(b, err);
	return rc ? rc : fill(b, err);
}

int dg_bytes_open(int fd, const char *path, const struct dg_bytes_limits *limits,
		  struct dg_bytes **ret, struct dg_error *err)
{
	dg_scoped(dg_bytes_close) struct dg_bytes *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "%s: not enough memory to read it",
			       path);
	b->fd = fd;
	b->path = path;
	b->limits = *limits;
	rc = head_read(b, err);
	if (!rc)
		*ret = dg_take_ptr(b);
	return rc;
}

void dg_bytes_close(struct dg_bytes **bytes)
{
	if (*bytes && (*bytes)->gzip)
		inflateEnd(&(*bytes)->z);
	free(*bytes);
	*bytes = NULL;
}

struct dg_span dg_bytes_ahead(const struct dg_bytes *bytes)
{
	return (struct dg_span){ bytes->buffer + bytes->start, bytes->filled - bytes->start };
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* The next line end in the buffer, read on for until there is one; NULL = there is none, or too far. */
static int line_end(struct dg_bytes *b, const char **ret, struct dg_error *err)
{
	size_t seen = 0;
	int rc;

	for (;;) {
		struct dg_span ahead = dg_bytes_ahead(b);

		*ret = memchr(ahead.at + seen, '\n', ahead.len - seen);
		if (*ret || b->end || ahead.len > DG_LINE_MAX)
			return 0;
		seen = ahead.len;
		rc = fill(b, err);
		if (rc)
			return rc;
	}
}

/* Past the line end, or past everything that is there. */
static void advance(struct dg_bytes *b, const char *end)
{
	b->start = end ? (size_t)(end + 1 - b->buffer) : b->filled;
	b->skipping = !end && !b->end;
}

static int skip_rest(struct dg_bytes *b, struct dg_error *err)
{
	const char *end;

	while (b->skipping) {
		int rc = line_end(b, &end, err);

		if (rc)
			return rc;
		advance(b, end);
	}
	return 0;
}

int dg_bytes_line(struct dg_bytes *bytes, struct dg_span *ret, struct dg_error *err)
{
	struct dg_span line;
	const char *end;
	int rc = skip_rest(bytes, err);

	if (!rc)
		rc = line_end(bytes, &end, err);
	if (rc)
		return rc;
	line = dg_bytes_ahead(bytes);
	if (!line.len)
		return 0;
	if (++bytes->lines > bytes->limits.lines)
		return dg_fail(err, -EFBIG, DG_EXIT_UNSAFE,
			       "%s:%llu:1: more than the %llu lines that a file may have",
			       bytes->path, (unsigned long long)bytes->lines,
			       (unsigned long long)bytes->limits.lines);
	advance(bytes, end);
	if (end)
		line.len = (size_t)(end - line.at);
	if (line.len > DG_LINE_MAX)
		line.len = DG_LINE_MAX + 1;
	*ret = line;
	return 1;
}

__u64 dg_bytes_lines(const struct dg_bytes *bytes)
{
	return bytes->lines;
}

__u64 dg_bytes_read(const struct dg_bytes *bytes)
{
	return bytes->read;
}

__u64 dg_bytes_unpacked(const struct dg_bytes *bytes)
{
	return bytes->unpacked;
}
