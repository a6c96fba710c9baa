// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach.c - one device comes under guard: maps opened or made, program loaded, link created or updated in place.
 *
 * A job remembers what it has done; when it goes out of scope undone, all of it is taken back in reverse order.
 * A device that is guarded already never sees a moment without a program: its link is updated.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>

#include "loader/internal.h"
#include "userspace/lib/image.h"
#include "userspace/lib/netlink.h"
#include "userspace/lib/own.h"
#include "userspace/lib/sources.h"

struct job {
	const struct dg_attach *want;
	struct dg_device device;
	struct dg_maps maps;
	struct dg_instance instance;
	struct dg_iface before;
	__u32 slot;
	int link_fd;	 /* ours from earlier, or new */
	int old_prog_fd; /* what the earlier link ran */
	int trial_fd;	 /* the record of a trial */
	bool generic, frags;
	/* done so far: */
	bool created, renewed, iface_written, updated, link_pinned, finished;
	char note[512];
};

static void job_undo(struct job *job)
{
	struct dg_path path;

	if (job->updated && job->old_prog_fd >= 0)
		bpf_link_update(job->link_fd, job->old_prog_fd, NULL);
	if (job->link_pinned && !dg_link_path(job->want->bpffs, job->want->ifname, &path))
		unlink(path.text);
	if (job->iface_written)
		dg_iface_write(&job->maps, job->slot, &job->before);
	if (job->created)
		dg_pins_remove(job->want->bpffs);
	if (job->renewed)
		dg_maps_renewed(job->want->bpffs, false);
	if (job->trial_fd >= 0)
		dg_record_remove(job->want->bpffs, job->want->ifname);
}

static void job_end(struct job *job)
{
	if (!job->finished)
		job_undo(job);
	dg_close_fd(&job->link_fd);
	dg_close_fd(&job->old_prog_fd);
	dg_close_fd(&job->trial_fd);
	dg_instance_close(&job->instance);
	dg_maps_close(&job->maps);
}

static void job_note(struct job *job, const char *text)
{
	size_t len = strlen(job->note);

	snprintf(job->note + len, sizeof(job->note) - len, "%s%s", len ? "; " : "", text);
}

/* ---- the link from earlier ------------------------------------------------------------------ */

static int link_info_read(int link_fd, struct bpf_link_info *ret)
{
	__u32 len = sizeof(*ret);

	*ret = (struct bpf_link_info){ 0 };
	return bpf_obj_get_info_by_fd(link_fd, ret, &len) ? -errno : 0;
}

int dg_link_state(const char *bpffs, const char *ifname, struct dg_link_state *ret)
{
	dg_scoped_fd int fd = -1;
	struct bpf_link_info info;
	struct dg_path path;
	int status = dg_link_path(bpffs, ifname, &path);

	if (status)
		return status;
	fd = bpf_obj_get(path.text);
	if (fd < 0)
		return -errno;
	status = link_info_read(fd, &info);
	if (!status)
		*ret = (struct dg_link_state){ .ifindex = info.xdp.ifindex,
					       .prog_id = info.prog_id };
	if (!status)
		memcpy(ret->prog_tag, dg_tag_of_link(fd).octet, sizeof(ret->prog_tag));
	return status;
}

