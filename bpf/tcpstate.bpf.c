// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcpstate.bpf.c - counts the TCP connections of listeners on guarded ports, at each change of a socket's state.
 *
 * Keeps books (struct dg_tcp_row) and decides nothing. Sees the sockets of every network namespace and leaves all but
 * one alone. The count begins with what userspace finds in a dump; from then on each change is booked as it happens.
 */
#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/maps.bpf.h"
#include "bpf/share.bpf.h"
#include "bpf/sock.bpf.h"

#define NS_PER_SEC 1000000000ull
#define NS_PER_MS 1000000ull
#define PEAK_TRIES                                                                                 \
	8 /* against other CPUs that raise it in the same moment; who loses has seen a higher one stored */
#define SHARE_TRIES 4 /* likewise */
#define SECOND_VALUE ((1ull << DG_TCP_SECOND_SHIFT) - 1)

/* Inode of the network namespace that is watched. Set by the loader before load. */
const volatile __u32 dg_netns = 0;
/* What dg_tcp_now.instance says while this instance is the one that counts. Set by the loader before load. */
const volatile __u64 dg_instance = 0;

/* ---- whose socket --------------------------------------------------------------------------- */

static __always_inline __be16 port_of(const struct sock *sk)
{
	return BPF_CORE_READ((const struct inet_sock *)sk, inet_sport);
}

static __always_inline bool port_guarded(__be16 port)
{
	__u32 zero = 0;
	const struct dg_settings *set = bpf_map_lookup_elem(&dg_settings, &zero);

	return set && port &&
	       (port == set->ports[0] || port == set->ports[1] || port == set->ports[2] ||
		port == set->ports[3]);
}

/* The instance in charge, in its namespace, on a guarded port. */
static __always_inline bool is_ours(const struct sock *sk)
{
	__u32 zero = 0;
	const struct dg_tcp_now *now = bpf_map_lookup_elem(&dg_tcp_now, &zero);

	return sk->sk_protocol == IPPROTO_TCP && now && now->instance == dg_instance &&
	       port_guarded(port_of(sk)) && sk->__sk_common.skc_net.net->ns.inum == dg_netns;
}

/* The address in the 16-byte form of abi.h. */
static __always_inline void key_read(const struct sock *sk, struct dg_tcp_key *ret)
{
	__be32 *words = (__be32 *)&ret->addr;

	__builtin_memset(ret, 0, sizeof(*ret));
	ret->port = port_of(sk);
	if (sk->__sk_common.skc_family == SOCK_INET) {
		words[2] = bpf_htonl(0xffff);
		words[3] = sk->__sk_common.skc_rcv_saddr;
	} else if (bpf_core_field_exists(sk->__sk_common.skc_v6_rcv_saddr)) {
		BPF_CORE_READ_INTO(&ret->addr, sk, __sk_common.skc_v6_rcv_saddr);
	}
}

/* The listener of a connection: on its very address, on any IPv4 address, on any address. */
static __always_inline __u32 *listener_find(const struct sock *sk)
{
	struct dg_tcp_key key;
	__be32 *words = (__be32 *)&key.addr;
	__u32 *row;

	key_read(sk, &key);
	row = bpf_map_lookup_elem(&dg_tcp_listen, &key);
	if (!row && !key.addr.hi && words[2] == bpf_htonl(0xffff)) {
		words[3] = 0;
		row = bpf_map_lookup_elem(&dg_tcp_listen, &key);
	}
	if (!row) {
		key.addr.hi = 0;
		key.addr.lo = 0;
		row = bpf_map_lookup_elem(&dg_tcp_listen, &key);
	}
	return row;
}

/* A row for a new listener. Of several sockets of one address that begin at once each takes a row, one is used. */
static __always_inline void listener_note(const struct sock *sk)
{
	struct dg_tcp_now *now;
	struct dg_tcp_key key;
	__u32 zero = 0, row;

	key_read(sk, &key);
	now = bpf_map_lookup_elem(&dg_tcp_now, &zero);
	if (!now || bpf_map_lookup_elem(&dg_tcp_listen, &key))
		return;
	row = now->rows < DG_TCP_LISTENERS_MAX ? __sync_fetch_and_add(&now->rows, 1) :
						 DG_TCP_LISTENERS_MAX;
	if (row < DG_TCP_LISTENERS_MAX)
		bpf_map_update_elem(&dg_tcp_listen, &key, &row, BPF_NOEXIST);
	else
		__sync_fetch_and_add(&now->refused, 1);
}

/* ---- the books ------------------------------------------------------------------------------ */

