// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keys.c - the table of keys, and one reader for each type of value.
 *
 * Knows text and the fields of struct dg_config; knows neither YAML nor the running guard. Every
 * refusal quotes the text and says what is allowed; where the text stands is added by yaml.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>

#include "userspace/config/config.h"
#include "userspace/lib/quote.h"
#include "userspace/lists/lists.h"

#define KEY_ROW(id, path, type, field, min, max, fallback, help)                                   \
	[DG_KEY_##id] = {                                                                          \
		path, DG_TYPE_##type, offsetof(struct dg_config, field), min, max, fallback, help  \
	},
const struct dg_config_key dg_config_keys[DG_KEY_COUNT] = { DG_CONFIG_KEYS(KEY_ROW) };

const struct dg_config_key dg_config_iface_keys[DG_CONFIG_IFACE_KEYS] = {
	{ "name", DG_TYPE_IFNAME, offsetof(struct dg_config_iface, name), 0, 0, "", "device name" },
	{ "mode", DG_TYPE_ATTACH, offsetof(struct dg_config_iface, mode), DG_MODE_AUTO,
	  DG_MODE_GENERIC, "auto",
	  "where the program runs: auto is native; generic is slow and only by request" },
	{ "observe", DG_TYPE_BOOL, offsetof(struct dg_config_iface, observe), 0, 1, "false",
	  "this device only observes" },
};

#define URL_ROW(name, type, field, max, help)                                                      \
	{                                                                                          \
		name, DG_TYPE_##type, offsetof(struct dg_config_url, field), 1, max, "", help      \
	}
const struct dg_config_key dg_config_url_keys[DG_CONFIG_URL_KEYS] = {
	URL_ROW("url", URL, url, 0, "where to"),
	URL_ROW("url-file", FILE, url_file, 0, "the URL as the first line of this file"),
	URL_ROW("username", STRING, username, DG_CONFIG_USER_BYTES - 1,
		"who we are to the server (HTTP basic authentication)"),
	URL_ROW("password-file", FILE, password_file, 0,
		"that user's password, first line of this file"),
	URL_ROW("token-file", FILE, token_file, 0,
		"bearer token for the server, first line of this file"),
};

/* Words of the closed types; the index is the value. */
static const char *const mode_words[] = { "off", "observe", "enforce", NULL };
static const char *const attach_words[] = { "auto", "native", "generic", NULL };
static const char *const bool_words[] = { "false", "true", NULL };
static const char *const log_words[] = { "off", "auto", "journal", "syslog", NULL };
static const char *const *const word_lists[DG_TYPE_END] = {
	[DG_TYPE_MODE] = mode_words,
	[DG_TYPE_ATTACH] = attach_words,
	[DG_TYPE_BOOL] = bool_words,
	[DG_TYPE_LOG] = log_words,
};

static int refuse(const char *text, const char *allowed, struct dg_error *err)
{
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "%s is not allowed here; write %s",
		       DG_QUOTE(text), allowed);
}

static __u64 *number_at(const struct dg_config_key *key, void *base)
{
	return (__u64 *)((char *)base + key->offset);
}

static int word_read(const struct dg_config_key *key, const char *text, void *base,
		     struct dg_error *err)
{
	char allowed[160];
	const char *const *words = word_lists[key->type];

	for (__u64 i = 0; words[i]; i++) {
		if (i >= key->min && i <= key->max && !strcmp(text, words[i])) {
			*number_at(key, base) = i;
			return 0;
		}
	}
	return refuse(text, dg_config_key_allows(key, allowed, sizeof(allowed)), err);
}

/* Decimal digits and nothing else, then a unit. 0 and *ret_rest, or -EINVAL. */
static int digits_read(const char *text, __u64 *ret, const char **ret_rest)
{
	__u64 value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (value > (~0ull - 9) / 10)
			return -EINVAL;
		value = value * 10 + (__u64)(*p - '0');
	}
	*ret = value;
	*ret_rest = p;
	return p == text ? -EINVAL : 0;
}

static int count_read(const struct dg_config_key *key, const char *text, void *base,
		      struct dg_error *err)
{
	char allowed[160];
	const char *rest;
	__u64 value;

	if (digits_read(text, &value, &rest) || *rest || value < key->min || value > key->max)
		return refuse(text, dg_config_key_allows(key, allowed, sizeof(allowed)), err);
	*number_at(key, base) = value;
	return 0;
}

