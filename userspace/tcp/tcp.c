// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcp.c - the books on TCP connections: opened in shared memory, set right by a dump, read.
 *
 * Nothing here decides anything; what cannot be read is left as it is.
 */
#include "userspace/tcp/tcp.h"
#include "userspace/tcp/rows.h"
#include "userspace/tcp/shares.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define NS_PER_SEC 1000000000ull
#define MINUTE 60
#define RATE_SECONDS 10
#define SECOND_VALUE ((1ull << DG_TCP_SECOND_SHIFT) - 1)

#define load(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

__u32 dg_tcp_netns(void)
{
	struct stat stat_of;

	return stat("/proc/thread-self/ns/net", &stat_of) ? 0 : (__u32)stat_of.st_ino;
}

/* ---- the books ------------------------------------------------------------------------------ */

static size_t page_up(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

static size_t rows_bytes(void)
{
	return page_up(DG_TCP_LISTENERS_MAX * sizeof(struct dg_tcp_row));
}

static void *share(int map_fd, size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

void dg_tcp_books_close(struct dg_tcp_books *books)
{
	if (books->row)
		munmap(books->row, rows_bytes());
	if (books->now)
		munmap(books->now, page_up(sizeof(*books->now)));
	*books = DG_TCP_BOOKS_NONE;
}

static void keys_read(int map_fd, struct dg_tcp_books *books)
{
	const struct dg_tcp_key *before = NULL;
	struct dg_tcp_key key;
	__u32 row;

	books->count = 0;
	while (books->count < DG_TCP_LISTENERS_MAX && !bpf_map_get_next_key(map_fd, before, &key)) {
		if (!bpf_map_lookup_elem(map_fd, &key, &row) && row < DG_TCP_LISTENERS_MAX) {
			books->key[books->count] = key;
			books->at[books->count++] = row;
		}
		before = &key;
	}
}

int dg_tcp_books_open(const struct dg_maps *maps, struct dg_tcp_books *ret)
{
	*ret = DG_TCP_BOOKS_NONE;
	ret->row = share(maps->dg_tcp_rows, rows_bytes());
	ret->now = ret->row ? share(maps->dg_tcp_now, page_up(sizeof(*ret->now))) : NULL;
	if (!ret->now) {
		int status = -errno;

		dg_tcp_books_close(ret);
		return status;
	}
	keys_read(maps->dg_tcp_listen, ret);
	return 0;
}

/* ---- set right by a dump -------------------------------------------------------------------- */

static bool key_known(const struct dg_tcp_books *books, const struct dg_tcp_key *key)
{
	for (__u32 i = 0; i < books->count; i++)
		if (!memcmp(&books->key[i], key, sizeof(*key)))
			return true;
	return false;
}

static void listeners_note(const struct dg_maps *maps, struct dg_tcp_books *books,
			   const struct dg_tcp_dump *dump)
{
	for (__u32 i = 0; i < dump->listeners; i++)
		if (!key_known(books, &dump->listener[i].key))
			dg_tcp_row_give(maps, books, &dump->listener[i].key, dg_now_ns());
	keys_read(maps->dg_tcp_listen, books);
}

static void peak_raise(struct dg_tcp_row *row, __s64 level)
{
	__u64 seen = load(row->peak);

	while (level > 0 && seen < (__u64)level &&
	       !__atomic_compare_exchange_n(&row->peak, &seen, (__u64)level, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

struct moment {
	__s64 connections;
	__u64 opened, closed;
};

/* The program counts a connection before it notes it as opened or closed; read the other way round, no change that is
 * noted is missing in the count.
 */
static struct moment moment_read(const struct dg_tcp_row *row)
{
	struct moment moment = { .opened = __atomic_load_n(&row->opened, __ATOMIC_ACQUIRE),
				 .closed = __atomic_load_n(&row->closed, __ATOMIC_ACQUIRE) };

	moment.connections = __atomic_load_n(&row->connections, __ATOMIC_ACQUIRE);
	return moment;
}

/*
 * While the dump was made, some were opened and some closed; each of them may or may not be in it. So the count before
 * is wrong by no less than `least` and no more than `most`, and is moved only where 0 is not among them.
 */
static __s64 row_correct(struct dg_tcp_row *row, struct moment before, __u32 dumped)
{
	__s64 wrong = before.connections - dumped;
	__s64 least = wrong - (__s64)(load(row->closed) - before.closed);
	__s64 most = wrong + (__s64)(load(row->opened) - before.opened);
	__s64 add = least > 0 ? -least : most < 0 ? -most : 0;

	if (add)
		peak_raise(row, __atomic_add_fetch(&row->connections, add, __ATOMIC_RELAXED));
	return add < 0 ? -add : add;
}

/* What is checked, as it was when the dump began, and the dump. Large: on the heap. */
struct check {
	struct dg_tcp_shares shares;
	struct dg_tcp_tally tally;
	struct dg_share_line shares_before[DG_SHARE_LINES];
	struct moment before[DG_TCP_LISTENERS_MAX];
	struct dg_tcp_dump dump;
};

static void check_free(struct check **check)
{
	if (*check) {
		dg_tcp_shares_close(&(*check)->shares);
		dg_tcp_tally_free(&(*check)->tally);
	}
	free(*check);
}

static int check_begin(const struct dg_maps *maps, const __be16 ports[DG_PORTS_MAX],
		       struct dg_tcp_books *books, struct check *check)
{
	int status = dg_tcp_books_open(maps, books);

	if (!status)
		status = dg_tcp_shares_open(maps, &check->shares);
	if (!status)
		status = dg_tcp_tally_new(&check->shares, &check->tally);
	if (!status)
		status = dg_tcp_listeners_read(ports, &check->dump);
	if (status)
		return status;
	listeners_note(maps, books, &check->dump);
	for (__u32 i = 0; i < books->count; i++)
		check->before[i] = moment_read(&books->row[books->at[i]]);
	/* After the moments: the program counts for the source before it notes the change. */
	memcpy(check->shares_before, check->shares.line, sizeof(check->shares_before));
	return 0;
}

static __s64 check_end(const struct dg_tcp_books *books, struct check *check)
{
	struct dg_tcp_changes changes = { 0, 0 };
	__s64 moved = 0;

	for (__u32 i = 0; i < books->count; i++) {
		struct dg_tcp_row *row = &books->row[books->at[i]];

		changes.opened += load(row->opened) - check->before[i].opened;
		changes.closed += load(row->closed) - check->before[i].closed;
		moved += row_correct(row, check->before[i], check->dump.connections[books->at[i]]);
	}
	dg_tcp_shares_correct(&check->shares, check->shares_before, &check->tally, changes);
	return moved;
}

int dg_tcp_reconcile(const struct dg_maps *maps)
{
	dg_scoped(dg_tcp_books_close) struct dg_tcp_books books = DG_TCP_BOOKS_NONE;
	dg_scoped(check_free) struct check *check = calloc(1, sizeof(*check));
	struct dg_settings settings;
	int moved, status = check ? dg_settings_read(maps, &settings) : -ENOMEM;

	if (!status)
		status = check_begin(maps, settings.ports, &books, check);
	if (!status)
		status = dg_tcp_dump_read(&books, settings.ports, &check->tally, &check->dump);
	if (status)
		return status;
	moved = (int)check_end(&books, check);
	dg_tcp_rows_reclaim(maps, &books, &check->dump, dg_now_ns());
	return moved;
}

/* ---- reading -------------------------------------------------------------------------------- */

int dg_tcp_view_read(const struct dg_maps *maps, struct dg_tcp_view *ret)
{
	struct dg_settings settings;
	int status = dg_settings_read(maps, &settings);

	if (!status)
		status = dg_tcp_books_open(maps, &ret->books);
	if (status)
		return status;
	dg_tcp_host_read(&ret->host);
	status = dg_tcp_dump_read(&ret->books, settings.ports, NULL, &ret->dump);
	if (status)
		dg_tcp_books_close(&ret->books);
	return status;
}

const struct dg_tcp_row *dg_tcp_row_of(const struct dg_tcp_books *books,
				       const struct dg_tcp_key *key)
{
	for (__u32 i = 0; i < books->count; i++)
		if (!memcmp(&books->key[i], key, sizeof(*key)))
			return &books->row[books->at[i]];
	return NULL;
}

/* Seconds since a cell's own; a cell that is being overwritten, or never was written, is old. */
static __u64 cell_age(__u64 cell, __u64 second)
{
	return second - (cell >> DG_TCP_SECOND_SHIFT);
}

__u64 dg_tcp_peak_minute(const struct dg_tcp_row *row, __u64 now_ns)
{
	__u64 second = now_ns / NS_PER_SEC;
	__s64 now = load(row->connections);
	__u64 peak = now > 0 ? (__u64)now : 0;

	for (__u32 i = 0; i < DG_TCP_SECONDS; i++) {
		__u64 cell = load(row->second[i].peak);

		if (cell && cell_age(cell, second) <= MINUTE && (cell & SECOND_VALUE) > peak)
			peak = cell & SECOND_VALUE;
	}
	return peak;
}

double dg_tcp_new_per_second(const struct dg_tcp_row *row, __u64 now_ns)
{
	__u64 second = now_ns / NS_PER_SEC, opened = 0;

	for (__u32 i = 0; i < DG_TCP_SECONDS; i++) {
		__u64 cell = load(row->second[i].opened), age = cell_age(cell, second);

		if (cell && age >= 1 && age <= RATE_SECONDS)
			opened += cell & SECOND_VALUE;
	}
	return (double)opened / RATE_SECONDS;
}

/* Milliseconds where a bucket of hold times begins. */
static double bucket_begin(__u32 bucket)
{
	return bucket ? (double)(1ull << (bucket - 1)) : 0;
}

double dg_tcp_hold_quantile(const struct dg_tcp_row *row, double quantile)
{
	double total = 0, seen = 0, wanted;

	for (__u32 i = 0; i < DG_TCP_HOLD_BUCKETS; i++)
		total += (double)load(row->hold[i]);
	wanted = total * quantile;
	for (__u32 i = 0; total > 0 && i < DG_TCP_HOLD_BUCKETS; i++) {
		double here = (double)load(row->hold[i]), begin = bucket_begin(i);

		if (here > 0 && seen + here >= wanted)
			return (begin + (bucket_begin(i + 1) - begin) * (wanted - seen) / here) /
			       1000;
		seen += here;
	}
	return -1;
}

char *dg_tcp_key_text(const struct dg_tcp_key *key, char buf[DG_TCP_KEY_TEXT])
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };
	char address[INET6_ADDRSTRLEN];
	const __u8 *bytes = (const __u8 *)&key->addr;
	bool is_v4 = !memcmp(bytes, mapped, sizeof(mapped));

	if (is_v4)
		inet_ntop(AF_INET, bytes + sizeof(mapped), address, sizeof(address));
	else
		inet_ntop(AF_INET6, bytes, address, sizeof(address));
	snprintf(buf, DG_TCP_KEY_TEXT, is_v4 ? "%s:%u" : "[%s]:%u", address, ntohs(key->port));
	return buf;
}
