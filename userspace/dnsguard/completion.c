// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * completion.c - dnsguard completion bash|zsh: the command table as a script that completes words.
 *
 * Everything the scripts know comes out of the tables; the shells only match words.
 */
#include <errno.h>
#include <string.h>

#include "userspace/dnsguard/verbs.h"

/* ---- what both shells need ------------------------------------------------------------------ */

static int takes_value(const struct dg_option *option)
{
	return option->type != DG_OPT_FLAG;
}

/* "--a|--b": every option of any verb that takes a value, as a pattern; repeats do no harm. */
static void value_options(FILE *out)
{
	const char *between = "";

	for (const struct dg_option *option = dg_global_options; option->name; option++) {
		if (takes_value(option)) {
			fprintf(out, "%s--%s", between, option->name);
			between = "|";
		}
	}
	for (const struct dg_verb *verb = dg_verbs; verb->name; verb++)
		for (const struct dg_option *option = verb->options; option && option->name;
		     option++)
			if (takes_value(option))
				fprintf(out, "|--%s", option->name);
}

/* The command that prints candidates for a word of the usage, or NULL: IFACE, FILE, SHELL. */
static const char *argument_words(const char *args)
{
	if (strstr(args, "IFACE"))
		return "$(command ls /sys/class/net 2>/dev/null)";
	return strstr(args, "SHELL") ? "bash zsh" : NULL;
}

static int is_file(const char *args)
{
	return strstr(args, "FILE") || strstr(args, "SOURCE") || strstr(args, "DIR");
}

/* Has no row before this one the same first word? */
static int is_new_first(const struct dg_verb *verb, size_t len)
{
	for (const struct dg_verb *before = dg_verbs; before < verb; before++)
		if (!strncmp(before->name, verb->name, len) &&
		    (before->name[len] == ' ' || !before->name[len]))
			return 0;
	return 1;
}

/* ---- bash ----------------------------------------------------------------------------------- */

static void bash_value(FILE *out, const char *verb, const struct dg_option *option)
{
	const char *const *choice = option->choices;

	if (!takes_value(option))
		return;
	fprintf(out, "\t'%s%s--%s') ", verb, verb[0] ? " " : "", option->name);
	if (option->type == DG_OPT_CHOICE) {
		fputs("words='", out);
		for (; *choice; choice++)
			fprintf(out, "%s ", *choice);
		fputs("' ;;\n", out);
	} else {
		fputs(is_file(option->arg) ? "files=1 ;;\n" : ";;\n", out);
	}
}

static void bash_values(FILE *out)
{
	fputs("\tcase \"$verb${verb:+ }$previous\" in\n", out);
	for (const struct dg_verb *verb = dg_verbs; verb->name; verb++) {
		for (const struct dg_option *option = verb->options; option && option->name;
		     option++)
			bash_value(out, verb->name, option);
		for (const struct dg_option *option = dg_global_options; option->name; option++)
			bash_value(out, verb->name, option);
	}
	for (const struct dg_option *option = dg_global_options; option->name; option++)
		bash_value(out, "", option);
	fputs("\t*) value= ;;\n\tesac\n", out);
}

static void option_words(FILE *out, const struct dg_option *option)
{
	for (; option && option->name; option++)
		fprintf(out, "--%s ", option->name);
}

/* Second words, where a verb has two; options and arguments where it is whole. */
static void bash_verbs(FILE *out)
{
	fputs("\tcase $verb in\n\t'') words='help ", out);
	for (const struct dg_verb *verb = dg_verbs; verb->name; verb++) {
		size_t len = strcspn(verb->name, " ");

		if (is_new_first(verb, len))
			fprintf(out, "%.*s ", (int)len, verb->name);
	}
	option_words(out, dg_global_options);
	fputs("' ;;\n", out);
	for (const struct dg_verb *verb = dg_verbs; verb->name; verb++) {
		const char *arguments = argument_words(verb->args);

		fprintf(out, "\t'%s') words='", verb->name);
		option_words(out, verb->options);
		option_words(out, dg_global_options);
		fputc('\'', out);
		if (arguments)
			fprintf(out, "\" %s\"", arguments);
		fprintf(out, "%s ;;\n", is_file(verb->args) ? " files=1" : "");
	}
}

static void bash_seconds(FILE *out)
{
	for (const struct dg_verb *verb = dg_verbs; verb->name; verb++) {
		const char *space = strchr(verb->name, ' ');

		if (space)
			fprintf(out, "\t'%.*s') words+='%s ' ;;&\n", (int)(space - verb->name),
				verb->name, space + 1);
	}
	fputs("\tesac\n", out);
}

static const char bash_head[] =
	"# bash completion of dnsguard, printed by: dnsguard completion bash\n"
	"_dnsguard() {\n"
	"\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
	"\tlocal verb= words= files= value=1 word i\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tcase $word in\n\t\t";

static const char bash_middle[] = ") ((i++)) ;;\n"
				  "\t\t-*) ;;\n"
				  "\t\thelp) [[ $verb ]] || continue ;;\n"
				  "\t\t*) case \"$verb${verb:+ }$word\" in\n\t\t\t";

static const char bash_tail[] = "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
				"\tif [[ $files && $current != -* ]]; then\n"
				"\t\tcompopt -o filenames 2>/dev/null\n"
				"\t\tCOMPREPLY+=($(compgen -f -- \"$current\"))\n"
				"\tfi\n"
				"}\n"
				"complete -F _dnsguard dnsguard\n";

