/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reply.bpf.h - may this sender be answered, and the answer. The ONLY room that writes packet bytes.
 *
 * The answer is the query's own frame turned round: question echoed byte for byte, records behind it composed in the
 * scratch. Grow first, then write, shrink last: all that can fail happens before the first octet changes.
 */
#ifndef DG_REPLY_BPF_H
#define DG_REPLY_BPF_H

#include "bpf/packet.bpf.h"
#include "bpf/question.bpf.h"

#define DG_BUDGET_SLACK                                                                            \
	(1000000000ull >> DG_TICK_SHIFT) /* as in limit.bpf.h: clocks of CPUs differ */
#define DG_BUDGET_TRIES 4		 /* of a compare-and-swap against other CPUs */
#define DG_BUDGET_BATCH 16		 /* answers a CPU takes of the budget at once, */
#define DG_BUDGET_MANY 64		 /* where it may run ahead by so many */
#define DG_EDNS_SIZE 1232		 /* DNS flag day 2020 */
#define DG_OPTION_EDE 15		 /* RFC 8914 */
#define DG_FRAME_MIN 60			 /* IEEE 802.3, without FCS */
#define DG_TAIL_MAX 128
#define DG_SOA_BYTES 35
#define DG_OPT_BYTES 11
#define DG_EDE_BYTES (6 + DG_TEXT_MAX)
#define DG_COOKIE_BYTES 28
#define DG_QUESTION_MAX (DG_HEADER_BYTES + DG_NAME_MAX + 4)
_Static_assert(DG_SOA_BYTES + DG_OPT_BYTES + DG_EDE_BYTES + DG_COOKIE_BYTES <= DG_TAIL_MAX, "fits");
_Static_assert(DG_QUESTION_MAX + DG_TAIL_MAX <= 512,
	       "every answer fits the smallest client: RFC 1035");

enum reply_rcode { DG_RCODE_NOERROR = 0, DG_RCODE_NXDOMAIN = 3, DG_RCODE_REFUSED = 5 };
enum { DG_TYPE_A = 1, DG_TYPE_SOA = 6, DG_TYPE_AAAA = 28, DG_TYPE_ANY = 255 };

/* ---- may we? -------------------------------------------------------------------------------- */

static __always_inline bool reply_mac_ours(const struct packet *pkt, const struct dg_iface *iface)
{
	const __u8 *dst = pkt->data;

	if (pkt->data + ETH_ALEN > pkt->data_end)
		return false;
#pragma unroll
	for (__u32 i = 0; i < 1 + DG_IF_VMACS; i++) {
		const __u8 *mac = iface->mac[i];

		if (*(const __u32 *)mac == *(const __u32 *)dst &&
		    *(const __u16 *)(mac + 4) == *(const __u16 *)(dst + 4) && !(mac[0] & 1) &&
		    (*(const __u32 *)mac || *(const __u16 *)(mac + 4)))
			return true;
	}
	return false;
}

/* Port 0, this host, loopback, multicast, broadcast and "this network": RFC 1122 section 3.2.1.3, RFC 4291. */
static __always_inline bool reply_source_bad(const struct packet *pkt)
{
	__u8 first = pkt->f->family == DG_IPV4 ? pkt->f->saddr.lo >> 32 : pkt->f->saddr.hi;
	__u32 slot;

	if (!pkt->f->sport || packet_service_flags(pkt, pkt->f->saddr, &slot))
		return true;
	if (pkt->f->family == DG_IPV4)
		return first == 0 || first == 127 || first >= 224;
	return first == 0xff ||
	       !pkt->f->saddr.hi; /* ::/64: unspecified, loopback, mapped and compatible IPv4 */
}

/* Answers a CPU takes of the budget at once: one where the bound allows few, so that it stays exact there. */
static __always_inline __u64 reply_budget_batch(const struct dg_settings *set)
{
	return set->budget_cost * DG_BUDGET_MANY <= set->budget_ceiling ? DG_BUDGET_BATCH : 1;
}

