// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * web_config.c - the reader of the exporters' web configuration: a table of what is known, and one function a value.
 */
#include "userspace/web/web_config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "userspace/web/certificate.h"
#include "userspace/lib/quote.h"

#define PATH_MAX_HERE 4096
#define BCRYPT_COST_MAX                                                                            \
	15 /* 2^15 rounds are seconds of work for each guess, and for each first login */

/* What is being read. */
struct reading {
	const char *name; /* of the file */
	yaml_document_t *document;
	struct dg_web_config *config;
	char cert_file[PATH_MAX_HERE], key_file[PATH_MAX_HERE], ca_file[PATH_MAX_HERE];
	bool asks_client, has_client_type;
	struct dg_error *err;
};

static int fail_at(const struct reading *in, const yaml_node_t *node, const char *text)
{
	return dg_fail(in->err, -EINVAL, DG_EXIT_USAGE, "%s:%zu:%zu: %s", in->name,
		       node->start_mark.line + 1, node->start_mark.column + 1, text);
}

/* The scalar's text, or NULL with *err filled. */
static const char *word_of(const struct reading *in, const yaml_node_t *node, size_t max)
{
	const char *text = (const char *)node->data.scalar.value;

	if (node->type != YAML_SCALAR_NODE || strlen(text) != node->data.scalar.length ||
	    strlen(text) > max || !dg_text_is_clean(text)) {
		fail_at(in, node, "one line of text is wanted here");
		return NULL;
	}
	return text;
}

/* ---- values --------------------------------------------------------------------------------- */

typedef int value_fn(struct reading *in, const yaml_node_t *key, const yaml_node_t *node);

static int path_read(const struct reading *in, const yaml_node_t *node, char *ret)
{
	const char *text = word_of(in, node, PATH_MAX_HERE / 2), *slash = strrchr(in->name, '/');
	const int dir = text && text[0] != '/' && slash ? (int)(slash - in->name) + 1 : 0;

	if (!text)
		return -EINVAL;
	if (!text[0] || dir > PATH_MAX_HERE / 2 - 1)
		return fail_at(in, node, "a path is wanted here");
	snprintf(ret, PATH_MAX_HERE, "%.*s%s", dir, in->name, text);
	return 0;
}

static int cert_read(struct reading *in, const yaml_node_t *key, const yaml_node_t *node)
{
	(void)key;
	return path_read(in, node, in->cert_file);
}

static int key_read(struct reading *in, const yaml_node_t *key, const yaml_node_t *node)
{
	(void)key;
	return path_read(in, node, in->key_file);
}

static int ca_read(struct reading *in, const yaml_node_t *key, const yaml_node_t *node)
{
	(void)key;
	return path_read(in, node, in->ca_file);
}

static int client_type_read(struct reading *in, const yaml_node_t *key, const yaml_node_t *node)
{
	const char *text = word_of(in, node, DG_WEB_NAME_MAX);

	(void)key;
	if (!text)
		return -EINVAL;
	in->asks_client = !strcmp(text, "RequireAndVerifyClientCert");
	if (in->asks_client || !strcmp(text, "NoClientCert"))
		return 0;
	return fail_at(in, node, "write NoClientCert or RequireAndVerifyClientCert");
}

static int least_read(struct reading *in, const yaml_node_t *key, const yaml_node_t *node)
{
	const char *text = word_of(in, node, DG_WEB_NAME_MAX);

	(void)key;
	if (!text)
		return -EINVAL;
	in->config->tls12 = !strcmp(text, "TLS12");
	if (in->config->tls12 || !strcmp(text, "TLS13"))
		return 0;
	return fail_at(in, node, "write TLS12 or TLS13: older versions are not spoken");
}

