/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - what the files of the loader offer each other. Nobody else includes this.
 *
 * preflight: may we at all? device: facts of a NIC. instance: one loaded program. pins: names in the bpffs.
 * slots: rows of dg_ifaces. tcpstate: the counter of TCP connections. egress: the clock of answers. companion: what those two
 * share. owner: who holds the device instead of us. record: what was before a trial. attach, trial and detach: the life cycle.
 */
#ifndef DG_LOADER_INTERNAL_H
#define DG_LOADER_INTERNAL_H

#include <dirent.h>
#include <stdbool.h>

#include "loader/loader.h"

static inline void dg_close_dir(DIR **dir)
{
	if (*dir)
		closedir(*dir);
	*dir = NULL;
}

struct bpf_object;
struct ingress_bpf; /* the skeleton; complete in instance.c alone */

/* ---- preflight.c ---- */

/* Kernel, capabilities, bpf filesystem: -EOPNOTSUPP, -EPERM, -ENOENT, each with the command that mends it. */
int dg_preflight(const char *bpffs, struct dg_error *err);
/* "CAP_BPF, CAP_PERFMON": what this process lacks; "" = nothing. Returns buf. */
char *dg_missing_caps(char *buf, size_t size);
/* Says who forbade bpf(2) with EPERM: a right that is missing, or what stands around the process. Returns -EPERM. */
int dg_load_forbidden(struct dg_error *err);

/* ---- device.c ---- */

struct dg_device {
	__u32 ifindex;
	__u32 mtu;
	__u8 mac[8];
	bool answers_off; /* strips VLAN tags in hardware and has VLAN devices on top */
	char driver[48];  /* "driver veth", or "driver" when it has no name */
};
/* -ENODEV: no such device here. */
int dg_device_read(const char *ifname, struct dg_device *ret, struct dg_error *err);

/* ---- instance.c ---- */

struct dg_instance_want {
	__u32 slot;
	bool frags;
	__u32 limiter_lines;	     /* when the maps are made */
	const struct dg_maps *share; /* NULL = make the maps */
};
/* A loaded program and, when it made them, the maps. Descriptors are the caller's. */
struct dg_instance {
	int prog_fd;
	struct dg_maps maps; /* DG_MAPS_NONE when shared */
};
#define DG_INSTANCE_NONE ((struct dg_instance){ .prog_fd = -1, .maps = DG_MAPS_NONE })
void dg_instance_close(struct dg_instance *instance);
int dg_instance_load(const struct dg_instance_want *want, struct dg_instance *ret,
		     struct dg_error *err);
/* Lines of a limiter of so many bytes: a power of two, rounded down. */
__u32 dg_limiter_lines(__u64 bytes);

/* ---- pins.c ---- */

/* links/<ifname>; a dot, which bpffs refuses, becomes %2e. */
int dg_link_path(const char *bpffs, const char *ifname, struct dg_path *ret);
/* progs/before-<ifname>: the program that a trial replaced. */
int dg_before_path(const char *bpffs, const char *ifname, struct dg_path *ret);
/* <head><ifname>, with the same escapes; the head has at most 15 characters. */
int dg_device_path(const char *bpffs, const char *head, const char *ifname, struct dg_path *ret);
/* And back: the device's name from its pin's. */
void dg_link_name(const char *pin, char *ret, size_t size);
/* Makes <bpffs>/dnsguard with all maps in it, all or nothing. The caller holds the lock. */
int dg_maps_pin(const char *bpffs, const struct dg_maps *maps, struct dg_error *err);
/*
 * Puts these maps in the place of those that are pinned, in one step; links and programs stay pinned throughout. The old
 * ones are kept beside until dg_maps_renewed() lets go of them (good) or puts them back. The caller holds the lock.
 */
