// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * listeners.c - whose each listener of a dump is and what quota it has, a process asked once. Reads only.
 */
#include "userspace/doctor/listeners.h"

#include "loader/loader.h"

/* The quota of a process is that of all its listeners: no second question for it. */
static const struct dg_tcp_known *asked_before(const struct dg_tcp_known *known, __u32 count,
					       pid_t pid)
{
	for (__u32 i = 0; i < count; i++)
		if (known[i].owner.pid == pid && known[i].quota.known && known[i].quota.shared)
			return &known[i];
	return NULL;
}

static void owners_take(const struct dg_tcp_dump *dump, struct dg_tcp_known *ret)
{
	struct dg_tcp_sought sought[DG_TCP_LISTENERS_MAX];

	for (__u32 i = 0; i < dump->listeners; i++)
		sought[i].inode = dump->listener[i].inode;
	dg_tcp_owners_seek(sought, dump->listeners);
	for (__u32 i = 0; i < dump->listeners; i++)
		ret[i].owner = sought[i].owner;
}

void dg_tcp_known_ask(const struct dg_tcp_dump *dump, struct dg_tcp_known *ret)
{
	const __u64 deadline_ns = dg_now_ns() + DG_TCP_ASK_NS;

	owners_take(dump, ret);
	for (__u32 i = 0; i < dump->listeners; i++) {
		char text[DG_TCP_KEY_TEXT];
		const struct dg_tcp_asked asked = {
			.owner = &ret[i].owner,
			.listener = dg_tcp_key_text(&dump->listener[i].key, text),
			.sockets = dump->listener[i].sockets,
		};
		const struct dg_tcp_known *before;

		before = ret[i].owner.pid ? asked_before(ret, i, ret[i].owner.pid) : NULL;
		if (before)
			ret[i].quota = before->quota;
		else
			dg_tcp_quota_ask(&asked, deadline_ns, &ret[i].quota);
	}
}
