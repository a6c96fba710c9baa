// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * doctor_device.c - the checks of a device, each a judgement of what doctor_link.c has read and nothing else.
 */
#include <string.h>
#include <sys/sysinfo.h>

#include "userspace/dnsguard/doctor.h"

#define XDP_MTU_SURE 1500 /* every driver with native XDP takes it */
#define XDP_MTU_PAGE                                                                               \
	3498 /* 4096 less headroom, skb_shared_info and Ethernet header: one page holds no more */

/* Feature bits of virtio-net: virtio 1.2, sections 5.1.3 and 6. */
enum {
	VIRTIO_GUEST_CSUM = 1,
	VIRTIO_CTRL_GUEST_OFFLOADS = 2,
	VIRTIO_GUEST_TSO4 = 7,
	VIRTIO_GUEST_TSO6 = 8,
	VIRTIO_GUEST_ECN = 9,
	VIRTIO_GUEST_UFO = 10,
	VIRTIO_MRG_RXBUF = 15,
	VIRTIO_ANY_LAYOUT = 27,
	VIRTIO_VERSION_1 = 32
};

/* Before Linux 6.3 no driver says what it can: those that have native XDP in 6.1. */
static const char *const native_in_6_1[] = {
	"atlantic",  "bnxt_en", "dpaa2",      "ena",	      "fsl_dpa", "fsl_enetc",
	"hv_netvsc", "i40e",	"ice",	      "igb",	      "igc",	 "ixgbe",
	"ixgbevf",   "mana",	"mlx4_en",    "mlx5_core",    "mvneta",	 "mvpp2",
	"netsec",    "nfp",	"octeontx2",  "qede",	      "sfc",	 "stmmac",
	"tun",	     "veth",	"virtio_net", "xen_netfront", NULL,
};

static bool is_listed(const char *driver, const char *const *list)
{
	while (*list && strcmp(*list, driver))
		list++;
	return *list != NULL;
}

void dg_check_native(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_link *link = &doctor->link;
	const char *driver = link->driver[0] ? link->driver :
			     link->kind[0]   ? link->kind :
					       "without a name";
	bool native = link->features_known ? (link->features & DG_XDP_BASIC) != 0 :
					     is_listed(driver, native_in_6_1);

	if (native) {
		dg_find(ret, DG_HEALTH_PASS, "driver %s has native XDP", driver);
		return;
	}
	dg_find(ret, link->features_known ? DG_HEALTH_FAIL : DG_HEALTH_WARN,
		link->features_known ?
			"driver %s has no native XDP" :
			"driver %s is not known for native XDP, and this kernel does not tell",
		driver);
	if (link->under[0])
		dg_mend(ret, "guard the device below it: dnsguard attach %s", link->under);
	else
		dg_mend(ret, "dnsguard attach %s --mode generic --try 120s --observe  # slower",
			link->name);
}

void dg_check_parent(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_link *link = &doctor->link;

	if (link->under[0]) {
		dg_find(ret, DG_HEALTH_FAIL, "a %s device on %s: frames are seen there first",
			link->kind[0] ? link->kind : "stacked", link->under);
		dg_mend(ret, "dnsguard attach %s  # VLAN tags are understood", link->under);
	} else if (!strcmp(link->master_kind, "bond") || !strcmp(link->master_kind, "team")) {
		dg_find(ret, DG_HEALTH_WARN,
			"a member of %s: the frames of its other members pass it by", link->master);
		dg_mend(ret, "guard the whole of it: dnsguard attach %s", link->master);
	} else if (link->master[0]) {
		dg_find(ret, DG_HEALTH_PASS, "a port of %s %s", link->master_kind, link->master);
	} else {
		dg_find(ret, DG_HEALTH_PASS, "stands on its own");
	}
}

void dg_check_owner(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_link *link = &doctor->link;

	if (!link->xdp_prog) {
		dg_find(ret, DG_HEALTH_WARN, "not guarded; nobody else's XDP program is there");
		dg_mend(ret, "dnsguard attach %s --try 120s --observe", link->name);
	} else if (link->xdp_prog == link->guard_prog) {
		dg_find(ret, DG_HEALTH_PASS, "guarded by our program (id %u)", link->xdp_prog);
	} else if (doctor->unseen) {
		dg_find(ret, DG_HEALTH_WARN,
			"program %u is there; whose it is cannot be told without root",
			link->xdp_prog);
		dg_mend(ret, "sudo dnsguard doctor %s", link->name);
	} else {
		dg_find(ret, DG_HEALTH_FAIL, "%.500s", link->owner);
		dg_mend(ret, "free the hook as said, then: dnsguard attach %s", link->name);
	}
}

