// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spec.c - the description of one list: what an operator may say, and what is refused.
 *
 * Pure: looks at no file but for making a path absolute.
 */
#include "userspace/lists/lists.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "userspace/lib/names.h"
#include "userspace/lib/quote.h"
#include "userspace/lib/values.h"

const char *const dg_list_formats[] = { "auto",	   "hosts",   "domains", "wildcard", "adblock",
					"dnsmasq", "unbound", "rpz",	 NULL };
const char *const dg_list_matches[] = { "suffix", "exact", NULL };

/* ---- names ---------------------------------------------------------------------------------- */

/* What else lies in the directory of the lists. */
static bool is_reserved(const char *name)
{
	size_t len = strlen(name);

	return !strcmp(name, "operator") || (len > 5 && !strcmp(name + len - 5, ".json")) ||
	       (len > 4 && !strcmp(name + len - 4, ".new"));
}

int dg_list_name_check(const char *name, struct dg_error *err)
{
	size_t len = strlen(name);
	bool good = len && len <= DG_TEXT_MAX && name[0] != '.' && name[0] != '-';

	for (size_t i = 0; good && i < len; i++)
		good = name[i] > ' ' && name[i] < 0x7f && name[i] != '/' && name[i] != ',' &&
		       name[i] != '"' && name[i] != '\\';
	if (!good)
		return dg_fail(
			err, -EINVAL, DG_EXIT_USAGE,
			"list name %s: use 1 to %d printable ASCII characters without blank, / , \" "
			"or \\, not beginning with . or -",
			DG_QUOTE(name), DG_TEXT_MAX);
	if (is_reserved(name))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "list name %s is used by dnsguard itself: choose another one",
			       DG_QUOTE(name));
	return 0;
}

/* ---- sources -------------------------------------------------------------------------------- */

static bool has_scheme(const char *source, const char *scheme)
{
	return !strncasecmp(source, scheme, strlen(scheme));
}

enum dg_list_kind dg_list_kind_of(const struct dg_list_spec *spec)
{
	if (spec->source[0] == '/')
		return DG_LIST_PATH;
	return has_scheme(spec->source, "axfr://") ? DG_LIST_AXFR : DG_LIST_URL;
}

/* Cut to size. */
static void piece_add(char *buf, size_t size, const char *text, size_t len)
{
	size_t used = strlen(buf);

	snprintf(buf + used, size - used, "%.*s", (int)len, text);
}

/* "?key=SECRET&other" becomes "?key=***&***"; what follows a '#' is never sent, and says nothing. */
static void query_hide(const char *query, char *buf, size_t size)
{
	size_t left = strcspn(query, "#");

	while (left) {
		size_t part = strcspn(query + 1, "&#") + 1;
		const char *equals = memchr(query, '=', part);

		piece_add(buf, size, query, equals ? (size_t)(equals + 1 - query) : 1);
		piece_add(buf, size, "***", 3);
		query += part;
		left -= part;
	}
}

char *dg_list_source_text(const char *source, char buf[DG_LIST_SOURCE_MAX])
{
	const char *host = strstr(source, "://"), *at;
	size_t len;

	buf[0] = '\0';
	if (!host || source[0] == '/') {
		piece_add(buf, DG_LIST_SOURCE_MAX, source, strlen(source));
		return buf;
	}
	host += strlen("://");
	piece_add(buf, DG_LIST_SOURCE_MAX, source, (size_t)(host - source));
	at = memrchr(host, '@', strcspn(host, "/?#"));
	if (at)
		piece_add(buf, DG_LIST_SOURCE_MAX, "***", 3);
	host = at ? at : host;
	len = strcspn(host, "?#");
	piece_add(buf, DG_LIST_SOURCE_MAX, host, len);
	query_hide(host + len, buf, DG_LIST_SOURCE_MAX);
	return buf;
}

