/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * native_segment.h - the program's own reader of TCP segments, bpf/tcp_query.bpf.h, run natively, with the maps it writes to as
 * plain memory. One flow, which begins anew with native_flow_reset().
 */
#ifndef DG_TEST_NATIVE_SEGMENT_H
#define DG_TEST_NATIVE_SEGMENT_H

#include <stdlib.h>
#include <string.h>
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

static void *native_map(const void *map, __u32 key);
#define bpf_map_lookup_elem(map, key) native_map(map, *(key))
#define bpf_ktime_get_ns() 1
#define bpf_jiffies64() 1

/* Frames have no alignment, and the kernels this runs on need none: words are read where they lie. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpointer-arith"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunknown-pragmas"
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("alignment"))), apply_to = function)
#endif
#include "bpf/tcp_query.bpf.h"

#define NATIVE_L4 34 /* Ethernet and IPv4 */

static struct dg_flow_bucket native_flows[DG_FLOW_BUCKETS];
static struct dg_tcp_stats native_tcp_stats;
static struct dg_stats native_stats;
static struct dg_service_stats native_service_stats;
static struct dg_settings native_settings;

static void *native_map(const void *map, __u32 key)
{
	if (map == &dg_flows)
		return &native_flows[key];
	if (map == &dg_tcp_stats)
		return &native_tcp_stats;
	if (map == &dg_stats)
		return &native_stats;
	return map == &dg_svc_stats ? &native_service_stats : NULL;
}

/* A segment as the walk is given it: transport_read() has said NEXT. */
struct native_segment {
	const __u8 *tcp; /* header and data */
	__u32 len;	 /* octets of them in linear memory */
	__u32 ip_len;	 /* as the IP header has it */
};
struct native_found {
	__u32 queries, messages;
	__u32 last_end; /* of the last message, from the TCP header on */
};

static inline void native_flow_reset(void)
{
	const struct dg_addr nobody = { 0, 0 };
	__u64 hash = flow_hash(native_settings.limit_key, nobody, nobody, 0, 0);

	memset(&native_flows[hash & (DG_FLOW_BUCKETS - 1)], 0, sizeof(native_flows[0]));
	memset(&native_tcp_stats, 0, sizeof(native_tcp_stats));
}

static inline void native_walk(const struct packet *pkt, struct segment *seg,
			       struct native_found *ret)
{
	struct dg_hash hash[DG_LABELS_MAX + 1];
	__u8 label_at[DG_LABELS_MAX + 1];
	struct labels labels = { hash, label_at };
	struct question question = { .end = 0 };

	if (!segment_matters(pkt) || !segment_read(pkt, seg))
		return;
	for (__u32 i = 0; i < DG_SEGMENT_MESSAGES; i++) {
		struct message msg = { pkt->data + pkt->f->dns_at, pkt->data_end, pkt->f->dns_len };

		ret->last_end = pkt->f->dns_at + pkt->f->dns_len - NATIVE_L4;
		ret->messages++;
		question_read(&msg, pkt->set->hash_key, &labels, &question);
		message_note(pkt, seg, &question);
		if (!message_next(pkt, seg))
			return;
	}
}

/* In memory of the very size, so that a sanitizer sees every read beyond it. */
static inline void native_segment_read(const struct native_segment *segment,
				       struct native_found *ret)
{
	__u8 *frame = malloc(NATIVE_L4 + segment->len);
	struct facts facts = { .now_ns = 1,
			       .told = 1,
			       .l4 = NATIVE_L4,
			       .ip_len = segment->ip_len,
			       .frame_len = NATIVE_L4 + (segment->ip_len > segment->len ?
								 segment->ip_len :
								 segment->len),
			       .protocol = IPPROTO_TCP };
	struct packet pkt = { frame, frame + NATIVE_L4 + segment->len, &native_settings, &facts };
	struct segment seg = { .len = 0 };

	if (!frame)
		abort();
	memset(frame, 0, NATIVE_L4);
	memcpy(frame + NATIVE_L4, segment->tcp, segment->len);
	*ret = (struct native_found){ .queries = 0 };
	native_walk(&pkt, &seg, ret);
	ret->queries = facts.tcp_queries;
	free(frame);
}

#ifdef __clang__
#pragma clang attribute pop
#endif
#pragma GCC diagnostic pop

#endif
