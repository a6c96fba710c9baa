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

/* The kernel hands over whole records. */
static int holder_look(int iterator_fd, __u32 inode, struct dg_tcp_holder *ret)
{
	struct dg_tcp_holder holders[64];
	ssize_t got;

	while ((got = read(iterator_fd, holders, sizeof(holders))) > 0) {
		for (size_t i = 0; i < (size_t)got / sizeof(holders[0]); i++) {
			if (holders[i].inode != inode)
				continue;
			*ret = holders[i];
			return 0;
		}
	}
	return got < 0 ? -errno : -ENOENT;
}

static int holder_find(__u32 inode, struct dg_tcp_holder *ret)
{
	dg_scoped(skeleton_free) struct holder_bpf *skel = NULL;
	dg_scoped_fd int fd = -1;

	libbpf_set_print(NULL);
	skel = holder_bpf__open_and_load();
	if (!skel || holder_bpf__attach(skel))
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(skel->links.dnsguard_holder));
	return fd < 0 ? -errno : holder_look(fd, inode, ret);
}

int dg_tcp_owner_seek(__u32 inode, struct dg_tcp_owner *ret)
{
	struct dg_tcp_holder holder;

	if (!dg_tcp_owner_find(inode, ret))
		return 0;
	if (holder_find(inode, &holder))
		return -ENOENT;
	holder.comm[sizeof(holder.comm) - 1] = '\0';
	return dg_tcp_owner_name((pid_t)holder.pid, holder.comm, ret);
}
