/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * protect.bpf.h - so that no source takes the TCP slots of all: may this SYN's sender open one more connection?
 *
 * Decides by what its prefixes hold now (share.bpf.h, which counts only completed handshakes) and by what the pressure
 * leaves each (struct dg_tcp_protect). A SYN that comes again is asked again: when a connection has gone meanwhile, it passes.
 * What is unknown, not counted or exempt passes.
 */
#ifndef DG_PROTECT_BPF_H
#define DG_PROTECT_BPF_H

#include "bpf/packet.bpf.h"
#include "bpf/share.bpf.h"

/* Some of its connections were closed for it not long ago. */
static __always_inline bool protect_reaped(const struct packet *pkt)
{
	struct dg_addr key = pkt->f->saddr;
	const __u64 *until_ns;

	if (!pkt->set->protect.reaped)
		return false;
	dg_share_prefix(&key.hi, &key.lo, 0);
	until_ns = bpf_map_lookup_elem(&dg_reaped, &key);
	return until_ns && pkt->f->now_ns < *until_ns;
}

static __always_inline bool protect_holds_share(const struct packet *pkt)
{
	const struct dg_tcp_protect *protect = &pkt->set->protect;
	bool pressed = pkt->f->now_ns < protect->until_ns;

	if (pressed && protect_reaped(pkt) &&
	    share_count(pkt->f->saddr, 0) >= protect->share_reaped)
		return true;
	for (__u32 rung = 0; rung < DG_SHARE_RUNGS; rung++) {
		__u32 share = pressed ? protect->share[rung] : protect->base[rung];

		if (rung && pkt->f->family == DG_IPV4)
			share = pressed ? protect->share_wide4 : 0;
		if (share && share_count(pkt->f->saddr, rung) >= share)
			return true;
	}
	return false;
}

static __always_inline enum dg_verdict protect_check(struct packet *pkt)
{
	if (!pkt->f->syn_kind || pkt->set->protect.mode == DG_OFF ||
	    pkt->f->source_flags & DG_SRC_NO_LIMIT || !protect_holds_share(pkt))
		return DG_NEXT;
	return packet_decide(pkt, pkt->set->protect.mode, DG_DROP_TCP_SHARE,
			     DG_PASS_OBSERVED_TCP_SHARE);
}

/* Every how many refused queries one is told to use TCP, which is the scarcer the higher the step. 0 = none. */
static __always_inline __u32 protect_slip(const struct packet *pkt, __u32 slip)
{
	__u32 step;

	if (packet_mode(pkt, pkt->set->protect.mode) != DG_ENFORCE)
		return slip;
	step = packet_pressure(pkt);
	return step < DG_PROTECT_STEPS ? slip << step : 0;
}

#endif
