/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * values.h - the words operators write: durations, rates, prefixes, MACs, answers. Text to value,
 * value to text.
 *
 * Every parser refuses with one sentence that quotes the text and says what is allowed (status
 * DG_EXIT_USAGE).
 */
#ifndef DG_VALUES_H
#define DG_VALUES_H

#include "bpf/abi.h"
#include "userspace/lib/scope.h"

/*
 * A prefix: bits count in the family's own terms; host bits are cleared. A bare address is a
 * full-length prefix.
 */
struct dg_prefix {
	enum dg_family family;
	__u32 bits;
	struct dg_addr addr;
};

int dg_duration_parse(const char *text, __u64 *ret_ns,
		      struct dg_error *err);		  /* 90s 5m 2h 7d; > 0 */
char *dg_duration_text(__u64 ns, char *buf, size_t size); /* largest two units: 1h 30m */
int dg_prefix_parse(const char *text, struct dg_prefix *ret, struct dg_error *err);
char *dg_prefix_text(const struct dg_prefix *prefix, char *buf,
		     size_t size); /* full-length: no /bits */
char *dg_addr_text(struct dg_addr addr, char *buf, size_t size);
/*
 * nxdomain nodata null refused truncate drop observe, or addresses: 192.0.2.1[,2001:db8::1].
 * Changes kind, addresses and the flags that say which are valid; the rest of *ret stays as the
 * caller set it.
 */
int dg_answer_parse(const char *text, struct dg_answer *ret, struct dg_error *err);
char *dg_answer_text(const struct dg_answer *answer, char *buf,
		     size_t size); /* the same words back, and "allow" */
const char *dg_answer_kind_name(enum dg_answer_kind kind);
int dg_count_parse(const char *what, const char *text, __u64 min, __u64 max, __u64 *ret,
		   struct dg_error *err);
int dg_qtype_parse(const char *text, __u16 *ret, struct dg_error *err); /* A AAAA ... TYPE65535 */
const char *dg_qtype_text(__u16 qtype, char *buf, size_t size);

#endif