/* 0 stands for "auto": a quota of nothing is no quota. */
static int quota_read(const struct dg_config_key *key, const char *text, void *base,
		      struct dg_error *err)
{
	if (strcmp(text, "auto"))
		return count_read(key, text, base, err);
	*number_at(key, base) = 0;
	return 0;
}

static int percent_read(const struct dg_config_key *key, const char *text, void *base,
			struct dg_error *err)
{
	char allowed[160];
	const char *rest;
	__u64 value;

	if (digits_read(text, &value, &rest) || (*rest && strcmp(rest, "%")) || value < key->min ||
	    value > key->max)
		return refuse(text, dg_config_key_allows(key, allowed, sizeof(allowed)), err);
	*number_at(key, base) = value;
	return 0;
}

static int bytes_read(const struct dg_config_key *key, const char *text, void *base,
		      struct dg_error *err)
{
	static const char *const units[] = { "", "KiB", "MiB", "GiB" };
	char allowed[160];
	const char *rest;
	__u64 value;

	if (digits_read(text, &value, &rest) || value > key->max)
		return refuse(text, dg_config_key_allows(key, allowed, sizeof(allowed)), err);
	for (unsigned int i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		__u64 bytes = value << (10 * i);

		if (strcmp(rest, units[i]))
			continue;
		if (bytes < key->min || bytes > key->max || (bytes & (bytes - 1)))
			break;
		*number_at(key, base) = bytes;
		return 0;
	}
	return refuse(text, dg_config_key_allows(key, allowed, sizeof(allowed)), err);
}

static int duration_read(const struct dg_config_key *key, const char *text, void *base,
			 struct dg_error *err)
{
	char allowed[160];
	__u64 value = 0;

	if ((strcmp(text, "0s") && dg_duration_parse(text, &value, NULL)) || value < key->min ||
	    value > key->max)
		return refuse(text, dg_config_key_allows(key, allowed, sizeof(allowed)), err);
	*number_at(key, base) = value;
	return 0;
}

/* What the kernel accepts as a device name (dev_valid_name). */
static int ifname_valid(const char *text)
{
	size_t len = strlen(text);

	return len && len < IFNAMSIZ && strcmp(text, ".") && strcmp(text, "..") &&
	       !strpbrk(text, "/: \t\r\n\v\f");
}

static int ifname_read(const struct dg_config_key *key, const char *text, void *base,
		       struct dg_error *err)
{
	if (!ifname_valid(text))
		return refuse(text,
			      "a device name of 1 to 15 characters without blanks, / or :", err);
	strcpy((char *)base + key->offset, text); /* bounded by ifname_valid() */
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int secret_read(const struct dg_config_key *key, const char *text, void *base,
		       struct dg_error *err)
{
	struct dg_config *config = base;

	(void)key;
	if (strlen(text) != 2 * sizeof(config->cookie_secret) ||
	    strspn(text, "0123456789abcdefABCDEF") != strlen(text))
		/* The text is a secret, if a misspelt one: not into the log. */
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "a cookie secret is 32 hex digits, this one is not");
	for (unsigned int i = 0; i < sizeof(config->cookie_secret); i++)
		config->cookie_secret[i] =
			(__u8)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
	config->cookie_secret_set = 1;
	return 0;
}

static int file_read(const struct dg_config_key *key, const char *text, void *base,
		     struct dg_error *err)
{
	if (text[0] != '/' || strlen(text) >= DG_CONFIG_PATH_MAX)
		return refuse(text, "an absolute path", err);
	strcpy((char *)base + key->offset, text); /* bounded by the line above */
	return 0;
}

static int string_read(const struct dg_config_key *key, const char *text, void *base,
		       struct dg_error *err)
{
	char allowed[160];
	size_t len = strlen(text);

	if (len < key->min || len > key->max)
		return refuse(text, dg_config_key_allows(key, allowed, sizeof(allowed)), err);
	memcpy((char *)base + key->offset, text, len + 1);
	return 0;
}

static int argv_read(const struct dg_config_key *key, const char *text, void *base,
		     struct dg_error *err)
{
	struct dg_config_argv *argv = (void *)((char *)base + key->offset);
	size_t size = strlen(text) + 1;

