/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * process.h - what this process itself uses, as the customary process_* metrics say it.
 */
#ifndef DG_PROCESS_H
#define DG_PROCESS_H

#include <linux/types.h>

struct dg_process {
	double cpu_seconds;
	double start_unix_seconds;
	__u64 virtual_bytes, resident_bytes;
	__u64 open_fds, max_fds;
};

/* What cannot be read stays 0. */
void dg_process_read(struct dg_process *ret);

#endif
