/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cookie.bpf.h - server cookies as the resolver behind us would make them: RFC 9018, version 1.
 *
 * SipHash-2-4 (Aumasson and Bernstein) over client cookie, version, reserved, timestamp and client address, under
 * the secret shared with the resolver. Only learns and computes; reply.bpf.h writes the option.
 */
#ifndef DG_COOKIE_BPF_H
#define DG_COOKIE_BPF_H

#include "bpf/packet.bpf.h"
#include "bpf/question.bpf.h"

struct sip {
	__u64 v0, v1, v2, v3;
};

static __always_inline void sip_rounds(struct sip *s, __u32 rounds)
{
	for (__u32 i = 0; i < rounds; i++) {
		s->v0 += s->v1;
		s->v1 = dg_rotl64(s->v1, 13) ^ s->v0;
		s->v0 = dg_rotl64(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = dg_rotl64(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = dg_rotl64(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = dg_rotl64(s->v1, 17) ^ s->v2;
		s->v2 = dg_rotl64(s->v2, 32);
	}
}

static __always_inline void sip_word(struct sip *s, __u64 word)
{
	s->v3 ^= word;
	sip_rounds(s, 2);
	s->v0 ^= word;
}

static __always_inline __u64 cookie_hash(const struct packet *pkt, const struct dg_scratch *scratch)
{
	const __u64 *secret = (const __u64 *)pkt->set->cookie_secret;
	struct sip s = { 0x736f6d6570736575ull ^ secret[0], 0x646f72616e646f6dull ^ secret[1],
			 0x6c7967656e657261ull ^ secret[0], 0x7465646279746573ull ^ secret[1] };

	sip_word(&s, scratch->cookie[0]);
	sip_word(&s, scratch->cookie[1]);
	if (pkt->f->family == DG_IPV4) {
		sip_word(&s, 20ull << 56 | pkt->f->saddr.lo >> 32);
	} else {
		sip_word(&s, pkt->f->saddr.hi);
		sip_word(&s, pkt->f->saddr.lo);
		sip_word(&s, 32ull << 56);
	}
	s.v2 ^= 0xff;
	sip_rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/*
 * Fills scratch->cookie with client and server cookie when an answer is to carry them. True = it is. The timestamp is
 * in seconds, network order, in the upper half of the second word.
 */
static __always_inline bool cookie_make(const struct packet *pkt, const struct question *q,
					struct dg_scratch *scratch)
{
	__u64 *client =
		pkt->data + (((pkt->f->l4 & 127) + sizeof(struct udphdr) + q->cookie_at) & 8191);
	__u32 seconds;

	question_pin(client);

	if (!q->cookie_at || !(pkt->set->flags & DG_SET_COOKIE_SECRET) ||
	    (void *)(client + 1) > pkt->data_end)
		return false;
	seconds = (pkt->f->now_ns + pkt->set->realtime_offset_ns) / 1000000000;
	scratch->cookie[0] = *client;
	scratch->cookie[1] = 1 | (__u64)bpf_htonl(seconds) << 32;
	scratch->cookie[2] = cookie_hash(pkt, scratch);
	return true;
}

/* Without the secret: a client that shows a server cookie may be left to the resolver that gave it. */
static __always_inline bool cookie_passes(const struct packet *pkt, const struct question *q)
{
	return pkt->set->flags & DG_SET_COOKIE_PASS && !(pkt->set->flags & DG_SET_COOKIE_SECRET) &&
	       q->cookie_len > DG_CLIENT_COOKIE_BYTES;
}

#endif
