// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * detach.c - one device leaves the guard, or all that is pinned goes; and who guards what at the moment.
 *
 * Works on pins of any layout, for it is the way out of one that this build cannot read.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "loader/internal.h"

/* The link by its pin; with the pin's path. */
static int link_open(const char *bpffs, const char *ifname, struct dg_path *ret_path, int *ret_fd,
		     struct dg_error *err)
{
	int fd, status = dg_link_path(bpffs, ifname, ret_path);

	if (status)
		return dg_fail(err, status, DG_EXIT_USAGE, "\"%.64s...\" is too long a directory",
			       bpffs);
	fd = bpf_obj_get(ret_path->text);
	if (fd < 0 && errno == ENOENT)
		return dg_fail(
			err, -ENOENT, DG_EXIT_NOT_ATTACHED,
			"\"%.64s\" is not guarded under %s: see what is with: dnsguard status",
			ifname, bpffs);
	if (fd < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED,
			       "cannot open %s: %s; run it as root, with sudo", ret_path->text,
			       strerror(errno));
	*ret_fd = fd;
	return 0;
}

static void slot_release(const char *bpffs, const char *ifname)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;

	if (!dg_maps_open(bpffs, &maps, NULL))
		dg_slot_release(&maps, ifname);
}

static int pins_purge(const char *bpffs, struct dg_error *err)
{
	int status = dg_pins_remove(bpffs);

	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot remove %s/dnsguard: %s", bpffs,
			       strerror(-status));
	return 0;
}

int dg_detach(const char *bpffs, const char *ifname, int purge, struct dg_error *err)
{
	dg_scoped_fd int lock = -1, link = -1;
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);
	struct dg_path path;
	int status = dg_lock(bpffs, &lock, err);

	if (!status)
		status = link_open(bpffs, ifname, &path, &link, err);
	if (status)
		return status;
	bpf_obj_get_info_by_fd(link, &info, &len); /* a device may have another name by now */
	/* Detached by hand, not by the pin's going alone: another process may hold the link as well. */
	if (bpf_link_detach(link) && errno != ENOLINK && errno != EINVAL)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot detach %s: %s", ifname,
			       strerror(errno));
	if (unlink(path.text))
		return dg_fail(err, -errno, DG_EXIT_FAILED,
			       "%s is detached, but cannot remove %s: %s", ifname, path.text,
			       strerror(errno));
	dg_egress_detach(bpffs, ifname, info.xdp.ifindex);
	slot_release(bpffs, ifname);
	dg_record_remove(bpffs, ifname); /* there is nothing to go back to any more */
	if (dg_links_count(bpffs))
		return 0;
	dg_tcpstate_detach(bpffs);
	return purge ? pins_purge(bpffs, err) : 0;
}

int dg_purge(const char *bpffs, struct dg_error *err)
{
	dg_scoped_fd int lock = -1;
	int links, status = dg_lock(bpffs, &lock, err);

	if (status)
		return status;
	links = dg_links_count(bpffs);
	if (links < 0)
		return dg_fail(err, links, DG_EXIT_FAILED, "cannot read %s/dnsguard/links: %s",
			       bpffs, strerror(-links));
	if (links > 0)
		return dg_fail(
			err, -EBUSY, DG_EXIT_FAILED,
			"%d devices are still guarded under %s: dnsguard detach --all --purge",
			links, bpffs);
	return pins_purge(bpffs, err);
}

int dg_program_open(const char *bpffs, const char *ifname, int *ret_fd, struct dg_error *err)
{
	dg_scoped_fd int link = -1;
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);
	struct dg_path path;
	int fd, status;

	if (ifname) {
		status = link_open(bpffs, ifname, &path, &link, err);
		if (status)
			return status;
		fd = bpf_obj_get_info_by_fd(link, &info, &len) ?
			     -1 :
			     bpf_prog_get_fd_by_id(info.prog_id);
	} else {
		status = dg_pin_path(bpffs, "progs/ingress", &path);
		fd = status ? -1 : bpf_obj_get(path.text);
	}
	if (fd < 0 && errno == ENOENT)
		return dg_fail(err, -ENOENT, DG_EXIT_NOT_ATTACHED,
			       "nothing is attached under %s/dnsguard: dnsguard attach IFACE",
			       bpffs);
	if (fd < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED,
			       "cannot open the program behind %s: %s; run it as root, "
			       "with sudo",
			       path.text, strerror(errno));
	*ret_fd = fd;
	return 0;
}
