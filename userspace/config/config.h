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
#include <stdbool.h>
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
#define DG_CONFIG_QUOTAS_MAX 64
#define DG_CONFIG_URLS_MAX 4
#define DG_CONFIG_URL_BYTES 512
#define DG_CONFIG_USER_BYTES 64
#define DG_CONFIG_FILES_MAX 64 /* the file and those of conf.d */
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
 *	URL			char[DG_CONFIG_URL_BYTES], http or https; may hold a secret
 *	URLS			struct dg_config_urls, a list
 *
 * and those with one row each. A new type of words is a row of word_lists[] in keys.c, a new list of
 * mappings a table of its own keys and a row of elements[] there.
 */
#define DG_CONFIG_KEYS(X)                                                                              \
	X(MODE, "mode", MODE, mode, DG_OBSERVE, DG_ENFORCE, "enforce",                                 \
	  "observe: decide and count on every interface, let all packets pass")                        \
	X(INTERFACES, "interfaces", INTERFACES, ifaces, 1, DG_IF_MAX, "",                              \
	  "devices to guard: a name, or {name, mode, observe}")                                        \
	X(PORTS, "service.ports", PORTS, ports, 1, 65535, "53", "guarded ports, at most 4")            \
	X(ADDRESSES, "service.addresses", ADDRESSES, services, 0, DG_CONFIG_ADDRESSES_MAX, "",         \
	  "guarded addresses; empty: every local address, kept up to date")                            \
	X(CLIENTS, "clients", PREFIXES, clients, 0, DG_CONFIG_CLIENTS_MAX, "",                         \
	  "prefixes that may be answered from the kernel; empty: any")                                 \
	X(LIMIT_MODE, "limits.mode", MODE, limit_mode, DG_OFF, DG_ENFORCE, "enforce",                  \
	  "query rate limit of each sender")                                                           \
	X(RATE_LIMIT, "limits.rate-limit", COUNT, rate_limit, 1, 1000000, DG_DEFAULT_RATE,             \
	  "queries a second a sender may keep up")                                                     \
	X(INSTANT_LIMIT, "limits.instant-limit", COUNT, instant_limit, 1, 1000000,                     \
	  DG_DEFAULT_INSTANT, "queries a sender may send at once")                                     \
	X(SLIP, "limits.slip", COUNT, slip, 0, 1000, DG_DEFAULT_SLIP,                                  \
	  "every n-th refused query is answered TC=1; 0 never, 1 always")                              \
	X(LIMIT_MEMORY, "limits.memory", BYTES, limiter_bytes, 1 << 16, 1 << 30, "8MiB",               \
	  "size of the limiter's table, a power of two; counts when the guard is first loaded")        \
	X(SYN_MODE, "limits.syn.mode", MODE, syn_mode, DG_OFF, DG_ENFORCE, "off",                      \
	  "TCP SYN rate limit of each sender")                                                         \
	X(SYN_RATE_LIMIT, "limits.syn.rate-limit", COUNT, syn_rate_limit, 1, 1000000,                  \
	  DG_DEFAULT_SYN_RATE, "SYNs a second a sender may keep up")                                   \
	X(SYN_INSTANT_LIMIT, "limits.syn.instant-limit", COUNT, syn_instant_limit, 1, 1000000,         \
	  DG_DEFAULT_SYN_INSTANT, "SYNs a sender may send at once")                                    \
	X(SOURCE_MODE, "sources.mode", MODE, source_mode, DG_OFF, DG_ENFORCE, "enforce",               \
	  "bans and exemptions of senders")                                                            \
	X(ANSWER_MODE, "answers.mode", MODE, sinkhole_mode, DG_OFF, DG_ENFORCE, "enforce",             \
	  "answers for listed names")                                                                  \
	X(NEGATIVE_TTL, "answers.negative-ttl", COUNT, negative_ttl, 0, 86400, "60",                   \
	  "seconds that a negative answer may be cached")                                              \
	X(ADDRESS_TTL, "answers.address-ttl", COUNT, address_ttl, 0, 86400, "60",                      \
	  "seconds that an address answer may be cached")                                              \
	X(EDE_TEXT, "answers.ede-text", BOOL, ede_text, 0, 1, "true",                                  \
	  "name the deciding list in the Extended DNS Error")                                          \
	X(BUDGET, "answers.budget", COUNT, budget, 0, 10000000, DG_DEFAULT_BUDGET,                     \
	  "answers a second that the kernel may send in all; 0: no bound")                             \
	X(COOKIE_SECRET, "answers.cookie-secret", SECRET, cookie_secret, 0, 0, "",                     \
	  "the resolver's cookie secret, 32 hex digits (RFC 9018)")                                    \
	X(COOKIE_FILE, "answers.cookie-secret-file", FILE, cookie_file, 0, 0, "",                      \
	  "a file that holds it, readable by root only")                                               \
	X(COOKIE_PASS, "answers.pass-cookies", BOOL, cookie_pass, 0, 1, "false",                       \
	  "without a secret: leave queries with a server cookie to the resolver")                      \
	X(LISTS_REFRESH, "lists.refresh", DURATION, lists_refresh_ns, 300 * DG_CONFIG_SECOND_NS,       \
	  7 * 86400 * DG_CONFIG_SECOND_NS, "1d",                                                       \
	  "how often a list is fetched when neither it nor its entry says")                            \
	X(LISTS_SPREAD, "lists.spread", DURATION, lists_spread_ns, 0, 86400 * DG_CONFIG_SECOND_NS,     \
	  "5m",                                                                                        \
	  "a fetch is put off by a random time up to this, so that hosts do not ask at once")          \
	X(LISTS_MEMORY, "lists.max-memory", BYTES, lists_memory, 1 << 20, 1ull << 40, "",              \
	  "what loading all lists may need; none: half of what is free")                               \
	X(LISTS_NOTIFY, "lists.notify", NOTIFIES, notify, 0, DG_CONFIG_NOTIFY_MAX, "",                 \
	  "LIST=ADDRESS:PORT: where NOTIFY for a zone is heard, an address for each list")             \
	X(TCP_QUOTA, "tcp.quota", QUOTA, tcp_quota, 1, 10000000, "auto",                               \
	  "connections that each listener's resolver takes; auto: it is asked")                        \
	X(TCP_QUOTAS, "tcp.quotas", QUOTAS, tcp_quotas, 0, DG_CONFIG_QUOTAS_MAX, "",                   \
	  "ADDRESS:PORT=N: the same for single listeners")                                             \
	X(TCP_QUOTA_REFRESH, "tcp.quota-refresh", DURATION, tcp_quota_refresh_ns,                      \
	  1 * DG_CONFIG_SECOND_NS, 86400 * DG_CONFIG_SECOND_NS, "1m",                                  \
	  "how often resolvers are asked for their quota")                                             \
	X(TCP_WARNING_AT, "tcp.warning.at", PERCENT, tcp_warning_at, 1, 100, "70",                     \
	  "share of the quota in use that raises a warning")                                           \
	X(TCP_WARNING_FULL, "tcp.warning.full-within", DURATION, tcp_warning_full_ns, 0,               \
	  86400 * DG_CONFIG_SECOND_NS, "2m",                                                           \
	  "or: the forecast says full within so long; 0s: it raises none")                             \
	X(TCP_WARNING_HOLD, "tcp.warning.hold", DURATION, tcp_warning_hold_ns, 0,                      \
	  3600 * DG_CONFIG_SECOND_NS, "10s", "how long the share must have been so")                   \
	X(TCP_CRITICAL_AT, "tcp.critical.at", PERCENT, tcp_critical_at, 1, 100, "85",                  \
	  "share of the quota in use that is critical")                                                \
	X(TCP_CRITICAL_FULL, "tcp.critical.full-within", DURATION, tcp_critical_full_ns, 0,            \
	  86400 * DG_CONFIG_SECOND_NS, "30s",                                                          \
	  "or: the forecast says full within so long; 0s: it raises none")                             \
	X(TCP_CRITICAL_HOLD, "tcp.critical.hold", DURATION, tcp_critical_hold_ns, 0,                   \
	  3600 * DG_CONFIG_SECOND_NS, "10s", "how long the share must have been so")                   \
	X(TCP_EXHAUSTED_HOLD, "tcp.exhausted.hold", DURATION, tcp_exhausted_hold_ns, 0,                \
	  3600 * DG_CONFIG_SECOND_NS, "2s",                                                            \
	  "how long every slot must be taken while the accept queue grows")                            \
	X(TCP_FORECAST_FROM, "tcp.forecast.from", PERCENT, tcp_forecast_from, 0, 100, "20",            \
	  "share of the quota in use below which a forecast raises nothing")                           \
	X(TCP_FORECAST_HOLD, "tcp.forecast.hold", DURATION, tcp_forecast_hold_ns, 0,                   \
	  3600 * DG_CONFIG_SECOND_NS, "5s", "how long the forecast must have said so")                 \
	X(TCP_CLEAR_BELOW, "tcp.clear.below", PERCENT, tcp_clear_below, 0, 50, "10",                   \
	  "points by which the share must be lower before a state is left")                            \
	X(TCP_CLEAR_HOLD, "tcp.clear.hold", DURATION, tcp_clear_hold_ns, 0,                            \
	  86400 * DG_CONFIG_SECOND_NS, "1m", "and for how long")                                       \
	X(TCP_SHARE_ALARM, "tcp.share.alarm", BOOL, tcp_share_alarm, 0, 1, "true",                     \
	  "an alarm when more queries come over TCP than is usual at this hour of the week")           \
	X(TCP_SHARE_FACTOR, "tcp.share.factor", COUNT, tcp_share_factor, 1, 1000, "2",                 \
	  "times the usual share")                                                                     \
	X(TCP_SHARE_POINTS, "tcp.share.points", PERCENT, tcp_share_points, 0, 100, "5",                \
	  "and at least so many percent of all queries more than is usual")                            \
	X(TCP_SHARE_QUERIES, "tcp.share.queries", COUNT, tcp_share_queries, 1, 1000000000, "1000",     \
	  "of fewer queries in a quarter of an hour no share is worth a word")                         \
	X(TCP_SHARE_HOLD, "tcp.share.hold", DURATION, tcp_share_hold_ns, 0,                            \
	  86400 * DG_CONFIG_SECOND_NS, "5m", "how long it must have been so, or not so any more")      \
	X(TCP_PROTECT, "tcp.protect", MODE, tcp_protect, DG_OFF, DG_ENFORCE, "off",                    \
	  "no source may hold more than its share of a resolver's TCP connections")                    \
	X(TCP_PROTECT_SHARE, "tcp.protect-share", PERCENT, tcp_protect_share, 1, 100, "25",            \
	  "share of the quota for one source while nothing presses; half as much at each step")        \
	X(TCP_PROTECT_SHARE_24, "tcp.protect-share-24", PERCENT, tcp_protect_share_24, 1, 100,         \
	  "100",                                                                                       \
	  "share of the quota for an IPv4 /24 at the last step; 100: no bound, for honest neighbours") \
	X(TCP_REAPER, "tcp.reaper", MODE, tcp_reaper, DG_OFF, DG_ENFORCE, "off",                       \
	  "closes idle connections of sources above their share while TCP is critical")                \
	X(TCP_REAPER_RATE, "tcp.reaper-rate", COUNT, tcp_reaper_rate, 1, 10000, "20",                  \
	  "connections a second that it may close")                                                    \
	X(TCP_REAPER_IDLE, "tcp.reaper-idle", DURATION, tcp_reaper_idle_ns, 0,                         \
	  3600 * DG_CONFIG_SECOND_NS, "2s", "it closes none that has been idle for less")              \
	X(TCP_REAPER_PENALTY, "tcp.reaper-penalty", DURATION, tcp_reaper_penalty_ns, 0,                \
	  86400 * DG_CONFIG_SECOND_NS, "1m",                                                           \
	  "how long a source that lost connections is held to a lower share under pressure")           \
	X(LATENCY_SAMPLE, "latency.sample", COUNT, latency_sample, 0, DG_ASKED_ONE_IN_MAX,             \
	  DG_DEFAULT_SAMPLE,                                                                           \
	  "one UDP query in so many has its response time measured; 1 all, 0 none")                    \
	X(ALERTS_LOG, "alerts.log", LOG, alerts_log, 0, DG_LOGS - 1, "auto",                           \
	  "where alerts are logged with their fields; auto: journald, else syslog")                    \
	X(ALERTS_ALERTMANAGER, "alerts.alertmanager", URLS, alertmanagers, 0, DG_CONFIG_URLS_MAX,      \
	  "", "base URLs of Alertmanagers, all of them are told; a URL, or {url, username, ...}")      \
	X(ALERTS_WEBHOOK, "alerts.webhook", URLS, webhooks, 0, DG_CONFIG_URLS_MAX, "",                 \
	  "URLs that are sent what Alertmanager sends to a webhook; a URL, or {url, token-file, ...}") \
	X(ALERTS_COMMAND, "alerts.command", ARGV, alerts_command, 0, 0, "",                            \
	  "a command run as nobody, without a shell: fields in its environment, JSON on its input")    \
	X(ALERTS_CA_FILE, "alerts.ca-file", FILE, alerts_ca_file, 0, 0, "",                            \
	  "certificates that servers of https URLs may be signed by; none: the system's")              \
	X(ALERTS_INTERVAL, "alerts.interval", DURATION, alerts_interval_ns,                            \
	  1 * DG_CONFIG_SECOND_NS, 86400 * DG_CONFIG_SECOND_NS, "1m",                                  \
	  "at most one message an alert in so long")                                                   \
	X(ALERTS_RESEND, "alerts.resend", DURATION, alerts_resend_ns, 1 * DG_CONFIG_SECOND_NS,         \
	  3600 * DG_CONFIG_SECOND_NS, "1m",                                                            \
	  "how often an Alertmanager is told again of what still fires")                               \
	X(ALERTS_INSTANCE, "alerts.instance", STRING, alerts_instance, 0, 63, "",                      \
	  "label instance of every alert; none: the host's name")                                      \
	X(LISTEN, "metrics.listen", LISTEN, listen, 0, 0, "127.0.0.1:10530",                           \
	  "ADDRESS:PORT of /metrics, or off")                                                          \
	X(WEB_CONFIG, "metrics.web-config", FILE, web_config, 0, 0, "",                                \
	  "TLS and passwords of /metrics: a file in the format of Prometheus' exporters")

