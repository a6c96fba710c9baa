/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hash.h - the keyed hash of names, and the mixer of addresses: the same bytes give the same value in the
 * kernel and in userspace. Pure C, no state, nothing but arithmetic.
 *
 * A name is hashed label by label. A label's own hash runs over its wire form (length octet, then octets)
 * in 8-byte words, folded to lower case; a suffix's hash extends its parent's by one label. So one pass
 * over a name in wire order and one pass back give the hash of every suffix.
 *
 * Two lanes of 64 bits, each multiplied by a secret odd number and rotated for every word. One lane mixes by
 * xor and one by addition, with different rotations: no difference between two inputs cancels in both
 * lanes unless the secret is known. Lanes are compared together (80 bits and a bucket number), see abi.h.
 */
#ifndef DG_HASH_H
#define DG_HASH_H

#include <linux/types.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "words are read little-endian"
#endif

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

struct dg_hash {
	__u64 a, b;
};

/* Bytes 'A'..'Z' of a word become 'a'..'z'; all others, also those above 0x7f and label lengths, stay. */
static __always_inline __u64 dg_fold_word(__u64 w)
{
	const __u64 ones = 0x0101010101010101ull;
	__u64 low7 = w & (0x7f * ones);
	__u64 from_a = low7 + (0x80 - 'A') * ones; /* bit 7 set where byte >= 'A' */
	__u64 past_z = low7 + (0x7f - 'Z') * ones; /* bit 7 set where byte > 'Z' */

	return w | (((from_a ^ past_z) & ~w & (0x80 * ones)) >> 2);
}

/* The low n octets of a word, 0 < n <= 8. */
static __always_inline __u64 dg_word_head(__u64 w, __u32 n)
{
	return w & (~0ull >> (8 * (8 - n)));
}

static __always_inline __u64 dg_rotl64(__u64 x, __u32 n)
{
	return x << n | x >> (64 - n);
}

/* One 8-byte word into both lanes. key[2] and key[3] are taken odd by their users here. */
static __always_inline void dg_hash_word(struct dg_hash *h, const __u64 key[4], __u64 w)
{
	h->a = dg_rotl64((h->a ^ w) * (key[2] | 1), 29);
	h->b = dg_rotl64((h->b + w) * (key[3] | 1), 37);
}

/* Start of a label's hash, and the hash of the root. */
static __always_inline struct dg_hash dg_hash_start(const __u64 key[4])
{
	return (struct dg_hash){ key[0], key[1] };
}

/* The suffix `parent` with one more label in front. */
static __always_inline struct dg_hash dg_hash_extend(struct dg_hash parent, const __u64 key[4],
						     struct dg_hash label)
{
	return (struct dg_hash){
		dg_rotl64((parent.a ^ label.a) * (key[2] | 1), 29) + parent.b,
		dg_rotl64((parent.b + label.b) * (key[3] | 1), 37) ^ label.a,
	};
}

/* Fingerprint in an image bucket; never 0, which marks a free way. */
static __always_inline __u64 dg_hash_fp(struct dg_hash h)
{
	__u64 fp = h.a ^ h.a >> 32;

	return fp | ((fp - 1) & ~fp) >>
			    63; /* without a branch, which a loop over labels would multiply */
}

/* 16 more bits, kept beside the list number. */
static __always_inline __u32 dg_hash_tag(struct dg_hash h)
{
	return (__u32)(h.b & 0xffff);
}

/* 32 well mixed bits of the lane that fp leaves alone: one multiplication brings its low bits up. */
static __always_inline __u32 dg_hash_place(struct dg_hash h)
{
	return (__u32)((h.b * 0x9e3779b97f4a7c15ull) >> 32);
}

/* Home bucket among `buckets`, which need not be a power of two. */
static __always_inline __u32 dg_hash_bucket(struct dg_hash h, __u32 buckets)
{
	return (__u32)(((__u64)dg_hash_place(h) * buckets) >> 32);
}

