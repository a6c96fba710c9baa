// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * device.c - the checks of a device, each a judgement of what link.c has read and nothing else.
 */
#include <string.h>
#include <sys/sysinfo.h>

#include "userspace/doctor/patient.h"

#define XDP_MTU_SURE 1500 /* every driver with native XDP takes it */
#define XDP_MTU_PAGE 3498 /* mlx5's: the least of those that are bound by a page of 4 KiB alone */

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

void dg_check_link(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_link *link = &doctor->link;

	if (!link->name[0]) {
		dg_find(ret, DG_HEALTH_FAIL, "no device is up here but the loopback");
		dg_mend(ret, "ip -br link  # then: ip link set dev IFACE up");
	} else if (link->loopback) {
		dg_find(ret, DG_HEALTH_WARN,
			"the loopback: only this host's own queries are there, none of clients");
		dg_mend(ret, "dnsguard doctor  # the devices that queries come in by");
	} else if (link->down) {
		dg_find(ret, DG_HEALTH_WARN, "it is down: nothing comes in by it");
		dg_mend(ret, "ip link set dev %s up", link->name);
	} else if (link->no_carrier) {
		dg_find(ret, DG_HEALTH_WARN, "it is up, but has no carrier");
		dg_mend(ret,
			"see to its cable, its peer or its members; then: ip -br link show dev %s",
			link->name);
	} else {
		dg_find(ret, DG_HEALTH_PASS, "it is up");
	}
}

/* One command for each member of a bond or team. */
static void members_mend(struct dg_finding *finding, const struct dg_bundle *bundle)
{
	char text[256] = "";

	for (__u32 i = 0; i < bundle->count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%sdnsguard attach %s",
			 i ? "; " : "", bundle->members[i]);
	if (bundle->count)
		dg_mend(finding, "%s", text);
	else
		dg_mend(finding, "ip link set dev MEMBER master %s  # it has none", bundle->name);
}

/* A bond or team that has no native XDP as a whole: its members may. */
static void bundle_native_find(const struct dg_bundle *bundle, struct dg_finding *ret)
{
	if (bundle->members_guarded) {
		dg_find(ret, DG_HEALTH_PASS, "each member is guarded on its own");
		return;
	}
	dg_find(ret, DG_HEALTH_FAIL,
		bundle->mode[0] ?
			"a bond (%s) takes native XDP in the modes balance-rr, active-backup, balance-xor and "
			"802.3ad, when each member does" :
			"a %s takes no native XDP, its members may",
		bundle->mode[0] ? bundle->mode : bundle->kind);
	members_mend(ret, bundle);
}

/* Neither the driver's XDP nor that of a device below or above it. */
static void generic_find(const struct dg_link *link, const char *driver, struct dg_finding *ret)
{
	if (link->guard_prog && link->xdp_prog == link->guard_prog) {
		dg_find(ret, DG_HEALTH_WARN,
			"guarded in generic mode, which is slower, for driver %s", driver);
		dg_mend(ret,
			"use a NIC whose driver has native XDP: virtio_net, ixgbe, i40e, ice, mlx5...");
	} else if (link->features_known) {
		dg_find(ret, DG_HEALTH_FAIL, "driver %s has no native XDP", driver);
		dg_mend(ret, "dnsguard attach %s --mode generic --try 120s --observe  # slower",
			link->name);
	} else {
		dg_find(ret, DG_HEALTH_WARN,
			"driver %s had no native XDP in Linux 6.1, and this kernel does not tell: a trial does",
			driver);
		dg_mend(ret,
			"dnsguard attach %s --try 120s --observe  # where it is refused: --mode generic",
			link->name);
	}
}

static bool is_native(const struct dg_link *link, const char *driver)
{
	if (link->native_runs)
		return true;
	if (!strcmp(link->bundle.name, link->name))
		return link->bundle.native;
	return link->features_known ? (link->features & DG_XDP_BASIC) != 0 :
				      dg_driver_find(driver)->native_in_6_1;
}