/* The limits that a fresh guard has: as dg_settings_default() sets them, a unit test compares. */
#define DG_DEFAULT_RATE "100"
#define DG_DEFAULT_INSTANT "200"
#define DG_DEFAULT_SLIP "2"
#define DG_DEFAULT_SYN_RATE "20"
#define DG_DEFAULT_SYN_INSTANT "50"
#define DG_DEFAULT_BUDGET "200000"
#define DG_DEFAULT_SAMPLE "64"

enum dg_config_log { DG_LOGS_OFF, DG_LOGS_AUTO, DG_LOGS_JOURNAL, DG_LOGS_SYSLOG, DG_LOGS };

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
	DG_TYPE_QUOTA,
	DG_TYPE_LOG,
	DG_TYPE_URL,
	DG_TYPE_PORTS, /* lists from here */
	DG_TYPE_ADDRESSES,
	DG_TYPE_PREFIXES,
	DG_TYPE_INTERFACES,
	DG_TYPE_NOTIFIES,
	DG_TYPE_ARGV,
	DG_TYPE_QUOTAS,
	DG_TYPE_URLS,
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

/* What a listener takes, as the operator says it. */
struct dg_config_quota {
	char listener[64]; /* "192.0.2.1:53", as dg_config_endpoint_text() writes it */
	__u64 connections;
};

