/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * feed.h - bytes from elsewhere, cut into lines and words that may be names.
 *
 * The only room that sees a feed's bytes. A format is a row of a table and a function that reads
 * one line; it says what stands where and decides nothing about lists.
 */
#ifndef DG_FEED_H
#define DG_FEED_H

#include "userspace/lib/names.h"

/* Where a format hands over what it found in a line. Columns count octets from 1. */
struct dg_feed_sink {
	void (*line)(void *arg, unsigned long line); /* before each line, counted from 1 */
	void (*name)(void *arg, const struct dg_name *name, unsigned int column);
	void (*reject)(void *arg, const char *reason, unsigned int column);
	void *arg;
};

struct dg_format {
	const char *name;
	/*
	 * line: without line end, comment characters and blanks still there; the function may
	 * change it
	 */
	void (*read)(char *line, const struct dg_feed_sink *sink);
};

/* NULL = no such format. */
const struct dg_format *dg_format_find(const char *name);

/*
 * Reads a feed to its end. A file that starts as HTML or XML does is refused whole: feeds vanish
 * and leave an error page behind. -EINVAL, -EIO, -ENOMEM; the path stands in err.
 */
int dg_feed_read(FILE *file, const char *path, const struct dg_format *format,
		 const struct dg_feed_sink *sink, struct dg_error *err);

#endif
