// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * yaml.c - a YAML file into struct dg_config, driven by the table of keys.c.
 *
 * Tokens are looked at first: what makes small files large or deep (aliases, nesting) is refused
 * before libyaml builds a tree. The walk over the tree follows the table, so its depth is the
 * table's. Opens no file; load.c does.
 */
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <yaml.h>

#include "userspace/config/config.h"

#define DEPTH_MAX 16 /* the table's own depth is 4 */

/* One mapping being read: where it stands in the table and where its values go. */
struct section {
	const char *name; /* the file */
	yaml_document_t *document;
	const struct dg_config_key *keys;
	unsigned int key_count;
	const char *prefix; /* "" or "limits." */
	const char *within; /* "" or "interfaces.": what messages put in front of a key */
	void *base;	    /* struct dg_config, or that of an element */
	struct dg_config *config;
	struct dg_key_set *given;
	struct dg_error *err;
};

/* What a mark points at, in people's numbers, in front of a sentence. */
static int fail_at(const struct section *in, const yaml_node_t *node, const char *path,
		   const char *text)
{
	return dg_fail(in->err, -EINVAL, DG_EXIT_USAGE, "%s:%zu:%zu: %s%s%s", in->name,
		       node->start_mark.line + 1, node->start_mark.column + 1, path,
		       path[0] ? ": " : "", text);
}

