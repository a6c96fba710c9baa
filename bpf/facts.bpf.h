/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * facts.bpf.h - what one walk learns and decides: of the frame, of the question, of the reply.
 *
 * These live in the per-CPU scratch, not on the stack. The verifier does not follow what is stored in map memory, so two
 * tags or none, IPv4 or IPv6, limited or not come together again behind each room instead of being walked apart.
 */
#ifndef DG_FACTS_BPF_H
#define DG_FACTS_BPF_H

#include "bpf/abi.h"

struct facts {
	__u64 now_ns; /* read in service_read() */
	struct dg_addr saddr, daddr;
	__u32 frame_len;   /* as it came, for the counters */
	__u32 l3;	   /* offset of the IP header */
	__u32 l4;	   /* offset of the UDP or TCP header */
	__u32 ip_len;	   /* octets of IP payload, as the IP header has it */
	__u32 dns_at;	   /* offset of the DNS message */
	__u32 dns_len;	   /* its octets */
	__u32 service;	   /* slot of the destination in dg_svc_stats */
	__be16 ether_type; /* behind the tags */
	__be16 sport, dport;
	__be16 dns_id;	   /* as sent, once header_read() said NEXT */
	__u8 family;	   /* enum dg_family */
	__u8 protocol;	   /* IPPROTO_UDP or IPPROTO_TCP */
	__u8 ours;	   /* 1 = transport_read() said NEXT */
	__u8 is_query;	   /* 1 = header_read() said NEXT */
	__u8 dry;	   /* a probe that must not be charged or counted */
	__u8 observed;	   /* enum dg_verdict of the first protection that only observed */
	__u8 source_flags; /* enum dg_source_flags */
	__u8 banned;
	__u8 limit_action; /* enum dg_limit_action + 1, 0 = not charged */
	__u8 limited_rung; /* rung that refused + 1 */
	__u8 refused;	   /* enum dg_verdict of limit_charge() */
	__u8 told;	   /* 1 = a probe says what time it is */
	__u8 tcp_queries;  /* found in this segment */
	__u8 syn_kind;	   /* enum dg_syn_kind + 1, 0 = no SYN */
	__u8 syn_shift;	   /* TCP pressure on the SYN limit */
	__u8 observe_only; /* this device only observes */
	__u8 timed;	   /* answers are seen to leave by this device */
	__u8 match_labels; /* of the deciding name, once sinkhole_find() has one */
	__u8 answer_kind;  /* enum dg_answer_kind, likewise */
	__u16 list;	   /* likewise; 0xffff = none */
};

struct question {
	__u32 end;	/* offset behind QCLASS */
	__u32 name_len; /* octets of QNAME, root label included */
	__u32 labels;
	__u16 qtype;
	__u16 udp_size;	  /* as advertised, 512 without OPT or below: RFC 6891 section 6.2.3 */
	__u16 cookie_at;  /* offset of the COOKIE option's data, 0 = none */
	__u16 cookie_len; /* 8 = client cookie only */
	__u8 edns;	  /* an OPT record is there */
	__u8 edns_do;
	__u8 version;
	__u8 additional; /* records in the additional section */
};

/* A TCP segment: see tcp_query.bpf.h. */
struct segment {
	__u64 flow;	/* flow_hash() */
	__u32 seq;	/* sequence number of its first octet of data */
	__u32 at;	/* offset of that in the frame */
	__u32 len;	/* octets of data, as the IP header has it */
	__u32 pos;	/* octets of it that are dealt with */
	__u32 alone;	/* a length that came in the segment before, 0 = none */
	__u32 messages; /* found so far */
};

struct reply {
	__u32 tail_len; /* octets in scratch->tail */
	__u16 answers, authorities;
	__u8 rcode; /* enum reply_rcode */
	__u8 truncated;
	__u8 cookie; /* scratch->cookie is to be sent */
	__u8 ede;    /* scratch->answer has an EDE to be sent */
};

#endif
