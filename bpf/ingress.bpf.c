// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ingress.bpf.c - the packet's walk, top to bottom.
 *
 * link, network, transport: strangers leave here, untouched. Behind that the frame is for a guarded service:
 * source; TCP -> the SYN books; UDP -> header, limit, question, sinkhole, answer. Then every frame is settled.
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

	if (reply_check(pkt))
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
	verdict = reply_check(pkt);
	if (verdict)
		return verdict;
	verdict = reply_sinkhole(ctx, pkt, q, scratch, cookie_make(pkt, q, scratch));
	return verdict ? verdict : DG_REPLY_SINKHOLE;
}

/*
 * From the question on. A global function: the verifier walks it once, by itself, whatever calls it, and its loops over
 * names are not multiplied by what lies before them. It is given nothing but the context and finds the rest where the
 * walk left it. One such function, because a call costs ten nanoseconds where the kernel guards its returns.
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
	struct message msg = { pkt.data + (pkt.f->l4 & 127) + sizeof(struct udphdr), pkt.data_end,
			       pkt.f->dns_len };
	struct labels labels = { scratch->label, scratch->label_at };

	verdict = question_read(&msg, pkt.set->hash_key, &labels, &scratch->q);
	question_forget();
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

static __always_inline enum dg_verdict tcp_walk(struct packet *pkt, struct dg_scratch *scratch)
{
	enum dg_verdict verdict;

	tcp_note(pkt);
	verdict = protect_check(pkt);
	if (verdict)
		return verdict;
	verdict = limit_charge_syn(pkt, scratch);
	return verdict ? verdict : DG_PASS_TCP;
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
		return tcp_walk(pkt, scratch);
	return udp_walk(ctx, pkt, scratch);
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
		watch_note(ctx, &pkt, q, verdict);
		if (asked_is_due(&pkt) && settle_passes(verdict))
			asked_note();
		probe_write(ctx, &pkt, verdict);
	}
	return settle(&pkt, verdict);
}
