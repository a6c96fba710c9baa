// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link.c - reads what there is to know of a device: by rtnetlink, the "netdev" family, ethtool's ioctl and /sys.
 *
 * Judges nothing. What the kernel or the driver does not tell stays at its zero.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "loader/loader.h"
#include "userspace/doctor/patient.h"
#include "userspace/lib/netlink.h"

/* linux/netdev.h of Linux 6.3, which is newer than Debian 12's headers. */
#define NETDEV_FAMILY "netdev"
#define NETDEV_DEV_GET 1
#define NETDEV_DEV_IFINDEX 1
#define NETDEV_DEV_XDP_FEATURES 3

/* ---- one question by netlink ----------------------------------------------------------------- */

static void socket_close(struct mnl_socket **socket)
{
	if (*socket)
		mnl_socket_close(*socket);
}

/* Sends a request and hands its one answer over. -errno. */
static int netlink_ask(int bus, struct nlmsghdr *request, mnl_cb_t answer, void *arg)
{
	dg_scoped(socket_close) struct mnl_socket *socket = mnl_socket_open(bus);
	char buf[16384];
	ssize_t len;

	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	request->nlmsg_flags |= NLM_F_REQUEST;
	request->nlmsg_seq = 1;
	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	len = mnl_socket_recvfrom(socket, buf, sizeof(buf));
	if (len < 0 ||
	    mnl_cb_run(buf, (size_t)len, 1, mnl_socket_get_portid(socket), answer, arg) < 0)
		return -errno;
	return 0;
}

static void dir_close(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* /sys/class/net/NAME and what is below it; NULL: there is none. */
static DIR *device_dir(const struct dg_doctor *doctor, const char *name, const char *below)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/sys/class/net/%s%s", doctor->root, name, below);
	return opendir(path);
}

/* ---- what rtnetlink knows -------------------------------------------------------------------- */

static void kind_read(const struct nlattr *info, char ret[16])
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			snprintf(ret, 16, "%s", mnl_attr_get_str(attr));
	}
}

/* A veth's link is its peer, in another place and not below it. */
static void under_read(const struct nlattr *attr, struct dg_link *link)
{
	__u32 index = mnl_attr_get_u32(attr);

	if (index && index != link->index && strcmp(link->kind, "veth"))
		if_indextoname(index, link->under);
}

static int on_link(const struct nlmsghdr *message, void *arg)
{
	const struct ifinfomsg *head = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr, *under = NULL;
	struct dg_link *link = arg;

	link->down = !(head->ifi_flags & IFF_UP);
	link->no_carrier = !(head->ifi_flags & IFF_RUNNING);
	link->loopback = head->ifi_flags & IFF_LOOPBACK;
	mnl_attr_for_each(attr, message, sizeof(struct ifinfomsg))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_MTU:
			link->mtu = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK:
			under = attr;
			break;
		case IFLA_MASTER:
			if_indextoname(mnl_attr_get_u32(attr), link->master);
			break;
		case IFLA_LINKINFO:
			kind_read(attr, link->kind);
			break;
		}
	}
	if (under)
		under_read(under, link);
	return MNL_CB_OK;
}

static int rtnetlink_read(__u32 index, struct dg_link *ret)
{
	char buf[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ask;

	request->nlmsg_type = RTM_GETLINK;
	ask = mnl_nlmsg_put_extra_header(request, sizeof(*ask));
	ask->ifi_index = (int)index;
	return netlink_ask(NETLINK_ROUTE, request, on_link, ret);
}

static void master_read(struct dg_link *link)
{
	struct dg_link master = { .index = if_nametoindex(link->master) };

	if (link->master[0] && !rtnetlink_read(master.index, &master))
		memcpy(link->master_kind, master.kind, sizeof(link->master_kind));
}

/* ---- what drivers say of XDP ----------------------------------------------------------------- */

static int on_family(const struct nlmsghdr *message, void *arg)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			*(__u16 *)arg = mnl_attr_get_u16(attr);
	}
	return MNL_CB_OK;
}