	if (!argv->count && text[0] != '/')
		return refuse(text, "the program's absolute path first, then its arguments", err);
	if (size > sizeof(argv->text) - argv->used)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "%s is too much; a command has at most %zu octets", DG_QUOTE(text),
			       sizeof(argv->text));
	memcpy(argv->text + argv->used, text, size);
	argv->used += (__u32)size;
	argv->count++;
	return 0;
}

const char *dg_config_argv_word(const struct dg_config_argv *argv, __u32 i)
{
	const char *word = argv->text;

	if (i >= argv->count)
		return "";
	while (i--)
		word += strlen(word) + 1;
	return word;
}

/* ADDRESS:PORT with brackets around an IPv6 address. */
static int endpoint_read(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	const char *colon = strrchr(text, ':'), *rest;
	char host[64];
	__u64 port;
	int bracket = text[0] == '[';
	size_t len;

	if (!colon || digits_read(colon + 1, &port, &rest) || *rest || !port || port > 65535)
		return -EINVAL;
	len = (size_t)(colon - text);
	if (len >= sizeof(host) || (bracket && (len < 2 || text[len - 1] != ']')))
		return -EINVAL;
	memcpy(host, text + bracket, len - 2 * (size_t)bracket);
	host[len - 2 * (size_t)bracket] = '\0';
	memset(ret, 0, sizeof(*ret));
	ret->ss_family = bracket ? AF_INET6 : AF_INET;
	if (bracket)
		v6->sin6_port = htons((__u16)port);
	else
		v4->sin_port = htons((__u16)port);
	return inet_pton(ret->ss_family, host,
			 bracket ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr) == 1 ?
		       0 :
		       -EINVAL;
}

static int listen_read(const struct dg_config_key *key, const char *text, void *base,
		       struct dg_error *err)
{
	struct sockaddr_storage endpoint = { .ss_family = AF_UNSPEC };

	if (strcmp(text, "off") && endpoint_read(text, &endpoint))
		return refuse(text, "ADDRESS:PORT as in 127.0.0.1:10530 or [::1]:10530, or off",
			      err);
	memcpy((char *)base + key->offset, &endpoint, sizeof(endpoint));
	return 0;
}

static int port_read(const struct dg_config_key *key, const char *text, void *base,
		     struct dg_error *err)
{
	struct dg_config *config = base;
	const char *rest;
	__u64 port;

	if (digits_read(text, &port, &rest) || *rest || port < key->min || port > key->max)
		return refuse(text, "a port from 1 to 65535", err);
	for (__u32 i = 0; i < config->port_count; i++)
		if (config->ports[i] == port)
			return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "\"%s\" is given twice", text);
	if (config->port_count == DG_PORTS_MAX)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "\"%s\" is one too many; at most %d ports", text, DG_PORTS_MAX);
	config->ports[config->port_count++] = (__u16)port;
	return 0;
}

static int address_read(const struct dg_config_key *key, const char *text, void *base,
			struct dg_error *err)
{
	struct dg_config *config = base;
	struct dg_prefix prefix;

	if (dg_prefix_parse(text, &prefix, NULL) ||
	    prefix.bits != (prefix.family == DG_IPV4 ? 32 : 128))
		return refuse(text, "an IPv4 or IPv6 address", err);
	if (config->services.count == key->max)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "\"%s\" is one too many; at most %d addresses", text, (int)key->max);
	config->services.addr[config->services.count++] = prefix.addr;
	return 0;
}

static int prefix_read(const struct dg_config_key *key, const char *text, void *base,
		       struct dg_error *err)
{
	struct dg_config *config = base;
	struct dg_prefix prefix;

	if (dg_prefix_parse(text, &prefix, NULL))
		return refuse(text, "a prefix as in 192.0.2.0/24 or 2001:db8::/32", err);
	if (config->client_count == key->max)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "\"%s\" is one too many; at most %d prefixes", text, (int)key->max);
	config->clients[config->client_count++] = prefix;
	return 0;
}

int dg_config_add_iface(struct dg_config *config, const char *name, struct dg_error *err)
{
	if (!ifname_valid(name))
		return refuse(name,
			      "a device name of 1 to 15 characters without blanks, / or :", err);
	for (__u32 i = 0; i < config->iface_count; i++)
		if (!strcmp(config->ifaces[i].name, name))
			return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
				       "interface \"%s\" is given twice", name);
	if (config->iface_count == DG_IF_MAX)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "\"%s\" is one too many; at most %d interfaces", name, DG_IF_MAX);
	memset(&config->ifaces[config->iface_count], 0, sizeof(config->ifaces[0]));
	strcpy(config->ifaces[config->iface_count++].name, name); /* bounded by ifname_valid() */
	dg_keys_add(&config->given, DG_KEY_INTERFACES);
	return 0;
}

