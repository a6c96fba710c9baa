/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netlink.h - what the kernel knows of this network namespace: its addresses, the VLAN devices on top of a device, its filters.
 *
 * Feeds the guard's table of service addresses. Reads through rtnetlink, changes nothing but that table.
 */
#ifndef DG_NETLINK_H
#define DG_NETLINK_H

#include "userspace/lib/maps.h"

#define DG_SERVICE_SET_MAX 256

/* The addresses to guard when it is not to be every local one. */
struct dg_service_set {
	__u32 count;
	struct dg_addr addr[DG_SERVICE_SET_MAX];
};

/*
 * Brings dg_services in step with the addresses of this namespace. configured NULL: every local address is guarded,
 * loopback ones included; else exactly the configured ones are. Local addresses are OWN in both cases, and so
 * are the broadcast addresses and 255.255.255.255. Adds what is missing, clears what is gone, leaves the rest (and
 * its counters) alone. The caller holds the lock. Returns how many addresses are guarded, or -errno; addresses
 * that found no room are counted in *ret_left_out (may be NULL) and named in err.
 */
int dg_services_refresh(const struct dg_maps *maps, const struct dg_service_set *configured,
			__u32 *ret_left_out, struct dg_error *err);

/*
 * The same with whatever was configured last: what attach does for one more device. The first refresh of fresh maps
 * guards every local address.
 */
int dg_services_refresh_again(const struct dg_maps *maps, __u32 *ret_left_out,
			      struct dg_error *err);

/* How dg_services differs from what the same refresh would make of it now. Changes nothing. 0 or -errno. */
struct dg_services_drift {
	__u32 missing; /* addresses of this namespace that it does not know, or not as it should */
	__u32 gone;    /* addresses in it that are no longer here */
};
int dg_services_drift(const struct dg_maps *maps, struct dg_services_drift *ret);

/* How many VLAN devices stand on this device, or -errno. */
int dg_vlan_devices(__u32 ifindex);

/* How many filters stand on both sides of this device's clsact qdisc, or -errno. */
int dg_clsact_filters(__u32 ifindex);

/*
 * A socket that becomes readable when addresses or links of this namespace change, for an event loop; -errno.
 * dg_netlink_drain() empties it.
 */
int dg_netlink_subscribe(void);
void dg_netlink_drain(int fd);

#endif
