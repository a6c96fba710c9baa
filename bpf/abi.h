/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * abi.h - THE contract between the programs in the kernel and everybody else.
 *
 * Owns every struct, enum, limit and map name that crosses the border, and the ABI version that says
 * whether a pinned layout may be adopted. Plain C, fixed-width types only, no code but static asserts:
 * it is compiled for BPF, for the loader and for the tests alike.
 *
 * Addresses: an IPv4 address stands in the 16-byte form ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so
 * one compare serves both families. Times ending in _ns are CLOCK_MONOTONIC nanoseconds unless a
 * comment says otherwise; 0 means "never" for a deadline.
 */
#ifndef DG_ABI_H
#define DG_ABI_H

#include <linux/types.h>

/* Any change of a struct, of a map's type or size rule, or of a verdict's number raises this: see tests/unit/test_geometry.c. */
#define DG_ABI_VERSION 4

#define DG_NAME_MAX                                                                                \
	255 /* octets of a name in wire form, root label included: RFC 1035 section 3.1 */
#define DG_LABEL_MAX 63	  /* octets of a label: RFC 1035 section 2.3.4 */
#define DG_LABELS_MAX 127 /* labels of the longest name, the root not counted */

#define DG_IF_MAX 32		  /* guarded interfaces */
#define DG_PORTS_MAX 4		  /* guarded ports */
#define DG_LISTS_MAX 255	  /* lists in one image; list 0 is the operator's own entries */
#define DG_ANSWERS_MAX 16383	  /* different answers in one image, those of the lists included */
#define DG_OWN_MAX 65536	  /* the operator's own entries */
#define DG_OWN_FILTER_WORDS 16384 /* 2^20 bits: about 6 % false positives with a full table */
#define DG_LIST_FILTER_WORDS (1 << 19) /* 4 MiB: 0.5 % false positives at 1 M names, 5 % at 4 M */
#define DG_LIST_LARGE_WORDS (1 << 21)  /* 16 MiB: 0.5 % at 4 M, 2.2 % at 10 M; see dg_list_large */
#define DG_SOURCES_MAX 65536	       /* source policies, each family */
#define DG_LIMIT_BYTES_DEFAULT (8 << 20)
#define DG_TALKERS_LIMITED 16384 /* power of two */
#define DG_TALKERS_SYN 4096	 /* power of two */
#define DG_SYN_BUCKETS 8192	 /* power of two; 64 bytes each */
#define DG_FLOW_BUCKETS 16384	 /* power of two; 64 bytes each */
#define DG_TALKERS_TCP 4096	 /* power of two */
#define DG_TCP_NAME_SETS 512	 /* power of two; DG_TCP_NAME_WAYS names each */
#define DG_LISTED_SAMPLE                                                                           \
	8 /* power of two: of so many queries for listed names one is noted, by its ID */
#define DG_EVENT_RING_BYTES (1 << 20)
#define DG_TCP_LISTENERS_MAX 256 /* listening addresses with a port */
#define DG_ASKED_BUCKETS 8192	 /* power of two; 64 bytes each */

#if defined(__cplusplus)
#error "C only"
#endif

/* ---- verdicts ------------------------------------------------------------------------------- */

/*
 * X(id, action, label, help). Append only: the number is ABI. The label is the CLI column, the JSON key
 * and the Prometheus label value; help is for people. A verdict's name reads action, then reason.
 */
