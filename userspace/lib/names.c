// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * names.c - domain names: text to wire form and back, hashing, and which names are never blocked.
 *
 * Knows the rules of RFC 1035 for names and nothing of lists or maps. Whatever it accepts is a name
 * that a query can carry: at most 255 octets, labels of 1 to 63.
 */
#include "userspace/lib/names.h"

#include <errno.h>
#include <string.h>

#include "userspace/lib/quote.h"

#define ALLOWED "use letters, digits, '-', '_' and '.', and write other octets as \\DDD"

/* How far a text has been read, and the name so far. */
struct reader {
	const char *text; /* the whole text, for messages */
	const char *at;
	struct dg_name name;
	unsigned int label; /* octets of the open label */
	struct dg_error *err;
};

static int refuse(const struct reader *r, const char *reason)
{
	return dg_fail(r->err, -EINVAL, DG_EXIT_USAGE, "name %s %s", DG_QUOTE(r->text), reason);
}

/* Octets that mean themselves in a name's text. */
static int is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* \DDD or \X at r->at, behind the backslash: RFC 1035 section 5.1. */
static int escape_read(struct reader *r)
{
	int value;

	if (!is_digit(r->at[0])) {
		if (!r->at[0])
			return refuse(r, "ends in a backslash: write \\DDD for an octet");
		return (unsigned char)*r->at++;
	}
	if (!is_digit(r->at[1]) || !is_digit(r->at[2]))
		return refuse(
			r, "has an escape that is not three digits: write \\DDD, \\000 to \\255");
	value = (r->at[0] - '0') * 100 + (r->at[1] - '0') * 10 + r->at[2] - '0';
	if (value > 255)
		return refuse(r, "has an escape above \\255");
	r->at += 3;
	return value;
}

static int octet_refuse(const struct reader *r, unsigned char c)
{
	if (c >= 0x80)
		return refuse(r, "is not ASCII: give its A-label form, xn--...");
	if (c == '*')
		return refuse(r, "has a '*' in its midst: only \"*.\" in front is allowed");
	return dg_fail(r->err, -EINVAL, DG_EXIT_USAGE, "name %s has %s at position %d: " ALLOWED,
		       DG_QUOTE(r->text), DG_QUOTE(((char[]){ (char)c, '\0' })),
		       (int)(r->at - r->text));
}

