// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * guard.c - makes the running guard what the configuration says, and keeps it so.
 *
 * Devices first, because only they can fail for reasons outside; then everything that is one write
 * away, under the lock. The maps are opened for each task and closed after it.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <time.h>

#include "userspace/dnsguardd/caps.h"
#include "userspace/dnsguardd/daemon.h"
#include "userspace/dnsguardd/log.h"
#include "userspace/dnsguardd/settings.h"
#include "userspace/lib/netlink.h"
#include "userspace/lib/own.h"
#include "userspace/lib/sources.h"

/* One configuration on its way into the kernel. */
struct plan {
	struct dg_daemon *daemon;
	const struct dg_config *next;
	struct dg_key_set keys;	    /* what the file says, now or before */
	struct dg_settings initial; /* of the guard there is, or of the one to be made */
	int wanted[DG_IF_MAX];	    /* which of next->ifaces to see to */
	struct dg_attach_result result[DG_IF_MAX];
	int attached[DG_IF_MAX]; /* result is valid: to be taken back should the plan fail */
};

static int plan_make(struct dg_daemon *daemon, const struct dg_config *next, struct plan *ret,
		     struct dg_error *err)
{
	struct dg_maps maps dg_scoped_maps = DG_MAPS_NONE;

	memset(ret, 0, sizeof(*ret));
	ret->daemon = daemon;
	ret->next = next;
	ret->keys = next->given;
	if (daemon->config)
		dg_keys_join(&ret->keys, &daemon->config->given);
	if (!dg_maps_open(daemon->options->bpffs, &maps, NULL) &&
	    !dg_settings_read(&maps, &ret->initial))
		return 0;
	/* Draws keys and measures the clock: a quarter of a second, so only for a guard to be made. */
	if (dg_settings_default(&ret->initial, err))
		return -EIO;
	dg_settings_configure(next, &next->given, &ret->initial);
	return 0;
}

/* ---- rows of dg_ifaces ----------------------------------------------------------------------- */

static int iface_read(const struct dg_maps *maps, __u32 slot, struct dg_iface *ret)
{
	return bpf_map_lookup_elem(maps->dg_ifaces, &slot, ret) || !(ret->flags & DG_IF_USED) ?
		       -ENOENT :
		       0;
}

static int iface_find(const struct dg_maps *maps, const char *name, struct dg_iface *ret,
		      __u32 *ret_slot)
{
	for (__u32 slot = 0; slot < DG_IF_MAX; slot++) {
		if (iface_read(maps, slot, ret) || strcmp(ret->name, name))
			continue;
		*ret_slot = slot;
		return 0;
	}
	return -ENOENT;
}

/* ---- devices --------------------------------------------------------------------------------- */

/* What nobody says stays as it is; a device that is new enforces. */
static int wants_observe(const struct plan *plan, const struct dg_config_iface *iface)
{
	struct dg_maps maps dg_scoped_maps = DG_MAPS_NONE;
	struct dg_iface row;
	__u32 slot;

	if (iface->observe_given || dg_keys_has(&plan->keys, DG_KEY_MODE))
		return plan->next->mode == DG_OBSERVE || iface->observe;
	if (dg_maps_open(plan->daemon->options->bpffs, &maps, NULL) ||
	    iface_find(&maps, iface->name, &row, &slot))
		return 0;
	return (row.flags & DG_IF_OBSERVE) != 0;
}

/*
 * The tag of the program that this daemon would load: the kernel's hash of its instructions, so one
 * has to be loaded to know it. It is attached nowhere, and it is always the same.
 */
static int learn_tag(struct dg_daemon *daemon, const struct dg_settings *settings)
{
	struct dg_maps maps dg_scoped_maps = DG_MAPS_NONE;
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);
	int fd dg_scoped_fd = -1;

	if (daemon->prog_tag_known)
		return 0;
	if (dg_load_private(settings, 1 << 16, 0, &maps, &fd, NULL) ||
	    bpf_obj_get_info_by_fd(fd, &info, &len))
		return -EIO;
	memcpy(daemon->prog_tag, info.tag, sizeof(daemon->prog_tag));
	daemon->prog_tag_known = 1;
	return 0;
}