#define DG_VERDICTS(X)                                                                             \
	X(NEXT, PASS, "unsettled", "Walk ended without a verdict (a defect: must stay 0)")         \
	X(PASS_NOT_DNS, PASS, "pass_not_dns", "Not DNS on a guarded port")                         \
	X(PASS_FRAGMENT, PASS, "pass_fragment", "IP fragment")                                     \
	X(PASS_IP_OPTIONS, PASS, "pass_ip_options", "IPv4 options or IPv6 extension header")       \
	X(PASS_BAD_LENGTH, PASS, "pass_bad_length", "Frame and header lengths contradict")         \
	X(PASS_NOT_SERVICE, PASS, "pass_not_service", "Guarded port, address not guarded")         \
	X(PASS_NO_STATE, PASS, "pass_no_state", "Map value missing: failed open")                  \
	X(PASS_PAUSED, PASS, "pass_paused", "Guard paused by the operator")                        \
	X(PASS_TCP, PASS, "pass_tcp", "TCP to a guarded service")                                  \
	X(PASS_SHORT, PASS, "pass_short", "Shorter than a DNS header")                             \
	X(PASS_RESPONSE, PASS, "pass_response", "QR=1: a response")                                \
	X(PASS_OPCODE, PASS, "pass_opcode", "OPCODE other than QUERY")                             \
	X(PASS_COUNTS, PASS, "pass_counts", "QDCOUNT not 1, or answer or authority records")       \
	X(PASS_BAD_NAME, PASS, "pass_bad_name", "QNAME broken, compressed or too long")            \
	X(PASS_CLASS, PASS, "pass_class", "QCLASS other than IN")                                  \
	X(PASS_RECORDS, PASS, "pass_records", "Additional section is not one well-formed OPT")     \
	X(PASS_SIGNED, PASS, "pass_signed", "TSIG or SIG(0) present")                              \
	X(PASS_EDNS_VERSION, PASS, "pass_edns_version", "EDNS version above 0")                    \
	X(PASS_CLEAN, PASS, "pass_clean", "Query walked the whole way; not listed, not limited")   \
	X(PASS_ALLOWED, PASS, "pass_allowed", "Name allowed by the operator or by a list")         \
	X(PASS_EXEMPT, PASS, "pass_exempt", "Name listed, sender exempt from the sinkhole")        \
	X(PASS_COOKIE, PASS, "pass_cookie", "Name listed, server cookie left to the resolver")     \
	X(PASS_OTHER_HOST, PASS, "pass_other_host", "Name listed, frame is for another MAC")       \
	X(PASS_NOT_CLIENT, PASS, "pass_not_client", "Name listed, sender outside client prefixes") \
	X(PASS_BAD_SOURCE, PASS, "pass_bad_source", "Name listed, sender must not be answered")    \
	X(PASS_ANSWERS_OFF, PASS, "pass_answers_off", "Name listed, answers off on this device")   \
	X(PASS_NO_ROOM, PASS, "pass_no_room", "Name listed, frame could not be resized")           \
	X(PASS_OBSERVED_BANNED, PASS, "pass_observed_banned", "Would be dropped: sender banned")   \
	X(PASS_OBSERVED_LIMITED, PASS, "pass_observed_limited", "Would be refused: over limit")    \
	X(PASS_OBSERVED_SINKHOLE, PASS, "pass_observed_sinkhole",                                  \
	  "Would be answered: name listed")                                                        \
	X(PASS_OBSERVED_SYN, PASS, "pass_observed_syn", "Would be dropped: SYN over limit")        \
	X(DROP_BANNED, DROP, "drop_banned", "Sender banned")                                       \
	X(DROP_LIMITED, DROP, "drop_limited", "Query over its sender's limit")                     \
	X(DROP_SINKHOLE, DROP, "drop_sinkhole", "Name listed with answer drop")                    \
	X(DROP_BUDGET, DROP, "drop_budget", "Answer due, answer budget spent")                     \
	X(DROP_SYN_LIMITED, DROP, "drop_syn_limited", "SYN over its sender's limit")               \
	X(REPLY_SINKHOLE, REPLY, "reply_sinkhole", "Name listed, answered in the kernel")          \
	X(REPLY_TRUNCATED, REPLY, "reply_truncated", "Query over limit, answered TC=1")            \
	X(PASS_OBSERVED_TCP_SHARE, PASS, "pass_observed_tcp_share",                                \
	  "Would be dropped: SYN of a source that holds its share")                                \
	X(DROP_TCP_SHARE, DROP, "drop_tcp_share",                                                  \
	  "SYN of a source that holds its share of connections")

#define DG_ENUM_ID(id, action, label, help) DG_##id,
enum dg_verdict { DG_VERDICTS(DG_ENUM_ID) DG_VERDICT_COUNT };
#undef DG_ENUM_ID

enum dg_action { DG_ACT_PASS, DG_ACT_DROP, DG_ACT_REPLY };

/* ---- modes and settings --------------------------------------------------------------------- */

enum dg_mode { DG_OFF, DG_OBSERVE, DG_ENFORCE };
enum dg_family { DG_IPV4, DG_IPV6, DG_FAMILY_COUNT };
enum dg_transport { DG_UDP, DG_TCP, DG_TRANSPORT_COUNT };

/*
 * The prefix lengths charged at once, most specific first, and how many times the base rate each may use
 * (the ladder of Knot DNS's and Knot Resolver's limiter). A cost of 0 in the settings skips a rung.
 */
#define DG_RUNGS_MAX 5
#define DG_RUNGS_IPV4 4
#define DG_RUNGS_IPV6 5
/*                            narrow ........................ wide */
#define DG_LADDER_IPV4_BITS                                                                        \
	{                                                                                          \
		32, 24, 20, 18                                                                     \
	}
#define DG_LADDER_IPV4_MULT                                                                        \
	{                                                                                          \
		1, 32, 256, 768                                                                    \
	}
#define DG_LADDER_IPV6_BITS                                                                        \
	{                                                                                          \
		128, 64, 56, 48, 32                                                                \
	}
#define DG_LADDER_IPV6_MULT                                                                        \
	{                                                                                          \
		1, 2, 3, 4, 64                                                                     \
	}

/* Limiter time runs in ticks of 2^DG_TICK_SHIFT ns; a cell keeps its low DG_TAT_BITS bits (78 hours). */
#define DG_TICK_SHIFT 4
#define DG_TAT_BITS 44
#define DG_CELL_ID_BITS 20
#define DG_CELLS_PER_LINE 8

/* One kind of charge. 0 cost = that rung is not charged; none on the first = no charge at all. */
struct dg_rate {
	__u64 ceiling;		  /* ticks a sender may run ahead of its rate: burst / rate */
	__u64 cost[DG_RUNGS_MAX]; /* ticks one unit costs on each rung: 1 / (rate * multiplier) */
};

enum dg_charge { DG_CHARGE_QUERY, DG_CHARGE_SYN, DG_CHARGE_COUNT };

/*
 * TCP protection. A source is an IPv4 /32 or an IPv6 /64; wide prefixes, IPv4 /24 and IPv6 /48, count as well. A /24 has 256
 * sources, and honest ones among them: it has a bound of its own, which need not be set. What a source may hold of the connections falls with the
 * pressure on the resolvers' quota, step by step. The daemon writes the step, its allowances and until when they hold:
 * a daemon that is gone leaves the allowances of step 0.
 */
#define DG_SHARE_RUNGS 2   /* hash.h: dg_share_prefix() */
#define DG_PROTECT_STEPS 4 /* above step 0; on the last one nobody is told to use TCP */

