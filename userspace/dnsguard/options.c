// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c - reads a command line against the tables of verbs and options, and prints the usage from them.
 *
 * Stands between main.c and the verbs. Pure: no file, no environment, no allocation, no exit.
 */
#include "userspace/dnsguard/options.h"

#include <errno.h>
#include <string.h>

/* Understood before and after every verb. Their order is that of global_set(). */
const struct dg_option dg_global_options[] = {
	{ .name = "bpffs",
	  .type = DG_OPT_TEXT,
	  .arg = "DIR",
	  .help = "where the bpf filesystem is mounted (default /sys/fs/bpf, or $DNSGUARD_BPFFS)" },
	{ .name = "state-dir",
	  .type = DG_OPT_TEXT,
	  .arg = "DIR",
	  .help = "where keys and entries are kept (default /var/lib/dnsguard)" },
	{ .name = "json", .type = DG_OPT_FLAG, .help = "print JSON" },
	{ .name = "help", .type = DG_OPT_FLAG, .help = "show what the command takes" },
	{ .name = "version", .type = DG_OPT_FLAG, .help = "show the version" },
	{ 0 },
};

/* ---- words that look alike ------------------------------------------------------------------ */

#define WORD_MAX 32

/* Edits that turn a into b (Levenshtein); words above WORD_MAX are unlike anything. */
static unsigned int word_distance(const char *a, const char *b)
{
	unsigned int row[WORD_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = (unsigned int)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned int diagonal = row[0];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned int best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			best = row[j] + 1 < best ? row[j] + 1 : best;
			row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
		}
	}
	return row[b_len];
}

/* Keeps the nearer of *best and candidate; more than a third of the letters wrong is not near. */
static void nearer(const char *word, const char *candidate, const char **best,
		   unsigned int *best_distance)
{
	unsigned int distance = word_distance(word, candidate);

	if (distance >= *best_distance || distance > 1 + strlen(word) / 3)
		return;
	*best = candidate;
	*best_distance = distance;
}

const char *dg_nearest(const char *word, const char *const *list)
{
	const char *best = NULL;
	unsigned int distance = WORD_MAX;

	for (; *list; list++)
		nearer(word, *list, &best, &distance);
	return best;
}

static const char *nearest_verb(const struct dg_verb *verbs, const char *word)
{
	const char *best = NULL;
	unsigned int distance = WORD_MAX;

	for (; verbs->name; verbs++)
		nearer(word, verbs->name, &best, &distance);
	return best;
}

static const char *nearest_option(const struct dg_option *options, const char *word)
{
	const char *best = NULL;
	unsigned int distance = WORD_MAX;

	for (; options && options->name; options++)
		nearer(word, options->name, &best, &distance);
	for (options = dg_global_options; options->name; options++)
		nearer(word, options->name, &best, &distance);
	return best;
}

/* ---- values of options ---------------------------------------------------------------------- */

static int choice_parse(const struct dg_option *option, struct dg_value *value,
			struct dg_error *err)
{
	char allowed[256] = "";

	for (size_t i = 0; option->choices[i]; i++) {
		if (!strcmp(option->choices[i], value->text)) {
			value->number = i;
			return 0;
		}
		snprintf(allowed + strlen(allowed), sizeof(allowed) - strlen(allowed), "%s%s",
			 i ? ", " : "", option->choices[i]);
	}
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "--%s \"%s\": use one of: %s", option->name,
		       value->text, allowed);
}

/* A count with an optional K, M or G (powers of 1024). */
static int bytes_parse(const struct dg_option *option, struct dg_value *value, struct dg_error *err)
{
	unsigned long long number = 0;
	char unit = '\0', tail = '\0';
	const char *suffixes = "KMG", *found;
	int fields = value->text[0] >= '0' && value->text[0] <= '9' ?
			     sscanf(value->text, "%9llu%c%c", &number, &unit, &tail) :
			     0;

	found = unit ? strchr(suffixes, unit) : NULL;
	if (found)
		number <<= 10 * (found - suffixes + 1);
	if (fields < 1 || fields > 2 || (unit && !found) || number < option->min ||
	    number > option->max)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "--%s \"%s\": use a size from %lluK to %lluM, like 512K or 8M",
			       option->name, value->text, (unsigned long long)option->min >> 10,
			       (unsigned long long)option->max >> 20);
	value->number = number;
	return 0;
}

