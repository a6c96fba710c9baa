// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_tcp_shares.c - the table of connections by source, in our own memory: counted, full, and set right by a dump.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <string.h>

#include "userspace/tcp/shares.h"

static struct dg_share_line table[DG_SHARE_LINES], before[DG_SHARE_LINES];
static struct dg_tcp_shares shares = { .line = table, .key = { 0x1234567890abcdef, 42 } };

static struct dg_addr v4(__u32 host)
{
	__be32 word = htonl(host);

	return dg_addr_from_v4(&word);
}

static struct dg_addr v6(const char *text)
{
	__u8 bytes[16];

	assert_int_equal(inet_pton(AF_INET6, text, bytes), 1);
	return dg_addr_from_v6(bytes);
}

static int forget(void **state)
{
	(void)state;
	memset(table, 0, sizeof(table));
	return 0;
}

static void hold(struct dg_addr addr, __s64 by)
{
	for (__u32 rung = 0; rung < DG_SHARE_RUNGS; rung++)
		assert_true(dg_tcp_shares_move(&shares, addr, rung, by));
}

static void prefixes_hold_what_is_in_them(void **state)
{
	(void)state;
	hold(v4(0xc0000201), 3);
	hold(v4(0xc0000202), 4);
	assert_int_equal(dg_tcp_shares_count(&shares, v4(0xc0000201), 0), 3);
	assert_int_equal(dg_tcp_shares_count(&shares, v4(0xc00002ff), 0), 0);
	assert_int_equal(dg_tcp_shares_count(&shares, v4(0xc00002ff), 1), 7);
	assert_int_equal(dg_tcp_shares_count(&shares, v4(0xc0000300), 1), 0);
	assert_int_equal(dg_tcp_shares_count(&shares, v4(0xc0000200), 0), 0);
	hold(v6("2001:db8:1:2::1"), 1);
	hold(v6("2001:db8:1:2:3::1"), 1);
	hold(v6("2001:db8:1:3::1"), 1);
	assert_int_equal(dg_tcp_shares_count(&shares, v6("2001:db8:1:2::ffff"), 0), 2);
	assert_int_equal(dg_tcp_shares_count(&shares, v6("2001:db8:1:9::"), 1), 3);
	assert_int_equal(dg_tcp_shares_count(&shares, v6("2001:db8:2::"), 1), 0);
	assert_int_equal(dg_tcp_shares_count(&shares, v6("2001:db8:1::"), 0), 0);
}

static void what_holds_nothing_leaves_nothing_behind(void **state)
{
	static const struct dg_share_line empty[DG_SHARE_LINES];

	(void)state;
	hold(v4(1), 5);
	hold(v4(1), -2);
	assert_int_equal(dg_tcp_shares_count(&shares, v4(1), 0), 3);
	hold(v4(1), -9); /* never below nothing */
	assert_int_equal(dg_tcp_shares_count(&shares, v4(1), 0), 0);
	assert_memory_equal(table, empty, sizeof(table));
}

static void a_full_line_counts_nobody_new_and_forgets_nobody(void **state)
{
	__u32 refused = 0;

	(void)state;
	for (__u32 host = 0; host < 4 * DG_SHARE_LINES * DG_SHARE_WAYS; host++)
		refused += !dg_tcp_shares_move(&shares, v4(host), 0, 1);
	assert_true(refused > 0);
	for (__u32 host = 0; host < 1000; host++)
		assert_int_equal(dg_tcp_shares_count(&shares, v4(host), 0), 1);
}

/* The table says `held`, the dump `dumped`: what does it say then? */
static __u64 corrected(__s64 held, __s64 dumped, struct dg_tcp_changes changes)
{
	struct dg_tcp_tally tally;
	__u64 is;

	forget(NULL);
	hold(v6("2001:db8::7"), held);
	memcpy(before, table, sizeof(before));
	assert_int_equal(dg_tcp_tally_new(&shares, &tally), 0);
	for (__s64 i = 0; i < dumped; i++)
		dg_tcp_tally_add(&tally, v6("2001:db8::7"));
	dg_tcp_shares_correct(&shares, before, &tally, changes);
	dg_tcp_tally_free(&tally);
	is = dg_tcp_shares_count(&shares, v6("2001:db8::7"), 0);
	assert_int_equal(dg_tcp_shares_count(&shares, v6("2001:db8::7"), 1), is);
	return is;
}

static void a_dump_moves_only_what_cannot_be(void **state)
{
	const struct dg_tcp_changes quiet = { 0, 0 };

	(void)state;
	assert_int_equal(corrected(0, 5, quiet), 5);
	assert_int_equal(corrected(5, 0, quiet), 0);
	assert_int_equal(corrected(5, 5, quiet), 5);
	assert_int_equal(corrected(5, 3, quiet), 3);
	/* two may have come, one may have gone while it was made */
	assert_int_equal(corrected(5, 7, (struct dg_tcp_changes){ 2, 1 }), 5);
	assert_int_equal(corrected(5, 8, (struct dg_tcp_changes){ 2, 1 }), 6);
	assert_int_equal(corrected(5, 4, (struct dg_tcp_changes){ 2, 1 }), 5);
	assert_int_equal(corrected(5, 3, (struct dg_tcp_changes){ 2, 1 }), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(prefixes_hold_what_is_in_them, forget),
		cmocka_unit_test_setup(what_holds_nothing_leaves_nothing_behind, forget),
		cmocka_unit_test_setup(a_full_line_counts_nobody_new_and_forgets_nobody, forget),
		cmocka_unit_test_setup(a_dump_moves_only_what_cannot_be, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
