// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * intake.c - entries of all lists into one builder: what a line says, and what the operator said of
 * its list, become an answer; protected names are kept out; everything is counted.
 */
#include "userspace/compile/plan.h"

#include <errno.h>

#include "userspace/lib/quote.h"

#define BATCH 64 /* names added at once */
/* As for "source ban". */
#define WIDE_IPV4_BITS 8
#define WIDE_IPV6_BITS 16

#define KIND_COUNT (2 * DG_ANSWER_KINDS) /* each, and each raised */

struct intake {
	struct dg_plan *plan;
	struct dg_image_builder *builder;
	struct dg_progress *progress;
	struct dg_plan_list *list; /* whose file is being read */
	__u32 number;		   /* of it in the image */
	__u32 of_kind[KIND_COUNT]; /* numbers of its answers, made when first needed */
	int error;		   /* the first one of the builder */
	__u32 count;
	struct dg_image_item item[BATCH];
	struct dg_name name[BATCH];
};

static struct intake *intake_of(const struct dg_feed *feed)
{
	return feed->sink->arg;
}

/* ---- what is wrong, and what is beyond us --------------------------------------------------- */

void dg_line_show(struct dg_span line, char *buf, size_t size)
{
	char text[DG_QUOTE_MAX + 2];
	struct dg_quoted quoted;
	size_t len;

	line = dg_span_trim(line);
	len = line.len < sizeof(text) - 1 ? line.len : sizeof(text) - 1;
	memcpy(text, line.at, len);
	text[len] = '\0';
	dg_quote(text, &quoted);
	len = strlen(quoted.text);
	/* Without the quotes, which are a message's. */
	snprintf(buf, size, "%.*s", (int)(len - 1 - (quoted.text[len - 1] == '"')),
		 quoted.text + 1);
	/* A character that was cut in two would keep the whole line out of a report. */
	for (len = strlen(buf); len && !dg_text_is_clean(buf);)
		buf[--len] = '\0';
}

void dg_problem_note(struct dg_plan_list *list, const struct dg_feed *feed,
		     const struct dg_problem *problem)
{
	struct dg_problem *kept = list->problem + list->problems;

	list->rejected++;
	if (list->problems == DG_PROBLEMS_MAX)
		return;
	list->problems++;
	*kept = *problem;
	kept->path = feed->path;
	kept->line = dg_bytes_lines(feed->bytes);
	dg_line_show(feed->line, kept->text, sizeof(kept->text));
}

static void take_problem(struct dg_feed *feed, const char *reason, unsigned int column)
{
	struct dg_problem problem = { .column = column };

	snprintf(problem.reason, sizeof(problem.reason), "%s", reason);
	dg_problem_note(intake_of(feed)->list, feed, &problem);
}

static void take_unsupported(struct dg_feed *feed, const char *reason)
{
	struct dg_plan_list *list = intake_of(feed)->list;

	list->unsupported++;
	for (int i = 0; i < DG_REASONS_MAX; i++) {
		if (list->reason[i].text && strcmp(list->reason[i].text, reason) != 0)
			continue;
		list->reason[i].text = reason;
		list->reason[i].count++;
		return;
	}
}

static void take_skip(struct dg_feed *feed)
{
	intake_of(feed)->list->skipped++;
}

static void take_progress(struct dg_feed *feed)
{
	struct intake *intake = intake_of(feed);

	intake->list->lines = dg_bytes_lines(feed->bytes);
	dg_progress_tell(intake->progress, "read", intake->list, dg_bytes_read(feed->bytes));
}

/*
 * Who may ask at all is policy. A feed of names must not get hold of it by looking like a zone: only where the operator
 * has said rpz is it heard, and never for a part of the internet. NULL = it is heard.
 */
