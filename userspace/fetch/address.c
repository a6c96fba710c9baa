// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * address.c - which addresses are this host's or this site's own, where no stranger's redirect may lead.
 *
 * A server that says "look over there" would otherwise have us ask what only we can reach: a metadata service, a
 * resolver's control port, a printer. Blocks by RFC 6890 and the registries it began; those for documentation lead
 * nowhere and are left out.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "userspace/fetch/fetch.h"

struct block {
	__u8 bits;
	__u8 at[16];
};

static const struct block ipv4_blocks[] = {
	{ 8, { 0 } },				    /* this network */
	{ 8, { 10 } },	       { 10, { 100, 64 } }, /* behind a carrier's NAT */
	{ 8, { 127 } },	       { 16, { 169, 254 } }, { 12, { 172, 16 } },
	{ 24, { 192, 0, 0 } }, { 16, { 192, 168 } }, { 15, { 198, 18 } }, /* laboratories */
	{ 4, { 224 } },							  /* multicast */
	{ 4, { 240 } },
};

static const struct block ipv6_blocks[] = {
	{ 128, { 0 } },		{ 128, { [15] = 1 } },	{ 7, { 0xfc } },
	{ 10, { 0xfe, 0x80 } }, { 10, { 0xfe, 0xc0 } }, { 8, { 0xff } },
};

/* IPv6 addresses that stand for an IPv4 one, and where in them it is. */
static const struct {
	struct block block;
	__u8 offset;
} carriers[] = {
	{ { 96, { [10] = 0xff, [11] = 0xff } }, 12 },  /* mapped */
	{ { 96, { 0, 0x64, 0xff, 0x9b } }, 12 },       /* NAT64 */
	{ { 48, { 0, 0x64, 0xff, 0x9b, 0, 1 } }, 12 }, /* NAT64 of a site */
	{ { 16, { 0x20, 0x02 } }, 2 },		       /* 6to4 */
	{ { 96, { 0 } }, 12 },			       /* compatible */
};

static bool is_in(const struct block *block, const __u8 *address)
{
	__u8 whole = block->bits / 8, rest = block->bits % 8;

	if (memcmp(block->at, address, whole) != 0)
		return false;
	return !rest || (block->at[whole] ^ address[whole]) >> (8 - rest) == 0;
}

static bool is_in_any(const struct block *blocks, size_t count, const __u8 *address)
{
	for (size_t i = 0; i < count; i++)
		if (is_in(blocks + i, address))
			return true;
	return false;
}

#define IN_ANY(blocks, address) is_in_any(blocks, sizeof(blocks) / sizeof((blocks)[0]), address)

static bool is_private_v6(const __u8 *address)
{
	if (IN_ANY(ipv6_blocks, address))
		return true;
	for (size_t i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++)
		if (is_in(&carriers[i].block, address))
			return IN_ANY(ipv4_blocks, address + carriers[i].offset);
	return false;
}

bool dg_fetch_address_is_private(const struct sockaddr *address)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	if (address->sa_family == AF_INET)
		return IN_ANY(ipv4_blocks, (const __u8 *)&v4->sin_addr);
	if (address->sa_family == AF_INET6)
		return is_private_v6(v6->sin6_addr.s6_addr);
	return true; /* no other family leads to a web server */
}

bool dg_fetch_text_is_private(const char *text)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return dg_fetch_address_is_private((const struct sockaddr *)&v4);
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
		return dg_fetch_address_is_private((const struct sockaddr *)&v6);
	return true;
}