static const char *scalar(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* A value left empty: `limits:` with nothing below. */
static int is_empty(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && !node->data.scalar.length &&
	       node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

/* A scalar without control characters, which could forge a log line or hide behind a NUL. */
static int is_clean(const yaml_node_t *node)
{
	for (size_t i = 0; i < node->data.scalar.length; i++)
		if (node->data.scalar.value[i] < 0x20 || node->data.scalar.value[i] == 0x7f)
			return 0;
	return 1;
}

/* Optimal string alignment distance of two words of at most 63 octets. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int la = (unsigned int)strnlen(a, 63), lb = (unsigned int)strnlen(b, 63);
	unsigned char row[64][64];

	for (unsigned int i = 0; i <= la; i++)
		row[i][0] = (unsigned char)i;
	for (unsigned int j = 0; j <= lb; j++)
		row[0][j] = (unsigned char)j;
	for (unsigned int i = 1; i <= la; i++) {
		for (unsigned int j = 1; j <= lb; j++) {
			unsigned int best = row[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			best = best < row[i - 1][j] + 1u ? best : row[i - 1][j] + 1u;
			best = best < row[i][j - 1] + 1u ? best : row[i][j - 1] + 1u;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = best < row[i - 2][j - 2] + 1u ? best :
								       row[i - 2][j - 2] + 1u;
			row[i][j] = (unsigned char)best;
		}
	}
	return row[la][lb];
}

/* Upper and lower case are one slip, not as many as there are letters. */
static void lowered(const char *text, char ret[64])
{
	size_t i = 0;

	for (; text[i] && i < 63; i++)
		ret[i] = (char)tolower((unsigned char)text[i]);
	ret[i] = '\0';
}

/* The nearest known word so far. */
struct nearest {
	unsigned int far;
	char word[64];
};

static void nearer(struct nearest *nearest, unsigned int far, const char *path, size_t len)
{
	if (far >= nearest->far)
		return;
	nearest->far = far;
	snprintf(nearest->word, sizeof(nearest->word), "%.*s", (int)len, path);
}

/* A key by its path or its last part alone, which is told with the sections it belongs to, and the sections themselves. */
static void nearest_of(const char *wanted, const char *path, struct nearest *nearest)
{
	const char *leaf = strrchr(path, '.');
	const size_t len = strlen(wanted);
	char section[64];

	nearer(nearest, distance(wanted, path), path, strlen(path));
	if (len && !strncmp(path, wanted, len) &&
	    path[len] == '-') /* "password" of "password-file" */
		nearer(nearest, 1, path, strlen(path));
	if (leaf)
		nearer(nearest, distance(wanted, leaf + 1) + 1, path, strlen(path));
	for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
		snprintf(section, sizeof(section), "%.*s", (int)(dot - path), path);
		nearer(nearest, distance(wanted, section), path, (size_t)(dot - path));
	}
}

/* A word of which more than half is another is like nothing. */
static int fail_unknown(const struct section *in, const yaml_node_t *node, const char *path)
{
	struct nearest nearest = { .far = ~0u };
	char wanted[64], text[512];

	lowered(path, wanted);
	for (unsigned int i = 0; i < in->key_count; i++)
		nearest_of(wanted, in->keys[i].path, &nearest);
	if (2 * nearest.far > strlen(wanted))
		snprintf(text, sizeof(text),
			 "unknown key \"%.80s\"; none is like it, dnsguard.yaml(5) lists them",
			 path);
	else
		snprintf(text, sizeof(text),
			 "unknown key \"%.80s\"; the nearest known key is \"%s\"", path,
			 nearest.word);
	return fail_at(in, node, "", text);
}

static int fail_key(const struct section *in, const yaml_node_t *node,
		    const struct dg_config_key *key, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%s", in->within, key->path);
	return fail_at(in, node, path, text);
}

static int read_scalar(const struct section *in, const struct dg_config_key *key,
		       const yaml_node_t *node)
{
	char text[256], allowed[160];
	struct dg_error err = { 0 };

	if (node->type != YAML_SCALAR_NODE) {
		snprintf(text, sizeof(text), "one value is wanted here: %s",
			 dg_config_key_allows(key, allowed, sizeof(allowed)));
		return fail_key(in, node, key, text);
	}
	if (!is_clean(node))
		return fail_key(in, node, key, "control characters are not allowed here");
	if (dg_config_value_read(key, scalar(node), in->base, &err))
		return fail_key(in, node, key, err.text);
	return 0;
}

static int read_mapping(const struct section *in, const yaml_node_t *node);

/* One element of a list of mappings: a bare value where the list's row reads one, or a mapping. */
static int read_element(const struct section *in, const struct dg_config_key *key,
			const yaml_node_t *node)
{
	const struct dg_config_element *kind = dg_config_key_element(key);
	_Alignas(max_align_t) char element[DG_CONFIG_ELEMENT_BYTES];
	struct dg_key_set given = { 0 };
	struct section below = *in;
	struct dg_error err = { 0 };
	char within[80];

	if (node->type != YAML_MAPPING_NODE)
		return read_scalar(in, key, node);
	snprintf(within, sizeof(within), "%s.", key->path);
	below.keys = kind->keys;
	below.key_count = kind->key_count;
	below.prefix = "";
	below.within = within;
	below.base = element;
	below.given = &given;
	memset(element, 0, kind->size);
	for (unsigned int i = 0; i < kind->key_count; i++)
		if (kind->keys[i].fallback[0])
			dg_config_value_read(&kind->keys[i], kind->keys[i].fallback, element, NULL);
	if (read_mapping(&below, node))
		return -EINVAL;
	if (kind->add(key, in->config, element, &given, &err))
		return fail_at(in, node, key->path, err.text);
	return 0;
}

/* A single scalar is a list of one, nothing is an empty list. */
static int read_elements(const struct section *in, const struct dg_config_key *key,
			 const yaml_node_t *node)
{
	int is_mappings = dg_config_key_element(key) != NULL;
	char text[256], allowed[160];

	if (is_empty(node))
		return 0;
	if (node->type == YAML_SCALAR_NODE)
		return read_scalar(in, key, node);
	if (node->type != YAML_SEQUENCE_NODE) {
		snprintf(text, sizeof(text), "a list is wanted here: %s",
			 dg_config_key_allows(key, allowed, sizeof(allowed)));
		return fail_key(in, node, key, text);
	}
	for (yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top; item++) {
		const yaml_node_t *element = yaml_document_get_node(in->document, *item);

		if (is_mappings ? read_element(in, key, element) : read_scalar(in, key, element))
			return -EINVAL;
	}
	return 0;
}

/* A list replaces what was there. The ports must not end up empty: that would guard nothing. */
static int read_list(const struct section *in, const struct dg_config_key *key,
		     const yaml_node_t *node)
{
	int is_ports = key == &dg_config_keys[DG_KEY_PORTS];

	dg_config_list_clear(key, in->base);
	if (read_elements(in, key, node))
		return -EINVAL;
	if (is_ports && !in->config->port_count)
		return fail_at(in, node, key->path, "at least one port is needed");
	return 0;
}

static int is_section(const struct section *in, const char *path)
{
	size_t len = strlen(path);

	for (unsigned int i = 0; i < in->key_count; i++)
		if (!strncmp(in->keys[i].path, path, len) && in->keys[i].path[len] == '.')
			return 1;
	return 0;
}

static int read_section(const struct section *in, const char *path, const yaml_node_t *node)
{
	struct section below = *in;
	char prefix[160];

	if (is_empty(node))
		return 0;
	if (node->type != YAML_MAPPING_NODE)
		return fail_at(in, node, path, "keys are wanted below this one");
	snprintf(prefix, sizeof(prefix), "%s.", path);
	below.prefix = prefix;
	return read_mapping(&below, node);
}

/* Of the file that is being read, which is the last of the files. */
static struct dg_config_origin origin_of(const struct dg_config *config, const yaml_node_t *name)
{
	size_t column = name->start_mark.column + 1;

	return (struct dg_config_origin){
		.file = (__u16)config->file_count,
		.column = (__u16)(column > 0xffff ? 0xffff : column),
		.line = (__u32)name->start_mark.line + 1,
	};
}

/* A path as messages write it, below the section that is being read. */
static int is_known(const struct section *in, const char *below)
{
	char path[128];

	snprintf(path, sizeof(path), "%s%.60s", in->prefix, below);
	for (unsigned int i = 0; i < in->key_count; i++)
		if (!strcmp(in->keys[i].path, path))
			return 1;
	return is_section(in, path);
}

static int read_pair(const struct section *in, const yaml_node_t *name, const yaml_node_t *value)
{
	char path[128];

	if (name->type != YAML_SCALAR_NODE || !is_clean(name))
		return fail_at(in, name, "", "a key must be a plain word");
	if (strchr(scalar(name), '.') && is_known(in, scalar(name)))
		return fail_at(in, name, scalar(name),
			       "write each part on a line of its own, below the part before");
	/* A longer one is unknown anyhow. */
	snprintf(path, sizeof(path), "%s%.60s", in->prefix, scalar(name));
	for (unsigned int i = 0; i < in->key_count; i++) {
		const struct dg_config_key *key = &in->keys[i];

		if (strcmp(key->path, path))
			continue;
		dg_keys_add(in->given, i);
		if (in->base == in->config)
			in->config->origin[i] = origin_of(in->config, name);
		return dg_config_key_is_list(key) ? read_list(in, key, value) :
						    read_scalar(in, key, value);
	}
	if (is_section(in, path))
		return read_section(in, path, value);
	return fail_unknown(in, name, path);
}

/* YAML leaves equal keys to the reader; two answers to one question are refused here. */
static int is_repeated(const struct section *in, const yaml_node_t *mapping,
		       const yaml_node_pair_t *pair)
{
	const yaml_node_t *name = yaml_document_get_node(in->document, pair->key), *other;

	if (name->type != YAML_SCALAR_NODE)
		return 0;
	for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < pair; p++) {
		other = yaml_document_get_node(in->document, p->key);
		if (other->type == YAML_SCALAR_NODE && !strcmp(scalar(other), scalar(name)))
			return 1;
	}
	return 0;
}