/* The pinned link of an earlier attach, when it still guards this very device. */
static int job_link_find(struct job *job, struct dg_error *err)
{
	const char *ifname = job->want->ifname;
	dg_scoped_fd int fd = -1;
	struct bpf_link_info info;
	struct dg_path path;
	int status = dg_link_path(job->want->bpffs, ifname, &path);

	if (status)
		return dg_fail(err, status, DG_EXIT_USAGE, "\"%.64s...\" is too long a directory",
			       job->want->bpffs);
	fd = bpf_obj_get(path.text);
	if (fd < 0)
		return 0;
	status = link_info_read(fd, &info);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot read the link %s: %s",
			       path.text, strerror(-status));
	if (info.xdp.ifindex && info.xdp.ifindex != job->device.ifindex)
		return dg_fail(
			err, -EBUSY, DG_EXIT_FAILED,
			"%s guards device number %u, but %s is number %u (renamed, or in another network "
			"namespace): dnsguard detach %s",
			path.text, info.xdp.ifindex, ifname, job->device.ifindex, ifname);
	if (!info.xdp.ifindex) {
		unlink(path.text); /* the device it guarded is gone; this one only has its name */
		return 0;
	}
	/* Only for the way back. It takes CAP_SYS_ADMIN; who has it not goes without a way back. */
	job->old_prog_fd = bpf_prog_get_fd_by_id(info.prog_id);
	if (job->old_prog_fd < 0 && errno != EPERM)
		return dg_fail(err, -errno, DG_EXIT_FAILED,
			       "cannot open the program that guards %s: %s", ifname,
			       strerror(errno));
	job->link_fd = dg_take_fd(fd);
	return 0;
}

/* ---- maps ----------------------------------------------------------------------------------- */

static int settings_make(const struct job *job, __u32 lines, struct dg_settings *ret,
			 struct dg_error *err)
{
	const struct dg_attach *want = job->want;
	int status = 0;

	if (want->initial)
		*ret = *want->initial;
	else
		status = dg_settings_default(ret, err);
	if (!status)
		status = dg_hash_key_read(want->state_dir ? want->state_dir : DG_STATE_DIR_DEFAULT,
					  ret->hash_key, err);
	ret->abi_version = DG_ABI_VERSION;
	ret->limit_line_mask = lines - 1;
	return status;
}

/* What was there before a reboot. A broken file is no reason to leave the device unguarded. */
static void entries_restore(struct job *job)
{
	const char *state_dir = job->want->state_dir ? job->want->state_dir : DG_STATE_DIR_DEFAULT;
	struct dg_error err = { 0 };

	if (dg_own_restore(&job->maps, state_dir, &err) < 0)
		job_note(job, err.text);
	if (dg_image_restore(&job->maps, state_dir, &err) < 0)
		job_note(job, err.text);
	if (dg_sources_restore(&job->maps, state_dir, &err) < 0)
		job_note(job, err.text);
}

/* Of another layout: they go, what is pinned beside them stays. Devices that nobody attaches again go on with the old ones. */
static int job_maps_renew(struct job *job, struct dg_error *err)
{
	int status = dg_maps_renew(job->want->bpffs, &job->maps, err);

	if (status)
		return status;
	job->renewed = true;
	job_note(job,
		 "the maps were of another layout: counters begin anew, as after a reboot; a pause "
		 "and limits set without --save are gone (dnsguard limit show)");
	return 0;
}

static int job_maps_make(struct job *job, bool renew, struct dg_error *err)
{
	__u64 bytes = job->want->limiter_bytes ? job->want->limiter_bytes : DG_LIMIT_BYTES_DEFAULT;
	struct dg_instance_want want = { .limiter_lines = dg_limiter_lines(bytes) };
	struct dg_settings settings;
	int status = settings_make(job, want.limiter_lines, &settings, err);

	if (!status)
		status = dg_instance_load(&want, &job->instance, err);
	if (status)
		return status;
	job->maps = job->instance.maps;
	job->instance.maps = DG_MAPS_NONE;
	status = dg_settings_write(&job->maps, &settings);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot write the settings: %s",
			       strerror(-status));
	status = renew ? job_maps_renew(job, err) : dg_maps_pin(job->want->bpffs, &job->maps, err);
	if (status)
		return status;
	job->created = !renew;
	entries_restore(job);
	return 0;
}

static int job_maps_find(struct job *job, struct dg_error *err)
{
	int status = dg_maps_open(job->want->bpffs, &job->maps, err);

	/* A trial can go back to a program, not to maps. */
	if (status != -ENOENT && (status != -EPROTO || !job->want->pin_link))
		return status;
	return job_maps_make(job, status == -EPROTO, err);
}