static int on_features(const struct nlmsghdr *message, void *arg)
{
	const struct nlattr *attr;
	struct dg_link *link = arg;

	mnl_attr_for_each(attr, message, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) != NETDEV_DEV_XDP_FEATURES)
			continue;
		link->features = mnl_attr_get_u64(attr);
		link->features_known = true;
	}
	return MNL_CB_OK;
}

static struct nlmsghdr *generic_put(char *buf, __u16 family, __u8 command)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *generic;

	request->nlmsg_type = family;
	generic = mnl_nlmsg_put_extra_header(request, sizeof(*generic));
	generic->cmd = command;
	generic->version = 1;
	return request;
}

static void features_read(struct dg_link *link)
{
	char buf[256];
	struct nlmsghdr *request = generic_put(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	__u16 family = 0;

	mnl_attr_put_strz(request, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY);
	if (netlink_ask(NETLINK_GENERIC, request, on_family, &family) || !family)
		return;
	request = generic_put(buf, family, NETDEV_DEV_GET);
	mnl_attr_put_u32(request, NETDEV_DEV_IFINDEX, link->index);
	netlink_ask(NETLINK_GENERIC, request, on_features, link);
}

/* ---- what ethtool and /sys know -------------------------------------------------------------- */

static int ethtool_ask(int fd, const char *name, void *question)
{
	struct ifreq request = { .ifr_data = question };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &request);
}

static void ethtool_read(struct dg_link *link)
{
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	dg_scoped_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (!ethtool_ask(fd, link->name, &flags)) {
		link->lro = flags.data & ETH_FLAG_LRO;
		link->strips_vlan = flags.data & ETH_FLAG_RXVLAN;
	}
	if (!link->driver[0] && !ethtool_ask(fd, link->name, &driver))
		snprintf(link->driver, sizeof(link->driver), "%s", driver.driver);
	if (ethtool_ask(fd, link->name, &channels))
		return;
	link->queues = channels.combined_count + channels.rx_count;
	link->combined = channels.max_combined > 0;
	link->queues_max = channels.max_combined ? channels.max_combined : channels.max_rx;
}

/* /sys/class/net/NAME/queues/tx-0, tx-1... */
static void sending_read(const struct dg_doctor *doctor, struct dg_link *link)
{
	dg_scoped(dir_close) DIR *dir = device_dir(doctor, link->name, "/queues");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		link->queues_sending += !strncmp(entry->d_name, "tx-", 3);
}

static void sys_read(const struct dg_doctor *doctor, struct dg_link *link)
{
	char path[512], target[512], *slash;
	ssize_t len;

	snprintf(path, sizeof(path), "%s/sys/class/net/%s/device/driver", doctor->root, link->name);
	len = readlink(path, target, sizeof(target) - 1);
	target[len > 0 ? len : 0] = '\0';
	slash = strrchr(target, '/');
	if (slash)
		snprintf(link->driver, sizeof(link->driver), "%s", slash + 1);
	snprintf(path, sizeof(path), "/sys/class/net/%s/device/features", link->name);
	if (!strcmp(link->driver, "virtio_net"))
		dg_doctor_read(doctor, path, link->virtio, sizeof(link->virtio));
}

/* ---- who holds the hook ---------------------------------------------------------------------- */

static bool is_guarded(const struct dg_doctor *doctor, const char *name)
{
	struct dg_link_state state;

	return !dg_link_state(doctor->bpffs, name, &state) && state.ifindex == if_nametoindex(name);
}

static void hook_read(const struct dg_doctor *doctor, struct dg_link *link)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct dg_link_state ours;
	struct dg_error owner;

	if (!bpf_xdp_query((int)link->index, 0, &query))
		link->xdp_prog = query.prog_id	   ? query.prog_id :
				 query.drv_prog_id ? query.drv_prog_id :
						     query.skb_prog_id;
	link->native_runs = link->xdp_prog && link->xdp_prog == query.drv_prog_id;
	if (!dg_link_state(doctor->bpffs, link->name, &ours) && ours.ifindex == link->index)
		link->guard_prog = ours.prog_id;
	link->under_guarded = link->under[0] && is_guarded(doctor, link->under);
	if (!link->xdp_prog || link->xdp_prog == link->guard_prog)
		return;
	dg_owner_refuse(link->name, link->index, &owner);
	snprintf(link->owner, sizeof(link->owner), "%s", owner.text);
}

