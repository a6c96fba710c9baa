// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * error.c - fills the error record that commands print.
 *
 * Stands at the bottom of the house: uses nothing of it, prints nothing.
 */
#include "userspace/lib/scope.h"

#include <stdarg.h>

int dg_fail(struct dg_error *err, int negative_errno, enum dg_exit status, const char *format, ...)
{
	va_list args;

	if (!err)
		return negative_errno;
	err->status = status;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return negative_errno;
}