void dg_check_mtu(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_link *link = &doctor->link;
	bool many_pages = link->features & DG_XDP_RX_SG;

	if (link->mtu <= XDP_MTU_SURE || (link->features_known && many_pages)) {
		dg_find(ret, DG_HEALTH_PASS, "%u%s", link->mtu,
			link->mtu <= XDP_MTU_SURE ?
				"" :
				", and its driver takes frames of several pages");
		return;
	}
	dg_find(ret,
		link->mtu > XDP_MTU_PAGE && link->features_known ? DG_HEALTH_FAIL : DG_HEALTH_WARN,
		link->mtu > XDP_MTU_PAGE ?
			"%u is more than a page holds, and the driver does not say that it takes several" :
			"%u: some drivers refuse XDP above 1500; an attach on trial tells",
		link->mtu);
	dg_mend(ret, "ip link set dev %s mtu %d", link->name, XDP_MTU_SURE);
}

void dg_check_lro(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	if (!doctor->link.lro) {
		dg_find(ret, DG_HEALTH_PASS, "large receive offload is off");
		return;
	}
	dg_find(ret, DG_HEALTH_FAIL, "large receive offload is on: drivers refuse XDP beside it");
	dg_mend(ret, "ethtool -K %s lro off", doctor->link.name);
}

static bool virtio_has(const struct dg_link *link, size_t bit)
{
	return bit < strlen(link->virtio) && link->virtio[bit] == '1';
}

/* The hypervisor may hand over frames that XDP cannot read: merged ones, or without their checksum. */
static bool virtio_offloads(const struct dg_link *link)
{
	return virtio_has(link, VIRTIO_GUEST_TSO4) || virtio_has(link, VIRTIO_GUEST_TSO6) ||
	       virtio_has(link, VIRTIO_GUEST_ECN) || virtio_has(link, VIRTIO_GUEST_UFO) ||
	       virtio_has(link, VIRTIO_GUEST_CSUM);
}

/* As virtio_net's own virtnet_xdp_set() refuses. */
void dg_check_virtio(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_link *link = &doctor->link;
	bool any_header_sg =
		virtio_has(link, VIRTIO_ANY_LAYOUT) || virtio_has(link, VIRTIO_VERSION_1);

	if (!link->virtio[0]) {
		dg_find(ret, DG_HEALTH_PASS, "not a virtio device");
	} else if (virtio_has(link, VIRTIO_MRG_RXBUF) && !any_header_sg) {
		dg_find(ret, DG_HEALTH_FAIL,
			"the hypervisor wants headers in buffers of their own (no any_header_sg)");
		dg_mend(ret, "on the hypervisor: virtio 1.0 (disable-legacy=on), or mrg_rxbuf=off");
	} else if (virtio_offloads(link) && !virtio_has(link, VIRTIO_CTRL_GUEST_OFFLOADS)) {
		dg_find(ret, DG_HEALTH_FAIL,
			"the hypervisor offloads for us (guest_tso, guest_csum) and cannot be told to stop");
		dg_mend(ret,
			"on the hypervisor: guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off,"
			"guest_csum=off; or dnsguard attach %s --mode generic",
			link->name);
	} else {
		dg_find(ret, DG_HEALTH_PASS,
			"takes XDP: any_header_sg, offloads can be switched off");
	}
}

/* virtio_net wants a queue of its own for each CPU's replies, beside those that receive; without, CPUs take turns. */
static bool virtio_is_short(const struct dg_link *link, __u32 cpus)
{
	return link->virtio[0] && link->queues && link->queues + cpus > link->queues_max;
}

void dg_check_queues(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_link *link = &doctor->link;
	__u32 cpus = (__u32)get_nprocs();
	__u32 want = link->queues_max < cpus ? link->queues_max : cpus;

	if (!link->queues) {
		dg_find(ret, DG_HEALTH_PASS, "the driver does not tell how many it has");
	} else if (link->queues < want) {
		dg_find(ret, DG_HEALTH_WARN,
			"%u of %u receive queues for %u CPUs: a flood lands on few CPUs",
			link->queues, link->queues_max, cpus);
		dg_mend(ret, "ethtool -L %s %s %u", link->name, link->combined ? "combined" : "rx",
			want);
	} else if (virtio_is_short(link, cpus)) {
		dg_find(ret, DG_HEALTH_WARN,
			"%u of %u queues for %u CPUs: replies from here share them, under a lock",
			link->queues, link->queues_max, cpus);
		dg_mend(ret, "on the hypervisor: %u queues (queues=%u, vectors=%u)", 2 * cpus,
			2 * cpus, 4 * cpus + 2);
	} else {
		dg_find(ret, DG_HEALTH_PASS, "%u for %u CPUs%s", link->queues, cpus,
			link->queues < cpus ? ", which is all it has" : "");
	}
}

void dg_check_vlan(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_link *link = &doctor->link;

	if (!link->strips_vlan || link->vlan_devices <= 0) {
		dg_find(ret, DG_HEALTH_PASS, "%s",
			link->vlan_devices > 0 ? "tags are left in the frame" :
						 "no VLAN device stands on it");
		return;
	}
	dg_find(ret, DG_HEALTH_WARN,
		"strips VLAN tags before XDP sees them, and %d VLAN devices stand on it: answers for listed "
		"names are switched off there",
		link->vlan_devices);
	dg_mend(ret, "ethtool -K %s rxvlan off", link->name);
}
