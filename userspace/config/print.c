// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * print.c - values back into the words of the file, all of a configuration as lines, and what two
 * such texts differ in.
 *
 * What is printed here can be read back by keys.c, except for secrets: those are never printed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "bpf/hash.h"
#include "userspace/config/config.h"

static const void *field(const struct dg_config_key *key, const void *base)
{
	return (const char *)base + key->offset;
}

static void bytes_text(__u64 value, char *buf, size_t size)
{
	static const char *const units[] = { "", "KiB", "MiB", "GiB" };
	unsigned int i = 0;

	while (value && !(value & 1023) && i < 3) {
		value >>= 10;
		i++;
	}
	snprintf(buf, size, "%" PRIu64 "%s", (uint64_t)value, units[i]);
}

/* In the largest unit that leaves no rest, so that nothing is lost. */
static void duration_text(__u64 ns, char *buf, size_t size)
{
	static const struct {
		__u64 seconds;
		char letter;
	} units[] = { { 604800, 'w' }, { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	__u64 seconds = ns / DG_CONFIG_SECOND_NS;
	unsigned int i = 0;

	while (i < 4 && (!seconds || seconds % units[i].seconds))
		i++;
	snprintf(buf, size, "%" PRIu64 "%c", (uint64_t)(seconds / units[i].seconds),
		 units[i].letter);
}

char *dg_config_endpoint_text(const struct sockaddr_storage *at, char *buf, size_t size)
{
	const struct sockaddr_in6 *v6 = (const void *)at;
	const struct sockaddr_in *v4 = (const void *)at;
	char host[INET6_ADDRSTRLEN] = "";

	if (at->ss_family == AF_UNSPEC) {
		snprintf(buf, size, "off");
		return buf;
	}
	if (at->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(buf, size, "[%s]:%u", host, ntohs(v6->sin6_port));
		return buf;
	}
	inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
	snprintf(buf, size, "%s:%u", host, ntohs(v4->sin_port));
	return buf;
}

/* A URL without what may be a password or a token: scheme and host. */
static void url_text(const char *url, char *buf, size_t size)
{
	const char *scheme = strstr(url, "://"), *host = scheme ? scheme + 3 : url;
	const char *path = host + strcspn(host, "/?#");
	const char *user = memrchr(host, '@', (size_t)(path - host));

	snprintf(buf, size, "%.*s%s%.*s%s", (int)(host - url), url, user ? "(hidden)@" : "",
		 (int)(path - (user ? user + 1 : host)), user ? user + 1 : host,
		 path[0] && path[1] ? "/(hidden)" : path);
}

char *dg_config_value_text(const struct dg_config_key *key, const void *base, char *buf,
			   size_t size)
{
	const __u64 *number = field(key, base);

	switch (key->type) {
	case DG_TYPE_SECRET:
		snprintf(buf, size, "%s",
			 ((const struct dg_config *)base)->cookie_secret_set ? "(hidden)" : "");
		break;
	case DG_TYPE_BYTES:
		if (*number)
			bytes_text(*number, buf, size);
		else
			buf[0] = '\0';
		break;
	case DG_TYPE_DURATION:
		duration_text(*number, buf, size);
		break;
	case DG_TYPE_LISTEN:
		dg_config_endpoint_text(field(key, base), buf, size);
		break;
	case DG_TYPE_URL:
		url_text(field(key, base), buf, size);
		break;
	case DG_TYPE_IFNAME:
	case DG_TYPE_FILE:
	case DG_TYPE_STRING:
		snprintf(buf, size, "%s", (const char *)field(key, base));
		break;
	case DG_TYPE_QUOTA:
		if (*number)
			snprintf(buf, size, "%" PRIu64, (uint64_t)*number);
		else
			snprintf(buf, size, "auto");
		break;
	case DG_TYPE_COUNT:
	case DG_TYPE_PERCENT:
		snprintf(buf, size, "%" PRIu64 "%s", (uint64_t)*number,
			 key->type == DG_TYPE_PERCENT ? "%" : "");
		break;
	default:
		snprintf(buf, size, "%s", dg_config_word(key, *number));
	}
	return buf;
}

/* Quoted where YAML would read a plain word as something else. */
static void quoted(const char *text, char *buf, size_t size)
{
	size_t used = 0, safe = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					     "0123456789._/%+=-()@");

	if (text[0] && !text[safe] && text[0] != '-' && text[0] != '%' && text[0] != '@' &&
	    text[0] != '=') {
		snprintf(buf, size, "%s", text);
		return;
	}
	buf[used++] = '\'';
	for (; *text && used + 3 < size; text++) {
		if (*text == '\'')
			buf[used++] = '\'';
		buf[used++] = *text;
	}
	buf[used++] = '\'';
	buf[used] = '\0';
}

/* "{name: eth1, mode: generic}": the keys that are not at their default. */
static void mapping_text(const struct dg_config_element *kind, const void *element, char *buf,
			 size_t size)
{
	char value[DG_CONFIG_TEXT_MAX], word[DG_CONFIG_TEXT_MAX];
	size_t used = (size_t)snprintf(buf, size, "{");
	int shown = 0;

	for (unsigned int i = 0; i < kind->key_count && used < size; i++) {
		const struct dg_config_key *key = &kind->keys[i];

		if (dg_config_key_is_list(key)) {
			if (!dg_config_list_count(key, element))
				continue;
			dg_config_list_text(key, element, word, sizeof(word));
		} else {
			dg_config_value_text(key, element, value, sizeof(value));
			if (!strcmp(value, key->fallback))
				continue;
			quoted(value, word, sizeof(word));
		}
		used += (size_t)snprintf(buf + used, size - used, "%s%s: %s", shown++ ? ", " : "",
					 key->path, word);
	}
	if (used < size)
		snprintf(buf + used, size - used, "}");
}

char *dg_config_list_text(const struct dg_config_key *key, const void *base, char *buf, size_t size)
{
	size_t used = (size_t)snprintf(buf, size, "[");
	char element[DG_CONFIG_TEXT_MAX];

	for (__u32 i = 0; i < dg_config_list_count(key, base) && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? ", " : "",
					 dg_config_element_text(key, base, i, element,
								sizeof(element)));
	if (used < size)
		snprintf(buf + used, size - used, "]");
	return buf;
}

char *dg_config_single_text(const struct dg_config_key *key, const void *base, __u32 i, char *buf,
			    size_t size)
{
	const struct dg_config *config = base;
	char at[80];

	switch (key->type) {
	case DG_TYPE_PORTS:
		snprintf(buf, size, "%u", config->ports[i]);
		break;
	case DG_TYPE_ADDRESSES:
		dg_addr_text(config->services.addr[i], buf, size);
		break;
	case DG_TYPE_PREFIXES:
		dg_prefix_text(&config->clients[i], buf, size);
		break;
	case DG_TYPE_NOTIFIES:
		dg_config_endpoint_text(&config->notify[i].at, at, sizeof(at));
		snprintf(buf, size, "%s=%s", config->notify[i].list, at);
		break;
	case DG_TYPE_QUOTAS:
		snprintf(buf, size, "%s=%" PRIu64, config->tcp_quotas[i].listener,
			 (uint64_t)config->tcp_quotas[i].connections);
		break;
	case DG_TYPE_URLS:
		url_text(((const struct dg_config_urls *)field(key, base))->url[i].url, buf, size);
		break;
	default:
		snprintf(buf, size, "%s", dg_config_argv_word(field(key, base), i));
	}
	return buf;
}

/* A receiver of which nothing but its URL is said. */
static bool is_bare_url(const struct dg_config_url *url)
{
	return !url->url_file[0] && !url->username[0] && !url->token_file[0];
}

bool dg_config_is_single(const struct dg_config_key *key, const void *base, __u32 i)
{
	const struct dg_config_urls *urls = field(key, base);

	return !dg_config_key_element(key) ||
	       (key->type == DG_TYPE_URLS && is_bare_url(&urls->url[i]));
}

/* An element's place: the first one stands where the row points, or behind the count. */
static const void *element_at(const struct dg_config_key *key, const void *base, __u32 i)
{
	const struct dg_config_urls *urls = field(key, base);

	return key->type == DG_TYPE_URLS ?
		       (const void *)&urls->url[i] :
		       (const char *)field(key, base) + i * dg_config_key_element(key)->size;
}

char *dg_config_element_text(const struct dg_config_key *key, const void *base, __u32 i, char *buf,
			     size_t size)
{
	char text[DG_CONFIG_TEXT_MAX];

	if (!dg_config_is_single(key, base, i)) {
		mapping_text(dg_config_key_element(key), element_at(key, base, i), buf, size);
		return buf;
	}
	quoted(dg_config_single_text(key, base, i, text, sizeof(text)), buf, size);
	return buf;
}

char *dg_config_origin_text(const struct dg_config *config, enum dg_config_key_id id, char *buf,
			    size_t size)
{
	const struct dg_config_origin *from = &config->origin[id];

	if (!from->file)
		snprintf(buf, size, "default");
	else if (from->file == DG_CONFIG_FROM_COMMAND)
		snprintf(buf, size, "command line");
	else
		snprintf(buf, size, "%s:%u", config->files[from->file - 1], from->line);
	return buf;
}

/* ---- marks of what is hidden ----------------------------------------------------------------- */

#define MARK '\t' /* no value holds one */

static __u64 mark_of(const __u64 key[4], const void *secret, size_t len)
{
	struct dg_hash hash = { key[0], key[1] };

	for (size_t at = 0; at < len; at += 8) {
		__u64 word = 0;

		memcpy(&word, (const char *)secret + at, len - at < 8 ? len - at : 8);
		dg_hash_word(&hash, key, word);
	}
	return dg_mix64(hash.a ^ dg_mix64(hash.b));
}

/* Behind a value that hides something: which something, for who has the key. */
static void mark_write(FILE *out, const struct dg_config_key *key, const void *base, __u32 i,
		       const __u64 mark_key[4])
{
	const struct dg_config *config = base;
	const void *secret = config->cookie_secret;
	size_t len = sizeof(config->cookie_secret);

	if (!mark_key || (key->type != DG_TYPE_SECRET && key->type != DG_TYPE_URLS))
		return;
	if (key->type == DG_TYPE_URLS) {
		secret = element_at(key, base, i);
		len = sizeof(struct dg_config_url);
	}
	fprintf(out, "%c%016" PRIx64, MARK, (uint64_t)mark_of(mark_key, secret, len));
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void key_lines(FILE *out, const struct dg_config_key *key, const void *base,
		      const __u64 mark_key[4])
{
	char text[DG_CONFIG_TEXT_MAX];

	if (!dg_config_key_is_list(key)) {
		dg_config_value_text(key, base, text, sizeof(text));
		if (!text[0])
			return;
		fprintf(out, "%s: %s", key->path, text);
		mark_write(out, key, base, 0, mark_key);
		putc('\n', out);
		return;
	}
	for (__u32 i = 0; i < dg_config_list_count(key, base); i++) {
		fprintf(out, "%s[]: %s", key->path,
			dg_config_element_text(key, base, i, text, sizeof(text)));
		mark_write(out, key, base, i, mark_key);
		putc('\n', out);
	}
}

char *dg_config_lines_marked(const struct dg_config *config, const __u64 key[4])
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	for (unsigned int i = 0; out && i < DG_KEY_COUNT; i++)
		key_lines(out, &dg_config_keys[i], config, key);
	if (out && fclose(out)) {
		free(text);
		text = NULL;
	}
	return text;
}

char *dg_config_lines(const struct dg_config *config)
{
	return dg_config_lines_marked(config, NULL);
}

/* ---- differences ----------------------------------------------------------------------------- */

/* A text cut into lines, sorted: equal ones meet. */
struct lines {
	char *text;
	char **line;
	size_t count;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int lines_cut(const char *text, struct lines *ret)
{
	size_t max = 1;

	for (const char *at = text; (at = strchr(at, '\n')); at++)
		max++;
	ret->text = strdup(text);
	ret->line = calloc(max, sizeof(*ret->line));
	if (!ret->text || !ret->line)
		return -ENOMEM;
	for (char *rest = ret->text, *line; (line = strsep(&rest, "\n"));)
		if (line[0])
			ret->line[ret->count++] = line;
	qsort(ret->line, ret->count, sizeof(*ret->line), by_text);
	return 0;
}

static void lines_free(struct lines *lines)
{
	free(lines->line);
	free(lines->text);
}

/* What people see of a line: without the mark. */
static int seen_len(const char *line)
{
	return (int)strcspn(line, (const char[]){ MARK, '\0' });
}

/* Of one key, which is no list: the same up to the colon. */
static int same_key(const char *a, const char *b)
{
	size_t len = strcspn(a, ":");

	return !strncmp(a, b, len + 1) && a[len - 1] != ']';
}

/* They differ in their marks alone. */
static int same_seen(const char *a, const char *b)
{
	return seen_len(a) == seen_len(b) && !strncmp(a, b, (size_t)seen_len(a));
}

static void say_change(const char *before, const char *after,
		       void (*say)(const char *change, void *arg), void *arg)
{
	const char *one = before ? before : after;
	char text[3 * DG_CONFIG_TEXT_MAX];

	if (before && after && same_seen(before, after))
		snprintf(text, sizeof(text), "%.*s: changed (hidden)",
			 same_key(before, after) ? (int)strcspn(before, ":") : seen_len(before),
			 before);
	else if (before && after)
		snprintf(text, sizeof(text), "%.*s -> %.*s", seen_len(before), before,
			 seen_len(strchr(after, ':') + 2), strchr(after, ':') + 2);
	else
		snprintf(text, sizeof(text), "%c %.*s", before ? '-' : '+', seen_len(one), one);
	say(text, arg);
}

/* Takes out of both what both have, so that what is left are changes. */
static void lines_cancel(struct lines *a, struct lines *b)
{
	size_t i = 0, j = 0, kept_a = 0, kept_b = 0;

	while (i < a->count && j < b->count) {
		int order = strcmp(a->line[i], b->line[j]);

		if (order < 0)
			a->line[kept_a++] = a->line[i];
		if (order > 0)
			b->line[kept_b++] = b->line[j];
		i += order <= 0;
		j += order >= 0;
	}
	while (i < a->count)
		a->line[kept_a++] = a->line[i++];
	while (j < b->count)
		b->line[kept_b++] = b->line[j++];
	a->count = kept_a;
	b->count = kept_b;
}

int dg_config_diff(const char *before, const char *after,
		   void (*say)(const char *change, void *arg), void *arg)
{
	struct lines dg_scoped(lines_free) a = { 0 };
	struct lines dg_scoped(lines_free) b = { 0 };
	size_t i = 0, j = 0;
	int changes = 0;

	if (lines_cut(before, &a) || lines_cut(after, &b))
		return -ENOMEM;
	lines_cancel(&a, &b);
	for (; i < a.count || j < b.count; changes++) {
		const char *old = i < a.count ? a.line[i] : NULL;
		const char *new = j < b.count ? b.line[j] : NULL;
		int is_same = old && new && (same_key(old, new) || same_seen(old, new));
		int is_old = is_same || !new || (old && strcmp(old, new) < 0);
		int is_new = is_same || !is_old;

		i += is_old;
		j += is_new;
		say_change(is_old ? old : NULL, is_new ? new : NULL, say, arg);
	}
	return changes;
}
