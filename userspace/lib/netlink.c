// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netlink.c - dumps addresses and links of the namespace through libmnl, and keeps dg_services in step with them.
 */
#include "userspace/lib/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

/* ---- dumps ---------------------------------------------------------------------------------- */

static void socket_close(struct mnl_socket **socket)
{
	if (*socket)
		mnl_socket_close(*socket);
	*socket = NULL;
}

/* What a dump asks for: the kind of object, and what stands behind the netlink header. */
struct inquiry {
	__u16 type;
	size_t body_len;
	const void *body; /* NULL = zeros */
};

/* Asks for all such objects and hands each to `visit` (MNL_CB_OK goes on). */
static int dump(const struct inquiry *inquiry, mnl_cb_t visit, void *arg)
{
	char buf[32768]; /* what the kernel fills at most for one read of a dump */
	dg_scoped(socket_close) struct mnl_socket *nl = mnl_socket_open(NETLINK_ROUTE);
	struct nlmsghdr *request = mnl_nlmsg_put_header(buf);
	void *body;
	ssize_t got;
	int state = MNL_CB_OK;

	request->nlmsg_type = inquiry->type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = 1;
	body = mnl_nlmsg_put_extra_header(request, inquiry->body_len); /* of zeros */
	if (inquiry->body)
		memcpy(body, inquiry->body, inquiry->body_len);
	if (!nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, request, request->nlmsg_len) < 0)
		return -errno;
	while (state > MNL_CB_STOP) {
		got = mnl_socket_recvfrom(nl, buf, sizeof(buf));
		if (got < 0)
			return -errno;
		state = mnl_cb_run(buf, (size_t)got, 1, mnl_socket_get_portid(nl), visit, arg);
	}
	return state < 0 ? -errno : 0;
}

/* ---- VLAN devices --------------------------------------------------------------------------- */

struct vlan_count {
	__u32 below;
	int found;
};

static bool link_is_vlan(const struct nlattr *info)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(
		attr, info) if (mnl_attr_get_type(attr) ==
				IFLA_INFO_KIND) return !strcmp(mnl_attr_get_str(attr), "vlan");
	return false;
}

static int vlan_visit(const struct nlmsghdr *message, void *arg)
{
	struct vlan_count *count = arg;
	const struct nlattr *attr;
	bool vlan = false, on_top = false;

	mnl_attr_for_each(attr, message, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attr) == IFLA_LINK)
			on_top = mnl_attr_get_u32(attr) == count->below;
		if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
			vlan = link_is_vlan(attr);
	}
	count->found += vlan && on_top;
	return MNL_CB_OK;
}

int dg_vlan_devices(__u32 ifindex)
{
	struct vlan_count count = { .below = ifindex };
	const struct inquiry links = { .type = RTM_GETLINK, .body_len = sizeof(struct ifinfomsg) };
	int status = dump(&links, vlan_visit, &count);

	return status ? status : count.found;
}

/* ---- filters of a clsact qdisc -------------------------------------------------------------- */

static int filter_visit(const struct nlmsghdr *message, void *arg)
{
	(void)message;
	(*(int *)arg)++;
	return MNL_CB_OK;
}

int dg_clsact_filters(__u32 ifindex)
{
	static const __u32 hooks[] = { TC_H_MIN_INGRESS, TC_H_MIN_EGRESS };
	int count = 0, status = 0;

	for (size_t i = 0; !status && i < 2; i++) {
		const struct tcmsg filters = { .tcm_family = AF_UNSPEC,
					       .tcm_ifindex = (int)ifindex,
					       .tcm_parent = TC_H_MAKE(TC_H_CLSACT, hooks[i]) };
		const struct inquiry inquiry = { RTM_GETTFILTER, sizeof(filters), &filters };

		status = dump(&inquiry, filter_visit, &count);
	}
	return status ? status : count;
}

/* ---- service addresses ---------------------------------------------------------------------- */

/* What the table should hold. The same address may come from several devices. */
struct wanted {
	__u32 count;
	__u32 left_out; /* found no room here or in the table */
	__u32 guarded;
	bool all_local; /* guard every local address */
	struct {
		struct dg_addr addr;
		__u32 flags;
	} row[DG_SERVICE_SLOTS];
};

