// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * message.c - a DNS answer taken apart for people.
 *
 * Every read is bounded by the message's length; names follow pointers backwards only, so they end.
 */
#include "userspace/lib/message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "userspace/lib/names.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define HEADER_BYTES 12
#define TYPE_A 1
#define TYPE_SOA 6
#define TYPE_AAAA 28
#define TYPE_OPT 41
#define OPTION_COOKIE 10
#define OPTION_EDE 15
#define POINTER 0xc0

/* A message and how far it has been read. Reads past the end set bad and yield 0. */
struct cursor {
	const __u8 *message;
	__u32 len, at;
	int bad;
};

static const __u8 *take(struct cursor *c, __u32 octets)
{
	if (c->bad || octets > c->len - c->at) {
		c->bad = 1;
		return NULL;
	}
	c->at += octets;
	return c->message + c->at - octets;
}

static __u32 take_u16(struct cursor *c)
{
	const __u8 *p = take(c, 2);

	return p ? (__u32)p[0] << 8 | p[1] : 0;
}

static __u32 take_u32(struct cursor *c)
{
	__u32 high = take_u16(c);

	return high << 16 | take_u16(c);
}

/* Appends the label at c->at to wire. 0 = that was the root, 1 = go on, or bad. */
static int label_take(struct cursor *c, __u8 wire[DG_NAME_MAX], __u32 *len)
{
	const __u8 *octet = take(c, 1), *label = octet ? take(c, *octet) : NULL;

	if (!label || *octet > DG_LABEL_MAX || *len + 1 + *octet > DG_NAME_MAX) {
		c->bad = 1;
		return 0;
	}
	memcpy(wire + *len, octet, 1 + *octet);
	*len += 1 + *octet;
	return *octet != 0;
}

/* A name, compressed or not (RFC 1035 section 4.1.4), as text. The cursor ends behind it. */
static void name_take(struct cursor *c, char text[1025])
{
	__u8 wire[DG_NAME_MAX];
	__u32 len = 0, target;
	struct cursor walk = *c;
	int jumped = 0, more = 1;

	while (more && !walk.bad) {
		if (walk.at >= walk.len || walk.message[walk.at] < POINTER) {
			more = label_take(&walk, wire, &len);
			continue;
		}
		target = take_u16(&walk) & ~(POINTER << 8);
		if (!jumped)
			c->at = walk.at;
		jumped = 1;
		/* Backwards only: each jump lies before the one that led to it. */
		walk.bad |= target + 2 > walk.at - 1 || target < HEADER_BYTES;
		walk.len = walk.bad ? walk.len : walk.at - 2;
		walk.at = target;
	}
	c->bad |= walk.bad;
	if (!jumped)
		c->at = walk.at;
	dg_name_text(wire, c->bad ? 0 : len, text);
}

/* ---- records -------------------------------------------------------------------------------- */

/* A name as a master file writes it: absolute. The root has its dot already. */
static void absolute_take(struct cursor *c, char text[1026])
{
	name_take(c, text);
	if (strcmp(text, "."))
		strcat(text, ".");
}

static void soa_text(struct cursor *c, char *out, size_t size)
{
	char primary[1026], mailbox[1026];
	__u32 number[5];

	absolute_take(c, primary);
	absolute_take(c, mailbox);
	for (size_t i = 0; i < COUNT_OF(number); i++)
		number[i] = take_u32(c);
	snprintf(out, size, "%.180s %.180s %u %u %u %u %u", primary, mailbox, number[0], number[1],
		 number[2], number[3], number[4]);
}

/* RFC 3597 section 5: \# and the octets in hexadecimal. */
static void unknown_text(struct cursor *c, __u32 octets, char *out, size_t size)
{
	const __u8 *data = take(c, octets);
	int at = snprintf(out, size, "\\# %u ", octets);

	for (__u32 i = 0; data && i < octets && (size_t)at + 3 <= size; i++)
		at += snprintf(out + at, size - (size_t)at, "%02x", data[i]);
}

static void data_text(struct cursor *c, __u16 type, __u32 octets, struct dg_record *record)
{
	__u32 end = c->at + octets;
	const __u8 *data;

	if (type == TYPE_SOA) {
		soa_text(c, record->data, sizeof(record->data));
	} else if ((type == TYPE_A && octets == 4) || (type == TYPE_AAAA && octets == 16)) {
		data = take(c, octets);
		if (data)
			inet_ntop(type == TYPE_A ? AF_INET : AF_INET6, data, record->data,
				  sizeof(record->data));
	} else {
		unknown_text(c, octets, record->data, sizeof(record->data));
	}
	c->bad |= c->at != end;
}