/* ---- bonds and teams ------------------------------------------------------------------------- */

/* What the bond's own bond_xdp_check() lets through (drivers/net/bonding/bond_main.c, Linux 6.1 to 7.3). */
static bool mode_is_native(const char *mode)
{
	return !strcmp(mode, "balance-rr") || !strcmp(mode, "active-backup") ||
	       !strcmp(mode, "balance-xor") || !strcmp(mode, "802.3ad");
}

/* The devices right below it: /sys/class/net/NAME/lower_MEMBER. */
static void members_read(const struct dg_doctor *doctor, struct dg_bundle *bundle)
{
	dg_scoped(dir_close) DIR *dir = device_dir(doctor, bundle->name, "");
	const struct dirent *entry;

	bundle->members_guarded = true;
	while (dir && (entry = readdir(dir)) && bundle->count < 8) {
		const char *member = entry->d_name + strlen("lower_");

		if (strncmp(entry->d_name, "lower_", strlen("lower_")))
			continue;
		snprintf(bundle->members[bundle->count++], 16, "%.15s", member);
		bundle->members_guarded &= is_guarded(doctor, member);
	}
	bundle->members_guarded &= bundle->count > 0;
}

/* The kernel tells (6.3), or it follows from the mode and from what drives the members. */
static bool bundle_is_native(const struct dg_doctor *doctor, const struct dg_bundle *bundle)
{
	struct dg_link whole = { .index = if_nametoindex(bundle->name) };
	bool native =
		!strcmp(bundle->kind, "bond") && mode_is_native(bundle->mode) && bundle->count;

	features_read(&whole);
	if (whole.features_known)
		return whole.features & DG_XDP_BASIC;
	for (__u32 i = 0; i < bundle->count; i++) {
		struct dg_link member = { .index = 0 };

		memcpy(member.name, bundle->members[i], sizeof(member.name));
		sys_read(doctor, &member);
		ethtool_read(&member);
		native &= dg_driver_find(member.driver)->native_in_6_1;
	}
	return native;
}

static void bundle_read(const struct dg_doctor *doctor, struct dg_link *link)
{
	bool whole = !strcmp(link->kind, "bond") || !strcmp(link->kind, "team");
	struct dg_bundle *bundle = &link->bundle;
	char path[64];

	if (!whole && strcmp(link->master_kind, "bond") && strcmp(link->master_kind, "team"))
		return;
	memcpy(bundle->name, whole ? link->name : link->master, sizeof(bundle->name));
	memcpy(bundle->kind, whole ? link->kind : link->master_kind, sizeof(bundle->kind));
	snprintf(path, sizeof(path), "/sys/class/net/%s/bonding/mode", bundle->name);
	dg_doctor_read(doctor, path, bundle->mode, sizeof(bundle->mode));
	bundle->mode[strcspn(bundle->mode, " ")] = '\0';
	members_read(doctor, bundle);
	bundle->native = bundle_is_native(doctor, bundle);
	bundle->guarded = is_guarded(doctor, bundle->name);
}

int dg_link_read(const struct dg_doctor *doctor, const char *name, struct dg_link *ret,
		 struct dg_error *err)
{
	struct dg_link link = { .index = if_nametoindex(name) };
	int status;

	if (!link.index) /* it went away since it was named */
		return dg_fail(err, -ENODEV, DG_EXIT_NOT_FOUND,
			       "%.64s is gone: see what is left: ip link", name);
	snprintf(link.name, sizeof(link.name), "%s", name);
	status = rtnetlink_read(link.index, &link);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot ask the kernel about %s: %s",
			       name, strerror(-status));
	master_read(&link);
	features_read(&link);
	sys_read(doctor, &link);
	ethtool_read(&link);
	sending_read(doctor, &link);
	link.vlan_devices = dg_vlan_devices(link.index);
	bundle_read(doctor, &link);
	hook_read(doctor, &link);
	*ret = link;
	return 0;
}
