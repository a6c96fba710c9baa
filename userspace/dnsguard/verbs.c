// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * verbs.c - the command table: the usage is printed from it, the parser reads against it, main runs its functions.
 *
 * Apart from main.c so that the fuzzers can link the very table.
 */
#include "userspace/dnsguard/verbs.h"

/* clang-format off */
const struct dg_verb dg_verbs[] = {
	{ "status", dg_status_run, "", "what is guarded, what was decided (the default)", dg_status_options, 0, 0 },
	{ "attach", dg_attach_run, "IFACE", "guard a network device; again = replace in place", dg_attach_options, 1, 1 },
	{ "detach", dg_detach_run, "[IFACE]", "stop guarding it", dg_detach_options, 0, 1 },
	{ "top", dg_top_run, "", "what happens now, refreshed every second", dg_top_options, 0, 0 },
	{ "tcp", dg_tcp_run, "", "TCP connections of the resolver's listeners", NULL, 0, 0 },
	{ "alert ls", dg_alert_ls_run, "", "what fires, since when, and who knows", NULL, 0, 0 },
	{ "alert test", dg_alert_test_run, "", "send a test message to every receiver", dg_alert_test_options, 0, 0 },
	{ "doctor tcp", dg_doctor_tcp_run, "", "whose each listener is, and how its quota could be known", NULL, 0, 0 },
	{ "watch", dg_watch_run, "", "queries as they are decided", dg_watch_options, 0, 0 },
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
	{ "list ls", dg_list_ls_run, "", "the lists, in order of precedence, and how fresh they are", NULL, 0, 0 },
	{ "list add", dg_list_add_run, "NAME SOURCE", "load a file, a directory, a URL or a zone as a list",
	  dg_list_add_options, 2, 2 },
	{ "list update", dg_list_update_run, "[NAME...]", "fetch lists again, and load what changed",
	  dg_list_update_options, 0, DG_ARGS_MAX },
	{ "list move", dg_list_move_run, "NAME POSITION", "change the order of precedence; 1 is first", NULL, 2, 2 },
	{ "list rm", dg_list_rm_run, "NAME", "take a list away", NULL, 1, 1 },
	{ "list show", dg_list_show_run, "NAME", "what is known of one list, and what it decided", NULL, 1, 1 },
	{ "list dump", dg_list_dump_run, "NAME", "its names, one a line: name, scope, answer", NULL, 1, 1 },
	{ "list check", dg_list_check_run, "FILE", "judge a file as if it were to be loaded",
	  dg_list_check_options, 1, 1 },
	{ "list diff", dg_list_diff_run, "NAME", "what an update would add and remove", NULL, 1, 1 },
	{ "limit show", dg_limit_show_run, "", "the rate limits", NULL, 0, 0 },
	{ "limit set", dg_limit_set_run, "", "change what is given, live", dg_limit_set_options, 0, 0 },
	{ "source show", dg_source_show_run, "[CIDR]", "banned and exempt senders", NULL, 0, 1 },
	{ "source ban", dg_source_ban_run, "CIDR", "drop all its queries", dg_source_ban_options, 1, 1 },
	{ "source exempt", dg_source_exempt_run, "CIDR", "never limit it, never answer it here",
	  dg_source_exempt_options, 1, 1 },
	{ "source forget", dg_source_forget_run, "CIDR", "neither banned nor exempt any more", NULL, 1, 1 },
	{ "pause", dg_pause_run, "D", "let everything pass for a while: 5m", NULL, 1, 1 },
	{ "resume", dg_resume_run, "", "end a pause", NULL, 0, 0 },
	{ "lab up", dg_lab_run, "", "a resolver, clients and an attacker in namespaces", NULL, 0, 0 },
	{ "lab run", dg_lab_run, "", "the same, flooded without and with the guard: a table", NULL, 0, 0 },
	{ "lab flood", dg_lab_run, "[SECONDS]", "flood the lab's resolver", NULL, 0, 1 },
	{ "lab down", dg_lab_run, "", "remove the lab", NULL, 0, 0 },
	{ 0 },
};
