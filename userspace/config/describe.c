// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * describe.c - the table of keys for people.
 *
 * Everything that is said of a key stands in its row; here stands only what is said of sections,
 * and what a fresh installation sets otherwise than the defaults.
 */
#include "userspace/config/describe.h"

#include <string.h>

#include "userspace/config/config.h"

#define COMMENT_COLUMN 32

static const char head[] =
	"# Configuration of dnsguardd: dnsguard.yaml(5). Judge it with `dnsguard config check`, apply it with `dnsguard reload`.\n"
	"#\n"
	"# Files are applied as a whole or not at all. Those of conf.d/*.yaml are read over this one in the order of their\n"
	"# names: the last one that gives a key wins, a list is replaced as a whole. What stands behind a \"#\" here is the\n"
	"# default. A key that nobody gives keeps what the running guard has, so limits set with `dnsguard limit set` survive\n"
	"# a restart of the service; with --save they are written to conf.d/50-cli.yaml.\n";

static const struct {
	const char *path, *text;
} sections[] = {
	{ "mode", "observe: every protection decides and counts, all packets pass. Watch `dnsguard "
		  "status` for a day or two,\n# then write enforce." },
	{ "interfaces", "Devices to guard: names, or mappings with the keys below." },
	{ "service", "What is guarded." },
	{ "clients", "Queries of others go to the resolver." },
	{ "limits",
	  "How much each sender may ask. Wider prefixes of senders get multiples of it." },
	{ "sources", "dnsguard source ban|exempt. The entries themselves outlast a reboot without "
		     "a line here." },
	{ "answers", "What listed names are answered." },
	{ "lists", "Lists (dnsguard list add ...). Files and directories are watched, URLs and "
		   "zones are asked when they are due." },
	{ "tcp", "How full each listener's TCP quota is, and when that is a warning, critical or "
		 "exhausted (dnsguard tcp)." },
	{ "alerts", "Who is told. Try it: dnsguard alert test" },
	{ "metrics", "Metrics and the page for browsers." },
};

/* What a fresh installation says, in a file that otherwise says nothing. */
static const struct {
	enum dg_config_key_id id;
	const char *value;
} shipped[] = {
	{ DG_KEY_MODE, "observe" },
	{ DG_KEY_INTERFACES, "[]" },
};

static const char *shipped_value(const struct dg_config_key *key)
{
	for (size_t i = 0; i < sizeof(shipped) / sizeof(shipped[0]); i++)
		if (key == &dg_config_keys[shipped[i].id])
			return shipped[i].value;
	return NULL;
}

static void section_text(FILE *out, const char *path)
{
	fputc('\n', out);
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (!strcmp(sections[i].path, path))
			fprintf(out, "# %s\n", sections[i].text);
}

/* A value where the default is none, so that the line can be switched on as it is. */
static const char *example(const struct dg_config_key *key, char *buf, size_t size)
{
	const char *leaf = strrchr(key->path, '.');

	switch (key->type) {
	case DG_TYPE_SECRET:
		return "00112233445566778899aabbccddeeff";
	case DG_TYPE_FILE:
		snprintf(buf, size, "/etc/dnsguard/%s", leaf ? leaf + 1 : key->path);
		return buf;
	case DG_TYPE_BYTES:
		return "1GiB";
	default:
		return dg_config_key_is_list(key) ? "[]" : "''";
	}
}

static const char *list_example(const struct dg_config_key *key)
{
	switch (key->type) {
	case DG_TYPE_ADDRESSES:
		return "[192.0.2.53, '2001:db8::53']";
	case DG_TYPE_PREFIXES:
		return "[192.0.2.0/24, '2001:db8::/32']";
	case DG_TYPE_NOTIFIES:
		return "['policy=192.0.2.1:5300']";
	case DG_TYPE_ARGV:
		return "[/usr/local/bin/page-me, --now]";
	case DG_TYPE_QUOTAS:
		return "['192.0.2.1:53=150']";
	case DG_TYPE_URLS:
		return "['http://127.0.0.1:9093']";
	default:
		return NULL;
	}
}

static const char *default_text(const struct dg_config_key *key, char *buf, size_t size)
{
	if (!key->fallback[0])
		return example(key, buf, size);
	snprintf(buf, size,
		 dg_config_key_is_list(key)    ? "[%s]" :
		 strpbrk(key->fallback, ":[]") ? "'%s'" :
						 "%s",
		 key->fallback);
	return buf;
}

