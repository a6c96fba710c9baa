/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tcp_query.bpf.h - queries in TCP segments: where the messages of a flow begin, and the books on them.
 *
 * A message over TCP has a length of two octets in front (RFC 1035 section 4.2.2), which may come in a segment of its own
 * (RFC 7766 section 8). The flow remembers where the next length is due, so a segment that came before, or in which a message
 * only goes on, begins none. What does not follow on what was seen (a lost segment, a connection from before the start) is
 * taken up where a segment plausibly begins a query. Only a message that is whole in its segment is read.
 *
 * Learns and counts, decides nothing: the frame passes whatever stands here.
 */
#ifndef DG_TCP_QUERY_BPF_H
#define DG_TCP_QUERY_BPF_H

#include "bpf/flow.bpf.h"
#include "bpf/packet.bpf.h"
#include "bpf/question.bpf.h"

#define DG_LENGTH_BYTES 2      /* in front of a message over TCP */
#define DG_SEGMENT_MESSAGES 16 /* read in one segment; the rest of it is left */
#define DG_SEGMENT_REACH 4096 /* octets of a frame in which messages are looked for: power of two */
#define DG_FLOW_WINDOW                                                                             \
	(1 << 24) /* octets between what came last and what comes now; more is another connection */
#define DG_QUESTION_MIN 17 /* octets of a message that asks for the root */

/* Does it carry data, or begin or end a connection? What only acknowledges costs no more than this. */
static __always_inline bool segment_matters(const struct packet *pkt)
{
	const struct tcphdr *tcp = pkt->data + (pkt->f->l4 & 127);

	if ((const void *)(tcp + 1) > pkt->data_end)
		return false;
	return tcp->syn || tcp->fin || tcp->rst || pkt->f->ip_len > tcp->doff * 4u;
}

/* Two octets of the frame in network order, -1 where it cannot be read. */
static __always_inline int segment_u16(const struct packet *pkt, __u32 at)
{
	__u16 *p = pkt->data + (at & (DG_SEGMENT_REACH - 1));

	question_pin(p);
	return at >= DG_SEGMENT_REACH || (void *)(p + 1) > pkt->data_end ? -1 : bpf_ntohs(*p);
}

static __always_inline struct dg_tcp_stats *segment_stats(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&dg_tcp_stats, &zero);
}

/* Now, finer than a jiffy: what the latency of an answer is measured from. */
static __always_inline __u32 segment_stamp(const struct packet *pkt)
{
	return flow_stamp(pkt->f->told ? pkt->f->now_ns : bpf_ktime_get_ns());
}

/* ---- where messages begin ------------------------------------------------------------------- */

/* A first SYN takes a cell, or begins its cell anew; one that comes again changes nothing. Data in a SYN is not read. */
static __always_inline void flow_begin(const struct packet *pkt, const struct segment *seg)
{
	struct flow_cell cell = flow_cell(seg->flow);
	struct dg_flow *flow = cell.flow;

	if (flow && !flow->queries && flow->flags == DG_FLOW_SYN && flow->next_seq == seg->seq + 1)
		return;
	if (!flow)
		flow = flow_take(seg->flow, pkt->f->now_ns);
	if (!flow)
		return;
	if (cell.answers) /* of one just taken there are none */
		*cell.answers = 0;
	*flow = (struct dg_flow){ .mark = flow_mark(seg->flow, pkt->f->now_ns),
				  .next_seq = seg->seq + 1,
				  .syn_at = segment_stamp(pkt),
				  .flags = DG_FLOW_SYN };
}

/* Nothing is to be expected from this client any more: the cell gives way, and remains until then for the answer's time. */
static __always_inline void flow_end(const struct segment *seg)
{
	struct dg_flow *flow = flow_find(seg->flow);

	if (flow)
		flow_flag(flow, DG_FLOW_CLOSING);
}

/* A part of it was not read: what its queries are is not known to the last from here on. */
static __always_inline void flow_gap(const struct segment *seg)
{
	struct dg_flow *flow = flow_find(seg->flow);

	if (flow)
		flow_flag(flow, DG_FLOW_GAP);
}

/* A length that fits, QR=0, opcode QUERY, one question. */
static __always_inline bool segment_plausible(const struct packet *pkt, const struct segment *seg)
{
	int length = segment_u16(pkt, seg->at);
	int flags = segment_u16(pkt, seg->at + DG_LENGTH_BYTES + 2);
	int questions = segment_u16(pkt, seg->at + DG_LENGTH_BYTES + 4);

	return length >= DG_QUESTION_MIN && length + DG_LENGTH_BYTES <= (int)seg->len &&
	       !(flags & 0xf800) && questions == 1;
}

/* Where in the segment a message begins: sets pos and alone. False = nowhere. */
static __always_inline bool segment_follow(const struct packet *pkt, struct segment *seg,
					   struct dg_tcp_stats *stats)
{
	struct dg_flow *flow = flow_find(seg->flow);
	__u32 ahead =
		flow ? flow->next_seq - seg->seq : 0; /* modulo 2^32, as sequence numbers are */

	seg->pos = seg->alone = 0;
	if (flow && ahead < seg->len) {
		seg->pos = ahead;
		seg->alone = flow->alone;
		return true;
	}
	if (flow && ahead < DG_FLOW_WINDOW) {
		stats->inside++;
		return false;
	}
	stats->gaps += !!flow;
	flow_gap(seg);
	if (!segment_plausible(pkt, seg))
		return false;
	stats->found += !flow;
	if (!flow && !flow_take(seg->flow, pkt->f->now_ns))
		stats->homeless++;
	return true;
}