static void wanted_add(struct wanted *wanted, struct dg_addr addr, __u32 flags)
{
	for (__u32 i = 0; i < wanted->count; i++) {
		if (wanted->row[i].addr.hi != addr.hi || wanted->row[i].addr.lo != addr.lo)
			continue;
		wanted->row[i].flags |= flags;
		return;
	}
	if (wanted->count == DG_SERVICE_SLOTS) {
		wanted->left_out++;
		return;
	}
	wanted->row[wanted->count].addr = addr;
	wanted->row[wanted->count++].flags = flags;
}

static struct dg_addr attr_addr(const struct nlattr *attr, __u8 family)
{
	const void *bytes = mnl_attr_get_payload(attr);

	return family == AF_INET ? dg_addr_from_v4(bytes) : dg_addr_from_v6(bytes);
}

/* IFA_LOCAL is the address of a point-to-point end, where IFA_ADDRESS is the peer's; IPv6 has the latter only. */
static int address_visit(const struct nlmsghdr *message, void *arg)
{
	const struct ifaddrmsg *head = mnl_nlmsg_get_payload(message);
	const size_t len = head->ifa_family == AF_INET ? 4 : 16;
	const struct nlattr *attr, *local = NULL, *address = NULL, *broadcast = NULL;
	struct wanted *wanted = arg;

	if (head->ifa_family != AF_INET && head->ifa_family != AF_INET6)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, message, sizeof(*head))
	{
		if (mnl_attr_get_payload_len(attr) < len)
			continue;
		local = mnl_attr_get_type(attr) == IFA_LOCAL ? attr : local;
		address = mnl_attr_get_type(attr) == IFA_ADDRESS ? attr : address;
		broadcast = mnl_attr_get_type(attr) == IFA_BROADCAST ? attr : broadcast;
	}
	local = local ? local : address;
	if (local)
		wanted_add(wanted, attr_addr(local, head->ifa_family),
			   DG_SVC_OWN | (wanted->all_local ? DG_SVC_GUARDED : 0));
	if (broadcast)
		wanted_add(wanted, attr_addr(broadcast, head->ifa_family), DG_SVC_OWN);
	return MNL_CB_OK;
}

static int wanted_collect(struct wanted *wanted, const struct dg_service_set *configured)
{
	const __u8 everybody[4] = { 255, 255, 255, 255 };

	wanted->all_local = !configured;
	for (__u32 i = 0; configured && i < configured->count; i++)
		wanted_add(wanted, configured->addr[i], DG_SVC_GUARDED);
	wanted_add(wanted, dg_addr_from_v4(everybody), DG_SVC_OWN);
	const struct inquiry addresses = { .type = RTM_GETADDR,
					   .body_len = sizeof(struct ifaddrmsg) };

	return dump(&addresses, address_visit, wanted);
}

/* What is in the table but no longer wanted. */
struct gone {
	const struct wanted *wanted;
	__u32 count;
	struct dg_addr addr[DG_SERVICE_SLOTS];
};

static int gone_visit(struct dg_addr addr, __u32 flags, __u32 slot, void *arg)
{
	struct gone *gone = arg;

	(void)flags;
	(void)slot;
	for (__u32 i = 0; i < gone->wanted->count; i++)
		if (gone->wanted->row[i].addr.hi == addr.hi &&
		    gone->wanted->row[i].addr.lo == addr.lo)
			return 0;
	gone->addr[gone->count++] = addr;
	return 0;
}

/* *ret is malloc'ed. */
static int gone_find(const struct dg_maps *maps, const struct wanted *wanted, struct gone **ret)
{
	dg_scoped_free struct gone *gone = calloc(1, sizeof(*gone));
	int status;

	if (!gone)
		return -ENOMEM;
	gone->wanted = wanted;
	status = dg_service_each(maps, gone_visit, gone);
	if (!status)
		*ret = dg_take_ptr(gone);
	return status;
}

/* Clears first: the room may be needed. */
static int gone_clear(const struct dg_maps *maps, const struct wanted *wanted)
{
	dg_scoped_free struct gone *gone = NULL;
	int status = gone_find(maps, wanted, &gone);

	for (__u32 i = 0; !status && i < gone->count; i++)
		status = dg_service_clear(maps, gone->addr[i]);
	return status;
}

static int wanted_write(const struct dg_maps *maps, struct wanted *wanted)
{
	int status = gone_clear(maps, wanted);

	for (__u32 i = 0; !status && i < wanted->count; i++) {
		status = dg_service_set(maps, wanted->row[i].addr, wanted->row[i].flags, NULL);
		wanted->guarded += !status && wanted->row[i].flags & DG_SVC_GUARDED;
		wanted->left_out += status == -ENOSPC;
		status = status == -ENOSPC ? 0 : status;
	}
	return status;
}