/* A link keeps its mode for life; where another one is wanted, dg_attach() says how to get it. */
static int mode_fits(const char *bpffs, const struct dg_config_iface *iface)
{
	struct dg_maps maps dg_scoped_maps = DG_MAPS_NONE;
	struct dg_iface row;
	__u32 slot;

	if (dg_maps_open(bpffs, &maps, NULL) || iface_find(&maps, iface->name, &row, &slot))
		return 0;
	return iface->mode == DG_MODE_AUTO ||
	       (iface->mode == DG_MODE_GENERIC) == !!(row.flags & DG_IF_GENERIC);
}

/*
 * Is there nothing to do but to adopt: does a link of ours guard this very device, with the very
 * program that this daemon would load?
 */
static int is_guarded(const struct plan *plan, const struct dg_config_iface *iface)
{
	struct dg_daemon *daemon = plan->daemon;
	struct dg_link_state live;

	if (dg_link_state(daemon->options->bpffs, iface->name, &live) ||
	    live.ifindex != if_nametoindex(iface->name) ||
	    !mode_fits(daemon->options->bpffs, iface) || learn_tag(daemon, &plan->initial))
		return 0;
	return !memcmp(live.prog_tag, daemon->prog_tag, sizeof(live.prog_tag));
}

static void say_attached(const struct plan *plan, unsigned int i, int observe)
{
	static const char *const modes[] = { "auto", "native", "generic" };
	const struct dg_attach_result *result = &plan->result[i];
	const struct dg_config_iface *iface = &plan->next->ifaces[i];

	dg_log(DG_LOG_NOTICE, "%s: %s, %s%s%s%s", iface->name,
	       result->replaced ? "replaced in place" : "attached", modes[result->mode],
	       observe ? ", observing" : "", result->note[0] ? "; " : "", result->note);
}

/* What only counts may be of another build though the walk is the same: an upgrade brings all of it. */
static void companions_ensure(const char *bpffs, const char *ifname)
{
	struct dg_error untimed = { 0 }, uncounted = { 0 };

	if (dg_egress_ensure(bpffs, ifname, &untimed))
		dg_log(DG_LOG_WARNING, "%s", untimed.text);
	if (dg_tcpstate_ensure(bpffs, &uncounted))
		dg_log(DG_LOG_WARNING, "%s", uncounted.text);
}

static int attach(struct plan *plan, unsigned int i, struct dg_error *err)
{
	const struct dg_config_iface *iface = &plan->next->ifaces[i];
	const struct dg_attach want = {
		.bpffs = plan->daemon->options->bpffs,
		.state_dir = plan->daemon->options->state_dir,
		.ifname = iface->name,
		.mode = (enum dg_attach_mode)iface->mode,
		.observe = wants_observe(plan, iface),
		.limiter_bytes = plan->next->limiter_bytes,
		.initial = &plan->initial,
		.pin_link = 1,
	};
	int failed;

	if (is_guarded(plan, iface)) {
		dg_log(DG_LOG_INFO, "%s: adopted as it is", iface->name);
		companions_ensure(want.bpffs, iface->name);
		return 0;
	}
	failed = dg_attach(&want, &plan->result[i], err);
	if (failed)
		return failed;
	plan->attached[i] = 1;
	say_attached(plan, i, want.observe);
	return 0;
}

static int attach_wanted(struct plan *plan, struct dg_error *err)
{
	int failed = 0;

	for (unsigned int i = 0; !failed && i < plan->next->iface_count; i++)
		if (plan->wanted[i])
			failed = attach(plan, i, err);
	return failed;
}

/* A device that was guarded before runs its earlier program again; another one is let go. */
static int take_back(const struct plan *plan, unsigned int i, struct dg_error *err)
{
	const char *bpffs = plan->daemon->options->bpffs, *name = plan->next->ifaces[i].name;

	if (plan->result[i].replaced)
		return dg_attach_undo(bpffs, name, &plan->result[i], err);
	return dg_detach(bpffs, name, plan->result[i].created, err);
}

