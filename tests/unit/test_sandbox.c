// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_sandbox.c - what the compiler of lists cannot do once it has shut itself in, tried from inside, as root.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "userspace/compile/plan.h"

static int read_a_file(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static int look_into_a_directory(void)
{
	return open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_a_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int start_a_process(void)
{
	return fork();
}

static int become_another(void)
{
	return setuid(0);
}

static int run_a_program(void)
{
	char *const argv[] = { (char *)"true", NULL };

	return execv("/bin/true", argv);
}

static const struct {
	const char *name;
	int (*attempt)(void);
} attempts[] = {
	{ "read a file that everybody may read", read_a_file },
	{ "look into a directory", look_into_a_directory },
	{ "open a socket", open_a_socket },
	{ "start a process", start_a_process },
	{ "become another user", become_another },
	{ "run a program", run_a_program },
};

/* 0: it could; 1: it was refused, for want of a right; 2: something else. */
static int outcome(int (*attempt)(void), int shut_in)
{
	int status = 0;
	pid_t child = fork();

	if (!child) {
		if (shut_in && dg_sandbox_enter("/nonexistent/image", NULL))
			_exit(2);
		_exit(attempt() >= 0 ? 0 : errno == EPERM || errno == EACCES ? 1 : 2);
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_shut_in_it_can_do_none_of_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (outcome(attempts[i].attempt, 1) != 1)
			fail_msg("it could %s", attempts[i].name);
}

/* Twin: it is the sandbox that refuses. */
static void test_outside_it_could(void **state)
{
	(void)state;
	if (geteuid()) {
		print_message("only root can become root\n");
		skip();
	}
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++)
		if (outcome(attempts[i].attempt, 0) != 0)
			fail_msg("it could not %s", attempts[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shut_in_it_can_do_none_of_it),
		cmocka_unit_test(test_outside_it_could),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