static int url_check(const char *url, struct dg_error *err)
{
	const char *host = strstr(url, "://") + 3, *at = memrchr(host, '@', strcspn(host, "/?#"));
	char shown[DG_LIST_SOURCE_MAX];

	dg_list_source_text(url, shown);
	if (!strcspn(at ? at + 1 : host, "/?#:"))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "source %s has no host",
			       DG_QUOTE(shown));
	if (at && !has_scheme(url, "https://"))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "source %s holds a user's name, which would go over the network for "
			       "everybody to read: use https://",
			       DG_QUOTE(shown));
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c >= 0x7f)
			return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
				       "source %s: a URL is printable ASCII without blanks",
				       DG_QUOTE(shown));
	return 0;
}

/*
 * "V4", "V4:PORT", "[V6]", "[V6]:PORT": addresses only, because what guards a resolver must not ask one.
 */
static int authority_parse(char *text, struct dg_list_axfr *ret)
{
	char *end = text[0] == '[' ? strchr(text, ']') : NULL;
	char *colon = strchr(end ? end : text, ':');
	struct dg_prefix address;
	__u64 port = 53;

	if ((text[0] == '[' && !end) || (end && end[1] && end[1] != ':'))
		return -EINVAL;
	if (colon)
		*colon = '\0';
	if (colon && dg_count_parse("port", colon + 1, 1, 65535, &port, NULL))
		return -EINVAL;
	if (end)
		*end = '\0';
	if (dg_prefix_parse(text + !!end, &address, NULL) || strchr(text, '/'))
		return -EINVAL;
	snprintf(ret->port, sizeof(ret->port), "%u", (unsigned int)port & 0xffff);
	snprintf(ret->host, sizeof(ret->host), "%.63s", text + !!end);
	return 0;
}

int dg_list_axfr_parse(const char *source, struct dg_list_axfr *ret, struct dg_error *err)
{
	struct dg_list_axfr axfr = { .host = "" };
	char authority[300];
	const char *start = source + strlen("axfr://"), *slash = strchr(start, '/');
	struct dg_error inner = { .text = "it has no zone behind the primary" };
	struct dg_name zone;
	int rc = slash && (size_t)(slash - start) < sizeof(authority) ? 0 : -EINVAL;

	if (!rc)
		rc = dg_name_parse(slash + 1, &zone, &inner);
	if (!rc && strlen(slash + 1) >= sizeof(axfr.zone))
		rc = -EINVAL;
	if (!rc) {
		snprintf(authority, sizeof(authority), "%.*s", (int)(slash - start), start);
		snprintf(inner.text, sizeof(inner.text),
			 "its primary is no address, like 192.0.2.1:53 or [2001:db8::1]:53");
		rc = authority_parse(authority, &axfr);
	}
	if (rc)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "source %s: %.500s; write axfr://PRIMARY[:PORT]/ZONE",
			       DG_QUOTE(source), inner.text);
	strcpy(axfr.zone, slash + 1);
	*ret = axfr;
	return 0;
}

static int path_set(struct dg_list_spec *spec, const char *source, struct dg_error *err)
{
	char cwd[PATH_MAX] = "", whole[2 * PATH_MAX];

	if (source[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "the working directory is unknown: %s",
			       strerror(errno));
	if (strlen(source) >= PATH_MAX ||
	    (size_t)snprintf(whole, sizeof(whole), "%s%s%s", cwd, cwd[0] ? "/" : "", source) >=
		    sizeof(spec->source))
		return dg_fail(err, -ENAMETOOLONG, DG_EXIT_USAGE, "source %s is too long",
			       DG_QUOTE(source));
	if (!dg_text_is_clean(whole))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "source %s: a path with control characters", DG_QUOTE(source));
	strcpy(spec->source, whole);
	return 0;
}

/* ---- slips of the pen ----------------------------------------------------------------------- */

static const char *const schemes[] = { "https", "http", "axfr" };
#define SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

/* "https:/host" and "https:host" mean https://host. NULL = it is none of them. */
static const char *slashes_find(const char *source, const char **ret_rest)
{
	for (size_t i = 0; i < SCHEMES; i++) {
		size_t len = strlen(schemes[i]);

		if (strncasecmp(source, schemes[i], len) || source[len] != ':')
			continue;
		*ret_rest = source + len + strspn(source + len, ":/");
		return schemes[i];
	}
	return NULL;
}

