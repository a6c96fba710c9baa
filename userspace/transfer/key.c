// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * key.c - the TSIG key from its file, in the syntax of BIND (tsig-keygen) or of Knot DNS (keymgr -t).
 *
 * Both are words and signs to this reader: the word behind "key" or "id" is the name, those behind "algorithm" and
 * "secret" are what they say.
 */
#include "userspace/transfer/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "userspace/lib/quote.h"

#define FILE_MAX 8192

struct fields {
	const char *name, *algorithm, *secret;
};

static int refuse(const char *path, const char *reason, struct dg_error *err)
{
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "TSIG key file %s: %s", DG_QUOTE(path), reason);
}

/* ---- words ---------------------------------------------------------------------------------- */

/* Behind blanks, signs and comments. */
static char *gap_skip(char *at)
{
	for (;;) {
		at += strspn(at, " \t\r\n{};:");
		if (at[0] == '-' && strchr(" \t\r\n", at[1])) {
			at++;
		} else if (at[0] == '#' || (at[0] == '/' && at[1] == '/')) {
			at += strcspn(at, "\n");
		} else if (at[0] == '/' && at[1] == '*') {
			char *end = strstr(at + 2, "*/");

			at = end ? end + 2 : at + strlen(at);
		} else {
			return at;
		}
	}
}

/*
 * The next word, ended in place; NULL at the end. `value`: a secret may begin with what begins a comment elsewhere.
 */
static char *word_next(char **at, bool value)
{
	char *word = value ? *at + strspn(*at, " \t\r\n:") : gap_skip(*at);
	char *end;

	if (!*word)
		return NULL;
	if (*word == '"') {
		word++;
		end = word + strcspn(word, "\"\n");
	} else {
		end = word + strcspn(word, " \t\r\n{};:\"");
	}
	*at = end + (*end != '\0');
	*end = '\0';
	return word;
}

/* ---- the key -------------------------------------------------------------------------------- */

static const char **field_of(struct fields *fields, const char *word)
{
	if (!strcmp(word, "key") || !strcmp(word, "id"))
		return &fields->name;
	if (!strcmp(word, "algorithm"))
		return &fields->algorithm;
	return strcmp(word, "secret") ? NULL : &fields->secret;
}

static int fields_read(const char *path, char *text, struct fields *fields, struct dg_error *err)
{
	char *at = text, *word;

	while ((word = word_next(&at, false))) {
		const char **field = field_of(fields, word);

		if (!field)
			return refuse(path, "it holds more than one key's name, algorithm, secret",
				      err);
		/* "key:" of Knot DNS is a heading, its name stands behind "id:". */
		if (!strcmp(word, "key") && !strncmp(gap_skip(at), "id:", 3))
			continue;
		if (*field)
			return refuse(path, "it holds more than one key", err);
		*field = word_next(&at, true);
	}
	if (!fields->name || !fields->algorithm || !fields->secret)
		return refuse(path, "a key is its name, algorithm and secret; one is missing", err);
	return 0;
}

int dg_key_parse(const char *path, char *text, knot_tsig_key_t *ret, struct dg_error *err)
{
	struct fields fields = { NULL, NULL, NULL };
	int rc = fields_read(path, text, &fields, err);

	if (rc)
		return rc;
	switch (dnssec_tsig_algorithm_from_name(fields.algorithm)) {
	case DNSSEC_TSIG_UNKNOWN:
	case DNSSEC_TSIG_HMAC_MD5:
		return refuse(
			path,
			"its algorithm is none of hmac-sha1, -sha224, -sha256, -sha384, -sha512",
			err);
	default:
		break;
	}
	if (knot_tsig_key_init(ret, fields.algorithm, fields.name, fields.secret))
		return refuse(path, "its name is no domain name, or its secret no base64", err);
	return 0;
}

int dg_key_read_fd(const char *path, int fd, knot_tsig_key_t *ret, struct dg_error *err)
{
	char text[FILE_MAX + 1];
	struct stat st;
	ssize_t len;
	int rc;

	if (fstat(fd, &st))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "TSIG key file %s: %s", DG_QUOTE(path),
			       strerror(errno));
	if (st.st_mode & S_IROTH)
		return refuse(path, "everybody may read it: chmod o-rwx", err);
	len = read(fd, text, sizeof(text));
	if (len < 0 || len > FILE_MAX)
		return refuse(path, "cannot read it, or it is larger than 8192 bytes", err);
	text[len] = '\0';
	rc = dg_key_parse(path, text, ret, err);
	explicit_bzero(text, sizeof(text));
	return rc;
}

int dg_key_read(const char *path, knot_tsig_key_t *ret, struct dg_error *err)
{
	dg_scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "TSIG key file %s: cannot open it: %s",
			       DG_QUOTE(path), strerror(errno));
	return dg_key_read_fd(path, fd, ret, err);
}
