// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_program.c - children on the event loop: what is said of one that has ended, and of one whose time is over, by a daemon that
 * was kept from looking meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "userspace/dnsguardd/program.h"

#define SELF "test_program" /* is its own child */
#define NS_PER_SEC 1000000000ull

static void take(void *arg, const struct dg_program_end *end)
{
	*(struct dg_program_end *)arg = *end;
}

/* Its end, after a second for which it may run and nobody looks. `ends`: it does so by itself, and that is waited for. */
static struct dg_program_end child_end(char *role, bool ends)
{
	static char name[] = SELF;
	char *argv[] = { name, role, NULL };
	struct dg_program_end end = { .exit_status = -2 };
	const struct dg_program_want want = {
		.name = SELF, .argv = argv, .seconds_max = 1, .end = take, .arg = &end
	};
	struct dg_error err = { .text = "" };
	struct dg_program *program;
	siginfo_t ended;
	uv_loop_t loop;
	uint64_t began_ns;

	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(dg_program_start(&loop, &want, &program, &err), 0);
	began_ns = uv_hrtime();
	if (ends)
		assert_int_equal(waitid(P_ALL, 0, &ended, WEXITED | WNOWAIT), 0);
	while (uv_hrtime() - began_ns < 2 * NS_PER_SEC)
		usleep(10000);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	return end;
}

static void one_that_ended_in_time_is_not_late(void **state)
{
	static char role[] = "end";
	struct dg_program_end end = child_end(role, true);

	(void)state;
	assert_int_equal(end.exit_status, 0);
	assert_false(end.late);
}

static void one_that_goes_on_is_ended_and_late(void **state)
{
	static char role[] = "wait";
	struct dg_program_end end = child_end(role, false);

	(void)state;
	assert_int_equal(end.exit_status, -1);
	assert_int_equal(end.number, SIGKILL);
	assert_true(end.late);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_ended_in_time_is_not_late),
		cmocka_unit_test(one_that_goes_on_is_ended_and_late),
	};

	if (argc == 2 && !strcmp(argv[1], "end"))
		return 0;
	if (argc == 2 && !strcmp(argv[1], "wait"))
		pause();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
