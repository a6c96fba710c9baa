// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * egress.c - the program that sees answers leave a guarded device: loaded, attached, replaced in place, taken away.
 *
 * From Linux 6.6 on it hangs on a tcx link, pinned as progs/tcx-<ifname>. Before, it is a filter of the device's clsact qdisc,
 * its program pinned as progs/clsact-<ifname>: by that we know our own filter, and no other is ever touched.
 * progs/qdisc-<ifname> says that the qdisc was made for it. Nothing here may stand in the way of guarding a device.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>

#include "bpf/egress.skel.h"
#include "loader/internal.h"
#include "userspace/lib/netlink.h"

/* Newer than the headers of the oldest system that this is built on: include/uapi/linux/bpf.h. */
#define ATTACH_TCX_EGRESS ((enum bpf_attach_type)47)
#define ATTACH_FIRST (1u << 3)

/* Where our filter stands. Behind those of low numbers: what they send elsewhere is not seen. */
#define FILTER_PRIORITY 53
#define FILTER_HANDLE 53

static void skeleton_free(struct egress_bpf **skel)
{
	egress_bpf__destroy(*skel);
	*skel = NULL;
}
#define scoped_skeleton dg_scoped(skeleton_free)

/* ---- pins ----------------------------------------------------------------------------------- */

enum pin { PIN_TCX, PIN_CLSACT, PIN_CLSACT_NEW, PIN_QDISC };

static int pin_path(const char *bpffs, enum pin pin, const char *ifname, struct dg_path *ret)
{
	static const char *const heads[] = { [PIN_TCX] = "progs/tcx-",
					     [PIN_CLSACT] = "progs/clsact-",
					     [PIN_CLSACT_NEW] = "progs/clsnew-",
					     [PIN_QDISC] = "progs/qdisc-" };

	return dg_device_path(bpffs, heads[pin], ifname, ret);
}

/* The descriptor of what is pinned, or -errno. */
static int pin_open(const char *bpffs, enum pin pin, const char *ifname)
{
	struct dg_path path;
	int fd, status = pin_path(bpffs, pin, ifname, &path);

	if (status)
		return status;
	fd = bpf_obj_get(path.text);
	return fd < 0 ? -errno : fd;
}

static int pin_make(const char *bpffs, enum pin pin, const char *ifname, int fd)
{
	struct dg_path path;
	int status = pin_path(bpffs, pin, ifname, &path);

	if (status)
		return status;
	unlink(path.text);
	return bpf_obj_pin(fd, path.text) ? -errno : 0;
}

static void pin_remove(const char *bpffs, enum pin pin, const char *ifname)
{
	struct dg_path path;

	if (!pin_path(bpffs, pin, ifname, &path))
		unlink(path.text);
}

static int pin_rename(const char *bpffs, enum pin from, enum pin to, const char *ifname)
{
	struct dg_path old, new;
	int status = pin_path(bpffs, from, ifname, &old);

	if (!status)
		status = pin_path(bpffs, to, ifname, &new);
	return status ? status : rename(old.text, new.text) ? -errno : 0;
}

/* ---- the program ---------------------------------------------------------------------------- */

int dg_egress_load(const struct dg_maps *maps, int *ret_prog_fd)
{
	scoped_skeleton struct egress_bpf *skel = NULL;
	int status;

	libbpf_set_print(NULL);
	skel = egress_bpf__open();
	if (!skel)
		return -errno;
	status = dg_companion_share(skel->obj, maps);
	if (!status)
		status = egress_bpf__load(skel);
	if (status)
		return status;
	*ret_prog_fd = fcntl(bpf_program__fd(skel->progs.dnsguard_egress), F_DUPFD_CLOEXEC, 3);
	return *ret_prog_fd < 0 ? -errno : 0;
}

/* ---- by link -------------------------------------------------------------------------------- */

/* The device of a tcx link; 0 = it is gone. It stands in the kernel's struct where XDP has it. */
static __u32 link_ifindex(int link_fd)
{
	struct bpf_link_info info = { 0 };
	__u32 len = sizeof(info);

	return bpf_obj_get_info_by_fd(link_fd, &info, &len) ? 0 : info.xdp.ifindex;
}

