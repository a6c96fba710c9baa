/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * message.h - a DNS answer taken apart for people: what `explain` shows of the reply the program
 * wrote.
 *
 * A strict reader of its own; it shares nothing with the program that writes the answers.
 */
#ifndef DG_MESSAGE_H
#define DG_MESSAGE_H

#include "bpf/abi.h"
#include "userspace/lib/scope.h"

#define DG_MESSAGE_RECORDS 8 /* in answer and authority; the program writes three at most */

struct dg_record {
	int authority; /* 0 = answer section */
	__u16 type;
	__u32 ttl;
	char name[1025];
	char data[512]; /* as a master file writes it; unknown types as RFC 3597 section 5 */
};

struct dg_message {
	__u16 id, flags;    /* the second 16 bits of the header */
	unsigned int rcode; /* with the upper bits of OPT */
	unsigned int records;
	struct dg_record record[DG_MESSAGE_RECORDS];
	int edns; /* an OPT record is there */
	unsigned int udp_size;
	int ede; /* INFO-CODE of an Extended DNS Error, -1 = none: RFC 8914 */
	char ede_text[256];
	unsigned int cookie_len; /* octets of a COOKIE option */
};

/* -EBADMSG: not a well-formed message. More than DG_MESSAGE_RECORDS records: -E2BIG. */
int dg_message_read(const __u8 *message, __u32 len, struct dg_message *ret);

/* "NOERROR", "NXDOMAIN", ... or RCODEn in buf. */
const char *dg_rcode_text(unsigned int rcode, char *buf, size_t size);
/* "Blocked", ... or "other" for INFO-CODEs not in use here. */
const char *dg_ede_text(int code);
/* "qr rd ra" and so on. Returns buf. */
char *dg_flags_text(__u16 flags, char *buf, size_t size);

#endif
