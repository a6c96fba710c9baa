// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * query.c - a crafted DNS query in a frame, and one run of the live program on it.
 *
 * Writes frames as a client's network stack would; knows of the program only the probe in front of
 * the frame.
 */
#include "userspace/lib/query.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <string.h>

#define HOPS 64
#define QUERY_ID 0x6467
#define FLAG_RD 0x0100
#define CLASS_IN 1
#define TYPE_OPT 41
#define HEADER_BYTES 12
#define OPT_BYTES 11

/* A frame being written, front to back. The largest query is far below DG_FRAME_MAX. */
struct writer {
	__u8 *at;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
	memcpy(w->at, bytes, len);
	w->at += len;
}

static void put_u16(struct writer *w, unsigned int value)
{
	put(w, (__u8[]){ (__u8)(value >> 8), (__u8)value }, 2);
}

static int is_ipv4(struct dg_addr addr)
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff }; /* RFC 4291 section 2.5.5.2 */

	return !memcmp(&addr, mapped, sizeof(mapped));
}

static size_t message_bytes(const struct dg_query *query)
{
	return HEADER_BYTES + query->name->len + 4 + (query->edns_size ? OPT_BYTES : 0);
}

static void message_put(struct writer *w, const struct dg_query *query)
{
	put_u16(w, QUERY_ID);
	put_u16(w, FLAG_RD);
	put_u16(w, 1);
	put_u16(w, 0);
	put_u16(w, 0);
	put_u16(w, query->edns_size != 0);
	put(w, query->name->wire, query->name->len);
	put_u16(w, query->qtype);
	put_u16(w, CLASS_IN);
	if (!query->edns_size)
		return;
	put(w, "", 1); /* root owner name: RFC 6891 section 6.1.2 */
	put_u16(w, TYPE_OPT);
	put_u16(w, (unsigned int)query->edns_size);
	put_u16(w, 0);
	put_u16(w, 0);
	put_u16(w, 0);
}

/*
 * Ones' complement sum of 16-bit words in network order: RFC 1071. An odd octet counts as the high
 * one.
 */
static __u32 sum_add(__u32 sum, const void *bytes, size_t len)
{
	const __u8 *p = bytes;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (__u32)p[i] << 8;
	return sum;
}

static __u16 sum_finish(__u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((__u16)~sum);
}

/* The octets of an address as its own family writes them. */
static const void *addr_octets(const struct dg_addr *addr, size_t *ret_len)
{
	*ret_len = is_ipv4(*addr) ? 4 : 16;
	return (const __u8 *)addr + 16 - *ret_len;
}

static void ip_put(struct writer *w, const struct dg_query *query, size_t payload)
{
	size_t len;
	const void *client = addr_octets(&query->client, &len),
		   *server = addr_octets(&query->server, &len);
	struct iphdr ip4 = { .version = 4,
			     .ihl = 5,
			     .ttl = HOPS,
			     .protocol = IPPROTO_UDP,
			     .tot_len = htons((__u16)(sizeof(ip4) + payload)) };
	struct ip6_hdr ip6 = { .ip6_flow = htonl(6u << 28),
			       .ip6_plen = htons((__u16)payload),
			       .ip6_nxt = IPPROTO_UDP,
			       .ip6_hops = HOPS };

	if (len == 4) {
		memcpy(&ip4.saddr, client, len);
		memcpy(&ip4.daddr, server, len);
		ip4.check = sum_finish(sum_add(0, &ip4, sizeof(ip4)));
		put(w, &ip4, sizeof(ip4));
		return;
	}
	memcpy(&ip6.ip6_src, client, len);
	memcpy(&ip6.ip6_dst, server, len);
	put(w, &ip6, sizeof(ip6));
}

/*
 * Over the pseudo header (RFC 768, RFC 8200 section 8.1), the UDP header and the message; 0 is sent
 * as all ones.
 */
static void udp_sum(const struct dg_query *query, struct udphdr *udp, size_t payload)
{
	size_t len;
	const void *client = addr_octets(&query->client, &len),
		   *server = addr_octets(&query->server, &len);
	__u32 sum = IPPROTO_UDP + (__u32)payload;

	sum = sum_add(sum, client, len);
	sum = sum_add(sum, server, len);
	udp->check = sum_finish(sum_add(sum, udp, payload));
	if (!udp->check)
		udp->check = 0xffff;
}

int dg_query_frame(const struct dg_query *query, __u8 frame[DG_FRAME_MAX])
{
	static const __u8 client_mac[ETH_ALEN] = {
		0x02, 0, 0, 0, 0, 0x01
	}; /* locally administered */
	size_t payload = sizeof(struct udphdr) + message_bytes(query);
	struct writer w = { frame };
	struct udphdr udp = { .source = htons(query->client_port),
			      .dest = htons(query->server_port),
			      .len = htons((__u16)payload) };
	__u8 *at;

	if (is_ipv4(query->client) != is_ipv4(query->server))
		return -EAFNOSUPPORT;
	put(&w, query->dst_mac, ETH_ALEN);
	put(&w, client_mac, ETH_ALEN);
	put_u16(&w, is_ipv4(query->client) ? ETH_P_IP : ETH_P_IPV6);
	ip_put(&w, query, payload);
	at = w.at;
	put(&w, &udp, sizeof(udp));
	message_put(&w, query);
	udp_sum(query, (struct udphdr *)at, payload);
	return (int)(w.at - frame);
}

int dg_query_run(int prog_fd, struct dg_probe *probe, __u8 frame[DG_FRAME_MAX], __u32 *frame_len,
		 struct dg_error *err)
{
	__u8 in[sizeof(*probe) + DG_FRAME_MAX], out[sizeof(*probe) + DG_FRAME_MAX];
	/*
	 * Metadata is announced by data above data_meta; ifindex 0 stands for loopback (kernel:
	 * net/bpf/test_run.c).
	 */
	struct xdp_md ctx_in = { .data = sizeof(*probe), .data_end = sizeof(*probe) + *frame_len },
		      ctx_out = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = ctx_in.data_end,
		    .data_out = out, .data_size_out = sizeof(out), .ctx_in = &ctx_in,
		    .ctx_size_in = sizeof(ctx_in), .ctx_out = &ctx_out,
		    .ctx_size_out = sizeof(ctx_out), .repeat = 1);

	if (*frame_len > DG_FRAME_MAX)
		return dg_fail(err, -EMSGSIZE, DG_EXIT_FAILED,
			       "test run: a frame of %u octets is too long", *frame_len);
	memcpy(in, probe, sizeof(*probe));
	memcpy(in + sizeof(*probe), frame, *frame_len);
	if (bpf_prog_test_run_opts(prog_fd, &opts))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "test run of the program failed: %s",
			       strerror(errno));
	if (opts.data_size_out < sizeof(*probe) || opts.data_size_out > sizeof(out))
		return dg_fail(err, -EPROTO, DG_EXIT_FAILED,
			       "test run of the program brought no probe back");
	memcpy(probe, out, sizeof(*probe));
	*frame_len = opts.data_size_out - (__u32)sizeof(*probe);
	memcpy(frame, out + sizeof(*probe), *frame_len);
	return (int)opts.retval;
}
