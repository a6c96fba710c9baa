// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * maps.c - opens the pinned maps and gives their values types: settings, service addresses, rates.
 *
 * Knows pins and descriptors, not programs or links. Changes nothing without being told, never prints.
 */
#include "userspace/lib/maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "bpf/hash.h"

#define NS_PER_SEC 1000000000ull

/* ---- pins ----------------------------------------------------------------------------------- */

const char *const dg_map_names[DG_MAP_COUNT] = {
#define DG_MAP_NAME(name) #name,
	DG_MAPS(DG_MAP_NAME)
#undef DG_MAP_NAME
};

int dg_pin_path(const char *bpffs, const char *name, struct dg_path *ret)
{
	int len = snprintf(ret->text, sizeof(ret->text), "%s/dnsguard%s%s", bpffs, name ? "/" : "",
			   name ? name : "");

	return len < 0 || (size_t)len >= sizeof(ret->text) ? -ENAMETOOLONG : 0;
}

int dg_bpf_forbidden(struct dg_error *err)
{
	return dg_fail(
		err, -EPERM, DG_EXIT_FAILED,
		"bpf(2) is not permitted here, not even to root: a container without CAP_BPF, or with a "
		"seccomp profile that does not let it through (before Docker 23 and containerd 1.7: run it with "
		"seccomp=unconfined), or lockdown: cat /sys/kernel/security/lockdown");
}

static int open_failed(const char *bpffs, const char *name, int errnum, struct dg_error *err)
{
	if (errnum == ENOENT && !strcmp(name, dg_map_names[0]))
		return dg_fail(err, -ENOENT, DG_EXIT_NOT_ATTACHED,
			       "nothing is attached under %s/dnsguard: dnsguard attach IFACE",
			       bpffs);
	if (errnum == ENOENT)
		return dg_fail(err, -EPROTO, DG_EXIT_FAILED,
			       "the pins under %s/dnsguard are incomplete, %s is missing: "
			       "dnsguard detach --all --purge, then attach again",
			       bpffs, name);
	if (errnum == EPERM && !geteuid())
		return dg_bpf_forbidden(err);
	if (errnum == EPERM || errnum == EACCES)
		return dg_fail(err, -EPERM, DG_EXIT_FAILED,
			       "cannot open %s/dnsguard/%s: %s; run it as root, with sudo", bpffs,
			       name, strerror(errnum));
	return dg_fail(err, -errnum, DG_EXIT_FAILED, "cannot open %s/dnsguard/%s: %s", bpffs, name,
		       strerror(errnum));
}

int dg_abi_check(int settings_fd, struct dg_error *err)
{
	struct bpf_map_info info = { 0 };
	__u32 info_len = sizeof(info), zero = 0, version;
	dg_scoped_free void *value = NULL;

	if (bpf_obj_get_info_by_fd(settings_fd, &info, &info_len))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot read the pinned settings: %s",
			       strerror(errno));
	value = calloc(1, (size_t)info.value_size + sizeof(version));
	if (!value)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED,
			       "cannot read the pinned settings: out of memory");
	if (bpf_map_lookup_elem(settings_fd, &zero, value))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot read the pinned settings: %s",
			       strerror(errno));
	memcpy(&version, value, sizeof(version)); /* the first word in every version */
	if (version == DG_ABI_VERSION && info.value_size == sizeof(struct dg_settings))
		return 0;
	return dg_fail(
		err, -EPROTO, DG_EXIT_FAILED,
		"the pinned maps have layout version %u, this dnsguard has %u: dnsguard attach "
		"each guarded device again, which replaces them under it, or dnsguard detach "
		"--all --purge",
		version, DG_ABI_VERSION);
}

int dg_maps_open(const char *bpffs, struct dg_maps *ret, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	int *fds = (int *)&maps, status;
	struct dg_path path;

	for (size_t i = 0; i < DG_MAP_COUNT; i++) {
		if (dg_pin_path(bpffs, dg_map_names[i], &path))
			return dg_fail(err, -ENAMETOOLONG, DG_EXIT_USAGE,
				       "\"%.64s...\" is too long a directory", bpffs);
		fds[i] = bpf_obj_get(path.text);
		if (fds[i] < 0)
			return open_failed(bpffs, dg_map_names[i], errno, err);
	}
	status = dg_abi_check(maps.dg_settings, err);
	if (status)
		return status;
	*ret = maps;
	maps = DG_MAPS_NONE;
	return 0;
}

void dg_maps_close(struct dg_maps *maps)
{
	int *fds = (int *)maps;

	for (size_t i = 0; i < DG_MAP_COUNT; i++)
		dg_close_fd(&fds[i]);
}

