/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.bpf.h - the sampled event stream for people who look on.
 *
 * Runs after the verdict and cannot change it. Nobody watching costs one comparison; the stream stops by itself when
 * the watcher no longer renews its deadline. Bounded per second and CPU; what does not fit is counted as lost.
 */
#ifndef DG_WATCH_BPF_H
#define DG_WATCH_BPF_H

#include "bpf/packet.bpf.h"
#include "bpf/question.bpf.h"

/* One more event in this second? */
static __always_inline bool watch_allowed(const struct packet *pkt, struct dg_stats *stats)
{
	__u64 second = pkt->f->now_ns / 1000000000;

	if (stats->event_window != second) {
		stats->event_window = second;
		stats->event_count = 0;
	}
	return stats->event_count++ < pkt->set->watch_per_sec;
}

static __always_inline void event_fill(struct dg_event *event, const struct packet *pkt,
				       enum dg_verdict verdict)
{
	event->time_ns = pkt->f->now_ns;
	event->list = pkt->f->list;
	event->verdict = verdict;
	event->qtype = 0;
	event->sport = bpf_ntohs(pkt->f->sport);
	event->frame_len = pkt->f->frame_len;
	event->slot = dg_slot;
	event->family = pkt->f->family;
	event->transport = pkt->f->protocol == IPPROTO_UDP ? DG_UDP : DG_TCP;
	event->name_len = 0;
	event->saddr = pkt->f->saddr;
	event->daddr = pkt->f->daddr;
}

/* The question stands where it stood, whatever became of the frame. */
static __always_inline void event_question(struct xdp_md *ctx, struct dg_event *event,
					   const struct packet *pkt, const struct question *q)
{
	__u32 len = q->name_len, at = pkt->f->dns_at + DG_HEADER_BYTES;

	if (!q->end || len == 0 || len > DG_NAME_MAX)
		return;
	len = ((len - 1) & 255) + 1; /* as checked; clang hands on an unchecked copy without this */
	question_pin(len);
	if (bpf_xdp_load_bytes(ctx, at, event->name, len))
		return;
	event->name_len = len;
	event->qtype = q->qtype;
}

static __always_inline void watch_note(struct xdp_md *ctx, const struct packet *pkt,
				       const struct question *q, enum dg_verdict verdict)
{
	__u32 slot = dg_slot;
	struct dg_event *event;
	struct dg_stats *stats;

	if (!pkt->f->ours || pkt->f->dry || pkt->f->now_ns >= pkt->set->watch_until_ns ||
	    !(pkt->set->watch_verdicts >> verdict & 1))
		return;
	stats = bpf_map_lookup_elem(&dg_stats, &slot);
	if (!stats)
		return;
	event = watch_allowed(pkt, stats) ? bpf_ringbuf_reserve(&dg_events, sizeof(*event), 0) :
					    NULL;
	if (!event) {
		stats->events_lost++;
		return;
	}
	event_fill(event, pkt, verdict);
	event_question(ctx, event, pkt, q);
	bpf_ringbuf_submit(event, 0);
	stats->events_sent++;
}

#endif
