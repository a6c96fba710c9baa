/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loader.h - the privileged life cycle of the programs: open, load, pin, adopt, attach, replace, detach.
 *
 * The only code that sees a skeleton. Pins: <bpffs>/dnsguard/<map>, progs/ingress (the newest instance),
 * links/<ifname>. Each device has its own instance of the program (its slot number and frags flag are
 * load-time constants), all instances share the pinned maps.
 */
#ifndef DG_LOADER_H
#define DG_LOADER_H

#include "bpf/abi.h"
#include "userspace/lib/maps.h"

enum dg_attach_mode { DG_MODE_AUTO, DG_MODE_NATIVE, DG_MODE_GENERIC }; /* auto = native */

struct dg_attach {
	const char *bpffs;	     /* e.g. /sys/fs/bpf */
	const char *ifname;
	enum dg_attach_mode mode;
	int observe;		     /* this device only observes */
	__u64 limiter_bytes;	     /* 0 = default; only counts when the maps are made */
	const struct dg_settings *initial; /* first settings; only when the maps are made. NULL = defaults */
	int pin_link;		     /* 0: the link lives as long as *ret_link_fd (attach --try) */
};

/* What happened, for the message. */
struct dg_attach_result {
	int replaced;		     /* 1: an instance of ours was replaced in place through its link */
	int created;		     /* 1: the maps were made now, 0: adopted */
	enum dg_attach_mode mode;    /* native or generic */
	int frags;
	int link_fd;		     /* owned by the caller */
	__u32 slot;
	char note[256];		     /* something the operator should know, or "" */
};

/*
 * Loads the program for one device and attaches it, or replaces in place what we attached earlier.
 * Nothing is left behind on failure. -EBUSY: another XDP program is there, err names it and its owner.
 * -EPROTO: pinned maps of another ABI version. -EPERM, -EOPNOTSUPP, -ENODEV, -ENOENT (no bpffs).
 * A verifier refusal ends with the verifier's last lines in err.
 */
int dg_attach(const struct dg_attach *want, struct dg_attach_result *ret, struct dg_error *err);

/* Pins an unpinned link of dg_attach() so that it outlives the process. */
int dg_attach_keep(const char *bpffs, const char *ifname, int link_fd, struct dg_error *err);

/*
 * Detaches one device. When it was the last one and `purge` is set, the maps and directories go too.
 * -ENOENT (status DG_EXIT_NOT_ATTACHED): we are not attached there.
 */
int dg_detach(const char *bpffs, const char *ifname, int purge, struct dg_error *err);

/* A descriptor of the program instance that guards ifname, from its link; NULL ifname: progs/ingress. */
int dg_program_open(const char *bpffs, const char *ifname, int *ret_fd, struct dg_error *err);

/* Default settings: as attach uses them, keys and secrets drawn from getrandom(), clock filled in. */
int dg_settings_default(struct dg_settings *ret, struct dg_error *err);

/*
 * For tests and benchmarks: loads the program with private, unpinned maps and attaches it nowhere. It behaves
 * as instance `slot` of a device with this index. The maps are owned by *ret_maps.
 */
int dg_load_private(const struct dg_settings *initial, __u64 limiter_bytes, __u32 slot,
		    struct dg_maps *ret_maps, int *ret_prog_fd, struct dg_error *err);

#endif