/* Letters that must be put in, taken away or replaced to make one of the other; more than `most` is told as most + 1. */
static size_t slips(const char *a, const char *b, size_t most)
{
	size_t less, more, other;

	while (*a && tolower((unsigned char)*a) == *b)
		a++, b++;
	if (!*a || !*b)
		return strlen(a) + strlen(b);
	if (!most)
		return 1;
	less = slips(a + 1, b, most - 1);
	more = slips(a, b + 1, most - 1);
	other = slips(a + 1, b + 1, most - 1);
	less = less < more ? less : more;
	return 1 + (less < other ? less : other);
}

/* A scheme that is none of ours, as "htps://": which one is meant? */
static int scheme_fail(const char *source, struct dg_error *err)
{
	char scheme[16], shown[DG_LIST_SOURCE_MAX];
	const char *rest = strstr(source, "://"), *meant = NULL;

	snprintf(scheme, sizeof(scheme), "%.*s", (int)(rest - source), source);
	for (size_t i = 0; !meant && i < SCHEMES; i++)
		if (slips(scheme, schemes[i], 1) <= 1)
			meant = schemes[i];
	dg_list_source_text(source, shown);
	rest = strstr(shown, "://");
	if (!strcasecmp(scheme, "file"))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "source %s: write the path alone: %.500s", DG_QUOTE(shown),
			       rest + strlen("://"));
	if (meant)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "source %s: write %s%.500s",
			       DG_QUOTE(shown), meant, rest);
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
		       "source %s: use a path, http://, https:// or axfr://", DG_QUOTE(shown));
}

int dg_list_source_set(struct dg_list_spec *spec, const char *source, struct dg_error *err)
{
	const char *rest, *scheme = slashes_find(source, &rest);
	struct dg_list_axfr axfr;
	int rc;

	if (!source[0])
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "source \"\" is empty");
	if (scheme && rest[0] && rest < source + strlen(scheme) + strlen("://"))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "source %.60s...: write %s://%.200s",
			       source, scheme, rest);
	if (!strstr(source, "://"))
		return path_set(spec, source, err);
	if (strlen(source) >= sizeof(spec->source))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "source %s is too long",
			       DG_QUOTE(source));
	if (has_scheme(source, "axfr://"))
		rc = dg_list_axfr_parse(source, &axfr, err);
	else if (has_scheme(source, "https://") || has_scheme(source, "http://"))
		rc = url_check(source, err);
	else
		rc = scheme_fail(source, err);
	if (!rc)
		strcpy(spec->source, source);
	return rc;
}

/* ---- the rest ------------------------------------------------------------------------------- */

static bool is_one_of(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(*list, word))
			return true;
	return false;
}

static int answer_check(const char *text, struct dg_error *err)
{
	struct dg_answer answer = { .kind = DG_ANSWER_NXDOMAIN };

	return strcmp(text, "allow") ? dg_answer_parse(text, &answer, err) : 0;
}

int dg_list_spec_check(const struct dg_list_spec *spec, struct dg_error *err)
{
	int rc = dg_list_name_check(spec->name, err);

	if (!rc)
		rc = answer_check(spec->answer, err);
	if (rc)
		return rc;
	if (!is_one_of(spec->format, dg_list_formats))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "list %s: there is no format %s",
			       spec->name, DG_QUOTE(spec->format));
	if (!is_one_of(spec->match, dg_list_matches))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "list %s: match %s is neither exact nor suffix", spec->name,
			       DG_QUOTE(spec->match));
	if (spec->ede && (spec->ede < 15 || spec->ede > 17))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "list %s: EDE %d is not 15, 16 or 17",
			       spec->name, spec->ede);
	if (spec->refresh_sec && spec->refresh_sec < DG_LIST_REFRESH_MIN_SEC)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "list %s: a refresh every %llu s is too often: use 5m or more",
			       spec->name, (unsigned long long)spec->refresh_sec);
	if (spec->tsig_file[0] && dg_list_kind_of(spec) != DG_LIST_AXFR)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "list %s: a TSIG key is for axfr:// sources only", spec->name);
	return 0;
}