struct dg_tcp_protect {
	__u8 mode;   /* enum dg_mode */
	__u8 step;   /* 0 .. DG_PROTECT_STEPS, while now is below until_ns */
	__u8 reaper; /* enum dg_mode of the daemon's reaper */
	__u8 pad;
	__u32 reaped;		     /* sources in dg_reaped: 0 spares the lookup */
	__u64 until_ns;		     /* end of step and share */
	__u32 base[DG_SHARE_RUNGS];  /* connections a prefix may hold at step 0; 0 = no bound */
	__u32 share[DG_SHARE_RUNGS]; /* likewise at this step */
	__u32 share_reaped; /* likewise a source in dg_reaped; 0 = none. Holds until until_ns. */
	__u32 share_wide4;  /* likewise an IPv4 /24, in place of share[1]; 0 = no bound */
};

enum dg_settings_flags {
	DG_SET_EDE_TEXT = 1 << 0,      /* EDE carries the list's name as EXTRA-TEXT: RFC 8914 */
	DG_SET_COOKIE_SECRET = 1 << 1, /* cookie_secret is valid: answers carry a server cookie */
	DG_SET_COOKIE_PASS = 1 << 2,   /* without a secret: queries with a server cookie pass */
	DG_SET_CLIENTS_ONLY = 1 << 3,  /* answer only senders whose policy has DG_SRC_CLIENT */
	DG_SET_SERVICES_FIXED =
		1 << 4, /* for userspace: the guarded addresses are a configured set */
};

/*
 * The one slot of live settings. Written by userspace under the lock, read by every packet. Fields are
 * independent and aligned; the kernel copies them in whole words, so a reader never sees half a value that matters.
 */
struct dg_settings {
	__u32 abi_version;
	__u8 limit_mode, sinkhole_mode, source_mode, syn_mode; /* enum dg_mode */
	__u64 paused_until_ns;
	__be16 ports[DG_PORTS_MAX];	     /* guarded ports in network order, 0 = unused */
	__u32 flags;			     /* enum dg_settings_flags */
	__u32 source_rules[DG_FAMILY_COUNT]; /* policies present: 0 spares the lookup. Raise before
					      * inserting, lower after removing. */
	__u32 slip;	       /* every slip-th refused query is answered TC=1; 0 never, 1 always */
	__u32 limit_line_mask; /* lines of dg_limiter - 1; both families share them */
	__u32 own_entries;     /* the operator's entries: 0 spares the lookup */
	struct dg_rate rate[DG_CHARGE_COUNT][DG_FAMILY_COUNT];
	__u64 budget_cost;	  /* ticks one kernel answer costs; 0 = no budget */
	__u64 budget_ceiling;	  /* ticks the answers may run ahead */
	__u32 negative_ttl;	  /* seconds: SOA TTL and MINIMUM, RFC 2308 */
	__u32 address_ttl;	  /* seconds */
	__u64 hash_key[4];	  /* of hash.h; set once at load */
	__u64 limit_key[2];	  /* of the limiter and the SYN tables; set once at load */
	__u64 probe_secret;	  /* what a test run must know: see struct dg_probe */
	__u64 realtime_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC, for cookie timestamps */
	__u8 cookie_secret[16];	  /* RFC 9018 section 4.3; valid with DG_SET_COOKIE_SECRET */
	__u64 watch_until_ns;	  /* events flow while now is below: watch renews it */
	__u64 watch_verdicts;	  /* bit per verdict that makes an event */
	__u32 watch_per_sec;	  /* events a second and CPU at most */
	__u32 jiffy_ns;		  /* length of a jiffy */
	__u64 jiffy_zero_ns;	  /* CLOCK_MONOTONIC when jiffies64 was 0, modulo 2^64 */
	__u64 image;		  /* DG_IMAGE_AT() of the published one; 0 = none */
	__u64 image_depths[2];	  /* bit n-1: some entry may have n labels */
	struct dg_tcp_protect protect;
	__u64 asked_below; /* a UDP query is timed when its number is below: DG_ASKED_BELOW() */
};

/* One query in n is timed; 0 = none. */
#define DG_ASKED_BELOW(n) ((n) ? (1ull << 32) / (n) : 0)
#define DG_ASKED_DEFAULT 64
#define DG_ASKED_ONE_IN_MAX 65536 /* up to here the division can be undone */

/* ---- devices and services ------------------------------------------------------------------- */

enum dg_iface_flags {
	DG_IF_USED = 1 << 0,
	DG_IF_OBSERVE = 1 << 1,	    /* every protection only observes on this device */
	DG_IF_ANSWERS_OFF = 1 << 2, /* device strips VLAN tags: answers would leave untagged */
	DG_IF_GENERIC = 1 << 3,	    /* attached in generic mode (for people) */
	DG_IF_FRAGS = 1 << 4,	    /* attached as xdp.frags (for people) */
	DG_IF_TRIAL = 1 << 5,	    /* attach --try not confirmed yet (for people) */
	DG_IF_TIMED = 1 << 6,	    /* the program that sees answers leave is attached as well */
};

#define DG_IF_VMACS 4

struct dg_iface {
	char name[16];
	__u32 ifindex;
	__u32 flags;		      /* enum dg_iface_flags */
	__u8 mac[1 + DG_IF_VMACS][8]; /* own MAC, then virtual ones, 6 bytes used; all 0 = unused */
	__u64 attached_ns;
};

/* Guarded addresses: buckets of three; a bucket that is full spills into the next one, once. */
#define DG_SERVICE_BUCKETS 256 /* power of two */
#define DG_SERVICE_WAYS 3
#define DG_SERVICE_SLOTS (DG_SERVICE_BUCKETS * DG_SERVICE_WAYS)

