// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * feed_rpz.c - response policy zones (draft-vixie-dnsop-dns-rpz): zone files whose owners are triggers
 * and whose data are actions.
 *
 * libzscanner reads the records, one logical line at a time and from our buffer: it never opens a
 * file, and $INCLUDE is refused. Triggers that can be decided before resolution become entries and
 * sources; the others are counted.
 */
#include "userspace/compile/feed.h"

#include <errno.h>
#include <libzscanner/scanner.h>

#include "userspace/lib/quote.h"

#define CLASS_IN 1
#define TYPE_A 1
#define TYPE_CNAME 5
#define TYPE_SOA 6
#define TYPE_AAAA 28

/* A record's lines, joined: parentheses go over line ends (RFC 1035 section 5.1). */
#define RECORD_MAX (4 * DG_LINE_MAX)

struct rpz {
	zs_scanner_t scanner;
	bool has_apex;
	struct dg_name apex; /* owner of the SOA; without one, the origin */
	unsigned int open;   /* parentheses */
	size_t len;
	char record[RECORD_MAX + 1];
};

int dg_rpz_begin(struct dg_feed *feed)
{
	struct rpz *rpz = calloc(1, sizeof(*rpz));

	if (!rpz || zs_init(&rpz->scanner, ".", CLASS_IN, 3600)) {
		free(rpz);
		return -ENOMEM;
	}
	feed->state = rpz;
	return 0;
}

void dg_rpz_end(struct dg_feed *feed)
{
	struct rpz *rpz = feed->state;

	feed->line = (struct dg_span){ "", 0 };
	if (rpz->open)
		dg_feed_problem(feed, feed->line.at, "the file ends inside parentheses");
	zs_deinit(&rpz->scanner);
	free(rpz);
	feed->state = NULL;
}

static void unsupported(struct dg_feed *feed, const char *what)
{
	feed->sink->unsupported(feed, what);
}

/* ---- names ---------------------------------------------------------------------------------- */

/*
 * Wire form, lower case: no length of a label is a letter. len counts the root label. False: not a
 * name. A record without an owner takes the one before it, and after a name that was too long the
 * scanner still holds that one, all of it (libzscanner 3.2).
 */
static bool name_take(const __u8 *wire, __u32 len, struct dg_name *ret)
{
	__u32 at = 0;

	if (!len || len > DG_NAME_MAX)
		return false;
	ret->len = (__u8)len;
	ret->labels = 0;
	for (__u32 i = 0; i < len; i++)
		ret->wire[i] = wire[i] >= 'A' && wire[i] <= 'Z' ? wire[i] + ('a' - 'A') : wire[i];
	for (; at < len && ret->wire[at]; at += 1u + ret->wire[at])
		ret->labels++;
	return at == len - 1;
}

static bool name_is(const __u8 *wire, __u32 len, const char *other, __u32 other_len)
{
	return len == other_len && !memcmp(wire, other, len);
}

/* Takes the apex off the end: what remains is the trigger. False: not below it. */
static bool apex_strip(const struct dg_name *apex, struct dg_name *owner)
{
	__u32 cut = owner->len - apex->len, at = 0;

	if (owner->len < apex->len || memcmp(owner->wire + cut, apex->wire, apex->len) != 0)
		return false;
	owner->labels = 0;
	for (; at < cut; at += 1u + owner->wire[at])
		owner->labels++;
	owner->wire[cut] = 0;
	owner->len = (__u8)(cut + 1);
	return at == cut;
}

/* Where the last label starts. */
static __u32 last_label(const struct dg_name *name)
{
	__u32 at = 0;

	for (__u32 label = 1; label < name->labels; label++)
		at += 1u + name->wire[at];
	return at;
}

/* ---- actions -------------------------------------------------------------------------------- */

static const struct {
	const char *target; /* wire form */
	__u32 len;
	enum dg_answer_kind kind;
} actions[] = {
	{ "", 1, DG_ANSWER_NXDOMAIN },
	{ "\1*", 3, DG_ANSWER_NODATA },
	{ "\14rpz-passthru", 14, DG_ANSWER_ALLOW },
	{ "\10rpz-drop", 10, DG_ANSWER_DROP },
	{ "\14rpz-tcp-only", 14, DG_ANSWER_TRUNCATE },
};

/* What the record asks for, into *entry. NULL = done, else why it cannot be. */
static const char *action_read(const zs_scanner_t *record, const struct dg_name *trigger,
			       struct dg_entry *entry)
{
	struct dg_name target;

