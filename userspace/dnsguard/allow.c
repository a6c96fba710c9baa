// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * allow.c - dnsguard allow NAME...: the names, and everything below them, pass whatever blocks
 * them.
 */
#include <errno.h>

#include "userspace/dnsguard/entries.h"
#include "userspace/dnsguard/verbs.h"

enum { OPT_FOR, OPT_REASON, OPT_FILE };

const struct dg_option dg_allow_options[] = {
	[OPT_FOR] = { .name = "for",
		      .type = DG_OPT_DURATION,
		      .arg = "30m",
		      .help = "the entry ends by itself" },
	[OPT_REASON] = { .name = "reason",
			 .type = DG_OPT_TEXT,
			 .arg = "T",
			 .help = "kept with the entry" },
	[OPT_FILE] = { .name = "file",
		       .type = DG_OPT_TEXT,
		       .arg = "FILE",
		       .help = "names from a file, one a line; the word - reads standard input" },
	{ 0 },
};

/* Allowing too much blocks nobody, so only the root, which no entry can stand for, is refused. */
static int names_judge(const struct dg_entry_names *names, struct dg_error *err)
{
	return dg_entry_names_judge(names, true,
				    "to let every name pass: dnsguard source exempt 0.0.0.0/0 "
				    "--from sinkhole, and the same for ::/0",
				    err);
}

int dg_allow_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_names struct dg_entry_names names = DG_ENTRY_NAMES_NONE;
	struct dg_own entry;
	int rc = 0;

	dg_own_default(&entry);
	entry.answer.kind = DG_ANSWER_ALLOW;
	if (cli->value[OPT_FOR].given)
		entry.until_ns = dg_now_ns() + cli->value[OPT_FOR].number;
	if (cli->value[OPT_REASON].given)
		rc = dg_own_reason_set(&entry, cli->value[OPT_REASON].text, err);
	if (!rc)
		rc = dg_entry_names_read(cli, cli->value[OPT_FILE].text, &names, err);
	if (!rc)
		rc = names_judge(&names, err);
	if (!rc)
		rc = dg_entries_set(cli, &names, &entry, err);
	if (!rc)
		dg_entries_report(cli, "allowed", &names, &entry);
	return rc;
}