enum dg_service_flags {
	DG_SVC_GUARDED = 1 << 0, /* queries to this address are ours */
	DG_SVC_OWN =
		1 << 1, /* an address of this host (or a broadcast one): never answered as source */
};

struct dg_addr {
	__u64 hi, lo; /* the 16 bytes of the address as they lie in memory */
};

struct dg_service_bucket {
	struct dg_addr addr[DG_SERVICE_WAYS];
	__u32 flags
		[DG_SERVICE_WAYS]; /* 0 = free; set last when adding, cleared first when removing */
	__u32 pad;
};
_Static_assert(sizeof(struct dg_service_bucket) == 64, "a bucket is a cache line");

/* Per CPU, one a service slot: bucket number * DG_SERVICE_WAYS + way. */
struct dg_service_stats {
	__u64 queries[DG_TRANSPORT_COUNT];
	__u64 syn, syn_retransmitted;
};

/* ---- source policy -------------------------------------------------------------------------- */

enum dg_source_flags {
	DG_SRC_NO_LIMIT = 1 << 0,    /* never limited */
	DG_SRC_NO_SINKHOLE = 1 << 1, /* never sinkholed */
	DG_SRC_CLIENT = 1 << 2,	     /* inside the configured client prefixes */
};

struct dg_source_key_v4 {
	__u32 bits;
	__u8 addr[4];
};
struct dg_source_key_v6 {
	__u32 bits;
	__u8 addr[16];
};

/*
 * What is known of a prefix. The kernel sees only the longest match, so flags is what holds when the ban
 * is over AND includes what wider prefixes grant, and banned_until_ns includes their bans: userspace composes
 * both from the own_ fields on every change.
 */
struct dg_source {
	__u64 banned_until_ns; /* effective; 0 = not banned, ~0 = for good */
	__u64 until_ns;	       /* own_flags (exemption) end; 0 = for good. Tidied by userspace. */
	__u32 flags;	       /* enum dg_source_flags, effective */
	__u32 own_flags;       /* as the operator gave them for this very prefix */
	__u64 own_banned_until_ns;
	char reason[48]; /* NUL-terminated, for people */
};

/* ---- names ---------------------------------------------------------------------------------- */

enum dg_answer_kind {
	DG_ANSWER_ALLOW, /* pass to the resolver, whatever a wider entry says */
	DG_ANSWER_NXDOMAIN,
	DG_ANSWER_NODATA,
	DG_ANSWER_ADDRESS,
	DG_ANSWER_NULL,
	DG_ANSWER_REFUSED,
	DG_ANSWER_TRUNCATE,
	DG_ANSWER_DROP,
	DG_ANSWER_OBSERVE,
	DG_ANSWER_KINDS
};

enum dg_answer_flags {
	DG_ANS_V4 = 1 << 0,    /* v4 is valid */
	DG_ANS_V6 = 1 << 1,    /* v6 is valid */
	DG_ANS_NO_EDE = 1 << 2 /* no Extended DNS Error option */
};

#define DG_TEXT_MAX 32

/* What a listed name gets. One in each list of the image, one in each of the operator's entries. */
struct dg_answer {
	__u8 kind;     /* enum dg_answer_kind */
	__u8 flags;    /* enum dg_answer_flags */
	__u8 ede;      /* EDE INFO-CODE: 15 Blocked, 16 Censored, 17 Filtered */
	__u8 text_len; /* octets of text, without a NUL */
	__u8 v4[4];
	__u8 v6[16];
	char text
		[DG_TEXT_MAX]; /* the list's name: EXTRA-TEXT of the EDE, metric label; zero padded */
	__u32 list;	       /* 0 = operator, else list number */
	__u32 names;	       /* in an image, a list's own answer: names it has there */
};
_Static_assert(sizeof(struct dg_answer) == 64, "an answer is a cache line");

/* Key of an operator's entry: hash.h over the lower-cased wire name. */
struct dg_name_key {
	__u64 a, b;
};

struct dg_own {
	struct dg_answer answer; /* kind DG_ANSWER_ALLOW = an allow entry */
	__u64 until_ns;		 /* 0 = for good; checked in the kernel, tidied by userspace */
	__u64 added_unix;	 /* seconds, CLOCK_REALTIME */
	char reason[64];	 /* NUL-terminated, for people */
	__u8 name_len;
	__u8 name[DG_NAME_MAX]; /* wire form, lower case: for listing and for writing it back */
};

/*
 * The image of all lists: an array of 64-byte elements, read-only once published.
 * Element 0 is the header, 1 .. answers are struct dg_answer, then buckets + DG_IMAGE_SPILL_MAX buckets.
 * Answers 1 .. lists are the lists' own, in their order; those behind them are for single names.
 * A name's home bucket is dg_hash_bucket(); it may have spilled into the next `spill` buckets.
 *
 * The most specific entry decides: at the question's own depth one with DG_SCOPE_SELF, above it one with
 * DG_SCOPE_BELOW. Precedence between lists has been settled by whoever built the image.
 */
#define DG_IMAGE_MAGIC 0x31676d4967447369ull
#define DG_IMAGE_WAYS 5
#define DG_IMAGE_SPILL_MAX 7

struct dg_image_header {
	__u64 magic;
	__u64 names;	  /* entries stored */
	__u64 generation; /* unix nanoseconds of the build */
	__u64 key_check;  /* dg_hash_key_check() of the key it was built with */
	__u64 depths[2];  /* bit n-1: some entry has n labels; the root is not listable here */
	__u32 buckets;	  /* home buckets; bucket 0 is element `first` */
	__u32 first;	  /* 1 + answers */
	__u16 lists;
	__u16 answers;
	__u32 abi_version;
};
_Static_assert(sizeof(struct dg_image_header) == 64, "the header is one element");

