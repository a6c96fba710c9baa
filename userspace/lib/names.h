/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names.h - domain names: text to wire form and back, folding, hashing, and which names are never
 * blocked.
 *
 * Master-file escapes (RFC 1035 section 5.1) are read and written. U-labels are refused here (with
 * the hint to give the A-label), a trailing dot is optional, "." is the root.
 */
#ifndef DG_NAMES_H
#define DG_NAMES_H

#include "bpf/abi.h"
#include "bpf/hash.h"
#include "userspace/lib/scope.h"

/* A name in wire form, lower case. */
struct dg_name {
	__u8 len; /* octets, root label included; 1 = the root */
	__u8 labels;
	__u8 wire[DG_NAME_MAX];
	__u8 pad[7]; /* names are hashed in words of 8 octets */
};

/*
 * -EINVAL with one sentence that quotes the text and says what is allowed. A leading "*." is
 * accepted and dropped.
 */
int dg_name_parse(const char *text, struct dg_name *ret, struct dg_error *err);
/* buf holds at least 1024 + 1 bytes; no trailing dot except for the root. Returns buf. */
char *dg_name_text(const __u8 *wire, __u32 len, char *buf);
/*
 * The same for many names: text of len octets, no NUL needed. 0 = *ret is the name. Reads only names
 * without escapes and without "*."; all else, good or bad, is -EAGAIN: for dg_name_parse() to judge.
 */
int dg_name_read(const char *text, size_t len, struct dg_name *ret);
/*
 * The hashes of all suffixes: ret[n - 1] of that of n labels. len counts no root label. Up to 7 octets
 * behind the name are read, and ignored. Returns the labels.
 */
__u32 dg_wire_hashes(const __u8 *wire, __u32 len, const __u64 key[4], struct dg_hash *ret);
/* The hash of the whole name, as the kernel computes it for the suffix. */
struct dg_hash dg_name_hash(const struct dg_name *name, const __u64 key[4]);
/*
 * NULL, or why the name must not be blocked without --force: root, single label, protected
 * (localhost, arpa zones of RFC 6303 / RFC 6761 names, in-addr.arpa ...). A static string.
 */
const char *dg_name_unsafe(const struct dg_name *name);

#endif
