/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet.bpf.h - the facts of one frame, and the readers that find them: link, network, transport.
 *
 * Readers only learn. Until transport_read() has said NEXT the tone is "not ours, pass": whatever is odd
 * leaves untouched. After it the frame is known to be for a guarded service.
 */
#ifndef DG_PACKET_BPF_H
#define DG_PACKET_BPF_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>

#include "bpf/conf.bpf.h"

#define DG_VLAN_TAG_BYTES 4
#define DG_DNS_HEADER_BYTES 12

struct packet {
	void *data, *data_end;
	struct dg_settings *set;
	struct facts *f;
};

/* 1 when x is 0, without a branch: the verifier sees 0 .. 1 and walks on once, not twice. */
static __always_inline __u32 packet_is_zero(__u32 x)
{
	return ((__u64)x - 1) >> 63;
}

static __always_inline __u32 packet_is_vlan(__be16 type)
{
	return packet_is_zero(type ^ bpf_htons(ETH_P_8021Q)) |
	       packet_is_zero(type ^ bpf_htons(ETH_P_8021AD));
}

/* Ethernet and up to two VLAN tags (IEEE 802.1Q, 802.1ad). */
static __always_inline enum dg_verdict link_read(struct packet *pkt)
{
	const struct ethhdr *eth = pkt->data;
	const __be16 *type;
	__u32 tagged;

	pkt->f->l3 = sizeof(*eth);
	if ((const void *)(eth + 1) > pkt->data_end)
		return DG_PASS_NOT_DNS;
	pkt->f->ether_type = eth->h_proto;
	if (!packet_is_vlan(pkt->f->ether_type))
		return DG_NEXT;
	if (pkt->data + sizeof(*eth) + 2 * DG_VLAN_TAG_BYTES > pkt->data_end)
		return DG_PASS_NOT_DNS;
	type = pkt->data + sizeof(*eth) + 2;
	tagged = packet_is_vlan(type[0]);
	pkt->f->ether_type = tagged ? type[2] : type[0];
	pkt->f->l3 = sizeof(*eth) + DG_VLAN_TAG_BYTES * (1 + tagged);
	return DG_NEXT;
}

static __always_inline void ipv4_addrs_read(struct packet *pkt, const struct iphdr *ip)
{
	pkt->f->saddr = (struct dg_addr){ 0, 0xffff0000ull | (__u64)ip->saddr << 32 };
	pkt->f->daddr = (struct dg_addr){ 0, 0xffff0000ull | (__u64)ip->daddr << 32 };
}

static __always_inline void ipv6_addrs_read(struct packet *pkt, const struct ipv6hdr *ip)
{
	const __u64 *addr = (const void *)&ip->saddr;

	pkt->f->saddr = (struct dg_addr){ addr[0], addr[1] };
	pkt->f->daddr = (struct dg_addr){ addr[2], addr[3] };
}

static __always_inline enum dg_verdict ipv4_read(struct packet *pkt)
{
	const struct iphdr *ip = pkt->data + (pkt->f->l3 & 31);
	__u32 total;

	if ((const void *)(ip + 1) > pkt->data_end || ip->version != 4)
		return DG_PASS_NOT_DNS;
	pkt->f->family = DG_IPV4;
	pkt->f->protocol = ip->protocol;
	if (ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_TCP)
		return DG_PASS_NOT_DNS;
	if (ip->ihl != 5)
		return DG_PASS_IP_OPTIONS;
	if (ip->frag_off & bpf_htons(0x3fff)) /* MF, or an offset: RFC 791 */
		return DG_PASS_FRAGMENT;
	total = bpf_ntohs(ip->tot_len);
	if (total < sizeof(*ip))
		return DG_PASS_BAD_LENGTH;
	pkt->f->ip_len = total - sizeof(*ip);
	pkt->f->l4 = (pkt->f->l3 & 31) + sizeof(*ip);
	ipv4_addrs_read(pkt, ip);
	return DG_NEXT;
}

/* Extension headers that may stand before UDP or TCP (RFC 8200 section 4) are not walked. */
static __always_inline enum dg_verdict ipv6_stranger(__u8 next_header)
{
	switch (next_header) {
	case IPPROTO_FRAGMENT:
		return DG_PASS_FRAGMENT;
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
	case IPPROTO_AH:
	case IPPROTO_MH:
		return DG_PASS_IP_OPTIONS;
	default:
		return DG_PASS_NOT_DNS;
	}
}

static __always_inline enum dg_verdict ipv6_read(struct packet *pkt)
{
	const struct ipv6hdr *ip = pkt->data + (pkt->f->l3 & 31);

	if ((const void *)(ip + 1) > pkt->data_end || ip->version != 6)
		return DG_PASS_NOT_DNS;
	pkt->f->family = DG_IPV6;
	pkt->f->protocol = ip->nexthdr;
	if (ip->nexthdr != IPPROTO_UDP && ip->nexthdr != IPPROTO_TCP)
		return ipv6_stranger(ip->nexthdr);
	pkt->f->ip_len = bpf_ntohs(ip->payload_len);
	pkt->f->l4 = (pkt->f->l3 & 31) + sizeof(*ip);
	ipv6_addrs_read(pkt, ip);
	return DG_NEXT;
}

