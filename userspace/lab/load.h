/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load.h - what the files of the DNS load tool share: the order as it was given, sources, names, frames.
 *
 * The tool stands apart from the guard: it knows nothing of its maps or programs, so that what it measures is
 * seen from outside. It uses the house's readers of names and addresses and nothing else.
 */
#ifndef DG_LOAD_H
#define DG_LOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "userspace/lib/names.h"
#include "userspace/lib/scope.h"
#include "userspace/lib/values.h"

#define DG_LOAD_NS_PER_SEC 1000000000ull
#define DG_LOAD_FRAME_MAX                                                                          \
	512 /* Ethernet, IPv6, UDP, header, the longest name, OPT: 14+40+8+12+255+4+11 */
#define DG_LOAD_RANDOM_LABEL 12 /* letters of a random label: 26^12 names, none comes twice */
#define DG_LOAD_EXPECT_ANY 0xffff

/* Where frames claim to come from. */
enum dg_load_source_kind { DG_LOAD_FROM_PREFIX, DG_LOAD_FROM_ANY4, DG_LOAD_FROM_ANY6 };

struct dg_load_sources {
	enum dg_load_source_kind kind;
	struct dg_prefix prefix;
	__u64 count;  /* of the prefix, the first so many addresses are used in turn */
	__u64 stride; /* ... taking only every stride-th */
};

/* What is asked. With `random`, list[0] begins with a label that is drawn anew for every query. */
struct dg_load_names {
	struct dg_name *list; /* owned */
	size_t count;
	bool random;
};

/* The whole order, as the command line gave it. */
struct dg_load_order {
	const char *interface; /* frames leave here (flood, syn) */
	__u8 to_mac[6];
	struct dg_addr to;
	enum dg_family family;
	__u16 port, from_port; /* host order; from_port 0 = random */
	struct dg_load_sources from;
	struct dg_load_names names;
	__u16 qtype;
	__u32 edns_size; /* 0 = no OPT */
	__u64 rate;	 /* a second; 0 = as fast as it goes */
	__u64 duration_ns;
	__u64 timeout_ns; /* an answer later than this is lost */
	__u32 window;	  /* queries that may wait for an answer at a time; 0 = any number */
	__u32 expect;	  /* RCODE that counts as answered, or DG_LOAD_EXPECT_ANY */
	int cpu;	  /* -1 = anywhere */
	bool json;
};

/* xorshift64*: fast and good enough for names and addresses; never 0. */
__u64 dg_load_random(void);
__u64 dg_load_now_ns(void);

/*
 * load_spec.c: the words for sources and names.
 *   sources  192.0.2.1 | 192.0.2.0/24 (all of it, or `limit` of it, `stride` apart) | any4 | any6
 *   names    www.example | *.example (random label) | www#.example (# = 0 .. numbers - 1) | @FILE
 * Both refuse with one sentence that quotes the word.
 */
int dg_load_sources_parse(const char *text, __u64 limit, __u64 stride, struct dg_load_sources *ret,
			  struct dg_error *err);
int dg_load_names_parse(const char *text, __u64 numbers, struct dg_load_names *ret,
			struct dg_error *err);
void dg_load_names_free(struct dg_load_names *names);

struct dg_addr dg_load_source_pick(const struct dg_load_sources *sources, __u64 turn);
/* The name for this turn; a random one is valid until the next call. */
const struct dg_name *dg_load_name_pick(const struct dg_load_names *names, __u64 turn);

/* load_frame.c: messages and frames, checksums whole. Each returns the length. */
size_t dg_load_message(const struct dg_load_order *order, const struct dg_name *name, __u16 id,
		       __u8 *ret);
size_t dg_load_query_frame(const struct dg_load_order *order, const __u8 from_mac[6], __u64 turn,
			   __u8 ret[DG_LOAD_FRAME_MAX]);
size_t dg_load_syn_frame(const struct dg_load_order *order, const __u8 from_mac[6], __u64 turn,
			 __u8 ret[DG_LOAD_FRAME_MAX]);

/* The modes. 0 or -errno with *err filled; each prints its one result on stdout. */
typedef int dg_load_mode_fn(struct dg_load_order *order, struct dg_error *err);
dg_load_mode_fn dg_load_flood, dg_load_syn; /* load_flood.c */
dg_load_mode_fn dg_load_ask;		    /* load_ask.c */

#endif
