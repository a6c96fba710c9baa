// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device.c - facts of a network device: index, MAC, MTU, driver, and whether it hides VLAN tags from XDP.
 *
 * Read by ioctl, needs no privilege. Also keeps the rows of dg_ifaces in step when devices change.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "loader/internal.h"
#include "userspace/lib/netlink.h"

#define ETH_ALEN 6

/* One ioctl on the device; data is for SIOCETHTOOL. */
static int device_ask(int fd, unsigned long request, const char *ifname, void *data,
		      struct ifreq *ret)
{
	*ret = (struct ifreq){ 0 };
	memcpy(ret->ifr_name, ifname, strnlen(ifname, IFNAMSIZ - 1));
	if (data)
		ret->ifr_data = data;
	return ioctl(fd, request, ret) ? -errno : 0;
}

/* Whether the hardware takes the tag out of the frame before XDP sees it (ethtool's rx-vlan-offload). */
static bool strips_vlan(int fd, const char *ifname)
{
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
	struct ifreq request;

	return !device_ask(fd, SIOCETHTOOL, ifname, &flags, &request) &&
	       flags.data & ETH_FLAG_RXVLAN;
}

static void driver_read(int fd, const char *ifname, char *ret, size_t size)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request;
	int status = device_ask(fd, SIOCETHTOOL, ifname, &info, &request);

	snprintf(ret, size, "%s%s", !status && info.driver[0] ? "driver " : "driver",
		 status ? "" : info.driver);
}

int dg_device_read(const char *ifname, struct dg_device *ret, struct dg_error *err)
{
	struct dg_device device = { .ifindex = if_nametoindex(ifname) };
	dg_scoped_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request;

	if (!device.ifindex)
		return dg_fail(err, -ENODEV, DG_EXIT_FAILED,
			       "there is no network device \"%.64s\" here: see them with: ip link",
			       ifname);
	if (fd < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot ask about %s: %s", ifname,
			       strerror(errno));
	if (!device_ask(fd, SIOCGIFHWADDR, ifname, NULL, &request))
		memcpy(device.mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
	if (!device_ask(fd, SIOCGIFMTU, ifname, NULL, &request))
		device.mtu = (__u32)request.ifr_mtu;
	driver_read(fd, ifname, device.driver, sizeof(device.driver));
	device.answers_off = strips_vlan(fd, ifname) && dg_vlan_devices(device.ifindex) > 0;
	*ret = device;
	return 0;
}

/* The row with what the device is now; virtual MACs and the mode stay. */
static void iface_refresh(struct dg_iface *iface, const struct dg_device *device)
{
	memcpy(iface->mac[0], device->mac, sizeof(iface->mac[0]));
	iface->flags &= ~(__u32)DG_IF_ANSWERS_OFF;
	iface->flags |= device->answers_off ? DG_IF_ANSWERS_OFF : 0;
}

int dg_device_drift(const struct dg_iface *iface)
{
	struct dg_iface now = *iface;
	struct dg_device device;

	if (dg_device_read(iface->name, &device, NULL) || device.ifindex != iface->ifindex)
		return -ENODEV;
	iface_refresh(&now, &device);
	return memcmp(&now, iface, sizeof(now)) != 0;
}

int dg_devices_refresh(const struct dg_maps *maps)
{
	struct dg_iface iface, before;
	struct dg_device device;
	int status = 0;

	for (__u32 slot = 0; !status && slot < DG_IF_MAX; slot++) {
		status = dg_iface_read(maps, slot, &iface);
		if (status || !(iface.flags & DG_IF_USED) ||
		    dg_device_read(iface.name, &device, NULL) || device.ifindex != iface.ifindex)
			continue;
		before = iface;
		iface_refresh(&iface, &device);
		if (memcmp(&before, &iface, sizeof(iface)))
			status = dg_iface_write(maps, slot, &iface);
	}
	return status;
}