/* -EINVAL: a kernel that has no such links. */
static int link_attach(const char *bpffs, const char *ifname, __u32 ifindex, int prog_fd)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = ATTACH_FIRST);
	dg_scoped_fd int fd = pin_open(bpffs, PIN_TCX, ifname);

	if (fd >= 0 && link_ifindex(fd) == ifindex)
		return bpf_link_update(fd, prog_fd, NULL) ? -errno : 0;
	dg_close_fd(&fd);
	fd = bpf_link_create(prog_fd, (int)ifindex, ATTACH_TCX_EGRESS, &opts);
	return fd < 0 ? -errno : pin_make(bpffs, PIN_TCX, ifname, fd);
}

static void link_detach(const char *bpffs, const char *ifname)
{
	dg_scoped_fd int fd = pin_open(bpffs, PIN_TCX, ifname);

	if (fd >= 0)
		bpf_link_detach(fd); /* by hand: another process may hold it as well */
	pin_remove(bpffs, PIN_TCX, ifname);
}

/* ---- by filter ------------------------------------------------------------------------------ */

static __u32 program_id(int prog_fd)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	return prog_fd < 0 || bpf_obj_get_info_by_fd(prog_fd, &info, &len) ? 0 : info.id;
}

static bool pin_is_program(const char *bpffs, enum pin pin, const char *ifname, __u32 id)
{
	dg_scoped_fd int fd = pin_open(bpffs, pin, ifname);

	return id && program_id(fd) == id;
}

/* The program of the filter in our place, 0 = there is none. *ret_ours: it is the one we pinned. */
static __u32 filter_find(const char *bpffs, const char *ifname, __u32 ifindex, bool *ret_ours)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	__u32 id;

	libbpf_set_print(NULL); /* a device without a clsact qdisc is no news */
	id = bpf_tc_query(&hook, &opts) ? 0 : opts.prog_id;
	*ret_ours = pin_is_program(bpffs, PIN_CLSACT, ifname, id) ||
		    pin_is_program(bpffs, PIN_CLSACT_NEW, ifname, id);
	return id;
}

/* Pinned first, so that whoever finds the filter after a crash knows whose it is. The kernel replaces it in one step. */
static int filter_attach(const char *bpffs, const char *ifname, __u32 ifindex, int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY,
		    .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE);
	bool ours;
	__u32 id = filter_find(bpffs, ifname, ifindex, &ours);
	int status;

	if (id && !ours)
		return -EBUSY;
	if (pin_is_program(bpffs, PIN_CLSACT_NEW, ifname, id))
		pin_rename(bpffs, PIN_CLSACT_NEW, PIN_CLSACT, ifname);
	status = bpf_tc_hook_create(&hook);
	if (!status)
		status = pin_make(bpffs, PIN_QDISC, ifname, prog_fd);
	else if (status == -EEXIST)
		status = 0;
	if (!status)
		status = pin_make(bpffs, PIN_CLSACT_NEW, ifname, prog_fd);
	if (!status)
		status = bpf_tc_attach(&hook, &opts);
	if (!status)
		status = pin_rename(bpffs, PIN_CLSACT_NEW, PIN_CLSACT, ifname);
	return status;
}

/* The qdisc goes when it was made for us and nobody has put anything on it since. */
static void qdisc_remove(const char *bpffs, const char *ifname, __u32 ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	dg_scoped_fd int ours = pin_open(bpffs, PIN_QDISC, ifname);

	if (ours >= 0 && dg_clsact_filters(ifindex) == 0)
		bpf_tc_hook_destroy(&hook);
	pin_remove(bpffs, PIN_QDISC, ifname);
}