static const char *source_refuse(const struct dg_plan_list *list, const struct dg_prefix *prefix)
{
	if (list->format != DG_FORMAT_RPZ)
		return "rpz: rpz-client-ip, heard only of lists with --format rpz and of axfr:// ones";
	if (prefix->bits < (prefix->family == DG_IPV4 ? WIDE_IPV4_BITS : WIDE_IPV6_BITS))
		return "rpz: rpz-client-ip of a part of the internet (wider than /8, or /16 of IPv6)";
	return list->sources == DG_SOURCES_MAX ? "rpz: more than 65536 client addresses" : NULL;
}

static void take_source(struct dg_feed *feed, const struct dg_prefix *prefix, bool ban)
{
	struct dg_plan_list *list = intake_of(feed)->list;
	const char *refused = source_refuse(list, prefix);
	struct dg_list_source *grown;
	__u32 room = list->source_room ? 2 * list->source_room : 64;

	if (refused) {
		take_unsupported(feed, refused);
		return;
	}
	if (list->sources == list->source_room) {
		grown = realloc(list->source, room * sizeof(*grown));
		if (!grown) {
			intake_of(feed)->error = -ENOMEM;
			return;
		}
		list->source = grown;
		list->source_room = room;
	}
	list->source[list->sources++] = (struct dg_list_source){ *prefix, ban };
}

/* ---- names ---------------------------------------------------------------------------------- */

static struct dg_plan_list *list_of(const struct intake *intake, __u32 answer)
{
	const struct dg_answer *row = dg_image_answer(intake->builder, answer);

	return intake->plan->list + row->list - 1;
}

static void outcome_count(struct intake *intake, const struct dg_image_item *item)
{
	struct dg_plan_list *list = intake->list;

	if (item->added < 0) {
		intake->error = intake->error ? intake->error : item->added;
		return;
	}
	if (item->added && item->joined == item->answer)
		list->folded++;
	if (item->loser && list_of(intake, item->loser) == list)
		list->duplicate++;
	if (item->added)
		return;
	if (list_of(intake, item->keeper) == list)
		list->duplicate++;
	else
		list->shadowed++;
}

static void batch_flush(struct intake *intake)
{
	dg_image_add_names(intake->builder, intake->item, intake->count);
	for (__u32 i = 0; i < intake->count; i++)
		outcome_count(intake, intake->item + i);
	intake->count = 0;
}

static void batch_add(struct intake *intake, const struct dg_entry *entry, __u32 answer)
{
	struct dg_name *name = intake->name + intake->count;

	name->len = entry->name.len;
	name->labels = entry->name.labels;
	memcpy(name->wire, entry->name.wire, name->len);
	intake->item[intake->count++] = (struct dg_image_item){
		.name = name, .answer = answer, .scope = entry->scope, .stops = entry->stops
	};
	if (intake->count == BATCH)
		batch_flush(intake);
}

/* ---- answers -------------------------------------------------------------------------------- */

/* The list's own answer, as another kind and without addresses. */
static struct dg_answer answer_like(const struct intake *intake, enum dg_answer_kind kind)
{
	struct dg_answer answer = intake->list->answer;

	answer.kind = kind;
	answer.flags &= ~(DG_ANS_V4 | DG_ANS_V6);
	memset(answer.v4, 0, sizeof(answer.v4));
	memset(answer.v6, 0, sizeof(answer.v6));
	answer.list = intake->number;
	return answer;
}

/* The number of a kind of answer; 0 and intake->error: there is no room for more. */
static __u32 kind_number(struct intake *intake, enum dg_answer_kind kind, bool raise)
{
	__u32 *number = intake->of_kind + (raise ? DG_ANSWER_KINDS : 0) + kind;
	struct dg_answer answer;
	int rc;

	if (*number)
		return *number;
	answer = answer_like(intake, kind);
	rc = dg_image_add_answer(intake->builder, &answer);
	if (rc < 0) {
		intake->error = rc;
		return 0;
	}
	*number = (__u32)rc;
	if (raise)
		dg_image_raise_answer(intake->builder, *number);
	return *number;
}