	if (record->r_type == TYPE_A || record->r_type == TYPE_AAAA) {
		entry->say = DG_SAY_ADDRESS;
		entry->octets = record->r_data_length;
		memcpy(entry->address, record->r_data, record->r_data_length);
		return NULL;
	}
	if (record->r_type != TYPE_CNAME)
		return "rpz: local data other than A and AAAA";
	if (!name_take(record->r_data, record->r_data_length, &target))
		return "rpz: CNAME to another name";
	entry->say = DG_SAY_KIND;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (!name_is(target.wire, target.len, actions[i].target, actions[i].len))
			continue;
		entry->kind = actions[i].kind;
		return NULL;
	}
	/* The first form of passthru that there was. */
	entry->kind = DG_ANSWER_ALLOW;
	if (name_is(target.wire, target.len, (const char *)trigger->wire, trigger->len))
		return NULL;
	return "rpz: CNAME to another name";
}

/* ---- triggers ------------------------------------------------------------------------------- */

static bool is_gap(const __u8 *label)
{
	return label[0] == 2 && !memcmp(label + 1, "zz", 2);
}

/* Appends a label's text and the separator; false: no room. */
static bool label_append(char *text, size_t size, const __u8 *label, char separator)
{
	size_t len = strlen(text), octets = is_gap(label) ? 0 : label[0];

	if (len + octets + 2 > size)
		return false;
	memcpy(text + len, label + 1, octets);
	text[len + octets] = separator;
	text[len + octets + 1] = '\0';
	return true;
}

/* Labels from the back: "32.1.2.0.192" and "48.zz.db8.2001" (RPZ draft, section 4.1.1) to an address. */
static bool prefix_text(const struct dg_name *trigger, char *text, size_t size)
{
	const __u8 *label[DG_LABELS_MAX];
	__u32 labels = trigger->labels - 1u, at = 0; /* without rpz-client-ip */
	bool ipv4 = labels == 5, held = labels > 1;

	for (__u32 i = 0; i < labels; i++, at += 1u + trigger->wire[at]) {
		label[i] = trigger->wire + at;
		ipv4 = ipv4 && !is_gap(label[i]);
	}
	/* A gap at either end stands for both colons. */
	snprintf(text, size, "%s", held && is_gap(label[labels - 1]) ? ":" : "");
	for (__u32 i = labels - 1; held && i > 0; i--)
		held = label_append(text, size, label[i],
				    i > 1	     ? (ipv4 ? '.' : ':') :
				    is_gap(label[1]) ? ':' :
						       '/');
	if (held && is_gap(label[1]))
		held = label_append(text, size, (const __u8 *)"", '/');
	return held && label_append(text, size, label[0], '\0');
}

static void client_trigger(struct dg_feed *feed, const zs_scanner_t *record,
			   const struct dg_name *trigger)
{
	struct dg_entry entry = { .say = DG_SAY_BLOCK };
	const char *why = action_read(record, trigger, &entry);
	struct dg_prefix prefix;
	struct dg_error err;
	char text[64];

	if (why || entry.say != DG_SAY_KIND ||
	    (entry.kind != DG_ANSWER_DROP && entry.kind != DG_ANSWER_ALLOW))
		unsupported(feed, "rpz: rpz-client-ip with an action other than drop and passthru");
	else if (!prefix_text(trigger, text, sizeof(text)) || dg_prefix_parse(text, &prefix, &err))
		dg_feed_problem(feed, feed->line.at, "rpz-client-ip without a prefix");
	else
		feed->sink->source(feed, &prefix, entry.kind == DG_ANSWER_DROP);
}

static void name_trigger(struct dg_feed *feed, const zs_scanner_t *record,
			 const struct dg_name *trigger)
{
	struct dg_entry entry = { .name = *trigger, .column = 1, .scope = DG_SCOPE_SELF };
	const char *why = action_read(record, trigger, &entry);

	if (trigger->wire[0] == 1 && trigger->wire[1] == '*') {
		entry.scope = DG_SCOPE_BELOW;
		entry.name.len -= 2;
		entry.name.labels--;
		memmove(entry.name.wire, trigger->wire + 2, entry.name.len);
	}
	entry.stops = true;
	if (why)
		unsupported(feed, why);
	else
		feed->sink->entry(feed, &entry);
}