/* One query, in the books of its device, its service and its connection. */
static __always_inline void query_count(const struct packet *pkt, const struct segment *seg,
					__u32 row)
{
	struct dg_flow *flow = flow_find(seg->flow);
	__u32 slot = dg_slot, service = pkt->f->service;
	struct dg_stats *stats = bpf_map_lookup_elem(&dg_stats, &slot);
	struct dg_service_stats *svc = bpf_map_lookup_elem(&dg_svc_stats, &service);
	struct dg_tcp_stats *tcp = segment_stats();

	pkt->f->tcp_queries++;
	if (stats) {
		stats->queries[pkt->f->family & 1][DG_TCP]++;
		stats->qtype[DG_TCP][row & (DG_QTYPE_ROWS - 1)]++;
	}
	if (svc)
		svc->queries[DG_TCP]++;
	if (!flow || flow->queries == DG_FLOW_QUERIES_MAX)
		return;
	flow->queries++;
	for (__u32 i = 0; tcp && i < DG_TCP_REACHED; i++)
		tcp->reached[i] += flow->queries == 1u << i;
}

/* The oldest unanswered query of the flow is this one, unless another waits. */
static __always_inline void query_stamp(const struct packet *pkt, const struct segment *seg)
{
	struct dg_flow *flow = flow_find(seg->flow);

	if (flow && !flow->query_at)
		flow->query_at = segment_stamp(pkt);
}

/* The flow's next message is due at `pos` of this segment, or behind it; with `alone` its length is known. */
static __always_inline void flow_expect(const struct segment *seg, __u32 pos, __u32 alone)
{
	struct dg_flow *flow = flow_find(seg->flow);

	if (!flow)
		return;
	flow->next_seq = seg->seq + pos;
	flow->alone = alone;
}

/* A message begins here and goes on in the next segment. Who sends it is a client: a query unless its header denies it. */
static __always_inline void split_note(const struct packet *pkt, const struct segment *seg,
				       __u32 at, __u32 left)
{
	int flags = left >= DG_HEADER_BYTES ? segment_u16(pkt, at + 2) : 0;

	if (flags >= 0 && flags & 0x8000)
		return;
	query_stamp(pkt, seg);
	query_count(pkt, seg, DG_QTYPE_UNREAD);
}

/* The next message that is whole in this segment: pkt->f->dns_at and dns_len. False = no more. */
static __always_inline bool message_next(const struct packet *pkt, struct segment *seg)
{
	__u32 at = seg->at + seg->pos, left = seg->len - seg->pos;
	int length = seg->alone ? (int)seg->alone : segment_u16(pkt, at);
	__u32 head = seg->alone ? 0 : DG_LENGTH_BYTES;

	flow_expect(seg, seg->pos, seg->alone);
	if (left < head || !left || length < 0 || seg->messages == DG_SEGMENT_MESSAGES) {
		if (left)
			flow_gap(seg);
		return false;
	}
	left -= head;
	if (!left) {
		flow_expect(seg, seg->len, length);
		return false;
	}
	seg->alone = 0;
	seg->pos += head + length;
	flow_expect(seg, seg->pos, 0);
	if ((__u32)length > left) {
		split_note(pkt, seg, at + head, left);
		return false;
	}
	pkt->f->dns_at = at + head;
	pkt->f->dns_len = length;
	seg->messages++;
	return true;
}

/* ---- the two steps of the walk -------------------------------------------------------------- */

static __always_inline bool segment_read(const struct packet *pkt, struct segment *seg)
{
	const struct tcphdr *tcp = pkt->data + (pkt->f->l4 & 127);
	const struct facts *f = pkt->f;
	struct dg_tcp_stats *stats = segment_stats();
	__u32 head;

	if (!stats || (const void *)(tcp + 1) > pkt->data_end)
		return false;
	head = tcp->doff * 4;
	if (head < sizeof(*tcp) || head > f->ip_len || f->l4 + f->ip_len > f->frame_len)
		return false;
	*seg = (struct segment){ .seq = bpf_ntohl(tcp->seq),
				 .at = f->l4 + head,
				 .len = f->ip_len - head,
				 .flow = flow_hash(pkt->set->limit_key, f->saddr, f->daddr,
						   f->sport, f->dport) };
	if (tcp->syn) {
		if (!tcp->ack)
			flow_begin(pkt, seg);
		return false;
	}
	if (tcp->fin || tcp->rst)
		flow_end(seg);
	if (!seg->len || tcp->rst)
		return false;
	stats->segments++;
	return segment_follow(pkt, seg, stats) && message_next(pkt, seg);
}

/* The message at pkt->f->dns_at has been looked at. True = it is a query whose question was read. */
static __always_inline bool message_note(const struct packet *pkt, const struct segment *seg,
					 const struct question *q)
{
	struct message msg = { pkt->data + (pkt->f->dns_at & (DG_SEGMENT_REACH - 1)), pkt->data_end,
			       pkt->f->dns_len };

	if (header_read(&msg))
		return false;
	query_stamp(pkt, seg);
	query_count(pkt, seg, question_row(q->qtype));
	return q->end;
}

#endif
