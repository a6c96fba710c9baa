/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * question.bpf.h - the DNS header, the question and the EDNS facts of a query.
 *
 * Reads only, calls no helper, and knows nothing of frames: it is given a message and says what stands in it, or
 * by which rule it is none of ours. The same source is compiled natively for the differential tests and the fuzzer.
 *
 * Every read is checked twice: against the message's length, which is the rule, and against data_end, which is
 * what the verifier believes. The second never fails where the first held.
 */
#ifndef DG_QUESTION_BPF_H
#define DG_QUESTION_BPF_H

#include <stdbool.h>
#include <bpf/bpf_endian.h>

#include "bpf/facts.bpf.h"
#include "bpf/hash.h"

#define DG_HEADER_BYTES 12
#define DG_CLASS_IN 1
#define DG_TYPE_SIG 24
#define DG_TYPE_OPT 41
#define DG_TYPE_TSIG 250
#define DG_OPTION_COOKIE 10
#define DG_RECORDS_MAX 2  /* additional records looked at: OPT and a signature */
#define DG_OPTIONS_MAX 16 /* EDNS options looked at; more are left to the resolver */
#define DG_CLIENT_COOKIE_BYTES 8
#define DG_COOKIE_MIN 16 /* client cookie and the shortest server cookie: RFC 7873 section 4 */
#define DG_COOKIE_MAX 40
#define DG_MESSAGE_MAX 4096 /* octets looked at; what stands beyond is left to the resolver */

/* Keeps a pointer in one register: what was compared with data_end is then what is read, as the verifier wants it. */
#define question_pin(pointer) asm volatile("" : "+r"(pointer))

/* What was stored is read back from here on: the verifier does not follow it through memory, so paths come together. */
#define question_forget() asm volatile("" ::: "memory")

/* Where a type is counted: enum dg_qtype by QTYPE. Type 0 is reserved (RFC 6895) and stands for "not read". */
#define DG_QTYPES_NUMBERED 512 /* power of two, above all that have a row */
static const __u8 question_rows[DG_QTYPES_NUMBERED] = { [0] = DG_QTYPE_UNREAD,
#define DG_QTYPE_ROW(id, qtype, label) [qtype] = DG_QTYPE_##id,
							DG_QTYPES(DG_QTYPE_ROW)
#undef DG_QTYPE_ROW
};

/* Without a branch, which whoever counts would have to walk twice with the verifier. */
static __always_inline __u32 question_row(__u16 qtype)
{
	__u32 beyond = qtype / DG_QTYPES_NUMBERED;

	return question_rows[qtype & (DG_QTYPES_NUMBERED - 1)] &
	       (__u32)(((__s64)beyond - 1) >> 63) & (DG_QTYPE_ROWS - 1);
}

struct message {
	void *dns;	/* first octet of the header */
	void *data_end; /* of the frame */
	__u32 len;	/* octets of the message; dns + len <= data_end */
};

/* Hashes and offsets of the labels in wire order: room for the longest name. */
struct labels {
	struct dg_hash *hash; /* DG_LABELS_MAX + 1 */
	__u8 *at;	      /* DG_LABELS_MAX + 1, offsets in QNAME */
};

/* An octet, or -1 beyond the message. */
static __always_inline int message_u8(const struct message *msg, __u32 at)
{
	__u8 *p;

	if (at >= msg->len || at >= DG_MESSAGE_MAX)
		return -1;
	p = msg->dns + at;
	question_pin(p);
	return (void *)(p + 1) > msg->data_end ? -1 : *p;
}

/* Two octets in network order, or -1 beyond the message. */
static __always_inline int message_u16(const struct message *msg, __u32 at)
{
	__u16 *p;

	if (at + 2 > msg->len || at >= DG_MESSAGE_MAX)
		return -1;
	p = msg->dns + at;
	question_pin(p);
	return (void *)(p + 1) > msg->data_end ? -1 : bpf_ntohs(*p);
}

/* Eight octets from `at`, 0 beyond the message: callers have checked, this is for the verifier. */
static __always_inline __u64 message_u64(const struct message *msg, __u32 at)
{
	__u64 *p;

	if (at >= DG_MESSAGE_MAX)
		return 0;
	p = msg->dns + at;
	question_pin(p);
	return (void *)(p + 1) > msg->data_end ? 0 : *p;
}

