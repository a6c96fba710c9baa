// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * progress.c - says how far it is to whoever waits: one JSON object a line, five a second at most.
 *
 * A reader that has gone away is no reason to stop.
 */
#include "userspace/compile/plan.h"

#include <jansson.h>
#include <time.h>

#define TELL_EVERY_NS 200000000ull

static __u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (__u64)now.tv_sec * 1000000000ull + (__u64)now.tv_nsec;
}

void dg_progress_begin(struct dg_progress *progress, const struct dg_plan *plan)
{
	*progress = (struct dg_progress){ .plan = plan };
	for (__u32 i = 0; i < plan->files; i++)
		progress->bytes_total += plan->file[i].bytes;
}

/* Sums over all lists. */
struct sums {
	__u64 lines, entries, folded, rejected;
};

static struct sums sums_of(const struct dg_plan *plan)
{
	struct sums sums = { 0 };

	for (__u32 i = 0; i < plan->lists; i++) {
		sums.lines += plan->list[i].lines;
		sums.entries += plan->list[i].entries;
		sums.folded += plan->list[i].duplicate + plan->list[i].folded;
		sums.rejected += plan->list[i].rejected;
	}
	return sums;
}

void dg_progress_tell(struct dg_progress *progress, const char *phase,
		      const struct dg_plan_list *list, __u64 bytes)
{
	__u64 now;
	struct sums sums;
	json_t *doc;

	if (progress->plan->progress_fd < 0)
		return;
	now = now_ns();
	if (now - progress->told_ns < TELL_EVERY_NS)
		return;
	progress->told_ns = now;
	sums = sums_of(progress->plan);
	doc = json_pack("{s:s, s:s%, s:I, s:I, s:I, s:I, s:I, s:I}", "phase", phase, "list",
			list ? list->answer.text : "", list ? (size_t)list->answer.text_len : 0,
			"bytes",
			(json_int_t)(list ? progress->bytes_before + bytes : progress->bytes_total),
			"bytes_total", (json_int_t)progress->bytes_total, "lines",
			(json_int_t)sums.lines, "accepted", (json_int_t)sums.entries, "folded",
			(json_int_t)sums.folded, "rejected", (json_int_t)sums.rejected);
	if (doc && !json_dumpfd(doc, progress->plan->progress_fd, JSON_COMPACT))
		(void)!write(progress->plan->progress_fd, "\n", 1);
	json_decref(doc);
}
