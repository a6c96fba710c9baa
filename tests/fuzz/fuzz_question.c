// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_question.c - the kernel's parser of DNS queries against the reference, on any octets.
 *
 * Both must say the same verdict, and for an accepted query the same name, type, end and EDNS
 * facts. The hash of the name must be that of the lower-cased name as userspace computes it.
 */
#include <stdint.h>
#include <stdio.h>

#include "tests/diff/native.h"
#include "tests/diff/reference.h"
#include "userspace/lib/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int held, const char *what)
{
	if (held)
		return;
	fprintf(stderr, "the parser and the reference differ: %s\n", what);
	abort();
}

static void compare_hash(const struct native *native, const struct reference *ref)
{
	struct dg_name name = { .len = ref->name_len, .labels = ref->labels };
	struct dg_hash hash;

	memcpy(name.wire, ref->name, ref->name_len);
	hash = dg_name_hash(&name, native_key);
	must(hash.a == native->hash.a && hash.b == native->hash.b, "hash of the name");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reference ref;
	struct native native;
	const struct question *q = &native.question;

	if (size > DG_MESSAGE_MAX - 16)
		return -1;
	native_read(data, size, &native);
	reference_read(data, size, &ref);
	must(native.verdict == ref.verdict, "verdict");
	if (native.verdict)
		return 0;
	must(q->name_len == ref.name_len && q->labels == ref.labels, "length of the name");
	must(q->end == ref.end && q->qtype == ref.qtype, "end or type of the question");
	must(q->edns == ref.edns && q->edns_do == ref.edns_do && q->version == ref.version,
	     "EDNS flags");
	must(q->udp_size == ref.udp_size && q->cookie_len == ref.cookie_len, "UDP size or cookie");
	compare_hash(&native, &ref);
	return 0;
}