/* In reverse, so that the device that made the maps goes last and takes them along. */
static void take_back_all(const struct plan *plan)
{
	for (unsigned int i = plan->next->iface_count; i-- > 0;) {
		const char *name = plan->next->ifaces[i].name;
		struct dg_error err = { 0 };

		if (!plan->attached[i])
			continue;
		if (take_back(plan, i, &err))
			dg_log(DG_LOG_ERROR, "%s: %s", name, err.text);
		else
			dg_log(DG_LOG_NOTICE, "%s: %s", name,
			       plan->result[i].replaced ? "as before" : "detached again");
	}
}

/* ---- addresses, clients, settings: under the lock -------------------------------------------- */

/* An address without room is left unguarded: said, but no reason to refuse the rest. */
static void refresh_addresses(struct dg_daemon *daemon, const struct dg_config *config,
			      const struct dg_maps *maps)
{
	struct dg_error err = { 0 };
	__u32 left_out = 0;
	int count = dg_services_refresh(maps, config->services.count ? &config->services : NULL,
					&left_out, &err);

	if (count < 0 || left_out)
		dg_log(DG_LOG_ERROR, "%s", err.text);
	if (count >= 0 && count != daemon->addresses)
		dg_log(DG_LOG_INFO, "guarded addresses: %d", count);
	daemon->addresses = count;
}