/*
 * Where the published image is and how it is laid out, in one word, so that a packet sees one image whole: slot of
 * dg_image, 1 = its filter is the one in the same slot of dg_list_large, element of bucket 0, home buckets.
 */
#define DG_IMAGE_SLOTS 2
#define DG_IMAGE_AT(slot, large, first, buckets)                                                   \
	((__u64)(slot) << 63 | (__u64)(large) << 62 | (__u64)(first) << 32 | (buckets))
#define DG_IMAGE_AT_SLOT(at) ((__u32)((at) >> 63))
#define DG_IMAGE_AT_LARGE(at) ((__u32)((at) >> 62) & 1)
#define DG_IMAGE_AT_FIRST(at) ((__u32)((at) >> 32) & 0x3fffffff)
#define DG_IMAGE_AT_BUCKETS(at) ((__u32)(at))

/* Filters in front of the operator's entries and of the image: see hash.h. */
struct dg_own_filter {
	__u64 word[DG_OWN_FILTER_WORDS];
};
struct dg_list_filter {
	__u64 word[DG_LIST_FILTER_WORDS];
};
struct dg_list_large {
	__u64 word[DG_LIST_LARGE_WORDS];
};

/* Rows of dg_lists for each slot: the image's first elements once more, header included. */
#define DG_LIST_ROWS (DG_LISTS_MAX + 1)

/* What an entry covers: the name itself, the names below it, or (a suffix entry) both. */
enum dg_scope { DG_SCOPE_BELOW = 1 << 0, DG_SCOPE_SELF = 1 << 1, DG_SCOPE_SUFFIX = 3 };

#define DG_IMAGE_SCOPE_SHIFT 14

/* A way matches when fp and the 16 tag bits agree: 80 bits, so 5 * 2^-80 a lookup. */
struct dg_image_bucket {
	__u64 fp[DG_IMAGE_WAYS];   /* dg_hash_fp(); 0 = free */
	__u32 meta[DG_IMAGE_WAYS]; /* tag << 16 | scope << 14 | answer number (1 ..) */
	__u32 spill;		   /* buckets after this one that hold names at home here */
};
_Static_assert(sizeof(struct dg_image_bucket) == 64, "a bucket is a cache line");

/* ---- counters ------------------------------------------------------------------------------- */

struct dg_count {
	__u64 frames, bytes;
};

enum dg_limit_action {
	DG_LIMIT_PASSED,
	DG_LIMIT_DROPPED,
	DG_LIMIT_SLIPPED,
	DG_LIMIT_OBSERVED,
	DG_LIMIT_ACTIONS
};

enum dg_syn_kind { DG_SYN_FIRST, DG_SYN_RETRANSMITTED, DG_SYN_KINDS };

/*
 * X(id, QTYPE, label): the types that are counted one by one; append only. UNREAD are queries whose question was not read:
 * refused before, malformed, or (over TCP) not whole in one segment. All rows together are the queries.
 */
#define DG_QTYPES(X)                                                                               \
	X(A, 1, "A")                                                                               \
	X(NS, 2, "NS")                                                                             \
	X(CNAME, 5, "CNAME")                                                                       \
	X(SOA, 6, "SOA")                                                                           \
	X(PTR, 12, "PTR")                                                                          \
	X(MX, 15, "MX")                                                                            \
	X(TXT, 16, "TXT")                                                                          \
	X(AAAA, 28, "AAAA")                                                                        \
	X(SRV, 33, "SRV")                                                                          \
	X(NAPTR, 35, "NAPTR")                                                                      \
	X(DS, 43, "DS")                                                                            \
	X(RRSIG, 46, "RRSIG")                                                                      \
	X(NSEC, 47, "NSEC")                                                                        \
	X(DNSKEY, 48, "DNSKEY")                                                                    \
	X(TLSA, 52, "TLSA")                                                                        \
	X(SVCB, 64, "SVCB")                                                                        \
	X(HTTPS, 65, "HTTPS")                                                                      \
	X(IXFR, 251, "IXFR")                                                                       \
	X(AXFR, 252, "AXFR")                                                                       \
	X(ANY, 255, "ANY")                                                                         \
	X(CAA, 257, "CAA")

#define DG_QTYPE_ID(id, qtype, label) DG_QTYPE_##id,
enum dg_qtype { DG_QTYPE_OTHER, DG_QTYPE_UNREAD, DG_QTYPES(DG_QTYPE_ID) DG_QTYPE_COUNT };
#undef DG_QTYPE_ID
#define DG_QTYPE_ROWS 32 /* power of two: room for more */
_Static_assert(DG_QTYPE_COUNT <= DG_QTYPE_ROWS, "a type has a row");

/* Per CPU, one a guarded device. Verdicts partition the frames seen. */
struct dg_stats {
	struct dg_count verdict[DG_VERDICT_COUNT];
	__u64 queries[DG_FAMILY_COUNT][DG_TRANSPORT_COUNT];
	__u64 qtype[DG_TRANSPORT_COUNT][DG_QTYPE_ROWS];
	__u64 limit[DG_FAMILY_COUNT][DG_LIMIT_ACTIONS];
	__u64 syn[DG_FAMILY_COUNT][DG_SYN_KINDS];
	__u64 events_sent, events_lost;
	__u64 slip_turn;    /* refused queries, for the slip's turn */
	__u64 event_window; /* the second the rate bound is counting */
	__u64 event_count;  /* events in that second */
};