int dg_maps_keep(const char *bpffs, struct dg_maps_kept *kept)
{
	struct dg_path path;
	struct stat now;
	int status = dg_pin_path(bpffs, NULL, &path);

	if (!status &&
	    stat(path.text, &now)) /* before they are opened: who is late sees it the next time */
		status = -errno;
	if (!status && kept->ino && kept->ino == now.st_ino && kept->dev == now.st_dev)
		return 0;
	dg_maps_let_go(kept);
	if (!status)
		status = dg_maps_open(bpffs, &kept->maps, NULL);
	if (status)
		return status;
	kept->dev = now.st_dev;
	kept->ino = now.st_ino;
	return 0;
}

void dg_maps_let_go(struct dg_maps_kept *kept)
{
	if (kept->ino)
		dg_maps_close(&kept->maps);
	kept->ino = 0;
}

/* ---- settings and clock --------------------------------------------------------------------- */

int dg_settings_read(const struct dg_maps *maps, struct dg_settings *ret)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(maps->dg_settings, &zero, ret) ? -errno : 0;
}

int dg_settings_write(const struct dg_maps *maps, const struct dg_settings *settings)
{
	__u32 zero = 0;

	return bpf_map_update_elem(maps->dg_settings, &zero, settings, BPF_ANY) ? -errno : 0;
}

__u64 dg_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (__u64)now.tv_sec * NS_PER_SEC + (__u64)now.tv_nsec;
}

/* ---- addresses ------------------------------------------------------------------------------ */

struct dg_addr dg_addr_from_v4(const void *v4)
{
	__u8 bytes[16] = { [10] = 0xff, [11] = 0xff };

	memcpy(bytes + 12, v4, 4);
	return dg_addr_from_v6(bytes);
}

struct dg_addr dg_addr_from_v6(const void *v6)
{
	struct dg_addr addr;

	memcpy(&addr, v6, sizeof(addr));
	return addr;
}

/* ---- guarded and own addresses -------------------------------------------------------------- */

/* Where an address is, or could go: a bucket as it was read, its number and a way. */
struct place {
	struct dg_service_bucket bucket;
	__u32 at, way;
};

static __u32 service_home(const struct dg_settings *settings, struct dg_addr addr)
{
	return (__u32)dg_hash_addr(addr.hi, addr.lo, settings->limit_key);
}

/* A way of the bucket: the address itself (match), or a free one. */
static bool way_fits(const struct dg_service_bucket *bucket, __u32 way, struct dg_addr addr,
		     bool match)
{
	if (!match)
		return !bucket->flags[way];
	return bucket->flags[way] && bucket->addr[way].hi == addr.hi &&
	       bucket->addr[way].lo == addr.lo;
}

/* Looks at home and at the bucket behind it, as the kernel does. -ENOENT: neither holds it (or has room). */
static int place_find(const struct dg_maps *maps, struct dg_addr addr, bool match,
		      struct place *ret)
{
	struct dg_settings settings;
	int status = dg_settings_read(maps, &settings);

	for (__u32 step = 0; !status && step < 2; step++) {
		ret->at = (service_home(&settings, addr) + step) & (DG_SERVICE_BUCKETS - 1);
		if (bpf_map_lookup_elem(maps->dg_services, &ret->at, &ret->bucket))
			return -errno;
		for (ret->way = 0; ret->way < DG_SERVICE_WAYS; ret->way++)
			if (way_fits(&ret->bucket, ret->way, addr, match))
				return 0;
	}
	return status ? status : -ENOENT;
}

static int place_write(const struct dg_maps *maps, const struct place *place)
{
	return bpf_map_update_elem(maps->dg_services, &place->at, &place->bucket, BPF_ANY) ?
		       -errno :
		       0;
}

/* A new tenant starts at zero. Counters are nobody's decision: failing to clear them is no failure. */
static void service_stats_clear(const struct dg_maps *maps, __u32 slot)
{
	int cpus = libbpf_num_possible_cpus();
	dg_scoped_free struct dg_service_stats *zero = NULL;

	if (cpus > 0)
		zero = calloc((size_t)cpus, sizeof(*zero));
	if (zero)
		bpf_map_update_elem(maps->dg_svc_stats, &slot, zero, BPF_ANY);
}

/* The address is written first and its flags last: a reader in between finds a free way. */
static int service_add(const struct dg_maps *maps, struct dg_addr addr, __u32 flags,
		       struct place *place)
{
	int status = place_find(maps, addr, false, place);

	if (status)
		return status == -ENOENT ? -ENOSPC : status;
	service_stats_clear(maps, place->at * DG_SERVICE_WAYS + place->way);
	place->bucket.addr[place->way] = addr;
	status = place_write(maps, place);
	if (status)
		return status;
	place->bucket.flags[place->way] = flags;
	return place_write(maps, place);
}