/* An observing list only observes, and what the operator chose goes before what the feed chose. */
static bool list_decides(const struct dg_plan_list *list, const struct dg_entry *entry)
{
	if (entry->say == DG_SAY_BLOCK)
		return true;
	if (entry->say == DG_SAY_KIND && entry->kind == DG_ANSWER_ALLOW)
		return false;
	return list->answer_given || list->answer.kind == DG_ANSWER_OBSERVE;
}

static void address_put(struct dg_answer *answer, const struct dg_entry *entry)
{
	if (entry->octets == 4)
		memcpy(answer->v4, entry->address, 4);
	else if (entry->octets == 16)
		memcpy(answer->v6, entry->address, 16);
	answer->flags |= entry->octets == 4 ? DG_ANS_V4 : entry->octets == 16 ? DG_ANS_V6 : 0;
}

/* Adds the entry's address to what the name has. False: it has one of this family already. */
static bool address_join(struct dg_answer *answer, const struct dg_entry *entry)
{
	if (entry->octets == 4 ? answer->flags & DG_ANS_V4 : answer->flags & DG_ANS_V6)
		return false;
	address_put(answer, entry);
	return true;
}

static bool address_is(const struct dg_answer *answer, const struct dg_entry *entry)
{
	const __u8 *held = entry->octets == 4 ? answer->v4 : answer->v6;

	return !entry->octets || !memcmp(held, entry->address, entry->octets);
}

/* An entry that came to nothing. */
static void entry_unsupported(struct dg_feed *feed, const char *reason)
{
	intake_of(feed)->list->entries--;
	take_unsupported(feed, reason);
}

/* The name has an answer of this list: one address more, or its first. */
static void address_replace(struct dg_feed *feed, struct dg_entry *entry, struct dg_answer held)
{
	struct intake *intake = intake_of(feed);
	int rc;

	if (held.kind != DG_ANSWER_ADDRESS) {
		if (!entry->widen) {
			entry_unsupported(feed, "an address beside another action for one name");
			return;
		}
		held = answer_like(intake, DG_ANSWER_ADDRESS);
	}
	if (!entry->octets || !address_join(&held, entry)) {
		if (address_is(&held, entry))
			intake->list->duplicate++;
		else
			entry_unsupported(feed, "a second address of one family for one name");
		return;
	}
	rc = dg_image_add_answer(intake->builder, &held);
	if (rc > 0)
		rc = dg_image_replace_name(intake->builder, &entry->name, (__u32)rc, entry->scope);
	if (rc == -ENOSPC)
		entry_unsupported(feed, "more than 16383 different answers");
	else if (rc < 0)
		intake->error = rc;
	else
		intake->list->folded++;
}

/* Addresses of one name may come in several lines: what is there must be known first. */
static void address_add(struct dg_feed *feed, const struct dg_entry *given)
{
	struct intake *intake = intake_of(feed);
	struct dg_entry entry = *given;
	struct dg_answer answer;
	__u32 held, below;
	int rc;

	batch_flush(intake);
	below = dg_image_find_name(intake->builder, &entry.name, DG_SCOPE_BELOW);
	if (entry.widen && below && list_of(intake, below) == intake->list &&
	    dg_image_answer(intake->builder, below)->kind == DG_ANSWER_ADDRESS)
		entry.scope = DG_SCOPE_SUFFIX;
	held = entry.scope & DG_SCOPE_SELF ?
		       dg_image_find_name(intake->builder, &entry.name, DG_SCOPE_SELF) :
		       below;
	if (held && list_of(intake, held) == intake->list) {
		address_replace(feed, &entry, *dg_image_answer(intake->builder, held));
		return;
	}
	answer = answer_like(intake, DG_ANSWER_ADDRESS);
	address_put(&answer, &entry);
	rc = dg_image_add_answer(intake->builder, &answer);
	if (rc > 0)
		batch_add(intake, &entry, (__u32)rc);
	else
		entry_unsupported(feed, "more than 16383 different answers");
}

/* ---- entries -------------------------------------------------------------------------------- */

