/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.h - the command line as data: verbs, their options, and one parser for all of them.
 *
 * A verb is a row of dg_verbs[] (verbs.c) and a function; its options are a typed table. The parser is pure: it
 * looks at no file and no environment, allocates nothing, prints nothing and never exits, so it can be fuzzed.
 */
#ifndef DG_OPTIONS_H
#define DG_OPTIONS_H

#include <stdbool.h>

#include "userspace/lib/scope.h"
#include "userspace/lib/values.h"

#define DG_ARGS_MAX 256	  /* words after the verb: names for block and its kin */
#define DG_OPTIONS_MAX 24 /* rows of one option table */

enum dg_option_type {
	DG_OPT_FLAG,	 /* no value; number is 1 when given */
	DG_OPT_TEXT,	 /* text */
	DG_OPT_COUNT,	 /* number, min .. max */
	DG_OPT_BYTES,	 /* number, min .. max; K, M and G are accepted behind it */
	DG_OPT_DURATION, /* number is nanoseconds */
	DG_OPT_PREFIX,	 /* prefix */
	DG_OPT_CHOICE,	 /* number is the index of the word in choices */
};

struct dg_option {
	const char *name; /* without the dashes; a table ends with a NULL name */
	enum dg_option_type type;
	const char *arg; /* how the value is called in the usage, NULL for a flag */
	const char *help;
	__u64 min, max;
	const char *const *choices; /* ends with NULL */
};

/* What was given for the option in the same row; "given" is apart, so 0 is never ambiguous. */
struct dg_value {
	bool given;
	__u64 number;
	const char *text; /* the word as given, always set when given */
	struct dg_prefix prefix;
};

struct dg_verb;

/* One parsed command line. Texts point into argv. */
struct dg_cli {
	const char *bpffs, *state_dir; /* NULL = not given */
	bool json;
	bool elsewhere; /* the guard stands in another network namespace: the lab's */
	bool help;	/* show the usage of verb, or of everything when verb is NULL */
	bool version;	/* show the version */
	const struct dg_verb *verb;
	const char *group; /* a first word that others share, given without a second; else NULL */
	int args;
	const char *arg[DG_ARGS_MAX];
	struct dg_value value[DG_OPTIONS_MAX]; /* as the rows of verb->options */
};

/*
 * What a verb does. Returns the exit status (enum dg_exit, or what its help says), or -errno with *err filled:
 * then main prints err->text and exits with err->status.
 */
typedef int dg_verb_fn(const struct dg_cli *cli, struct dg_error *err);

struct dg_verb {
	const char *name; /* one word or two ("limit set"); a table ends with a NULL name */
	dg_verb_fn *run;
	const char *args; /* the words after it, for the usage: "IFACE", "NAME [TYPE]" */
	const char *help;
	const struct dg_option *options; /* NULL = none of its own */
	int min_args, max_args;
};

/*
 * Reads argv[1 ..] against the table. No word at all means the verb "status"; a first word that only exists with
 * a second one ("limit", "list") means the one that shows: "limit show", "list ls". -EINVAL (status DG_EXIT_USAGE) with one sentence that quotes the
 * word and says what is allowed. *ret is filled as far as it was understood.
 */
int dg_cli_parse(const struct dg_verb *verbs, int argc, const char *const *argv, struct dg_cli *ret,
		 struct dg_error *err);

/* Understood before and after every verb. */
extern const struct dg_option dg_global_options[];

/* The usage of everything, of all verbs that share a first word, or of one verb, printed from the tables. */
void dg_usage_print(FILE *out, const struct dg_verb *verbs);
void dg_group_print(FILE *out, const struct dg_verb *verbs, const char *first);
void dg_verb_print(FILE *out, const struct dg_verb *verb);

/* The word of a list (ending with NULL) that is nearest to `word`, or NULL when none is near. */
const char *dg_nearest(const char *word, const char *const *list);

#endif