/* Two bits of one word of the lists' filter. A fingerprint is all that an image keeps of lane a. */
static __always_inline __u64 dg_hash_filter_mix(__u64 fp)
{
	return fp * 0x9e3779b97f4a7c15ull;
}

static __always_inline __u64 dg_hash_filter_bits(__u64 mix)
{
	return 1ull << (mix >> 31 & 63) | 1ull << (mix >> 37 & 63);
}

/* 1 = both bits are set, without a branch. */
static __always_inline __u64 dg_hash_filter_has(__u64 word, __u64 mix)
{
	return word >> (mix >> 31 & 63) & word >> (mix >> 37 & 63) & 1;
}

/* words is a power of two up to 2^21. */
static __always_inline __u32 dg_hash_filter_word(__u64 mix, __u32 words)
{
	return (__u32)(mix >> 43) & (words - 1);
}

/* Bit of the operator's filter, 0 .. bits-1; bits is a power of two up to 2^32. */
static __always_inline __u32 dg_hash_filter_bit(struct dg_hash h, __u32 bits)
{
	return dg_hash_place(h) & (bits - 1);
}

/* A value that tells whether two keys are the same without telling the key. */
static __always_inline __u64 dg_hash_key_check(const __u64 key[4])
{
	struct dg_hash h = dg_hash_start(key);

	dg_hash_word(&h, key, key[2]);
	dg_hash_word(&h, key, key[3]);
	dg_hash_word(&h, key, 0);
	return h.a ^ h.b;
}

/* Mixer for addresses: xor with a secret, then a full avalanche (Stafford's variant 13 of murmur3's). */
static __always_inline __u64 dg_mix64(__u64 x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	x ^= x >> 31;
	return x;
}

/* An address in the 16-byte form under a secret; also the bucket hash of the service table. */
static __always_inline __u64 dg_hash_addr(__u64 hi, __u64 lo, const __u64 key[2])
{
	return dg_mix64((hi ^ key[0]) * (key[1] | 1) ^ dg_rotl64(lo + key[1], 32));
}

/* Of a TCP flow: addresses as { hi, lo }, client's port << 16 | service's port. Bucket and id come from different bits. */
static __always_inline __u64 dg_hash_flow(const __u64 client[2], const __u64 service[2],
					  __u32 ports, const __u64 key[2])
{
	__u64 hash = dg_hash_addr(client[0], client[1], key);

	return dg_mix64(dg_hash_addr(service[0] ^ hash, service[1], key) ^ ports);
}

/* 24 bits, never 0. */
static __always_inline __u32 dg_hash_flow_id(__u64 hash)
{
	__u32 id = hash >> 40;

	return id ? id : 1;
}

/*
 * The prefixes by which a source's connections are counted, host bits 0: IPv4 /32 and, on the second rung, /24; IPv6 /64 and
 * /48. Addresses are little-endian words of network bytes, IPv4 in its 16-byte form.
 */
static __always_inline __u32 dg_share_is_v4(__u64 hi, __u64 lo)
{
	return !hi && (__u32)lo == 0xffff0000;
}

static __always_inline void dg_share_prefix(__u64 *hi, __u64 *lo, __u32 rung)
{
	if (dg_share_is_v4(*hi, *lo)) {
		*lo &= rung ? ~0ull >> 8 : ~0ull;
		return;
	}
	*hi &= rung ? ~0ull >> 16 : ~0ull;
	*lo = 0;
}

/* Of the address of a source: line and id of its cell on a rung. */
static __always_inline __u64 dg_hash_share(__u64 hi, __u64 lo, __u32 rung, const __u64 key[2])
{
	__u64 hash;

	dg_share_prefix(&hi, &lo, rung);
	hash = dg_hash_addr(hi, lo, key);
	return rung ? dg_mix64(hash) :
		      hash; /* a /48 is not its first /64, a /24 not its first address */
}

#endif
