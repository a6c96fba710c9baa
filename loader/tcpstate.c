// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcpstate.c - the program that counts TCP connections: one for all devices, pinned by its link as progs/tcpstate.
 *
 * A link of this kind cannot be given another program. So a new one is attached beside the old; which of them counts is
 * one word in a shared map, and the old one goes when it counts no more: no change of a socket is counted twice or not at
 * all. Nothing here may stand in the way of guarding a device.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "bpf/tcpstate.skel.h"
#include "loader/internal.h"
#include "userspace/tcp/tcp.h"

#define PIN "progs/tcpstate"
#define PIN_NEW "progs/tcpstate-new"

static void skeleton_free(struct tcpstate_bpf **skel)
{
	tcpstate_bpf__destroy(*skel);
	*skel = NULL;
}
#define scoped_skeleton dg_scoped(skeleton_free)

/* Loaded, not attached. -errno. */
static int skeleton_load(const struct dg_maps *maps, __u64 instance, struct tcpstate_bpf **ret)
{
	scoped_skeleton struct tcpstate_bpf *skel = NULL;
	int status;

	libbpf_set_print(NULL);
	skel = tcpstate_bpf__open();
	if (!skel)
		return -errno;
	skel->rodata->dg_netns = dg_tcp_netns();
	skel->rodata->dg_instance = instance;
	status = skel->rodata->dg_netns ? dg_companion_share(skel->obj, maps) : -ENOENT;
	if (!status)
		status = tcpstate_bpf__load(skel);
	if (status)
		return status;
	*ret = dg_take_ptr(skel);
	return 0;
}

/* Pinned, put in charge, and the pin of the one before taken over: that one goes with it. */
static int skeleton_install(const char *bpffs, const struct tcpstate_bpf *skel,
			    struct dg_tcp_books *books)
{
	struct dg_path path, fresh;
	int status = dg_pin_path(bpffs, PIN, &path);

	if (!status)
		status = dg_pin_path(bpffs, PIN_NEW, &fresh);
	if (status)
		return status;
	unlink(fresh.text);
	if (bpf_obj_pin(bpf_link__fd(skel->links.dnsguard_tcp), fresh.text))
		return -errno;
	__atomic_store_n(&books->now->instance, skel->rodata->dg_instance, __ATOMIC_RELEASE);
	return rename(fresh.text, path.text) ? -errno : 0;
}

int dg_tcpstate_attach(const char *bpffs, const struct dg_maps *maps, struct dg_error *err)
{
	dg_scoped(dg_tcp_books_close) struct dg_tcp_books books = DG_TCP_BOOKS_NONE;
	scoped_skeleton struct tcpstate_bpf *skel = NULL;
	int status = dg_tcp_books_open(maps, &books);

	if (!status)
		status = skeleton_load(maps, dg_now_ns(), &skel);
	if (!status)
		status = tcpstate_bpf__attach(skel); /* standing by */
	if (!status)
		status = skeleton_install(bpffs, skel, &books);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "TCP connections are not counted, the rest works: %s",
			       strerror(-status));
	status = dg_tcp_reconcile(maps);
	if (status < 0)
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "TCP connections from before are not counted: %s",
			       strerror(-status));
	return 0;
}

void dg_tcpstate_detach(const char *bpffs)
{
	struct dg_path path;

	if (!dg_pin_path(bpffs, PIN, &path))
		unlink(path.text);
	if (!dg_pin_path(bpffs, PIN_NEW, &path))
		unlink(path.text);
}

/* The descriptor of the pinned link, or -errno. */
static int pin_open(const char *bpffs)
{
	struct dg_path path;
	int fd, status = dg_pin_path(bpffs, PIN, &path);

	if (status)
		return status;
	fd = bpf_obj_get(path.text);
	return fd < 0 ? -errno : fd;
}

int dg_tcpstate_runs(const char *bpffs)
{
	dg_scoped_fd int fd = pin_open(bpffs);

	return fd >= 0;
}

int dg_tcpstate_ensure(const char *bpffs, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	scoped_skeleton struct tcpstate_bpf *skel = NULL;
	dg_scoped_fd int lock = -1, link = -1;
	int status = dg_lock(bpffs, &lock, err);

	if (!status)
		status = dg_maps_open(bpffs, &maps, err);
	if (status)
		return status;
	link = pin_open(bpffs);
	if (link >= 0 && !skeleton_load(&maps, 0, &skel) &&
	    dg_tag_same(dg_tag_of_link(link),
			dg_tag_of_program(bpf_program__fd(skel->progs.dnsguard_tcp))))
		return 0;
	return dg_tcpstate_attach(bpffs, &maps, err);
}
