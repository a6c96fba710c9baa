/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.h - the configuration file as one plain struct, and the one table that describes every
 * key.
 *
 * A file is good as a whole or refused as a whole; it never touches the running guard (guard.c
 * does). What a file does not say is marked as not given, so that settings changed live with
 * `dnsguard limit set` survive a restart.
 */
#ifndef DG_CONFIG_H
#define DG_CONFIG_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "bpf/abi.h"
#include "loader/loader.h"
#include "userspace/lib/netlink.h"
#include "userspace/lib/scope.h"
#include "userspace/lib/values.h"

#define DG_CONFIG_PATH DG_SYSCONFDIR "/dnsguard/dnsguard.yaml"
#define DG_CONFIG_BYTES_MAX (1 << 20)
#define DG_CONFIG_ADDRESSES_MAX DG_SERVICE_SET_MAX
#define DG_CONFIG_CLIENTS_MAX 4096
#define DG_CONFIG_PATH_MAX 256
#define DG_CONFIG_NOTIFY_MAX 16
#define DG_CONFIG_ARGV_BYTES 1024
#define DG_CONFIG_SECOND_NS 1000000000ull

/*
 * X(id, path, type, field, min, max, default, help). The path is what people write, the default is
 * text in the same syntax as the file, min and max bound what the type leaves open.
 *
 *	MODE, BOOL		__u64, the index of the word; min and max cut the row of words
 *	COUNT, PERCENT		__u64; a percentage may carry its sign
 *	BYTES			__u64, a power of two
 *	DURATION		__u64, nanoseconds
 *	STRING			char[max + 1], min to max octets without control characters
 *	FILE			char[DG_CONFIG_PATH_MAX], an absolute path
 *	LISTEN			struct sockaddr_storage, AF_UNSPEC for off
 *	ARGV			struct dg_config_argv, a list: a program and its arguments
 *
 * and those with one row each. A new type of words is a row of word_lists[] in keys.c, a new list of
 * mappings a table of its own keys and a row of elements[] there.
 */
#define DG_CONFIG_KEYS(X)                                                                          \
	X(MODE, "mode", MODE, mode, DG_OBSERVE, DG_ENFORCE, "enforce",                             \
	  "observe: decide and count on every interface, let all packets pass")                    \
	X(INTERFACES, "interfaces", INTERFACES, ifaces, 1, DG_IF_MAX, "",                          \
	  "devices to guard: a name, or {name, mode, observe}")                                    \
	X(PORTS, "service.ports", PORTS, ports, 1, 65535, "53", "guarded ports, at most 4")        \
	X(ADDRESSES, "service.addresses", ADDRESSES, services, 0, DG_CONFIG_ADDRESSES_MAX, "",     \
	  "guarded addresses; empty: every local address, kept up to date")                        \
	X(CLIENTS, "clients", PREFIXES, clients, 0, DG_CONFIG_CLIENTS_MAX, "",                     \
	  "prefixes that may be answered from the kernel; empty: any")                             \
	X(LIMIT_MODE, "limits.mode", MODE, limit_mode, DG_OFF, DG_ENFORCE, "enforce",              \
	  "query rate limit of each sender")                                                       \
	X(RATE_LIMIT, "limits.rate-limit", COUNT, rate_limit, 1, 1000000, DG_DEFAULT_RATE,         \
	  "queries a second a sender may keep up")                                                 \
	X(INSTANT_LIMIT, "limits.instant-limit", COUNT, instant_limit, 1, 1000000,                 \
	  DG_DEFAULT_INSTANT, "queries a sender may send at once")                                 \
	X(SLIP, "limits.slip", COUNT, slip, 0, 1000, DG_DEFAULT_SLIP,                              \
	  "every n-th refused query is answered TC=1; 0 never, 1 always")                          \
	X(LIMIT_MEMORY, "limits.memory", BYTES, limiter_bytes, 1 << 16, 1 << 30, "8MiB",           \
	  "size of the limiter's table, a power of two; counts when the guard is first loaded")    \
	X(SYN_MODE, "limits.syn.mode", MODE, syn_mode, DG_OFF, DG_ENFORCE, "off",                  \
	  "TCP SYN rate limit of each sender")                                                     \
	X(SYN_RATE_LIMIT, "limits.syn.rate-limit", COUNT, syn_rate_limit, 1, 1000000,              \
	  DG_DEFAULT_SYN_RATE, "SYNs a second a sender may keep up")                               \
	X(SYN_INSTANT_LIMIT, "limits.syn.instant-limit", COUNT, syn_instant_limit, 1, 1000000,     \
	  DG_DEFAULT_SYN_INSTANT, "SYNs a sender may send at once")                                \
	X(SOURCE_MODE, "sources.mode", MODE, source_mode, DG_OFF, DG_ENFORCE, "enforce",           \
	  "bans and exemptions of senders")                                                        \
	X(ANSWER_MODE, "answers.mode", MODE, sinkhole_mode, DG_OFF, DG_ENFORCE, "enforce",         \
	  "answers for listed names")                                                              \
	X(NEGATIVE_TTL, "answers.negative-ttl", COUNT, negative_ttl, 0, 86400, "60",               \
	  "seconds that a negative answer may be cached")                                          \
	X(ADDRESS_TTL, "answers.address-ttl", COUNT, address_ttl, 0, 86400, "60",                  \
	  "seconds that an address answer may be cached")                                          \
	X(EDE_TEXT, "answers.ede-text", BOOL, ede_text, 0, 1, "true",                              \
	  "name the deciding list in the Extended DNS Error")                                      \
	X(BUDGET, "answers.budget", COUNT, budget, 0, 10000000, DG_DEFAULT_BUDGET,                 \
	  "answers a second that the kernel may send in all; 0: no bound")                         \
	X(COOKIE_SECRET, "answers.cookie-secret", SECRET, cookie_secret, 0, 0, "",                 \
	  "the resolver's cookie secret, 32 hex digits (RFC 9018)")                                \
	X(COOKIE_FILE, "answers.cookie-secret-file", FILE, cookie_file, 0, 0, "",                  \
	  "a file that holds it, readable by root only")                                           \
	X(COOKIE_PASS, "answers.pass-cookies", BOOL, cookie_pass, 0, 1, "false",                   \
	  "without a secret: leave queries with a server cookie to the resolver")                  \
	X(LISTS_REFRESH, "lists.refresh", DURATION, lists_refresh_ns, 300 * DG_CONFIG_SECOND_NS,   \
	  7 * 86400 * DG_CONFIG_SECOND_NS, "1d",                                                   \
	  "how often a list is fetched when neither it nor its entry says")                        \
	X(LISTS_SPREAD, "lists.spread", DURATION, lists_spread_ns, 0, 86400 * DG_CONFIG_SECOND_NS, \
	  "5m",                                                                                    \
	  "a fetch is put off by a random time up to this, so that hosts do not ask at once")      \
	X(LISTS_MEMORY, "lists.max-memory", BYTES, lists_memory, 1 << 20, 1ull << 40, "",          \
	  "what loading all lists may need; none: half of what is free")                           \
	X(LISTS_NOTIFY, "lists.notify", NOTIFIES, notify, 0, DG_CONFIG_NOTIFY_MAX, "",             \
	  "LIST=ADDRESS:PORT: where NOTIFY for a zone is heard, an address for each list")         \
	X(LISTEN, "metrics.listen", LISTEN, listen, 0, 0, "127.0.0.1:10530",                       \
	  "ADDRESS:PORT of /metrics, or off")                                                      \
	X(WEB_CONFIG, "metrics.web-config", FILE, web_config, 0, 0, "",                            \
	  "TLS and passwords of /metrics: a file in the format of Prometheus' exporters")

