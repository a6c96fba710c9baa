// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_clock.c - jiffy_zero_ns + jiffies64 * jiffy_ns is CLOCK_MONOTONIC to within a jiffy, on this very kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include "bpf/clock.h"
#include "bpf/clock.skel.h"
#include "loader/internal.h"

#define SPAN_NS 60000000ull /* six jiffies of the slowest clock */
#define PATIENCE_NS                                                                                \
	60000000000ull /* for a reading right after a tick, which a busy machine may give seldom */
#define NEAR_NS 300000ll /* how near that one is */

/* The program's clock less the real one, in ns: 0 at best, a jiffy behind at worst. */
static __s64 error_now(int prog_fd, __u32 jiffy_ns, __u64 zero_ns)
{
	struct dg_clock_sample sample = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &sample, .ctx_size_in = sizeof(sample));

	assert_int_equal(bpf_prog_test_run_opts(prog_fd, &opts), 0);
	return (__s64)(zero_ns + sample.jiffies * jiffy_ns - sample.now_ns);
}

static void test_clock_is_right_to_a_jiffy(void **state)
{
	struct dg_error err = { .text = "" };
	struct clock_bpf *skel;
	__s64 best = INT64_MIN;
	__u64 zero_ns, began_ns;
	__u32 jiffy_ns;

	(void)state;
	if (geteuid()) {
		print_message("needs the right to load programs (root)\n");
		skip();
	}
	if (dg_clock_read(&jiffy_ns, &zero_ns, &err))
		fail_msg("%s", err.text);
	skel = clock_bpf__open_and_load();
	assert_non_null(skel);
	began_ns = dg_now_ns();
	while (dg_now_ns() < began_ns + (best < -NEAR_NS ? PATIENCE_NS : SPAN_NS)) {
		__s64 error =
			error_now(bpf_program__fd(skel->progs.dnsguard_clock), jiffy_ns, zero_ns);

		best = error > best ? error : best;
	}
	clock_bpf__destroy(skel);
	/* Behind by the age of the jiffy, so by next to nothing at its start, and never ahead. */
	assert_true(best <= NEAR_NS);
	assert_true(best >= -NEAR_NS);
}

/* The length is one that Linux can have: 1e9 / CONFIG_HZ, rounded. */
static void test_jiffy_is_one_of_linux(void **state)
{
	static const __u32 lengths[] = { 10000000, 7812500, 5000000, 4000000, 3906250,
					 3333333,  2000000, 1953125, 1000000, 976563 };
	struct dg_error err = { .text = "" };
	__u64 zero_ns;
	__u32 jiffy_ns;
	int known = 0;

	(void)state;
	if (geteuid()) {
		print_message("needs the right to load programs (root)\n");
		skip();
	}
	if (dg_clock_read(&jiffy_ns, &zero_ns, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		known |= jiffy_ns == lengths[i];
	assert_true(known);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_is_right_to_a_jiffy),
		cmocka_unit_test(test_jiffy_is_one_of_linux),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
