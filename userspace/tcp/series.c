// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * series.c - the levels of the last seconds, second by second, from the books of a listener.
 *
 * The kernel books a second only when something changes in it. So what a forecast looks back upon is there at once, for
 * whoever asks, and outlives a daemon.
 */
#include "userspace/tcp/tcp.h"

#define NS_PER_SEC 1000000000ull
#define SECOND_VALUE ((1ull << DG_TCP_SECOND_SHIFT) - 1)

#define load(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

/*
 * What is booked of a second, and how many there were before it: at least the peak without those that came. Where
 * others went in the same second it is more, but then the second before is most likely booked too. false = nothing changed in it, or it is too long ago. */
static bool second_read(const struct dg_tcp_row *row, __u64 second, double *ret_peak,
			double *ret_before)
{
	const struct dg_tcp_second *cell = &row->second[second & (DG_TCP_SECONDS - 1)];
	__u64 peak = load(cell->peak), opened = load(cell->opened);

	if (peak >> DG_TCP_SECOND_SHIFT != second)
		return false;
	peak &= SECOND_VALUE;
	opened = opened >> DG_TCP_SECOND_SHIFT == second ? opened & SECOND_VALUE : 0;
	*ret_peak = (double)peak;
	*ret_before = peak > opened ? (double)(peak - opened) : 0;
	return true;
}

void dg_tcp_series(const struct dg_tcp_row *row, __u64 now_ns, double *ret, unsigned int count)
{
	__u64 second = now_ns / NS_PER_SEC;
	__s64 connections = load(row->connections);
	double level = connections > 0 ? (double)connections : 0;

	for (unsigned int i = count; i-- > 0; second--) {
		double peak, before;

		ret[i] = level;
		if (!second_read(row, second, &peak, &before))
			continue;
		ret[i] = peak > level ? peak : level;
		level = before;
	}
}

void dg_tcp_series_add(const struct dg_tcp_row *row, __u64 now_ns, double *levels,
		       unsigned int count)
{
	double one[DG_TCP_SECONDS];

	count = count < DG_TCP_SECONDS ? count : DG_TCP_SECONDS;
	dg_tcp_series(row, now_ns, one, count);
	for (unsigned int second = 0; second < count; second++)
		levels[second] += one[second];
}
