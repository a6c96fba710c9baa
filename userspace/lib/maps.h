/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * maps.h - the pinned state as typed values: one handle for a bpffs directory, one descriptor for each map.
 *
 * The CLI, the daemon and the tests reach the kernel's tables through this and nothing else. It knows pins and
 * descriptors, not programs or links (those are the loader's).
 */
#ifndef DG_MAPS_H
#define DG_MAPS_H

#include "bpf/abi.h"
#include "userspace/lib/scope.h"

#define DG_BPFFS_DEFAULT "/sys/fs/bpf"
#define DG_RUN_DIR "/run/dnsguard"		 /* locks and sockets, gone after a reboot */
#define DG_STATE_DIR_DEFAULT "/var/lib/dnsguard" /* keys and the operator's entries */

/* Descriptors of every map of DG_MAPS, -1 = not open. Each field is named as its map. */
struct dg_maps {
#define DG_MAP_FIELD(name) int name;
	DG_MAPS(DG_MAP_FIELD)
#undef DG_MAP_FIELD
};
#define DG_MAP_NOT_OPEN(name) .name = -1,
#define DG_MAPS_NONE ((struct dg_maps){ DG_MAPS(DG_MAP_NOT_OPEN) })

/* Their names in the order of the fields, so that a struct dg_maps can be walked as an array of DG_MAP_COUNT int. */
#define DG_MAP_COUNT (sizeof(struct dg_maps) / sizeof(int))
extern const char *const dg_map_names[DG_MAP_COUNT];

/* Says what can keep bpf(2) from root: what stands around the process. Returns -EPERM. */
int dg_bpf_forbidden(struct dg_error *err);
/*
 * Opens all maps pinned under <bpffs>/dnsguard. 0; -ENOENT when nothing is pinned (status DG_EXIT_NOT_ATTACHED);
 * -EPERM; -EPROTO when the pinned layout has another ABI version. *ret is untouched on failure.
 */
int dg_maps_open(const char *bpffs, struct dg_maps *ret, struct dg_error *err);
void dg_maps_close(struct dg_maps *maps); /* accepts DG_MAPS_NONE */
#define dg_scoped_maps dg_scoped(dg_maps_close)

/*
 * Maps that stay open from one look to the next; { 0 } = none. The set is pinned and replaced as one directory, so whether it is
 * still the same is seen by that. 0; else as dg_maps_open(), and none is open.
 */
struct dg_maps_kept {
	struct dg_maps maps;
	__u64 dev, ino; /* of their directory; ino 0 = none is open */
};
int dg_maps_keep(const char *bpffs, struct dg_maps_kept *kept);
void dg_maps_let_go(struct dg_maps_kept *kept);

/* <bpffs>/dnsguard/<name>; a NULL name is the directory itself. -ENAMETOOLONG. */
struct dg_path {
	char text[4096];
};
int dg_pin_path(const char *bpffs, const char *name, struct dg_path *ret);
/* The ABI version of a dg_settings map of whatever size. -EPROTO with the way out when it is not ours. */
int dg_abi_check(int settings_fd, struct dg_error *err);

/* Settings: read, change, write back. The caller holds the lock while it changes them. */
int dg_settings_read(const struct dg_maps *maps, struct dg_settings *ret);
int dg_settings_write(const struct dg_maps *maps, const struct dg_settings *settings);

/*
 * The guard's lock: <bpffs>/.. cannot hold flock files, so it is a file in the run directory
 * (/run/dnsguard/lock-<hash of bpffs path>). Waits up to 10 s. The descriptor releases it when closed.
 */
int dg_lock(const char *bpffs, int *ret_fd, struct dg_error *err);
#define DG_LOCK_WAIT_NS 10000000000ull
/* flock(2) for one alone. -EWOULDBLOCK: somebody else has it, and had it for all of wait_ns. Closing fd lets go. */
int dg_flock_wait(int fd, __u64 wait_ns);
/* The run directory's path for one kind of file of this bpffs directory; makes the run directory (mode 0700). */
int dg_run_path(const char *kind, const char *bpffs, struct dg_path *ret);

__u64 dg_now_ns(void); /* CLOCK_MONOTONIC */

/* Address helpers: the 16-byte form of abi.h. */
struct dg_addr dg_addr_from_v4(const void *v4);
struct dg_addr dg_addr_from_v6(const void *v6);

/* Guarded and own addresses. Adding an address that is there sets its flags. -ENOSPC: both buckets full. */
int dg_service_set(const struct dg_maps *maps, struct dg_addr addr, __u32 flags, __u32 *ret_slot);
int dg_service_clear(const struct dg_maps *maps, struct dg_addr addr);
int dg_service_get(const struct dg_maps *maps, struct dg_addr addr, __u32 *ret_flags,
		   __u32 *ret_slot); /* -ENOENT */
/* Calls back for every slot in use, stops at the first non-zero return and returns it. */
int dg_service_each(const struct dg_maps *maps,
		    int (*visit)(struct dg_addr addr, __u32 flags, __u32 slot, void *arg),
		    void *arg);

/*
 * Limits as operators say them. per_sec and burst are queries for the narrowest rung; 0 per_sec switches
 * the charge off. dg_rate_read() gives back what dg_rate_make() was told (rounded).
 */
void dg_rate_make(__u64 per_sec, __u64 burst, enum dg_family family, struct dg_rate *ret);
void dg_rate_read(const struct dg_rate *rate, __u64 *ret_per_sec, __u64 *ret_burst);
/* The answer budget: so many a second, a tenth of a second's worth at once; 0 = no budget. */
void dg_budget_make(__u64 per_sec, struct dg_settings *ret);
__u64 dg_budget_read(const struct dg_settings *settings);

#endif
