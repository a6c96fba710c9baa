// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verbs.c - the command table: the usage is printed from it, the parser reads against it, main runs its functions.
 *
 * Apart from main.c so that the fuzzers can link the very table.
 */
#include "userspace/dnsguard/verbs.h"

/* clang-format off */
const struct dg_verb dg_verbs[] = {
	{ 0 },
};