static __always_inline void raise(__u64 *most, __u64 value)
{
	for (int i = 0; i < PEAK_TRIES; i++) {
		__u64 seen = *(volatile __u64 *)most;

		if (seen >= value || __sync_val_compare_and_swap(most, seen, value) == seen)
			return;
	}
}

/* So many at this moment. A level is booked when it begins and when it ends: so each second knows its own peak. */
static __always_inline void level_note(struct dg_tcp_row *row, __s64 level, __u64 now_ns)
{
	__u64 second = now_ns / NS_PER_SEC;
	struct dg_tcp_second *cell = &row->second[second & (DG_TCP_SECONDS - 1)];

	if (level <= 0)
		return;
	raise(&row->peak, level);
	/* The second stands above the value: a later one is always the greater number. */
	raise(&cell->peak, second << DG_TCP_SECOND_SHIFT | (level & SECOND_VALUE));
}

static __always_inline void opened_note(struct dg_tcp_row *row, __u64 now_ns)
{
	__u64 second = now_ns / NS_PER_SEC;
	__u64 *word = &row->second[second & (DG_TCP_SECONDS - 1)].opened;

	__sync_fetch_and_add(&row->opened, 1);
	for (int i = 0; i < PEAK_TRIES; i++) {
		__u64 seen = *(volatile __u64 *)word;
		__u64 next = seen >> DG_TCP_SECOND_SHIFT == second ?
				     seen + 1 :
				     second << DG_TCP_SECOND_SHIFT | 1;

		if (__sync_val_compare_and_swap(word, seen, next) == seen)
			return;
	}
}

static __always_inline __u32 hold_bucket(__u64 hold_ns)
{
	__u32 bucket = 0;

	for (__u64 ms = hold_ns / NS_PER_MS; ms && bucket < DG_TCP_HOLD_BUCKETS - 1; ms >>= 1)
		bucket++;
	return bucket;
}

static __always_inline void hold_note(struct dg_tcp_row *row, __u64 hold_ns)
{
	__u32 bucket = hold_bucket(hold_ns);

	__sync_fetch_and_add(&row->hold_count, 1);
	__sync_fetch_and_add(&row->hold_ns, hold_ns);
	if (bucket < DG_TCP_HOLD_BUCKETS)
		__sync_fetch_and_add(&row->hold[bucket], 1);
}

/* ---- by source ------------------------------------------------------------------------------ */

/*
 * Each change is one compare-and-swap. Two CPUs that bring the same source at once may give it two cells of its line; readers
 * add them up, so the sum is right. A removal that loses each time is forgone: userspace sets the count right.
 *
 * The way counts id: one more or less, unless other CPUs are faster each time.
 */
static __always_inline bool share_way_move(__u64 *cell, __u64 id, bool more)
{
	__u64 seen = *(volatile __u64 *)cell, next, held;

#pragma unroll
	for (__u32 try = 0; try < SHARE_TRIES; try++) {
		if (!seen || (seen ^ id) >> DG_SHARE_COUNT_BITS)
			return false;
		if (more && (seen & DG_SHARE_COUNT_MASK) == DG_SHARE_COUNT_MASK)
			return false;
		next = more ? seen + 1 : (seen & DG_SHARE_COUNT_MASK) == 1 ? 0 : seen - 1;
		held = __sync_val_compare_and_swap(cell, seen, next);
		if (held == seen)
			return true;
		seen = held;
	}
	return false;
}

/*
 * One more. 0 = not counted: no room. Functions of their own, verified once; and each way ends in a return or is forgotten, so
 * that to the verifier eight ways are a line, not a tree.
 */
__noinline int share_add(__u64 hi, __u64 lo, __u32 rung)
{
	__u64 id = 0;
	struct dg_share_line *line = share_line((struct dg_addr){ hi, lo }, rung & 1, &id);

	if (!line)
		return 0;
#pragma unroll
	for (__u32 i = 0; i < DG_SHARE_WAYS; i++)
		if (share_way_move(&line->cell[i], id, true))
			return 1;
#pragma unroll
	for (__u32 i = 0; i < DG_SHARE_WAYS; i++)
		if (!__sync_val_compare_and_swap(&line->cell[i], 0, id + 1))
			return 1;
	return 0;
}

/* One less. 0 = there is none. */
__noinline int share_remove(__u64 hi, __u64 lo, __u32 rung)
{
	__u64 id = 0;
	struct dg_share_line *line = share_line((struct dg_addr){ hi, lo }, rung & 1, &id);

	if (!line)
		return 0;
#pragma unroll
	for (__u32 i = 0; i < DG_SHARE_WAYS; i++)
		if (share_way_move(&line->cell[i], id, false))
			return 1;
	return 0;
}

