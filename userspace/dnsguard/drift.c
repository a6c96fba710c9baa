// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * drift.c - where the host has moved on since the guard looked: addresses that came or went, devices that changed.
 *
 * The daemon follows them at once. Without it the guard knows what was there at the last attach, and this says so.
 */
#include <string.h>

#include "loader/loader.h"
#include "userspace/dnsguard/status.h"
#include "userspace/lib/netlink.h"

/* What was found; device is the one to attach again, NULL = none of the guarded ones is in this namespace. */
struct drift {
	struct dg_services_drift services;
	const struct dg_iface *device;
	bool device_changed;
};

/* A guard of another namespace cannot be compared with this one: its devices are not here. */
static void devices_look(const struct dg_snapshot *snapshot, struct drift *drift)
{
	for (__u32 i = 0; i < snapshot->ifaces && !drift->device_changed; i++) {
		int changed = dg_device_drift(&snapshot->iface[i]);

		if (changed < 0)
			continue;
		if (changed || !drift->device)
			drift->device = &snapshot->iface[i];
		drift->device_changed = changed;
	}
}

static const char *plural(__u32 count)
{
	return count == 1 ? "" : "es";
}

/* One line that ends in the command that mends it, in the mode the device has. */
static void drift_text(const struct drift *drift, char *buf, size_t size)
{
	const struct dg_services_drift *services = &drift->services;
	size_t len = 0;

	if (services->missing)
		len += (size_t)snprintf(buf + len, size - len,
					"%u address%s of this host not known; ", services->missing,
					plural(services->missing));
	if (services->gone)
		len += (size_t)snprintf(buf + len, size - len, "%u known address%s gone; ",
					services->gone, plural(services->gone));
	if (drift->device_changed)
		len += (size_t)snprintf(buf + len, size - len, "%s changed its MAC or its VLANs; ",
					drift->device->name);
	snprintf(buf + len - 2, size - len + 2, ": dnsguard attach %s%s", drift->device->name,
		 drift->device->flags & DG_IF_OBSERVE ? " --observe" : "");
}

json_t *dg_drift_json(const struct dg_cli *cli, const struct dg_maps *maps,
		      const struct dg_snapshot *snapshot)
{
	struct drift drift = { 0 };
	char text[256];

	if (!cli->elsewhere)
		devices_look(snapshot, &drift);
	if (!drift.device || dg_services_drift(maps, &drift.services) ||
	    !(drift.device_changed || drift.services.missing || drift.services.gone))
		return json_null();
	drift_text(&drift, text, sizeof(text));
	return json_pack("{s:i, s:i, s:o, s:s}", "addresses_missing", (int)drift.services.missing,
			 "addresses_gone", (int)drift.services.gone, "device_changed",
			 drift.device_changed ? json_string(drift.device->name) : json_null(),
			 "text", text);
}
