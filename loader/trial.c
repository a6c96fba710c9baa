// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * trial.c - how an attach on trial ends: kept, or the device as it was before.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "loader/internal.h"

/* The row's mark of a trial goes. */
static int trial_unmark(const struct dg_maps *maps, const char *ifname)
{
	struct dg_iface iface;
	__u32 slot = 0;
	int status = dg_slot_find(maps, ifname, &slot);

	if (!status)
		status = dg_iface_read(maps, slot, &iface);
	if (status)
		return status;
	iface.flags &= ~(__u32)DG_IF_TRIAL;
	return dg_iface_write(maps, slot, &iface);
}

int dg_attach_keep(const char *bpffs, const char *ifname, int link_fd, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_fd int lock = -1;
	struct dg_path path;
	int status = dg_lock(bpffs, &lock, err);

	if (!status)
		status = dg_maps_open(bpffs, &maps, err);
	if (status)
		return status;
	status = dg_link_path(bpffs, ifname, &path);
	/* A link that was updated in place has its pin already. */
	if (!status && bpf_obj_pin(link_fd, path.text) && errno != EEXIST)
		status = -errno;
	if (!status)
		status = trial_unmark(&maps, ifname);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot keep the guard of %s: %s",
			       ifname, strerror(-status));
	return 0;
}

/*
 * The earlier program runs again, through the link, without a gap. Where it could not be opened (see
 * job_link_find()) the new one goes on: it guards the same device by the same maps.
 */
static int replaced_restore(const char *bpffs, const struct dg_maps *maps,
			    const struct dg_attach_result *result)
{
	if (result->old_prog_fd >= 0) {
		if (bpf_link_update(result->link_fd, result->old_prog_fd, NULL))
			return -errno;
		dg_program_pin(bpffs, result->old_prog_fd);
	}
	return dg_iface_write(maps, result->slot, &result->before);
}

static int new_remove(const char *bpffs, const struct dg_maps *maps, const char *ifname,
		      const struct dg_attach_result *result)
{
	int status = bpf_link_detach(result->link_fd) ? -errno : 0;

	dg_slot_release(maps, ifname);
	if (!status && result->created && dg_links_count(bpffs) == 0)
		status = dg_pins_remove(bpffs);
	return status;
}

int dg_attach_undo(const char *bpffs, const char *ifname, const struct dg_attach_result *result,
		   struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_fd int lock = -1;
	int status = dg_lock(bpffs, &lock, err);

	if (!status)
		status = dg_maps_open(bpffs, &maps, err);
	if (status)
		return status;
	status = result->replaced ? replaced_restore(bpffs, &maps, result) :
				    new_remove(bpffs, &maps, ifname, result);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "cannot bring %s back to what it was: %s", ifname,
			       strerror(-status));
	return 0;
}
