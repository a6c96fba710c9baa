// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * journal.c - each change made by a command goes to the system's log, with who made it.
 *
 * Of a command line, texts that options are given are left out, and of a URL all but the host: either
 * may hold a secret. What is no command line (a key of `dnsguard top`) is told as it is handed in.
 */
#include <string.h>
#include <syslog.h>

#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/quote.h"
#include "userspace/lib/who.h"

#define LINE_MAX_OCTETS 700

static const char *const changing[] = {
	"attach",     "detach",	       "block",		"allow",     "unblock", "image load",
	"image drop", "list add",      "list update",	"list move", "list rm", "limit set",
	"source ban", "source exempt", "source forget", "pause",     "resume",	NULL,
};

int dg_verb_changes(const struct dg_verb *verb)
{
	for (int i = 0; changing[i]; i++)
		if (!strcmp(changing[i], verb->name))
			return 1;
	return 0;
}

/* A word as it is, a URL up to its host. */
static size_t word_append(char *line, size_t used, size_t size, const char *word)
{
	const char *host = strstr(word, "://"), *end = host ? strpbrk(host + 3, "/?#") : NULL;
	const char *user = host ? strchr(host + 3, '@') : NULL;
	char shown[128];

	snprintf(shown, sizeof(shown), "%.*s", end ? (int)(end - word) : 127, word);
	if (user)
		snprintf(shown, sizeof(shown), "(a URL)");
	return used +
	       (size_t)snprintf(line + used, used < size ? size - used : 0, " %s", DG_QUOTE(shown));
}

static size_t option_append(char line[LINE_MAX_OCTETS], size_t used, const struct dg_option *option,
			    const struct dg_value *value)
{
	const int with_value = option->type != DG_OPT_FLAG && option->type != DG_OPT_TEXT;

	return used + (size_t)snprintf(line + used, LINE_MAX_OCTETS - used, " --%s%s%.40s",
				       option->name, with_value ? " " : "",
				       with_value ? value->text : "");
}

void dg_journal_line(const char *line)
{
	char who[DG_WHO_MAX];

	openlog("dnsguard", LOG_PID, LOG_DAEMON);
	syslog(LOG_NOTICE, "%s, by %s", line, dg_who_text(who, sizeof(who)));
	closelog();
}

void dg_journal(const struct dg_cli *cli)
{
	char line[LINE_MAX_OCTETS];
	size_t used;

	if (!dg_verb_changes(cli->verb))
		return;
	used = (size_t)snprintf(line, sizeof(line), "%s", cli->verb->name);
	for (int i = 0; i < cli->args && used < sizeof(line); i++)
		used = word_append(line, used, sizeof(line), cli->arg[i]);
	for (int i = 0; cli->verb->options && cli->verb->options[i].name; i++)
		if (cli->value[i].given && used < sizeof(line))
			used = option_append(line, used, &cli->verb->options[i], &cli->value[i]);
	dg_journal_line(line);
}