/* Per CPU, one a list (0 = operator): answers by kind. */
struct dg_list_stats {
	__u64 answers[DG_ANSWER_KINDS];
};

/* Who is being limited, who sends SYNs: direct mapped, a heavier one is displaced only slowly. */
struct dg_talker {
	struct dg_addr addr; /* the sender's prefix, host bits 0 */
	__u32 bits;	     /* prefix length in its own family's terms */
	__u32 family;	     /* enum dg_family */
	__u64 count;	     /* frames noted; ages when others compete for the slot */
	__u64 first_ns, last_ns;
};

/* SYNs seen lately: 40 bits of fingerprint, 24 bits of time in units of 2^27 ns (0.13 s). */
#define DG_SYN_WAYS 8
#define DG_SYN_TIME_SHIFT 27
#define DG_SYN_TIME_BITS 24
#define DG_SYN_WINDOW_NS                                                                           \
	40000000000ull /* a repeat within this is a retransmission: RFC 6298 backs off to 32 s */
struct dg_syn_bucket {
	__u64 cell[DG_SYN_WAYS];
};

/* ---- TCP flows ------------------------------------------------------------------------------ */

/* Times of a flow: units of 2^12 ns (4 us) of CLOCK_MONOTONIC modulo 2^32 (4.9 h); 0 = none. See flow_stamp(). */
#define DG_FLOW_TIME_SHIFT 12
/* When a flow last carried something: units of 2^32 ns (4.3 s) modulo 2^8 (18 min). */
#define DG_FLOW_SEEN_SHIFT 32
#define DG_FLOW_SEEN_BITS 8
#define DG_FLOW_IDLE 14 /* of these: a minute. What is idle gives way to a newcomer */
#define DG_FLOW_WAYS 3
#define DG_FLOW_QUERIES_MAX 255 /* are counted of one flow */

enum dg_flow_flags {
	DG_FLOW_SYN = 1 << 0, /* its SYN was seen: set by ingress when the cell is taken */
	DG_FLOW_ANSWERED =
		1 << 1, /* an answer left: set by egress, taken back by ingress on a new SYN */
	DG_FLOW_CLOSING = 1 << 2, /* its client has sent its last octet */
	DG_FLOW_GAP = 1 << 3,	  /* not all that it carried was read: there may be more queries */
};

/*
 * A TCP connection to a guarded service, as far as its queries go. Written by ingress, but for what egress may do: clear
 * syn_at and query_at, set DG_FLOW_ANSWERED, keep answer_seq and count answers. No packet's fate depends on it. The reaper
 * spares who waits for an answer by it, and whoever is not in here.
 */
struct dg_flow {
	__u32 mark; /* id << DG_FLOW_SEEN_BITS | when it was last seen; 0 = free */
	__u32 next_seq; /* sequence number where the next message's length, or with `alone` its header, is due */
	union {
		__u32 syn_at;	  /* its first SYN came; until an answer has left */
		__u32 answer_seq; /* from then on: where the next answer's length is due */
	};
	__u32 query_at; /* its oldest unanswered query came */
	__u16 alone;	/* a length that came without its message, 0 = none */
	__u8 queries;	/* so far; stays at DG_FLOW_QUERIES_MAX */
	__u8 flags;	/* enum dg_flow_flags */
};

struct dg_flow_bucket {
	struct dg_flow flow[DG_FLOW_WAYS];
	/* Of each flow: queries whose answer has left or begun to, never more than came; the last one is unused. */
	__u8 answers[DG_FLOW_WAYS + 1];
};
_Static_assert(sizeof(struct dg_flow_bucket) == 64, "a bucket is a cache line");

/* Connections by how many queries they carried: row i counts those that came to 2^i, each in all rows up to its last. */
#define DG_TCP_REACHED 8

/* Per CPU: what became of TCP segments with data, and of the connections they belong to. */
struct dg_tcp_stats {
	__u64 reached[DG_TCP_REACHED];
	__u64 segments; /* with data */
	__u64 inside;	/* no message begins in it: a message goes on, or it came again */
	__u64 gaps;	/* it does not follow on what was seen */
	__u64 found; /* a connection's beginning was not seen: found by a segment that begins a message */
	__u64 homeless; /* a newcomer found no cell that gives way */
};

/*
 * Names asked over TCP, in sets. A name without a place wears down every weight of its set by one; when one is 0, its place is
 * free (Misra and Gries). What makes up more than a fifth of its set's queries stays.
 */
#define DG_TCP_NAME_WAYS 4
#define DG_TCP_NAME_WEIGHT_MAX 4096 /* so that what was asked yesterday goes in the end */
struct dg_tcp_name {
	__u64 count; /* queries since first_ns */
	__u64 first_ns, last_ns;
	__u16 qtype;
	__u8 name_len; /* octets of name */
	__u8 pad[5];
	__u8 name[256]; /* wire form as first sent, case kept */
};
struct dg_tcp_name_set {
	__u64 hash[DG_TCP_NAME_WAYS];	/* of name and type */
	__u32 weight[DG_TCP_NAME_WAYS]; /* 0 = free */
	__u32 pad[4];
	struct dg_tcp_name name[DG_TCP_NAME_WAYS];
};

struct dg_limit_line {
	__u64 cell[DG_CELLS_PER_LINE]; /* id << DG_TAT_BITS | theoretical arrival time */
};

/* ---- TCP connections ------------------------------------------------------------------------ */