void dg_check_native(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_link *link = &doctor->link;
	const char *driver = link->driver[0] ? link->driver :
			     link->kind[0]   ? link->kind :
					       "without a name";
	bool native = is_native(link, driver),
	     ours = link->xdp_prog && link->xdp_prog == link->guard_prog;

	if (native && ours && !link->native_runs) {
		dg_find(ret, DG_HEALTH_WARN,
			"guarded in generic mode, which is slower, though driver %s has native XDP",
			driver);
		dg_mend(ret, "dnsguard detach %s && dnsguard attach %s --mode native", link->name,
			link->name);
	} else if (native) {
		dg_find(ret, DG_HEALTH_PASS, "driver %s has native XDP", driver);
	} else if (link->under[0]) {
		dg_find(ret, DG_HEALTH_PASS, "none needed: frames are seen on %s first",
			link->under);
	} else if (!strcmp(link->bundle.name, link->name)) {
		bundle_native_find(&link->bundle, ret);
	} else {
		generic_find(link, driver, ret);
	}
}

void dg_check_parent(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_link *link = &doctor->link;
	const struct dg_bundle *bundle = &link->bundle;
	bool is_member = bundle->name[0] && strcmp(bundle->name, link->name);

	if (link->under[0] && link->under_guarded) {
		dg_find(ret, DG_HEALTH_PASS, "a %s device on %s, which is guarded",
			link->kind[0] ? link->kind : "stacked", link->under);
	} else if (link->under[0]) {
		dg_find(ret, DG_HEALTH_FAIL, "a %s device on %s: frames are seen there first",
			link->kind[0] ? link->kind : "stacked", link->under);
		dg_mend(ret, "dnsguard attach %s  # VLAN tags are understood", link->under);
	} else if (is_member && (bundle->guarded || bundle->members_guarded)) {
		dg_find(ret, DG_HEALTH_PASS, "a member of %s, which is guarded %s", bundle->name,
			bundle->guarded ? "as a whole" : "on each member");
	} else if (is_member) {
		dg_find(ret, DG_HEALTH_WARN,
			"a member of %s: the frames of its other members pass it by", bundle->name);
		if (bundle->native)
			dg_mend(ret, "dnsguard attach %s  # the whole of it", bundle->name);
		else
			members_mend(ret, bundle);
	} else if (link->master[0]) {
		dg_find(ret, DG_HEALTH_PASS, "a port of %s %s", link->master_kind, link->master);
	} else {
		dg_find(ret, DG_HEALTH_PASS, "stands on its own");
	}
}

