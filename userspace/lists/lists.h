/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lists.h - which lists there are, in order of precedence, and what is known of each.
 *
 * <state dir>/lists/registry.json holds the lists as operators ordered them; lists/NAME/meta.json what came of the last
 * refresh. Readers need no lock: every file is replaced whole. Writers hold dg_lists_lock().
 */
#ifndef DG_LISTS_H
#define DG_LISTS_H

#include <jansson.h>
#include <stdbool.h>

#include "bpf/abi.h"
#include "userspace/lists/dir.h"

#define DG_LIST_SOURCE_MAX 2048
#define DG_LIST_REFRESH_DEFAULT_SEC (24 * 3600)
#define DG_LIST_REFRESH_MIN_SEC 300
#define DG_LIST_SENDERS_MAX 4096 /* of all lists together */

enum dg_list_kind {
	DG_LIST_PATH, /* a file or a directory of files */
	DG_LIST_URL,  /* http or https */
	DG_LIST_AXFR, /* axfr://PRIMARY[:PORT]/ZONE */
};

/* One list as the operator described it. */
struct dg_list_spec {
	char name[DG_TEXT_MAX + 1];
	char source[DG_LIST_SOURCE_MAX]; /* an absolute path, or a URL */
	char format[16];		 /* "auto" or one of dg_list_formats */
	char match[8];			 /* "suffix" or "exact" */
	char answer[96];		 /* as for `block --answer`, or "allow" */
	char tsig_file[256];		 /* key of an axfr:// source, "" = none */
	int ede;			 /* 15 .. 17, 0 = none */
	__u64 refresh_sec;		 /* 0 = as the source says, or the default */
	bool observe;
	bool override; /* the answer goes before those that the feed itself chooses, but not its exceptions */
};

struct dg_registry {
	__u32 lists;
	struct dg_list_spec list[DG_LISTS_MAX]; /* the first one has the highest precedence */
};

extern const char *const dg_list_formats[], *const dg_list_matches[]; /* end with NULL */

/*
 * 1 to DG_TEXT_MAX printable ASCII characters that are safe as a directory's name and in dnsguard-compile's command
 * line: no '/', no ',', no leading '.' or '-', not the name of a file of ours.
 */
int dg_list_name_check(const char *name, struct dg_error *err);
/* Sets source: a path becomes absolute, a URL is checked. -EINVAL. */
int dg_list_source_set(struct dg_list_spec *spec, const char *source, struct dg_error *err);
/*
 * The source as it may be shown: what a URL has of users, passwords and values of a query, which is where tokens stand,
 * becomes "***". Returns buf.
 */
char *dg_list_source_text(const char *source, char buf[DG_LIST_SOURCE_MAX]);
enum dg_list_kind dg_list_kind_of(const struct dg_list_spec *spec);
/* Address, port and zone of an axfr:// source. */
struct dg_list_axfr {
	char host[64], port[6], zone[256];
};
int dg_list_axfr_parse(const char *source, struct dg_list_axfr *ret, struct dg_error *err);
/* Everything but the source: what an operator or a hand-edited file may have got wrong. */
int dg_list_spec_check(const struct dg_list_spec *spec, struct dg_error *err);

/* NULL = no such list. */
struct dg_list_spec *dg_registry_find(struct dg_registry *registry, const char *name);
/* -EEXIST, -ENOSPC. first: before all others, else behind them. */
int dg_registry_add(struct dg_registry *registry, const struct dg_list_spec *spec, bool first,
		    struct dg_error *err);
/* position: 1 = first; beyond the last = last. The list is there. */
void dg_registry_move(struct dg_registry *registry, const char *name, __u32 position);
void dg_registry_remove(struct dg_registry *registry, const char *name);
/* 0 also when there is no file: no lists then. The message names file, line and column. */
int dg_registry_load(const struct dg_dir *lists, struct dg_registry *ret, struct dg_error *err);
int dg_registry_save(const struct dg_dir *lists, const struct dg_registry *registry,
		     struct dg_error *err);

/* ---- the directory -------------------------------------------------------------------------- */

/* <state dir>/lists, judged. make: with everything above it that is ours to make. -ENOENT: no lists yet. */
int dg_lists_open(const char *state_dir, bool make, struct dg_dir *ret, struct dg_error *err);
/* One writer at a time; waits up to 10 s and says which process holds it. */
int dg_lists_lock(const struct dg_dir *lists, int *ret_fd, struct dg_error *err);

/* ---- what is known of a list ---------------------------------------------------------------- */

struct dg_list_counts {
	__u64 lines, bytes, accepted, duplicate, folded, rejected, unsupported, skipped;
	__u64 protected; /* names that were left out because they must not be blocked */
	__u64 senders;	 /* prefixes that are banned or exempted (rpz-client-ip) */
};

/* Times are Unix seconds, 0 = never. */
struct dg_list_meta {
	char format[16]; /* as detected */
	char etag[256], last_modified[64];
	char error[640];     /* why the last refresh failed, "" = it did not */
	__u64 fetched;	     /* last time the source was found good */
	__u64 attempted;     /* last time it was asked */
	__u64 changed;	     /* last time the content became another one */
	__u64 expires;	     /* until when the source says it holds; 0 = it says nothing */
	__u64 interval_sec;  /* how often the content asks to be fetched, 0 = it does not */
	__u64 stale_since;   /* first failed refresh since the last good one, 0 = not stale */
	__u64 failures;	     /* failed refreshes since then */
	__u64 content_inode; /* of the content that the counts belong to, 0 = none yet */
	__u64 generation;    /* of the content: Unix nanoseconds when it was taken over */
	bool directory;	     /* content.d, not content */
	struct dg_list_counts counts;
};

int dg_list_meta_read(const struct dg_dir *list, const char *file, struct dg_list_meta *ret,
		      struct dg_error *err); /* -ENOENT without words */
int dg_list_meta_write(const struct dg_dir *list, const char *file, const struct dg_list_meta *meta,
		       struct dg_error *err);
json_t *dg_list_meta_json(const struct dg_list_meta *meta);
json_t *dg_list_spec_json(const struct dg_list_spec *spec);

/* A list with what is known of it; for status and metrics: cost grows with lists, not with names. */
struct dg_list_state {
	struct dg_list_spec spec;
	struct dg_list_meta meta;
};
/* All lists in order. *ret is malloc'ed. Returns how many; 0 also when nothing was ever added. */
int dg_lists_read(const char *state_dir, struct dg_list_state **ret, struct dg_error *err);
/*
 * Unix seconds when the next refresh is due by the list's own words, before what is configured as default and any jitter:
 * the daemon's business, whose word schedule.h has. A path is refreshed when it changes: 0.
 */
__u64 dg_list_due(const struct dg_list_spec *spec, const struct dg_list_meta *meta);

#endif