/* A listening address and port; all zeros, or 0.0.0.0 in its 16-byte form, is a listener on any address. */
struct dg_tcp_key {
	struct dg_addr addr;
	__be16 port;
	__u8 pad[6];
};

/* Who ended a connection: the resolver, the client, or a reset, which does not tell. */
enum dg_tcp_end { DG_TCP_LOCAL, DG_TCP_REMOTE, DG_TCP_RESET, DG_TCP_ENDS };

/* Bucket i of hold times ends at 2^i ms; the last one, without an end, begins at 2^22 ms (70 min). */
#define DG_TCP_HOLD_BUCKETS 24
/* Seconds that are remembered one by one: a minute, and room for a reader that is late. Power of two. */
#define DG_TCP_SECONDS 64

/* One second of a listener: second of CLOCK_MONOTONIC << 32 | value. The next second that falls here replaces it. */
#define DG_TCP_SECOND_SHIFT 32
struct dg_tcp_second {
	__u64 peak;   /* most connections at one time */
	__u64 opened; /* new ones */
};

/*
 * The books of one listener. A connection is what occupies a resolver's slot or waits for one: ESTABLISHED (accepted or
 * still in the accept queue), and CLOSE_WAIT, where the client has gone and the resolver has not let go yet. What the
 * resolver has closed (FIN_WAIT, TIME_WAIT, ...) is the kernel's alone and counts no more.
 * All words are changed atomically; whoever reads them together may see a connection half booked.
 */
struct dg_tcp_row {
	__s64 connections; /* now; may be below 0 until those from before the start are added */
	__u64 opened, closed;
	__u64 ended[DG_TCP_ENDS];  /* of those closed */
	__u64 peak;		   /* most connections at one time since the start */
	__u64 hold_count, hold_ns; /* of the connections whose beginning was seen */
	__u64 hold[DG_TCP_HOLD_BUCKETS];
	struct dg_tcp_second second[DG_TCP_SECONDS];
	__u64 gone_ns; /* since when a check finds neither listener nor connection; 0 = there is one */
};

/* Of a socket: when it became a connection, and of which listener. */
struct dg_tcp_since {
	__u64 opened_ns; /* 0 = not a connection */
	__u32 row;
	__u32 shares; /* bit per rung: counted in dg_tcp_shares */
};

/* What all programs of this kind share. */
struct dg_tcp_now {
	__u64 instance; /* the one that counts; others, about to be replaced or not yet in charge, stand by */
	__u32 rows;    /* handed out */
	__u32 refused; /* listeners that found no fresh row: a check may give them another's */
	__u64 shares_left_out;	      /* connections not counted for their source: no room for it */
	__u64 reaped[DG_ENFORCE + 1]; /* by mode: closed by the daemon, or would have been */
};

/* A process that has a listening TCP socket open, as an iterator tells it. */
struct dg_tcp_holder {
	__u64 inode; /* of the socket */
	__u32 pid;   /* as the reader's PID namespace has it */
	char comm[16];
	__u32 pad;
};

/*
 * How many connections each source holds: cells of 64 bits, eight to a cache line, one line a key. Line and 40 bits of id
 * come from a keyed hash (hash.h), 24 bits count; a cell that counts 0 is free, so a change is one compare-and-swap and
 * nothing is ever swept. In here is only who has completed a handshake: nothing that is spoofed.
 */
#define DG_SHARE_LINES 8192 /* power of two */
#define DG_SHARE_WAYS 8
#define DG_SHARE_COUNT_BITS 24

struct dg_share_line {
	__u64 cell[DG_SHARE_WAYS]; /* id << DG_SHARE_COUNT_BITS | connections */
};

#define DG_REAPED_MAX 4096

/* ---- response times ------------------------------------------------------------------------- */

/* Queries over UDP that wait for their answer: 32 bits of fingerprint, 32 bits of time in units of 2^10 ns; 0 = free. */
#define DG_ASKED_WAYS 8
#define DG_ASKED_TIME_SHIFT 10
#define DG_ASKED_TIME_BITS 32
#define DG_ASKED_WINDOW_NS                                                                         \
	(1ull                                                                                      \
	 << 35) /* 34 s: who has not been answered by then has given up: RFC 1035 section 7.2 */
struct dg_asked_bucket {
	__u64 cell[DG_ASKED_WAYS];
};

/* What is timed: a query to its answer, and over TCP also the first SYN to the first octet that comes back. */
enum dg_latency_kind { DG_LATENCY_UDP, DG_LATENCY_TCP, DG_LATENCY_TCP_FIRST, DG_LATENCY_KINDS };

/* Four buckets an octave of microseconds, 64 s in all: see latency.h. */
#define DG_LATENCY_BUCKETS 100
/* The last minute, in turns of 2^34 ns (17 s). */
#define DG_LATENCY_TURNS 4
#define DG_LATENCY_TURN_SHIFT 34

struct dg_latency_turn {
	__u64 turn; /* CLOCK_MONOTONIC >> DG_LATENCY_TURN_SHIFT; another one begins at zero */
	__u64 bucket[DG_LATENCY_BUCKETS];
};

/* Per CPU, one a kind. Answers are those in the buckets. */
struct dg_latency {
	__u64 asked;	 /* UDP: queries whose answer is waited for */
	__u64 displaced; /* of those: gave way to newer ones before they were answered */
	__u64 sum_ns;
	__u64 bucket[DG_LATENCY_BUCKETS]; /* since the maps were made */
	struct dg_latency_turn recent[DG_LATENCY_TURNS];
};

/* ---- events --------------------------------------------------------------------------------- */