/* The observe flag of a device is one word in its row; what nobody said stays. */
static int set_observe(const struct plan *plan, const struct dg_maps *maps)
{
	for (unsigned int i = 0; i < plan->next->iface_count; i++) {
		const struct dg_config_iface *want = &plan->next->ifaces[i];
		struct dg_iface row;
		__u32 slot;

		if (iface_find(maps, want->name, &row, &slot))
			continue;
		row.flags &= ~(__u32)DG_IF_OBSERVE;
		row.flags |= wants_observe(plan, want) ? DG_IF_OBSERVE : 0;
		if (bpf_map_update_elem(maps->dg_ifaces, &slot, &row, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* The whole of the prefixes or, should there be no room, those that were there. */
static int write_clients(const struct plan *plan, const struct dg_maps *maps, struct dg_error *err)
{
	const struct dg_config *next = plan->next, *old = plan->daemon->config;
	int failed;

	if (!dg_keys_has(&plan->keys, DG_KEY_CLIENTS))
		return 0;
	failed = dg_sources_clients(maps, next->clients, next->client_count, err);
	if (failed && old)
		dg_sources_clients(maps, old->clients, old->client_count, NULL);
	return failed;
}

static int write_settings(const struct plan *plan, const struct dg_maps *maps, struct dg_error *err)
{
	struct dg_settings settings;
	int failed = dg_settings_read(maps, &settings);

	if (!failed) {
		dg_settings_configure(plan->next, &plan->keys, &settings);
		failed = dg_settings_write(maps, &settings);
	}
	if (!failed)
		failed = set_observe(plan, maps);
	if (failed)
		return dg_fail(err, failed, DG_EXIT_FAILED, "cannot write the settings: %s",
			       strerror(-failed));
	return 0;
}

/* Only the clients can fail for want of room: they come first. */
static int write_locked(const struct plan *plan, const struct dg_maps *maps, struct dg_error *err)
{
	int failed = write_clients(plan, maps, err);

	if (!failed)
		failed = write_settings(plan, maps, err);
	if (!failed)
		refresh_addresses(plan->daemon, plan->next, maps);
	return failed;
}

static int write_all(const struct plan *plan, struct dg_error *err)
{
	struct dg_maps maps dg_scoped_maps = DG_MAPS_NONE;
	int lock dg_scoped_fd = -1;
	int failed = dg_maps_open(plan->daemon->options->bpffs, &maps, err);

	if (failed == -ENOENT && !plan->next->iface_count)
		return 0; /* nothing to guard, nothing guarded */
	/* Attached by hand, before an upgrade: whose it is to say what guards now, says how to get at it. */
	if (failed == -EPROTO && !plan->next->iface_count) {
		dg_log(DG_LOG_WARNING, "%s", err->text);
		plan->daemon->locked_out = *err;
		return 0;
	}
	if (failed)
		return failed;
	failed = dg_lock(plan->daemon->options->bpffs, &lock, err);
	return failed ? failed : write_locked(plan, &maps, err);
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int is_named(const struct dg_config *config, const char *name)
{
	for (__u32 i = 0; i < config->iface_count; i++)
		if (!strcmp(config->ifaces[i].name, name))
			return 1;
	return 0;
}

static void remember(struct dg_daemon *daemon, const struct dg_config *config)
{
	for (unsigned int i = 0; i < daemon->guarded_count; i++)
		if (!is_named(config, daemon->guarded[i].name))
			dg_log(DG_LOG_WARNING,
			       "%s: no longer in the configuration, stays attached; to end that: "
			       "dnsguard detach %s",
			       daemon->guarded[i].name, daemon->guarded[i].name);
	daemon->guarded_count = config->iface_count;
	for (unsigned int i = 0; i < config->iface_count; i++) {
		strcpy(daemon->guarded[i].name, config->ifaces[i].name);
		daemon->guarded[i].ifindex = if_nametoindex(config->ifaces[i].name);
		daemon->guarded[i].refused = 0;
	}
}

static int plan_run(struct plan *plan, struct dg_error *err)
{
	int failed;

	dg_caps_loading(1);
	failed = attach_wanted(plan, err);
	if (!failed)
		failed = write_all(plan, err);
	if (failed)
		take_back_all(plan);
	for (unsigned int i = 0; i < plan->next->iface_count; i++)
		if (plan->attached[i])
			dg_attach_result_close(&plan->result[i]); /* the pin keeps the link */
	dg_caps_loading(0);
	return failed;
}

static void say_recovered(const char *ifname)
{
	dg_log(DG_LOG_WARNING, "%s: its trial lost its holder; as before", ifname);
}

/* Who tries a new guard and is killed leaves the old one to be brought back. */
static void recover_trials(const struct dg_daemon *daemon)
{
	struct dg_error err = { 0 };

	if (dg_trials_recover(daemon->options->bpffs, say_recovered, &err) < 0)
		dg_log(DG_LOG_ERROR, "%s", err.text);
}

int dg_guard_apply(struct dg_daemon *daemon, const struct dg_config *next, struct dg_error *err)
{
	struct plan plan;
	int failed;

	recover_trials(daemon);
	failed = plan_make(daemon, next, &plan, err);
	if (failed)
		return failed;
	for (unsigned int i = 0; i < next->iface_count; i++)
		plan.wanted[i] = 1;
	failed = plan_run(&plan, err);
	if (!failed)
		remember(daemon, next);
	return failed;
}

/* ---- news ------------------------------------------------------------------------------------ */

/* A device that was away, or is another one under its old name, is attached as configured. */
static void attach_returned(struct dg_daemon *daemon, unsigned int i, __u32 ifindex)
{
	struct dg_guarded *guarded = &daemon->guarded[i];
	struct dg_error err = { 0 };
	struct plan plan;
	int failed = plan_make(daemon, daemon->config, &plan, &err);

	plan.wanted[i] = 1;
	if (!failed)
		failed = plan_run(&plan, &err);
	if (failed && !guarded->refused) /* it is tried again and again, but said once */
		dg_log(DG_LOG_ERROR, "%s", err.text);
	guarded->refused = failed != 0;
	if (!failed)
		guarded->ifindex = ifindex;
}

static void check_devices(struct dg_daemon *daemon)
{
	for (unsigned int i = 0; i < daemon->guarded_count; i++) {
		__u32 known = daemon->guarded[i].ifindex;
		__u32 now = if_nametoindex(daemon->guarded[i].name);

		if (known && now != known)
			dg_log(DG_LOG_WARNING, "%s: device is gone", daemon->guarded[i].name);
		daemon->guarded[i].ifindex = now == known ? known : 0;
		if (now && now != known)
			attach_returned(daemon, i, now);
	}
}

/* It is tried every few seconds: said once, and again when it changes. */
static void locked_out_say(struct dg_daemon *daemon, const struct dg_error *why)
{
	if (why->text[0] && strcmp(why->text, daemon->locked_out.text) != 0)
		dg_log(DG_LOG_ERROR, "%s", why->text);
	daemon->locked_out = *why;
}

/* Opens the maps and takes the lock, or logs why not. A guard that is not loaded is no failure. */
static int open_locked(struct dg_daemon *daemon, struct dg_maps *ret_maps, int *ret_lock)
{
	struct dg_error err = { 0 };
	int failed = dg_maps_open(daemon->options->bpffs, ret_maps, &err);

	if (!failed)
		failed = dg_lock(daemon->options->bpffs, ret_lock, &err);
	if (failed == -ENOENT)
		err.text[0] = '\0';
	locked_out_say(daemon, &err);
	return failed;
}

void dg_guard_resync(struct dg_daemon *daemon)
{
	struct dg_maps maps dg_scoped_maps = DG_MAPS_NONE;
	int lock dg_scoped_fd = -1;
	int failed;

	recover_trials(daemon);
	check_devices(daemon);
	if (open_locked(daemon, &maps, &lock))
		return;
	failed = dg_devices_refresh(&maps);
	if (failed)
		dg_log(DG_LOG_ERROR, "cannot take over what the devices are now: %s",
		       strerror(-failed));
	refresh_addresses(daemon, daemon->config, &maps);
}

/* ---- time ------------------------------------------------------------------------------------ */

static __u64 realtime_offset_ns(void)
{
	struct timespec real, mono;

	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	return (__u64)(real.tv_sec - mono.tv_sec) * 1000000000ull +
	       (__u64)(real.tv_nsec - mono.tv_nsec);
}

/* Cookies carry seconds (RFC 9018): the clock may be off by a tenth before it is worth a write. */
static void set_clock(const struct dg_maps *maps)
{
	struct dg_settings settings;
	__u64 offset = realtime_offset_ns();
	int failed = dg_settings_read(maps, &settings);
	__s64 off = (__s64)(offset - settings.realtime_offset_ns);

	if (failed || (off > -100000000 && off < 100000000))
		return;
	settings.realtime_offset_ns = offset;
	failed = dg_settings_write(maps, &settings);
	if (failed)
		dg_log(DG_LOG_ERROR, "cannot set the guard's clock: %s", strerror(-failed));
}

static void tidy_own(const struct dg_daemon *daemon, const struct dg_maps *maps)
{
	struct dg_error err = { 0 };
	int gone = dg_own_tidy(maps, dg_now_ns(), &err);

	if (gone > 0)
		dg_log(DG_LOG_INFO, "%d expired entr%s removed", gone, gone == 1 ? "y" : "ies");
	if (gone < 0 || (gone > 0 && dg_own_save(maps, daemon->options->state_dir, &err)))
		dg_log(DG_LOG_ERROR, "%s", err.text);
}

static void tidy_sources(const struct dg_daemon *daemon, const struct dg_maps *maps)
{
	struct dg_error err = { 0 };
	int gone = dg_sources_tidy(maps, dg_now_ns(), &err);

	if (gone > 0)
		dg_log(DG_LOG_INFO, "%d expired ban%s or exemption%s removed", gone,
		       gone == 1 ? "" : "s", gone == 1 ? "" : "s");
	if (gone < 0 || (gone > 0 && dg_sources_save(maps, daemon->options->state_dir, &err)))
		dg_log(DG_LOG_ERROR, "%s", err.text);
}

void dg_guard_tidy(struct dg_daemon *daemon)
{
	struct dg_maps maps dg_scoped_maps = DG_MAPS_NONE;
	int lock dg_scoped_fd = -1;

	if (open_locked(daemon, &maps, &lock))
		return;
	tidy_own(daemon, &maps);
	tidy_sources(daemon, &maps);
	set_clock(&maps);
}
