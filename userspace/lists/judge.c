// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * judge.c - is what was fetched fit to replace what is there? And does it fit into memory?
 *
 * The compiler counts; here the counts are weighed against those of last time.
 */
#include <errno.h>
#include <string.h>

#include "userspace/lib/quote.h"
#include "userspace/lists/internal.h"

static __u64 number(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (__u64)value : 0;
}

/* A number, or an object of numbers by reason. */
static __u64 sum(const json_t *value)
{
	const json_t *part;
	const char *reason;
	__u64 total = json_is_integer(value) ? (__u64)json_integer_value(value) : 0;

	json_object_foreach((json_t *)value, reason, part) total += (__u64)json_integer_value(part);
	return total;
}

void dg_judge_counts(const json_t *list, struct dg_list_counts *ret)
{
	*ret = (struct dg_list_counts){
		.lines = number(list, "lines"),
		.bytes = number(list, "bytes"),
		.accepted = number(list, "accepted"),
		.duplicate = number(list, "duplicate"),
		.folded = number(list, "folded"),
		.rejected = number(list, "rejected"),
		.unsupported = sum(json_object_get(list, "unsupported")),
		.skipped = number(list, "skipped"),
		.protected = number(list, "protected"),
		.senders = json_array_size(json_object_get(list, "sources")),
	};
}

static int size_judge(struct dg_item *item, const struct dg_list_counts *counts)
{
	if (counts->bytes > DG_LIST_BYTES_MAX)
		return dg_fail(&item->err, -EFBIG, DG_EXIT_UNSAFE,
			       "list %s: it holds more than %llu MiB when unpacked",
			       item->spec.name, DG_LIST_BYTES_MAX >> 20);
	if (counts->lines > DG_LIST_LINES_MAX)
		return dg_fail(&item->err, -EFBIG, DG_EXIT_UNSAFE,
			       "list %s: it has more than %llu lines", item->spec.name,
			       DG_LIST_LINES_MAX);
	if (counts->senders > DG_LIST_SENDERS_MAX)
		return dg_fail(
			&item->err, -E2BIG, DG_EXIT_UNSAFE,
			"list %s: it bans or exempts %llu senders (rpz-client-ip), all lists "
			"together may %d",
			item->spec.name, (unsigned long long)counts->senders, DG_LIST_SENDERS_MAX);
	return 0;
}

/* A zone may speak of senders alone: then it never had a name to lose. */
static int shrink_judge(struct dg_item *item, __u64 now, bool senders)
{
	__u64 before = dg_counts_names(&item->meta.counts);

	if (!now && !(senders && !before))
		return dg_fail(&item->err, -ENODATA, DG_EXIT_UNSAFE,
			       "list %s: the source holds no name at all (--force takes it all the "
			       "same)",
			       item->spec.name);
	if (now < before && now < before - now)
		return dg_fail(
			&item->err, -EPERM, DG_EXIT_UNSAFE,
			"list %s: %llu names of %llu are left, it lost more than half (--force "
			"takes it all the same)",
			item->spec.name, (unsigned long long)now, (unsigned long long)before);
	return 0;
}

/* These say block, and nothing else. The others let pass, redirect or speak of senders as well. */
static bool only_blocks(const char *format)
{
	return !strcmp(format, "hosts") || !strcmp(format, "domains") ||
	       !strcmp(format, "wildcard") || !strcmp(format, "mixed");
}

/* A feed of names must not make itself a policy: that is the operator's to say. */
static int format_judge(struct dg_item *item, const char *now)
{
	const char *before = item->meta.format;

	if (!before[0] || strcmp(item->spec.format, "auto") || !strcmp(before, now) ||
	    only_blocks(now))
		return 0;
	return dg_fail(&item->err, -EPERM, DG_EXIT_UNSAFE,
		       "list %s: its format was %s and is %.15s now, which may do more than block "
		       "(--force takes it all the same)",
		       item->spec.name, before, now);
}

int dg_judge(const struct dg_run *run, struct dg_item *item)
{
	const json_t *list = dg_report_list(item->check, 0);
	const char *format = json_string_value(json_object_get(list, "format"));
	struct dg_list_counts counts;
	int rc;

	dg_judge_counts(list, &counts);
	rc = size_judge(item, &counts);
	if (!rc && !run->want->force)
		rc = shrink_judge(item, dg_counts_names(&counts), counts.senders);
	if (!rc && !run->want->force)
		rc = format_judge(item, format ? format : item->spec.format);
	if (rc)
		return rc;
	item->next.counts = counts;
	snprintf(item->next.format, sizeof(item->next.format), "%.15s",
		 format ? format : item->spec.format);
	return 0;
}