struct dg_event {
	__u64 time_ns;
	__u32 list; /* deciding list when a name decided */
	__u16 verdict, qtype;
	__u16 sport; /* host order */
	__u16 frame_len;
	__u8 slot; /* index of dg_ifaces */
	__u8 family, transport;
	__u8 name_len; /* wire octets in name, 0 = not read */
	struct dg_addr saddr, daddr;
	__u8 name[256]; /* as sent, case kept */
};

/* ---- test runs ------------------------------------------------------------------------------ */

enum dg_probe_flags {
	DG_PROBE_DRY = 1 << 0, /* charge and count nothing */
};

/*
 * Lies in front of the frame as XDP metadata in a BPF_PROG_TEST_RUN (ctx_in.data_meta = 0, data = 32):
 * `explain` and the tests use the very program that guards the device. A NIC cannot know the secret.
 * The program fills the lower part. 32 bytes is all that 6.1 allows as metadata.
 */
struct dg_probe {
	__u64 secret; /* dg_settings.probe_secret */
	__u64 now_ns; /* the clock this frame sees; 0 = the real one */
	__u8 flags;   /* enum dg_probe_flags */
	/* out: */
	__u8 verdict;	   /* enum dg_verdict */
	__u8 limited_bits; /* prefix length that refused, 0 = none */
	__u8 match_labels; /* labels of the deciding name */
	__u8 source_flags; /* enum dg_source_flags of the sender */
	__u8 answer_kind;  /* enum dg_answer_kind of the deciding name, if match_labels or list */
	__u16 list;	   /* deciding list, 0 = operator, 0xffff = none */
	__u8 banned;
	__u8 pad[7];
};
_Static_assert(sizeof(struct dg_probe) == 32, "metadata is at most 32 bytes on 6.1");

/* ---- maps ----------------------------------------------------------------------------------- */

/* X(name): every pinned map; the name is the pin's file name and at most 15 characters. */
#define DG_MAPS(X)                                                                                    \
	X(dg_settings)	 /* array 1: struct dg_settings */                                            \
	X(dg_ifaces)	 /* array DG_IF_MAX: struct dg_iface */                                       \
	X(dg_services)	 /* array DG_SERVICE_BUCKETS: struct dg_service_bucket */                     \
	X(dg_svc_stats)	 /* percpu array DG_SERVICE_SLOTS: struct dg_service_stats */                 \
	X(dg_sources4)	 /* lpm trie: struct dg_source_key_v4 -> struct dg_source */                  \
	X(dg_sources6)	 /* lpm trie: struct dg_source_key_v6 -> struct dg_source */                  \
	X(dg_limiter)	 /* array, mmapable: struct dg_limit_line */                                  \
	X(dg_limited)	 /* array DG_TALKERS_LIMITED: struct dg_talker */                             \
	X(dg_own)	 /* hash DG_OWN_MAX: struct dg_name_key -> struct dg_own */                   \
	X(dg_own_filter) /* array 1, mmapable: __u64[DG_OWN_FILTER_WORDS] */                          \
	X(dg_image) /* array of maps DG_IMAGE_SLOTS: the image, in the slot that the settings name */ \
	X(dg_list_filter) /* array 1, mmapable: __u64[DG_LIST_FILTER_WORDS] */                        \
	X(dg_list_large)  /* array of maps DG_IMAGE_SLOTS: struct dg_list_large, an image's own */    \
	X(dg_lists)	  /* array DG_IMAGE_SLOTS * DG_LIST_ROWS: struct dg_answer */                 \
	X(dg_list_stats)  /* percpu array DG_LISTS_MAX + 1: struct dg_list_stats */                   \
	X(dg_budget)	  /* array 1: __u64, theoretical arrival time of the next answer */           \
	X(dg_syn_seen)	  /* array DG_SYN_BUCKETS, mmapable: struct dg_syn_bucket */                  \
	X(dg_syn_talkers) /* array DG_TALKERS_SYN: struct dg_talker */                                \
	X(dg_stats)	  /* percpu array DG_IF_MAX: struct dg_stats */                               \
	X(dg_events)	  /* ring buffer: struct dg_event */                                          \
	X(dg_tcp_now)	  /* array 1: struct dg_tcp_now */                                            \
	X(dg_tcp_listen)  /* hash DG_TCP_LISTENERS_MAX: struct dg_tcp_key -> __u32, its row */        \
	X(dg_tcp_rows)	  /* array DG_TCP_LISTENERS_MAX, mmapable: struct dg_tcp_row */               \
	X(dg_tcp_since)	  /* socket storage: struct dg_tcp_since */                                   \
	X(dg_flows)	  /* array DG_FLOW_BUCKETS, mmapable: struct dg_flow_bucket */                \
	X(dg_tcp_stats)	  /* percpu array 1: struct dg_tcp_stats */                                   \
	X(dg_tcp_names)	  /* array DG_TCP_NAME_SETS: struct dg_tcp_name_set */                        \
	X(dg_listed)	  /* array DG_TCP_NAME_SETS: struct dg_tcp_name_set, type 0 */                \
	X(dg_tcp_clients) /* array DG_TALKERS_TCP: struct dg_talker */                                \
	X(dg_tcp_shares)  /* array DG_SHARE_LINES, mmapable: struct dg_share_line */                  \
	X(dg_reaped)	  /* hash DG_REAPED_MAX: struct dg_addr, a prefix -> __u64, until when */     \
	X(dg_asked)	  /* array DG_ASKED_BUCKETS, mmapable: struct dg_asked_bucket */              \
	X(dg_latency)	  /* percpu array DG_LATENCY_KINDS: struct dg_latency */

#endif
