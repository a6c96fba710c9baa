// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * render.c - prints a document as JSON, or as the lines and tables that its sections describe.
 */
#include "userspace/lib/render.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "userspace/lib/values.h"

#define CELL_MAX 1280 /* a name of 255 octets, all escaped */
#define COLUMNS_MAX 12
#define TITLE_WIDTH 18
#define NS_PER_SEC 1000000000ull

/* ---- one value ------------------------------------------------------------------------------ */

static void bytes_text(double bytes, char *buf, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t unit = 0;

	for (; bytes >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		bytes /= 1024;
	snprintf(buf, size, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

static void seconds_text(double seconds, char *buf, size_t size)
{
	if (seconds < 1)
		snprintf(buf, size, "0s");
	else
		dg_duration_text((__u64)seconds * NS_PER_SEC, buf, size);
}

static void list_text(const json_t *list, char *buf, size_t size)
{
	const json_t *item;
	size_t i;

	buf[0] = '\0';
	json_array_foreach(list, i, item) snprintf(buf + strlen(buf), size - strlen(buf), "%s%s",
						   i ? ", " : "", json_string_value(item));
}

static void when_text(time_t unix_sec, char *buf, size_t size)
{
	struct tm utc;

	if (!gmtime_r(&unix_sec, &utc) || !strftime(buf, size, "%Y-%m-%d %H:%MZ", &utc))
		snprintf(buf, size, "?");
}

static void delay_text(double seconds, char *buf, size_t size)
{
	if (seconds < 1e-3)
		snprintf(buf, size, "%.0f us", seconds * 1e6);
	else if (seconds < 1)
		snprintf(buf, size, "%.*f ms", seconds < 1e-2 ? 1 : 0, seconds * 1e3);
	else
		snprintf(buf, size, "%.2f s", seconds);
}

static void number_text(const json_t *value, enum dg_format format, char *buf, size_t size)
{
	if (format == DG_AS_BYTES)
		bytes_text(json_number_value(value), buf, size);
	else if (format == DG_AS_SECONDS)
		seconds_text(json_number_value(value), buf, size);
	else if (format == DG_AS_WHEN)
		when_text((time_t)json_integer_value(value), buf, size);
	else if (format == DG_AS_DELAY)
		delay_text(json_number_value(value), buf, size);
	else if (format == DG_AS_RATE)
		snprintf(buf, size, "%.1f/s", json_number_value(value));
	else if (json_is_integer(value))
		snprintf(buf, size, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		snprintf(buf, size, "%.3f", json_real_value(value));
}

char *dg_format_value(const json_t *value, enum dg_format format, char *buf, size_t size)
{
	snprintf(buf, size, "-");
	if (json_is_string(value))
		snprintf(buf, size, "%s", json_string_value(value));
	else if (json_is_number(value))
		number_text(value, format, buf, size);
	else if (json_is_boolean(value))
		snprintf(buf, size, "%s", json_is_true(value) ? "yes" : "no");
	else if (json_is_array(value))
		list_text(value, buf, size);
	return buf;
}

/* ---- places in the document ----------------------------------------------------------------- */

static const json_t *place(const json_t *document, const char *path)
{
	char key[64];

	while (document && *path) {
		size_t len = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		document = json_object_get(document, key);
		path += len + (path[len] == '.');
	}
	return document;
}

/* ---- tables --------------------------------------------------------------------------------- */

/* A table while it is measured and printed: the same walk twice. */
struct grid {
	FILE *out; /* NULL = measuring */
	const struct dg_column *columns;
	int width[COLUMNS_MAX];
	bool right[COLUMNS_MAX]; /* numbers stand right */
};

static bool is_last(const struct dg_column *column)
{
	return !column[1].key;
}

static void cell_put(struct grid *grid, size_t at, const char *text)
{
	int len = (int)strlen(text);

	if (!grid->out)
		grid->width[at] = len > grid->width[at] ? len : grid->width[at];
	else if (grid->right[at])
		fprintf(grid->out, "%*s", grid->width[at], text);
	else if (is_last(&grid->columns[at]))
		fputs(text, grid->out);
	else
		fprintf(grid->out, "%-*s", grid->width[at], text);
	if (grid->out)
		fputs(is_last(&grid->columns[at]) ? "\n" : "  ", grid->out);
}

static void row_put(struct grid *grid, const char *name, const json_t *row)
{
	char cell[CELL_MAX];

	for (size_t at = 0; grid->columns[at].key; at++) {
		const json_t *value = json_object_get(row, grid->columns[at].key);

		if (grid->columns[at].key[0])
			dg_format_value(value, grid->columns[at].format, cell, sizeof(cell));
		else
			snprintf(cell, sizeof(cell), "%s", name);
		grid->right[at] |= !grid->out && json_is_number(value);
		cell_put(grid, at, cell);
	}
}

static void head_put(struct grid *grid)
{
	for (size_t at = 0; grid->columns[at].key; at++)
		cell_put(grid, at, grid->columns[at].title);
}

static void rows_put(struct grid *grid, const json_t *rows)
{
	const json_t *row;
	const char *name;
	size_t i;

	head_put(grid);
	json_array_foreach(rows, i, row) row_put(grid, "", row);
	json_object_foreach((json_t *)rows, name, row) row_put(grid, name, row);
}

static void table_print(FILE *out, const json_t *rows, const struct dg_section *section)
{
	struct grid grid = { .columns = section->columns };

	if (!json_array_size(rows) && !json_object_size(rows)) {
		if (section->none)
			fprintf(out, "%s\n", section->none);
		return;
	}
	if (section->title)
		fprintf(out, "\n%s%s", section->title, section->title[0] ? "\n" : "");
	rows_put(&grid, rows);
	grid.out = out;
	rows_put(&grid, rows);
}

static bool says_nothing(const json_t *value)
{
	return !value || json_is_null(value) ||
	       (json_is_string(value) && !json_string_length(value)) ||
	       (json_is_array(value) && !json_array_size(value));
}

/* Of the titles of the lines that will be printed: values stand below each other. */
static int titles_width(const json_t *document, const struct dg_section *sections)
{
	int width = TITLE_WIDTH;

	for (; sections->path; sections++)
		if (!sections->columns && sections->title &&
		    !says_nothing(place(document, sections->path)) &&
		    (int)strlen(sections->title) > width)
			width = (int)strlen(sections->title);
	return width;
}

static void line_print(FILE *out, const json_t *value, const struct dg_section *section, int width)
{
	char text[CELL_MAX];

	if (says_nothing(value))
		return;
	dg_format_value(value, section->format, text, sizeof(text));
	if (section->title)
		fprintf(out, "%-*s %s\n", width, section->title, text);
	else
		fprintf(out, "%s\n", text);
}

int dg_render(FILE *out, json_t *document, const struct dg_section *sections, bool as_json)
{
	int width;

	if (!document)
		return -ENOMEM;
	width = as_json ? 0 : titles_width(document, sections); /* JSON may have no sections */
	for (; !as_json && sections->path; sections++) {
		const json_t *value = place(document, sections->path);

		if (sections->columns)
			table_print(out, value, sections);
		else
			line_print(out, value, sections, width);
	}
	if (as_json) {
		json_dumpf(document, out, JSON_INDENT(2));
		fputc('\n', out);
	}
	json_decref(document);
	return fflush(out) ? -errno : 0;
}
