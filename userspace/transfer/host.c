// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * host.c - where somebody is reached or listens: an address and a port, written ADDR[@PORT].
 *
 * Reads and compares; opens no socket.
 */
#include "userspace/transfer/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "userspace/lib/quote.h"

static int refuse(const char *what, const char *text, struct dg_error *err)
{
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
		       "%s %s is not an address, or an address, '@' and a port of 1 to 65535", what,
		       DG_QUOTE(text));
}

/* One to five digits: getaddrinfo would take more than a port. */
static bool is_port(const char *text)
{
	size_t len = strlen(text);

	return len && len <= 5 && strspn(text, "0123456789") == len && atoi(text) > 0 &&
	       atoi(text) <= 65535;
}

int dg_host_parse(const char *what, const char *text, struct dg_host *ret, struct dg_error *err)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	const char *at = strrchr(text, '@');
	const char *port = at ? at + 1 : "53";
	struct dg_host host = { .len = 0 };
	char name[64];

	if (!is_port(port) || (at ? (size_t)(at - text) : strlen(text)) >= sizeof(name))
		return refuse(what, text, err);
	snprintf(name, sizeof(name), "%.*s", at ? (int)(at - text) : (int)strlen(text), text);
	if (getaddrinfo(name, port, &hints, &found))
		return refuse(what, text, err);
	memcpy(&host.addr, found->ai_addr, found->ai_addrlen);
	host.len = found->ai_addrlen;
	freeaddrinfo(found);
	snprintf(host.text, sizeof(host.text), "%s@%s", name, port);
	*ret = host;
	return 0;
}

/* The address as IPv6 would carry it. */
static struct in6_addr common(const struct sockaddr_storage *addr)
{
	struct in6_addr six = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (addr->ss_family == AF_INET)
		memcpy(six.s6_addr + 12, &((const struct sockaddr_in *)addr)->sin_addr, 4);
	else
		six = ((const struct sockaddr_in6 *)addr)->sin6_addr;
	return six;
}

bool dg_host_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	struct in6_addr one = common(a), other = common(b);

	return IN6_ARE_ADDR_EQUAL(&one, &other);
}