static int most_read(struct reading *in, const yaml_node_t *key, const yaml_node_t *node)
{
	const char *text = word_of(in, node, DG_WEB_NAME_MAX);

	(void)key;
	if (!text)
		return -EINVAL;
	in->config->tls13 = !strcmp(text, "TLS13");
	if (in->config->tls13 || !strcmp(text, "TLS12"))
		return 0;
	return fail_at(in, node, "write TLS12 or TLS13: older versions are not spoken");
}

/* HTTP/2 is never spoken; a file that says whether it may be is right either way. */
static int http2_read(struct reading *in, const yaml_node_t *key, const yaml_node_t *node)
{
	const char *text = word_of(in, node, DG_WEB_NAME_MAX);

	(void)key;
	if (!text)
		return -EINVAL;
	return strcmp(text, "true") && strcmp(text, "false") ?
		       fail_at(in, node, "write true or false") :
		       0;
}

static int header_read(struct reading *in, const yaml_node_t *key, const yaml_node_t *node)
{
	static const char *const allowed[] = { "Strict-Transport-Security", "X-Frame-Options",
					       "X-XSS-Protection" };
	const char *name = word_of(in, key, DG_WEB_NAME_MAX), *value;

	if (!name)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		if (strcasecmp(name, allowed[i]) != 0)
			continue;
		value = word_of(in, node, sizeof(in->config->header[0].value) - 1);
		if (!value)
			return -EINVAL;
		snprintf(in->config->header[in->config->headers].name, DG_WEB_NAME_MAX + 1, "%s",
			 allowed[i]);
		snprintf(in->config->header[in->config->headers++].value,
			 sizeof(in->config->header[0].value), "%s", value);
		return 0;
	}
	return fail_at(
		in, key,
		"this header cannot be set here; Strict-Transport-Security, X-Frame-Options and X-XSS-Protection can");
}

/* "$2y$10$" and 53 characters of salt and digest. */
static int is_bcrypt(const char *hash)
{
	static const char digits[] =
		"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	return strlen(hash) == 60 && hash[0] == '$' && hash[1] == '2' && strchr("aby", hash[2]) &&
	       hash[3] == '$' && hash[4] >= '0' && hash[4] <= '9' && hash[5] >= '0' &&
	       hash[5] <= '9' && hash[6] == '$' && strspn(hash + 7, digits) == 53;
}

static int user_read(struct reading *in, const yaml_node_t *key, const yaml_node_t *node)
{
	const char *name = word_of(in, key, DG_WEB_NAME_MAX);
	const char *hash = name ? word_of(in, node, DG_WEB_HASH_MAX) : NULL;
	struct dg_web_user *user = &in->config->user[in->config->users];

	if (!hash)
		return -EINVAL;
	if (!name[0] || strchr(name, ':'))
		return fail_at(in, key, "a user's name is not empty and holds no colon");
	if (!is_bcrypt(hash))
		return fail_at(
			in, node,
			"a bcrypt hash is wanted here, never a password; make one with: htpasswd -nBC 10 \"\"");
	if (atoi(hash + 4) > BCRYPT_COST_MAX)
		return fail_at(in, node,
			       "this bcrypt cost is above 15: each login would take seconds");
	if (in->config->users == DG_WEB_USERS_MAX)
		return fail_at(in, key, "more than 64 users");
	snprintf(user->name, sizeof(user->name), "%s", name);
	snprintf(user->hash, sizeof(user->hash), "%s", hash);
	in->config->users++;
	return 0;
}

/* ---- mappings ------------------------------------------------------------------------------- */

struct known {
	const char *name;
	value_fn *read;
};

static const struct known *known_find(const struct known *rows, const char *name)
{
	for (; rows->name; rows++)
		if (!strcmp(rows->name, name))
			return rows;
	return NULL;
}

static int unknown(const struct reading *in, const yaml_node_t *key, const struct known *rows)
{
	char text[512];
	int used = snprintf(text, sizeof(text), "%s is not known here;",
			    DG_QUOTE((const char *)key->data.scalar.value));

	for (; rows->name && used < (int)sizeof(text); rows++)
		used += snprintf(text + used, sizeof(text) - (size_t)used, "%s %s",
				 rows[1].name ? "" : " or", rows->name);
	return fail_at(in, key, text);
}

