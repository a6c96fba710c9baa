// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * drive.bpf.c - makes honest traffic inside BPF_PROG_TEST_RUN: before every run it puts the whole frame back, with the
 * next sender and the next name, and then goes over to the program under test by a tail call.
 *
 * A test run with repeat does not restore a frame that was rewritten, and repeats one sender, whom the limiter soon
 * refuses. With this driver in front, the program is timed on real, changing queries in a warm loop; the same driver
 * in front of an empty program is what gets subtracted.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/bench/drive.h"

char _license[] SEC("license") = "GPL";

struct hits {
	__u64 answers[9];
};

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

/* For scale: what one look into an LRU hash costs. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

/* For scale: what counting a hit of one of many lists costs; a row is as large as that of the guard. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct hits);
} hits SEC(".maps");

struct drive knobs;
__u32 turn;

static __always_inline void next_sender(void)
{
	__u32 at = knobs.source_at;

	if (at && at <= DRIVE_FRAME_MAX - sizeof(__u32))
		*(__u32 *)(knobs.frame + at) = drive_source(drive_pick(turn, knobs.source_count));
}

static __always_inline void next_name(void)
{
	__u32 at = knobs.name_at;
	__u64 labels[2];

	if (!at || at > DRIVE_FRAME_MAX - 2 * DRIVE_LABEL - 1)
		return;
	drive_name(knobs.name_seed, drive_pick(turn, knobs.name_count), labels);
	*(__u64 *)(knobs.frame + at) = labels[0];
	*(__u64 *)(knobs.frame + at + DRIVE_LABEL + 1) = labels[1];
}

static __always_inline void next_id(void)
{
	__u32 at = knobs.id_at;

	if (at && at <= DRIVE_FRAME_MAX - sizeof(__u16))
		*(__u16 *)(knobs.frame + at) = turn;
}

/* Each segment follows on the one before. */
static __always_inline void next_sequence(void)
{
	__u32 at = knobs.seq_at;

	if (at && at <= DRIVE_FRAME_MAX - sizeof(__u32))
		*(__u32 *)(knobs.frame + at) = bpf_htonl(turn * knobs.seq_step);
}

SEC("xdp")
int drive_next(struct xdp_md *ctx)
{
	__u32 len = knobs.frame_len;

	turn++;
	next_sender();
	next_name();
	next_id();
	next_sequence();
	if (len < 14 || len > DRIVE_FRAME_MAX)
		return XDP_ABORTED;
	bpf_xdp_adjust_tail(ctx, (int)len - (int)bpf_xdp_get_buff_len(ctx));
	if (bpf_xdp_store_bytes(ctx, 0, knobs.frame, len))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &target, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int drive_empty(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

SEC("tc")
int drive_egress(struct __sk_buff *skb)
{
	(void)skb;
	return -1; /* TC_ACT_UNSPEC */
}

/* Counts the sender with a full clock read: the least a limiter on an LRU hash can do. */
SEC("xdp")
int drive_lru(struct xdp_md *ctx)
{
	const __u8 *data = (void *)(long)ctx->data;
	__u64 now = bpf_ktime_get_ns(), *last;
	__u32 source;

	if (data + 30 > (const __u8 *)(long)ctx->data_end)
		return XDP_ABORTED;
	__builtin_memcpy(&source, data + 26, sizeof(source));
	last = bpf_map_lookup_elem(&seen, &source);
	if (last)
		*last = now;
	else
		bpf_map_update_elem(&seen, &source, &now, BPF_ANY);
	return XDP_PASS;
}

/* Counts a hit of the list that an octet of the sender's address names. */
SEC("xdp")
int drive_count(struct xdp_md *ctx)
{
	const __u8 *data = (void *)(long)ctx->data;
	struct hits *row;
	__u32 list;

	if (data + 30 > (const __u8 *)(long)ctx->data_end)
		return XDP_ABORTED;
	list = data[29];
	row = bpf_map_lookup_elem(&hits, &list);
	if (row)
		row->answers[1]++;
	return XDP_PASS;
}
