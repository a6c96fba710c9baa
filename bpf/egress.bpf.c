// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * egress.bpf.c - sees the resolver's answers leave and says how long they took.
 *
 * Counts and does nothing else: whatever it sees, the packet goes on to whoever comes next. What is no answer from a guarded
 * port leaves after a few loads. An answer in IP fragments has left when its first one has: it holds what the answer is known
 * by, and the kernel sends the others right behind it.
 */
#include <linux/pkt_cls.h>

#include "bpf/packet.bpf.h"
#include "bpf/asked.bpf.h"
#include "bpf/flow.bpf.h"

char dg_license[] SEC("license") = "GPL";

/* The first octets of a DNS header: RFC 1035 section 4.1.1. */
struct dns_begin {
	__be16 id;
	__u8 flags[2];
};
#define DNS_QR 0x80

/* In one segment, which may be as long as the device cuts itself; the rest of it is left. */
#define DG_SEGMENT_ANSWERS 32

/* A global function: the verifier walks it once, and clang keeps the bucket where its bound is known. */
__noinline int latency_book(__u32 kind, __u64 took_ns, __u64 now_ns)
{
	latency_note(kind, took_ns, now_ns);
	return 0;
}

/* An answer over UDP: whose query was it, and since when does it wait? The clock is read for those alone that are timed. */
static __always_inline void udp_answer_note(const struct __sk_buff *skb, const struct packet *pkt)
{
	struct asked asked = { pkt->f->daddr, pkt->f->saddr, pkt->f->dport, pkt->f->sport, 0 };
	struct dns_begin dns;
	__u64 now_ns, took_ns;

	/* Not directly: the message may lie in a page of its own. */
	if (bpf_skb_load_bytes(skb, (pkt->f->l4 & 127) + sizeof(struct udphdr), &dns,
			       sizeof(dns)) ||
	    !(dns.flags[0] & DNS_QR) || !asked_is_sampled(pkt->set, asked.client_port, dns.id))
		return;
	asked.id = dns.id;
	now_ns = bpf_ktime_get_ns();
	took_ns = asked_take(asked_hash(pkt->set, &asked), now_ns);
	if (took_ns)
		latency_book(DG_LATENCY_UDP, took_ns, now_ns);
}

/* Clears a time of a flow and counts what has passed since, unless ingress has set another one in this very moment. */
static __always_inline void flow_answered(__u32 *stamp, __u64 now_ns, enum dg_latency_kind kind)
{
	__u32 seen = *(volatile __u32 *)stamp;
	__u64 took_ns = flow_elapsed_ns(seen, now_ns);

	if (!seen || __sync_val_compare_and_swap(stamp, seen, 0) != seen)
		return;
	if (took_ns < DG_ASKED_WINDOW_NS)
		latency_book(kind, took_ns, now_ns);
}

/* The first octet after the SYN begins an answer. */
static __always_inline void flow_first_answer(struct dg_flow *flow, __u32 seq, __u64 now_ns)
{
	flow_answered(&flow->syn_at, now_ns, DG_LATENCY_TCP_FIRST);
	flow->answer_seq = seq;
	flow_flag(flow, DG_FLOW_ANSWERED);
}

/*
 * The answers that begin in this segment, whose data stand at `at` and have this sequence number. What was sent before
 * counts once. Where a part was missed none is found any more: the queries then stay unanswered. A global function: the
 * verifier walks its loop once. Returns how many.
 */
__noinline int answers_count(struct __sk_buff *skb, __u32 at, __u32 seq, __u64 hash)
{
	struct flow_cell cell = flow_cell(hash);
	struct dg_flow *flow = cell.flow;
	__u32 pos, len = skb->len - at;
	__be16 length;
	int found = 0;

	if (!flow || !cell.answers)
		return 0;
	pos = flow->answer_seq - seq; /* modulo 2^32: of one sent before it is beyond its end */
	for (; found < DG_SEGMENT_ANSWERS && pos < len; found++) {
		if (bpf_skb_load_bytes(skb, at + pos, &length, sizeof(length)))
			break;
		pos += sizeof(length) + bpf_ntohs(length);
		flow->answer_seq = seq + pos;
		/* A transfer has many to its one query. */
		if (*cell.answers < flow->queries)
			*cell.answers += 1;
	}
	return found;
}

