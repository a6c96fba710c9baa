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
#include "bpf/talkers.bpf.h"
#include "bpf/watch.bpf.h"
#include "bpf/settle.bpf.h"

char dg_license[] SEC("license") = "GPL";

/*
 * The three rooms with loops over names are global functions: the verifier walks each once, by itself, whatever calls
 * it. They are given nothing but the context and find the rest where the walk left it.
 */
struct here {
	struct packet pkt;
	struct dg_scratch *scratch;
};

static __always_inline bool here_find(struct xdp_md *ctx, struct here *here)
{
	__u32 zero = 0;

	question_pin(ctx); /* or clang drops the argument and the verifier refuses the call */
	here->scratch = bpf_map_lookup_elem(&dg_scratch, &zero);
	here->pkt = (struct packet){ .data = (void *)(long)ctx->data,
				     .data_end = (void *)(long)ctx->data_end,
				     .set = conf_settings() };
	if (!here->scratch || !here->pkt.set)
		return false;
	here->pkt.f = &here->scratch->facts;
	return true;
}

__noinline int question_walk(struct xdp_md *ctx)
{
	struct here here;

	if (!here_find(ctx, &here))
		return DG_PASS_NO_STATE;
	struct message msg = { here.pkt.data + (here.pkt.f->l4 & 127) + sizeof(struct udphdr),
			       here.pkt.data_end, here.pkt.f->dns_len };
	struct labels labels = { here.scratch->label, here.scratch->label_at };

	return question_read(&msg, here.pkt.set->hash_key, &labels, &here.scratch->q);
}

__noinline int sinkhole_walk(struct xdp_md *ctx)
{
	struct here here;

	if (!here_find(ctx, &here))
		return DG_PASS_NO_STATE;
	return sinkhole_find(&here.pkt, &here.scratch->q, here.scratch);
}

__noinline int reply_walk(struct xdp_md *ctx, __u32 truncated)
{
	struct here here;
	bool cookie;

	if (!here_find(ctx, &here))
		return DG_PASS_NO_ROOM;
	cookie = cookie_make(&here.pkt, &here.scratch->q, here.scratch);
	if (truncated)
		return reply_truncated(ctx, &here.pkt, &here.scratch->q, here.scratch, cookie);
	return reply_sinkhole(ctx, &here.pkt, &here.scratch->q, here.scratch, cookie);
}

/* Is this refused query the one in `slip` that is told to ask again over TCP? */
static __always_inline bool slip_due(const struct packet *pkt)
{
	__u32 slot = dg_slot, slip = pkt->set->slip;
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

static __always_inline enum dg_verdict slip_walk(struct xdp_md *ctx, struct packet *pkt,
						 struct question *q)
{
	if (q->version || reply_check(pkt))
		return DG_DROP_LIMITED;
	if (reply_walk(ctx, 1))
		return DG_DROP_LIMITED;
	return DG_REPLY_TRUNCATED;
}

static __always_inline enum dg_verdict listed_walk(struct xdp_md *ctx, struct packet *pkt,
						   struct question *q)
{
	enum dg_verdict verdict = sinkhole_check(pkt);

	if (verdict)
		return verdict;
	if (cookie_passes(pkt, q))
		return DG_PASS_COOKIE;
	verdict = reply_check(pkt);
	if (verdict)
		return verdict;
	verdict = reply_walk(ctx, 0);
	return verdict ? verdict : DG_REPLY_SINKHOLE;
}

static __always_inline enum dg_verdict udp_walk(struct xdp_md *ctx, struct packet *pkt,
						struct question *q, struct dg_scratch *scratch)
{
	struct message msg = { pkt->data + (pkt->f->l4 & 127) + sizeof(struct udphdr),
			       pkt->data_end, pkt->f->dns_len };
	enum dg_verdict verdict, refused;

	verdict = header_read(&msg);
	if (verdict)
		return verdict;
	pkt->f->is_query = 1;
	refused = limit_charge(pkt, scratch);
	if (refused && !slip_due(pkt))
		return refused;
	verdict = question_walk(ctx);
	if (refused)
		return verdict ? refused : slip_walk(ctx, pkt, q);
	if (verdict)
		return verdict;
	verdict = sinkhole_walk(ctx);
	if (verdict)
		return verdict;
	return listed_walk(ctx, pkt, q);
}

static __always_inline enum dg_verdict tcp_walk(struct packet *pkt, struct dg_scratch *scratch)
{
	enum dg_verdict verdict;

	tcp_note(pkt);
	verdict = limit_charge_syn(pkt, scratch);
	return verdict ? verdict : DG_PASS_TCP;
}

static __always_inline enum dg_verdict walk(struct xdp_md *ctx, struct packet *pkt,
					    struct question *q)
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
	return udp_walk(ctx, pkt, q, scratch);
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
		verdict = settle_label(&pkt, walk(ctx, &pkt, q));
		talkers_note(&pkt);
		watch_note(ctx, &pkt, q, verdict);
		probe_write(ctx, &pkt, verdict);
	}
	return settle(&pkt, verdict);
}
