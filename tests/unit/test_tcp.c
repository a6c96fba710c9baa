// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_tcp.c - the books of a listener as people read them: peaks, rates, hold times, addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/tcp/quota.h"
#include "userspace/tcp/rows.h"

#define NOW 1000ull /* seconds */
#define NOW_NS (NOW * 1000000000 + 5)

static __u64 cell(__u64 second, __u64 value)
{
	return second << DG_TCP_SECOND_SHIFT | value;
}

static void book(struct dg_tcp_row *row, __u64 second, __u64 peak, __u64 opened)
{
	row->second[second % DG_TCP_SECONDS] =
		(struct dg_tcp_second){ cell(second, peak), cell(second, opened) };
}

static void peak_is_of_the_last_minute(void **state)
{
	struct dg_tcp_row row = { .connections = 3 };

	(void)state;
	assert_int_equal(dg_tcp_peak_minute(&row, NOW_NS), 3);
	book(&row, NOW - 61, 90, 0);
	assert_int_equal(dg_tcp_peak_minute(&row, NOW_NS), 3);
	book(&row, NOW - 60, 70, 0);
	assert_int_equal(dg_tcp_peak_minute(&row, NOW_NS), 70);
	book(&row, NOW, 80, 0);
	assert_int_equal(dg_tcp_peak_minute(&row, NOW_NS), 80);
}

static void count_below_zero_is_no_peak(void **state)
{
	struct dg_tcp_row row = { .connections = -2 };

	(void)state;
	assert_int_equal(dg_tcp_peak_minute(&row, NOW_NS), 0);
}

static void rate_is_of_ten_whole_seconds(void **state)
{
	struct dg_tcp_row row = { 0 };

	(void)state;
	book(&row, NOW, 0, 1000); /* has only begun */
	book(&row, NOW - 11, 0, 1000);
	assert_true(dg_tcp_new_per_second(&row, NOW_NS) == 0);
	book(&row, NOW - 1, 0, 4);
	book(&row, NOW - 10, 0, 1);
	assert_true(dg_tcp_new_per_second(&row, NOW_NS) == 0.5);
}

static void quantile_lies_within_its_bucket(void **state)
{
	struct dg_tcp_row row = { 0 };

	(void)state;
	assert_true(dg_tcp_hold_quantile(&row, 0.5) == -1);
	row.hold[0] = 1; /* below a millisecond */
	assert_true(dg_tcp_hold_quantile(&row, 1) == 0.001);
	row.hold[0] = 0;
	row.hold[5] = 4; /* 16 to 32 ms */
	assert_true(dg_tcp_hold_quantile(&row, 0.5) == 0.024);
	row.hold[10] = 6; /* 512 to 1024 ms */
	assert_true(dg_tcp_hold_quantile(&row, 0.4) == 0.032);
	assert_true(dg_tcp_hold_quantile(&row, 1) == 1.024);
}

static void check_text(const char *address, int family, const char *want)
{
	struct dg_tcp_key key = { .port = htons(53) };
	char text[DG_TCP_KEY_TEXT];
	__u8 bytes[16];

	assert_int_equal(inet_pton(family, address, bytes), 1);
	key.addr = family == AF_INET ? dg_addr_from_v4(bytes) : dg_addr_from_v6(bytes);
	assert_string_equal(dg_tcp_key_text(&key, text), want);
}

static void listener_has_a_text(void **state)
{
	(void)state;
	check_text("192.0.2.1", AF_INET, "192.0.2.1:53");
	check_text("0.0.0.0", AF_INET, "0.0.0.0:53");
	check_text("::", AF_INET6, "[::]:53");
	check_text("2001:db8::1", AF_INET6, "[2001:db8::1]:53");
}

