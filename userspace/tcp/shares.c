// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shares.c - the table of connections by source, from this side: the same cells, changed by the same compare-and-swap.
 */
#include "userspace/tcp/shares.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "bpf/hash.h"

#define TABLE_BYTES (DG_SHARE_LINES * sizeof(struct dg_share_line))
#define COUNT_MASK ((1ull << DG_SHARE_COUNT_BITS) - 1)

#define load(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)

int dg_tcp_shares_open(const struct dg_maps *maps, struct dg_tcp_shares *ret)
{
	struct dg_settings settings;
	int status = dg_settings_read(maps, &settings);
	void *at;

	*ret = DG_TCP_SHARES_NONE;
	if (status)
		return status;
	at = mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, maps->dg_tcp_shares, 0);
	if (at == MAP_FAILED)
		return -errno;
	ret->line = at;
	memcpy(ret->key, settings.limit_key, sizeof(ret->key));
	return 0;
}

void dg_tcp_shares_close(struct dg_tcp_shares *shares)
{
	if (shares->line)
		munmap(shares->line, TABLE_BYTES);
	*shares = DG_TCP_SHARES_NONE;
}

struct dg_addr dg_tcp_share_prefix(struct dg_addr addr, __u32 rung)
{
	dg_share_prefix(&addr.hi, &addr.lo, rung);
	return addr;
}

/* ---- one cell ------------------------------------------------------------------------------- */

static bool counts(__u64 cell, __u64 id)
{
	return cell && !((cell ^ id) >> DG_SHARE_COUNT_BITS);
}

static __u64 line_count(const struct dg_share_line *line, __u64 id)
{
	__u64 count = 0;

	for (int i = 0; i < DG_SHARE_WAYS; i++) {
		__u64 cell = load(line->cell[i]);

		count += counts(cell, id) ? cell & COUNT_MASK : 0;
	}
	return count;
}

/* The way that counts id, else a free one; -1: neither. */
static int line_way(const struct dg_share_line *line, __u64 id)
{
	int way = -1;

	for (int i = 0; i < DG_SHARE_WAYS; i++) {
		__u64 cell = load(line->cell[i]);

		if (counts(cell, id))
			return i;
		way = !cell && way < 0 ? i : way;
	}
	return way;
}

static bool line_move(struct dg_share_line *line, __u64 id, __s64 by)
{
	__u64 seen, next;
	__s64 count;
	int way;

	do {
		way = line_way(line, id);
		if (way < 0)
			return false;
		seen = load(line->cell[way]);
		if (seen && !counts(seen, id))
			continue; /* taken in this moment */
		count = (__s64)(seen & COUNT_MASK) + by;
		count = count > (__s64)COUNT_MASK ? (__s64)COUNT_MASK : count;
		next = count > 0 ? id | (__u64)count : 0;
		if (__atomic_compare_exchange_n(&line->cell[way], &seen, next, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return true;
	} while (true);
}

static struct dg_share_line *line_of(const struct dg_tcp_shares *shares, struct dg_addr addr,
				     __u32 rung, __u64 *ret_id)
{
	__u64 hash = dg_hash_share(addr.hi, addr.lo, rung, shares->key);

	*ret_id = hash & ~COUNT_MASK;
	return &shares->line[hash & (DG_SHARE_LINES - 1)];
}

__u64 dg_tcp_shares_count(const struct dg_tcp_shares *shares, struct dg_addr addr, __u32 rung)
{
	__u64 id;
	const struct dg_share_line *line = line_of(shares, addr, rung, &id);

	return line_count(line, id);
}

bool dg_tcp_shares_move(struct dg_tcp_shares *shares, struct dg_addr addr, __u32 rung, __s64 by)
{
	__u64 id;
	struct dg_share_line *line = line_of(shares, addr, rung, &id);

	return line_move(line, id, by);
}

/* ---- a dump --------------------------------------------------------------------------------- */

int dg_tcp_tally_new(const struct dg_tcp_shares *like, struct dg_tcp_tally *ret)
{
	ret->as = *like;
	ret->as.line = calloc(DG_SHARE_LINES, sizeof(struct dg_share_line));
	return ret->as.line ? 0 : -ENOMEM;
}

void dg_tcp_tally_free(struct dg_tcp_tally *tally)
{
	free(tally->as.line);
	tally->as.line = NULL;
}

void dg_tcp_tally_add(struct dg_tcp_tally *tally, struct dg_addr peer)
{
	for (__u32 rung = 0; rung < DG_SHARE_RUNGS; rung++)
		dg_tcp_shares_move(&tally->as, peer, rung, 1);
}

/* ---- set right ------------------------------------------------------------------------------ */

/* One line of each table. */
struct lines {
	struct dg_share_line *now;
	const struct dg_share_line *before, *dumped;
};

/* As rows are corrected (tcp.c): the count before is wrong by no less than `least` and no more than `most`. */
static __s64 id_correct(const struct lines *lines, __u64 id, struct dg_tcp_changes changes)
{
	__s64 wrong = (__s64)line_count(lines->before, id) - (__s64)line_count(lines->dumped, id);
	__s64 least = wrong - (__s64)changes.closed, most = wrong + (__s64)changes.opened;
	__s64 add = least > 0 ? -least : most < 0 ? -most : 0;

	if (!add || !line_move(lines->now, id, add))
		return 0;
	return add < 0 ? -add : add;
}

/* Every id of `from`, each once. */
static __s64 ids_correct(const struct lines *lines, const struct dg_share_line *from,
			 struct dg_tcp_changes changes)
{
	__s64 moved = 0;

	for (int i = 0; i < DG_SHARE_WAYS; i++) {
		__u64 id = from->cell[i] & ~COUNT_MASK;
		bool first = from->cell[i] != 0;

		for (int before = 0; before < i; before++)
			first = first && !counts(from->cell[before], id);
		/* What the dump has as well is seen to when the dump's ids are. */
		if (first && (from == lines->dumped || !line_count(lines->dumped, id)))
			moved += id_correct(lines, id, changes);
	}
	return moved;
}

__s64 dg_tcp_shares_correct(struct dg_tcp_shares *shares, const struct dg_share_line *before,
			    const struct dg_tcp_tally *dumped, struct dg_tcp_changes changes)
{
	__s64 moved = 0;

	for (__u32 i = 0; i < DG_SHARE_LINES; i++) {
		const struct lines lines = { &shares->line[i], &before[i], &dumped->as.line[i] };

		moved += ids_correct(&lines, lines.before, changes);
		moved += ids_correct(&lines, lines.dumped, changes);
	}
	return moved;
}
