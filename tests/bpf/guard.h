/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard.h - a private guard under examination: loaded, given a state, shown frames, read out.
 *
 * For the tools of this room. Nothing is pinned or attached; keys and secrets are fixed, so that a row means the
 * same on every kernel. It knows maps and the probe, never the program's source.
 */
#ifndef DG_TEST_GUARD_H
#define DG_TEST_GUARD_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "loader/loader.h"
#include "userspace/lib/image.h"
#include "userspace/lib/own.h"
#include "userspace/lib/stats.h"
#include "userspace/lib/values.h"

#define GUARD_FRAME_MAX 4096
#define GUARD_SECRET 0x5eed5eed5eed5eedull
#define GUARD_SLOT 1
#define GUARD_TRACKED 8 /* services and lists whose counters a row can name */
#define GUARD_SECOND 1000000000ull

#define GUARD_MAPPED 8 /* tables that a reset empties in place */

struct guard {
	struct dg_maps maps;
	struct {
		int map;
		size_t bytes;
		void *at; /* NULL = free */
	} mapped[GUARD_MAPPED];
	int prog;
	struct dg_settings base, settings; /* what every scene starts from; what holds now */
	struct dg_iface iface;
	__u64 limiter_bytes;
	__u32 services, service_slot[GUARD_TRACKED];
	int published;
	struct dg_image_builder *builder;
};

/* Everything a row can move. */
struct guard_counts {
	struct dg_stats stats;
	struct dg_list_stats list[GUARD_TRACKED];
	struct dg_service_stats service; /* summed over the tracked ones */
	struct dg_tcp_stats tcp;
};

/* One frame shown to the program, and what came of it. */
struct guard_run {
	struct dg_probe probe;
	__u8 frame[GUARD_FRAME_MAX];
	__u32 frame_len;
	__u32 action;
};

