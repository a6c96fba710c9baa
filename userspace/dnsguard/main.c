// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - dnsguard, the command: parse, run the verb, and say what failed, once.
 *
 * The only place of the command line that prints errors and decides the exit status.
 */
#include "userspace/dnsguard/verbs.h"

#include <jansson.h>
#include <string.h>

#include "loader/loader.h"

/* One sentence on stderr for people; with --json also an object on stdout, so that a script always gets JSON. */
static int report(const struct dg_cli *cli, const struct dg_error *err)
{
	json_t *doc;

	fprintf(stderr, "dnsguard: %s\n", err->text[0] ? err->text : "failed without saying why");
	if (!cli->json)
		return err->status ? err->status : DG_EXIT_FAILED;
	doc = json_pack("{s:i, s:s, s:i}", "schema", 1, "error", err->text, "exit_status",
			err->status);
	if (doc) {
		json_dumpf(doc, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(doc);
	return err->status ? err->status : DG_EXIT_FAILED;
}

static void help_print(const struct dg_cli *cli)
{
	if (cli->group)
		dg_group_print(stdout, dg_verbs, cli->group);
	else if (cli->verb)
		dg_verb_print(stdout, cli->verb);
	else
		dg_usage_print(stdout, dg_verbs);
}

/* What was not given comes from the environment, then from the defaults. */
static void defaults_fill(struct dg_cli *cli)
{
	const char *bpffs = getenv("DNSGUARD_BPFFS");

	if (!cli->bpffs && bpffs && bpffs[0])
		cli->bpffs = bpffs;
	if (!cli->bpffs)
		dg_lab_stand_in(cli);
	if (!cli->bpffs)
		cli->bpffs = DG_BPFFS_DEFAULT;
	if (!cli->state_dir)
		cli->state_dir = DG_STATE_DIR_DEFAULT;
}

static void recovered_tell(const char *ifname)
{
	fprintf(stderr, "dnsguard: the trial on %s lost its holder; %s is as it was before\n",
		ifname, ifname);
}

int main(int argc, char **argv)
{
	struct dg_cli cli;
	struct dg_error err = { .status = DG_EXIT_FAILED };
	int status = dg_cli_parse(dg_verbs, argc, (const char *const *)argv, &cli, &err);

	if (status)
		return report(&cli, &err);
	if (cli.version)
		return printf("dnsguard %s\n", DG_VERSION) < 0;
	if (cli.help || !cli.verb) {
		help_print(&cli);
		return DG_EXIT_OK;
	}
	defaults_fill(&cli);
	dg_trials_recover(cli.bpffs, recovered_tell, NULL);
	status = cli.verb->run(&cli, &err);
	if (status == DG_EXIT_OK)
		dg_journal(&cli);
	return status < 0 ? report(&cli, &err) : status;
}