/* ---- the device's row, and whose addresses are guarded -------------------------------------- */

static __u32 iface_flags(const struct job *job)
{
	return DG_IF_USED | (job->want->observe ? DG_IF_OBSERVE : 0) |
	       (job->device.answers_off ? DG_IF_ANSWERS_OFF : 0) |
	       (job->generic ? DG_IF_GENERIC : 0) | (job->frags ? DG_IF_FRAGS : 0) |
	       (job->link_fd >= 0 ? job->before.flags & DG_IF_TIMED : 0) |
	       (job->want->pin_link ? 0 : DG_IF_TRIAL);
}

static int job_iface_write(struct job *job, struct dg_error *err)
{
	struct dg_iface iface = job->before; /* virtual MACs stay */
	int status;

	memset(iface.name, 0, sizeof(iface.name));
	memcpy(iface.name, job->want->ifname, strnlen(job->want->ifname, sizeof(iface.name) - 1));
	iface.ifindex = job->device.ifindex;
	iface.flags = iface_flags(job);
	memcpy(iface.mac[0], job->device.mac, sizeof(iface.mac[0]));
	if (job->link_fd < 0)
		iface.attached_ns = dg_now_ns();
	status = dg_iface_write(&job->maps, job->slot, &iface);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot write the row of %s: %s",
			       job->want->ifname, strerror(-status));
	job->iface_written = true;
	return 0;
}

static int job_slot_take(struct job *job, struct dg_error *err)
{
	int status = dg_slot_find(&job->maps, job->want->ifname, &job->slot);

	if (status == -ENOSPC)
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "%d devices are guarded already, that is all there can be",
			       DG_IF_MAX);
	if (!status)
		status = dg_iface_read(&job->maps, job->slot, &job->before);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot find a slot for %s: %s",
			       job->want->ifname, strerror(-status));
	if (strncmp(job->before.name, job->want->ifname, sizeof(job->before.name)))
		memset(job->before.mac, 0, sizeof(job->before.mac));
	return 0;
}

/* As the kernel has it, for a device whose row was of another layout. */
static bool is_generic_now(const struct job *job)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, found);

	return !bpf_xdp_query((int)job->device.ifindex, 0, &found) &&
	       found.attach_mode == XDP_ATTACHED_SKB;
}

/* A link keeps its mode for life: another mode means a detach, which the operator must ask for. */
static int job_mode_choose(struct job *job, struct dg_error *err)
{
	const bool was_generic =
		job->renewed ? is_generic_now(job) : job->before.flags & DG_IF_GENERIC;

	job->generic = job->want->mode == DG_MODE_GENERIC;
	if (job->link_fd < 0)
		return 0;
	if (job->want->mode != DG_MODE_AUTO && job->generic != was_generic)
		return dg_fail(
			err, -EEXIST, DG_EXIT_FAILED,
			"%s is guarded in %s mode, which only a detach can change: dnsguard detach %s",
			job->want->ifname, was_generic ? "generic" : "native", job->want->ifname);
	job->generic = was_generic;
	return 0;
}

/* Before the first change, so that whoever finds the record can take all of it back. */
static int job_record(struct job *job, struct dg_error *err)
{
	const struct dg_record record = { .abi_version = DG_ABI_VERSION,
					  .slot = job->slot,
					  .replaced = job->link_fd >= 0,
					  .created = job->created,
					  .before = job->before };
	int status;

	if (job->want->pin_link)
		return 0;
	status = dg_record_write(job->want->bpffs, job->want->ifname, &record, job->old_prog_fd,
				 &job->trial_fd);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "cannot write down what %s was before the trial: %s",
			       job->want->ifname, strerror(-status));
	return 0;
}