static __always_inline struct dg_addr peer_read(const struct sock *sk)
{
	struct dg_addr addr = { 0, 0 };
	__be32 *words = (__be32 *)&addr;

	if (sk->__sk_common.skc_family == SOCK_INET) {
		words[2] = bpf_htonl(0xffff);
		words[3] = sk->__sk_common.skc_daddr;
	} else if (bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
		BPF_CORE_READ_INTO(&addr, sk, __sk_common.skc_v6_daddr);
	}
	return addr;
}

/* One more for the peer's prefixes. Returns a bit for each that has room for it. */
static __always_inline __u32 shares_add(const struct sock *sk)
{
	struct dg_addr peer = peer_read(sk);
	struct dg_tcp_now *now;
	__u32 zero = 0, shares = 0;

	for (__u32 rung = 0; rung < DG_SHARE_RUNGS; rung++)
		shares |= share_add(peer.hi, peer.lo, rung) << rung;
	now = bpf_map_lookup_elem(&dg_tcp_now, &zero);
	if (now && !(shares & 1))
		__sync_fetch_and_add(&now->shares_left_out, 1);
	return shares;
}

static __always_inline void shares_remove(const struct sock *sk, __u32 shares)
{
	struct dg_addr peer = peer_read(sk);

	for (__u32 rung = 0; rung < DG_SHARE_RUNGS; rung++)
		if (shares >> rung & 1)
			share_remove(peer.hi, peer.lo, rung);
}

/* ---- one connection ------------------------------------------------------------------------- */

static __always_inline void open_note(const struct sock *sk)
{
	__u64 now_ns = bpf_ktime_get_ns();
	struct dg_tcp_since *since;
	struct dg_tcp_row *row;
	__u32 *at = listener_find(sk), index, shares;

	if (!at)
		return;
	index = *at;
	row = bpf_map_lookup_elem(&dg_tcp_rows, &index);
	if (!row)
		return;
	shares = shares_add(sk);
	/* The count first: who reads them the other way round has each opened one in the count. */
	level_note(row, __sync_fetch_and_add(&row->connections, 1) + 1, now_ns);
	opened_note(row, now_ns);
	since = bpf_sk_storage_get(&dg_tcp_since, (void *)sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (since) {
		since->opened_ns = now_ns;
		since->row = index;
		since->shares = shares;
	}
}

/* FIN_WAIT follows on our own FIN; CLOSE_WAIT on the client's; neither is seen where a reset ends it. */
static __always_inline enum dg_tcp_end end_of(int oldstate, int newstate)
{
	if (oldstate == SOCK_CLOSE_WAIT)
		return DG_TCP_REMOTE;
	return newstate == SOCK_FIN_WAIT1 ? DG_TCP_LOCAL : DG_TCP_RESET;
}

/* One from before the start has no storage: it is found by its address, its hold time is not known. */
static __always_inline void close_note(const struct sock *sk, enum dg_tcp_end end)
{
	struct dg_tcp_since *since = bpf_sk_storage_get(&dg_tcp_since, (void *)sk, NULL, 0);
	__u64 now_ns = bpf_ktime_get_ns();
	struct dg_tcp_row *row;
	__u32 *at = since ? &since->row : listener_find(sk), index;

	if (!at)
		return;
	index = *at;
	row = bpf_map_lookup_elem(&dg_tcp_rows, &index);
	if (!row)
		return;
	/* From before the start: then userspace has counted it. */
	shares_remove(sk, since ? since->shares : ~0u);
	level_note(row, __sync_fetch_and_add(&row->connections, -1), now_ns);
	__sync_fetch_and_add(&row->closed, 1);
	__sync_fetch_and_add(&row->ended[end], 1);
	if (since)
		hold_note(row, now_ns - since->opened_ns);
}

/* A connection from a guarded port outwards is booked as well: a dump, which this is checked against, cannot tell it. */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(dnsguard_tcp, const struct sock *sk, const int oldstate, const int newstate)
{
	bool was = oldstate == SOCK_ESTABLISHED || oldstate == SOCK_CLOSE_WAIT;
	bool is = newstate == SOCK_ESTABLISHED || newstate == SOCK_CLOSE_WAIT;

	if ((was == is && newstate != SOCK_LISTEN) || !is_ours(sk))
		return 0;
	if (newstate == SOCK_LISTEN)
		listener_note(sk);
	else if (is)
		open_note(sk);
	else
		close_note(sk, end_of(oldstate, newstate));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
