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
};

/*
 * -EINVAL with one sentence that quotes the text and says what is allowed. A leading "*." is
 * accepted and dropped.
 */
int dg_name_parse(const char *text, struct dg_name *ret, struct dg_error *err);
/* buf holds at least 1024 + 1 bytes; no trailing dot except for the root. Returns buf. */
char *dg_name_text(const __u8 *wire, __u32 len, char *buf);
/* The hash of the whole name, as the kernel computes it for the suffix. */
struct dg_hash dg_name_hash(const struct dg_name *name, const __u64 key[4]);
/*
 * NULL, or why the name must not be blocked without --force: root, single label, protected
 * (localhost, arpa zones of RFC 6303 / RFC 6761 names, in-addr.arpa ...). A static string.
 */
const char *dg_name_unsafe(const struct dg_name *name);

#endif