static int job_trial_clear(struct job *job, struct dg_error *err)
{
	return dg_trial_clear(job->want->bpffs, job->want->ifname, err);
}

static int job_services(struct job *job, struct dg_error *err)
{
	__u32 left_out = 0;
	int guarded = dg_services_refresh_again(&job->maps, &left_out, err);

	if (guarded < 0)
		return guarded;
	if (left_out && err)
		job_note(job, err->text);
	return 0;
}

/* ---- the program ---------------------------------------------------------------------------- */

static int job_program_load(struct job *job, bool frags, struct dg_error *err)
{
	struct dg_instance_want want = { .slot = job->slot, .frags = frags, .share = &job->maps };

	if (job->instance.prog_fd >= 0 && !frags)
		return 0; /* the one that made the maps: slot 0, which the first device has */
	dg_instance_close(&job->instance);
	return dg_instance_load(&want, &job->instance, err);
}

/* The kernel's answer, plain. */
static int job_program_attach(struct job *job)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = job->generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);

	if (job->link_fd >= 0) {
		if (bpf_link_update(job->link_fd, job->instance.prog_fd, NULL))
			return -errno;
		job->updated = true;
		return 0;
	}
	job->link_fd =
		bpf_link_create(job->instance.prog_fd, (int)job->device.ifindex, BPF_XDP, &opts);
	return job->link_fd < 0 ? -errno : 0;
}

static int attach_failed(const struct job *job, int status, struct dg_error *err)
{
	const char *ifname = job->want->ifname;

	if (status == -EBUSY || status == -EEXIST)
		return dg_owner_refuse(ifname, job->device.ifindex, err);
	if (!job->generic && (status == -EOPNOTSUPP || status == -EINVAL || status == -ERANGE))
		return dg_fail(
			err, status, DG_EXIT_FAILED,
			"the %s of %s refuses native XDP at MTU %u (%s); why: dnsguard doctor %s; "
			"slower, but with any driver: dnsguard attach %s --mode generic",
			job->device.driver, ifname, job->device.mtu, strerror(-status), ifname,
			ifname);
	return dg_fail(err, status, DG_EXIT_FAILED,
		       "cannot attach to %s: %s; see: ip -details link show dev %s", ifname,
		       strerror(-status), ifname);
}

/* Drivers differ in how they say that a frame may not fit a page. */
static bool is_mtu_refusal(const struct job *job, int status)
{
	return !job->generic && job->device.mtu > 1500 &&
	       (status == -ERANGE || status == -EINVAL || status == -EOPNOTSUPP ||
		status == -E2BIG);
}

/* Plain first, it is faster; with fragments where plain is refused for the MTU. */
static int job_program(struct job *job, struct dg_error *err)
{
	int first, status = job_program_load(job, false, err);

	if (status)
		return status;
	first = job_program_attach(job);
	if (!is_mtu_refusal(job, first))
		return first ? attach_failed(job, first, err) : 0;
	status = job_program_load(job, true, err);
	if (status)
		return status;
	if (job_program_attach(job))
		return attach_failed(job, first, err);
	job->frags = true;
	return job_iface_write(job, err); /* says so */
}

static int job_pin(struct job *job, struct dg_error *err)
{
	struct dg_path path;
	int status = dg_program_pin(job->want->bpffs, job->instance.prog_fd);

	if (!status && job->want->pin_link && !job->updated) {
		status = dg_link_path(job->want->bpffs, job->want->ifname, &path);
		if (!status && bpf_obj_pin(job->link_fd, path.text))
			status = -errno;
		job->link_pinned = !status;
	}
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot pin under %s/dnsguard: %s",
			       job->want->bpffs, strerror(-status));
	return 0;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static void job_answers_note(struct job *job)
{
	char text[200];

	if (!job->device.answers_off)
		return;
	snprintf(
		text, sizeof(text),
		"answers are off on %s: it strips VLAN tags and has VLAN devices on top; to switch them on: "
		"ethtool -K %s rxvlan off, and attach again",
		job->want->ifname, job->want->ifname);
	job_note(job, text);
}

