/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listeners.h - the listeners of a dump with their resolvers: whose each is, and what it takes.
 */
#ifndef DG_LISTENERS_H
#define DG_LISTENERS_H

#include "userspace/tcp/tcp.h"
#include "userspace/tcp/quota.h"

#define DG_TCP_ASK_NS 10000000000ull /* for all that a busy host is asked together */

/* One listener with its resolver. */
struct dg_tcp_known {
	struct dg_tcp_owner owner;
	struct dg_tcp_quota quota;
};

/* Asks for each listener of the dump, a process with one quota once. ret has room for all of them. */
void dg_tcp_known_ask(const struct dg_tcp_dump *dump, struct dg_tcp_known *ret);

#endif