/*
 * Takes `answers` of the budget all CPUs share; true = it has not so many. GCRA as in limit.bpf.h, one cell. Its line is every CPU's: so
 * a CPU comes here once in a batch, and finds it taken by another in one try of many.
 */
static __always_inline bool reply_budget_taken(const struct packet *pkt, __u64 *next, __u64 answers)
{
	__u64 now = pkt->f->now_ns >> DG_TICK_SHIFT, ceiling = pkt->set->budget_ceiling;
	__u64 cost = pkt->set->budget_cost * answers;

	for (__u32 try = 0; try < DG_BUDGET_TRIES; try++) {
		__u64 seen = *(volatile __u64 *)next;
		__u64 ahead = seen > now ? seen - now : 0;
		__u64 from = ahead <= ceiling + DG_BUDGET_SLACK ? now + ahead : now;

		if (from + cost > now + ceiling)
			return true;
		if (pkt->f->dry)
			return false;
		if (__sync_val_compare_and_swap(next, seen, from + cost) == seen)
			return false;
	}
	return true; /* so many answers at once: the bound holds first */
}

/* One answer of the budget: of those this CPU has paid for, or of the next batch. */
static __always_inline bool reply_budget_spent(const struct packet *pkt, struct dg_scratch *scratch)
{
	__u64 batch = reply_budget_batch(pkt->set);
	__u32 zero = 0;
	__u64 *next;

	if (!pkt->set->budget_cost)
		return false;
	if (scratch->answers_paid) {
		scratch->answers_paid -= !pkt->f->dry;
		return false;
	}
	next = bpf_map_lookup_elem(&dg_budget, &zero);
	if (!next)
		return false;
	if (reply_budget_taken(pkt, next, batch))
		return true;
	if (!pkt->f->dry)
		scratch->answers_paid = batch - 1;
	return false;
}

/* NEXT, or why this sender gets no answer from here. Spends the budget last. */
static __always_inline enum dg_verdict reply_check(const struct packet *pkt,
						   struct dg_scratch *scratch)
{
	__u32 slot = dg_slot;
	struct dg_iface *iface = bpf_map_lookup_elem(&dg_ifaces, &slot);

	if (!iface)
		return DG_PASS_NO_STATE;
	if (iface->flags & DG_IF_ANSWERS_OFF)
		return DG_PASS_ANSWERS_OFF;
	if (!reply_mac_ours(pkt, iface))
		return DG_PASS_OTHER_HOST;
	if (pkt->set->flags & DG_SET_CLIENTS_ONLY && !(pkt->f->source_flags & DG_SRC_CLIENT))
		return DG_PASS_NOT_CLIENT;
	if (reply_source_bad(pkt))
		return DG_PASS_BAD_SOURCE;
	if (reply_budget_spent(pkt, scratch))
		return DG_DROP_BUDGET;
	return DG_NEXT;
}

/* ---- records, in the scratch ---------------------------------------------------------------- */

static __always_inline void put16(__u8 *p, __u16 value)
{
	*(__u16 *)p = bpf_htons(value);
}

static __always_inline void put32(__u8 *p, __u32 value)
{
	*(__u32 *)p = bpf_htonl(value);
}

/* Owner name as a pointer into the question, TYPE, CLASS IN, TTL, RDLENGTH: RFC 1035 section 3.2.1. */
static __always_inline void put_record(__u8 *p, __u32 owner_at, __u16 type, __u32 ttl, __u16 rdlen)
{
	put16(p, 0xc000 | owner_at);
	put16(p + 2, type);
	put16(p + 4, DG_CLASS_IN);
	put32(p + 6, ttl);
	put16(p + 10, rdlen);
}

/* SOA of the listed name: TTL and MINIMUM say how long a negative answer may be kept (RFC 2308 section 5). */
static __always_inline void reply_soa(const struct packet *pkt, const struct question *q,
				      struct dg_scratch *scratch, struct reply *reply)
{
	__u32 first = (q->labels - pkt->f->match_labels) & DG_LABELS_MAX;
	__u32 owner = DG_HEADER_BYTES + scratch->label_at[first];
	__u8 *p = scratch->tail;

