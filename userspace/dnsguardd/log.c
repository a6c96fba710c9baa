// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * log.c - one line an event on standard error, written with one call so that lines never mix.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "userspace/dnsguardd/log.h"

void dg_log(enum dg_log_level level, const char *format, ...)
{
	static const char *const words[] = {
		[DG_LOG_ERROR] = "error: ", [DG_LOG_WARNING] = "warning: "
	};
	char line[2048];
	size_t used, len;
	va_list args;

	if (getenv("JOURNAL_STREAM"))
		used = (size_t)snprintf(line, sizeof(line), "<%d>", level);
	else
		used = (size_t)snprintf(line, sizeof(line), "dnsguardd: %s",
					level <= DG_LOG_WARNING ? words[level] : "");
	va_start(args, format);
	vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	va_end(args);
	/* A message of several lines (the verifier's last words) stays one event. */
	len = strlen(line);
	while (len > used && line[len - 1] == '\n')
		len--;
	for (size_t i = used; i < len; i++)
		if (line[i] == '\n')
			line[i] = '|';
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nobody is left to tell */
}
