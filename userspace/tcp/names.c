// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * names.c - reads the kernel's table of names asked over TCP, and knows the rows of the types.
 *
 * The work is bounded by the table, not by what was asked.
 */
#include "userspace/tcp/names.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define BATCH 64

static const char *const qtype_labels[DG_QTYPE_COUNT] = { [DG_QTYPE_OTHER] = "other",
							  [DG_QTYPE_UNREAD] = "unread",
#define DG_QTYPE_LABEL(id, qtype, label) [DG_QTYPE_##id] = label,
							  DG_QTYPES(DG_QTYPE_LABEL)
#undef DG_QTYPE_LABEL
};

const char *dg_qtype_label(enum dg_qtype row)
{
	return row < DG_QTYPE_COUNT ? qtype_labels[row] : "unknown";
}

struct most {
	struct dg_tcp_name *name; /* the most asked first */
	__u32 count, max;
};

static void most_insert(struct most *most, const struct dg_tcp_name *name)
{
	__u32 at = most->count;

	if (at == most->max && name->count <= most->name[at - 1].count)
		return;
	if (at == most->max)
		at--;
	else
		most->count++;
	for (; at && most->name[at - 1].count < name->count; at--)
		most->name[at] = most->name[at - 1];
	most->name[at] = *name;
}

/* The kernel may be writing this very entry: labels that do not end where the name does are none. */
static bool is_whole(const struct dg_tcp_name *name)
{
	__u32 at = 0;

	while (at < name->name_len && name->name[at])
		at += 1u + name->name[at];
	return at + 1 == name->name_len;
}

static void set_insert(struct most *most, const struct dg_tcp_name_set *set, __u64 since_ns)
{
	for (int way = 0; way < DG_TCP_NAME_WAYS; way++)
		if (set->weight[way] && set->name[way].count &&
		    set->name[way].last_ns >= since_ns && is_whole(&set->name[way]))
			most_insert(most, &set->name[way]);
}

int dg_names_asked_read(int map_fd, __u64 since_ns, struct dg_tcp_name *ret, __u32 max)
{
	dg_scoped_free struct dg_tcp_name_set *sets = malloc(BATCH * sizeof(*sets));
	struct most most = { .name = ret, .max = max };
	__u32 keys[BATCH], next = 0, count;
	int status = 0;

	if (!sets)
		return -ENOMEM;
	for (void *from = NULL; max && !status; from = &next) {
		count = BATCH;
		status = bpf_map_lookup_batch(map_fd, from, &next, keys, sets, &count, NULL) ?
				 -errno :
				 0;
		if (status && status != -ENOENT)
			return status;
		for (__u32 i = 0; i < count; i++)
			set_insert(&most, &sets[i], since_ns);
	}
	return (int)most.count; /* -ENOENT marks the end */
}