static int iface_read(const struct dg_config_key *key, const char *text, void *base,
		      struct dg_error *err)
{
	(void)key;
	return dg_config_add_iface(base, text, err);
}

/* A mapping of dg_config_iface_keys: its first row is the name, its third the observe flag. */
static int iface_add(const struct dg_config_key *key, struct dg_config *config, const void *element,
		     const struct dg_key_set *given, struct dg_error *err)
{
	const struct dg_config_iface *iface = element;
	struct dg_config_iface *added;
	int failed;

	(void)key;
	if (!dg_keys_has(given, 0))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "this interface has no name");
	failed = dg_config_add_iface(config, iface->name, err);
	if (failed)
		return failed;
	added = &config->ifaces[config->iface_count - 1];
	*added = *iface;
	added->observe_given = dg_keys_has(given, 2);
	return 0;
}

/* LIST=ADDRESS:PORT. Whether there is such a list is not known here: it may come later. */
static int notify_read(const struct dg_config_key *key, const char *text, void *base,
		       struct dg_error *err)
{
	struct dg_config *config = base;
	struct dg_config_notify notify = { .list = "" };
	const char *equals = strrchr(text, '=');

	if (equals && (size_t)(equals - text) < sizeof(notify.list))
		memcpy(notify.list, text, (size_t)(equals - text));
	if (!notify.list[0] || dg_list_name_check(notify.list, NULL) ||
	    endpoint_read(equals + 1, &notify.at))
		return refuse(text, "LIST=ADDRESS:PORT as in policy=192.0.2.1:5300", err);
	for (__u32 i = 0; i < config->notify_count; i++)
		if (!strcmp(config->notify[i].list, notify.list) ||
		    !memcmp(&config->notify[i].at, &notify.at, sizeof(notify.at)))
			return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
				       "%s names a list or an address a second time",
				       DG_QUOTE(text));
	if (config->notify_count == key->max)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "%s is one too many; at most %d",
			       DG_QUOTE(text), (int)key->max);
	config->notify[config->notify_count++] = notify;
	return 0;
}

/* ADDRESS:PORT=N. Whether anybody listens there is not known here. */
static int quota_of_read(const struct dg_config_key *key, const char *text, void *base,
			 struct dg_error *err)
{
	struct dg_config *config = base;
	struct dg_config_quota quota = { .listener = "" };
	const char *equals = strrchr(text, '='), *rest;
	struct sockaddr_storage at;

	if (equals && (size_t)(equals - text) < sizeof(quota.listener))
		memcpy(quota.listener, text, (size_t)(equals - text));
	if (!equals || endpoint_read(quota.listener, &at) ||
	    digits_read(equals + 1, &quota.connections, &rest) || *rest || !quota.connections)
		return refuse(text, "ADDRESS:PORT=N as in 192.0.2.1:53=150", err);
	dg_config_endpoint_text(&at, quota.listener, sizeof(quota.listener));
	for (__u32 i = 0; i < config->tcp_quota_count; i++)
		if (!strcmp(config->tcp_quotas[i].listener, quota.listener))
			return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
				       "%s names a listener a second time", DG_QUOTE(text));
	if (config->tcp_quota_count == key->max)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "%s is one too many; at most %d",
			       DG_QUOTE(text), (int)key->max);
	config->tcp_quotas[config->tcp_quota_count++] = quota;
	return 0;
}

/* The text may hold a password or a token: it is not quoted. */
static int url_read(const struct dg_config_key *key, const char *text, void *base,
		    struct dg_error *err)
{
	if ((strncmp(text, "http://", 7) && strncmp(text, "https://", 8)) ||
	    strpbrk(text, " \"<>") || strlen(text) >= DG_CONFIG_URL_BYTES)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "a URL begins with http:// or https:// and has at most %d octets",
			       DG_CONFIG_URL_BYTES - 1);
	strcpy((char *)base + key->offset, text); /* bounded above */
	return 0;
}

static int url_append(const struct dg_config_key *key, struct dg_config *config,
		      const struct dg_config_url *url, struct dg_error *err)
{
	struct dg_config_urls *urls = (void *)((char *)config + key->offset);

	if (urls->count == key->max)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "one URL too many; at most %d",
			       (int)key->max);
	urls->url[urls->count++] = *url;
	return 0;
}