/* Puts the option's name in front of what a parser of values.h said. */
static int value_prefixed(int status, const struct dg_option *option, struct dg_error *err)
{
	char text[sizeof(err->text)];

	if (!status || !err)
		return status;
	memcpy(text, err->text, sizeof(text));
	return dg_fail(err, status, err->status, "--%s: %.900s", option->name, text);
}

/* A row without .max takes whatever a duration may be. */
static int duration_parse(const struct dg_option *option, struct dg_value *value,
			  struct dg_error *err)
{
	char least[32], most[32];
	int status =
		value_prefixed(dg_duration_parse(value->text, &value->number, err), option, err);

	if (status || !option->max ||
	    (value->number >= option->min && value->number <= option->max))
		return status;
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "--%s \"%s\": use a duration from %s to %s",
		       option->name, value->text,
		       dg_duration_text(option->min, least, sizeof(least)),
		       dg_duration_text(option->max, most, sizeof(most)));
}

static int value_parse(const struct dg_option *option, struct dg_value *value, struct dg_error *err)
{
	char what[64];

	switch (option->type) {
	case DG_OPT_FLAG:
		value->number = 1;
		return 0;
	case DG_OPT_COUNT:
		snprintf(what, sizeof(what), "--%s", option->name);
		return dg_count_parse(what, value->text, option->min, option->max, &value->number,
				      err);
	case DG_OPT_BYTES:
		return bytes_parse(option, value, err);
	case DG_OPT_DURATION:
		return duration_parse(option, value, err);
	case DG_OPT_PREFIX:
		return value_prefixed(dg_prefix_parse(value->text, &value->prefix, err), option,
				      err);
	case DG_OPT_CHOICE:
		return choice_parse(option, value, err);
	case DG_OPT_TEXT:
		break;
	}
	return 0;
}

/* ---- the walk over argv --------------------------------------------------------------------- */

struct walk {
	const struct dg_verb *verbs;
	int argc, next;
	const char *const *argv;
	bool only_words; /* "--" was seen */
	struct dg_cli *cli;
	struct dg_error *err;
};

static void global_set(struct dg_cli *cli, const struct dg_option *option,
		       const struct dg_value *value)
{
	switch (option - dg_global_options) {
	case 0:
		cli->bpffs = value->text;
		break;
	case 1:
		cli->state_dir = value->text;
		break;
	case 2:
		cli->json = true;
		break;
	case 3:
		cli->help = true;
		break;
	case 4:
		cli->version = true;
		break;
	}
}

/* The row whose name is the first len letters of word, or NULL. */
static const struct dg_option *option_find(const struct dg_option *options, const char *word,
					   size_t len)
{
	for (; options && options->name; options++)
		if (strlen(options->name) == len && !strncmp(options->name, word, len))
			return options;
	return NULL;
}

static int option_unknown(const struct walk *walk, const char *word, size_t len)
{
	const struct dg_verb *verb = walk->cli->verb;
	char name[WORD_MAX + 1];
	const char *near;

	snprintf(name, sizeof(name), "%.*s", (int)(len < WORD_MAX ? len : WORD_MAX), word);
	near = nearest_option(verb ? verb->options : NULL, name);
	if (near)
		return dg_fail(walk->err, -EINVAL, DG_EXIT_USAGE,
			       "\"--%s\" is no option here; did you mean --%s?", name, near);
	return dg_fail(walk->err, -EINVAL, DG_EXIT_USAGE,
		       "\"--%s\" is no option here; \"dnsguard help%s%s\" lists them", name,
		       verb ? " " : "", verb ? verb->name : "");
}

/* The value of an option: behind '=', or the next word. */
static int option_value(struct walk *walk, const struct dg_option *option, const char *equals,
			struct dg_value *value)
{
	*value = (struct dg_value){ .given = true };
	if (option->type == DG_OPT_FLAG && equals)
		return dg_fail(walk->err, -EINVAL, DG_EXIT_USAGE,
			       "--%s takes no value, \"%s\" was given", option->name, equals + 1);
	if (option->type != DG_OPT_FLAG && !equals && walk->next >= walk->argc)
		return dg_fail(walk->err, -EINVAL, DG_EXIT_USAGE, "--%s needs a value: --%s %s",
			       option->name, option->name, option->arg);
	value->text = equals			  ? equals + 1 :
		      option->type == DG_OPT_FLAG ? option->name :
						    walk->argv[walk->next++];
	return value_parse(option, value, walk->err);
}

