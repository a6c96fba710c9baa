/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * render.h - one document, two faces: as JSON for programs, as lines and tables for people.
 *
 * A command builds a json_t once. Its text is described by a table of sections that name places in the very document, so
 * text and --json cannot disagree: what is not in the document cannot be shown.
 */
#ifndef DG_RENDER_H
#define DG_RENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum dg_format {
	DG_AS_TEXT,    /* strings as they are; numbers in plain digits */
	DG_AS_COUNT,   /* 1234567 */
	DG_AS_BYTES,   /* 8.0 MiB */
	DG_AS_SECONDS, /* 1h 30m; null is "-" */
	DG_AS_RATE,    /* 12.5/s */
	DG_AS_DELAY,   /* seconds that are few: 340 us, 52 ms, 1.25 s */
	DG_AS_YES_NO,
	DG_AS_WHEN, /* Unix seconds: 2026-11-24 12:30Z; null is "-" */
	DG_AS_LIST, /* an array of strings: a, b, c */
};

struct dg_column {
	const char *
		key; /* in each row; "" = the row's own name in an object of objects. NULL ends the table */
	const char *title;
	enum dg_format format;
};

struct dg_section {
	const char *path;  /* "limiter.bytes"; NULL ends the table */
	const char *title; /* of the line, or over the table; NULL = none */
	enum dg_format format;
	const struct dg_column
		*columns; /* NULL = one line "title  value", left out when absent, null or "" */
	const char *none; /* what an empty table says; NULL = nothing */
};

/* Prints the document and drops it; NULL = out of memory, which is said. With as_json, sections are not looked at. */
int dg_render(FILE *out, json_t *document, const struct dg_section *sections, bool as_json);

/* One value in words. Returns buf. */
char *dg_format_value(const json_t *value, enum dg_format format, char *buf, size_t size);

#endif
