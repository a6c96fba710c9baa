// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * block.c - dnsguard block NAME...: the names, and everything below them, are answered by the
 * guard.
 */
#include "userspace/dnsguard/entries.h"
#include "userspace/dnsguard/verbs.h"

enum { OPT_ANSWER, OPT_EDE, OPT_FOR, OPT_REASON, OPT_FILE, OPT_FORCE };

const struct dg_option dg_block_options[] = {
	[OPT_ANSWER] = { .name = "answer",
			 .type = DG_OPT_TEXT,
			 .arg = "A",
			 .help = "nxdomain (default), nodata, null, refused, truncate, drop, "
				 "observe, or addresses" },
	[OPT_EDE] = { .name = "ede",
		      .type = DG_OPT_COUNT,
		      .arg = "N",
		      .min = 15,
		      .max = 17,
		      .help = "EDE code: 15 Blocked (default), 16 Censored, 17 Filtered" },
	[OPT_FOR] = { .name = "for",
		      .type = DG_OPT_DURATION,
		      .arg = "2h",
		      .help = "the entry ends by itself" },
	[OPT_REASON] = { .name = "reason",
			 .type = DG_OPT_TEXT,
			 .arg = "T",
			 .help = "kept with the entry" },
	[OPT_FILE] = { .name = "file",
		       .type = DG_OPT_TEXT,
		       .arg = "FILE",
		       .help = "names from a file, one a line; the word - reads standard input" },
	[OPT_FORCE] = { .name = "force",
			.type = DG_OPT_FLAG,
			.help = "accept single labels and protected names; never the root" },
	{ 0 },
};

static int entry_fill(const struct dg_cli *cli, struct dg_own *entry, struct dg_error *err)
{
	const struct dg_value *value = cli->value;
	int rc = 0;

	dg_own_default(entry);
	if (value[OPT_ANSWER].given)
		rc = dg_answer_parse(value[OPT_ANSWER].text, &entry->answer, err);
	if (!rc && value[OPT_REASON].given)
		rc = dg_own_reason_set(entry, value[OPT_REASON].text, err);
	if (value[OPT_EDE].given)
		entry->answer.ede = (__u8)value[OPT_EDE].number;
	if (value[OPT_FOR].given)
		entry->until_ns = dg_now_ns() + value[OPT_FOR].number;
	return rc;
}

int dg_block_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_names struct dg_entry_names names = DG_ENTRY_NAMES_NONE;
	struct dg_own entry;
	int rc = entry_fill(cli, &entry, err);

	if (!rc)
		rc = dg_entry_names_read(cli, cli->value[OPT_FILE].text, &names, err);
	if (!rc)
		rc = dg_entry_names_judge(&names, cli->value[OPT_FORCE].given,
					  "to refuse every query: dnsguard source ban 0.0.0.0/0 "
					  "--force, and the same for ::/0",
					  err);
	if (!rc)
		rc = dg_entries_set(cli, &names, &entry, err);
	if (!rc)
		dg_entries_report(cli, "blocked", &names, &entry);
	return rc;
}