/* One octet of a label, folded: names compare without case, RFC 4343. */
static int octet_add(struct reader *r, unsigned char c)
{
	struct dg_name *name = &r->name;

	if (c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	if (++r->label > DG_LABEL_MAX)
		return refuse(r, "has a label of more than 63 octets");
	/* One octet must stay free for the root label. */
	if (name->len + r->label + 1 >= DG_NAME_MAX)
		return refuse(r, "is longer than 255 octets");
	name->wire[name->len + r->label] = c;
	return 0;
}

static int label_close(struct reader *r)
{
	if (!r->label)
		return refuse(
			r, "has an empty label: labels are 1 to 63 octets, parted by single dots");
	r->name.wire[r->name.len] = (__u8)r->label;
	r->name.len += 1 + r->label;
	r->name.labels++;
	r->label = 0;
	return 0;
}

/* The next character, escape or dot of the text. */
static int step(struct reader *r)
{
	unsigned char c = (unsigned char)*r->at++;
	int octet = c;

	if (c == '.')
		return label_close(r);
	if (c == '\\')
		octet = escape_read(r);
	else if (!is_plain(c))
		return octet_refuse(r, c);
	return octet < 0 ? octet : octet_add(r, (unsigned char)octet);
}

static int text_read(struct reader *r)
{
	int rc;

	while (*r->at) {
		rc = step(r);
		if (rc)
			return rc;
	}
	return r->label ? label_close(r) : 0;
}

int dg_name_parse(const char *text, struct dg_name *ret, struct dg_error *err)
{
	struct reader r = { .text = text, .at = text, .err = err };
	int rc = 0;

	if (r.at[0] == '*' && r.at[1] == '.')
		r.at += 2;
	if (!*r.at)
		return refuse(&r, "is empty: give a domain name, such as ads.example.net");
	if (strcmp(r.at, ".") != 0)
		rc = text_read(&r);
	if (rc)
		return rc;
	r.name.wire[r.name.len++] = 0;
	*ret = r.name;
	return 0;
}

/* What a plain octet becomes in a name; 0 = it is not plain. */
static const __u8 folded[256] = {
	['-'] = '-',	  ['_'] = '_',	    ['0'] = '0',      ['1'] = '1',	['2'] = '2',
	['3'] = '3',	  ['4'] = '4',	    ['5'] = '5',      ['6'] = '6',	['7'] = '7',
	['8'] = '8',	  ['9'] = '9',
#define LETTER(upper, lower) [upper] = lower, [lower] = lower
	LETTER('A', 'a'), LETTER('B', 'b'), LETTER('C', 'c'), LETTER('D', 'd'), LETTER('E', 'e'),
	LETTER('F', 'f'), LETTER('G', 'g'), LETTER('H', 'h'), LETTER('I', 'i'), LETTER('J', 'j'),
	LETTER('K', 'k'), LETTER('L', 'l'), LETTER('M', 'm'), LETTER('N', 'n'), LETTER('O', 'o'),
	LETTER('P', 'p'), LETTER('Q', 'q'), LETTER('R', 'r'), LETTER('S', 's'), LETTER('T', 't'),
	LETTER('U', 'u'), LETTER('V', 'v'), LETTER('W', 'w'), LETTER('X', 'x'), LETTER('Y', 'y'),
	LETTER('Z', 'z'),
#undef LETTER
};

/* The label in front of `end` is done: its length goes to its start. */
static int label_finish(struct dg_name *name, __u32 start, __u32 end)
{
	__u32 octets = end - start - 1;

	if (!octets || octets > DG_LABEL_MAX)
		return -EAGAIN;
	name->wire[start] = (__u8)octets;
	name->labels++;
	return 0;
}

int dg_name_read(const char *text, size_t len, struct dg_name *ret)
{
	__u32 start = 0, end = 1;

	if (len && text[len - 1] == '.')
		len--;
	/* A text of n octets makes a name of n + 2. */
	if (!len || len > DG_NAME_MAX - 2)
		return -EAGAIN;
	ret->labels = 0;
	for (size_t i = 0; i < len; i++, end++) {
		__u8 octet = folded[(__u8)text[i]];

		ret->wire[end] = octet;
		if (octet)
			continue;
		if (text[i] != '.' || label_finish(ret, start, end))
			return -EAGAIN;
		start = end;
	}
	if (label_finish(ret, start, end))
		return -EAGAIN;
	ret->wire[end] = 0;
	ret->len = (__u8)(end + 1);
	return 0;
}

static char *octet_text(__u8 c, char *out)
{
	if (is_plain(c))
		*out++ = (char)c;
	else
		out += sprintf(out, "\\%03u", c);
	return out;
}

char *dg_name_text(const __u8 *wire, __u32 len, char *buf)
{
	char *out = buf;
	__u32 at = 0;

	while (at < len && wire[at] && wire[at] <= DG_LABEL_MAX && at + wire[at] < len) {
		if (out != buf)
			*out++ = '.';
		for (__u32 i = 1; i <= wire[at]; i++)
			out = octet_text(wire[at + i], out);
		at += 1 + wire[at];
	}
	if (out == buf)
		*out++ = '.';
	*out = '\0';
	return buf;
}

/* A label with its length octet, as label_hash() of the kernel does it. */
static struct dg_hash label_hash(const __u8 *label, const __u64 key[4])
{
	struct dg_hash hash = dg_hash_start(key);
	__u32 octets = 1 + label[0], at = 0;
	__u64 word;

	for (; octets - at > 8; at += 8) {
		memcpy(&word, label + at, 8);
		dg_hash_word(&hash, key, dg_fold_word(word));
	}
	memcpy(&word, label + at, 8);
	dg_hash_word(&hash, key, dg_fold_word(dg_word_head(word, octets - at)));
	return hash;
}

__u32 dg_wire_hashes(const __u8 *wire, __u32 len, const __u64 key[4], struct dg_hash *ret)
{
	struct dg_hash hash = dg_hash_start(key);
	__u32 labels = 0, depth = 0;
	__u8 at[DG_LABELS_MAX];

	for (__u32 pos = 0; pos < len && labels < DG_LABELS_MAX; pos += 1u + wire[pos])
		at[labels++] = (__u8)pos;
	while (depth < labels) {
		hash = dg_hash_extend(hash, key, label_hash(wire + at[labels - 1 - depth], key));
		ret[depth++] = hash;
	}
	return labels;
}

struct dg_hash dg_name_hash(const struct dg_name *name, const __u64 key[4])
{
	struct dg_hash suffix[DG_LABELS_MAX];
	__u32 labels = dg_wire_hashes(name->wire, name->len - 1u, key, suffix);

	return labels ? suffix[labels - 1] : dg_hash_start(key);
}

/* Zones whose blocking breaks hosts rather than protects them, with everything below. */
static const struct {
	const char *wire;
	const char *why;
} protected_zones[] = {
	{ "\11localhost", "it is localhost, which every host needs (RFC 6761 section 6.3)" },
	{ "\5local", "it is a multicast DNS name of the local link (RFC 6762)" },
	{ "\4arpa", "it is a reverse or infrastructure zone under arpa (RFC 3172, RFC 6303)" },
};

/* The last label decides: every protected zone is a top-level one. */
const char *dg_name_unsafe(const struct dg_name *name)
{
	__u32 last = 0;

	if (!name->labels)
		return "it is the root: everything would be blocked";
	for (__u32 label = 1; label < name->labels; label++)
		last += 1 + name->wire[last];
	for (size_t i = 0; i < sizeof(protected_zones) / sizeof(protected_zones[0]); i++)
		if (!strcmp((const char *)name->wire + last, protected_zones[i].wire))
			return protected_zones[i].why;
	if (name->labels == 1)
		return "it is a single label: a whole top-level domain would be blocked";
	return NULL;
}
