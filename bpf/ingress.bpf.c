// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ingress.bpf.c - the packet's walk, top to bottom.
 *
 * link, network, transport: strangers leave here, untouched. Behind that the frame is for a guarded service:
 * source; TCP -> the books on SYNs and queries; UDP -> header, limit, question, sinkhole, answer. Then every frame is settled.
 * Each room answers with a verdict; DG_NEXT means walk on.
 */
#include "bpf/packet.bpf.h"
#include "bpf/probe.bpf.h"
#include "bpf/source.bpf.h"
#include "bpf/limit.bpf.h"
#include "bpf/question.bpf.h"
#include "bpf/sinkhole.bpf.h"
#include "bpf/cookie.bpf.h"
#include "bpf/reply.bpf.h"
#include "bpf/tcp.bpf.h"
#include "bpf/protect.bpf.h"
#include "bpf/tcp_names.bpf.h"
#include "bpf/tcp_query.bpf.h"
#include "bpf/talkers.bpf.h"
#include "bpf/watch.bpf.h"
#include "bpf/asked.bpf.h"
#include "bpf/settle.bpf.h"

char dg_license[] SEC("license") = "GPL";

/* Is this refused query the one in `slip` that is told to ask again over TCP? */
static __always_inline bool slip_due(const struct packet *pkt)
{
	__u32 slot = dg_slot, slip = pkt->set->slip ? protect_slip(pkt, pkt->set->slip) : 0;
	struct dg_stats *stats;

	if (!slip)
		return false;
	stats = bpf_map_lookup_elem(&dg_stats, &slot);
	if (stats && pkt->f->dry)
		return stats->slip_turn + 1 >= slip;
	if (!stats || ++stats->slip_turn < slip)
		return false;
	stats->slip_turn = 0;
	return true;
}

/* Tells the sender to ask again over TCP; where that cannot be, the query stays refused. */
static __always_inline enum dg_verdict slip_walk(struct xdp_md *ctx, struct packet *pkt,
						 struct dg_scratch *scratch)
{
	struct question *q = &scratch->q;

	if (reply_check(pkt, scratch))
		return DG_DROP_LIMITED;
	if (reply_truncated(ctx, pkt, q, scratch, cookie_make(pkt, q, scratch)))
		return DG_DROP_LIMITED;
	return DG_REPLY_TRUNCATED;
}

static __always_inline enum dg_verdict listed_walk(struct xdp_md *ctx, struct packet *pkt,
						   struct dg_scratch *scratch)
{
	struct question *q = &scratch->q;
	enum dg_verdict verdict = sinkhole_check(pkt);

	if (verdict)
		return verdict;
	if (cookie_passes(pkt, q))
		return DG_PASS_COOKIE;
	verdict = reply_check(pkt, scratch);
	if (verdict)
		return verdict;
	verdict = reply_sinkhole(ctx, pkt, q, scratch, cookie_make(pkt, q, scratch));
	return verdict ? verdict : DG_REPLY_SINKHOLE;
}

/*
 * From the question on. A global function: the verifier walks it once, by itself, whatever calls it, and its loops over
 * names are not multiplied by what lies before them. It is given nothing but the context and finds the rest where the
 * walk left it. One such function, because a call costs ten nanoseconds where the kernel guards its returns; a message in
 * a TCP segment is only read.
 */
__noinline int query_walk(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct dg_scratch *scratch = bpf_map_lookup_elem(&dg_scratch, &zero);
	struct packet pkt = { .data = (void *)(long)ctx->data,
			      .data_end = (void *)(long)ctx->data_end,
			      .set = conf_settings() };
	enum dg_verdict verdict;

	question_pin(ctx); /* or clang drops the argument and the verifier refuses the call */
	if (!scratch || !pkt.set)
		return DG_PASS_NO_STATE;
	pkt.f = &scratch->facts;
	struct message msg = { pkt.data + (pkt.f->dns_at & (DG_SEGMENT_REACH - 1)), pkt.data_end,
			       pkt.f->dns_len };
	struct labels labels = { scratch->label, scratch->label_at };

	verdict = question_read(&msg, pkt.set->hash_key, &labels, &scratch->q);
	question_forget();
	if (pkt.f->protocol == IPPROTO_TCP)
		return verdict;
	if (pkt.f->refused)
		return verdict ? pkt.f->refused : slip_walk(ctx, &pkt, scratch);
	if (verdict)
		return verdict;
	verdict = sinkhole_find(&pkt, scratch);
	question_forget();
	return verdict ? verdict : listed_walk(ctx, &pkt, scratch);
}

static __always_inline enum dg_verdict udp_walk(struct xdp_md *ctx, struct packet *pkt,
						struct dg_scratch *scratch)
{
	struct message msg = { pkt->data + (pkt->f->l4 & 127) + sizeof(struct udphdr),
			       pkt->data_end, pkt->f->dns_len };
	enum dg_verdict verdict = header_read(&msg);

	if (verdict)
		return verdict;
	pkt->f->is_query = 1;
	pkt->f->dns_id = dns_id_read(&msg);
	pkt->f->refused = limit_charge(pkt, scratch);
	if (pkt->f->refused && !slip_due(pkt))
		return pkt->f->refused;
	return query_walk(ctx);
}