/* The trigger's kind is its last label. */
static void trigger_read(struct dg_feed *feed, const zs_scanner_t *record,
			 const struct dg_name *trigger)
{
	const __u8 *kind = trigger->wire + last_label(trigger);
	__u32 len = kind[0] + 1u;

	if (name_is(kind, len, "\15rpz-client-ip", 14))
		client_trigger(feed, record, trigger);
	else if (name_is(kind, len, "\6rpz-ip", 7))
		unsupported(feed, "rpz: rpz-ip, which needs the resolver's answer");
	else if (name_is(kind, len, "\10rpz-nsip", 9))
		unsupported(feed, "rpz: rpz-nsip, which needs the resolver's answer");
	else if (name_is(kind, len, "\13rpz-nsdname", 12))
		unsupported(feed, "rpz: rpz-nsdname, which needs the resolver's answer");
	else
		name_trigger(feed, record, trigger);
}

/* ---- records -------------------------------------------------------------------------------- */

/* The zone's name: owner of the SOA, which is the first record; a file without one has its origin. */
static void apex_note(struct rpz *rpz, const struct dg_name *owner)
{
	const zs_scanner_t *s = &rpz->scanner;

	if (rpz->has_apex)
		return;
	rpz->has_apex = true;
	if (s->r_type == TYPE_SOA)
		rpz->apex = *owner;
	else
		rpz->has_apex = name_take(s->zone_origin, s->zone_origin_length, &rpz->apex);
}

static void record_take(struct dg_feed *feed, struct rpz *rpz)
{
	struct dg_name owner;

	if (!name_take(rpz->scanner.r_owner, rpz->scanner.r_owner_length, &owner)) {
		dg_feed_problem(feed, feed->line.at, "a record whose owner is not a name");
		return;
	}
	apex_note(rpz, &owner);
	if (rpz->scanner.r_class != CLASS_IN)
		unsupported(feed, "rpz: class other than IN");
	else if (!apex_strip(&rpz->apex, &owner))
		dg_feed_problem(feed, feed->line.at, "a record that is not below the zone's name");
	else if (owner.labels)
		trigger_read(feed, &rpz->scanner, &owner);
	else
		feed->sink->skip(feed); /* SOA, NS and what else the zone itself has */
}

/* Counts parentheses outside quotes and comments; a backslash takes the next octet's meaning away. */
static unsigned int parentheses(struct dg_span line, unsigned int open)
{
	bool quoted = false;

	for (size_t i = 0; i < line.len; i++) {
		char c = line.at[i];

		if (c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && c == ';')
			break;
		else if (!quoted && c == '(')
			open++;
		else if (!quoted && c == ')' && open)
			open--;
	}
	return open;
}

/* After such an error the scanner would read nothing more. */
static void scanner_revive(struct rpz *rpz)
{
	__u8 origin[ZS_MAX_DNAME_LENGTH];
	__u32 len = rpz->scanner.zone_origin_length;

	memcpy(origin, rpz->scanner.zone_origin, len);
	zs_deinit(&rpz->scanner);
	if (zs_init(&rpz->scanner, ".", CLASS_IN, 3600))
		return;
	memcpy(rpz->scanner.zone_origin, origin, len);
	rpz->scanner.zone_origin_length = len;
}

static void scan(struct dg_feed *feed, struct rpz *rpz, struct dg_span record)
{
	zs_scanner_t *s = &rpz->scanner;

	if (zs_set_input_string(s, record.at, record.len))
		return;
	while (!zs_parse_record(s)) {
		if (s->state == ZS_STATE_DATA)
			record_take(feed, rpz);
		else if (s->state == ZS_STATE_ERROR)
			dg_feed_problem(feed, feed->line.at, zs_strerror(s->error.code));
		else if (s->state == ZS_STATE_INCLUDE)
			dg_feed_problem(feed, feed->line.at,
					"$INCLUDE: other files are never opened");
		else
			break;
	}
	if (s->error.fatal)
		scanner_revive(rpz);
}

void dg_rpz_line(struct dg_feed *feed, struct dg_span line)
{
	struct rpz *rpz = feed->state;

	if (!rpz->open) {
		rpz->open = parentheses(line, 0);
		rpz->len = 0;
		if (!rpz->open) {
			scan(feed, rpz, line);
			return;
		}
	} else {
		rpz->open = parentheses(line, rpz->open);
	}
	if (rpz->len + line.len + 1 > RECORD_MAX) {
		dg_feed_problem(feed, line.at, "parentheses that hold too much for one record");
		rpz->open = 0;
		return;
	}
	memcpy(rpz->record + rpz->len, line.at, line.len);
	rpz->len += line.len;
	rpz->record[rpz->len++] = '\n';
	if (!rpz->open)
		scan(feed, rpz, (struct dg_span){ rpz->record, rpz->len });
}
