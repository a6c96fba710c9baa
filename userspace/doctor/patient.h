/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * patient.h - what the checks share: the patient, and the finding that each of them fills.
 *
 * A check only looks, judges what it was given, and fills one finding. It prints nothing and changes nothing.
 */
#ifndef DG_PATIENT_H
#define DG_PATIENT_H

#include <stdbool.h>

#include "userspace/doctor/listeners.h"
#include "userspace/lib/maps.h"
#include "userspace/tcp/tcp.h"
#include "userspace/tcp/quota_internal.h"

enum dg_health { DG_HEALTH_PASS, DG_HEALTH_WARN, DG_HEALTH_FAIL };

struct dg_finding {
	enum dg_health health;
	char text[512];
	char mend[384]; /* a command, or a line for a configuration; "" = nothing to mend */
};
void dg_find(struct dg_finding *finding, enum dg_health health, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void dg_mend(struct dg_finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- one device: link.c reads it, device.c judges it ----------------------------------------- */

#define DG_XDP_BASIC 1ull	 /* NETDEV_XDP_ACT_BASIC of linux/netdev.h, Linux 6.3 */
#define DG_XDP_RX_SG (1ull << 5) /* NETDEV_XDP_ACT_RX_SG: frames that need more than one page */

/* The bond or team that a device is, or is a member of. */
struct dg_bundle {
	char name[16];		 /* "" = neither */
	char kind[16], mode[32]; /* of a bond: "active-backup"... */
	char members[8][16];
	__u32 count;	      /* of members, further ones are left out */
	bool native;	      /* it takes native XDP as a whole */
	bool guarded;	      /* it is, as a whole */
	bool members_guarded; /* each of them is */
};

struct dg_link {
	char name[16];
	__u32 index, mtu;
	bool down, no_carrier, loopback;
	char kind[16];	 /* "vlan", "bond", "veth"...; "" = hardware */
	char driver[32]; /* "" = it has no name */
	char under[16];	 /* the device below it, of a VLAN device and its like; "" = none */
	char master[16]; /* bond, bridge, team; "" = none */
	char master_kind[16];
	struct dg_bundle bundle;
	bool features_known; /* since Linux 6.3 */
	__u64 features;	     /* DG_XDP_* */
	bool lro, strips_vlan;
	int vlan_devices;	  /* on top of it */
	__u32 queues, queues_max; /* for receiving; 0 = the driver does not tell */
	__u32 queues_sending; /* as the stack sees them: without those that XDP has taken for itself */
	bool combined;	      /* they also send */
	char virtio[80];      /* feature bits as '0' and '1', bit 0 first; "" = not virtio */
	bool under_guarded;	    /* the device below it is */
	__u32 xdp_prog, guard_prog; /* what runs there; what our link says runs there; 0 = none */
	bool native_runs;	    /* what runs there does so in native mode */
	char owner[1024];	    /* who holds the hook when it is not us, and how to free it */
};

struct dg_sample;

/* ---- the patient ----------------------------------------------------------------------------- */

struct dg_resolver_facts {
	struct dg_tcp_owner owner;
	struct dg_tcp_quota quota;
	char listener[DG_TCP_KEY_TEXT]; /* the first one */
	__u32 listeners;
	__u32 accept_queue, accept_queue_max; /* of the fullest, of the shortest */
	long idle_ms;	  /* how long a silent TCP client keeps its slot; -1 = not known */
	int rrl, cookies; /* 1 on, 0 off, -1 not known */
};

struct dg_doctor {
	const char *bpffs;
	const char *root; /* in front of /proc and /sys; "" but in tests */
	struct dg_maps maps;
	bool loaded; /* a guard is: maps and settings are valid */
	bool unseen; /* whether one is cannot be told: no right to look */
	struct dg_settings settings;
	struct dg_link link;		   /* of a device's check */
	struct dg_resolver_facts resolver; /* of a resolver's check */
	__u32 resolvers;		   /* found on the guarded TCP ports */
	const struct dg_sample *sample;	   /* of a device's traffic; NULL = none was taken */
};
typedef void dg_check_fn(const struct dg_doctor *doctor, struct dg_finding *ret);

/* Reads a file of /proc or /sys below the doctor's root, NUL-terminated and without its last newline. -errno. */
int dg_doctor_read(const struct dg_doctor *doctor, const char *path, char *buf, size_t size);

/* Is it one of the guarded ports? In network order. */
bool dg_doctor_guards(const struct dg_doctor *doctor, __be16 port);

/* ---- what is known of drivers: drivers.c ----------------------------------------------------- */

enum dg_lro { DG_LRO_UNKNOWN, DG_LRO_REFUSED, DG_LRO_ENDED }; /* when XDP comes */
struct dg_driver {
	const char *name;   /* NULL: it has no row */
	bool native_in_6_1; /* later kernels tell by themselves */
	bool half_queues; /* XDP takes as many as receive, and is refused when there are not so many */
	enum dg_lro lro;
	__u32 mtu; /* the largest with XDP in one buffer; 0 = not known */
};
const struct dg_driver *dg_driver_find(const char *name);

/* No query comes in by it as it is: whatever else could be said of it would not help. */
static inline bool dg_link_is_idle(const struct dg_link *link)
{
	return link->down || link->loopback;
}

/* All that is known of a device. -ENODEV. */
int dg_link_read(const struct dg_doctor *doctor, const char *name, struct dg_link *ret,
		 struct dg_error *err);
/* The resolvers behind the guarded TCP ports, one for each process; the rest is asked of its tools, into a buffer. */
#define DG_RESOLVERS_MAX 8
__u32 dg_resolvers_find(const struct dg_doctor *doctor,
			struct dg_resolver_facts ret[DG_RESOLVERS_MAX]);
void dg_resolver_ask(struct dg_resolver_facts *facts, char said[DG_SAID_MAX]);

/* ---- traffic: sample.c takes it, traffic.c judges it ----------------------------------------- */

#define DG_SAMPLE_SOURCES 1024
struct dg_sample {
	bool taken;    /* we may look there */
	__u32 queries; /* UDP queries and TCP SYNs to a guarded port */
	__u32 count;   /* of sources; further ones are only counted in queries */
	struct {
		struct dg_addr addr;
		__u32 queries;
	} source[DG_SAMPLE_SOURCES];
};
/* Looks at what these devices receive, DG_IF_MAX at most, all at once and for so long; not at idle ones. -errno. */
int dg_samples_take(const struct dg_doctor *doctor, const struct dg_link *links, __u32 count,
		    __u64 duration_ns, struct dg_sample *ret);

/* ---- the checks ------------------------------------------------------------------------------ */

/* host.c */
dg_check_fn dg_check_kernel, dg_check_btf, dg_check_jit, dg_check_lockdown, dg_check_caps,
	dg_check_bpffs, dg_check_load, dg_check_counting;
/* device.c */
dg_check_fn dg_check_link, dg_check_native, dg_check_parent, dg_check_owner, dg_check_mtu,
	dg_check_lro, dg_check_virtio, dg_check_queues, dg_check_vlan;
/* resolver.c */
dg_check_fn dg_check_resolver, dg_check_quota, dg_check_backlog, dg_check_idle, dg_check_rrl,
	dg_check_cookies, dg_check_encrypted;
/* traffic.c */
dg_check_fn dg_check_balancer, dg_check_clients;

#endif
