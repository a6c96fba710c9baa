// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * expires.c - how long something holds, by its own words: in the head of a list, in a header of HTTP.
 *
 * Pure; reads what strangers wrote and takes only what it understands whole.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "userspace/fetch/fetch.h"

#define HEAD_LINES_MAX 50
#define SECONDS_MAX (30ull * 24 * 3600)

static const struct unit {
	const char *word; /* "day" and "days", "d" */
	__u64 seconds;
} units[] = {
	{ "minute", 60 }, { "hour", 3600 }, { "day", 86400 }, { "week", 7 * 86400 },
	{ "m", 60 },	  { "h", 3600 },    { "d", 86400 },   { "w", 7 * 86400 },
};

/* " 4 days" and what may stand behind it; 0 = not understood. */
static __u64 span_read(const char *text)
{
	unsigned int number;
	char word[16] = "";

	if (sscanf(text, " %5u %15[a-zA-Z]", &number, word) < 1)
		return 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i].word);

		if (strncasecmp(word, units[i].word, len) ||
		    (word[len] && strcasecmp(word + len, "s")))
			continue;
		return number * units[i].seconds < SECONDS_MAX ? number * units[i].seconds :
								 SECONDS_MAX;
	}
	return word[0] ? 0 : (number < 30 ? number : 30) * 86400ull; /* a bare number is days */
}

/* One line: a comment of whatever format, then "Expires:". */
static __u64 line_read(const char *line)
{
	if (*line != '!' && *line != '#' && *line != ';')
		return 0;
	line += strspn(line, "!#; \t");
	return strncasecmp(line, "Expires:", 8) ? 0 : span_read(line + 8);
}

__u64 dg_fetch_expires(const char *head, size_t len)
{
	char line[256];

	for (int number = 0; len && number < HEAD_LINES_MAX; number++) {
		const char *end = memchr(head, '\n', len);
		size_t whole = end ? (size_t)(end - head) : len;
		__u64 seconds;

		snprintf(line, sizeof(line), "%.*s",
			 (int)(whole < sizeof(line) ? whole : sizeof(line) - 1), head);
		seconds = line_read(line);
		if (seconds)
			return seconds;
		head += end ? whole + 1 : whole;
		len -= end ? whole + 1 : whole;
	}
	return 0;
}

__u64 dg_fetch_max_age(const char *value)
{
	const char *at = strcasestr(value, "max-age=");
	unsigned long long seconds = 0;

	if (strcasestr(value, "no-store") || strcasestr(value, "no-cache") || !at)
		return 0;
	if (sscanf(at + strlen("max-age="), "%15llu", &seconds) != 1)
		return 0;
	return seconds < SECONDS_MAX ? seconds : SECONDS_MAX;
}
