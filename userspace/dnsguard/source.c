// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * source.c - dnsguard source ban, exempt, forget, show: what is said of senders, by prefix.
 *
 * The kernel's table first, then the file from which the next attach restores it, both under the lock.
 */
#include <errno.h>
#include <string.h>

#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/source.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/quote.h"
#include "userspace/lib/render.h"
#include "userspace/lib/sources.h"

enum { BAN_FOR, BAN_REASON, BAN_FORCE };
enum { EXEMPT_FOR, EXEMPT_REASON, EXEMPT_FROM };

static const char *const from_words[] = { "limits", "sinkhole", "both", NULL }; /* flags - 1 */

const struct dg_option dg_source_ban_options[] = {
	[BAN_FOR] = { .name = "for",
		      .type = DG_OPT_DURATION,
		      .arg = "D",
		      .help = "how long: 90s 5m 2h 7d (default: for good)" },
	[BAN_REASON] = { .name = "reason",
			 .type = DG_OPT_TEXT,
			 .arg = "TEXT",
			 .help = "kept beside it, for people" },
	[BAN_FORCE] = { .name = "force",
			.type = DG_OPT_FLAG,
			.help = "also ban a prefix that holds very many senders" },
	{ 0 },
};

const struct dg_option dg_source_exempt_options[] = {
	[EXEMPT_FOR] = { .name = "for",
			 .type = DG_OPT_DURATION,
			 .arg = "D",
			 .help = "how long: 90s 5m 2h 7d (default: for good). The daemon ends it, or the "
				 "next source command" },
	[EXEMPT_REASON] = { .name = "reason",
			    .type = DG_OPT_TEXT,
			    .arg = "TEXT",
			    .help = "kept beside it, for people" },
	[EXEMPT_FROM] = { .name = "from",
			  .type = DG_OPT_CHOICE,
			  .arg = "limits|sinkhole|both",
			  .help = "what it is exempt from (default: both)",
			  .choices = from_words },
	{ 0 },
};