	put_record(p, owner, DG_TYPE_SOA, pkt->set->negative_ttl, DG_SOA_BYTES - 12);
	put16(p + 12, 0xc000 | owner); /* MNAME */
	p[14] = 0;		       /* RNAME: none (the root) */
	put32(p + 15, 1);	       /* SERIAL */
	put32(p + 19, 3600);	       /* REFRESH */
	put32(p + 23, 600);	       /* RETRY */
	put32(p + 27, 86400);	       /* EXPIRE */
	put32(p + 31, pkt->set->negative_ttl);
	reply->authorities = 1;
	reply->tail_len = DG_SOA_BYTES;
}

/* The operator's address for this type; ANY gets one RRset at most. Falls to NODATA (SOA) without one. */
static __always_inline void reply_address(const struct packet *pkt, const struct question *q,
					  struct dg_scratch *scratch, struct reply *reply)
{
	const struct dg_answer *answer = &scratch->answer;
	__u8 flags = answer->kind == DG_ANSWER_NULL ? DG_ANS_V4 | DG_ANS_V6 : answer->flags;
	__u8 *p = scratch->tail;

	if (flags & DG_ANS_V4 && (q->qtype == DG_TYPE_A || q->qtype == DG_TYPE_ANY)) {
		put_record(p, DG_HEADER_BYTES, DG_TYPE_A, pkt->set->address_ttl, 4);
		*(__u32 *)(p + 12) = *(const __u32 *)answer->v4;
		reply->tail_len = 16;
	} else if (flags & DG_ANS_V6 && (q->qtype == DG_TYPE_AAAA || q->qtype == DG_TYPE_ANY)) {
		put_record(p, DG_HEADER_BYTES, DG_TYPE_AAAA, pkt->set->address_ttl, 16);
		__builtin_memcpy(p + 12, answer->v6, 16);
		reply->tail_len = 28;
	} else {
		reply_soa(pkt, q, scratch, reply);
		return;
	}
	reply->answers = 1;
}

/* OPT with the options due: version 0, our size, the client's DO. Goes behind what is in the tail. */
static __always_inline void reply_opt(const struct question *q, struct dg_scratch *scratch,
				      struct reply *reply)
{
	__u8 *opt = scratch->tail + (reply->tail_len & 63), *p = opt + DG_OPT_BYTES;
	__u32 text = scratch->answer.text_len, len = DG_OPT_BYTES;

	opt[0] = 0;
	put16(opt + 1, DG_TYPE_OPT);
	put16(opt + 3, DG_EDNS_SIZE);
	put32(opt + 5, q->edns_do ? 0x8000 : 0);
	if (reply->ede) {
		text = reply->ede == 2 ? text & (2 * DG_TEXT_MAX - 1) : 0;
		put16(p, DG_OPTION_EDE);
		put16(p + 2, 2 + text);
		put16(p + 4, scratch->answer.ede);
		__builtin_memcpy(p + 6, scratch->answer.text, DG_TEXT_MAX);
		p += 6 + text;
		len += 6 + text;
	}
	if (reply->cookie) {
		put16(p, DG_OPTION_COOKIE);
		put16(p + 2, 3 * 8);
		__builtin_memcpy(p + 4, scratch->cookie, 3 * 8);
		len += DG_COOKIE_BYTES;
	}
	put16(opt + 9, len - DG_OPT_BYTES);
	reply->tail_len += len;
}

/* ---- the frame ------------------------------------------------------------------------------ */

/* Both halves of a word. */
static __always_inline __u64 sum_word(__u64 word)
{
	return (word & 0xffffffff) + (word >> 32);
}

/* The 1 to 15 octets behind the last whole pair of words, as they would stand at the front of a pair. */
static __always_inline __u64 sum_rest(const __u64 *last, __u32 rest)
{
	__u32 shift = 8 * (8 - (rest & 7)); /* of rest 8: by a whole word, that is not at all */

	if (rest == 8)
		return sum_word(last[1]);
	if (rest < 8)
		return sum_word(last[1] >> (shift & 63));
	return sum_word(last[0] >> (shift & 63) | last[1] << (64 - (shift & 63))) +
	       sum_word(last[1] >> (shift & 63));
}