static void ede_take(struct cursor *c, __u32 octets, struct dg_message *message)
{
	const __u8 *text;

	if (octets < 2) {
		c->bad = 1;
		return;
	}
	message->ede = (int)take_u16(c);
	octets -= 2;
	text = take(c, octets);
	for (__u32 i = 0; text && i < octets && i + 1 < sizeof(message->ede_text); i++)
		message->ede_text[i] = text[i] >= ' ' && text[i] < 0x7f ? (char)text[i] : '?';
}

static void options_take(struct cursor *c, __u32 octets, struct dg_message *message)
{
	__u32 end = c->at + octets;

	while (!c->bad && c->at < end) {
		__u32 code = take_u16(c), len = take_u16(c);

		if (code == OPTION_EDE) {
			ede_take(c, len, message);
			continue;
		}
		if (code == OPTION_COOKIE)
			message->cookie_len = len;
		take(c, len);
	}
	c->bad |= c->at != end;
}

/* RFC 6891 section 6.1.3: class is the size, TTL holds the upper bits of the RCODE. */
static void opt_take(struct cursor *c, __u32 size, __u32 ttl, __u32 octets,
		     struct dg_message *message)
{
	message->edns = 1;
	message->udp_size = size;
	message->rcode |= ttl >> 24 << 4;
	options_take(c, octets, message);
}

/* One record; section 0 answer, 1 authority, 2 additional. */
static int record_take(struct cursor *c, int section, struct dg_message *message)
{
	struct dg_record scratch, *record = &scratch;
	__u32 class, octets;

	if (section < 2 && message->records == DG_MESSAGE_RECORDS)
		return -E2BIG;
	if (section < 2)
		record = message->record + message->records++;
	record->authority = section;
	record->data[0] = '\0';
	name_take(c, record->name);
	record->type = (__u16)take_u16(c);
	class = take_u16(c);
	record->ttl = take_u32(c);
	octets = take_u16(c);
	c->bad |= octets > c->len - c->at;
	if (c->bad)
		return -EBADMSG;
	if (section == 2 && record->type == TYPE_OPT)
		opt_take(c, class, record->ttl, octets, message);
	else
		data_text(c, record->type, octets, record);
	return c->bad ? -EBADMSG : 0;
}

int dg_message_read(const __u8 *message, __u32 len, struct dg_message *ret)
{
	struct cursor c = { .message = message, .len = len };
	char question[1025];
	__u32 count[4];
	int rc = 0;

	memset(ret, 0, sizeof(*ret));
	ret->ede = -1;
	ret->id = (__u16)take_u16(&c);
	ret->flags = (__u16)take_u16(&c);
	ret->rcode = ret->flags & 0xf;
	for (size_t i = 0; i < COUNT_OF(count); i++)
		count[i] = take_u16(&c);
	for (__u32 i = 0; !c.bad && i < count[0]; i++) {
		name_take(&c, question);
		take_u32(&c);
	}
	for (int section = 0; section < 3; section++)
		for (__u32 i = 0; !rc && !c.bad && i < count[section + 1]; i++)
			rc = record_take(&c, section, ret);
	if (!rc && (c.bad || c.at != len))
		rc = -EBADMSG;
	return rc;
}

/* ---- words ---------------------------------------------------------------------------------- */

const char *dg_rcode_text(unsigned int rcode, char *buf, size_t size)
{
	static const char *const names[] = { "NOERROR",	 "FORMERR", "SERVFAIL",
					     "NXDOMAIN", "NOTIMP",  "REFUSED" };

	if (rcode < COUNT_OF(names))
		return names[rcode];
	snprintf(buf, size, "RCODE%u", rcode);
	return buf;
}

const char *dg_ede_text(int code)
{
	return code == 15 ? "Blocked" : code == 16 ? "Censored" : code == 17 ? "Filtered" : "other";
}

char *dg_flags_text(__u16 flags, char *buf, size_t size)
{
	static const struct {
		__u16 bit;
		const char *name;
	} bits[] = {
		{ 0x8000, "qr" }, { 0x0400, "aa" }, { 0x0200, "tc" }, { 0x0100, "rd" },
		{ 0x0080, "ra" }, { 0x0020, "ad" }, { 0x0010, "cd" },
	};
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < COUNT_OF(bits); i++)
		if (flags & bits[i].bit && at < size)
			at += (size_t)snprintf(buf + at, size - at, "%s%s", at ? " " : "",
					       bits[i].name);
	return buf;
}
