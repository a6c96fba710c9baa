/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.h - the command line of dnsguard-transfer, read and checked as a whole.
 *
 * Opens nothing and asks nobody.
 */
#ifndef DG_TRANSFER_OPTIONS_H
#define DG_TRANSFER_OPTIONS_H

#include <libknot/dname.h>
#include <linux/types.h>
#include <stdbool.h>

#include "userspace/transfer/host.h"

struct dg_options {
	knot_dname_storage_t zone; /* wire form, lower case */
	char zone_text[KNOT_DNAME_TXT_MAXLEN + 1];
	struct dg_host primary;
	struct dg_host listen; /* len 0 = none */
	const char *tsig_file; /* NULL = none, as below */
	const char *state, *output;
	int output_fd, state_fd, tsig_fd; /* -1 = none */
	bool once, json;
	__u64 max_bytes;
	__u64 connect_ns, idle_ns, whole_ns;
};

extern const char dg_options_usage[];

/* 0; 1 = the usage is asked for; -EINVAL with status DG_EXIT_USAGE. Strings point into argv. */
int dg_options_read(struct dg_options *ret, int argc, char **argv, struct dg_error *err);

#endif