/* "--name", "--name value" or "--name=value": the verb's own options first. */
static int option_take(struct walk *walk, const char *word)
{
	const struct dg_verb *verb = walk->cli->verb;
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct dg_option *own = option_find(verb ? verb->options : NULL, word, len);
	const struct dg_option *option = own ? own : option_find(dg_global_options, word, len);
	struct dg_value value;
	int status;

	if (!option)
		return option_unknown(walk, word, len);
	if (own && walk->cli->value[own - verb->options].given)
		return dg_fail(walk->err, -EINVAL, DG_EXIT_USAGE, "--%s is given twice", own->name);
	status = option_value(walk, option, equals, &value);
	if (status)
		return status;
	if (own)
		walk->cli->value[own - verb->options] = value;
	else
		global_set(walk->cli, option, &value);
	return 0;
}

static const struct dg_verb *verb_find(const struct dg_verb *verbs, const char *first,
				       const char *second)
{
	size_t len = strlen(first);

	for (; verbs->name; verbs++) {
		if (!second && !strcmp(verbs->name, first))
			return verbs;
		if (second && !strncmp(verbs->name, first, len) && verbs->name[len] == ' ' &&
		    !strcmp(verbs->name + len + 1, second))
			return verbs;
	}
	return NULL;
}

/* The second words that `first` can have: "show, set". */
static void verb_seconds(const struct dg_verb *verbs, const char *first, char *buf, size_t size)
{
	size_t len = strlen(first);

	buf[0] = '\0';
	for (; verbs->name; verbs++)
		if (!strncmp(verbs->name, first, len) && verbs->name[len] == ' ')
			snprintf(buf + strlen(buf), size - strlen(buf), "%s%s", buf[0] ? ", " : "",
				 verbs->name + len + 1);
}

static int verb_unknown(const struct walk *walk, const char *first, const char *second)
{
	char seconds[128];
	const char *near;

	verb_seconds(walk->verbs, first, seconds, sizeof(seconds));
	if (seconds[0] && !second)
		return dg_fail(walk->err, -EINVAL, DG_EXIT_USAGE,
			       "\"%s\" is half a command: add one of: %s", first, seconds);
	if (seconds[0])
		return dg_fail(walk->err, -EINVAL, DG_EXIT_USAGE,
			       "\"%s %.64s\" is not a command: use one of: %s", first, second,
			       seconds);
	near = nearest_verb(walk->verbs, first);
	if (near)
		return dg_fail(walk->err, -EINVAL, DG_EXIT_USAGE,
			       "\"%.64s\" is not a command; did you mean \"%s\"?", first, near);
	return dg_fail(walk->err, -EINVAL, DG_EXIT_USAGE,
		       "\"%.64s\" is not a command; \"dnsguard help\" lists them", first);
}

/* What a first word alone means: "<word> show", or "<word> ls" where show needs to be told of what. */
static const struct dg_verb *verb_shown(const struct dg_verb *verbs, const char *first)
{
	const struct dg_verb *verb = verb_find(verbs, first, "show");

	return verb && !verb->min_args ? verb : verb_find(verbs, first, "ls");
}

static bool is_group(const struct dg_verb *verbs, const char *first)
{
	const size_t len = strlen(first);

	for (; verbs->name; verbs++)
		if (!strncmp(verbs->name, first, len) && verbs->name[len] == ' ')
			return true;
	return false;
}

/* A first word without its second may mean the one that shows. Asked what it takes, it is all that share it. */
static int group_take(struct walk *walk, const char *first, const char *second)
{
	struct dg_cli *cli = walk->cli;
	const bool asks =
		cli->help || (second && (!strcmp(second, "--help") || !strcmp(second, "-h")));

	cli->verb = verb_find(walk->verbs, first, NULL);
	if (is_group(walk->verbs, first))
		cli->group = first;
	if (!cli->verb && (!second || second[0] == '-'))
		cli->verb = verb_shown(walk->verbs, first);
	if (cli->verb || (cli->group && asks && (!second || second[0] == '-')))
		return 0;
	return verb_unknown(walk, first, second);
}

/* The verb that starts with this word: two words, or one. */
static int verb_take(struct walk *walk, const char *first)
{
	const char *second = walk->next < walk->argc ? walk->argv[walk->next] : NULL;
	const struct dg_verb *verb = second ? verb_find(walk->verbs, first, second) : NULL;

	if (!verb)
		return group_take(walk, first, second);
	walk->next++;
	walk->cli->verb = verb;
	return 0;
}