static inline void guard_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void guard_note(const char *format, ...)
{
	va_list args;

	fputs("# ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* ---- TAP ------------------------------------------------------------------------------------ */

static struct {
	unsigned int number, failed;
} tap;

static inline void ok(int held, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void ok(int held, const char *format, ...)
{
	va_list args;

	tap.failed += !held;
	printf("%s %u - ", held ? "ok" : "not ok", ++tap.number);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/* What a test cannot go on without: 0, or -errno, or anything else with errno. */
static inline void must(int ret, const char *what)
{
	if (!ret)
		return;
	printf("Bail out! %s: %s\n", what, strerror(ret < 0 ? -ret : errno));
	exit(2);
}

/* The plan, which says that all of it was run. The exit status. */
static inline int tap_end(void)
{
	printf("1..%u\n", tap.number);
	return tap.failed ? 1 : 0;
}

/* ---- the settings every scene starts from ---------------------------------------------------- */

/* The settings every scene starts from: sinkhole and sources enforce, limits off. */
static inline int guard_base_settings(struct dg_settings *ret)
{
	static const __u64 hash_key[4] = { 0x0123456789abcdef, 0xfedcba9876543210,
					   0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f };
	int err = dg_settings_default(ret, NULL);

	if (err)
		return err;
	ret->abi_version = DG_ABI_VERSION;
	ret->limit_mode = DG_OFF;
	ret->syn_mode = DG_OFF;
	ret->sinkhole_mode = DG_ENFORCE;
	ret->source_mode = DG_ENFORCE;
	ret->paused_until_ns = 0;
	memset(ret->ports, 0, sizeof(ret->ports));
	ret->ports[0] = htobe16(53);
	ret->flags = DG_SET_EDE_TEXT;
	ret->slip = 0;
	ret->budget_cost = 0;
	ret->budget_ceiling = 0;
	ret->negative_ttl = 60;
	ret->address_ttl = 60;
	memcpy(ret->hash_key, hash_key, sizeof(hash_key));
	ret->limit_key[0] = 0x243f6a8885a308d3;
	ret->limit_key[1] = 0x13198a2e03707344;
	ret->probe_secret = GUARD_SECRET;
	ret->realtime_offset_ns = 1700000000 * GUARD_SECOND;
	ret->watch_until_ns = 0;
	return 0;
}

static inline int guard_load(struct guard *guard, __u64 limiter_bytes)
{
	struct dg_error err = { .text = "" };
	int ret;

	*guard = (struct guard){ .maps = DG_MAPS_NONE, .prog = -1, .limiter_bytes = limiter_bytes };
	ret = guard_base_settings(&guard->settings);
	if (!ret)
		ret = dg_load_private(&guard->settings, limiter_bytes, GUARD_SLOT, &guard->maps,
				      &guard->prog, &err);
	if (!ret)
		ret = dg_settings_read(&guard->maps, &guard->settings);
	guard->base = guard->settings;
	if (ret)
		printf("Bail out! cannot load the program: %s (%s)\n", strerror(-ret), err.text);
	return ret;
}

static inline void guard_unload(struct guard *guard)
{
	for (int i = 0; i < GUARD_MAPPED && guard->mapped[i].at; i++)
		munmap(guard->mapped[i].at, guard->mapped[i].bytes);
	dg_image_builder_free(&guard->builder);
	dg_maps_close(&guard->maps);
	dg_close_fd(&guard->prog);
}

/* Counters by CPU, and the turn of the slip, are those of one CPU then. */
static inline int guard_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static inline int guard_write_settings(struct guard *guard)
{
	return dg_settings_write(&guard->maps, &guard->settings);
}

/* ---- back to the base state ----------------------------------------------------------------- */

/* Deletes every key of a hash or trie. */
static inline int guard_clear_keys(int map)
{
	__u8 key[32];
	int ret = 0;

	while (!ret && !bpf_map_get_next_key(map, NULL, key))
		ret = bpf_map_delete_elem(map, key);
	return ret;
}

/* Mapped once: that takes longer than the emptying. */
static inline int guard_zero_mapped(struct guard *guard, int map, size_t bytes)
{
	void *at;
	int i = 0;

	while (i < GUARD_MAPPED && guard->mapped[i].at && guard->mapped[i].map != map)
		i++;
	if (i == GUARD_MAPPED)
		return -E2BIG;
	if (!guard->mapped[i].at) {
		at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
		if (at == MAP_FAILED)
			return -errno;
		guard->mapped[i].map = map;
		guard->mapped[i].bytes = bytes;
		guard->mapped[i].at = at;
	}
	memset(guard->mapped[i].at, 0, bytes);
	return 0;
}

static inline int guard_write_iface(struct guard *guard)
{
	__u32 slot = GUARD_SLOT;

	return bpf_map_update_elem(guard->maps.dg_ifaces, &slot, &guard->iface, BPF_ANY);
}

static inline int guard_reset_iface(struct guard *guard)
{
	static const __u8 mac[6] = { 2, 0, 0, 0, 0, 0x53 };

	guard->iface = (struct dg_iface){ .name = "test", .ifindex = 1, .flags = DG_IF_USED };
	memcpy(guard->iface.mac[0], mac, sizeof(mac));
	return guard_write_iface(guard);
}

static inline int guard_reset_memory(struct guard *guard)
{
	__u32 zero = 0;
	__u64 none = 0;
	int ret = guard_zero_mapped(guard, guard->maps.dg_limiter, guard->limiter_bytes);

	if (!ret)
		ret = guard_zero_mapped(guard, guard->maps.dg_syn_seen,
					DG_SYN_BUCKETS * sizeof(struct dg_syn_bucket));
	if (!ret)
		ret = guard_zero_mapped(guard, guard->maps.dg_flows,
					DG_FLOW_BUCKETS * sizeof(struct dg_flow_bucket));
	if (!ret)
		ret = guard_zero_mapped(guard, guard->maps.dg_tcp_shares,
					DG_SHARE_LINES * sizeof(struct dg_share_line));
	if (!ret)
		ret = guard_clear_keys(guard->maps.dg_reaped);
	if (!ret)
		ret = guard_zero_mapped(guard, guard->maps.dg_own_filter,
					DG_OWN_FILTER_WORDS * sizeof(__u64));
	if (!ret)
		ret = guard_zero_mapped(guard, guard->maps.dg_services,
					DG_SERVICE_BUCKETS * sizeof(struct dg_service_bucket));
	if (!ret)
		ret = bpf_map_update_elem(guard->maps.dg_budget, &zero, &none, BPF_ANY);
	return ret;
}

/* Counters and the slip's turn, on every CPU. */
static inline int guard_reset_stats(struct guard *guard)
{
	int cpus = libbpf_num_possible_cpus();
	dg_scoped_free void *zeros = calloc(cpus > 0 ? cpus : 1, sizeof(struct dg_stats));
	__u32 slot = GUARD_SLOT;

	return zeros ? bpf_map_update_elem(guard->maps.dg_stats, &slot, zeros, BPF_ANY) : -ENOMEM;
}

static inline int guard_unpublish(struct guard *guard)
{
	dg_image_builder_free(&guard->builder);
	guard->builder = NULL;
	if (!guard->published)
		return 0;
	guard->published = 0;
	return dg_image_drop(&guard->maps, NULL);
}

static inline int guard_reset(struct guard *guard)
{
	int ret = guard_unpublish(guard);

	guard->settings = guard->base;
	guard->services = 0;
	if (!ret)
		ret = guard_clear_keys(guard->maps.dg_own);
	if (!ret)
		ret = guard_clear_keys(guard->maps.dg_sources4);
	if (!ret)
		ret = guard_clear_keys(guard->maps.dg_sources6);
	if (!ret)
		ret = guard_reset_memory(guard);
	if (!ret)
		ret = guard_reset_stats(guard);
	if (!ret)
		ret = guard_reset_iface(guard);
	if (!ret)
		ret = guard_write_settings(guard);
	return ret;
}

/* ---- state ---------------------------------------------------------------------------------- */

static inline int guard_service(struct guard *guard, const char *text, __u32 flags)
{
	struct dg_prefix prefix;
	__u32 slot;
	int ret = dg_prefix_parse(text, &prefix, NULL);

	if (!ret)
		ret = dg_service_set(&guard->maps, prefix.addr, flags, &slot);
	if (!ret && guard->services < GUARD_TRACKED)
		guard->service_slot[guard->services++] = slot;
	return ret;
}

/* Straight into the trie: what userspace composes is not under examination here. */
static inline int guard_source(struct guard *guard, const char *text, __u32 flags,
			       __u64 banned_until_ns)
{
	struct dg_source source = { .flags = flags,
				    .own_flags = flags,
				    .banned_until_ns = banned_until_ns };
	struct dg_source_key_v6 key;
	struct dg_prefix prefix;
	int ret = dg_prefix_parse(text, &prefix, NULL);

	if (ret)
		return ret;
	guard->settings.source_rules[prefix.family]++;
	key.bits = prefix.bits;
	if (prefix.family ==
	    DG_IPV4) /* the last 4 of the 16 octets; the shorter key is a prefix of the longer */
		memcpy(key.addr, (__u8 *)&prefix.addr + 12, 4);
	else
		memcpy(key.addr, &prefix.addr, 16);
	ret = bpf_map_update_elem(prefix.family == DG_IPV4 ? guard->maps.dg_sources4 :
							     guard->maps.dg_sources6,
				  &key, &source, BPF_ANY);
	return ret ? ret : guard_write_settings(guard);
}

/* ---- running -------------------------------------------------------------------------------- */

/* Shows run->frame to the program at now_ns; the frame and the probe come back as the program left them. */
static inline int guard_show(const struct guard *guard, struct guard_run *run, __u64 now_ns,
			     __u8 probe_flags)
{
	__u8 in[sizeof(struct dg_probe) + GUARD_FRAME_MAX], out[2 * sizeof(in)];
	struct xdp_md ctx = { .data = sizeof(struct dg_probe),
			      .data_end = sizeof(struct dg_probe) + run->frame_len };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = ctx.data_end,
		    .data_out = out, .data_size_out = sizeof(out), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);
	int ret;

	run->probe =
		(struct dg_probe){ .secret = GUARD_SECRET, .now_ns = now_ns, .flags = probe_flags };
	memcpy(in, &run->probe, sizeof(run->probe));
	memcpy(in + sizeof(run->probe), run->frame, run->frame_len);
	ret = bpf_prog_test_run_opts(guard->prog, &opts);
	if (ret)
		return ret;
	if (opts.data_size_out < sizeof(run->probe) ||
	    opts.data_size_out > sizeof(run->probe) + sizeof(run->frame))
		return -EMSGSIZE;
	memcpy(&run->probe, out, sizeof(run->probe));
	run->frame_len = opts.data_size_out - sizeof(run->probe);
	memcpy(run->frame, out + sizeof(run->probe), run->frame_len);
	run->action = opts.retval;
	return 0;
}

/* ---- reading out ---------------------------------------------------------------------------- */

/* Adds up one element of a per-CPU array of plain __u64 structs. */
static inline int guard_sum(int map, __u32 index, __u64 *ret_sum, size_t size)
{
	int cpus = libbpf_num_possible_cpus();
	dg_scoped_free __u64 *values = calloc(cpus > 0 ? cpus : 1, size);
	size_t words = size / sizeof(__u64);
	int ret;

	if (cpus < 0 || !values)
		return -ENOMEM;
	ret = bpf_map_lookup_elem(map, &index, values);
	for (size_t i = 0; !ret && i < cpus * words; i++)
		ret_sum[i % words] += values[i];
	return ret;
}

/* The same of the tracked lists, in one call. */
static inline int guard_sum_lists(int map, struct dg_list_stats ret_list[GUARD_TRACKED])
{
	int cpus = libbpf_num_possible_cpus();
	const size_t words = sizeof(*ret_list) / sizeof(__u64);
	dg_scoped_free __u64 *values =
		calloc(cpus > 0 ? cpus : 1, GUARD_TRACKED * sizeof(*ret_list));
	__u32 keys[GUARD_TRACKED], next, count = GUARD_TRACKED;
	int ret;

	if (cpus < 0 || !values)
		return -ENOMEM;
	ret = bpf_map_lookup_batch(map, NULL, &next, keys, values, &count, NULL);
	for (size_t i = 0; !ret && i < GUARD_TRACKED * cpus * words; i++)
		ret_list[keys[i / words / cpus]].answers[i % words] += values[i];
	return ret;
}

static inline int guard_read(const struct guard *guard, struct guard_counts *ret_counts)
{
	int ret;

	memset(ret_counts, 0, sizeof(*ret_counts));
	ret = guard_sum(guard->maps.dg_stats, GUARD_SLOT, (__u64 *)&ret_counts->stats,
			sizeof(ret_counts->stats));
	if (!ret)
		ret = guard_sum_lists(guard->maps.dg_list_stats, ret_counts->list);
	for (__u32 i = 0; !ret && i < guard->services; i++)
		ret = guard_sum(guard->maps.dg_svc_stats, guard->service_slot[i],
				(__u64 *)&ret_counts->service, sizeof(ret_counts->service));
	if (!ret)
		ret = guard_sum(guard->maps.dg_tcp_stats, 0, (__u64 *)&ret_counts->tcp,
				sizeof(ret_counts->tcp));
	return ret;
}

#endif
