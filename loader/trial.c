// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * trial.c - how an attach on trial ends: kept, or the device as it was before; by its holder, or by whoever finds that the
 * holder is dead.
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

/* The guard's maps with its lock held. */
static int open_locked(const char *bpffs, struct dg_maps *ret_maps, int *ret_lock,
		       struct dg_error *err)
{
	int status = dg_lock(bpffs, ret_lock, err);

	return status ? status : dg_maps_open(bpffs, ret_maps, err);
}

int dg_attach_keep(const char *bpffs, const char *ifname, const struct dg_attach_result *result,
		   struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_fd int lock = -1;
	struct dg_path path;
	int status = open_locked(bpffs, &maps, &lock, err);

	if (status)
		return status;
	if (!dg_record_is_open(bpffs, ifname, result->trial_fd))
		return dg_fail(err, -ENOENT, DG_EXIT_NOT_ATTACHED,
			       "the trial on %s was ended meanwhile", ifname);
	status = dg_link_path(bpffs, ifname, &path);
	/* A link that was updated in place has its pin already. */
	if (!status && bpf_obj_pin(result->link_fd, path.text) && errno != EEXIST)
		status = -errno;
	if (!status)
		status = trial_unmark(&maps, ifname);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot keep the guard of %s: %s",
			       ifname, strerror(-status));
	dg_record_remove(bpffs, ifname);
	dg_egress_attach(bpffs, ifname, &maps, NULL); /* left as it was until now */
	return 0;
}

/*
 * The earlier program runs again, through the link, without a gap. Where it could not be opened (see
 * job_link_find()) the new one goes on: it guards the same device by the same maps.
 */
static int replaced_restore(const char *bpffs, const struct dg_maps *maps,
			    const struct dg_attach_result *result)
{
	if (!(result->before.flags & DG_IF_TIMED))
		dg_egress_detach(bpffs, result->before.name, result->before.ifindex);
	if (result->old_prog_fd >= 0 && result->link_fd >= 0) {
		/* ENOLINK: the device is gone, and the link's work with it. */
		if (bpf_link_update(result->link_fd, result->old_prog_fd, NULL) && errno != ENOLINK)
			return -errno;
		dg_program_pin(bpffs, result->old_prog_fd);
	}
	return dg_iface_write(maps, result->slot, &result->before);
}

static int new_remove(const char *bpffs, const struct dg_maps *maps, const char *ifname,
		      const struct dg_attach_result *result)
{
	/* An orphan has no link any more: the kernel let it go with its holder. */
	int status = result->link_fd >= 0 && bpf_link_detach(result->link_fd) ? -errno : 0;

	dg_egress_detach(bpffs, ifname, 0);
	dg_slot_release(maps, ifname);
	if (!status && result->created && dg_links_count(bpffs) == 0)
		status = dg_pins_remove(bpffs);
	else if (dg_links_count(bpffs) == 0)
		dg_tcpstate_detach(bpffs);
	return status;
}

static int undo(const char *bpffs, const struct dg_maps *maps, const char *ifname,
		const struct dg_attach_result *result, struct dg_error *err)
{
	int status = result->replaced ? replaced_restore(bpffs, maps, result) :
					new_remove(bpffs, maps, ifname, result);

	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "cannot bring %s back to what it was: %s", ifname,
			       strerror(-status));
	return 0;
}

int dg_attach_undo(const char *bpffs, const char *ifname, const struct dg_attach_result *result,
		   struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_fd int lock = -1;
	int status = open_locked(bpffs, &maps, &lock, err);

	if (status)
		return status;
	if (result->trial_fd >= 0 && !dg_record_is_open(bpffs, ifname, result->trial_fd))
		return 0;
	status = undo(bpffs, &maps, ifname, result, err);
	if (!status)
		dg_record_remove(bpffs, ifname);
	return status;
}

/* ---- without the holder --------------------------------------------------------------------- */

/* What the holder had open, found again through the pins. */
static void orphan_adopt(const char *bpffs, const char *ifname, const struct dg_record *record,
			 struct dg_attach_result *ret)
{
	struct dg_path path;

	ret->replaced = (int)record->replaced;
	ret->created = (int)record->created;
	ret->before = record->before;
	ret->slot = record->slot;
	if (record->replaced && !dg_link_path(bpffs, ifname, &path))
		ret->link_fd = bpf_obj_get(path.text);
	if (record->replaced && !dg_before_path(bpffs, ifname, &path))
		ret->old_prog_fd = bpf_obj_get(path.text);
}

/* Under the lock. 1: rolled back; 0: nothing to do; -EBUSY: somebody holds the trial. */
static int orphan_undo(const char *bpffs, const char *ifname, struct dg_error *err)
{
	dg_scoped(dg_attach_result_close) struct dg_attach_result result = DG_ATTACH_RESULT_NONE;
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	struct dg_record record;
	int status = dg_record_read(bpffs, ifname, &record);

	if (status == -ENOENT || status == -EBUSY)
		return status == -EBUSY ? status : 0;
	if (!status)
		status = dg_maps_open(bpffs, &maps, err);
	if (!status) {
		orphan_adopt(bpffs, ifname, &record, &result);
		status = undo(bpffs, &maps, ifname, &result, err);
	}
	/* Where the guard itself is gone there is nothing to bring back. */
	if (!status || status == -ENOENT || status == -EPROTO)
		dg_record_remove(bpffs, ifname);
	return status == -ENOENT || status == -EPROTO ? 0 : status ? status : 1;
}

int dg_trial_clear(const char *bpffs, const char *ifname, struct dg_error *err)
{
	int status = orphan_undo(bpffs, ifname, err);

	if (status == -EBUSY)
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "a trial runs on %s: dnsguard attach %s --confirm keeps it, "
			       "dnsguard detach %s ends it",
			       ifname, ifname, ifname);
	return status < 0 ? status : 0;
}

int dg_trials_recover(const char *bpffs, void (*visit)(const char *ifname), struct dg_error *err)
{
	char ifname[DG_IF_MAX][16];
	dg_scoped_fd int lock = -1;
	int recovered = 0, status = 0, count = dg_records_list(bpffs, ifname);

	if (count)
		status = dg_lock(bpffs, &lock, err);
	for (int i = 0; status >= 0 && i < count; i++) {
		status = orphan_undo(bpffs, ifname[i], err);
		if (status == 1 && visit)
			visit(ifname[i]);
		recovered += status == 1;
		status = status == -EBUSY ? 0 : status;
	}
	return status < 0 ? status : recovered;
}
