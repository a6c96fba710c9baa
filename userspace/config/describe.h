/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * describe.h - the table of keys for people: the commented file we ship, and the list of keys of the
 * manual page.
 */
#ifndef DG_CONFIG_DESCRIBE_H
#define DG_CONFIG_DESCRIBE_H

#include <stdio.h>

/*
 * deploy/dnsguard.yaml: every key at its default behind a "#", except for those that a fresh
 * installation sets (it observes).
 */
void dg_config_write_file(FILE *out);
/* The keys as a list of mdoc(7). */
void dg_config_write_manual(FILE *out);

#endif
