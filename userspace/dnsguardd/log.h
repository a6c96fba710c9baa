/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h - the daemon's voice: one line an event on standard error.
 *
 * Only the daemon's top speaks; library code fills a struct dg_error. Under journald each line
 * carries its priority.
 */
#ifndef DG_LOG_H
#define DG_LOG_H

/* The numbers of syslog(3), which journald reads from a "<N>" in front of a line. */
enum dg_log_level { DG_LOG_ERROR = 3, DG_LOG_WARNING = 4, DG_LOG_NOTICE = 5, DG_LOG_INFO = 6 };

void dg_log(enum dg_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
