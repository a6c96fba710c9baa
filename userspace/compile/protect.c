// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * protect.c - names that no list may block unless it is forced to.
 *
 * A small hash table of names in wire form: every name of every list is looked up in it, so a look is
 * one multiplication and one cache line that is usually there.
 */
#include "userspace/compile/protect.h"

#include <errno.h>
#include <idn2.h>
#include <string.h>

#include "userspace/lib/quote.h"

#define ROWS_MAX 65536 /* the list has 10,000 */
#define SLOTS (2 * ROWS_MAX)

enum marks {
	SUFFIX = 1 << 0,    /* a public suffix */
	WILD = 1 << 1,	    /* every name one label below is a public suffix */
	EXCEPTION = 1 << 2, /* but not this one */
	OWN = 1 << 3,	    /* the operator's, with all below */
	ABOVE_OWN = 1 << 4, /* what covers the names below it covers one of the operator's */
};

struct row {
	unsigned int marks;
	struct dg_name name;
};

struct dg_protect {
	__u32 rows, suffixes, own;
	__u32 slot[SLOTS]; /* row + 1; 0 = free */
	struct row row[ROWS_MAX];
};

struct dg_protect *dg_protect_new(void)
{
	return calloc(1, sizeof(struct dg_protect));
}

void dg_protect_free(struct dg_protect **protect)
{
	free(*protect);
	*protect = NULL;
}

unsigned int dg_protect_suffix_count(const struct dg_protect *protect)
{
	return protect->suffixes;
}

unsigned int dg_protect_own_count(const struct dg_protect *protect)
{
	return protect->own;
}

/* ---- the table ------------------------------------------------------------------------------ */

/* A suffix of some name: its wire form with the root label. */
struct tail {
	const __u8 *wire;
	__u32 len;
};

/* The first octets, the last ones and the length: names differ in one of them or are compared. */
static __u32 tail_slot(struct tail tail)
{
	__u64 first = 0, last = 0;

	if (tail.len >= 8) {
		memcpy(&first, tail.wire, 8);
		memcpy(&last, tail.wire + tail.len - 8, 8);
	} else {
		memcpy(&first, tail.wire, tail.len);
	}
	first ^= dg_rotl64(last, 21) + tail.len;
	return (__u32)((first * 0x9e3779b97f4a7c15ull) >> 32) % SLOTS;
}

static __u32 slot_find(const struct dg_protect *p, struct tail tail)
{
	__u32 slot = tail_slot(tail);

	for (; p->slot[slot]; slot = (slot + 1) % SLOTS) {
		const struct dg_name *name = &p->row[p->slot[slot] - 1].name;

		if (name->len == tail.len && !memcmp(name->wire, tail.wire, tail.len))
			break;
	}
	return slot;
}

static unsigned int marks_of(const struct dg_protect *p, struct tail tail)
{
	__u32 number = p->slot[slot_find(p, tail)];

	return number ? p->row[number - 1].marks : 0;
}

static int mark(struct dg_protect *p, struct tail tail, unsigned int marks)
{
	__u32 slot = slot_find(p, tail);
	struct row *row;

	if (!p->slot[slot]) {
		if (p->rows == ROWS_MAX)
			return -ENOSPC;
		row = p->row + p->rows++;
		row->name.len = (__u8)tail.len;
		memcpy(row->name.wire, tail.wire, tail.len);
		p->slot[slot] = p->rows;
	}
	p->row[p->slot[slot] - 1].marks |= marks;
	return 0;
}

static struct tail tail_above(struct tail tail)
{
	__u32 skip = 1u + tail.wire[0];

	return (struct tail){ tail.wire + skip, tail.len - skip };
}

/* ---- asking --------------------------------------------------------------------------------- */

static const char *own_reason(const struct dg_protect *p, struct tail tail, enum dg_scope scope)
{
	if (scope & DG_SCOPE_BELOW && marks_of(p, tail) & ABOVE_OWN)
		return "it is above a name that the operator protects";
	for (; tail.len > 1; tail = tail_above(tail))
		if (marks_of(p, tail) & OWN)
			return "the operator protects it";
	return NULL;
}