static __always_inline enum dg_verdict network_read(struct packet *pkt)
{
	if (pkt->f->ether_type == bpf_htons(ETH_P_IP))
		return ipv4_read(pkt);
	if (pkt->f->ether_type == bpf_htons(ETH_P_IPV6))
		return ipv6_read(pkt);
	return DG_PASS_NOT_DNS;
}

static __always_inline bool packet_port_guarded(const struct dg_settings *set, __be16 port)
{
	return port && (port == set->ports[0] || port == set->ports[1] || port == set->ports[2] ||
			port == set->ports[3]);
}

/* What userspace knows of an address: enum dg_service_flags, and its slot; 0 = nothing. */
static __always_inline __u32 packet_service_flags(const struct packet *pkt, struct dg_addr addr,
						  __u32 *ret_slot)
{
	__u32 home = dg_hash_addr(addr.hi, addr.lo, pkt->set->limit_key);

	for (__u32 step = 0; step < 2; step++) {
		__u32 at = (home + step) & (DG_SERVICE_BUCKETS - 1);
		struct dg_service_bucket *bucket = bpf_map_lookup_elem(&dg_services, &at);

		if (!bucket)
			return 0;
#pragma unroll
		for (__u32 way = 0; way < DG_SERVICE_WAYS; way++) {
			if (bucket->addr[way].lo == addr.lo && bucket->addr[way].hi == addr.hi &&
			    bucket->flags[way]) {
				*ret_slot = at * DG_SERVICE_WAYS + way;
				return bucket->flags[way];
			}
		}
	}
	return 0;
}

/* ::ffff:a.b.c.d is how we write IPv4; on the wire it is nobody's address: RFC 4291 section 2.5.5.2. */
static __always_inline bool service_is_mapped(const struct packet *pkt)
{
	return pkt->f->family == DG_IPV6 && !pkt->f->daddr.hi &&
	       (__u32)pkt->f->daddr.lo == 0xffff0000;
}

/* The frame is for a guarded port: is it for a guarded address, on a device we know, and not paused? */
static __always_inline enum dg_verdict service_read(struct packet *pkt)
{
	__u32 slot = dg_slot;
	struct dg_iface *iface = bpf_map_lookup_elem(&dg_ifaces, &slot);

	if (service_is_mapped(pkt) ||
	    !(packet_service_flags(pkt, pkt->f->daddr, &pkt->f->service) & DG_SVC_GUARDED))
		return DG_PASS_NOT_SERVICE;
	if (!iface)
		return DG_PASS_NO_STATE;
	pkt->f->observe_only = !!(iface->flags & DG_IF_OBSERVE);
	pkt->f->timed = !!(iface->flags & DG_IF_TIMED);
	if (!pkt->f->now_ns)
		pkt->f->now_ns = conf_now_ns(pkt->set);
	if (pkt->f->now_ns < pkt->set->paused_until_ns)
		return DG_PASS_PAUSED;
	pkt->f->ours = 1;
	return DG_NEXT;
}

/* Ports and lengths. NEXT means: UDP or TCP to a guarded port at a guarded address. */
static __always_inline enum dg_verdict transport_read(struct packet *pkt)
{
	const struct udphdr *udp = pkt->data + (pkt->f->l4 & 127);
	__u32 udp_len;

	if ((const void *)(udp + 1) > pkt->data_end)
		return DG_PASS_NOT_DNS;
	if (!packet_port_guarded(pkt->set, udp->dest)) /* TCP has its ports at the same place */
		return DG_PASS_NOT_DNS;
	pkt->f->sport = udp->source;
	pkt->f->dport = udp->dest;
	if (pkt->f->protocol == IPPROTO_UDP) {
		udp_len = bpf_ntohs(udp->len);
		asm volatile(
			""
			: "+r"(udp_len)); /* to the verifier be16 gives 64 unknown bits; clang knows better */
		udp_len &= 0xffff;
		if (udp_len < sizeof(*udp) || udp_len > pkt->f->ip_len ||
		    pkt->f->l4 + pkt->f->ip_len > pkt->f->frame_len ||
		    pkt->data + (pkt->f->l4 & 127) + udp_len > pkt->data_end)
			return DG_PASS_BAD_LENGTH;
		pkt->f->dns_at = pkt->f->l4 + sizeof(*udp);
		pkt->f->dns_len = udp_len - sizeof(*udp);
	}
	return service_read(pkt);
}

/* What a protection may do here and now: its own mode, weakened where the device only observes. */
static __always_inline __u8 packet_mode(const struct packet *pkt, __u8 mode)
{
	return pkt->f->observe_only && mode == DG_ENFORCE ? DG_OBSERVE : mode;
}

/* The step of TCP pressure that holds now, 0 .. DG_PROTECT_STEPS. */
static __always_inline __u32 packet_pressure(const struct packet *pkt)
{
	__u32 step = pkt->set->protect.step;

	if (pkt->f->now_ns >= pkt->set->protect.until_ns)
		return 0;
	return step < DG_PROTECT_STEPS ? step : DG_PROTECT_STEPS;
}

/*
 * A protection has decided. Enforced, its verdict stands; observed, the decision is remembered under its own
 * label (the first one counts) and the walk goes on.
 */
static __always_inline enum dg_verdict packet_decide(struct packet *pkt, __u8 mode,
						     enum dg_verdict verdict,
						     enum dg_verdict observed)
{
	if (packet_mode(pkt, mode) == DG_ENFORCE)
		return verdict;
	if (!pkt->f->observed)
		pkt->f->observed = observed;
	return DG_NEXT;
}

#endif