/* What a global function works with: true = it is all there. */
static __always_inline bool walk_resume(struct xdp_md *ctx, struct packet *pkt,
					struct dg_scratch **ret_scratch)
{
	__u32 zero = 0;
	struct dg_scratch *scratch = bpf_map_lookup_elem(&dg_scratch, &zero);

	*pkt = (struct packet){ .data = (void *)(long)ctx->data,
				.data_end = (void *)(long)ctx->data_end,
				.set = conf_settings() };
	question_pin(ctx);
	if (!scratch || !pkt->set)
		return false;
	pkt->f = &scratch->facts;
	*ret_scratch = scratch;
	return true;
}

/* A SYN: counted, and judged by what its sender has and does. */
__noinline int syn_walk(struct xdp_md *ctx)
{
	struct dg_scratch *scratch;
	enum dg_verdict verdict;
	struct packet pkt;

	if (!walk_resume(ctx, &pkt, &scratch))
		return DG_PASS_NO_STATE;
	tcp_note(&pkt);
	verdict = protect_check(&pkt);
	return verdict ? verdict : limit_charge_syn(&pkt, scratch);
}

/* Finds the first message of a segment, and keeps the flow's books. 1 = there is one. Global for the same reasons. */
__noinline int segment_walk(struct xdp_md *ctx)
{
	struct dg_scratch *scratch;
	struct packet pkt;

	return walk_resume(ctx, &pkt, &scratch) && segment_read(&pkt, &scratch->segment);
}

/* Books the message that query_walk() has read, and finds the next. 1 = there is one. */
__noinline int message_walk(struct xdp_md *ctx)
{
	struct dg_scratch *scratch;
	struct packet pkt;

	if (!walk_resume(ctx, &pkt, &scratch))
		return 0;
	if (message_note(&pkt, &scratch->segment, &scratch->q))
		tcp_name_note(ctx, &pkt, scratch);
	question_forget();
	return message_next(&pkt, &scratch->segment);
}

/* Queries in a segment. Called from here, not from each other, so that no more than two of the functions share the stack. */
static __always_inline void queries_note(struct xdp_md *ctx, const struct packet *pkt)
{
	if (pkt->f->dry || !segment_matters(pkt) || !segment_walk(ctx))
		return;
	for (__u32 i = 0; i < DG_SEGMENT_MESSAGES; i++) {
		query_walk(ctx);
		if (!message_walk(ctx))
			return;
	}
}

static __always_inline enum dg_verdict tcp_walk(struct xdp_md *ctx, struct packet *pkt)
{
	enum dg_verdict verdict = tcp_opens(pkt) ? syn_walk(ctx) : DG_NEXT;

	if (verdict)
		return verdict;
	queries_note(ctx, pkt);
	return DG_PASS_TCP;
}

static __always_inline enum dg_verdict walk(struct xdp_md *ctx, struct packet *pkt)
{
	__u32 zero = 0;
	struct dg_scratch *scratch;
	enum dg_verdict verdict;

	verdict = link_read(pkt);
	if (verdict)
		return verdict;
	verdict = network_read(pkt);
	if (verdict)
		return verdict;
	verdict = transport_read(pkt);
	if (verdict)
		return verdict;

	scratch = bpf_map_lookup_elem(&dg_scratch, &zero);
	if (!scratch)
		return DG_PASS_NO_STATE;
	verdict = source_check(pkt);
	if (verdict)
		return verdict;
	if (pkt->f->protocol == IPPROTO_TCP)
		return tcp_walk(ctx, pkt);
	return udp_walk(ctx, pkt, scratch);
}

/* Global, so that the walk is verified without it; a call for one listed query in eight. */
__noinline int listed_note(struct xdp_md *ctx)
{
	struct dg_scratch *scratch;
	struct packet pkt;

	if (walk_resume(ctx, &pkt, &scratch))
		listed_name_note(ctx, &pkt, scratch);
	return 0;
}

SEC("xdp")
int dnsguard_ingress(struct xdp_md *ctx)
{
	struct packet pkt = { .data = (void *)(long)ctx->data,
			      .data_end = (void *)(long)ctx->data_end,
			      .set = conf_settings() };
	__u32 zero = 0;
	struct dg_scratch *scratch = bpf_map_lookup_elem(&dg_scratch, &zero);
	struct question *q;
	enum dg_verdict verdict = DG_PASS_NO_STATE;

	if (!scratch)
		return settle_unseen();
	q = &scratch->q;
	*q = (struct question){};
	pkt.f = &scratch->facts;
	*pkt.f = (struct facts){ .list = DG_LIST_NONE };
	pkt.f->frame_len = dg_frags ? bpf_xdp_get_buff_len(ctx) : pkt.data_end - pkt.data;
	if (pkt.set) {
		probe_read(ctx, &pkt);
		verdict = settle_label(&pkt, walk(ctx, &pkt));
		talkers_note(&pkt);
		if (listed_name_due(&pkt))
			listed_note(ctx);
		watch_note(ctx, &pkt, q, verdict);
		if (asked_is_due(&pkt) && settle_passes(verdict))
			asked_note();
		probe_write(ctx, &pkt, verdict);
	}
	return settle(&pkt, q, verdict);
}
