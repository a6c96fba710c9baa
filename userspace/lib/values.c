// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * values.c - the words operators write: durations, counts, prefixes, answers, types. Text to value
 * and back.
 *
 * Pure functions on text. A refusal is one sentence that quotes the text and says what is allowed;
 * what a reader here accepts, the writer beside it gives back in the same words.
 */
#include "userspace/lib/values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "userspace/lib/quote.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define NS_PER_SEC 1000000000ull

/* Digits at *at into *ret, at least one; -ERANGE beyond 64 bits. Moves *at behind them. */
static int digits_read(const char **at, __u64 *ret)
{
	__u64 value = 0;

	if (**at < '0' || **at > '9')
		return -EINVAL;
	for (; **at >= '0' && **at <= '9'; (*at)++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (__u64)(**at - '0'), &value))
			return -ERANGE;
	*ret = value;
	return 0;
}

int dg_count_parse(const char *what, const char *text, __u64 min, __u64 max, __u64 *ret,
		   struct dg_error *err)
{
	const char *at = text;
	__u64 value;

	if (digits_read(&at, &value) || *at || value < min || value > max)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "%s %s is not a whole number from %llu to %llu", what,
			       DG_QUOTE(text), (unsigned long long)min, (unsigned long long)max);
	*ret = value;
	return 0;
}

/* ---- durations ------------------------------------------------------------------------------ */

static const struct {
	char letter;
	__u64 seconds;
} units[] = {
	{ 'w', 7 * 86400 }, { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 },
};

/* A century: adding it to any clock stays far from 64 bits. */
#define DURATION_MAX_SEC (100ull * 366 * 86400)

static __u64 unit_seconds(char letter)
{
	for (size_t i = 0; i < COUNT_OF(units); i++)
		if (units[i].letter == letter)
			return units[i].seconds;
	return 0;
}

/* One "2h" at *at added to *sum. A number without a letter counts seconds if it is all there is. */
static int duration_part(const char **at, int first, __u64 *sum)
{
	__u64 value, unit = 1;

	if (digits_read(at, &value))
		return -EINVAL;
	if (**at || !first)
		unit = unit_seconds(**at);
	if (!unit || value > DURATION_MAX_SEC / unit)
		return -EINVAL;
	if (**at)
		(*at)++;
	*sum += value * unit;
	return *sum > DURATION_MAX_SEC ? -EINVAL : 0;
}

int dg_duration_parse(const char *text, __u64 *ret_ns, struct dg_error *err)
{
	const char *at = text;
	__u64 seconds = 0;
	int rc;

	do {
		rc = duration_part(&at, at == text, &seconds);
		at += strspn(at, " ");
	} while (!rc && *at);
	if (!rc && !seconds)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "duration %s is no time at all: at least 1s", DG_QUOTE(text));
	if (rc)
		return dg_fail(
			err, -EINVAL, DG_EXIT_USAGE,
			"duration %s is not like 90s, 5m, 2h, 7d or 1h30m (at most 100 years)",
			DG_QUOTE(text));
	*ret_ns = seconds * NS_PER_SEC;
	return 0;
}

/* The largest unit that is not 0 and the one below it. */
char *dg_duration_text(__u64 ns, char *buf, size_t size)
{
	__u64 seconds = ns / NS_PER_SEC, rest;
	size_t i = 0;

	if (!seconds) {
		snprintf(buf, size, "%s", ns ? "<1s" : "0s");
		return buf;
	}
	while (seconds < units[i].seconds)
		i++;
	rest = seconds % units[i].seconds;
	if (i + 1 < COUNT_OF(units) && rest / units[i + 1].seconds)
		snprintf(buf, size, "%llu%c %llu%c",
			 (unsigned long long)(seconds / units[i].seconds), units[i].letter,
			 (unsigned long long)(rest / units[i + 1].seconds), units[i + 1].letter);
	else
		snprintf(buf, size, "%llu%c", (unsigned long long)(seconds / units[i].seconds),
			 units[i].letter);
	return buf;
}

/* ---- addresses and prefixes ----------------------------------------------------------------- */

/* ::ffff:0:0/96, where the IPv4 addresses stand: RFC 4291 section 2.5.5.2. */
#define MAPPED_BITS 96

static void addr_to_bytes(struct dg_addr addr, __u8 bytes[16])
{
	memcpy(bytes, &addr.hi, 8);
	memcpy(bytes + 8, &addr.lo, 8);
}

static struct dg_addr addr_from_bytes(const __u8 bytes[16])
{
	struct dg_addr addr;