int dg_service_set(const struct dg_maps *maps, struct dg_addr addr, __u32 flags, __u32 *ret_slot)
{
	struct place place;
	int status = place_find(maps, addr, true, &place);

	if (status == -ENOENT) {
		status = service_add(maps, addr, flags, &place);
	} else if (!status && place.bucket.flags[place.way] != flags) {
		place.bucket.flags[place.way] = flags;
		status = place_write(maps, &place);
	}
	if (!status && ret_slot)
		*ret_slot = place.at * DG_SERVICE_WAYS + place.way;
	return status;
}

int dg_service_clear(const struct dg_maps *maps, struct dg_addr addr)
{
	struct place place;
	int status = place_find(maps, addr, true, &place);

	if (status)
		return status;
	place.bucket.flags[place.way] = 0;
	return place_write(maps, &place);
}

int dg_service_get(const struct dg_maps *maps, struct dg_addr addr, __u32 *ret_flags,
		   __u32 *ret_slot)
{
	struct place place;
	int status = place_find(maps, addr, true, &place);

	if (status)
		return status;
	*ret_flags = place.bucket.flags[place.way];
	*ret_slot = place.at * DG_SERVICE_WAYS + place.way;
	return 0;
}

int dg_service_each(const struct dg_maps *maps,
		    int (*visit)(struct dg_addr addr, __u32 flags, __u32 slot, void *arg),
		    void *arg)
{
	struct dg_service_bucket bucket;
	int status = 0;

	for (__u32 slot = 0; !status && slot < DG_SERVICE_SLOTS; slot++) {
		__u32 at = slot / DG_SERVICE_WAYS, way = slot % DG_SERVICE_WAYS;

		if (way == 0 && bpf_map_lookup_elem(maps->dg_services, &at, &bucket))
			return -errno;
		if (bucket.flags[way])
			status = visit(bucket.addr[way], bucket.flags[way], slot, arg);
	}
	return status;
}

/* ---- rates ---------------------------------------------------------------------------------- */

/* Ticks that one unit costs at so many a second; at least 1, so that a rate never reads as "not charged". */
static __u64 cost_ticks(__u64 per_sec)
{
	__u64 ns = (NS_PER_SEC + per_sec / 2) / per_sec;
	__u64 ticks = (ns + (1 << DG_TICK_SHIFT) / 2) >> DG_TICK_SHIFT;

	return ticks ? ticks : 1;
}

void dg_rate_make(__u64 per_sec, __u64 burst, enum dg_family family, struct dg_rate *ret)
{
	const __u64 mult[DG_FAMILY_COUNT][DG_RUNGS_MAX] = { DG_LADDER_IPV4_MULT,
							    DG_LADDER_IPV6_MULT };

	*ret = (struct dg_rate){ 0 };
	if (!per_sec)
		return;
	for (size_t rung = 0; rung < DG_RUNGS_MAX; rung++)
		if (mult[family][rung])
			ret->cost[rung] = cost_ticks(per_sec * mult[family][rung]);
	ret->ceiling = burst * ret->cost[0];
}

/* The roundest number of units a second that costs so much: 200000, where 313 ticks are 199681. */
static __u64 rate_of_cost(__u64 ticks)
{
	__u64 exact, scale = NS_PER_SEC, round;

	if (!ticks)
		return 0;
	exact = ((NS_PER_SEC >> DG_TICK_SHIFT) + ticks / 2) / ticks;
	for (; scale > 1; scale /= 10) {
		round = (exact + scale / 2) / scale * scale;
		if (round && cost_ticks(round) == ticks)
			return round;
	}
	return exact;
}

void dg_rate_read(const struct dg_rate *rate, __u64 *ret_per_sec, __u64 *ret_burst)
{
	*ret_per_sec = rate_of_cost(rate->cost[0]);
	*ret_burst = rate->cost[0] ? rate->ceiling / rate->cost[0] : 0;
}

#define BUDGET_AHEAD_NS (NS_PER_SEC / 10)

void dg_budget_make(__u64 per_sec, struct dg_settings *ret)
{
	ret->budget_cost = per_sec ? cost_ticks(per_sec) : 0;
	ret->budget_ceiling = per_sec ? BUDGET_AHEAD_NS >> DG_TICK_SHIFT : 0;
	if (ret->budget_ceiling < ret->budget_cost)
		ret->budget_ceiling = ret->budget_cost; /* a slow budget still allows one */
}

__u64 dg_budget_read(const struct dg_settings *settings)
{
	return rate_of_cost(settings->budget_cost);
}