/*
 * One's complement sum of header and question in 32-bit halves: RFC 1071. The odd octets at the end come first, read
 * backwards from it: so nothing but the sum is alive when the loop ends, and its exits are one to the verifier. Header and
 * question have more than 16 octets.
 */
static __always_inline __u64 sum_question(const void *msg, __u32 len, const void *data_end)
{
	const __u64 *last = msg + ((len - 16) & 511), *p = msg;
	__u32 pairs = len / 16, rest = len & 15;
	__u64 sum = 0;

	question_pin(last);
	if ((const void *)(last + 2) > data_end)
		return 0;
	if (rest)
		sum = sum_rest(last, rest);
	for (__u32 i = 0; i < (DG_QUESTION_MAX + 15) / 16 && i < pairs; i++, p += 2) {
		question_pin(p);
		if ((const void *)(p + 2) > data_end)
			break;
		sum += sum_word(p[0]) + sum_word(p[1]);
	}
	return sum;
}

static __always_inline __u16 sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The sum of octets that stand behind `before` others: behind an odd number each is the other half of its pair. RFC 1071 (2)(B). */
static __always_inline __u64 sum_behind(__u64 sum, __u32 before)
{
	__u16 folded = sum_fold(sum);

	return before & 1 ? __builtin_bswap16(folded) : folded;
}

static __always_inline __u64 sum_addr(struct dg_addr addr)
{
	/* ::ffff of the IPv4 form adds 0xffff, which is 0 in this arithmetic */
	return (addr.hi & 0xffffffff) + (addr.hi >> 32) + (addr.lo & 0xffffffff) + (addr.lo >> 32);
}

static __always_inline void write_ipv4(void *l3, const struct packet *pkt, __u32 udp_len)
{
	struct iphdr *ip = l3;
	__u32 *word = l3;
	__u64 sum;

	word[0] = bpf_htonl(0x45000000 | (sizeof(*ip) + udp_len));
	word[1] = bpf_htonl(0x00004000); /* ID 0, DF */
	word[2] = bpf_htonl(64 << 24 | IPPROTO_UDP << 16);
	word[3] = pkt->f->daddr.lo >> 32;
	word[4] = pkt->f->saddr.lo >> 32;
	sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];
	ip->check = ~sum_fold(sum);
}

static __always_inline void write_ipv6(void *l3, const struct packet *pkt, __u32 udp_len)
{
	__u32 *word = l3;
	__u64 *addr = l3 + 8;

	word[0] = bpf_htonl(0x60000000);
	word[1] = bpf_htonl(udp_len << 16 | IPPROTO_UDP << 8 | 64);
	addr[0] = pkt->f->daddr.hi;
	addr[1] = pkt->f->daddr.lo;
	addr[2] = pkt->f->saddr.hi;
	addr[3] = pkt->f->saddr.lo;
}

/* QR=1, RD and CD copied, RA=1, AA=AD=0; one question. In the two words the sum reads again: a load waits for narrower stores. */
static __always_inline void write_dns(void *msg, const struct question *q,
				      const struct reply *reply)
{
	__u64 *word = msg;
	__u64 first = word[0];
	__u32 flags = (first >> 16) & 0x1001; /* RD and CD, as octets 2 and 3 lie in a word */

	flags |= 0x8080 | (reply->truncated ? 0x02 : 0) | (__u32)reply->rcode << 8;
	word[0] = (first & 0x0000ffff0000ffffull) | (__u64)flags << 16 |
		  (__u64)bpf_htons(reply->answers) << 48;
	word[1] = (word[1] & ~0xffffffffull) | bpf_htons(reply->authorities) |
		  (__u64)bpf_htons(q->edns) << 16;
}

/* UDP header and checksum over all of it, anew: the received sum may be a local sender's half-done one. */
static __always_inline void write_udp(void *l4, const struct packet *pkt, __u32 udp_len, __u64 sum)
{
	struct udphdr *udp = l4;
	__u16 check;

	sum += sum_addr(pkt->f->saddr) + sum_addr(pkt->f->daddr) + bpf_htons(IPPROTO_UDP) +
	       2 * (__u64)bpf_htons(udp_len) + pkt->f->sport + pkt->f->dport;
	check = ~sum_fold(sum);
	udp->source = pkt->f->dport;
	udp->dest = pkt->f->sport;
	udp->len = bpf_htons(udp_len);
	udp->check = check ? check : 0xffff;
}