/* The limits that a fresh guard has: as dg_settings_default() sets them, a unit test compares. */
#define DG_DEFAULT_RATE "100"
#define DG_DEFAULT_INSTANT "200"
#define DG_DEFAULT_SLIP "2"
#define DG_DEFAULT_SYN_RATE "20"
#define DG_DEFAULT_SYN_INSTANT "50"
#define DG_DEFAULT_BUDGET "200000"

#define DG_KEY_ID(id, ...) DG_KEY_##id,
enum dg_config_key_id { DG_CONFIG_KEYS(DG_KEY_ID) DG_KEY_COUNT };
#undef DG_KEY_ID

/* Which keys: one bit each. */
struct dg_key_set {
	__u64 word[4];
};
_Static_assert(DG_KEY_COUNT <= 8 * sizeof(struct dg_key_set), "a bit for every key");

static inline void dg_keys_add(struct dg_key_set *set, unsigned int id)
{
	set->word[id / 64] |= 1ull << (id % 64);
}

static inline int dg_keys_has(const struct dg_key_set *set, unsigned int id)
{
	return (set->word[id / 64] >> (id % 64)) & 1;
}

static inline void dg_keys_join(struct dg_key_set *set, const struct dg_key_set *other)
{
	for (unsigned int i = 0; i < sizeof(set->word) / sizeof(set->word[0]); i++)
		set->word[i] |= other->word[i];
}

/* The types of rows, as described above. */
enum dg_config_type {
	DG_TYPE_MODE,
	DG_TYPE_ATTACH,
	DG_TYPE_BOOL,
	DG_TYPE_COUNT,
	DG_TYPE_PERCENT,
	DG_TYPE_BYTES,
	DG_TYPE_DURATION,
	DG_TYPE_IFNAME,
	DG_TYPE_SECRET,
	DG_TYPE_FILE,
	DG_TYPE_STRING,
	DG_TYPE_LISTEN,
	DG_TYPE_PORTS, /* lists from here */
	DG_TYPE_ADDRESSES,
	DG_TYPE_PREFIXES,
	DG_TYPE_INTERFACES,
	DG_TYPE_NOTIFIES,
	DG_TYPE_ARGV,
	DG_TYPE_END
};

