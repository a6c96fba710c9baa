/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * settle.bpf.h - the end of every walk: counts the verdict and returns the action. The ONLY room that knows XDP_*.
 *
 * Counting cannot fail a frame: a missing counter is not counted, the action stands.
 */
#ifndef DG_SETTLE_BPF_H
#define DG_SETTLE_BPF_H

#include "bpf/packet.bpf.h"
#include "bpf/question.bpf.h"

#define DG_XDP_ACT_PASS XDP_PASS
#define DG_XDP_ACT_DROP XDP_DROP
#define DG_XDP_ACT_REPLY XDP_TX

static __always_inline int settle_action(enum dg_verdict verdict)
{
#define DG_CASE(id, action, label, help)                                                           \
	case DG_##id:                                                                              \
		return DG_XDP_ACT_##action;
	switch (verdict) {
		DG_VERDICTS(DG_CASE)
	default:
		return XDP_PASS;
	}
#undef DG_CASE
}

static __always_inline bool settle_passes(enum dg_verdict verdict)
{
	return settle_action(verdict) == XDP_PASS;
}

/* A protection that only observed gives its label to a frame that passes. */
static __always_inline enum dg_verdict settle_label(const struct packet *pkt,
						    enum dg_verdict verdict)
{
	if (pkt->f->observed && settle_action(verdict) == XDP_PASS)
		return pkt->f->observed;
	return verdict;
}

static __always_inline void count_limit(struct dg_stats *stats, const struct packet *pkt,
					enum dg_verdict verdict)
{
	__u32 action = pkt->f->limit_action - 1;

	if (verdict == DG_REPLY_TRUNCATED)
		action = DG_LIMIT_SLIPPED;
	if (action < DG_LIMIT_ACTIONS)
		stats->limit[pkt->f->family & 1][action]++;
}

static __always_inline void count_service(const struct packet *pkt)
{
	__u32 slot = pkt->f->service;
	struct dg_service_stats *service = bpf_map_lookup_elem(&dg_svc_stats, &slot);

	if (!service)
		return;
	service->queries[DG_UDP] += pkt->f->is_query;
	service->syn += pkt->f->syn_kind == DG_SYN_FIRST + 1;
	service->syn_retransmitted += pkt->f->syn_kind == DG_SYN_RETRANSMITTED + 1;
}

static __always_inline void count_list(const struct packet *pkt, enum dg_verdict verdict)
{
	__u32 list = pkt->f->list;
	struct dg_list_stats *stats;

	if (verdict != DG_REPLY_SINKHOLE && verdict != DG_DROP_SINKHOLE)
		return;
	stats = bpf_map_lookup_elem(&dg_list_stats, &list);
	if (stats && pkt->f->answer_kind < DG_ANSWER_KINDS)
		stats->answers[pkt->f->answer_kind]++;
}

/* Not even a place to keep facts in: it cannot be, and it passes. */
static __always_inline int settle_unseen(void)
{
	return XDP_PASS;
}

static __always_inline int settle(const struct packet *pkt, const struct question *q,
				  enum dg_verdict verdict)
{
	__u32 slot = dg_slot;
	struct dg_stats *stats = bpf_map_lookup_elem(&dg_stats, &slot);

	if (!stats || pkt->f->dry || verdict >= DG_VERDICT_COUNT)
		return settle_action(verdict);
	stats->verdict[verdict].frames++;
	stats->verdict[verdict].bytes += pkt->f->frame_len;
	if (!pkt->f->ours)
		return settle_action(verdict);
	stats->queries[pkt->f->family & 1][DG_UDP] += pkt->f->is_query;
	stats->qtype[DG_UDP][question_row(q->qtype)] += pkt->f->is_query;
	if (pkt->f->syn_kind)
		stats->syn[pkt->f->family & 1][(pkt->f->syn_kind - 1) & 1]++;
	count_limit(stats, pkt, verdict);
	count_service(pkt);
	count_list(pkt, verdict);
	return settle_action(verdict);
}

#endif