static int read_mapping(const struct section *in, const yaml_node_t *node)
{
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = yaml_document_get_node(in->document, pair->key);

		if (is_repeated(in, node, pair))
			return fail_at(in, name, scalar(name), "given twice");
		if (read_pair(in, name, yaml_document_get_node(in->document, pair->value)))
			return -EINVAL;
	}
	return 0;
}

static int read_document(const char *name, yaml_document_t *document, struct dg_config *config,
			 struct dg_error *err)
{
	const yaml_node_t *root = yaml_document_get_root_node(document);
	const struct section top = {
		.name = name,
		.document = document,
		.keys = dg_config_keys,
		.key_count = DG_KEY_COUNT,
		.prefix = "",
		.within = "",
		.base = config,
		.config = config,
		.given = &config->given,
		.err = err,
	};

	if (!root || is_empty(root)) /* nothing but comments */
		return 0;
	if (root->type != YAML_MAPPING_NODE)
		return fail_at(&top, root, "", "the file must hold \"key: value\" lines");
	return read_mapping(&top, root);
}

/* Where an octet of the text stands, counted as libyaml counts: characters, not octets. */
static int fail_reader(const char *name, const char *text, const yaml_parser_t *parser,
		       struct dg_error *err)
{
	size_t line = 1, column = 1;

	for (const char *at = text; at < text + parser->problem_offset; at++) {
		if (*at == '\n') {
			line++;
			column = 1;
		} else if ((*at & 0xc0) != 0x80) { /* no octet within a character */
			column++;
		}
	}
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "%s:%zu:%zu: not YAML text: %s", name, line,
		       column, parser->problem);
}

static int fail_syntax(const char *name, const char *text, size_t len, const yaml_parser_t *parser,
		       struct dg_error *err)
{
	const char *context = parser->context ? parser->context : "";
	const char *problem = parser->problem ? parser->problem : "out of memory";
	const yaml_mark_t *at = &parser->problem_mark;

	if (parser->error == YAML_READER_ERROR && parser->problem_offset <= len)
		return fail_reader(name, text, parser, err);
	if (parser->error == YAML_SCANNER_ERROR && at->index < len && text[at->index] == '\t')
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "%s:%zu:%zu: a tab; YAML is indented with blanks", name,
			       at->line + 1, at->column + 1);
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "%s:%zu:%zu: not YAML: %s%s%s", name,
		       at->line + 1, at->column + 1, problem, context[0] ? ", " : "", context);
}

