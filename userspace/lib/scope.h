/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scope.h - what a function owns it gives back at the end of its scope, on every path.
 *
 * Cleanup attributes for the resources used in userspace, and the one error record that library code fills
 * and a command prints. Library code never prints.
 */
#ifndef DG_SCOPE_H
#define DG_SCOPE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define dg_scoped(destroy) __attribute__((cleanup(destroy)))

static inline void dg_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void dg_free_ptr(void *ptr)
{
	free(*(void **)ptr);
	*(void **)ptr = NULL;
}

static inline void dg_close_file(FILE **file)
{
	if (*file)
		fclose(*file);
	*file = NULL;
}

#define dg_scoped_fd dg_scoped(dg_close_fd)	/* int, -1 = none */
#define dg_scoped_free dg_scoped(dg_free_ptr)	/* malloc'ed pointer */
#define dg_scoped_file dg_scoped(dg_close_file) /* FILE * */

/* Hand a resource over to the caller: the scope no longer owns it. */
#define dg_take_fd(fd)                                                                             \
	({                                                                                         \
		int taken_ = (fd);                                                                 \
		(fd) = -1;                                                                         \
		taken_;                                                                            \
	})
#define dg_take_ptr(ptr)                                                                           \
	({                                                                                         \
		__typeof__(ptr) taken_ = (ptr);                                                    \
		(ptr) = NULL;                                                                      \
		taken_;                                                                            \
	})

/* Exit status of every command: `man dnsguard`, EXIT STATUS. */
enum dg_exit {
	DG_EXIT_OK = 0,
	DG_EXIT_FAILED = 1,
	DG_EXIT_USAGE = 2,
	DG_EXIT_NOT_ATTACHED = 3, /* or not running */
	DG_EXIT_NOT_FOUND = 4,
	DG_EXIT_UNSAFE = 5, /* refused by a safety check */
};

/* One failure in one sentence: object, value, reason, and what to do next. */
struct dg_error {
	enum dg_exit status;
	char text[1024];
};

/* Fills *err (may be NULL) and returns the negative errno given, so that one line reports and returns. */
int dg_fail(struct dg_error *err, int negative_errno, enum dg_exit status, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
