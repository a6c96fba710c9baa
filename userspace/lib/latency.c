// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * latency.c - sums the kernel's buckets of response times, and finds the share of them that lies below a time.
 */
#include "userspace/lib/latency.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#define US_PER_SEC 1e6

/* ---- one kind ------------------------------------------------------------------------------- */

static void buckets_add(__u64 to[DG_LATENCY_BUCKETS], const __u64 from[DG_LATENCY_BUCKETS],
			__u64 *total)
{
	for (__u32 i = 0; i < DG_LATENCY_BUCKETS; i++) {
		to[i] += from[i];
		*total += from[i];
	}
}

/* A CPU that has seen no answer for a while still has old turns. */
static bool turn_is_recent(const struct dg_latency_turn *turn, __u64 now_ns)
{
	return (now_ns >> DG_LATENCY_TURN_SHIFT) - turn->turn < DG_LATENCY_TURNS;
}

static void cpu_add(struct dg_latency_view *view, const struct dg_latency *cpu, __u64 now_ns)
{
	view->asked += cpu->asked;
	view->displaced += cpu->displaced;
	view->sum_ns += cpu->sum_ns;
	buckets_add(view->bucket, cpu->bucket, &view->answers);
	for (__u32 i = 0; i < DG_LATENCY_TURNS; i++)
		if (turn_is_recent(&cpu->recent[i], now_ns))
			buckets_add(view->recent, cpu->recent[i].bucket, &view->recent_answers);
}

static int kind_read(int map_fd, __u32 kind, __u64 now_ns, struct dg_latency_view *ret)
{
	int cpus = libbpf_num_possible_cpus();
	dg_scoped_free struct dg_latency *room =
		cpus < 0 ? NULL : calloc((size_t)cpus, sizeof(*room));

	if (!room)
		return cpus < 0 ? cpus : -ENOMEM;
	if (bpf_map_lookup_elem(map_fd, &kind, room))
		return -errno;
	memset(ret, 0, sizeof(*ret));
	for (int cpu = 0; cpu < cpus; cpu++)
		cpu_add(ret, &room[cpu], now_ns);
	return 0;
}

/* ---- who still waits ------------------------------------------------------------------------ */

static bool cell_waits(__u64 cell, __u64 now_ns)
{
	const __u64 mask = (1ull << DG_ASKED_TIME_BITS) - 1;
	__u64 age = ((now_ns >> DG_ASKED_TIME_SHIFT) - cell) & mask;

	return cell && age < DG_ASKED_WINDOW_NS >> DG_ASKED_TIME_SHIFT;
}

/* Queries that may be answered yet. Through shared memory: a system call a bucket would take milliseconds. */
static int waiting_count(int map_fd, __u64 now_ns, __u64 *ret)
{
	const size_t bytes = DG_ASKED_BUCKETS * sizeof(struct dg_asked_bucket);
	const __u64 *cells = mmap(NULL, bytes, PROT_READ, MAP_SHARED, map_fd, 0);

	if (cells == MAP_FAILED)
		return -errno;
	*ret = 0;
	for (size_t i = 0; i < bytes / sizeof(*cells); i++)
		*ret += cell_waits(__atomic_load_n(&cells[i], __ATOMIC_RELAXED), now_ns);
	munmap((void *)cells, bytes);
	return 0;
}

/* ---- all ------------------------------------------------------------------------------------ */

int dg_latency_read(const struct dg_maps *maps, __u64 now_ns,
		    struct dg_latency_view ret[DG_LATENCY_KINDS])
{
	struct dg_latency_view *udp = &ret[DG_LATENCY_UDP];
	__u64 waiting = 0, settled;
	int status = waiting_count(maps->dg_asked, now_ns, &waiting);

	for (__u32 kind = 0; !status && kind < DG_LATENCY_KINDS; kind++)
		status = kind_read(maps->dg_latency, kind, now_ns, &ret[kind]);
	if (status)
		return status;
	settled = udp->answers + udp->displaced + waiting;
	udp->unanswered = udp->asked > settled ? udp->asked - settled : 0;
	return 0;
}

static __u64 begin_us(__u32 bucket)
{
	return bucket ? dg_latency_end_us(bucket - 1) : 0;
}

double dg_latency_quantile(const __u64 bucket[DG_LATENCY_BUCKETS], double share)
{
	double total = 0, rank, below = 0;

	for (__u32 i = 0; i < DG_LATENCY_BUCKETS; i++)
		total += (double)bucket[i];
	rank = share * total;
	for (__u32 i = 0; i < DG_LATENCY_BUCKETS; i++) {
		double begin = (double)begin_us(i), width = (double)dg_latency_end_us(i) - begin;

		/* Within a bucket as if they lay evenly. */
		if (bucket[i] && below + (double)bucket[i] >= rank)
			return (begin + width * (rank - below) / (double)bucket[i]) / US_PER_SEC;
		below += (double)bucket[i];
	}
	return -1;
}

__u32 dg_latency_sample(const struct dg_settings *settings)
{
	return settings->asked_below ? (__u32)((1ull << 32) / settings->asked_below) : 0;
}
