// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_cli.c - any words as a command line, against the very command table: understood, or refused
 * in one sentence.
 *
 * Words are parted by newlines. The parser touches nothing outside, so no verb runs here.
 */
#include <stdlib.h>
#include <string.h>

#include "userspace/dnsguard/verbs.h"

#define WORDS_MAX 300

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void expect(int held)
{
	if (!held)
		abort();
}

static int words_cut(char *text, const char *argv[WORDS_MAX + 1])
{
	int argc = 1;

	argv[0] = "dnsguard";
	for (char *word; argc < WORDS_MAX && (word = strsep(&text, "\n"));)
		argv[argc++] = word;
	argv[argc] = NULL;
	return argc;
}

/* What the verbs rely on. */
static void understood(const struct dg_cli *cli)
{
	if (!cli->verb)
		return;
	expect(cli->args >= 0 && cli->args <= DG_ARGS_MAX && cli->args <= cli->verb->max_args);
	expect(cli->help || cli->version || cli->args >= cli->verb->min_args);
	for (int i = 0; i < cli->args; i++)
		expect(cli->arg[i] != NULL);
	for (int i = 0; cli->verb->options && cli->verb->options[i].name; i++)
		expect(i < DG_OPTIONS_MAX && (!cli->value[i].given || cli->value[i].text));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	const char *argv[WORDS_MAX + 1];
	int argc = words_cut(text, argv);
	struct dg_error err = { .text = "" };
	struct dg_cli cli;

	if (dg_cli_parse(dg_verbs, argc, argv, &cli, &err))
		expect(err.status == DG_EXIT_USAGE && err.text[0]);
	else
		understood(&cli);
	free(text);
	return 0;
}
