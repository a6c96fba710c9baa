// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_cli.c - command lines against the very table that main uses: what is understood, and what each refusal says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "userspace/dnsguard/verbs.h"

#define WORDS_MAX 12

static struct dg_cli cli;
static struct dg_error err;

/* Parses one line, cut at blanks. */
static int parse(const char *line)
{
	static char copy[512];
	const char *argv[WORDS_MAX] = { "dnsguard" };
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word && argc < WORDS_MAX; word = strtok(NULL, " "))
		argv[argc++] = word;
	err = (struct dg_error){ .text = "" };
	return dg_cli_parse(dg_verbs, argc, argv, &cli, &err);
}

static void accepted(const char *line, const char *verb)
{
	if (parse(line))
		fail_msg("\"%s\" is refused: %s", line, err.text);
	assert_non_null(cli.verb);
	assert_string_equal(cli.verb->name, verb);
}

/* Refused with status 2, in a sentence that holds this. */
static void refused(const char *line, const char *sentence)
{
	if (parse(line) != -EINVAL)
		fail_msg("\"%s\" is accepted", line);
	assert_int_equal(err.status, DG_EXIT_USAGE);
	if (!strstr(err.text, sentence))
		fail_msg("\"%s\" is refused with \"%s\", not with \"%s\"", line, err.text,
			 sentence);
}

static const struct dg_value *value(const char *option)
{
	for (size_t i = 0; cli.verb->options && cli.verb->options[i].name; i++)
		if (!strcmp(cli.verb->options[i].name, option))
			return &cli.value[i];
	fail_msg("%s has no option --%s", cli.verb->name, option);
	return NULL;
}

static void test_verbs(void **state)
{
	(void)state;
	accepted("", "status");
	accepted("--json", "status");
	assert_true(cli.json);
	accepted("limit", "limit show");
	accepted("limit --json", "limit show");
	accepted("limit set --slip 1", "limit set");
	accepted("source ban 192.0.2.0/24", "source ban");
	accepted("attach eth0", "attach");
	assert_int_equal(cli.args, 1);
	assert_string_equal(cli.arg[0], "eth0");
}

static void test_verbs_refused(void **state)
{
	(void)state;
	refused("stauts", "did you mean \"status\"?");
	refused("frobnicate", "\"dnsguard help\" lists them");
	refused("limit foo", "use one of: show, set");
	refused("attach", "dnsguard attach IFACE");
	refused("attach eth0 eth1", "\"eth1\" is one word too many");
	refused("pause", "dnsguard pause D");
}

static void test_half_a_command(void **state)
{
	(void)state;
	refused("lab", "\"lab\" is half a command: add one of: up, ");
	refused("lab sideways", "\"lab sideways\" is not a command: use one of: up, ");
	accepted("limit", "limit show"); /* where there is something to show, that is meant */
}

static void test_globals_stand_anywhere(void **state)
{
	(void)state;
	accepted("--bpffs /a attach eth0 --state-dir=/b --json", "attach");
	assert_string_equal(cli.bpffs, "/a");
	assert_string_equal(cli.state_dir, "/b");
	assert_true(cli.json);
	accepted("attach eth0", "attach");
	assert_null(cli.bpffs);
	assert_false(cli.json);
}

static void test_help_and_version(void **state)
{
	(void)state;
	assert_int_equal(parse("help"), 0);
	assert_true(cli.help);
	assert_null(cli.verb);
	accepted("help limit set", "limit set");
	assert_true(cli.help);
	accepted("attach --help", "attach"); /* what is missing does not matter then */
	assert_true(cli.help);
	assert_int_equal(parse("--version"), 0);
	assert_true(cli.version);
	refused("help nonsense", "\"nonsense\" is not a command");
}

static void test_typed_values(void **state)
{
	(void)state;
	accepted("attach eth0 --try 2m --mode generic --limiter-memory 16M", "attach");
	assert_true(value("try")->given);
	assert_int_equal(value("try")->number, 120000000000ull);
	assert_int_equal(value("mode")->number, 2);
	assert_int_equal(value("limiter-memory")->number, 16 << 20);
	assert_false(value("observe")->given);
	accepted("limit set --slip 0", "limit set"); /* 0 and "not given" are two things */
	assert_true(value("slip")->given);
	assert_int_equal(value("slip")->number, 0);
	assert_false(value("rate-limit")->given);
	accepted("watch --client 192.0.2.77/24", "watch");
	assert_int_equal(value("client")->prefix.bits, 24);
}

static void test_typed_values_refused(void **state)
{
	(void)state;
	refused("attach eth0 --try", "--try needs a value");
	refused("attach eth0 --try soon", "\"soon\"");
	refused("attach eth0 --mode fast", "use one of: auto, native, generic");
	refused("attach eth0 --observe=yes", "--observe takes no value");
	refused("attach eth0 --observe --observe", "--observe is given twice");
	refused("attach eth0 --limiter-memory 1K", "from 64K to 1024M");
	refused("attach eth0 --limiter-memory 8T", "\"8T\"");
	refused("attach eth0 --limiter-memory 8MM", "\"8MM\"");
	refused("attach eth0 --limiter-memory -8M", "\"-8M\"");
	refused("attach eth0 --limiter-memory 99999999999999999999", "\"99999999999999999999\"");
	refused("attach eth0 --limiter-memory 17179869185G",
		"17179869185G"); /* 1 GiB modulo 2^64 */
	refused("limit set --slip 1001", "\"1001\" is not a whole number from 0 to 1000");
	refused("doctor --sample 0s", "--sample: duration \"0s\" is no time at all: at least 1s");
	refused("doctor --sample 2m", "--sample \"2m\": use a duration from 1s to 1m");
	refused("watch --client 192.0.2.1/33", "\"192.0.2.1/33\"");
	refused("watch --verdict nothing", "\"nothing\"");
}

static void test_options_refused(void **state)
{
	(void)state;
	refused("attach eth0 --observer", "did you mean --observe?");
	refused("attach eth0 --zzzzzz", "\"dnsguard help attach\" lists them");
	refused("attach -o eth0", "options are written in full");
	refused("--try 5s attach eth0",
		"\"--try\" is no option here"); /* options belong to their verb */
}

static void test_two_dashes_end_options(void **state)
{
	(void)state;
	accepted("block -- --json", "block");
	assert_int_equal(cli.args, 1);
	assert_string_equal(cli.arg[0], "--json");
	assert_false(cli.json);
}

/* Every table ends, fits, and says something; the parser relies on it. */
static void test_tables_are_whole(void **state)
{
	(void)state;
	for (const struct dg_verb *verb = dg_verbs; verb->name; verb++) {
		size_t options = 0;

		assert_non_null(verb->run);
		assert_true(verb->help[0]);
		assert_in_range(verb->max_args, verb->min_args, DG_ARGS_MAX);
		for (; verb->options && verb->options[options].name; options++) {
			const struct dg_option *option = &verb->options[options];

			assert_true(option->help[0]);
			assert_int_equal(option->type == DG_OPT_FLAG, option->arg == NULL);
			if (option->type == DG_OPT_CHOICE)
				assert_non_null(option->choices);
		}
		assert_in_range(options, 0, DG_OPTIONS_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_verbs_refused),
		cmocka_unit_test(test_half_a_command),
		cmocka_unit_test(test_globals_stand_anywhere),
		cmocka_unit_test(test_help_and_version),
		cmocka_unit_test(test_typed_values),
		cmocka_unit_test(test_typed_values_refused),
		cmocka_unit_test(test_options_refused),
		cmocka_unit_test(test_two_dashes_end_options),
		cmocka_unit_test(test_tables_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