/* Every pair by its row; rows NULL: every pair by `any`. A key that comes twice is refused. */
static int mapping_read(struct reading *in, const yaml_node_t *node, const struct known *rows,
			value_fn *any)
{
	int failed = 0;

	if (node->type != YAML_MAPPING_NODE)
		return fail_at(in, node, "keys and values are wanted here");
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     !failed && pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(in->document, pair->key);
		const yaml_node_t *value = yaml_document_get_node(in->document, pair->value);
		const char *name = word_of(in, key, DG_WEB_NAME_MAX);
		const struct known *row = rows && name ? known_find(rows, name) : NULL;

		if (!name)
			return -EINVAL;
		for (yaml_node_pair_t *other = node->data.mapping.pairs.start; other < pair;
		     other++)
			if (!strcmp(name,
				    (const char *)yaml_document_get_node(in->document, other->key)
					    ->data.scalar.value))
				return fail_at(in, key, "this key stands here twice");
		if (rows && !row)
			return unknown(in, key, rows);
		failed = (row ? row->read : any)(in, key, value);
	}
	return failed;
}

static int tls_read(struct reading *in, const yaml_node_t *key, const yaml_node_t *node)
{
	static const struct known rows[] = {
		{ "cert_file", cert_read },
		{ "key_file", key_read },
		{ "client_ca_file", ca_read },
		{ "client_auth_type", client_type_read },
		{ "min_version", least_read },
		{ "max_version", most_read },
		{ NULL, NULL },
	};
	int failed = mapping_read(in, node, rows, NULL);

	if (failed)
		return failed;
	if (!in->cert_file[0] || !in->key_file[0])
		return fail_at(in, key, "cert_file and key_file are both needed");
	if (in->asks_client != (in->ca_file[0] != 0))
		return fail_at(
			in, key,
			"client_ca_file and client_auth_type: RequireAndVerifyClientCert belong together");
	return in->config->tls12 || in->config->tls13 ?
		       0 :
		       fail_at(in, key, "min_version is above max_version");
}

static int headers_read(struct reading *in, const yaml_node_t *key, const yaml_node_t *node)
{
	(void)key;
	return mapping_read(in, node, NULL, header_read);
}

static int http_read(struct reading *in, const yaml_node_t *key, const yaml_node_t *node)
{
	static const struct known rows[] = { { "http2", http2_read },
					     { "headers", headers_read },
					     { NULL, NULL } };

	(void)key;
	return mapping_read(in, node, rows, NULL);
}

static int users_read(struct reading *in, const yaml_node_t *key, const yaml_node_t *node)
{
	(void)key;
	return mapping_read(in, node, NULL, user_read);
}

static int root_read(struct reading *in)
{
	static const struct known rows[] = { { "tls_server_config", tls_read },
					     { "http_server_config", http_read },
					     { "basic_auth_users", users_read },
					     { NULL, NULL } };
	yaml_node_t *root = yaml_document_get_root_node(in->document);

	return root ? mapping_read(in, root, rows, NULL) : 0; /* an empty file asks for nothing */
}

static int text_read(struct reading *in, const char *text, size_t len)
{
	yaml_document_t document;
	yaml_parser_t parser;
	int failed;

	*in->config = (struct dg_web_config){ .tls12 = true, .tls13 = true };
	if (!yaml_parser_initialize(&parser))
		return dg_fail(in->err, -ENOMEM, DG_EXIT_FAILED, "%s: out of memory", in->name);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &document)) {
		failed = dg_fail(in->err, -EINVAL, DG_EXIT_USAGE, "%s:%zu:%zu: not YAML: %s",
				 in->name, parser.problem_mark.line + 1,
				 parser.problem_mark.column + 1,
				 parser.problem ? parser.problem : "out of memory");
		yaml_parser_delete(&parser);
		return failed;
	}
	in->document = &document;
	failed = root_read(in);
	yaml_document_delete(&document);
	yaml_parser_delete(&parser);
	return failed;
}

