/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verbs.h - what the files of this directory offer to the command table: one function and one option table each.
 */
#ifndef DG_VERBS_H
#define DG_VERBS_H

#include "userspace/dnsguard/options.h"

extern const struct dg_verb dg_verbs[]; /* the command table: verbs.c */

/* The rows' functions and option tables, by file. */
dg_verb_fn dg_attach_run, dg_detach_run;	    /* attach.c detach.c */
dg_verb_fn dg_status_run, dg_top_run, dg_watch_run; /* status.c top.c watch.c */
dg_verb_fn dg_limit_show_run, dg_limit_set_run;	    /* limit.c */
dg_verb_fn dg_source_ban_run, dg_source_exempt_run, dg_source_forget_run,
	dg_source_show_run;		/* source.c */
dg_verb_fn dg_pause_run, dg_resume_run; /* pause.c */

dg_verb_fn dg_block_run, dg_allow_run, dg_unblock_run,
	dg_names_run; /* block.c allow.c unblock.c names.c */
dg_verb_fn dg_image_load_run, dg_image_show_run, dg_image_drop_run;		  /* image.c */
dg_verb_fn dg_list_add_run, dg_list_update_run, dg_list_move_run, dg_list_rm_run; /* list.c */
dg_verb_fn dg_list_ls_run, dg_list_show_run;					  /* list_show.c */
dg_verb_fn dg_list_check_run, dg_list_dump_run, dg_list_diff_run;		  /* list_look.c */
dg_verb_fn dg_alert_ls_run, dg_alert_test_run;					  /* alert.c */
dg_verb_fn dg_doctor_run;							  /* doctor.c */
dg_verb_fn dg_doctor_tcp_run;							  /* doctor_tcp.c */
dg_verb_fn dg_tcp_run;								  /* tcp.c */
dg_verb_fn dg_explain_run;							  /* explain.c */
dg_verb_fn dg_config_check_run, dg_config_show_run;				  /* config.c */
dg_verb_fn dg_reload_run;							  /* reload.c */
dg_verb_fn dg_completion_run;							  /* completion.c */
dg_verb_fn dg_report_tcp_run;							  /* report.c */
dg_verb_fn dg_lab_run;								  /* lab.c */

extern const struct dg_option dg_block_options[], dg_allow_options[], dg_unblock_options[];
extern const struct dg_option dg_list_add_options[], dg_list_update_options[];
extern const struct dg_option dg_list_check_options[];
extern const struct dg_option dg_doctor_options[], dg_explain_options[], dg_alert_test_options[];
extern const struct dg_option dg_attach_options[], dg_detach_options[];
extern const struct dg_option dg_status_options[], dg_top_options[], dg_watch_options[];
extern const struct dg_option dg_config_show_options[], dg_reload_options[];
extern const struct dg_option dg_limit_set_options[], dg_report_tcp_options[];
extern const struct dg_option dg_source_ban_options[], dg_source_exempt_options[];

/* Tells the system's log who changed what; of a command that changes nothing, nothing: journal.c. */
void dg_journal(const struct dg_cli *cli);
/* The same of a change that no command line tells; line is text without secrets. */
void dg_journal_line(const char *line);
int dg_verb_changes(const struct dg_verb *verb);

/* Points a reading command at the lab when the host has no guard of its own: lab.c. */
void dg_lab_stand_in(struct dg_cli *cli);

#endif
