// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load_frame.c - DNS messages and the frames around them, every checksum computed whole.
 *
 * Pure: bytes out of an order and a turn number. Sending is load_flood.c's and load_ask.c's.
 */
#include "userspace/lab/load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <linux/if_ether.h>
#include <string.h>

#define EPHEMERAL_FIRST 1024
#define HOP_LIMIT 64

static __u8 *put16(__u8 *at, __u16 value)
{
	at[0] = (__u8)(value >> 8);
	at[1] = (__u8)value;
	return at + 2;
}

/* RFC 1035 section 4.1: RD set, one question; RFC 6891 section 6.1.2: an empty OPT when asked for. */
size_t dg_load_message(const struct dg_load_order *order, const struct dg_name *name, __u16 id,
		       __u8 *ret)
{
	__u8 *at = put16(ret, id);

	at = put16(at, 0x0100);
	at = put16(at, 1);
	at = put16(at, 0);
	at = put16(at, 0);
	at = put16(at, order->edns_size ? 1 : 0);
	memcpy(at, name->wire, name->len);
	at = put16(at + name->len, order->qtype);
	at = put16(at, 1);
	if (order->edns_size) {
		*at++ = 0;
		at = put16(at, 41);
		at = put16(at, (__u16)order->edns_size);
		memset(at, 0, 6);
		at += 6;
	}
	return (size_t)(at - ret);
}

/* The Internet checksum's running sum: RFC 1071, in 32-bit steps; the order of bytes does not matter. */
static __u64 sum_bytes(__u64 sum, const __u8 *bytes, size_t len)
{
	__u32 word;
	__u8 tail[4] = { 0 };

	for (; len >= 4; bytes += 4, len -= 4) {
		memcpy(&word, bytes, 4);
		sum += word;
	}
	memcpy(tail, bytes, len);
	memcpy(&word, tail, 4);
	return sum + word;
}

static __u16 sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

/* Over pseudo header and payload: RFC 768, RFC 8200 section 8.1. */
static __u16 transport_sum(struct dg_addr from, struct dg_addr to, __u8 protocol, const __u8 *l4,
			   size_t len)
{
	__u64 sum = htonl((__u32)len) + (__u64)htonl(protocol);

	/* The ::ffff: of the mapped form adds 0xffff twice, which is 0 in one's complement. */
	sum = sum_bytes(sum, (const __u8 *)&from, sizeof(from));
	sum = sum_bytes(sum, (const __u8 *)&to, sizeof(to));
	return sum_fold(sum_bytes(sum, l4, len));
}

static size_t ethernet_put(const struct dg_load_order *order, const __u8 from_mac[6], __u8 *frame)
{
	memcpy(frame, order->to_mac, 6);
	memcpy(frame + 6, from_mac, 6);
	put16(frame + 12, order->family == DG_IPV4 ? ETH_P_IP : ETH_P_IPV6);
	return ETH_HLEN;
}

static size_t ipv4_put(struct dg_addr from, struct dg_addr to, __u8 protocol, size_t payload,
		       __u8 *at)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = HOP_LIMIT, .protocol = protocol };

	ip.tot_len = htons((__u16)(sizeof(ip) + payload));
	ip.saddr = (__u32)(from.lo >> 32);
	ip.daddr = (__u32)(to.lo >> 32);
	ip.check = sum_fold(sum_bytes(0, (const __u8 *)&ip, sizeof(ip)));
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

static size_t ipv6_put(struct dg_addr from, struct dg_addr to, __u8 protocol, size_t payload,
		       __u8 *at)
{
	struct ip6_hdr ip = { 0 };

	ip.ip6_flow = htonl(6u << 28);
	ip.ip6_plen = htons((__u16)payload);
	ip.ip6_nxt = protocol;
	ip.ip6_hlim = HOP_LIMIT;
	memcpy(&ip.ip6_src, &from, 16);
	memcpy(&ip.ip6_dst, &to, 16);
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip);
}

static size_t ip_put(const struct dg_load_order *order, struct dg_addr from, __u8 protocol,
		     size_t payload, __u8 *at)
{
	return order->family == DG_IPV4 ? ipv4_put(from, order->to, protocol, payload, at) :
					  ipv6_put(from, order->to, protocol, payload, at);
}

static __u16 source_port(const struct dg_load_order *order)
{
	if (order->from_port)
		return order->from_port;
	return (__u16)(EPHEMERAL_FIRST + (dg_load_random() >> 32) % (65536 - EPHEMERAL_FIRST));
}

size_t dg_load_query_frame(const struct dg_load_order *order, const __u8 from_mac[6], __u64 turn,
			   __u8 ret[DG_LOAD_FRAME_MAX])
{
	struct dg_addr from = dg_load_source_pick(&order->from, turn);
	size_t l3 = ethernet_put(order, from_mac, ret);
	size_t l4 = l3 + (order->family == DG_IPV4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr));
	struct udphdr udp = { .dest = htons(order->port), .source = htons(source_port(order)) };
	size_t len = sizeof(udp);

	len += dg_load_message(order, dg_load_name_pick(&order->names, turn),
			       (__u16)(dg_load_random() >> 48), ret + l4 + sizeof(udp));
	udp.len = htons((__u16)len);
	memcpy(ret + l4, &udp, sizeof(udp));
	udp.check = transport_sum(from, order->to, IPPROTO_UDP, ret + l4, len);
	if (!udp.check)
		udp.check = 0xffff; /* 0 means "none": RFC 768 */
	memcpy(ret + l4, &udp, sizeof(udp));
	ip_put(order, from, IPPROTO_UDP, len, ret + l3);
	return l4 + len;
}

size_t dg_load_syn_frame(const struct dg_load_order *order, const __u8 from_mac[6], __u64 turn,
			 __u8 ret[DG_LOAD_FRAME_MAX])
{
	struct dg_addr from = dg_load_source_pick(&order->from, turn);
	size_t l3 = ethernet_put(order, from_mac, ret);
	size_t l4 = l3 + (order->family == DG_IPV4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr));
	struct tcphdr tcp = { .th_dport = htons(order->port),
			      .th_sport = htons(source_port(order)) };

	tcp.th_seq = (__u32)dg_load_random();
	tcp.th_off = sizeof(tcp) / 4;
	tcp.th_flags = TH_SYN;
	tcp.th_win = htons(64240);
	memcpy(ret + l4, &tcp, sizeof(tcp));
	tcp.th_sum = transport_sum(from, order->to, IPPROTO_TCP, ret + l4, sizeof(tcp));
	memcpy(ret + l4, &tcp, sizeof(tcp));
	ip_put(order, from, IPPROTO_TCP, sizeof(tcp), ret + l3);
	return l4 + sizeof(tcp);
}