	memcpy(&addr.hi, bytes, 8);
	memcpy(&addr.lo, bytes + 8, 8);
	return addr;
}

static int is_mapped(const __u8 bytes[16])
{
	static const __u8 mapped[MAPPED_BITS / 8] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(bytes, mapped, sizeof(mapped));
}

/*
 * An address of either family in the 16-byte form; ::ffff:a.b.c.d is the IPv4 address it stands
 * for.
 */
static int addr_parse(const char *text, __u8 ret[16], enum dg_family *ret_family)
{
	__u8 bytes[16] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET, text, bytes + 12) != 1 && inet_pton(AF_INET6, text, bytes) != 1)
		return -EINVAL;
	memcpy(ret, bytes, sizeof(bytes));
	*ret_family = is_mapped(bytes) ? DG_IPV4 : DG_IPV6;
	return 0;
}

/* Clears all but the first `bits` bits. */
static void host_bits_clear(__u8 bytes[16], __u32 bits)
{
	for (__u32 i = 0; i < 16; i++) {
		if (bits < 8 * (i + 1))
			bytes[i] &= bits <= 8 * i ? 0 : (__u8)(0xff << (8 * (i + 1) - bits));
	}
}

/* Splits "addr/bits" and reads both halves. */
static int prefix_read(const char *text, struct dg_prefix *ret)
{
	char addr[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	const char *at = text + len + 1;
	__u8 bytes[16];
	__u64 bits;
	__u32 full;

	if (len >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (addr_parse(addr, bytes, &ret->family))
		return -EINVAL;
	full = ret->family == DG_IPV4 ? 32 : 128;
	bits = full;
	if (text[len] && (digits_read(&at, &bits) || *at || bits > full))
		return -EINVAL;
	host_bits_clear(bytes, (__u32)bits + 128 - full);
	ret->bits = (__u32)bits;
	ret->addr = addr_from_bytes(bytes);
	return 0;
}

int dg_prefix_parse(const char *text, struct dg_prefix *ret, struct dg_error *err)
{
	struct dg_prefix prefix;

	if (prefix_read(text, &prefix))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "prefix %s is not an address with an optional length, such as "
			       "192.0.2.0/24 or 2001:db8::/32",
			       DG_QUOTE(text));
	*ret = prefix;
	return 0;
}

char *dg_addr_text(struct dg_addr addr, char *buf, size_t size)
{
	char text[INET6_ADDRSTRLEN];
	__u8 bytes[16];

	addr_to_bytes(addr, bytes);
	if (is_mapped(bytes))
		inet_ntop(AF_INET, bytes + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, bytes, text, sizeof(text));
	snprintf(buf, size, "%s", text);
	return buf;
}

char *dg_prefix_text(const struct dg_prefix *prefix, char *buf, size_t size)
{
	char addr[INET6_ADDRSTRLEN];

	dg_addr_text(prefix->addr, addr, sizeof(addr));
	if (prefix->bits == (prefix->family == DG_IPV4 ? 32u : 128u))
		snprintf(buf, size, "%s", addr);
	else
		snprintf(buf, size, "%s/%u", addr, prefix->bits);
	return buf;
}

/* ---- answers -------------------------------------------------------------------------------- */

static const char *const answer_kinds[DG_ANSWER_KINDS] = {
	[DG_ANSWER_ALLOW] = "allow",	   [DG_ANSWER_NXDOMAIN] = "nxdomain",
	[DG_ANSWER_NODATA] = "nodata",	   [DG_ANSWER_ADDRESS] = "address",
	[DG_ANSWER_NULL] = "null",	   [DG_ANSWER_REFUSED] = "refused",
	[DG_ANSWER_TRUNCATE] = "truncate", [DG_ANSWER_DROP] = "drop",
	[DG_ANSWER_OBSERVE] = "observe",
};

const char *dg_answer_kind_name(enum dg_answer_kind kind)
{
	return (unsigned int)kind < DG_ANSWER_KINDS ? answer_kinds[kind] : "unknown";
}

/* "192.0.2.1", "2001:db8::1", or one of each with a comma between. */
static int answer_addresses(const char *text, struct dg_answer *answer)
{
	for (const char *at = text;; at++) {
		char one[INET6_ADDRSTRLEN];
		size_t len = strcspn(at, ",");
		enum dg_family family;
		__u8 bytes[16], flag;

		if (len >= sizeof(one))
			return -EINVAL;
		memcpy(one, at, len);
		one[len] = '\0';
		if (addr_parse(one, bytes, &family))
			return -EINVAL;
		flag = family == DG_IPV4 ? DG_ANS_V4 : DG_ANS_V6;
		if (answer->flags & flag)
			return -EINVAL;
		answer->flags |= flag;
		memcpy(family == DG_IPV4 ? answer->v4 : answer->v6,
		       family == DG_IPV4 ? bytes + 12 : bytes, family == DG_IPV4 ? 4 : 16);
		at += len;
		if (!*at)
			return 0;
	}
}

/* Kinds that are words of their own; allow has a verb, address is said by giving addresses. */
static enum dg_answer_kind answer_word(const char *text)
{
	for (int kind = DG_ANSWER_NXDOMAIN; kind < DG_ANSWER_KINDS; kind++)
		if (kind != DG_ANSWER_ADDRESS && !strcasecmp(text, answer_kinds[kind]))
			return (enum dg_answer_kind)kind;
	return DG_ANSWER_KINDS;
}

int dg_answer_parse(const char *text, struct dg_answer *ret, struct dg_error *err)
{
	struct dg_answer answer = *ret;
	enum dg_answer_kind kind = answer_word(text);

	answer.flags &= (__u8) ~(DG_ANS_V4 | DG_ANS_V6);
	if (kind == DG_ANSWER_KINDS) {
		kind = DG_ANSWER_ADDRESS;
		if (answer_addresses(text, &answer))
			return dg_fail(
				err, -EINVAL, DG_EXIT_USAGE,
				"answer %s is none of nxdomain, nodata, null, refused, truncate, "
				"drop, observe, or an address of each family at most, such as "
				"192.0.2.1,2001:db8::1",
				DG_QUOTE(text));
	}
	answer.kind = (__u8)kind;
	*ret = answer;
	return 0;
}

char *dg_answer_text(const struct dg_answer *answer, char *buf, size_t size)
{
	char v4[INET_ADDRSTRLEN] = "", v6[INET6_ADDRSTRLEN] = "";
	int both = (answer->flags & DG_ANS_V4) && (answer->flags & DG_ANS_V6);

	if (answer->kind != DG_ANSWER_ADDRESS) {
		snprintf(buf, size, "%s", dg_answer_kind_name(answer->kind));
		return buf;
	}
	if (answer->flags & DG_ANS_V4)
		inet_ntop(AF_INET, answer->v4, v4, sizeof(v4));
	if (answer->flags & DG_ANS_V6)
		inet_ntop(AF_INET6, answer->v6, v6, sizeof(v6));
	snprintf(buf, size, "%s%s%s", v4, both ? "," : "", v6);
	return buf;
}

/* ---- types ---------------------------------------------------------------------------------- */

/* The types that clients ask for; all others are TYPEn: RFC 3597 section 5. */
static const struct {
	__u16 type;
	const char *name;
} qtypes[] = {
	{ 1, "A" },	 { 2, "NS" },	  { 5, "CNAME" },  { 6, "SOA" },     { 12, "PTR" },
	{ 13, "HINFO" }, { 15, "MX" },	  { 16, "TXT" },   { 28, "AAAA" },   { 29, "LOC" },
	{ 33, "SRV" },	 { 35, "NAPTR" }, { 39, "DNAME" }, { 41, "OPT" },    { 43, "DS" },
	{ 44, "SSHFP" }, { 46, "RRSIG" }, { 47, "NSEC" },  { 48, "DNSKEY" }, { 50, "NSEC3" },
	{ 52, "TLSA" },	 { 64, "SVCB" },  { 65, "HTTPS" }, { 99, "SPF" },    { 252, "AXFR" },
	{ 255, "ANY" },	 { 257, "CAA" },
};

int dg_qtype_parse(const char *text, __u16 *ret, struct dg_error *err)
{
	const char *at = text + strlen("TYPE");
	__u64 number;

	for (size_t i = 0; i < COUNT_OF(qtypes); i++) {
		if (!strcasecmp(text, qtypes[i].name)) {
			*ret = qtypes[i].type;
			return 0;
		}
	}
	if (strncasecmp(text, "TYPE", strlen("TYPE")) || digits_read(&at, &number) || *at ||
	    number > 65535)
		return dg_fail(
			err, -EINVAL, DG_EXIT_USAGE,
			"type %s is not a DNS type, such as A, AAAA, TXT, or TYPE0 to TYPE65535",
			DG_QUOTE(text));
	*ret = (__u16)number;
	return 0;
}

const char *dg_qtype_text(__u16 qtype, char *buf, size_t size)
{
	for (size_t i = 0; i < COUNT_OF(qtypes); i++)
		if (qtypes[i].type == qtype)
			return qtypes[i].name;
	snprintf(buf, size, "TYPE%u", qtype);
	return buf;
}
