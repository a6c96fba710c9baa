// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * unblock.c - dnsguard unblock NAME...: takes the operator's entries of exactly these names away,
 * block or allow.
 */
#include "userspace/dnsguard/entries.h"
#include "userspace/dnsguard/verbs.h"

enum { OPT_FILE };

const struct dg_option dg_unblock_options[] = {
	[OPT_FILE] = { .name = "file",
		       .type = DG_OPT_TEXT,
		       .arg = "FILE",
		       .help = "names from a file, one a line; the word - reads standard input" },
	{ 0 },
};

int dg_unblock_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_names struct dg_entry_names names = DG_ENTRY_NAMES_NONE;
	int rc = dg_entry_names_read(cli, cli->value[OPT_FILE].text, &names, err);

	if (!rc)
		rc = dg_entries_remove(cli, &names, err);
	if (!rc)
		dg_entries_report(cli, "unblocked", &names, NULL);
	return rc;
}
