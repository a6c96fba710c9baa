/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loader.h - the privileged life cycle of the programs: open, load, pin, adopt, attach, replace, detach.
 *
 * The only code that sees a skeleton. Pins: <bpffs>/dnsguard/<map>, progs/ingress (the newest instance),
 * links/<ifname>, progs/tcpstate (the link of the program that counts TCP connections). Each device has its own instance of the program (its slot number and frags flag are
 * load-time constants), all instances share the pinned maps.
 */
#ifndef DG_LOADER_H
#define DG_LOADER_H

#include "bpf/abi.h"
#include "userspace/tcp/quota.h"
#include "userspace/lib/maps.h"

enum dg_attach_mode { DG_MODE_AUTO, DG_MODE_NATIVE, DG_MODE_GENERIC }; /* auto = native */

struct dg_attach {
	const char *bpffs; /* e.g. /sys/fs/bpf */
	const char *ifname;
	enum dg_attach_mode mode;
	int observe;	     /* this device only observes */
	__u64 limiter_bytes; /* 0 = default; only counts when the maps are made */
	const struct dg_settings
		*initial;      /* first settings; only when the maps are made. NULL = defaults */
	const char *state_dir; /* NULL = DG_STATE_DIR_DEFAULT: hash key, the operator's entries */
	int pin_link;	       /* 0: the link lives as long as *ret_link_fd (attach --try) */
};

/* What happened, for the message. */
struct dg_attach_result {
	int replaced; /* 1: an instance of ours was replaced in place through its link */
	int created;  /* 1: the maps were made now, 0: adopted */
	enum dg_attach_mode mode; /* native or generic */
	int frags;
	int link_fd;		/* owned by the caller */
	int old_prog_fd;	/* replaced: the program before, owned by the caller; else, or
				 * without CAP_SYS_ADMIN, -1 */
	struct dg_iface before; /* the device's row before, for dg_attach_undo() */
	int trial_fd;		/* on trial: who has it open holds the trial, owned by the caller;
				 * else -1 */
	__u32 slot;
	char note[512]; /* something the operator should know, or "" */
};

/*
 * Loads the program for one device and attaches it, or replaces in place what we attached earlier. Takes the lock.
 * When the maps are made now, hash_key comes from the state directory (so that an image built before a reboot fits
 * after it), local addresses become services, and the operator's entries are restored before the first packet.
 * Nothing is left behind on failure. -EBUSY: another XDP program is there, err names it and its owner.
 * -EPROTO: pinned maps of another ABI version. -EPERM, -EOPNOTSUPP, -ENODEV, -ENOENT (no bpffs).
 * A verifier refusal ends with the verifier's last lines in err.
 */
int dg_attach(const struct dg_attach *want, struct dg_attach_result *ret, struct dg_error *err);
#define DG_ATTACH_RESULT_NONE                                                                      \
	((struct dg_attach_result){ .link_fd = -1, .old_prog_fd = -1, .trial_fd = -1 })
void dg_attach_result_close(struct dg_attach_result *result);

/*
 * Ends a trial well: pins the link of dg_attach() so that it outlives the process, and drops the mark and the record of a
 * trial. -ENOENT: the trial was ended meanwhile.
 */
int dg_attach_keep(const char *bpffs, const char *ifname, const struct dg_attach_result *result,
		   struct dg_error *err);

/*
 * Ends a trial badly: the device is as it was before dg_attach(). What was replaced in place runs again, what was new is
 * detached, maps that were made for it go. A trial that was ended meanwhile stays as it was ended.
 */
int dg_attach_undo(const char *bpffs, const char *ifname, const struct dg_attach_result *result,
		   struct dg_error *err);

/*
 * The devices whose trial is open though nobody holds it any more (kill -9) become what they were before. Costs one look
 * into the run directory when there is none. Calls back for each (may be NULL); returns how many, or -errno.
 */
int dg_trials_recover(const char *bpffs, void (*visit)(const char *ifname), struct dg_error *err);

/*
 * Detaches one device; a trial that replaced its program ends with that. When it was the last one and `purge` is set, the maps and directories go too.
 * -ENOENT (status DG_EXIT_NOT_ATTACHED): we are not attached there.
 */