/* Every word that begins a verb or makes it whole: what the walk over the line may take as one. */
static void verb_pattern(FILE *out)
{
	for (const struct dg_verb *verb = dg_verbs; verb->name; verb++) {
		const char *space = strchr(verb->name, ' ');

		fprintf(out, "%s'%s'", verb == dg_verbs ? "" : "|", verb->name);
		if (space)
			fprintf(out, "|'%.*s'", (int)(space - verb->name), verb->name);
	}
}

static void bash_print(FILE *out)
{
	fputs(bash_head, out);
	value_options(out);
	fputs(bash_middle, out);
	verb_pattern(out);
	fputs(") verb=\"$verb${verb:+ }$word\" ;;\n\t\t\tesac ;;\n\t\tesac\n\tdone\n", out);
	bash_values(out);
	fputs("\tif [[ ! $value ]]; then\n", out);
	bash_verbs(out);
	fputs("\tesac\n\tcase $verb in\n", out);
	bash_seconds(out);
	fputs("\tfi\n", out);
	fputs(bash_tail, out);
}

/* ---- zsh ------------------------------------------------------------------------------------ */

/* 'word:what it is' in single quotes. */
static void zsh_pair(FILE *out, const char *dashes, const char *word, const char *help)
{
	fprintf(out, "'%s%s:", dashes, word);
	for (; *help; help++)
		fprintf(out, "%s%c", *help == '\'' ? "'\\'" : "", *help);
	fputs("' ", out);
}

static void zsh_options(FILE *out, const struct dg_option *option)
{
	for (; option && option->name; option++)
		zsh_pair(out, "--", option->name, option->help);
}

static void zsh_first_words(FILE *out)
{
	fputs("\t'') words_of=('help:show what a command takes' ", out);
	for (const struct dg_verb *verb = dg_verbs; verb->name; verb++) {
		const size_t len = strcspn(verb->name, " ");
		char first[32];

		snprintf(first, sizeof(first), "%.*s", (int)len, verb->name);
		if (is_new_first(verb, len))
			zsh_pair(out, "", first, verb->name[len] ? "..." : verb->help);
	}
	fputs(") ;;\n", out);
}

static void zsh_verbs(FILE *out)
{
	for (const struct dg_verb *verb = dg_verbs; verb->name; verb++) {
		const char *space = strchr(verb->name, ' ');
		const char *arguments = argument_words(verb->args);

		fprintf(out, "\t'%s') options_of=(", verb->name);
		zsh_options(out, verb->options);
		fputs(")", out);
		if (arguments)
			fprintf(out, "; words_of=(${=:-\"%s\"})", arguments);
		fprintf(out, "%s ;|\n", is_file(verb->args) ? "; files=1" : "");
		if (!space)
			continue;
		fprintf(out, "\t'%.*s') words_of+=(", (int)(space - verb->name), verb->name);
		zsh_pair(out, "", space + 1, verb->help);
		fputs(") ;|\n", out);
	}
}

static void zsh_values(FILE *out)
{
	fputs("\tcase \"$verb $words[CURRENT-1]\" in\n", out);
	for (const struct dg_verb *verb = dg_verbs; verb->name; verb++) {
		for (const struct dg_option *option = verb->options; option && option->name;
		     option++) {
			if (!takes_value(option))
				continue;
			fprintf(out, "\t'%s --%s') ", verb->name, option->name);
			if (option->type == DG_OPT_CHOICE) {
				fputs("compadd --", out);
				for (const char *const *choice = option->choices; *choice; choice++)
					fprintf(out, " %s", *choice);
			} else {
				fputs(is_file(option->arg) ? "_files" : "_message value", out);
			}
			fputs("; return ;;\n", out);
		}
	}
	fputs("\tesac\n", out);
}

static void zsh_print(FILE *out)
{
	fputs("#compdef dnsguard\n"
	      "# zsh completion of dnsguard, printed by: dnsguard completion zsh\n"
	      "_dnsguard() {\n"
	      "\tlocal verb= files= word i\n"
	      "\tlocal -a words_of options_of\n"
	      "\tfor ((i = 2; i < CURRENT; i++)); do\n"
	      "\t\tword=$words[i]\n"
	      "\t\tcase $word in\n\t\t",
	      out);
	value_options(out);
	fputs(") ((i++)) ;;\n\t\t-*) ;;\n\t\t*) case \"$verb${verb:+ }$word\" in\n\t\t\t", out);
	verb_pattern(out);
	fputs(") verb=\"$verb${verb:+ }$word\" ;;\n\t\t\tesac ;;\n\t\tesac\n\tdone\n", out);
	zsh_values(out);
	fputs("\tcase $verb in\n", out);
	zsh_first_words(out);
	zsh_verbs(out);
	fputs("\tesac\n\toptions_of+=(", out);
	zsh_options(out, dg_global_options);
	fputs(")\n"
	      "\t_describe -t commands word words_of\n"
	      "\t_describe -t options option options_of\n"
	      "\tif [[ -n $files ]]; then _files; fi\n"
	      "}\n"
	      "if [[ $funcstack[1] == _dnsguard ]]; then _dnsguard \"$@\"; else compdef _dnsguard dnsguard; fi\n",
	      out);
}

int dg_completion_run(const struct dg_cli *cli, struct dg_error *err)
{
	if (!strcmp(cli->arg[0], "bash"))
		bash_print(stdout);
	else if (!strcmp(cli->arg[0], "zsh"))
		zsh_print(stdout);
	else
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "there is no completion for \"%.64s\": use bash or zsh",
			       cli->arg[0]);
	return DG_EXIT_OK;
}
