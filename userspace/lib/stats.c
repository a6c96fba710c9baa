// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * stats.c - reads the counters once, sums them over CPUs, and knows the rows of the verdict table.
 *
 * The work depends on the number of devices, lists and CPUs, never on how many names or senders there are.
 */
#include "userspace/lib/stats.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "userspace/lib/image.h"

#define NS_PER_SEC 1000000000ull
#define LIMITED_WINDOW_NS (10 * NS_PER_SEC)

/* ---- the verdict table ---------------------------------------------------------------------- */

static const struct {
	const char *label, *help;
	enum dg_action action;
} verdicts[DG_VERDICT_COUNT] = {
#define DG_VERDICT_ROW(id, act, text, sentence) [DG_##id] = { text, sentence, DG_ACT_##act },
	DG_VERDICTS(DG_VERDICT_ROW)
#undef DG_VERDICT_ROW
};

const char *dg_verdict_label(enum dg_verdict verdict)
{
	return verdict < DG_VERDICT_COUNT ? verdicts[verdict].label : "unknown";
}

const char *dg_verdict_help(enum dg_verdict verdict)
{
	return verdict < DG_VERDICT_COUNT ? verdicts[verdict].help : "unknown";
}

enum dg_action dg_verdict_action(enum dg_verdict verdict)
{
	return verdict < DG_VERDICT_COUNT ? verdicts[verdict].action : DG_ACT_PASS;
}

__u64 dg_snapshot_listed(const struct dg_snapshot *snapshot)
{
	__u64 names = 0;

	for (__u32 i = 1; i <= snapshot->image.lists && i <= DG_LISTS_MAX; i++)
		names += snapshot->image_list[i].names;
	return names;
}

int dg_snapshot_enforces(const struct dg_snapshot *snapshot, __u32 at)
{
	const struct dg_settings *settings = &snapshot->settings;

	if (snapshot->iface[at].flags & DG_IF_OBSERVE ||
	    settings->paused_until_ns > snapshot->now_ns)
		return 0;
	return settings->limit_mode == DG_ENFORCE || settings->sinkhole_mode == DG_ENFORCE ||
	       settings->source_mode == DG_ENFORCE || settings->syn_mode == DG_ENFORCE;
}

/* ---- per-CPU values ------------------------------------------------------------------------- */

/* Every counter struct is made of __u64 alone, so that a sum is a sum of words. */
_Static_assert(sizeof(struct dg_stats) % sizeof(__u64) == 0, "words");
_Static_assert(sizeof(struct dg_list_stats) % sizeof(__u64) == 0, "words");
_Static_assert(sizeof(struct dg_tcp_stats) <= sizeof(struct dg_stats), "one room for all");

/* One element of a per-CPU map, added over all CPUs. `room` holds a value for each possible CPU. */
static int percpu_sum(int map_fd, __u32 key, __u64 *room, __u64 *ret, size_t words)
{
	int cpus = libbpf_num_possible_cpus();

	if (bpf_map_lookup_elem(map_fd, &key, room))
		return -errno;
	memset(ret, 0, words * sizeof(*ret));
	for (int cpu = 0; cpu < cpus; cpu++)
		for (size_t i = 0; i < words; i++)
			ret[i] += room[(size_t)cpu * words + i];
	return 0;
}

static void stats_add(struct dg_stats *sum, const struct dg_stats *more)
{
	const __u64 *from = (const __u64 *)more;
	__u64 *to = (__u64 *)sum;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(__u64); i++)
		to[i] += from[i];
}

/* One slot's counters into the total, and into the row of its device when it is in use. */
static int slot_read(const struct dg_maps *maps, __u32 slot, __u64 *room, struct dg_snapshot *ret)
{
	struct dg_iface iface;
	struct dg_stats stats;
	int status = percpu_sum(maps->dg_stats, slot, room, (__u64 *)&stats,
				sizeof(stats) / sizeof(__u64));

	if (status)
		return status;
	stats_add(&ret->total, &stats);
	if (bpf_map_lookup_elem(maps->dg_ifaces, &slot, &iface))
		return -errno;
	if (!(iface.flags & DG_IF_USED))
		return 0;
	ret->iface[ret->ifaces] = iface;
	ret->slot[ret->ifaces] = slot;
	ret->per_iface[ret->ifaces++] = stats;
	return 0;
}

static int counters_read(const struct dg_maps *maps, struct dg_snapshot *ret)
{
	int cpus = libbpf_num_possible_cpus(), status = 0;
	dg_scoped_free __u64 *room =
		cpus < 0 ? NULL : calloc((size_t)cpus, sizeof(struct dg_stats));

	if (!room)
		return cpus < 0 ? cpus : -ENOMEM;
	for (__u32 slot = 0; !status && slot < DG_IF_MAX; slot++)
		status = slot_read(maps, slot, room, ret);
	for (__u32 list = 0; !status && list <= DG_LISTS_MAX; list++)
		status = percpu_sum(maps->dg_list_stats, list, room, (__u64 *)&ret->list[list],
				    sizeof(ret->list[list]) / sizeof(__u64));
	if (!status)
		status = percpu_sum(maps->dg_tcp_stats, 0, room, (__u64 *)&ret->tcp,
				    sizeof(ret->tcp) / sizeof(__u64));
	return status;
}