static int url_of_read(const struct dg_config_key *key, const char *text, void *base,
		       struct dg_error *err)
{
	struct dg_config_url url = { .url = "" };
	int failed = url_read(&dg_config_url_keys[0], text, &url, err);

	return failed ? failed : url_append(key, base, &url, err);
}

/* What is wrong with a receiver, or NULL. Its only secret is in one place. */
static const char *url_fault(const struct dg_config_url *url)
{
	if (!url->url[0] == !url->url_file[0])
		return "write either url or url-file";
	if (url->url_file[0] && (url->password_file[0] || url->token_file[0]))
		return "url-file goes with neither password-file nor token-file";
	if (!url->username[0] != !url->password_file[0])
		return "username and password-file go together";
	return url->username[0] && url->token_file[0] ?
		       "token-file excludes username and password-file" :
		       NULL;
}

static int url_add(const struct dg_config_key *key, struct dg_config *config, const void *element,
		   const struct dg_key_set *given, struct dg_error *err)
{
	const char *fault = url_fault(element);

	(void)given;
	return fault ? dg_fail(err, -EINVAL, DG_EXIT_USAGE, "%s", fault) :
		       url_append(key, config, element, err);
}

const char *dg_config_url_whole(const struct dg_config_url *url)
{
	return url->url_file[0] ? url->secret : url->url;
}

typedef int read_fn(const struct dg_config_key *, const char *, void *, struct dg_error *);

static read_fn *const readers[] = {
	[DG_TYPE_MODE] = word_read,	    [DG_TYPE_ATTACH] = word_read,
	[DG_TYPE_BOOL] = word_read,	    [DG_TYPE_COUNT] = count_read,
	[DG_TYPE_PERCENT] = percent_read,   [DG_TYPE_STRING] = string_read,
	[DG_TYPE_BYTES] = bytes_read,	    [DG_TYPE_IFNAME] = ifname_read,
	[DG_TYPE_SECRET] = secret_read,	    [DG_TYPE_FILE] = file_read,
	[DG_TYPE_LISTEN] = listen_read,	    [DG_TYPE_PORTS] = port_read,
	[DG_TYPE_ADDRESSES] = address_read, [DG_TYPE_PREFIXES] = prefix_read,
	[DG_TYPE_INTERFACES] = iface_read,  [DG_TYPE_DURATION] = duration_read,
	[DG_TYPE_NOTIFIES] = notify_read,   [DG_TYPE_ARGV] = argv_read,
	[DG_TYPE_QUOTA] = quota_read,	    [DG_TYPE_LOG] = word_read,
	[DG_TYPE_QUOTAS] = quota_of_read,   [DG_TYPE_URLS] = url_of_read,
	[DG_TYPE_URL] = url_read,
};

int dg_config_value_read(const struct dg_config_key *key, const char *text, void *base,
			 struct dg_error *err)
{
	return readers[key->type](key, text, base, err);
}

int dg_config_key_is_list(const struct dg_config_key *key)
{
	return key->type >= DG_TYPE_PORTS;
}

static const struct dg_config_element elements[DG_TYPE_END] = {
	[DG_TYPE_INTERFACES] = { dg_config_iface_keys, DG_CONFIG_IFACE_KEYS,
				 sizeof(struct dg_config_iface), iface_add },
	[DG_TYPE_URLS] = { dg_config_url_keys, DG_CONFIG_URL_KEYS, sizeof(struct dg_config_url),
			   url_add },
};
_Static_assert(sizeof(struct dg_config_url) <= DG_CONFIG_ELEMENT_BYTES, "read on the stack");
_Static_assert(sizeof(struct dg_config_iface) <= DG_CONFIG_ELEMENT_BYTES, "read on the stack");

const struct dg_config_element *dg_config_key_element(const struct dg_config_key *key)
{
	return elements[key->type].keys ? &elements[key->type] : NULL;
}

/* Where a list of struct dg_config keeps its number of elements; the others begin with it. */
static const size_t list_counts[DG_TYPE_END] = {
	[DG_TYPE_PORTS] = offsetof(struct dg_config, port_count),
	[DG_TYPE_ADDRESSES] = offsetof(struct dg_config, services.count),
	[DG_TYPE_PREFIXES] = offsetof(struct dg_config, client_count),
	[DG_TYPE_INTERFACES] = offsetof(struct dg_config, iface_count),
	[DG_TYPE_NOTIFIES] = offsetof(struct dg_config, notify_count),
	[DG_TYPE_QUOTAS] = offsetof(struct dg_config, tcp_quota_count),
};