/* A label begins at `at` in QNAME: its octets with the length, 0 = the root, -1 = broken. */
static __always_inline int label_begin(const struct message *msg, __u32 at)
{
	int len = message_u8(msg, DG_HEADER_BYTES + at);

	if (len <= 0 || len > DG_LABEL_MAX)
		return len ? -1 : 0;
	if (at + 1 + len + 1 > DG_NAME_MAX || DG_HEADER_BYTES + at + 1 + len > msg->len)
		return -1;
	return 1 + len;
}

/* The smaller of left and 8, without a branch. */
static __always_inline __u32 word_octets(__u32 left)
{
	__u64 missing = (__u64)left - 8, negative = missing >> 63;

	question_pin(negative); /* or clang makes a branch of it */
	return 8 + (missing & -negative);
}

/*
 * QNAME: RFC 1035 section 3.1, at most 255 octets, no compression. One turn hashes one word of a label, read backwards
 * from its end (the header is always in front), so no read passes the frame's end and none needs a mask. One flat
 * loop with one branch, because the verifier walks nested ones label by label by word.
 */
static __always_inline enum dg_verdict qname_read(const struct message *msg, const __u64 key[4],
						  struct labels *labels, struct question *q)
{
	const __u64 keys[4] = { key[0], key[1], key[2],
				key[3] };		  /* what is stored cannot change them */
	volatile __u8 *zero = &labels->at[DG_LABELS_MAX]; /* no label has this number */
	struct dg_hash hash = {};
	__u32 at, count, octets;
	int left;

	*zero = 0; /* through memory: a zero that the verifier does not know, so that all turns look alike */
	at = count = left = *zero;

	for (__u32 turn = 0; turn <= DG_NAME_MAX / 2; turn++) {
		at &= 255;
		count &= 127;
		left &= 127;
		question_pin(at);
		question_pin(count);
		question_pin(left);
		if (!left) {
			left = label_begin(msg, at);
			if (left <= 0)
				break;
			labels->at[count] = at;
			hash = dg_hash_start(keys);
		}
		octets = word_octets(left);
		at += octets;
		left -= octets;
		dg_hash_word(&hash, keys,
			     dg_fold_word(message_u64(msg, DG_HEADER_BYTES - 8 + at) >>
					  8 * (8 - octets)));
		labels->hash[count] = hash;
		count += ((__u64)(__u32)left - 1) >> 63; /* none left; without a branch */
	}
	if (left)
		return DG_PASS_BAD_NAME;
	q->labels = count;
	q->name_len = at + 1;
	return DG_NEXT;
}

/* What a DNS guard must know before it may refuse: is this a query at all? */
static __always_inline enum dg_verdict header_read(const struct message *msg)
{
	__u8 *header = msg->dns;

	if (msg->len < DG_HEADER_BYTES || msg->dns + DG_HEADER_BYTES > msg->data_end)
		return DG_PASS_SHORT;
	if (header[2] & 0x80)
		return DG_PASS_RESPONSE;
	return DG_NEXT;
}

/* The message's number as it was sent, for whoever has called header_read(). */
static __always_inline __u16 dns_id_read(const struct message *msg)
{
	const __u16 *id = msg->dns;

	return (const void *)(id + 1) > msg->data_end ? 0 : *id;
}

/* OPCODE QUERY, one question, nothing in answer and authority. */
static __always_inline enum dg_verdict counts_read(const struct message *msg, struct question *q)
{
	__u8 *header = msg->dns;
	__u16 *count = msg->dns + 4;

	if (msg->dns + DG_HEADER_BYTES > msg->data_end)
		return DG_PASS_SHORT;
	if (header[2] & 0x78)
		return DG_PASS_OPCODE;
	if (count[0] != bpf_htons(1) || count[1] || count[2])
		return DG_PASS_COUNTS;
	if (bpf_ntohs(count[3]) > DG_RECORDS_MAX)
		return DG_PASS_RECORDS;
	q->additional = bpf_ntohs(count[3]);
	return DG_NEXT;
}