static const struct dg_column columns[] = {
	{ "prefix", "PREFIX", DG_AS_TEXT },
	{ "banned", "BANNED", DG_AS_YES_NO },
	{ "ban_remaining_seconds", "FOR", DG_AS_SECONDS },
	{ "exempt_from", "EXEMPT FROM", DG_AS_TEXT },
	{ "exempt_remaining_seconds", "FOR", DG_AS_SECONDS },
	{ "client", "CLIENT", DG_AS_YES_NO },
	{ "reason", "REASON", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_section message_sections[] = { { .path = "message" }, { 0 } };

/* ---- a change ------------------------------------------------------------------------------- */

#define WIDE_IPV4_BITS 8
#define WIDE_IPV6_BITS 16

static int reason_check(const struct dg_value *reason, struct dg_error *err)
{
	const size_t max = sizeof(((struct dg_source *)NULL)->reason) - 1;

	if (!reason->given || (strlen(reason->text) <= max && dg_text_is_clean(reason->text)))
		return 0;
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
		       "reason %s is not one line of at most %zu octets", DG_QUOTE(reason->text),
		       max);
}

static int width_check(const struct dg_prefix *prefix, bool force, struct dg_error *err)
{
	__u32 least = prefix->family == DG_IPV4 ? WIDE_IPV4_BITS : WIDE_IPV6_BITS;
	char text[64];

	if (force || prefix->bits >= least)
		return 0;
	return dg_fail(
		err, -EPERM, DG_EXIT_UNSAFE,
		"%s holds a large part of the internet: --force bans it all the same (up to /%u needs no force)",
		dg_prefix_text(prefix, text, sizeof(text)), least);
}

/* One change of one prefix, ready to be made. */
struct change {
	int (*make)(const struct change *change, const struct dg_maps *maps, struct dg_error *err);
	struct dg_prefix prefix;
	struct dg_exemption exemption;
	__u64 until_ns;
	const char *reason;
};

/* Under the lock: what has ended goes first, then the change, then the file. */
static int change_make(const struct dg_cli *cli, const struct change *change, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_fd int lock = -1;
	int status = dg_open_locked(cli, &maps, &lock, err);

	if (status)
		return status;
	status = dg_sources_tidy(&maps, dg_now_ns(), err);
	if (status >= 0)
		status = change->make(change, &maps, err);
	return status ? status :
			dg_change_saved(cli, dg_sources_save(&maps, cli->state_dir, err), err);
}

static int change_tell(const struct dg_cli *cli, const struct change *change, const char *what)
{
	char prefix[64], span[64], message[192];
	const bool ends = change->until_ns && change->until_ns != DG_FOR_GOOD;

	dg_prefix_text(&change->prefix, prefix, sizeof(prefix));
	snprintf(message, sizeof(message), "%s %s%s%s", prefix, what, ends ? " for " : "",
		 ends ? dg_duration_text(change->until_ns - dg_now_ns() + 500000000, span,
					 sizeof(span)) :
			"");
	return dg_render(stdout,
			 json_pack("{s:i, s:s, s:s, s:o}", "schema", 1, "message", message,
				   "prefix", prefix, "remaining_seconds",
				   dg_json_until(change->until_ns)),
			 message_sections, cli->json);
}

/* ---- ban, exempt, forget -------------------------------------------------------------------- */

static int ban_make(const struct change *change, const struct dg_maps *maps, struct dg_error *err)
{
	return dg_source_ban(maps, &change->prefix, change->until_ns, change->reason, err);
}

int dg_source_ban_run(const struct dg_cli *cli, struct dg_error *err)
{
	const struct dg_value *span = &cli->value[BAN_FOR];
	struct change change = { .make = ban_make,
				 .until_ns = span->given ? dg_now_ns() + span->number : DG_FOR_GOOD,
				 .reason = cli->value[BAN_REASON].text };
	int status = dg_prefix_parse(cli->arg[0], &change.prefix, err);

	if (!status)
		status = reason_check(&cli->value[BAN_REASON], err);
	if (!status)
		status = width_check(&change.prefix, cli->value[BAN_FORCE].given, err);
	if (!status)
		status = change_make(cli, &change, err);
	return status ? status : change_tell(cli, &change, "is banned");
}

static int exempt_make(const struct change *change, const struct dg_maps *maps,
		       struct dg_error *err)
{
	return dg_source_exempt(maps, &change->prefix, change->exemption, change->reason, err);
}

int dg_source_exempt_run(const struct dg_cli *cli, struct dg_error *err)
{
	const struct dg_value *span = &cli->value[EXEMPT_FOR], *from = &cli->value[EXEMPT_FROM];
	struct change change = { .make = exempt_make,
				 .until_ns = span->given ? dg_now_ns() + span->number : 0,
				 .reason = cli->value[EXEMPT_REASON].text };
	char what[64];
	int status = dg_prefix_parse(cli->arg[0], &change.prefix, err);

	change.exemption.until_ns = change.until_ns;
	change.exemption.flags =
		from->given ? (__u32)from->number + 1 : DG_SRC_NO_LIMIT | DG_SRC_NO_SINKHOLE;
	if (!status)
		status = reason_check(&cli->value[EXEMPT_REASON], err);
	if (!status)
		status = change_make(cli, &change, err);
	snprintf(what, sizeof(what), "is exempt from %s", from_words[change.exemption.flags - 1]);
	return status ? status : change_tell(cli, &change, what);
}

int dg_source_act(const struct dg_cli *cli, enum dg_source_deed deed, const char *prefix,
		  __u64 span_ns, struct dg_error *err)
{
	struct change change = { .make = deed == DG_SOURCE_BAN ? ban_make : exempt_make,
				 .until_ns = dg_now_ns() + span_ns,
				 .reason = "by a key in dnsguard top" };
	int status = dg_prefix_parse(prefix, &change.prefix, err);

	change.exemption.until_ns = change.until_ns;
	change.exemption.flags = DG_SRC_NO_LIMIT | DG_SRC_NO_SINKHOLE;
	if (!status && deed == DG_SOURCE_BAN)
		status = width_check(&change.prefix, false, err);
	return status ? status : change_make(cli, &change, err);
}

static int forget_make(const struct change *change, const struct dg_maps *maps,
		       struct dg_error *err)
{
	return dg_source_forget(maps, &change->prefix, err);
}

int dg_source_forget_run(const struct dg_cli *cli, struct dg_error *err)
{
	struct change change = { .make = forget_make };
	int status = dg_prefix_parse(cli->arg[0], &change.prefix, err);

	if (!status)
		status = change_make(cli, &change, err);
	return status ? status : change_tell(cli, &change, "is a sender like any other again");
}

/* ---- show ----------------------------------------------------------------------------------- */

static json_t *entry_json(const struct dg_source_entry *entry, __u64 now_ns)
{
	const struct dg_source *source = &entry->source;
	__u32 exempt = source->flags & (DG_SRC_NO_LIMIT | DG_SRC_NO_SINKHOLE);
	bool banned = source->banned_until_ns > now_ns;
	char prefix[64];

	return json_pack("{s:s, s:b, s:o, s:o, s:o, s:b, s:s}", "prefix",
			 dg_prefix_text(&entry->prefix, prefix, sizeof(prefix)), "banned", banned,
			 "ban_remaining_seconds",
			 banned ? dg_json_until(source->banned_until_ns) : json_null(),
			 "exempt_from", exempt ? json_string(from_words[exempt - 1]) : json_null(),
			 "exempt_remaining_seconds", dg_json_until(source->until_ns), "client",
			 !!(source->flags & DG_SRC_CLIENT), "reason", source->reason);
}

/* Is one inside the other? Then it matters to whoever asks about either. */
static bool related(const struct dg_prefix *asked, const struct dg_prefix *entry)
{
	const struct dg_prefix *wide = asked->bits < entry->bits ? asked : entry;
	const struct dg_prefix *narrow = wide == asked ? entry : asked;

	return dg_prefix_covers(wide, narrow);
}

/*
 * The kernel ends bans on time by itself, exemptions it does not: whoever looks ends them. Without the right to change
 * anything they are shown as they are.
 */
static void ended_remove(const struct dg_cli *cli, const struct dg_maps *maps)
{
	dg_scoped_fd int lock = -1;

	if (!dg_lock(cli->bpffs, &lock, NULL) && dg_sources_tidy(maps, dg_now_ns(), NULL) > 0)
		dg_sources_save(maps, cli->state_dir, NULL);
}

int dg_source_show_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_free struct dg_source_entry *entries = NULL;
	struct dg_prefix asked;
	char nothing[80] = "nothing is said of any sender";
	const struct dg_section sections[] = { { "sources", NULL, DG_AS_TEXT, columns, nothing },
					       { 0 } };
	json_t *list;
	int count, status = cli->args ? dg_prefix_parse(cli->arg[0], &asked, err) : 0;

	if (!status)
		status = dg_maps_open(cli->bpffs, &maps, err);
	if (status)
		return status;
	ended_remove(cli, &maps);
	count = dg_sources_list(&maps, &entries);
	if (count < 0)
		return dg_fail(err, count, DG_EXIT_FAILED, "cannot read the table of senders: %s",
			       strerror(-count));
	list = json_array();
	for (int i = 0; i < count; i++)
		if (!cli->args || related(&asked, &entries[i].prefix))
			json_array_append_new(list, entry_json(&entries[i], dg_now_ns()));
	if (cli->args)
		snprintf(nothing, sizeof(nothing), "nothing is said of %.50s", cli->arg[0]);
	status = cli->args && !json_array_size(list) ? DG_EXIT_NOT_FOUND : DG_EXIT_OK;
	count = dg_render(stdout, json_pack("{s:i, s:o}", "schema", 1, "sources", list), sections,
			  cli->json);
	return count ? count : status;
}