int dg_maps_renew(const char *bpffs, const struct dg_maps *maps, struct dg_error *err);
void dg_maps_renewed(const char *bpffs, bool good);
/* Pins over whatever has the name: the newest instance, for dg_program_open(NULL). */
int dg_program_pin(const char *bpffs, int prog_fd);
/* Removes <bpffs>/dnsguard and all that is pinned in it, whatever its layout. */
int dg_pins_remove(const char *bpffs);
/* How many links are pinned. */
int dg_links_count(const char *bpffs);

/* ---- slots.c ---- */

int dg_iface_read(const struct dg_maps *maps, __u32 slot, struct dg_iface *ret);
int dg_iface_write(const struct dg_maps *maps, __u32 slot, const struct dg_iface *iface);
/* The slot for a device: its own if it ever had one, else a fresh one with counters at zero. -ENOSPC. */
int dg_slot_find(const struct dg_maps *maps, const char *ifname, __u32 *ret_slot);
/* The device is guarded no more; its name and counters stay. */
int dg_slot_release(const struct dg_maps *maps, const char *ifname);

/* ---- record.c ---- */

/* What a device was before its trial. */
struct dg_record {
	__u32 abi_version;
	__u32 slot;
	__u32 replaced; /* in place, through the pinned link; else the trial holds the only link */
	__u32 created;	/* the maps were made for it */
	struct dg_iface before;
};
/* Writes it and pins the program before it (old_prog_fd, -1 = none). *ret_fd holds the trial as long as it is open. */
int dg_record_write(const char *bpffs, const char *ifname, const struct dg_record *record,
		    int old_prog_fd, int *ret_fd);
/* An orphan. -ENOENT: no record, -EBUSY: somebody holds the trial, -EPROTO: not whole, or of another version. */
int dg_record_read(const char *bpffs, const char *ifname, struct dg_record *ret);
/* The trial is over. */
void dg_record_remove(const char *bpffs, const char *ifname);
/* Is fd the record that stands there now? */
bool dg_record_is_open(const char *bpffs, const char *ifname, int fd);
/* The devices with a record, held or not. Returns how many. */
int dg_records_list(const char *bpffs, char ret[DG_IF_MAX][16]);

/* ---- trial.c ---- */

/* For attach, which holds the lock. -EBUSY when a trial runs on the device; one without a holder is rolled back. */
int dg_trial_clear(const char *bpffs, const char *ifname, struct dg_error *err);

/* ---- companion.c ---- */

/* Before the load: the guard's maps for the object's, by name. -ENOENT: it has not all of them. */
int dg_companion_share(struct bpf_object *object, const struct dg_maps *share);

struct dg_tag {
	__u8 octet[8]; /* all 0 = not told */
};
struct dg_tag dg_tag_of_program(int prog_fd);
struct dg_tag dg_tag_of_link(int link_fd);
/* Both told, and the same. */
bool dg_tag_same(struct dg_tag a, struct dg_tag b);

/* ---- tcpstate.c ---- */

/*
 * Starts counting TCP connections, or replaces the program that does, without a gap; adds what was there before. A failure
 * concerns nobody but who reads the counts: err says so in one sentence. The caller holds the lock.
 */
int dg_tcpstate_attach(const char *bpffs, const struct dg_maps *maps, struct dg_error *err);
/* Stops it. For when no device is guarded any more. */
void dg_tcpstate_detach(const char *bpffs);

/* ---- egress.c ---- */

/*
 * Starts timing the answers that leave by the device, or replaces in place the program that does. A failure concerns nobody
 * but who reads the times: err says so in one sentence. The caller holds the lock.
 */
int dg_egress_attach(const char *bpffs, const char *ifname, const struct dg_maps *maps,
		     struct dg_error *err);
/* Ends it; what others have at the device's egress stays. ifindex 0 = that of the name. */
void dg_egress_detach(const char *bpffs, const char *ifname, __u32 ifindex);

/* ---- clock.c ---- */

/* jiffy_ns and jiffy_zero_ns of the settings. */
int dg_clock_read(__u32 *ret_jiffy_ns, __u64 *ret_jiffy_zero_ns, struct dg_error *err);

#endif