/* The first document must be the only one. -EBADMSG: no YAML, *parser says why. */
static int parse_documents(const char *name, yaml_parser_t *parser, struct dg_config *config,
			   struct dg_error *err)
{
	yaml_document_t document;
	size_t line;
	int ret;

	if (!yaml_parser_load(parser, &document))
		return -EBADMSG;
	ret = read_document(name, &document, config, err);
	yaml_document_delete(&document);
	if (ret)
		return ret;
	if (!yaml_parser_load(parser, &document))
		return -EBADMSG;
	line = document.start_mark.line + 1;
	ret = yaml_document_get_root_node(&document) ? -EINVAL : 0;
	yaml_document_delete(&document);
	return ret ? dg_fail(err, ret, DG_EXIT_USAGE, "%s:%zu:1: a second document; one is allowed",
			     name, line) :
		     0;
}

/* ---- tokens ---------------------------------------------------------------------------------- */

static int depth_of(yaml_token_type_t type)
{
	switch (type) {
	case YAML_BLOCK_SEQUENCE_START_TOKEN:
	case YAML_BLOCK_MAPPING_START_TOKEN:
	case YAML_FLOW_SEQUENCE_START_TOKEN:
	case YAML_FLOW_MAPPING_START_TOKEN:
		return 1;
	case YAML_BLOCK_END_TOKEN:
	case YAML_FLOW_SEQUENCE_END_TOKEN:
	case YAML_FLOW_MAPPING_END_TOKEN:
		return -1;
	default:
		return 0;
	}
}

/* What a token may not be here, or NULL. */
static const char *token_refused(yaml_token_type_t type, int depth)
{
	if (type == YAML_ANCHOR_TOKEN || type == YAML_ALIAS_TOKEN)
		return "anchors and aliases (& and *) are not used here; write the value itself, "
		       "or quote it";
	if (type == YAML_TAG_TOKEN)
		return "tags (!) are not used here; write the value itself, or quote it";
	return depth > DEPTH_MAX ? "nested too deeply" : NULL;
}

/* 1: go on; 0: the end; -EINVAL: refused. What is no YAML ends it as well: the parser says why. */
static int token_check(yaml_parser_t *parser, const char *name, int *depth, struct dg_error *err)
{
	yaml_token_t token;
	const char *refused;
	int go_on;

	if (!yaml_parser_scan(parser, &token))
		return 0;
	*depth += depth_of(token.type);
	refused = token_refused(token.type, *depth);
	go_on = token.type != YAML_STREAM_END_TOKEN;
	if (refused)
		go_on = dg_fail(err, -EINVAL, DG_EXIT_USAGE, "%s:%zu:%zu: %s", name,
				token.start_mark.line + 1, token.start_mark.column + 1, refused);
	yaml_token_delete(&token);
	return go_on;
}

/* One look at the text: by tokens, or as a tree. */
static int look(const char *name, const char *text, size_t len, struct dg_config *config,
		struct dg_error *err)
{
	yaml_parser_t parser;
	int result = 1, depth = 0;

	if (!yaml_parser_initialize(&parser))
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "%s: out of memory", name);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (config)
		result = parse_documents(name, &parser, config, err);
	while (!config && result > 0)
		result = token_check(&parser, name, &depth, err);
	if (result == -EBADMSG)
		result = fail_syntax(name, text, len, &parser, err);
	yaml_parser_delete(&parser);
	return result;
}

/* ---- the door -------------------------------------------------------------------------------- */

int dg_config_merge(struct dg_config *config, const char *name, const char *text, size_t len,
		    struct dg_error *err)
{
	int failed;

	if (config->file_count == DG_CONFIG_FILES_MAX)
		return dg_fail(err, -E2BIG, DG_EXIT_USAGE,
			       "%s: one file too many; at most %d with those of conf.d", name,
			       DG_CONFIG_FILES_MAX);
	snprintf(config->files[config->file_count++], DG_CONFIG_PATH_MAX, "%s", name);
	failed = look(name, text, len, NULL, err);
	return failed ? failed : look(name, text, len, config, err);
}

int dg_config_parse(const char *name, const char *text, size_t len, struct dg_config *ret,
		    struct dg_error *err)
{
	struct dg_config *config dg_scoped_free = malloc(sizeof(*config));
	int failed;

	if (!config)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "%s: out of memory", name);
	dg_config_default(config);
	failed = dg_config_merge(config, name, text, len, err);
	if (!failed)
		failed = dg_config_check(config, err);
	if (!failed)
		*ret = *config;
	return failed;
}