const char *dg_protect_reason(const struct dg_protect *protect, const struct dg_name *name,
			      enum dg_scope scope)
{
	struct tail tail = { name->wire, name->len };
	const char *why = dg_name_unsafe(name);
	unsigned int marks;

	if (why || tail.len == 1)
		return why;
	marks = marks_of(protect, tail);
	if (!(marks & EXCEPTION) && (marks & SUFFIX || marks_of(protect, tail_above(tail)) & WILD))
		return "it is a public suffix: names of many owners are below it";
	return protect->own ? own_reason(protect, tail, scope) : NULL;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* A rule: "name", "*.name" or "!name"; U-labels in UTF-8. Rules that are no names are left out. */
static int rule_add(struct dg_protect *p, const char *rule)
{
	unsigned int marks = SUFFIX;
	struct dg_name name;
	char *ascii = NULL;
	int rc;

	if (!strncmp(rule, "*.", 2))
		marks = WILD;
	else if (*rule == '!')
		marks = EXCEPTION;
	rule += marks == WILD ? 2 : marks == EXCEPTION;
	if (idn2_to_ascii_8z(rule, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return 0;
	rc = dg_name_parse(ascii, &name, NULL);
	idn2_free(ascii);
	if (rc)
		return 0;
	p->suffixes++;
	return mark(p, (struct tail){ name.wire, name.len }, marks);
}

static int own_add(struct dg_protect *p, const char *text, struct dg_error *err)
{
	struct dg_name name;
	struct tail tail;
	int rc = dg_name_parse(text, &name, err);

	if (rc)
		return rc;
	tail = (struct tail){ name.wire, name.len };
	p->own++;
	rc = mark(p, tail, OWN);
	while (!rc && tail.len > 1) {
		tail = tail_above(tail);
		rc = mark(p, tail, ABOVE_OWN);
	}
	return rc ? dg_fail(err, rc, DG_EXIT_FAILED, "there are too many protected names") : 0;
}

/* The line's word in place, NULL = there is none. comment: what starts one. */
static char *line_word(char *line, const char *comment)
{
	char *word = line + strspn(line, " \t");

	word[strcspn(word, " \t\r\n")] = '\0';
	return *word && strncmp(word, comment, strlen(comment)) != 0 ? word : NULL;
}

static FILE *names_open(const char *path, struct dg_error *err)
{
	FILE *file = fopen(path, "re");
	int error = errno;

	if (!file)
		dg_fail(err, -error, DG_EXIT_FAILED, "%s: cannot open it: %s", path,
			strerror(error));
	errno = error;
	return file;
}

int dg_protect_suffixes(struct dg_protect *protect, const char *path, struct dg_error *err)
{
	dg_scoped_file FILE *file = names_open(path, err);
	char line[1024], *word;
	int rc = 0;

	if (!file)
		return -errno;
	while (!rc && fgets(line, sizeof(line), file)) {
		word = line_word(line, "//");
		rc = word ? rule_add(protect, word) : 0;
	}
	return rc ? dg_fail(err, rc, DG_EXIT_FAILED, "%s: it has too many names", path) : 0;
}

int dg_protect_own(struct dg_protect *protect, const char *path, struct dg_error *err)
{
	dg_scoped_file FILE *file = names_open(path, err);
	struct dg_error inner = { .text = "" };
	unsigned long number = 0;
	char line[1024], *word;
	int rc = 0;

	if (!file)
		return -errno;
	while (!rc && fgets(line, sizeof(line), file)) {
		number++;
		word = line_word(line, "#");
		rc = word ? own_add(protect, word, &inner) : 0;
	}
	return rc ? dg_fail(err, rc, DG_EXIT_FAILED, "%s:%lu:1: %.900s", path, number, inner.text) :
		    0;
}