/* One receiver. A secret that the file names by a path is read with the file. */
struct dg_config_url {
	char url[DG_CONFIG_URL_BYTES]; /* "" where url_file has it */
	char url_file[DG_CONFIG_PATH_MAX];
	char username[DG_CONFIG_USER_BYTES];
	char password_file[DG_CONFIG_PATH_MAX], token_file[DG_CONFIG_PATH_MAX];
	char secret
		[DG_CONFIG_URL_BYTES]; /* what the one file of these holds: URL, password or token */
};

struct dg_config_urls {
	__u32 count;
	struct dg_config_url url[DG_CONFIG_URLS_MAX];
};

/* Who said so: a place in a file, the command line, or nobody. */
struct dg_config_origin {
	__u16 file; /* 1: the first of dg_config.files; 0: nobody */
	__u16 column;
	__u32 line;
};
#define DG_CONFIG_FROM_COMMAND 0xffff

/* Scalars are all __u64, so that the table needs no widths. */
struct dg_config {
	struct dg_key_set given; /* a file (or the command line) says so */
	struct dg_config_origin origin[DG_KEY_COUNT];
	__u32 file_count;
	char files[DG_CONFIG_FILES_MAX][DG_CONFIG_PATH_MAX]; /* as they were read, later wins */
	__u64 mode;					     /* DG_OBSERVE or DG_ENFORCE */

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
	__u64 tcp_quota; /* 0 = asked */
	__u32 tcp_quota_count;
	struct dg_config_quota tcp_quotas[DG_CONFIG_QUOTAS_MAX];
	__u64 tcp_quota_refresh_ns;
	__u64 tcp_protect, tcp_protect_share, tcp_protect_share_24;
	__u64 tcp_reaper, tcp_reaper_rate, tcp_reaper_idle_ns, tcp_reaper_penalty_ns;
	__u64 tcp_warning_at, tcp_warning_full_ns, tcp_warning_hold_ns;
	__u64 tcp_critical_at, tcp_critical_full_ns, tcp_critical_hold_ns;
	__u64 tcp_exhausted_hold_ns, tcp_forecast_from, tcp_forecast_hold_ns;
	__u64 tcp_clear_below, tcp_clear_hold_ns;
	__u64 tcp_share_alarm, tcp_share_factor, tcp_share_points, tcp_share_queries;
	__u64 tcp_share_hold_ns;
	__u64 latency_sample; /* 0 = none */
	__u64 alerts_log;     /* enum dg_config_log */
	struct dg_config_urls alertmanagers, webhooks;
	struct dg_config_argv alerts_command;
	char alerts_ca_file[DG_CONFIG_PATH_MAX];
	__u64 alerts_interval_ns, alerts_resend_ns;
	char alerts_instance[64];
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
/* The keys of one element of `alerts.alertmanager` and `alerts.webhook`. */
#define DG_CONFIG_URL_KEYS 5
extern const struct dg_config_key dg_config_url_keys[DG_CONFIG_URL_KEYS];

/* One element of a list of mappings. */
struct dg_config_element {
	const struct dg_config_key *keys;
	unsigned int key_count;
	size_t size; /* of the struct that the keys' offsets point into */
	/* Checks an element that has been read and appends it to the row's list; *err without a place. */
	int (*add)(const struct dg_config_key *key, struct dg_config *config, const void *element,
		   const struct dg_key_set *given, struct dg_error *err);
};
/* Elements' structs are read on the stack. */
#define DG_CONFIG_ELEMENT_BYTES 4096
/* What the elements of this list are, or NULL where they are single values. */
const struct dg_config_element *dg_config_key_element(const struct dg_config_key *key);

/*
 * One value from its text into the struct that holds the row's field (struct dg_config, or
 * the one of an element for the keys of elements). A list's row appends. -EINVAL: *err quotes the text
 * and says what is allowed.
 */
int dg_config_value_read(const struct dg_config_key *key, const char *text, void *base,
			 struct dg_error *err);
int dg_config_key_is_list(const struct dg_config_key *key);
/* The word of a closed type (MODE, BOOL, ...), or NULL where a type has none. */
const char *dg_config_word(const struct dg_config_key *key, __u64 value);
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
/*
 * The same over a configuration that other texts made: what this one says replaces what they said,
 * lists as a whole. After a failure *config is good for nothing.
 */
int dg_config_merge(struct dg_config *config, const char *name, const char *text, size_t len,
		    struct dg_error *err);
/* What no single file can contradict. */
int dg_config_check(const struct dg_config *config, struct dg_error *err);
/*
 * Reads a file, every *.yaml of the directory conf.d beside it in the order of their names, then the
 * files with secrets that they may name. A key that several files give is what the last one says. path
 * NULL is DG_CONFIG_PATH, which need not be there; any other must: -ENOENT. *ret is untouched on
 * failure.
 */
int dg_config_load(const char *path, struct dg_config *ret, struct dg_error *err);

/* The directory of further files beside `path` (NULL: DG_CONFIG_PATH). 0 or -ENAMETOOLONG. */
int dg_config_parts_dir(const char *path, char *ret, size_t size);
/* Adds a device as the command line names it. */
int dg_config_add_iface(struct dg_config *config, const char *name, struct dg_error *err);

/* "192.0.2.1:53", "[2001:db8::1]:53"; "off" of AF_UNSPEC. Returns buf. */
char *dg_config_endpoint_text(const struct sockaddr_storage *at, char *buf, size_t size);

/* The URL of a receiver, wherever it stands. May hold a secret. */
const char *dg_config_url_whole(const struct dg_config_url *url);

/* The i-th word of a command; "" beyond its end. */
const char *dg_config_argv_word(const struct dg_config_argv *argv, __u32 i);

/* Notes that the command line gave a key. */
void dg_config_command(struct dg_config *config, enum dg_config_key_id id);

/* ---- values as text: print.c ----------------------------------------------------------------- */

#define DG_CONFIG_TEXT_MAX 2048

/* A scalar in the syntax of the file; "" where there is none, and never a secret. Returns buf. */
char *dg_config_value_text(const struct dg_config_key *key, const void *base, char *buf,
			   size_t size);
__u32 dg_config_list_count(const struct dg_config_key *key, const void *base);
/* Is the i-th element of a list one value, and no mapping? */
bool dg_config_is_single(const struct dg_config_key *key, const void *base, __u32 i);
/* The i-th element of a list where it is one value, unquoted. Returns buf. */
char *dg_config_single_text(const struct dg_config_key *key, const void *base, __u32 i, char *buf,
			    size_t size);
/* The i-th element of a list as the file has it: quoted, a mapping in braces. Returns buf. */
char *dg_config_element_text(const struct dg_config_key *key, const void *base, __u32 i, char *buf,
			     size_t size);
/* All of a list: [a, b]. Returns buf, cut where it is full. */
char *dg_config_list_text(const struct dg_config_key *key, const void *base, char *buf,
			  size_t size);
/* "default", "command line", or "FILE:LINE". Returns buf. */
char *dg_config_origin_text(const struct dg_config *config, enum dg_config_key_id id, char *buf,
			    size_t size);
/*
 * Everything as lines "path: value", an element of a list as "path[]: value"; what has no value has
 * no line. NUL-terminated, to be freed; NULL when memory is short.
 */
char *dg_config_lines(const struct dg_config *config);
/*
 * The same with a mark behind each value that is not shown whole: a hash under `key`, which tells that another secret is there,
 * not which. For dg_config_diff() with a text of the same key; the key is to be random, and shown to root alone.
 */
char *dg_config_lines_marked(const struct dg_config *config, const __u64 key[4]);
/*
 * Calls say() for each difference of two such texts: "path: old -> new", "+ path[]: element",
 * "- path[]: element", and "path: changed (hidden)" where only what is hidden differs. Returns
 * their number, or -ENOMEM.
 */
int dg_config_diff(const char *before, const char *after,
		   void (*say)(const char *change, void *arg), void *arg);

static inline int dg_config_given(const struct dg_config *config, enum dg_config_key_id id)
{
	return dg_keys_has(&config->given, id);
}

#endif