static __always_inline void write_link(void *data)
{
	__u16 *mac = data, swap;

#pragma unroll
	for (__u32 i = 0; i < ETH_ALEN / 2; i++) {
		swap = mac[i];
		mac[i] = mac[i + 3];
		mac[i + 3] = swap;
	}
}

/*
 * The records behind the question, in words, and their sum; the last word is read backwards from the end and counts for what
 * is new in it. False = bounds that cannot be. Words, because a helper that copies costs as much as all of this; summed on the way,
 * because the message in the frame lies across the words just written.
 */
static __always_inline bool write_tail(void *at, const struct dg_scratch *scratch, __u32 len,
				       const void *data_end, __u64 *ret_sum)
{
	__u64 sum = 0;

	for (__u32 word = 0; word < DG_TAIL_MAX / 8 && 8 * word < len; word++) {
		__u32 from = 8 * word + 8 <= len ? 8 * word : len - 8;
		__u32 known = 8 * word - from;
		__u64 *to, value;

		from &= DG_TAIL_MAX - 1;
		question_pin(from);
		to = at + from;
		question_pin(to);
		if ((void *)(to + 1) > data_end)
			return false;
		value = *(const __u64 *)(scratch->tail + from);
		*to = value;
		sum += sum_word(value >> (8 * known & 63));
	}
	*ret_sum = sum;
	return true;
}

/* The shortest message, the root's over IPv4, ends one octet before the smallest frame: that octet is the query's own. */
static __always_inline void write_padding(void *data, __u32 from, const void *data_end)
{
	if (from < DG_FRAME_MIN && data + DG_FRAME_MIN <= data_end)
		*(__u8 *)(data + DG_FRAME_MIN - 1) = 0;
}

/* The frame has room: turn it round. False = bounds that cannot be, nothing written. */
static __always_inline bool reply_turn(struct xdp_md *ctx, const struct packet *pkt,
				       const struct question *q, struct dg_scratch *scratch,
				       const struct reply *reply)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	__u32 udp_len = sizeof(struct udphdr) + q->end + reply->tail_len;
	__u32 tail_at = (pkt->f->l4 & 127) + sizeof(struct udphdr) + q->end;
	void *l3 = data + (pkt->f->l3 & 31), *l4 = data + (pkt->f->l4 & 127);
	void *msg = l4 + sizeof(struct udphdr);
	__u64 sum;

	question_pin(l3);
	question_pin(l4);
	if (data + sizeof(struct ethhdr) > data_end || l3 + sizeof(struct ipv6hdr) > data_end ||
	    msg + 2 * sizeof(__u64) > data_end)
		return false;
	if (!write_tail(data + (tail_at & 511), scratch, reply->tail_len, data_end, &sum))
		return false;
	write_link(data);
	if (pkt->f->family == DG_IPV4)
		write_ipv4(l3, pkt, udp_len);
	else
		write_ipv6(l3, pkt, udp_len);
	write_dns(msg, q, reply);
	sum = sum_behind(sum, q->end) + sum_question(msg, q->end, data_end);
	write_udp(l4, pkt, udp_len, sum);
	write_padding(data, (pkt->f->l4 & 127) + udp_len, data_end);
	return true;
}

/*
 * Makes the frame `grow` octets longer. At its end where there is room; else at its head, where drivers keep 256 octets
 * for us: headers and question then move down, and the room is at the end. veth and page-pool drivers cut a frame's buffer to
 * its size, so without the second way most answers would be refused there. False = the frame is as it was.
 */