struct dg_config_iface {
	char name[16];
	__u64 mode;    /* enum dg_attach_mode */
	__u64 observe; /* 0 or 1 */
	int observe_given;
};

/* A command as it is started, without a shell: count texts, each with its NUL, one behind the other. */
struct dg_config_argv {
	__u32 count, used;
	char text[DG_CONFIG_ARGV_BYTES];
};

/* Where the primary of a list's zone sends its NOTIFY. */
struct dg_config_notify {
	char list[DG_TEXT_MAX + 1];
	struct sockaddr_storage at;
};

/* Scalars are all __u64, so that the table needs no widths. */
struct dg_config {
	struct dg_key_set given; /* the file (or the command line) says so */
	__u64 mode;		 /* DG_OBSERVE or DG_ENFORCE */

	__u32 iface_count;
	struct dg_config_iface ifaces[DG_IF_MAX];
	__u32 port_count;
	__u16 ports[DG_PORTS_MAX];	/* host order */
	struct dg_service_set services; /* count 0 = every local address */
	__u32 client_count;		/* 0 = any */
	struct dg_prefix clients[DG_CONFIG_CLIENTS_MAX];

	__u64 limit_mode, rate_limit, instant_limit, slip, limiter_bytes;
	__u64 syn_mode, syn_rate_limit, syn_instant_limit;
	__u64 source_mode, sinkhole_mode;
	__u64 negative_ttl, address_ttl, ede_text, budget, cookie_pass;
	__u8 cookie_secret[16];
	int cookie_secret_set;
	char cookie_file[DG_CONFIG_PATH_MAX];
	__u64 lists_refresh_ns, lists_spread_ns, lists_memory; /* memory 0 = half of what is free */
	__u32 notify_count;
	struct dg_config_notify notify[DG_CONFIG_NOTIFY_MAX];
	struct sockaddr_storage listen;	     /* ss_family AF_UNSPEC = off */
	char web_config[DG_CONFIG_PATH_MAX]; /* "" = plain HTTP for everybody */
};

/* One row of the table, for whoever wants to print it. */
struct dg_config_key {
	const char *path;
	enum dg_config_type type;
	size_t offset;
	__u64 min, max;
	const char *fallback;
	const char *help;
};
extern const struct dg_config_key dg_config_keys[DG_KEY_COUNT];
/* The keys of one element of `interfaces`. */
#define DG_CONFIG_IFACE_KEYS 3
extern const struct dg_config_key dg_config_iface_keys[DG_CONFIG_IFACE_KEYS];

/* One element of a list of mappings. */
struct dg_config_element {
	const struct dg_config_key *keys;
	unsigned int key_count;
	size_t size; /* of the struct that the keys' offsets point into */
	/* Checks an element that has been read and appends it; *err without a place. */
	int (*add)(struct dg_config *config, const void *element, const struct dg_key_set *given,
		   struct dg_error *err);
};
/* Elements' structs are read on the stack. */
#define DG_CONFIG_ELEMENT_BYTES 4096
/* What the elements of this list are, or NULL where they are single values. */
const struct dg_config_element *dg_config_key_element(const struct dg_config_key *key);

/*
 * One value from its text into the struct that holds the row's field (struct dg_config, or
 * dg_config_iface for dg_config_iface_keys). A list's row appends. -EINVAL: *err quotes the text
 * and says what is allowed.
 */
int dg_config_value_read(const struct dg_config_key *key, const char *text, void *base,
			 struct dg_error *err);
int dg_config_key_is_list(const struct dg_config_key *key);
/* Empties a list, before another one takes its place. */
void dg_config_list_clear(const struct dg_config_key *key, void *base);
/* What the type of a row allows, in words. */
char *dg_config_key_allows(const struct dg_config_key *key, char *buf, size_t size);

/* Every key at its default, nothing given. */
void dg_config_default(struct dg_config *ret);

/*
 * Reads a whole text. name is what errors call it (a path). *ret (large: allocate it) is untouched
 * on failure; then *err reads "name:line:column: what is wrong". Does not open other files: see
 * dg_config_load().
 */
int dg_config_parse(const char *name, const char *text, size_t len, struct dg_config *ret,
		    struct dg_error *err);
/* Reads a file, then the cookie secret file it may name. -ENOENT when path is not there. */
int dg_config_load(const char *path, struct dg_config *ret, struct dg_error *err);
/* Adds a device as the command line names it. */
int dg_config_add_iface(struct dg_config *config, const char *name, struct dg_error *err);

/* The i-th word of a command; "" beyond its end. */
const char *dg_config_argv_word(const struct dg_config_argv *argv, __u32 i);

static inline int dg_config_given(const struct dg_config *config, enum dg_config_key_id id)
{
	return dg_keys_has(&config->given, id);
}

#endif
