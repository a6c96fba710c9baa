/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe.bpf.h - test runs: a frame that carries a probe (abi.h) sees the probe's clock, and tells what was decided.
 *
 * A frame from a NIC has no metadata, and nobody outside knows the secret: for it this is one comparison.
 */
#ifndef DG_PROBE_BPF_H
#define DG_PROBE_BPF_H

#include "bpf/packet.bpf.h"

static __always_inline void probe_read(const struct xdp_md *ctx, struct packet *pkt)
{
	struct dg_probe *probe = (void *)(long)ctx->data_meta;

	if ((void *)(probe + 1) > (void *)(long)ctx->data ||
	    probe->secret != pkt->set->probe_secret)
		return;
	pkt->f->now_ns = probe->now_ns;
	pkt->f->told = probe->now_ns != 0;
	pkt->f->dry = probe->flags & DG_PROBE_DRY;
}

/* The prefix length of the rung that refused, 0 = none. */
static __always_inline __u8 probe_limited_bits(const struct packet *pkt)
{
	const __u8 bits_v4[] = DG_LADDER_IPV4_BITS, bits_v6[] = DG_LADDER_IPV6_BITS;
	__u32 rung = pkt->f->limited_rung - 1;

	if (pkt->f->family == DG_IPV4)
		return rung < DG_RUNGS_IPV4 ? bits_v4[rung] : 0;
	return rung < DG_RUNGS_IPV6 ? bits_v6[rung] : 0;
}

static __always_inline void probe_write(const struct xdp_md *ctx, const struct packet *pkt,
					enum dg_verdict verdict)
{
	struct dg_probe *probe = (void *)(long)ctx->data_meta;

	if ((void *)(probe + 1) > (void *)(long)ctx->data || !pkt->set ||
	    probe->secret != pkt->set->probe_secret)
		return;
	probe->verdict = verdict;
	probe->limited_bits = probe_limited_bits(pkt);
	probe->match_labels = pkt->f->match_labels;
	probe->source_flags = pkt->f->source_flags;
	probe->answer_kind = pkt->f->answer_kind;
	probe->list = pkt->f->list;
	probe->banned = pkt->f->banned;
}

#endif