/* A segment with data: the first one after the SYN, the first one after a query, or neither. */
static __always_inline void tcp_answer_note(struct __sk_buff *skb, const struct packet *pkt)
{
	const struct tcphdr *tcp = pkt->data + (pkt->f->l4 & 127);
	struct dg_flow *flow;
	__u64 now_ns, hash;
	bool first, timed;

	if ((const void *)(tcp + 1) > pkt->data_end ||
	    skb->len <= (pkt->f->l4 & 127) + 4 * tcp->doff)
		return;
	hash = flow_hash(pkt->set->limit_key, pkt->f->daddr, pkt->f->saddr, pkt->f->dport,
			 pkt->f->sport);
	flow = flow_find(hash);
	if (!flow)
		return;
	first = !(flow->flags & DG_FLOW_ANSWERED);
	timed = flow->query_at;
	now_ns = first || timed ? bpf_ktime_get_ns() : 0;
	if (first)
		flow_first_answer(flow, bpf_ntohl(tcp->seq), now_ns);
	if (timed)
		flow_answered(&flow->query_at, now_ns, DG_LATENCY_TCP);
	answers_count(skb, (pkt->f->l4 & 127) + 4 * tcp->doff, bpf_ntohl(tcp->seq), hash);
}

static __always_inline void answer_note(struct __sk_buff *skb, struct packet *pkt)
{
	const struct udphdr *udp = pkt->data + (pkt->f->l4 & 127);

	if ((const void *)(udp + 1) > pkt->data_end || !packet_port_guarded(pkt->set, udp->source))
		return; /* TCP has its ports at the same place */
	pkt->f->sport = udp->source;
	pkt->f->dport = udp->dest;
	if (pkt->f->protocol == IPPROTO_UDP)
		udp_answer_note(skb, pkt);
	else
		tcp_answer_note(skb, pkt);
}

/* RFC 791: offset 0. Ports are in this fragment and in no other. */
static __always_inline bool ipv4_fragment_read(struct packet *pkt)
{
	const struct iphdr *ip = pkt->data + (pkt->f->l3 & 31);

	if ((const void *)(ip + 1) > pkt->data_end || ip->frag_off & bpf_htons(0x1fff))
		return false;
	pkt->f->l4 = (pkt->f->l3 & 31) + sizeof(*ip);
	ipv4_addrs_read(pkt, ip);
	return true;
}

/* RFC 8200 section 4.5: the Fragment header right behind the fixed one. */
struct ipv6_fragment {
	__u8 next_header, reserved;
	__be16 offset; /* in the upper 13 bits */
	__be32 id;
};

static __always_inline bool ipv6_fragment_read(struct packet *pkt)
{
	const struct ipv6hdr *ip = pkt->data + (pkt->f->l3 & 31);
	const struct ipv6_fragment *fragment = (const void *)(ip + 1);

	if ((const void *)(fragment + 1) > pkt->data_end || fragment->offset & bpf_htons(0xfff8))
		return false;
	pkt->f->protocol = fragment->next_header;
	pkt->f->l4 = (pkt->f->l3 & 31) + sizeof(*ip) + sizeof(*fragment);
	ipv6_addrs_read(pkt, ip);
	return true;
}

/* Has it been read: a whole packet, or the first fragment of a datagram? TCP is not sent in fragments. */
static __always_inline bool answer_read(struct packet *pkt)
{
	enum dg_verdict verdict = network_read(pkt);

	if (verdict != DG_PASS_FRAGMENT)
		return verdict == DG_NEXT;
	if (!(pkt->f->family == DG_IPV6 ? ipv6_fragment_read(pkt) : ipv4_fragment_read(pkt)))
		return false;
	return pkt->f->protocol == IPPROTO_UDP;
}

SEC("tc")
int dnsguard_egress(struct __sk_buff *skb)
{
	struct facts facts = {};
	struct packet pkt = { .data = (void *)(long)skb->data,
			      .data_end = (void *)(long)skb->data_end,
			      .set = conf_settings(),
			      .f = &facts };

	if (pkt.set && !link_read(&pkt) && answer_read(&pkt))
		answer_note(skb, &pkt);
	return TC_ACT_UNSPEC; /* as if nobody had been here */
}