/* ---- talkers -------------------------------------------------------------------------------- */

#define BATCH 1024

/* Calls back for every talker noted since `since_ns`. Whole batches, for a system call a slot would take 10 ms. */
static int talkers_each(int map_fd, __u64 since_ns,
			void (*visit)(const struct dg_talker *talker, void *arg), void *arg)
{
	dg_scoped_free struct dg_talker *talkers = malloc(BATCH * sizeof(*talkers));
	__u32 keys[BATCH], count = BATCH, next = 0;
	int status = 0;

	if (!talkers)
		return -ENOMEM;
	for (void *from = NULL; !status; from = &next) {
		count = BATCH;
		status = bpf_map_lookup_batch(map_fd, from, &next, keys, talkers, &count, NULL) ?
				 -errno :
				 0;
		if (status && status != -ENOENT)
			return status;
		for (__u32 i = 0; i < count; i++)
			if (talkers[i].count && talkers[i].last_ns >= since_ns)
				visit(&talkers[i], arg);
	}
	return 0; /* -ENOENT marks the end */
}

struct heaviest {
	struct dg_talker *talker; /* heaviest first */
	__u32 count, max;
};

static void heaviest_visit(const struct dg_talker *talker, void *arg)
{
	struct heaviest *heaviest = arg;
	__u32 at = heaviest->count;

	if (at == heaviest->max && talker->count <= heaviest->talker[at - 1].count)
		return;
	if (at == heaviest->max)
		at--;
	else
		heaviest->count++;
	for (; at && heaviest->talker[at - 1].count < talker->count; at--)
		heaviest->talker[at] = heaviest->talker[at - 1];
	heaviest->talker[at] = *talker;
}

int dg_talkers_read(int map_fd, __u64 since_ns, struct dg_talker *ret, __u32 max)
{
	struct heaviest heaviest = { .talker = ret, .max = max };
	int status = max ? talkers_each(map_fd, since_ns, heaviest_visit, &heaviest) : 0;

	return status ? status : (int)heaviest.count;
}

static void count_visit(const struct dg_talker *talker, void *arg)
{
	(void)talker;
	(*(__u32 *)arg)++;
}

/* ---- the snapshot --------------------------------------------------------------------------- */

int dg_snapshot_read(const struct dg_maps *maps, struct dg_snapshot *ret)
{
	int status;

	memset(ret, 0, sizeof(*ret));
	ret->now_ns = dg_now_ns();
	status = dg_settings_read(maps, &ret->settings);
	if (!status)
		status = counters_read(maps, ret);
	if (!status)
		status = dg_image_current(maps, &ret->image, ret->image_list, &ret->image_bytes);
	if (status == -ENOENT)
		status = 0; /* no image */
	if (!status)
		status = talkers_each(
			maps->dg_limited,
			ret->now_ns > LIMITED_WINDOW_NS ? ret->now_ns - LIMITED_WINDOW_NS : 0,
			count_visit, &ret->limited_sources);
	ret->own_entries = ret->settings.own_entries;
	ret->limiter_bytes =
		((__u64)ret->settings.limit_line_mask + 1) * sizeof(struct dg_limit_line);
	return status;
}

/* ---- what the maps take --------------------------------------------------------------------- */

/* memlock of the descriptor's fdinfo: what the kernel says the map takes. */
static __u64 map_bytes(int fd)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	dg_scoped_file FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	return bytes;
}

static int usage_read(int fd, const char *name, struct dg_map_usage *ret)
{
	struct bpf_map_info info = { 0 };
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return -errno;
	*ret = (struct dg_map_usage){ .name = name,
				      .entries = info.max_entries, /* an array is always full */
				      .max_entries = info.max_entries,
				      .bytes = map_bytes(fd) };
	return 0;
}

/* The rows of the maps that fill up one by one; their numbers are kept by those who fill them. */
static void usage_correct(const struct dg_maps *maps, const struct dg_settings *settings,
			  struct dg_map_usage usage[DG_MAP_USAGES])
{
	const int *fds = (const int *)maps;
	struct dg_image_header image = { 0 };
	__u64 image_bytes = 0;

	dg_image_current(maps, &image, NULL, &image_bytes);
	for (size_t i = 0; i < DG_MAP_USAGES; i++) {
		if (fds[i] == maps->dg_own)
			usage[i].entries = settings->own_entries;
		if (fds[i] == maps->dg_sources4)
			usage[i].entries = settings->source_rules[DG_IPV4];
		if (fds[i] == maps->dg_sources6)
			usage[i].entries = settings->source_rules[DG_IPV6];
		if (fds[i] == maps->dg_reaped)
			usage[i].entries = settings->protect.reaped;
		if (fds[i] != maps->dg_image)
			continue;
		usage[i].entries = image.names;
		usage[i].max_entries = image.names;
		usage[i].bytes += image_bytes;
	}
}

int dg_map_usage_read(const struct dg_maps *maps, struct dg_map_usage ret[DG_MAP_USAGES])
{
	const int *fds = (const int *)maps;
	struct dg_settings settings;
	int status = dg_settings_read(maps, &settings);

	for (size_t i = 0; !status && i < DG_MAP_USAGES; i++)
		status = usage_read(fds[i], dg_map_names[i], &ret[i]);
	if (!status)
		usage_correct(maps, &settings, ret);
	return status;
}