/* The COOKIE option among the others: RFC 7873. at and end bound the options of the OPT record. */
static __always_inline enum dg_verdict options_read(const struct message *msg, struct question *q,
						    __u32 at, __u32 end)
{
	for (__u32 i = 0; i < DG_OPTIONS_MAX && at < end; i++) {
		int code = message_u16(msg, at), len = message_u16(msg, at + 2);

		if (code < 0 || len < 0 || at + 4 + len > end)
			return DG_PASS_RECORDS;
		if (code == DG_OPTION_COOKIE) {
			if (q->cookie_at || len > DG_COOKIE_MAX ||
			    (len < DG_COOKIE_MIN && len != DG_CLIENT_COOKIE_BYTES))
				return DG_PASS_RECORDS;
			q->cookie_at = at + 4;
			q->cookie_len = len;
		}
		at += 4 + len;
	}
	return at == end ? DG_NEXT : DG_PASS_RECORDS;
}

/* An OPT record (RFC 6891 section 6.1.2) whose root owner name stands at `at`. */
static __always_inline enum dg_verdict opt_read(const struct message *msg, struct question *q,
						__u32 at, __u32 rdlen)
{
	int size = message_u16(msg, at + 3), version = message_u8(msg, at + 6);
	int flags = message_u8(msg, at + 7);

	if (q->edns || size < 0 || version < 0 || flags < 0)
		return DG_PASS_RECORDS;
	q->edns = 1;
	q->udp_size = size < 512 ? 512 : size;
	q->version = version;
	q->edns_do = flags >> 7;
	return options_read(msg, q, at + 11, at + 11 + rdlen);
}

/* Offset behind an owner name that starts at `at`; 0 = broken. Pointers end a name: RFC 1035 section 4.1.4. */
static __always_inline __u32 owner_skip(const struct message *msg, __u32 at)
{
	for (__u32 i = 0; i <= DG_LABELS_MAX; i++) {
		int len = message_u8(msg, at);

		if (len < 0 || (len > DG_LABEL_MAX && len < 0xc0))
			return 0;
		if (len >= 0xc0)
			return at + 2;
		at += 1 + len;
		if (len == 0)
			return at;
		if (at >= msg->len)
			return 0;
	}
	return 0;
}

/* One additional record at *at; moves *at behind it. */
static __always_inline enum dg_verdict record_read(const struct message *msg, struct question *q,
						   __u32 *at)
{
	__u32 fixed = *at + 1; /* behind a root owner name, the usual case */
	enum dg_verdict verdict;
	int type, rdlen;

	if (message_u8(msg, *at) != 0)
		fixed = owner_skip(msg, *at);
	type = message_u16(msg, fixed);
	rdlen = message_u16(msg, fixed + 8);
	if (!fixed || type < 0 || rdlen < 0 || fixed + 10 + rdlen > msg->len)
		return DG_PASS_RECORDS;
	if (type == DG_TYPE_TSIG || type == DG_TYPE_SIG)
		return DG_PASS_SIGNED;
	if (type != DG_TYPE_OPT || fixed != *at + 1)
		return DG_PASS_RECORDS;
	verdict = opt_read(msg, q, *at, rdlen);
	*at = fixed + 10 + rdlen;
	return verdict;
}

/* The additional section: nothing, or one well-formed OPT, and then the message is at its end. */
static __always_inline enum dg_verdict additional_read(const struct message *msg,
						       struct question *q)
{
	__u32 at = q->end;
	enum dg_verdict verdict;

	for (__u32 i = 0; i < DG_RECORDS_MAX && i < q->additional; i++) {
		verdict = record_read(msg, q, &at);
		if (verdict)
			return verdict;
	}
	if (at != msg->len)
		return DG_PASS_RECORDS;
	return q->version ? DG_PASS_EDNS_VERSION : DG_NEXT;
}

static __always_inline enum dg_verdict question_read(const struct message *msg, const __u64 key[4],
						     struct labels *labels, struct question *q)
{
	enum dg_verdict verdict;
	int qtype, qclass;

	*q = (struct question){ .udp_size = 512 };
	verdict = counts_read(msg, q);
	if (verdict)
		return verdict;
	verdict = qname_read(msg, key, labels, q);
	if (verdict)
		return verdict;
	question_forget();
	qtype = message_u16(msg, DG_HEADER_BYTES + q->name_len);
	qclass = message_u16(msg, DG_HEADER_BYTES + q->name_len + 2);
	if (qtype < 0 || qclass < 0)
		return DG_PASS_BAD_NAME;
	if (qclass != DG_CLASS_IN)
		return DG_PASS_CLASS;
	q->qtype = qtype;
	q->end = DG_HEADER_BYTES + q->name_len + 4;
	return additional_read(msg, q);
}

#endif
