// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rows.c - which listener has which row of the books: given out, and taken back from who listens no more.
 *
 * The kernel's program gives rows out as listeners come, until there are no fresh ones. What has been taken back is given out
 * here alone, at a check. A row changes hands only where nobody can book in it: no listener, no connection, for ten minutes.
 */
#include "userspace/tcp/rows.h"

#include <bpf/bpf.h>
#include <string.h>

#define load(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

static void given_mark(const struct dg_tcp_books *books, bool ret[DG_TCP_LISTENERS_MAX])
{
	memset(ret, 0, DG_TCP_LISTENERS_MAX * sizeof(*ret));
	for (__u32 i = 0; i < books->count; i++)
		ret[books->at[i]] = true;
}

/* Another process may want the same one: whoever clears its time has it. */
static bool spare_take(struct dg_tcp_row *row, __u64 now_ns)
{
	__u64 gone_ns = load(row->gone_ns);

	if (!gone_ns || now_ns - gone_ns < DG_TCP_GONE_NS ||
	    !__atomic_compare_exchange_n(&row->gone_ns, &gone_ns, 0, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return false;
	memset(row, 0, sizeof(*row));
	return true;
}

/* A row that nobody has; DG_TCP_LISTENERS_MAX = there is none. */
static __u32 row_take(struct dg_tcp_books *books, __u64 now_ns)
{
	bool given[DG_TCP_LISTENERS_MAX];
	__u32 row = load(books->now->rows);

	if (row < DG_TCP_LISTENERS_MAX)
		row = __atomic_fetch_add(&books->now->rows, 1, __ATOMIC_RELAXED);
	if (row < DG_TCP_LISTENERS_MAX)
		return row;
	given_mark(books, given);
	for (row = 0; row < DG_TCP_LISTENERS_MAX; row++)
		if (!given[row] && spare_take(&books->row[row], now_ns))
			break;
	return row;
}

void dg_tcp_row_give(const struct dg_maps *maps, struct dg_tcp_books *books,
		     const struct dg_tcp_key *key, __u64 now_ns)
{
	__u32 row = row_take(books, now_ns);

	if (row < DG_TCP_LISTENERS_MAX)
		bpf_map_update_elem(maps->dg_tcp_listen, key, &row, BPF_NOEXIST);
}

static bool is_listening(const struct dg_tcp_dump *dump, const struct dg_tcp_key *key)
{
	for (__u32 i = 0; i < dump->listeners; i++)
		if (!memcmp(&dump->listener[i].key, key, sizeof(*key)))
			return true;
	return false;
}

/* Idle since now, unless it was already. Returns whether it has been for so long that it may go. */
static bool idle_note(struct dg_tcp_row *row, __u64 now_ns)
{
	__u64 gone_ns = load(row->gone_ns);

	if (!gone_ns)
		__atomic_store_n(&row->gone_ns, now_ns, __ATOMIC_RELAXED);
	return gone_ns && now_ns - gone_ns >= DG_TCP_GONE_NS;
}

__u32 dg_tcp_rows_reclaim(const struct dg_maps *maps, const struct dg_tcp_books *books,
			  const struct dg_tcp_dump *dump, __u64 now_ns)
{
	bool given[DG_TCP_LISTENERS_MAX];
	__u32 rows = load(books->now->rows), taken = 0;

	given_mark(books, given);
	for (__u32 i = 0; i < books->count; i++) {
		struct dg_tcp_row *row = &books->row[books->at[i]];

		/* A dump that had no room for all listeners does not say who is gone. */
		if (dump->left_out || is_listening(dump, &books->key[i]) ||
		    dump->connections[books->at[i]] || load(row->connections))
			__atomic_store_n(&row->gone_ns, 0, __ATOMIC_RELAXED);
		else if (idle_note(row, now_ns))
			taken += !bpf_map_delete_elem(maps->dg_tcp_listen, &books->key[i]);
	}
	/* Given out and not entered: sockets of one address that began at once took one each. */
	for (__u32 at = 0; at < rows && at < DG_TCP_LISTENERS_MAX; at++)
		if (!given[at])
			idle_note(&books->row[at], now_ns);
	return taken;
}
