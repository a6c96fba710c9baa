// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * native.c - tells what bpf/question.bpf.h, compiled for this host, and the reference read in each message.
 *
 * Standard input: one message a line, in hex. Standard output: two lines for each, first the parser's, then the
 * reference's: verdict, name as the question has it, labels, qtype, end, OPT, DO, version, UDP size, cookie
 * octets, and whether the name's hash is the one userspace computes (the reference prints 1).
 */
#include <stdio.h>

#include "tests/diff/native.h"
#include "tests/diff/reference.h"
#include "userspace/lib/names.h"
#include "userspace/lib/stats.h"

static int hash_agrees(const struct native *native, const struct reference *ref)
{
	struct dg_name name = { .len = ref->name_len, .labels = ref->labels };
	struct dg_hash hash;

	memcpy(name.wire, ref->name, ref->name_len);
	hash = dg_name_hash(&name, native_key);
	return hash.a == native->hash.a && hash.b == native->hash.b;
}

static void print_name(const __u8 *name, __u32 len)
{
	for (__u32 i = 0; i < len; i++)
		printf("%02x", name[i]);
}

static void print_native(const struct native *native, const struct reference *ref, const __u8 *msg)
{
	const struct question *q = &native->question;

	printf("%s ", dg_verdict_label(native->verdict));
	if (!native->verdict) {
		print_name(msg + DG_HEADER_BYTES, q->name_len);
		printf(" %u %u %u %u %u %u %u %u %d", q->labels, q->qtype, q->end, q->edns,
		       q->edns_do, q->version, q->udp_size, q->cookie_len,
		       hash_agrees(native, ref));
	}
	putchar('\n');
}

static void print_reference(const struct reference *ref)
{
	printf("%s ", dg_verdict_label(ref->verdict));
	if (!ref->verdict) {
		print_name(ref->name, ref->name_len);
		printf(" %u %u %u %d %d %d %u %u 1", ref->labels, ref->qtype, ref->end, ref->edns,
		       ref->edns_do, ref->version, ref->udp_size, ref->cookie_len);
	}
	putchar('\n');
}

int main(void)
{
	dg_scoped_free char *line = NULL;
	__u8 msg[DG_MESSAGE_MAX];
	size_t room = 0;

	while (getline(&line, &room, stdin) > 0) {
		struct reference ref;
		struct native native;
		__u32 len = 0;

		while (len < sizeof(msg) && sscanf(line + 2 * len, "%2hhx", &msg[len]) == 1)
			len++;
		native_read(msg, len, &native);
		reference_read(msg, len, &ref);
		print_native(&native, &ref, msg);
		print_reference(&ref);
	}
	return 0;
}