int dg_web_config_parse(const char *name, const char *text, size_t len, struct dg_web_config *ret,
			struct dg_error *err)
{
	struct reading *in dg_scoped_free = calloc(1, sizeof(*in));

	if (!in)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "%s: out of memory", name);
	in->name = name;
	in->config = ret;
	in->err = err;
	return text_read(in, text, len);
}

/* ---- files ---------------------------------------------------------------------------------- */

/* A plain file as a whole, NUL-terminated. secret: nobody but its owner and root may read it. */
static int slurp(const char *path, bool secret, char **ret, struct dg_error *err)
{
	int fd dg_scoped_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text dg_scoped_free = NULL;
	struct stat st;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "%s: cannot read: %s", path,
			       strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size > DG_WEB_FILE_MAX)
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
			       "%s: not a plain file of at most %d bytes", path, DG_WEB_FILE_MAX);
	if (secret && st.st_mode & 007)
		return dg_fail(err, -EPERM, DG_EXIT_FAILED,
			       "%s: everybody may read this secret; run: chmod o= %s", path, path);
	text = calloc(1, (size_t)st.st_size + 1);
	got = text ? read(fd, text, (size_t)st.st_size) : -1;
	if (got < 0)
		return dg_fail(err, -EIO, DG_EXIT_FAILED, "%s: cannot read: %s", path,
			       strerror(errno));
	*ret = dg_take_ptr(text);
	return 0;
}

int dg_pem_read(const char *path, bool secret, char **ret, struct dg_error *err)
{
	int failed = slurp(path, secret, ret, err);

	if (!failed && !strstr(*ret, "-----BEGIN "))
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "%s: not in PEM form", path);
	return failed;
}

static int files_read(const struct reading *in)
{
	struct dg_web_config *config = in->config;
	int failed = 0;

	if (in->cert_file[0])
		failed = dg_pem_read(in->cert_file, false, &config->certificate, in->err);
	if (!failed && in->key_file[0])
		failed = dg_pem_read(in->key_file, true, &config->key, in->err);
	if (!failed && in->cert_file[0])
		failed =
			dg_certificate_check(&(struct dg_pem){ in->cert_file, config->certificate },
					     &(struct dg_pem){ in->key_file, config->key },
					     &config->certificate_until, in->err);
	if (!failed && in->ca_file[0])
		failed = dg_pem_read(in->ca_file, false, &config->client_ca, in->err);
	if (!failed && in->ca_file[0])
		failed = dg_authority_check(&(struct dg_pem){ in->ca_file, config->client_ca },
					    in->err);
	return failed;
}

int dg_web_config_load(const char *path, struct dg_web_config **ret, struct dg_error *err)
{
	struct dg_web_config *config dg_scoped(dg_web_config_free) = calloc(1, sizeof(*config));
	struct reading *in dg_scoped_free = calloc(1, sizeof(*in));
	char *text dg_scoped_free = NULL;
	int failed;

	if (!config || !in)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "%s: out of memory", path);
	*in = (struct reading){ .name = path, .config = config, .err = err };
	failed = slurp(path, true, &text, err);
	if (!failed)
		failed = text_read(in, text, strlen(text));
	if (!failed)
		failed = files_read(in);
	if (text)
		explicit_bzero(text, strlen(text));
	if (!failed)
		*ret = dg_take_ptr(config);
	return failed;
}

void dg_web_config_free(struct dg_web_config **config)
{
	struct dg_web_config *c = *config;

	*config = NULL;
	if (!c)
		return;
	if (c->key)
		explicit_bzero(c->key, strlen(c->key));
	free(c->certificate);
	free(c->key);
	free(c->client_ca);
	explicit_bzero(c, sizeof(*c));
	free(c);
}