static __always_inline bool reply_grow(struct xdp_md *ctx, const struct packet *pkt,
				       const struct question *q, struct dg_scratch *scratch,
				       __s32 grow)
{
	__u32 keep = (pkt->f->l4 & 127) + sizeof(struct udphdr) + q->end;

	if (grow <= 0 || !bpf_xdp_adjust_tail(ctx, grow))
		return true;
	keep = ((keep - 1) & (sizeof(scratch->front) - 1)) +
	       1; /* 6.1 wants to see that it is not 0 */
	question_pin(keep);
	if (bpf_xdp_load_bytes(ctx, 0, scratch->front, keep) || bpf_xdp_adjust_head(ctx, -grow))
		return false;
	if (!bpf_xdp_store_bytes(ctx, 0, scratch->front, keep))
		return true;
	bpf_xdp_adjust_head(ctx, grow);
	return false;
}

/*
 * The reply through map memory and back: what the verifier knows of it differs with each kind of answer, and would have it
 * walk the writing once for each.
 */
static __always_inline void reply_forget(struct dg_scratch *scratch, struct reply *reply)
{
	scratch->reply = *reply;
	asm volatile("" ::: "memory"); /* or clang would not read it back */
	*reply = scratch->reply;
}

static __always_inline enum dg_verdict reply_write(struct xdp_md *ctx, const struct packet *pkt,
						   const struct question *q,
						   struct dg_scratch *scratch, struct reply *reply)
{
	__u32 want;
	__s32 grow;

	reply_forget(scratch, reply);
	if (q->end > DG_QUESTION_MAX || reply->tail_len > DG_TAIL_MAX)
		return DG_PASS_NO_ROOM;
	if (pkt->data + pkt->f->frame_len != pkt->data_end) /* continues in fragments */
		return DG_PASS_NO_ROOM;
	want = (pkt->f->l4 & 127) + sizeof(struct udphdr) + q->end + reply->tail_len;
	if (want < DG_FRAME_MIN)
		want = DG_FRAME_MIN;
	grow = want - pkt->f->frame_len;
	if (!reply_grow(ctx, pkt, q, scratch, grow))
		return DG_PASS_NO_ROOM;
	if (!reply_turn(ctx, pkt, q, scratch, reply))
		return DG_PASS_NO_ROOM; /* bounds that cannot be; what was grown is trailing octets */
	if (grow < 0) /* refused: trailing octets behind the IP packet, which receivers ignore */
		bpf_xdp_adjust_tail(ctx, grow);
	return DG_NEXT;
}

/* ---- what the walk asks for ----------------------------------------------------------------- */

/* The listed name's answer. NEXT = written. */
static __always_inline enum dg_verdict reply_sinkhole(struct xdp_md *ctx, const struct packet *pkt,
						      const struct question *q,
						      struct dg_scratch *scratch, bool cookie)
{
	struct reply reply = { .cookie = cookie };

	if (!(scratch->answer.flags & DG_ANS_NO_EDE))
		reply.ede = pkt->set->flags & DG_SET_EDE_TEXT ? 2 : 1;
	switch (scratch->answer.kind) {
	case DG_ANSWER_NXDOMAIN:
		reply.rcode = DG_RCODE_NXDOMAIN;
		reply_soa(pkt, q, scratch, &reply);
		break;
	case DG_ANSWER_REFUSED:
		reply.rcode = DG_RCODE_REFUSED;
		break;
	case DG_ANSWER_TRUNCATE:
		reply.truncated = 1;
		break;
	case DG_ANSWER_ADDRESS:
	case DG_ANSWER_NULL:
		reply_address(pkt, q, scratch, &reply);
		break;
	default:
		reply_soa(pkt, q, scratch, &reply);
	}
	if (q->edns)
		reply_opt(q, scratch, &reply);
	return reply_write(ctx, pkt, q, scratch, &reply);
}

/* "Ask again over TCP": the question, TC=1, and OPT without EDE. NEXT = written. */
static __always_inline enum dg_verdict reply_truncated(struct xdp_md *ctx, const struct packet *pkt,
						       const struct question *q,
						       struct dg_scratch *scratch, bool cookie)
{
	struct reply reply = { .truncated = 1, .cookie = cookie };

	if (q->edns)
		reply_opt(q, scratch, &reply);
	return reply_write(ctx, pkt, q, scratch, &reply);
}

#endif