static void series_is_filled_between_changes(void **state)
{
	struct dg_tcp_row row = { .connections = 6 };
	double levels[10];

	(void)state;
	dg_tcp_series(&row, NOW_NS, levels, 10);
	for (int i = 0; i < 10; i++)
		assert_true(levels[i] == 6); /* nothing has changed for long */
	book(&row, NOW - 2, 6, 1);	     /* one came */
	book(&row, NOW - 5, 9, 0);	     /* four went */
	dg_tcp_series(&row, NOW_NS, levels, 10);
	assert_true(levels[9] == 6 && levels[8] == 6 && levels[7] == 6);
	assert_true(levels[6] == 5 && levels[5] == 5);
	assert_true(levels[4] == 9 && levels[0] == 9);
	book(&row, NOW, 40, 38); /* a burst that has gone again */
	dg_tcp_series(&row, NOW_NS, levels, 10);
	assert_true(levels[9] == 40 && levels[8] == 2);
	dg_tcp_series(&(struct dg_tcp_row){ .connections = -1 }, NOW_NS, levels, 1);
	assert_true(levels[0] == 0);
}

/* ---- rows, on maps of the kernel ------------------------------------------------------------- */

#define SPAN DG_TCP_GONE_NS

struct rows {
	struct dg_maps maps;
	struct dg_tcp_books books;
	struct dg_tcp_dump dump;
};

static int map_make(enum bpf_map_type type, __u32 value_size, __u32 entries, __u32 flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	const __u32 key_size = type == BPF_MAP_TYPE_HASH ? sizeof(struct dg_tcp_key) : 4;
	int fd = bpf_map_create(type, "t_rows", key_size, value_size, entries, &opts);

	if (fd < 0)
		fail_msg("cannot make a map");
	return fd;
}

static void rows_begin(struct rows *rows)
{
	memset(rows, 0, sizeof(*rows));
	rows->maps = DG_MAPS_NONE;
	rows->maps.dg_tcp_rows = map_make(BPF_MAP_TYPE_ARRAY, sizeof(struct dg_tcp_row),
					  DG_TCP_LISTENERS_MAX, BPF_F_MMAPABLE);
	rows->maps.dg_tcp_now =
		map_make(BPF_MAP_TYPE_ARRAY, sizeof(struct dg_tcp_now), 1, BPF_F_MMAPABLE);
	rows->maps.dg_tcp_listen =
		map_make(BPF_MAP_TYPE_HASH, sizeof(__u32), DG_TCP_LISTENERS_MAX, 0);
	assert_int_equal(dg_tcp_books_open(&rows->maps, &rows->books), 0);
}

static void rows_end(struct rows *rows)
{
	dg_tcp_books_close(&rows->books);
	dg_maps_close(&rows->maps);
}

static void books_read(struct rows *rows)
{
	dg_tcp_books_close(&rows->books);
	assert_int_equal(dg_tcp_books_open(&rows->maps, &rows->books), 0);
}

static struct dg_tcp_key key_of(__u32 number)
{
	const __u8 bytes[4] = { 127, 0, (__u8)(number >> 8), (__u8)number };

	return (struct dg_tcp_key){ .addr = dg_addr_from_v4(bytes), .port = htons(53) };
}

/* The row of a listener, -1 = none. */
static int row_number(const struct rows *rows, __u32 number)
{
	struct dg_tcp_key key = key_of(number);
	__u32 row;

	return bpf_map_lookup_elem(rows->maps.dg_tcp_listen, &key, &row) ? -1 : (int)row;
}

static void give(struct rows *rows, __u32 number, __u64 now_ns)
{
	struct dg_tcp_key key = key_of(number);

	dg_tcp_row_give(&rows->maps, &rows->books, &key, now_ns);
	books_read(rows);
}

static __u32 reclaim(struct rows *rows, __u64 now_ns)
{
	__u32 taken = dg_tcp_rows_reclaim(&rows->maps, &rows->books, &rows->dump, now_ns);

	books_read(rows);
	return taken;
}