static void filter_detach(const char *bpffs, const char *ifname, __u32 ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	bool ours;

	if (ifindex && filter_find(bpffs, ifname, ifindex, &ours) && ours)
		bpf_tc_detach(&hook, &opts);
	qdisc_remove(bpffs, ifname, ifindex);
	pin_remove(bpffs, PIN_CLSACT, ifname);
	pin_remove(bpffs, PIN_CLSACT_NEW, ifname);
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* From here on ingress notes what is asked on this device, or does so no more. */
static int timed_mark(const struct dg_maps *maps, const char *ifname, bool timed)
{
	struct dg_iface iface;
	__u32 slot = 0;
	int status = dg_slot_find(maps, ifname, &slot);

	if (!status)
		status = dg_iface_read(maps, slot, &iface);
	if (status || !(iface.flags & DG_IF_USED))
		return status;
	iface.flags &= ~(__u32)DG_IF_TIMED;
	iface.flags |= timed ? DG_IF_TIMED : 0;
	return dg_iface_write(maps, slot, &iface);
}

int dg_egress_attach(const char *bpffs, const char *ifname, const struct dg_maps *maps,
		     struct dg_error *err)
{
	__u32 ifindex = if_nametoindex(ifname);
	dg_scoped_fd int prog = -1;
	int status = ifindex ? dg_egress_load(maps, &prog) : -ENODEV;

	if (!status)
		status = link_attach(bpffs, ifname, ifindex, prog);
	if (status == -EINVAL)
		status = filter_attach(bpffs, ifname, ifindex, prog);
	/* An earlier one that still stands goes on measuring. */
	timed_mark(maps, ifname, !status || dg_egress_runs(bpffs, ifname));
	if (status == -EBUSY)
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "response times are not measured on %s, the rest works: another "
			       "filter stands at egress, priority %d, handle %d",
			       ifname, FILTER_PRIORITY, FILTER_HANDLE);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "response times are not measured on %s, the rest works: %s", ifname,
			       strerror(-status));
	return 0;
}

void dg_egress_detach(const char *bpffs, const char *ifname, __u32 ifindex)
{
	link_detach(bpffs, ifname);
	filter_detach(bpffs, ifname, ifindex ? ifindex : if_nametoindex(ifname));
}

int dg_egress_runs(const char *bpffs, const char *ifname)
{
	__u32 ifindex = if_nametoindex(ifname);
	dg_scoped_fd int link = pin_open(bpffs, PIN_TCX, ifname);
	bool ours = false;

	if (!ifindex)
		return 0;
	if (link >= 0)
		return link_ifindex(link) == ifindex;
	return filter_find(bpffs, ifname, ifindex, &ours) && ours;
}

bool dg_egress_times(const char *bpffs, const struct dg_iface *iface)
{
	dg_scoped_fd int link = pin_open(bpffs, PIN_TCX, iface->name);
	dg_scoped_fd int filter = pin_open(bpffs, PIN_CLSACT, iface->name);
	bool ours = false;

	if (!(iface->flags & DG_IF_TIMED))
		return false;
	if (link >= 0)
		return link_ifindex(link) == iface->ifindex;
	if (if_nametoindex(iface->name) == iface->ifindex)
		return filter_find(bpffs, iface->name, iface->ifindex, &ours) && ours;
	return filter >= 0;
}

/* Does what runs on the device come from the same source as what this build would load? */
static bool is_current(const char *bpffs, const char *ifname, const struct dg_maps *maps)
{
	dg_scoped_fd int link = pin_open(bpffs, PIN_TCX, ifname);
	dg_scoped_fd int filter = pin_open(bpffs, PIN_CLSACT, ifname);
	dg_scoped_fd int fresh = -1;

	if (!dg_egress_runs(bpffs, ifname) || dg_egress_load(maps, &fresh))
		return false;
	return dg_tag_same(link >= 0 ? dg_tag_of_link(link) : dg_tag_of_program(filter),
			   dg_tag_of_program(fresh));
}

int dg_egress_ensure(const char *bpffs, const char *ifname, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_fd int lock = -1;
	int status = dg_lock(bpffs, &lock, err);

	if (!status)
		status = dg_maps_open(bpffs, &maps, err);
	if (status || is_current(bpffs, ifname, &maps))
		return status;
	return dg_egress_attach(bpffs, ifname, &maps, err);
}