void dg_check_owner(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_link *link = &doctor->link;

	if (!link->xdp_prog && link->bundle.guarded) {
		dg_find(ret, DG_HEALTH_PASS, "guarded by way of %s", link->bundle.name);
	} else if (!link->xdp_prog && link->under_guarded) {
		dg_find(ret, DG_HEALTH_PASS, "guarded by way of %s", link->under);
	} else if (!link->xdp_prog && link->under[0]) {
		dg_find(ret, DG_HEALTH_PASS, "nobody else's XDP program is there");
	} else if (!link->xdp_prog) {
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
	__u32 most = dg_driver_find(link->driver)->mtu;

	if (link->mtu <= XDP_MTU_SURE) {
		dg_find(ret, DG_HEALTH_PASS, "%u", link->mtu);
	} else if (!is_native(link, link->driver)) {
		dg_find(ret, DG_HEALTH_PASS, "%u, which bounds native XDP alone", link->mtu);
	} else if (link->features_known && link->features & DG_XDP_RX_SG) {
		dg_find(ret, DG_HEALTH_PASS, "%u, and its driver takes frames of several pages",
			link->mtu);
	} else if (most && link->mtu <= most) {
		dg_find(ret, DG_HEALTH_PASS, "%u, and driver %s takes up to %u with XDP", link->mtu,
			link->driver, most);
	} else {
		dg_find(ret,
			link->features_known && (most || link->mtu > XDP_MTU_PAGE) ?
				DG_HEALTH_FAIL :
				DG_HEALTH_WARN,
			most ? "%u is more than driver %s takes with XDP in one buffer, %u" :
			link->mtu > XDP_MTU_PAGE ?
			       "%u is more than a page holds, and the driver (%s) does not say that it takes several" :
			       "%u: some drivers refuse XDP above 1500 (%s is not known); an attach on trial tells",
			link->mtu, link->driver, most);
		dg_mend(ret, "ip link set dev %s mtu %u", link->name, most ? most : XDP_MTU_SURE);
	}
}

void dg_check_lro(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_link *link = &doctor->link;
	enum dg_lro lro = dg_driver_find(link->driver)->lro;

	if (!link->lro) {
		dg_find(ret, DG_HEALTH_PASS, "large receive offload is off");
	} else if (link->kind[0]) {
		dg_find(ret, DG_HEALTH_PASS,
			"large receive offload is that of the devices below it");
	} else if (!is_native(link, link->driver)) {
		dg_find(ret, DG_HEALTH_PASS,
			"large receive offload is on; XDP in generic mode ends it");
	} else if (lro == DG_LRO_ENDED) {
		dg_find(ret, DG_HEALTH_PASS,
			"large receive offload is on; driver %s ends it when XDP comes",
			link->driver);
	} else {
		dg_find(ret, lro == DG_LRO_REFUSED ? DG_HEALTH_FAIL : DG_HEALTH_WARN,
			lro == DG_LRO_REFUSED ?
				"large receive offload is on: driver %s refuses XDP beside it" :
				"large receive offload is on: some drivers refuse XDP beside it (%s is not known)",
			link->driver);
		dg_mend(ret, "ethtool -K %s lro off", link->name);
	}
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

/*
 * virtio_net takes a queue for each CPU's replies, beside those that receive; where there are not so many, CPUs take turns.
 * Once XDP runs it counts what it has taken among its queues, and the stack does not.
 */
static bool virtio_is_short(const struct dg_link *link, __u32 cpus)
{
	if (!link->virtio[0] || !link->queues)
		return false;
	return link->xdp_prog ? link->queues == link->queues_sending :
				link->queues + cpus > link->queues_max;
}

static void queues_few_find(const struct dg_link *link, __u32 queues, __u32 want, __u32 cpus,
			    struct dg_finding *ret)
{
	dg_find(ret, DG_HEALTH_WARN,
		"%u of %u receive queues for %u CPUs: a flood lands on few CPUs", queues,
		link->queues_max, cpus);
	dg_mend(ret, "ethtool -L %s %s %u", link->name, link->combined ? "combined" : "rx", want);
}

void dg_check_queues(const struct dg_doctor *doctor, struct dg_finding *ret)
{
	const struct dg_link *link = &doctor->link;
	bool half = dg_driver_find(link->driver)->half_queues;
	__u32 cpus = (__u32)get_nprocs(), most = half ? link->queues_max / 2 : link->queues_max;
	__u32 queues = link->virtio[0] && link->xdp_prog && link->queues_sending ?
			       link->queues_sending :
			       link->queues;

	if (!queues) {
		dg_find(ret, DG_HEALTH_PASS, "the driver does not tell how many it has");
	} else if (most && queues > most) {
		dg_find(ret, DG_HEALTH_FAIL,
			"%u of %u: driver %s refuses XDP when more than half of them receive",
			queues, link->queues_max, link->driver);
		dg_mend(ret, "ethtool -L %s combined %u", link->name, most);
	} else if (queues < most && queues < cpus) {
		queues_few_find(link, queues, most < cpus ? most : cpus, cpus, ret);
	} else if (virtio_is_short(link, cpus)) {
		dg_find(ret, DG_HEALTH_WARN,
			"%u of %u queues for %u CPUs: replies from here share them, under a lock",
			queues, link->queues_max, cpus);
		dg_mend(ret, "on the hypervisor: %u queues (queues=%u, vectors=%u)", 2 * cpus,
			2 * cpus, 4 * cpus + 2);
	} else {
		dg_find(ret, DG_HEALTH_PASS, "%u for %u CPUs%s", queues, cpus,
			queues < cpus ? ", which is all it has" : "");
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
