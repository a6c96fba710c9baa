/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * feed.h - what a feed's lines say, in the words that all formats share.
 *
 * The only rooms that see a feed's bytes are feed*.c. A format is a row of a table and a function that
 * reads one line; it says what stands where and decides nothing about lists.
 */
#ifndef DG_FEED_H
#define DG_FEED_H

#include "userspace/compile/bytes.h"
#include "userspace/lib/names.h"
#include "userspace/lib/values.h"

/* X(id, "name"): in the order in which detection prefers them. */
#define DG_FORMATS(X)                                                                              \
	X(HOSTS, "hosts")                                                                          \
	X(DOMAINS, "domains")                                                                      \
	X(WILDCARD, "wildcard")                                                                    \
	X(ADBLOCK, "adblock")                                                                      \
	X(DNSMASQ, "dnsmasq")                                                                      \
	X(UNBOUND, "unbound")                                                                      \
	X(RPZ, "rpz")

#define DG_FORMAT_ID(id, name) DG_FORMAT_##id,
enum dg_format { DG_FORMATS(DG_FORMAT_ID) DG_FORMAT_COUNT };
#undef DG_FORMAT_ID
#define DG_FORMAT_AUTO DG_FORMAT_COUNT

/* What a line says shall become of its name. */
enum dg_say {
	DG_SAY_BLOCK,	/* block it: the list's own answer */
	DG_SAY_KIND,	/* the kind given, not an address */
	DG_SAY_ADDRESS, /* one address; further lines may add one of the other family */
};

struct dg_entry {
	struct dg_name name;
	unsigned int column;
	enum dg_scope scope; /* 0 = the format does not say: exact or suffix, as the list is told */
	enum dg_say say;
	enum dg_answer_kind kind; /* of DG_SAY_KIND */
	unsigned int octets;	  /* of the address: 4 or 16; 0 = an address is still to come */
	unsigned char address[16];
	bool raise; /* above the blocks of its own list, wherever they stand */
	bool stops; /* the name exists: what the feed says above of all below does not reach it */
	bool widen; /* the address goes for all that the name's zone redirects */
};

struct dg_feed;

/* Where a feed hands over what it found; feed->sink->arg is the receiver's. Columns count from 1. */
struct dg_feed_sink {
	void (*entry)(struct dg_feed *feed, struct dg_entry *entry); /* may complete it */
	void (*source)(struct dg_feed *feed, const struct dg_prefix *prefix, bool ban);
	void (*problem)(struct dg_feed *feed, const char *reason, unsigned int column);
	void (*unsupported)(struct dg_feed *feed, const char *reason); /* of a few static strings */
	void (*skip)(struct dg_feed *feed);	/* known, and nothing to block */
	void (*progress)(struct dg_feed *feed); /* every few thousand lines */
	void *arg;
};

/* A file while it is being read. */
struct dg_feed {
	const char *path;
	enum dg_format format; /* as told, or as detected */
	struct dg_bytes *bytes;
	struct dg_span line; /* the one being read, blanks and comments still there */
	const struct dg_feed_sink *sink;
	void *state; /* of the format */
};

/* DG_FORMAT_COUNT = no such format; "auto" is DG_FORMAT_AUTO, the same number: compare before. */
enum dg_format dg_format_find(const char *name);
const char *dg_format_name(enum dg_format format);
/* What the first lines look like. */
enum dg_format dg_format_detect(struct dg_span head);

/*
 * Reads a feed to its end. format may be DG_FORMAT_AUTO. Files that are no lists of text (HTML, XML,
 * archives, other binary data) are refused at once, with their place. -EINVAL, -EBADMSG, -EFBIG,
 * -EIO, -ENOMEM; the path stands in err. *ret tells what was read also when it failed.
 */
struct dg_feed_read {
	enum dg_format format;
	__u64 lines, bytes;
};
struct dg_feed_file {
	int fd;
	const char *path;
	enum dg_format format;
	struct dg_bytes_limits limits;
};
int dg_feed_read(const struct dg_feed_file *file, const struct dg_feed_sink *sink,
		 struct dg_feed_read *ret, struct dg_error *err);

/* ---- for the formats ------------------------------------------------------------------------ */

/* A line's reader; feed->line is the whole of it. */
typedef void dg_line_fn(struct dg_feed *feed, struct dg_span line);

dg_line_fn dg_hosts_line, dg_domains_line, dg_adblock_line, dg_dnsmasq_line, dg_unbound_line;
/* RPZ has lines that belong together: state is made, used and given back. */
int dg_rpz_begin(struct dg_feed *feed);
dg_line_fn dg_rpz_line;
void dg_rpz_end(struct dg_feed *feed);

/* Octets count from 1. */
unsigned int dg_feed_column(const struct dg_feed *feed, const char *at);
void dg_feed_problem(struct dg_feed *feed, const char *at, const char *reason);
/*
 * The word as a name into entry->name, its column noted. U-labels become A-labels (RFC 5890). False:
 * it is none, and the sink has heard why.
 */
bool dg_feed_name(struct dg_feed *feed, struct dg_span word, struct dg_entry *entry);

#endif
