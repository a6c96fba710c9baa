// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verbs.c - the command table: the usage is printed from it, the parser reads against it, main runs its functions.
 *
 * Apart from main.c so that the fuzzers can link the very table.
 */
#include "userspace/dnsguard/verbs.h"

/* clang-format off */
const struct dg_verb dg_verbs[] = {
	{ "block", dg_block_run, "NAME...", "answer these names, and all below them, in the kernel",
	  dg_block_options, 0, DG_ARGS_MAX },
	{ "allow", dg_allow_run, "NAME...", "let these names, and all below them, pass whatever blocks them",
	  dg_allow_options, 0, DG_ARGS_MAX },
	{ "unblock", dg_unblock_run, "NAME...", "take the entries of these names away", dg_unblock_options, 0,
	  DG_ARGS_MAX },
	{ "names", dg_names_run, "", "show the entries of block and allow", NULL, 0, 0 },
	{ "explain", dg_explain_run, "NAME [TYPE]", "ask the live program what it would do with a query",
	  dg_explain_options, 1, 2 },
	{ "image load", dg_image_load_run, "FILE", "publish the lists that dnsguard-compile wrote", NULL, 1, 1 },
	{ "image show", dg_image_show_run, "", "show what is published", NULL, 0, 0 },
	{ "image drop", dg_image_drop_run, "", "take the published lists away", NULL, 0, 0 },
	{ 0 },
};