static int word_take(struct walk *walk, const char *word)
{
	struct dg_cli *cli = walk->cli;

	if (!cli->verb && !strcmp(word, "help")) {
		cli->help = true;
		return 0;
	}
	if (!cli->verb)
		return verb_take(walk, word);
	if (cli->args >= DG_ARGS_MAX || cli->args >= cli->verb->max_args)
		return dg_fail(walk->err, -EINVAL, DG_EXIT_USAGE,
			       "\"%.64s\" is one word too many: dnsguard %s%s%s", word,
			       cli->verb->name, cli->verb->args[0] ? " " : "", cli->verb->args);
	cli->arg[cli->args++] = word;
	return 0;
}

static int one_take(struct walk *walk)
{
	const char *word = walk->argv[walk->next++];

	if (walk->only_words || word[0] != '-' || !word[1])
		return word_take(walk, word);
	if (!strcmp(word, "--")) {
		walk->only_words = true;
		return 0;
	}
	if (!strcmp(word, "-h"))
		return option_take(walk, "help");
	if (!strcmp(word, "-V"))
		return option_take(walk, "version");
	if (word[1] != '-')
		return dg_fail(walk->err, -EINVAL, DG_EXIT_USAGE,
			       "\"%.64s\": options are written in full, with two dashes", word);
	return option_take(walk, word + 2);
}

int dg_cli_parse(const struct dg_verb *verbs, int argc, const char *const *argv, struct dg_cli *ret,
		 struct dg_error *err)
{
	struct walk walk = {
		.verbs = verbs, .argc = argc, .next = 1, .argv = argv, .cli = ret, .err = err
	};
	int status = 0;

	*ret = (struct dg_cli){ 0 };
	while (!status && walk.next < argc)
		status = one_take(&walk);
	if (status || ret->help || ret->version)
		return status;
	if (!ret->verb)
		ret->verb = verb_find(verbs, "status", NULL);
	if (ret->verb && ret->args < ret->verb->min_args)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "something is missing: dnsguard %s %s",
			       ret->verb->name, ret->verb->args);
	return 0;
}

/* ---- usage ---------------------------------------------------------------------------------- */

static void options_print_at(FILE *out, const struct dg_option *options, int indent)
{
	char left[64];

	for (; options && options->name; options++) {
		snprintf(left, sizeof(left), "--%s%s%s", options->name, options->arg ? " " : "",
			 options->arg ? options->arg : "");
		fprintf(out, "%*s%-*s %s\n", indent, "", 34 - indent, left, options->help);
	}
}

static void options_print(FILE *out, const struct dg_option *options)
{
	options_print_at(out, options, 2);
}

void dg_usage_print(FILE *out, const struct dg_verb *verbs)
{
	char left[64];

	fprintf(out,
		"usage: dnsguard [OPTIONS] [COMMAND ...]        without a command: status\n\ncommands:\n");
	for (; verbs->name; verbs++) {
		snprintf(left, sizeof(left), "%s %s", verbs->name, verbs->args);
		fprintf(out, "  %-26s %s\n", left, verbs->help);
	}
	fprintf(out, "  %-26s %s\n\noptions:\n", "help [COMMAND]", "show what a command takes");
	options_print(out, dg_global_options);
	fprintf(out,
		"\nexit status: 0 done, 1 failed, 2 usage, 3 not attached or not running, 4 not found,\n"
		"5 refused by a safety check\n");
}

void dg_group_print(FILE *out, const struct dg_verb *verbs, const char *first)
{
	const struct dg_verb *alone = verb_find(verbs, first, NULL);
	const size_t len = strlen(first);
	char left[64];

	alone = alone ? alone : verb_shown(verbs, first);
	fprintf(out, "usage: dnsguard %s COMMAND [OPTIONS]", first);
	if (alone)
		fprintf(out, "        without a command: %s %s", alone->name, alone->args);
	fputs("\n\ncommands:\n", out);
	for (; verbs->name; verbs++) {
		if (strncmp(verbs->name, first, len) ||
		    (verbs->name[len] && verbs->name[len] != ' '))
			continue;
		snprintf(left, sizeof(left), "%s %s", verbs->name, verbs->args);
		fprintf(out, "  %-32s %s\n", left, verbs->help);
		options_print_at(out, verbs->options, 6);
	}
	fputs("\noptions of each:\n", out);
	options_print(out, dg_global_options);
}

void dg_verb_print(FILE *out, const struct dg_verb *verb)
{
	fprintf(out, "usage: dnsguard %s%s%s%s\n\n%s\n", verb->name, verb->args[0] ? " " : "",
		verb->args, verb->options ? " [OPTIONS]" : "", verb->help);
	fprintf(out, "\noptions:\n");
	options_print(out, verb->options);
	options_print(out, dg_global_options);
}
