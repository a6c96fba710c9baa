// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * holder.c - the process behind a listening socket: from /proc where that is allowed, else from an iterator in the kernel.
 *
 * The iterator is loaded for one look and gone after it.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "bpf/holder.skel.h"
#include "loader/loader.h"

static void skeleton_free(struct holder_bpf **skel)
{
	holder_bpf__destroy(*skel);
	*skel = NULL;
}

static void holder_note(struct dg_tcp_holder *holder, struct dg_tcp_sought *sought,
			unsigned int count)
{
	holder->comm[sizeof(holder->comm) - 1] = '\0';
	for (unsigned int i = 0; i < count; i++)
		if (sought[i].inode == holder->inode && !sought[i].owner.pid)
			dg_tcp_owner_name((pid_t)holder->pid, holder->comm, &sought[i].owner);
}

/* The kernel hands over whole records. */
static void holders_look(int iterator_fd, struct dg_tcp_sought *sought, unsigned int count)
{
	struct dg_tcp_holder holders[64];
	ssize_t got;

	while ((got = read(iterator_fd, holders, sizeof(holders))) > 0)
		for (size_t i = 0; i < (size_t)got / sizeof(holders[0]); i++)
			holder_note(&holders[i], sought, count);
}

static void holders_find(struct dg_tcp_sought *sought, unsigned int count)
{
	dg_scoped(skeleton_free) struct holder_bpf *skel = NULL;
	dg_scoped_fd int fd = -1;

	libbpf_set_print(NULL);
	skel = holder_bpf__open_and_load();
	if (!skel || holder_bpf__attach(skel))
		return;
	fd = bpf_iter_create(bpf_link__fd(skel->links.dnsguard_holder));
	if (fd >= 0)
		holders_look(fd, sought, count);
}

void dg_tcp_owners_seek(struct dg_tcp_sought *sought, unsigned int count)
{
	if (dg_tcp_owners_find(sought, count))
		holders_find(sought, count);
}

int dg_tcp_owner_seek(__u32 inode, struct dg_tcp_owner *ret)
{
	struct dg_tcp_sought sought = { .inode = inode };

	dg_tcp_owners_seek(&sought, 1);
	*ret = sought.owner;
	return ret->pid ? 0 : -ENOENT;
}
