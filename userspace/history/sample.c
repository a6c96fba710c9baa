// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sample.c - the kernel's tables as one sample of the history.
 */
#include "userspace/history/sample.h"

#include <bpf/bpf.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "userspace/lib/names.h"
#include "userspace/lib/stats.h"
#include "userspace/tcp/tcp.h"

#define PEAK_SECONDS 60
#define NAMES_MAX (DG_TCP_NAME_SETS * DG_TCP_NAME_WAYS)

static int counters_read(const struct dg_maps *maps, struct dg_history_sample *ret)
{
	dg_scoped_free struct dg_snapshot *snapshot = malloc(sizeof(*snapshot));
	int failed = snapshot ? dg_snapshot_read(maps, snapshot) : -ENOMEM;

	if (failed)
		return failed;
	for (int f = 0; f < DG_FAMILY_COUNT; f++) {
		ret->tcp_queries += snapshot->total.queries[f][DG_TCP];
		for (int t = 0; t < DG_TRANSPORT_COUNT; t++)
			ret->queries += snapshot->total.queries[f][t];
	}
	return 0;
}

/* Whose quota the listener draws on with others; 0 = on one of its own. */
static __s64 sharer_of(const struct dg_quota_sharers *sharers, const struct dg_tcp_key *key)
{
	char name[DG_TCP_KEY_TEXT];

	dg_tcp_key_text(key, name);
	for (unsigned int i = 0; i < sharers->count; i++)
		if (!strcmp(sharers->of[i].listener, name))
			return sharers->of[i].pid;
	return 0;
}

/* Most connections at one time of all that draw on the quota of a process, in the last minute. */
static __u64 shared_peak(const struct dg_tcp_books *books, const struct dg_quota_sharers *sharers,
			 __s64 pid, __u64 now_ns)
{
	double levels[PEAK_SECONDS] = { 0 }, peak = 0;

	for (__u32 i = 0; i < books->count; i++) {
		const struct dg_tcp_row *row = &books->row[books->at[i]];

		if (sharer_of(sharers, &books->key[i]) == pid)
			dg_tcp_series_add(row, now_ns, levels, PEAK_SECONDS);
	}
	for (int second = 0; second < PEAK_SECONDS; second++)
		peak = levels[second] > peak ? levels[second] : peak;
	return (__u64)peak;
}

static void peak_read(const struct dg_maps *maps, const struct dg_quota_sharers *sharers,
		      struct dg_history_sample *ret)
{
	struct dg_tcp_books books dg_scoped(dg_tcp_books_close) = DG_TCP_BOOKS_NONE;
	const __u64 now_ns = dg_now_ns();

	if (dg_tcp_books_open(maps, &books))
		return;
	for (__u32 i = 0; i < books.count; i++) {
		const struct dg_tcp_row *row = &books.row[books.at[i]];
		const __s64 pid = sharer_of(sharers, &books.key[i]);
		const __u64 peak = pid ? shared_peak(&books, sharers, pid, now_ns) :
					 dg_tcp_peak_minute(row, now_ns);

		ret->tcp_peak = peak > ret->tcp_peak ? peak : ret->tcp_peak;
	}
}

/* The kernel may be writing this very entry: labels that do not end where the name does are none. */
static int is_whole(const struct dg_tcp_name *entry)
{
	unsigned int at = 0;

	while (at < entry->name_len && entry->name[at])
		at += 1u + entry->name[at];
	return at + 1 == entry->name_len;
}

static int entry_read(const struct dg_tcp_name *entry, struct dg_history_name *ret)
{
	if (!entry->count || !is_whole(entry))
		return 0;
	dg_name_text(entry->name, entry->name_len, ret->name);
	for (char *p = ret->name; *p; p++)
		*p = (char)tolower(
			(unsigned char)*p); /* 0x20 case is the sender's, not the name's */
	ret->qtype = entry->qtype;
	ret->count = entry->count;
	ret->first_ns = entry->first_ns;
	return 1;
}

static int names_read(const struct dg_maps *maps, struct dg_history_sample *ret)
{
	struct dg_history_name *names dg_scoped_free = calloc(NAMES_MAX, sizeof(*names));
	struct dg_tcp_name_set set;

	if (!names)
		return -ENOMEM;
	for (__u32 i = 0; i < DG_TCP_NAME_SETS; i++) {
		if (bpf_map_lookup_elem(maps->dg_tcp_names, &i, &set))
			return -errno;
		for (int way = 0; way < DG_TCP_NAME_WAYS; way++)
			if (set.weight[way])
				ret->names += (unsigned int)entry_read(&set.name[way],
								       &names[ret->names]);
	}
	ret->name = dg_take_ptr(names);
	return 0;
}

int dg_history_sample_read(const struct dg_maps *maps, const struct dg_quota_sharers *sharers,
			   struct dg_history_sample *ret)
{
	struct dg_history_sample sample = { .unix_s = (__u64)time(NULL) };
	int failed = counters_read(maps, &sample);

	if (!failed && sharers)
		peak_read(maps, sharers, &sample);
	if (!failed)
		failed = names_read(maps, &sample);
	if (!failed)
		*ret = sample;
	return failed;
}