static void rows_of_those_who_are_gone_are_given_again(void **state)
{
	static struct rows rows;
	int taken;

	(void)state;
	rows_begin(&rows);
	for (__u32 i = 0; i <= DG_TCP_LISTENERS_MAX; i++)
		give(&rows, i, NOW_NS);
	assert_int_equal(rows.books.count, DG_TCP_LISTENERS_MAX);
	assert_int_equal(row_number(&rows, DG_TCP_LISTENERS_MAX), -1);
	rows.dump.listeners = 1; /* 0 listens; of 1 and 2 a connection is left, by either book */
	rows.dump.listener[0].key = key_of(0);
	rows.books.row[row_number(&rows, 0)].peak = 70;
	rows.books.row[row_number(&rows, 1)].connections = 1;
	rows.dump.connections[row_number(&rows, 2)] = 1;
	rows.books.row[row_number(&rows, 3)].peak = 80;
	taken = row_number(&rows, 3);
	assert_int_equal(reclaim(&rows, NOW_NS), 0);
	give(&rows, DG_TCP_LISTENERS_MAX, NOW_NS + SPAN); /* nobody's yet */
	assert_int_equal(row_number(&rows, DG_TCP_LISTENERS_MAX), -1);
	assert_int_equal(reclaim(&rows, NOW_NS + SPAN - 1), 0);
	assert_int_equal(reclaim(&rows, NOW_NS + SPAN), DG_TCP_LISTENERS_MAX - 3);
	for (__u32 i = 0; i < 3; i++)
		assert_true(row_number(&rows, i) >= 0);
	assert_int_equal(row_number(&rows, 3), -1);
	for (__u32 i = 300; i < 300 + DG_TCP_LISTENERS_MAX; i++)
		give(&rows, i, NOW_NS + SPAN);
	assert_int_equal(rows.books.count, DG_TCP_LISTENERS_MAX); /* each row once */
	assert_int_equal(rows.books.row[taken].peak, 0);
	assert_int_equal(rows.books.row[row_number(&rows, 0)].peak, 70);
	rows_end(&rows);
}

static void one_that_comes_back_in_time_keeps_its_row(void **state)
{
	static struct rows rows;

	(void)state;
	rows_begin(&rows);
	give(&rows, 0, NOW_NS);
	rows.books.row[row_number(&rows, 0)].peak = 70;
	reclaim(&rows, NOW_NS);
	rows.dump.listeners = 1;
	rows.dump.listener[0].key = key_of(0);
	assert_int_equal(reclaim(&rows, NOW_NS + SPAN), 0);
	rows.dump.listeners = 0;
	assert_int_equal(reclaim(&rows, NOW_NS + SPAN + 1), 0);
	assert_int_equal(reclaim(&rows, NOW_NS + 2 * SPAN), 0);
	rows.dump.left_out = 1; /* somebody is not in the dump: it may be this one */
	assert_int_equal(reclaim(&rows, NOW_NS + 9 * SPAN), 0);
	assert_int_equal(rows.books.row[row_number(&rows, 0)].peak, 70);
	rows_end(&rows);
}

/* One look finds the processes of all listeners; what nobody has open stays without. */
static void owners_of_many_listeners_are_found_in_one_look(void **state)
{
	enum { MANY = 20 };
	struct dg_tcp_sought sought[MANY + 1];
	int fd[MANY];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		struct stat stat;

		fd[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(fstat(fd[i], &stat), 0);
		sought[i] = (struct dg_tcp_sought){ .inode = (__u32)stat.st_ino };
	}
	sought[MANY] = (struct dg_tcp_sought){ .inode = ~0u };
	assert_int_equal(dg_tcp_owners_find(sought, MANY + 1), 1);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(sought[i].owner.pid, getpid());
		assert_string_equal(sought[i].owner.program, "test_tcp");
		close(fd[i]);
	}
	assert_int_equal(sought[MANY].owner.pid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owners_of_many_listeners_are_found_in_one_look),
		cmocka_unit_test(peak_is_of_the_last_minute),
		cmocka_unit_test(count_below_zero_is_no_peak),
		cmocka_unit_test(rate_is_of_ten_whole_seconds),
		cmocka_unit_test(quantile_lies_within_its_bucket),
		cmocka_unit_test(series_is_filled_between_changes),
		cmocka_unit_test(listener_has_a_text),
		cmocka_unit_test(rows_of_those_who_are_gone_are_given_again),
		cmocka_unit_test(one_that_comes_back_in_time_keeps_its_row),
	};

	return cmocka_run_group_tests_name("tcp", tests, NULL, NULL);
}