static size_t list_count_at(const struct dg_config_key *key)
{
	return list_counts[key->type] ? list_counts[key->type] : key->offset;
}

__u32 dg_config_list_count(const struct dg_config_key *key, const void *base)
{
	return *(const __u32 *)((const char *)base + list_count_at(key));
}

const char *dg_config_word(const struct dg_config_key *key, __u64 value)
{
	return word_lists[key->type] ? word_lists[key->type][value] : NULL;
}

void dg_config_list_clear(const struct dg_config_key *key, void *base)
{
	*(__u32 *)((char *)base + list_count_at(key)) = 0;
	if (key->type == DG_TYPE_ARGV)
		memset((char *)base + key->offset, 0, sizeof(struct dg_config_argv));
}

static char *words_join(const char *const *words, const struct dg_config_key *key, char *buf,
			size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (__u64 i = key->min; i <= key->max && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s",
					 i == key->min ? "" :
					 i == key->max ? " or " :
							 ", ",
					 words[i]);
	return buf;
}

char *dg_config_key_allows(const struct dg_config_key *key, char *buf, size_t size)
{
	static const char *const plain[] = {
		[DG_TYPE_IFNAME] = "a device name",
		[DG_TYPE_SECRET] = "32 hex digits",
		[DG_TYPE_FILE] = "an absolute path",
		[DG_TYPE_LISTEN] = "ADDRESS:PORT or off",
		[DG_TYPE_PORTS] = "ports from 1 to 65535",
		[DG_TYPE_ADDRESSES] = "IPv4 and IPv6 addresses",
		[DG_TYPE_PREFIXES] = "IPv4 and IPv6 prefixes",
		[DG_TYPE_INTERFACES] = "device names",
		[DG_TYPE_NOTIFIES] = "LIST=ADDRESS:PORT",
		[DG_TYPE_ARGV] = "a program's absolute path and its arguments",
		[DG_TYPE_QUOTA] = "auto or a number of connections",
		[DG_TYPE_QUOTAS] = "ADDRESS:PORT=N",
		[DG_TYPE_URL] = "an http:// or https:// URL",
		[DG_TYPE_URLS] = "http:// or https:// URLs",
	};
	char least[32], most[32];

	if (word_lists[key->type])
		return words_join(word_lists[key->type], key, buf, size);
	switch (key->type) {
	case DG_TYPE_PERCENT:
		snprintf(buf, size, "a percentage from %" PRIu64 " to %" PRIu64, (uint64_t)key->min,
			 (uint64_t)key->max);
		return buf;
	case DG_TYPE_STRING:
		snprintf(buf, size, "a text of %" PRIu64 " to %" PRIu64 " octets",
			 (uint64_t)key->min, (uint64_t)key->max);
		return buf;
	case DG_TYPE_COUNT:
		snprintf(buf, size, "a whole number from %" PRIu64 " to %" PRIu64,
			 (uint64_t)key->min, (uint64_t)key->max);
		return buf;
	case DG_TYPE_BYTES:
		snprintf(buf, size, "a power of two from %" PRIu64 "KiB to %" PRIu64 "MiB",
			 (uint64_t)key->min >> 10, (uint64_t)key->max >> 20);
		return buf;
	case DG_TYPE_DURATION:
		snprintf(buf, size, "a duration from %s to %s",
			 dg_duration_text(key->min, least, sizeof(least)),
			 dg_duration_text(key->max, most, sizeof(most)));
		return buf;
	default:
		snprintf(buf, size, "%s", plain[key->type]);
		return buf;
	}
}

void dg_config_default(struct dg_config *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned int i = 0; i < DG_KEY_COUNT; i++)
		if (dg_config_keys[i].fallback[0])
			dg_config_value_read(&dg_config_keys[i], dg_config_keys[i].fallback, ret,
					     NULL);
	memset(&ret->given, 0, sizeof(ret->given));
}

void dg_config_command(struct dg_config *config, enum dg_config_key_id id)
{
	dg_keys_add(&config->given, id);
	config->origin[id] = (struct dg_config_origin){ .file = DG_CONFIG_FROM_COMMAND };
}
