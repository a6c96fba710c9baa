/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sources.h - what the operator says of senders: banned, exempt, client; by prefix, with deadlines.
 *
 * The kernel looks at the longest matching prefix alone, so every change composes anew what each entry inherits from
 * wider ones (abi.h, struct dg_source). The rules:
 *   - exemptions and client marks of wider prefixes add up;
 *   - a wider ban holds below as well, the later deadline counts, except inside a prefix that is exempt from limits:
 *     there the more specific word wins;
 *   - a ban of the very prefix always holds.
 * The caller of everything that changes holds the lock.
 */
#ifndef DG_SOURCES_H
#define DG_SOURCES_H

#include <stdbool.h>

#include "userspace/lib/maps.h"
#include "userspace/lib/values.h"

#define DG_FOR_GOOD (~0ull) /* deadline of a ban without end */

struct dg_source_entry {
	struct dg_prefix prefix;
	struct dg_source source;
};

/* Is every address of narrow one of wide? */
bool dg_prefix_covers(const struct dg_prefix *wide, const struct dg_prefix *narrow);

/* Bans a prefix until a time of CLOCK_MONOTONIC or DG_FOR_GOOD. reason may be NULL. -ENOSPC: table full. */
int dg_source_ban(const struct dg_maps *maps, const struct dg_prefix *prefix, __u64 until_ns,
		  const char *reason, struct dg_error *err);
/* Exempts it from what flags say (DG_SRC_NO_LIMIT, DG_SRC_NO_SINKHOLE) until then; 0 = for good. */
struct dg_exemption {
	__u32 flags;
	__u64 until_ns;
};
int dg_source_exempt(const struct dg_maps *maps, const struct dg_prefix *prefix,
		     struct dg_exemption exemption, const char *reason, struct dg_error *err);
/*
 * Says many at once, in time that grows with their number: of each entry the ban and the exemption that are given replace
 * what was said of its prefix, and so does the reason. Given twice, the later one counts. All or nothing.
 */
int dg_sources_say(const struct dg_maps *maps, const struct dg_source_entry *said, __u32 count,
		   struct dg_error *err);
/* Takes ban and exemption of this very prefix away. -ENOENT (status DG_EXIT_NOT_FOUND): there is none. */
int dg_source_forget(const struct dg_maps *maps, const struct dg_prefix *prefix,
		     struct dg_error *err);
/* The same for many at once, in time that grows with their number; of what nothing is said there is nothing to do. */
int dg_sources_forget(const struct dg_maps *maps, const struct dg_prefix *prefixes, __u32 count,
		      struct dg_error *err);
/* Exactly these prefixes carry the client mark from now on. */
int dg_sources_clients(const struct dg_maps *maps, const struct dg_prefix *prefixes, __u32 count,
		       struct dg_error *err);
/* Removes what is past its deadline. Returns how many bans and exemptions went, or -errno. */
int dg_sources_tidy(const struct dg_maps *maps, __u64 now_ns, struct dg_error *err);

/* All entries of both families, wider before narrower. *ret is malloc'ed. Returns how many, or -errno. */
int dg_sources_list(const struct dg_maps *maps, struct dg_source_entry **ret);

/* The file "sources" in the state directory: bans and exemptions, one a line, deadlines as wall-clock. */
int dg_sources_save(const struct dg_maps *maps, const char *state_dir, struct dg_error *err);
int dg_sources_restore(const struct dg_maps *maps, const char *state_dir, struct dg_error *err);

/* For the file and its tests: one entry as a line without its end, and back. */
#define DG_SOURCE_LINE_MAX 192
char *dg_source_line_text(const struct dg_source_entry *entry, __u64 realtime_offset_ns, char *buf);
int dg_source_line_parse(const char *line, __u64 realtime_offset_ns, struct dg_source_entry *ret,
			 struct dg_error *err);

/* For tests: composes what each of `count` entries (sorted as dg_sources_list() gives them) inherits. */
void dg_sources_compose(struct dg_source_entry *entries, __u32 count);

#endif