/* Remembers for the next attach whether the guarded addresses are a configured set. */
static int configured_note(const struct dg_maps *maps, bool configured)
{
	struct dg_settings settings;
	int status = dg_settings_read(maps, &settings);
	__u32 flags;

	if (status)
		return status;
	flags = (settings.flags & ~(__u32)DG_SET_SERVICES_FIXED) |
		(configured ? DG_SET_SERVICES_FIXED : 0);
	if (flags == settings.flags)
		return 0;
	settings.flags = flags;
	return dg_settings_write(maps, &settings);
}

int dg_services_refresh(const struct dg_maps *maps, const struct dg_service_set *configured,
			__u32 *ret_left_out, struct dg_error *err)
{
	dg_scoped_free struct wanted *wanted = calloc(1, sizeof(*wanted));
	int status = wanted ? wanted_collect(wanted, configured) : -ENOMEM;

	if (!status)
		status = wanted_write(maps, wanted);
	if (!status)
		status = configured_note(maps, configured);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "cannot bring the guarded addresses up to date: %s",
			       strerror(-status));
	if (wanted->left_out)
		dg_fail(err, 0, DG_EXIT_FAILED,
			"%u addresses found no room among the %u guarded ones and are not guarded",
			wanted->left_out, DG_SERVICE_SLOTS);
	if (ret_left_out)
		*ret_left_out = wanted->left_out;
	return (int)wanted->guarded;
}

static int fixed_visit(struct dg_addr addr, __u32 flags, __u32 slot, void *arg)
{
	struct dg_service_set *set = arg;

	(void)slot;
	if (flags & DG_SVC_GUARDED && set->count < DG_SERVICE_SET_MAX)
		set->addr[set->count++] = addr;
	return 0;
}

/* What was configured last: *ret is malloc'ed, NULL = every local address. */
static int configured_read(const struct dg_maps *maps, struct dg_service_set **ret)
{
	dg_scoped_free struct dg_service_set *set = calloc(1, sizeof(*set));
	struct dg_settings settings;
	int status = set ? dg_settings_read(maps, &settings) : -ENOMEM;
	bool fixed = !status && settings.flags & DG_SET_SERVICES_FIXED;

	if (fixed)
		status = dg_service_each(maps, fixed_visit, set);
	if (!status)
		*ret = fixed ? dg_take_ptr(set) : NULL;
	return status;
}

int dg_services_refresh_again(const struct dg_maps *maps, __u32 *ret_left_out, struct dg_error *err)
{
	dg_scoped_free struct dg_service_set *set = NULL;
	int status = configured_read(maps, &set);

	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot read the guarded addresses: %s",
			       strerror(-status));
	return dg_services_refresh(maps, set, ret_left_out, err);
}

static __u32 missing_count(const struct dg_maps *maps, const struct wanted *wanted)
{
	__u32 flags, slot, missing = 0;

	for (__u32 i = 0; i < wanted->count; i++)
		missing += dg_service_get(maps, wanted->row[i].addr, &flags, &slot) ||
			   flags != wanted->row[i].flags;
	return missing;
}

int dg_services_drift(const struct dg_maps *maps, struct dg_services_drift *ret)
{
	dg_scoped_free struct wanted *wanted = calloc(1, sizeof(*wanted));
	dg_scoped_free struct dg_service_set *set = NULL;
	dg_scoped_free struct gone *gone = NULL;
	int status = wanted ? configured_read(maps, &set) : -ENOMEM;

	if (!status)
		status = wanted_collect(wanted, set);
	if (!status)
		status = gone_find(maps, wanted, &gone);
	if (!status)
		*ret = (struct dg_services_drift){ .missing = missing_count(maps, wanted),
						   .gone = gone->count };
	return status;
}

/* ---- changes -------------------------------------------------------------------------------- */

int dg_netlink_subscribe(void)
{
	struct sockaddr_nl here = { .nl_family = AF_NETLINK,
				    .nl_groups =
					    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
	dg_scoped_fd int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)))
		return -errno;
	return dg_take_fd(fd);
}

void dg_netlink_drain(int fd)
{
	char buf[8192];

	/* ENOBUFS says that news were lost; what follows is a whole dump anyway. */
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		errno = 0;
}