/* The limiter is as big as it was made; who asks for another size should know. */
static void job_limiter_note(struct job *job)
{
	struct dg_settings settings;
	char text[160];

	if (job->created || !job->want->limiter_bytes || dg_settings_read(&job->maps, &settings) ||
	    settings.limit_line_mask + 1 == dg_limiter_lines(job->want->limiter_bytes))
		return;
	snprintf(
		text, sizeof(text),
		"the limiter keeps its %llu KiB: only dnsguard detach --all --purge and a new attach change that",
		((unsigned long long)settings.limit_line_mask + 1) * sizeof(struct dg_limit_line) >>
			10);
	job_note(job, text);
}

static void job_finish(struct job *job, struct dg_attach_result *ret)
{
	job_answers_note(job);
	job_limiter_note(job);
	*ret = (struct dg_attach_result){
		.replaced = job->updated,
		.created = job->created,
		.mode = job->generic ? DG_MODE_GENERIC : DG_MODE_NATIVE,
		.frags = job->frags,
		.link_fd = dg_take_fd(job->link_fd),
		.old_prog_fd = dg_take_fd(job->old_prog_fd),
		.trial_fd = dg_take_fd(job->trial_fd),
		.before = job->before,
		.slot = job->slot,
	};
	memcpy(ret->note, job->note, sizeof(ret->note));
	if (job->renewed)
		dg_maps_renewed(job->want->bpffs, true);
	job->finished = true;
}

/* Last, and never a reason to fail: it only counts. */
static int job_tcpstate(struct job *job, struct dg_error *err)
{
	struct dg_error reason = { 0 };

	(void)err;
	if (dg_tcpstate_attach(job->want->bpffs, &job->maps, &reason))
		job_note(job, reason.text);
	return 0;
}

/* Likewise. On trial an earlier one stays: it belongs to what is gone back to. */
static int job_egress(struct job *job, struct dg_error *err)
{
	const struct dg_attach *want = job->want;
	struct dg_error reason = { 0 };

	(void)err;
	if (!want->pin_link && dg_egress_runs(want->bpffs, want->ifname))
		return 0;
	if (dg_egress_attach(want->bpffs, want->ifname, &job->maps, &reason))
		job_note(job, reason.text);
	return 0;
}

typedef int job_step(struct job *job, struct dg_error *err);

int dg_attach(const struct dg_attach *want, struct dg_attach_result *ret, struct dg_error *err)
{
	/* Everything that the program looks at is there before the first packet reaches it. */
	static job_step *const steps[] = { job_trial_clear, job_link_find,   job_maps_find,
					   job_slot_take,   job_mode_choose, job_record,
					   job_iface_write, job_services,    job_program,
					   job_pin,	    job_tcpstate,    job_egress };
	dg_scoped_fd int lock = -1; /* given back after job_end() */
	dg_scoped(job_end) struct job job = { .want = want,
					      .maps = DG_MAPS_NONE,
					      .instance = DG_INSTANCE_NONE,
					      .link_fd = -1,
					      .old_prog_fd = -1,
					      .trial_fd = -1 };
	int status = dg_preflight(want->bpffs, err);

	if (!status)
		status = dg_device_read(want->ifname, &job.device, err);
	if (!status)
		status = dg_lock(want->bpffs, &lock, err);
	for (size_t i = 0; !status && i < sizeof(steps) / sizeof(steps[0]); i++)
		status = steps[i](&job, err);
	if (!status)
		job_finish(&job, ret);
	return status;
}

void dg_attach_result_close(struct dg_attach_result *result)
{
	dg_close_fd(&result->link_fd);
	dg_close_fd(&result->old_prog_fd);
	dg_close_fd(&result->trial_fd);
}