/* Did a row above have elements of this kind? */
static int is_told(const struct dg_config_key *key, const struct dg_config_element *kind)
{
	for (const struct dg_config_key *before = dg_config_keys; before < key; before++)
		if (dg_config_key_element(before) == kind)
			return 1;
	return 0;
}

/* The keys of a mapping as comments, once for all lists that have such. */
static void elements_text(FILE *out, const struct dg_config_key *key)
{
	const struct dg_config_element *kind = dg_config_key_element(key);
	char allows[160];

	if (!kind || is_told(key, kind))
		return;
	for (unsigned int i = 0; i < kind->key_count; i++)
		fprintf(out, "#   %s: %s; %s\n", kind->keys[i].path, kind->keys[i].help,
			dg_config_key_allows(&kind->keys[i], allows, sizeof(allows)));
}

static void leaf_text(FILE *out, const struct dg_config_key *key, int depth)
{
	const char *leaf = strrchr(key->path, '.'), *fresh = shipped_value(key);
	const char *as_in = list_example(key);
	char value[300], line[400], allows[160] = "";

	snprintf(line, sizeof(line), "%s%*s%s: %s", fresh ? "" : "#", 2 * depth, "",
		 leaf ? leaf + 1 : key->path,
		 fresh ? fresh : default_text(key, value, sizeof(value)));
	if (dg_config_word(key, key->min))
		dg_config_key_allows(key, allows, sizeof(allows));
	fprintf(out, "%-*s # %s%s%s%s%s\n", COMMENT_COLUMN, line, key->help, allows[0] ? "; " : "",
		allows, as_in ? ", as in " : "", as_in ? as_in : "");
	if (key->type == DG_TYPE_INTERFACES)
		fputs("#  - eth0\n#  - {name: eth1, mode: generic, observe: true}\n", out);
}

/* The first key of the table that stands below this path. */
static unsigned int first_below(const char *path, size_t len)
{
	unsigned int i = 0;

	while (strncmp(dg_config_keys[i].path, path, len) ||
	       (dg_config_keys[i].path[len] && dg_config_keys[i].path[len] != '.'))
		i++;
	return i;
}

/* Everything below a prefix of len octets ("limits."), each section once, wherever its rows stand. */
static void below_text(FILE *out, const char *prefix, size_t len, int depth)
{
	for (unsigned int i = 0; i < DG_KEY_COUNT; i++) {
		const struct dg_config_key *key = &dg_config_keys[i];
		size_t child = strcspn(key->path + len, ".") + len;
		char path[80];

		if (strncmp(key->path, prefix, len) || first_below(key->path, child) != i)
			continue;
		snprintf(path, sizeof(path), "%.*s", (int)child, key->path);
		if (!depth)
			section_text(out, path);
		if (!key->path[child]) {
			elements_text(out, key);
			leaf_text(out, key, depth);
			continue;
		}
		fprintf(out, "#%*s%s:\n", 2 * depth, "", path + len);
		below_text(out, key->path, child + 1, depth + 1);
	}
}

void dg_config_write_file(FILE *out)
{
	fputs(head, out);
	below_text(out, "", 0, 0);
}

/* ---- the manual ------------------------------------------------------------------------------ */

static void manual_key(FILE *out, const char *prefix, const struct dg_config_key *key)
{
	char allows[160];

	fprintf(out, ".It Cm %s%s\n%s.\nAllowed: %s.\nDefault: %s.\n", prefix, key->path, key->help,
		dg_config_key_allows(key, allows, sizeof(allows)),
		key->fallback[0] ? key->fallback : "none");
}

void dg_config_write_manual(FILE *out)
{
	char prefix[80];

	fputs(".Bl -tag -width Ds\n", out);
	for (unsigned int i = 0; i < DG_KEY_COUNT; i++) {
		const struct dg_config_element *kind = dg_config_key_element(&dg_config_keys[i]);

		manual_key(out, "", &dg_config_keys[i]);
		snprintf(prefix, sizeof(prefix), "%s[].", dg_config_keys[i].path);
		for (unsigned int j = 0; kind && j < kind->key_count; j++)
			manual_key(out, prefix, &kind->keys[j]);
	}
	fputs(".El\n", out);
}
