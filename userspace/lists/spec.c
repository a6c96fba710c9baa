// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spec.c - the description of one list: what an operator may say, and what is refused.
 *
 * Pure: looks at no file but for making a path absolute.
 */
#include "userspace/lists/lists.h"

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

static int url_check(const char *url, struct dg_error *err)
{
	const char *host = strstr(url, "://") + 3;
	size_t len = strcspn(host, "/?#");

	if (!len)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "source %s has no host", DG_QUOTE(url));
	if (memchr(host, '@', len))
		return dg_fail(
			err, -EINVAL, DG_EXIT_USAGE,
			"source %s holds a user's name: it would be shown to whoever lists the "
			"lists",
			DG_QUOTE(url));
	for (const char *at = url; *at; at++)
		if (*at <= ' ' || *at >= 0x7f)
			return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
				       "source %s: a URL is printable ASCII without blanks",
				       DG_QUOTE(url));
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

int dg_list_source_set(struct dg_list_spec *spec, const char *source, struct dg_error *err)
{
	struct dg_list_axfr axfr;
	int rc;

	if (!source[0])
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "source \"\" is empty");
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
		rc = dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			     "source %s: use a path, http://, https:// or axfr://",
			     DG_QUOTE(source));
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