int dg_detach(const char *bpffs, const char *ifname, int purge, struct dg_error *err);

/* Removes maps and directories that no link uses any more, whatever their layout. -EBUSY: something is attached. */
int dg_purge(const char *bpffs, struct dg_error *err);

/* Calls back for every device with a pinned link, stops at the first non-zero return and returns it. */
int dg_links_each(const char *bpffs, int (*visit)(const char *ifname, void *arg), void *arg);

/* What a pinned link says of itself. */
struct dg_link_state {
	__u32 ifindex; /* 0 = its device is gone */
	__u32 prog_id;
	__u8 prog_tag[8]; /* the kernel's hash of its instructions; all 0 = not told */
};
int dg_link_state(const char *bpffs, const char *ifname,
		  struct dg_link_state *ret); /* -ENOENT: not attached */

/* Reads MAC and VLAN facts of the guarded devices again; after link changes. The caller holds the lock. */
int dg_devices_refresh(const struct dg_maps *maps);

/* 1: the device is no longer as its row says (MAC, VLAN devices on it); 0: it is; -ENODEV: it is not here. */
int dg_device_drift(const struct dg_iface *iface);

/* A descriptor of the program instance that guards ifname, from its link; NULL ifname: progs/ingress. */
int dg_program_open(const char *bpffs, const char *ifname, int *ret_fd, struct dg_error *err);

/*
 * The hash key of the state directory, made at first use. A guard that is attached later takes this very key, so lists
 * that are compiled with it before fit then, and after a reboot.
 */
int dg_hash_key_read(const char *state_dir, __u64 key[4], struct dg_error *err);

/* 1: TCP connections are being counted; 0: the kernel refused the program that does, or nothing is attached. */
int dg_tcpstate_runs(const char *bpffs);
/*
 * Starts counting where nobody counts, or where a program of another source does: that one is replaced without a gap. -errno and
 * err when it cannot; devices are guarded all the same.
 */
int dg_tcpstate_ensure(const char *bpffs, struct dg_error *err);
/*
 * The processes that have listening sockets open. Looks into /proc and, where that shows only our own processes, asks the kernel
 * (CAP_BPF and CAP_PERFMON): once each, however many are sought. A pid of 0: not found, or not allowed to look.
 */
void dg_tcp_owners_seek(struct dg_tcp_sought *sought, unsigned int count);
/* The same for one. -ENOENT: not found. */
int dg_tcp_owner_seek(__u32 inode, struct dg_tcp_owner *ret);

/* Fills err with who holds the device's XDP hook and how to free it. Returns -EBUSY. */
int dg_owner_refuse(const char *ifname, __u32 ifindex, struct dg_error *err);

/* 1: the answers that leave by the device are timed; 0: the kernel refused the program that does, or it is not attached. */
int dg_egress_runs(const char *bpffs, const char *ifname);
/*
 * The same for a row of dg_ifaces, whatever network namespace asks. Where a filter does it (before Linux 6.6) and the device
 * is in another namespace, its pin and the row's flag are believed.
 */
bool dg_egress_times(const char *bpffs, const struct dg_iface *iface);
/*
 * Attaches that program where it is missing, or replaces in place one of another source. -errno and err when it cannot; the device
 * is guarded all the same.
 */
int dg_egress_ensure(const char *bpffs, const char *ifname, struct dg_error *err);
/* That program with these maps, attached nowhere. For tests and benchmarks. -errno. */
int dg_egress_load(const struct dg_maps *maps, int *ret_prog_fd);

/* Default settings: as attach uses them, keys and secrets drawn from getrandom(), clock filled in (takes 0.2 s). */
int dg_settings_default(struct dg_settings *ret, struct dg_error *err);

/*
 * For tests and benchmarks: loads the program with private, unpinned maps and attaches it nowhere. It behaves
 * as instance `slot` of a device with this index. The maps are owned by *ret_maps.
 */
int dg_load_private(const struct dg_settings *initial, __u64 limiter_bytes, __u32 slot,
		    struct dg_maps *ret_maps, int *ret_prog_fd, struct dg_error *err);

#endif
