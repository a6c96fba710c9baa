/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reference.h - a second reader of DNS queries, octet by octet, for the fuzzer and the differential tests.
 *
 * Written from RFC 1035, 6891 and 7873 and the rules of what the guard leaves to the resolver; slow, simple, sharing
 * nothing with bpf/question.bpf.h but the verdicts' numbers. Where several rules apply the first in the message wins.
 */
#ifndef DG_TEST_REFERENCE_H
#define DG_TEST_REFERENCE_H

#include <string.h>

#include "bpf/abi.h"

struct reference {
	enum dg_verdict verdict; /* DG_NEXT: a query that the guard may act on */
	__u8 name[DG_NAME_MAX];	 /* lower case, wire form */
	__u32 name_len, labels, end;
	__u32 qtype, udp_size, cookie_len;
	int edns, edns_do, version;
	/* while reading */
	const __u8 *msg;
	__u32 len, at;
	int short_read;
};

static inline __u32 reference_octet(struct reference *ref)
{
	if (ref->at >= ref->len) {
		ref->short_read = 1;
		return 0;
	}
	return ref->msg[ref->at++];
}

static inline __u32 reference_short(struct reference *ref)
{
	__u32 high = reference_octet(ref);

	return high << 8 | reference_octet(ref);
}

static inline int reference_qname(struct reference *ref)
{
	for (;;) {
		__u32 label = reference_octet(ref);

		if (ref->short_read || label > DG_LABEL_MAX ||
		    ref->name_len + 1 + label > DG_NAME_MAX)
			return -1;
		ref->name[ref->name_len++] = label;
		if (!label)
			return 0;
		ref->labels++;
		while (label--) {
			__u32 c = reference_octet(ref);

			ref->name[ref->name_len++] = c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
		}
	}
}

/* Moves behind an owner name, which may end in a pointer. */
static inline int reference_owner(struct reference *ref)
{
	for (int labels = 0; labels <= DG_LABELS_MAX; labels++) {
		__u32 label = reference_octet(ref);

		if (ref->short_read || (label > DG_LABEL_MAX && label < 0xc0))
			return -1;
		if (label >= 0xc0)
			reference_octet(ref);
		if (!label || label >= 0xc0)
			return 0;
		while (label--)
			reference_octet(ref);
	}
	return -1;
}

#define REFERENCE_OPTIONS_MAX 16
static inline enum dg_verdict reference_options(struct reference *ref, __u32 end)
{
	int cookies = 0;

	for (int count = 0; ref->at < end; count++) {
		__u32 code = reference_short(ref), len = reference_short(ref);

		if (count == REFERENCE_OPTIONS_MAX || ref->short_read || ref->at + len > end)
			return DG_PASS_RECORDS;
		ref->at += len;
		if (code != 10)
			continue;
		if (cookies++ || !(len == 8 || (len >= 16 && len <= 40)))
			return DG_PASS_RECORDS;
		ref->cookie_len = len;
	}
	return DG_NEXT;
}

static inline enum dg_verdict reference_record(struct reference *ref)
{
	int root = ref->at < ref->len && ref->msg[ref->at] == 0;
	int broken = reference_owner(ref);
	__u32 type = reference_short(ref), size = reference_short(ref);
	__u32 version, flags, rdlen;

	reference_octet(ref); /* extended RCODE, or the high octet of a TTL */
	version = reference_octet(ref);
	flags = reference_short(ref);
	rdlen = reference_short(ref);
	if (broken || ref->short_read || rdlen > ref->len - ref->at)
		return DG_PASS_RECORDS;
	if (type == 250 || type == 24)
		return DG_PASS_SIGNED;
	if (type != 41 || !root || ref->edns)
		return DG_PASS_RECORDS;
	ref->edns = 1;
	ref->version = version;
	ref->edns_do = flags >> 15;
	ref->udp_size = size < 512 ? 512 : size;
	return reference_options(ref, ref->at + rdlen);
}

static inline enum dg_verdict reference_head(struct reference *ref, __u32 *ret_records)
{
	__u32 flags, questions, answers, authorities;

	ref->at = 2;
	flags = reference_short(ref);
	questions = reference_short(ref);
	answers = reference_short(ref);
	authorities = reference_short(ref);
	*ret_records = reference_short(ref);
	if (ref->short_read)
		return DG_PASS_SHORT;
	if (flags & 0x8000)
		return DG_PASS_RESPONSE;
	if (flags & 0x7800)
		return DG_PASS_OPCODE;
	if (questions != 1 || answers || authorities)
		return DG_PASS_COUNTS;
	return *ret_records > 2 ? DG_PASS_RECORDS : DG_NEXT;
}

static inline enum dg_verdict reference_walk(struct reference *ref)
{
	__u32 records, qclass;
	enum dg_verdict verdict = reference_head(ref, &records);

	if (verdict)
		return verdict;
	if (reference_qname(ref))
		return DG_PASS_BAD_NAME;
	ref->qtype = reference_short(ref);
	qclass = reference_short(ref);
	if (ref->short_read)
		return DG_PASS_BAD_NAME;
	if (qclass != 1)
		return DG_PASS_CLASS;
	ref->end = ref->at;
	while (records--) {
		verdict = reference_record(ref);
		if (verdict)
			return verdict;
	}
	if (ref->at != ref->len)
		return DG_PASS_RECORDS;
	return ref->version ? DG_PASS_EDNS_VERSION : DG_NEXT;
}

static inline void reference_read(const __u8 *msg, __u32 len, struct reference *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->msg = msg;
	ret->len = len;
	ret->udp_size = 512;
	ret->verdict = reference_walk(ret);
}

#endif