static bool is_guarded(struct dg_feed *feed, const struct dg_entry *entry, enum dg_scope scope)
{
	struct intake *intake = intake_of(feed);
	struct dg_problem problem = { .column = entry->column };
	const char *why = NULL;
	char text[1025];

	if (!entry->name.labels)
		why = dg_name_unsafe(&entry->name);
	else if (!intake->plan->force)
		why = dg_protect_reason(intake->plan->protect, &entry->name, scope);
	if (!why)
		return false;
	intake->list->guarded++;
	snprintf(problem.reason, sizeof(problem.reason), "name \"%.60s\" is not listed: %s",
		 dg_name_text(entry->name.wire, entry->name.len, text), why);
	dg_problem_note(intake->list, feed, &problem);
	return true;
}

static bool allows(const struct dg_plan_list *list, const struct dg_entry *entry)
{
	if (entry->say == DG_SAY_KIND && entry->kind == DG_ANSWER_ALLOW)
		return true;
	return list_decides(list, entry) && list->answer.kind == DG_ANSWER_ALLOW;
}

static void take_entry(struct dg_feed *feed, struct dg_entry *entry)
{
	struct intake *intake = intake_of(feed);
	struct dg_plan_list *list = intake->list;
	__u32 number;

	list->entries++;
	if (!entry->scope)
		entry->scope = list->exact ? DG_SCOPE_SELF : DG_SCOPE_SUFFIX;
	if ((!entry->name.labels || !allows(list, entry)) && is_guarded(feed, entry, entry->scope))
		return;
	if (list_decides(list, entry)) {
		batch_add(intake, entry, intake->number);
	} else if (entry->say == DG_SAY_ADDRESS) {
		address_add(feed, entry);
	} else {
		number = kind_number(intake, entry->kind, entry->raise);
		if (number)
			batch_add(intake, entry, number);
	}
}

/* ---- files ---------------------------------------------------------------------------------- */

static void found_note(struct dg_plan_list *list, const struct dg_feed_read *read, __u64 lines)
{
	if (list->found != DG_FORMAT_COUNT && list->found != read->format)
		list->mixed = true;
	list->found = read->format;
	list->lines = lines + read->lines;
	list->bytes += read->bytes;
}

static int file_read(struct intake *intake, const struct dg_plan_file *file, struct dg_error *err)
{
	struct dg_feed_sink sink = { take_entry, take_source,	take_problem, take_unsupported,
				     take_skip,	 take_progress, intake };
	struct dg_plan_list *list = intake->plan->list + file->list;
	struct dg_feed_file feed = { file->fd, file->path, list->format, intake->plan->limits };
	struct dg_feed_read read;
	__u64 lines = list->lines;
	int rc;

	if (intake->list != list)
		memset(intake->of_kind, 0, sizeof(intake->of_kind));
	intake->list = list;
	intake->number = file->list + 1;
	rc = dg_feed_read(&feed, &sink, &read, err);
	batch_flush(intake);
	found_note(list, &read, lines);
	intake->progress->bytes_before += file->bytes;
	if (!rc && intake->error)
		rc = dg_fail(err, intake->error, DG_EXIT_FAILED, "%s: its names do not fit: %s",
			     file->path, strerror(-intake->error));
	return rc;
}

int dg_intake_run(struct dg_plan *plan, struct dg_image_builder *builder,
		  struct dg_progress *progress, struct dg_error *err)
{
	dg_scoped_free struct intake *intake = calloc(1, sizeof(*intake));
	int rc = 0;

	if (!intake)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "image: not enough memory");
	intake->plan = plan;
	intake->builder = builder;
	intake->progress = progress;
	for (int observing = 0; observing < 2; observing++)
		for (__u32 i = 0; !rc && i < plan->files; i++)
			if (observing ==
			    (plan->list[plan->file[i].list].answer.kind == DG_ANSWER_OBSERVE))
				rc = file_read(intake, plan->file + i, err);
	return rc;
}
