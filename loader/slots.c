// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * slots.c - the rows of dg_ifaces: which device has which slot, and what it counted.
 *
 * A device that comes back finds its slot and goes on counting; a slot given to another device starts at zero.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "loader/internal.h"

int dg_iface_read(const struct dg_maps *maps, __u32 slot, struct dg_iface *ret)
{
	return bpf_map_lookup_elem(maps->dg_ifaces, &slot, ret) ? -errno : 0;
}

int dg_iface_write(const struct dg_maps *maps, __u32 slot, const struct dg_iface *iface)
{
	return bpf_map_update_elem(maps->dg_ifaces, &slot, iface, BPF_ANY) ? -errno : 0;
}

static int stats_clear(const struct dg_maps *maps, __u32 slot)
{
	int cpus = libbpf_num_possible_cpus();
	dg_scoped_free struct dg_stats *zero = NULL;

	if (cpus < 0)
		return cpus;
	zero = calloc((size_t)cpus, sizeof(*zero));
	if (!zero)
		return -ENOMEM;
	return bpf_map_update_elem(maps->dg_stats, &slot, zero, BPF_ANY) ? -errno : 0;
}

/* How well a row suits a device, higher is better; 0 = taken by another. */
static int slot_fitness(const struct dg_iface *iface, const char *ifname)
{
	if (!strncmp(iface->name, ifname, sizeof(iface->name)))
		return 3;
	if (iface->flags & DG_IF_USED)
		return 0;
	return iface->name[0] ? 1 : 2;
}

int dg_slot_find(const struct dg_maps *maps, const char *ifname, __u32 *ret_slot)
{
	struct dg_iface iface;
	int best = 0;

	for (__u32 slot = 0; slot < DG_IF_MAX; slot++) {
		int status = dg_iface_read(maps, slot, &iface), fitness;

		if (status)
			return status;
		fitness = slot_fitness(&iface, ifname);
		if (fitness <= best)
			continue;
		best = fitness;
		*ret_slot = slot;
	}
	if (!best)
		return -ENOSPC;
	return best == 1 ? stats_clear(maps, *ret_slot) : 0;
}

int dg_slot_release(const struct dg_maps *maps, const char *ifname)
{
	struct dg_iface iface;
	__u32 slot = 0;
	int status = dg_slot_find(maps, ifname, &slot);

	if (!status)
		status = dg_iface_read(maps, slot, &iface);
	if (status || strncmp(iface.name, ifname, sizeof(iface.name)))
		return status;
	iface.flags = 0;
	iface.ifindex = 0;
	return dg_iface_write(maps, slot, &iface);
}
