// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * status.c - dnsguard status: what is guarded, what it decided, what it holds. Reads only.
 */
#include "userspace/dnsguard/status.h"

#include <errno.h>
#include <string.h>

#include "loader/loader.h"
#include "userspace/dnsguard/alert.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/limit.h"
#include "userspace/dnsguard/list.h"
#include "userspace/dnsguard/trial.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"

enum { CHECK };

const struct dg_option dg_status_options[] = {
	[CHECK] = { .name = "check",
		    .type = DG_OPT_FLAG,
		    .help = "one line and an exit status for Nagios: 0 ok, 1 warning, 2 critical, 3 unknown" },
	{ 0 },
};

/* ---- devices -------------------------------------------------------------------------------- */

/* Does the kernel still run us there? The row alone does not tell: a device may go, a trial may die. */
static bool is_attached(const struct dg_cli *cli, const struct dg_iface *iface)
{
	struct dg_link_state state;
	int status = dg_link_state(cli->bpffs, iface->name, &state);

	if (status == -ENOENT && iface->flags & DG_IF_TRIAL)
		return dg_trial_runs(cli->bpffs, iface->name);
	return !status && state.ifindex == iface->ifindex;
}

static json_t *count_json(const struct dg_count *count)
{
	return json_pack("{s:I, s:I}", "frames", (json_int_t)count->frames, "bytes",
			 (json_int_t)count->bytes);
}

static struct dg_count frames_seen(const struct dg_stats *stats)
{
	struct dg_count sum = { 0 };

	for (enum dg_verdict verdict = 0; verdict < DG_VERDICT_COUNT; verdict++) {
		sum.frames += stats->verdict[verdict].frames;
		sum.bytes += stats->verdict[verdict].bytes;
	}
	return sum;
}

static const char *state_word(bool attached, bool enforcing, bool trial)
{
	if (!attached)
		return "gone";
	return trial	 ? enforcing ? "enforcing, on trial" : "observing, on trial" :
	       enforcing ? "enforcing" :
			   "observing";
}

static json_t *iface_json(const struct dg_cli *cli, const struct dg_snapshot *snapshot, __u32 at)
{
	const struct dg_iface *iface = &snapshot->iface[at];
	const bool attached = is_attached(cli, iface), trial = iface->flags & DG_IF_TRIAL;
	const bool enforcing = attached && dg_snapshot_enforces(snapshot, at);
	struct dg_count seen = frames_seen(&snapshot->per_iface[at]);

	return json_pack("{s:s, s:s, s:b, s:s, s:b, s:b, s:b, s:b, s:i, s:i, s:I, s:I}", "name",
			 iface->name, "mode", iface->flags & DG_IF_GENERIC ? "generic" : "native",
			 "enforcing", enforcing, "state", state_word(attached, enforcing, trial),
			 "attached", attached, "trial", trial, "answers",
			 !(iface->flags & DG_IF_ANSWERS_OFF), "fragments",
			 !!(iface->flags & DG_IF_FRAGS), "slot", (int)snapshot->slot[at], "ifindex",
			 (int)iface->ifindex, "frames", (json_int_t)seen.frames, "bytes",
			 (json_int_t)seen.bytes);
}

static json_t *ifaces_json(const struct dg_cli *cli, const struct dg_snapshot *snapshot)
{
	json_t *list = json_array();

	for (__u32 i = 0; i < snapshot->ifaces; i++)
		json_array_append_new(list, iface_json(cli, snapshot, i));
	return list;
}

/* ---- the rest ------------------------------------------------------------------------------- */

static json_t *verdicts_json(const struct dg_stats *stats)
{
	json_t *all = json_object();

	for (enum dg_verdict verdict = 0; verdict < DG_VERDICT_COUNT; verdict++)
		json_object_set_new(all, dg_verdict_label(verdict),
				    count_json(&stats->verdict[verdict]));
	return all;
}

/* For people: only what happened, with what it means. */
static json_t *seen_json(const struct dg_stats *stats)
{
	json_t *list = json_array();

	for (enum dg_verdict verdict = 0; verdict < DG_VERDICT_COUNT; verdict++) {
		const struct dg_count *count = &stats->verdict[verdict];

		if (count->frames)
			json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:s}", "verdict",
							      dg_verdict_label(verdict), "frames",
							      (json_int_t)count->frames, "bytes",
							      (json_int_t)count->bytes, "meaning",
							      dg_verdict_help(verdict)));
	}
	return list;
}

static __u64 own_bytes(const struct dg_maps *maps)
{
	struct dg_map_usage usage[DG_MAP_USAGES];

	if (dg_map_usage_read(maps, usage))
		return 0;
	for (size_t i = 0; i < DG_MAP_USAGES; i++)
		if (!strcmp(usage[i].name, "dg_own"))
			return usage[i].bytes;
	return 0;
}

static json_t *names_json(const struct dg_maps *maps, const struct dg_snapshot *snapshot)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:i}", "entries",
			 (json_int_t)(snapshot->own_entries + snapshot->image.names), "bytes",
			 (json_int_t)(own_bytes(maps) + snapshot->image_bytes), "own",
			 (json_int_t)snapshot->own_entries, "listed",
			 (json_int_t)dg_snapshot_listed(snapshot), "lists",
			 (int)snapshot->image.lists);
}

static json_t *limiter_json(const struct dg_snapshot *snapshot)
{
	__u64 per_sec, burst;

	dg_rate_read(&snapshot->settings.rate[DG_CHARGE_QUERY][DG_IPV4], &per_sec, &burst);
	return json_pack("{s:I, s:i, s:I, s:I, s:i}", "bytes", (json_int_t)snapshot->limiter_bytes,
			 "limited_sources", (int)snapshot->limited_sources, "rate_limit",
			 (json_int_t)per_sec, "instant_limit", (json_int_t)burst, "slip",
			 (int)snapshot->settings.slip);
}

static json_t *tcp_json(const struct dg_cli *cli, const struct dg_stats *stats)
{
	__u64 first = 0, again = 0;

	for (enum dg_family family = DG_IPV4; family < DG_FAMILY_COUNT; family++) {
		first += stats->syn[family][DG_SYN_FIRST];
		again += stats->syn[family][DG_SYN_RETRANSMITTED];
	}
	return json_pack("{s:I, s:I, s:b}", "syn", (json_int_t)first, "syn_retransmitted",
			 (json_int_t)again, "connections_counted", dg_tcpstate_runs(cli->bpffs));
}

static const char *mode_word(__u8 mode)
{
	return dg_mode_names[mode <= DG_ENFORCE ? mode : DG_OFF];
}

static json_t *modes_json(const struct dg_settings *settings)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "limit", mode_word(settings->limit_mode),
			 "sinkhole", mode_word(settings->sinkhole_mode), "source",
			 mode_word(settings->source_mode), "syn",
			 /* protection brings the limit with it where it has no mode of its own */
			 mode_word(settings->syn_mode ?: settings->protect.mode), "tcp_protect",
			 mode_word(settings->protect.mode), "tcp_reaper",
			 mode_word(settings->protect.reaper));
}

static int service_count(struct dg_addr addr, __u32 flags, __u32 slot, void *arg)
{
	(void)addr;
	(void)slot;
	*(int *)arg += !!(flags & DG_SVC_GUARDED);
	return 0;
}

json_t *dg_status_json(const struct dg_cli *cli, const struct dg_maps *maps,
		       const struct dg_snapshot *snapshot)
{
	const struct dg_settings *settings = &snapshot->settings;
	int services = 0;
	json_t *doc;

	dg_service_each(maps, service_count, &services);
	doc = json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i}", "schema", 1,
			"interfaces", ifaces_json(cli, snapshot), "paused_seconds",
			settings->paused_until_ns > snapshot->now_ns ?
				dg_json_until(settings->paused_until_ns) :
				json_null(),
			"modes", modes_json(settings), "verdicts", verdicts_json(&snapshot->total),
			"names", names_json(maps, snapshot), "limiter", limiter_json(snapshot),
			"tcp", tcp_json(cli, &snapshot->total), "guarded_addresses", services,
			"sources",
			(int)(settings->source_rules[DG_IPV4] + settings->source_rules[DG_IPV6]));
	if (doc) {
		json_object_set_new(doc, "events",
				    json_pack("{s:I, s:I}", "sent",
					      (json_int_t)snapshot->total.events_sent, "lost",
					      (json_int_t)snapshot->total.events_lost));
		json_object_set_new(doc, "budget_per_second",
				    json_integer((json_int_t)dg_budget_read(settings)));
		json_object_set_new(doc, "latency", dg_latency_json(cli, maps, snapshot));
		json_object_set_new(doc, "drift", dg_drift_json(cli, maps, snapshot));
		json_object_set_new(doc, "seen", seen_json(&snapshot->total));
		dg_lists_status(cli, snapshot, doc);
	}
	return doc;
}

/* ---- text ----------------------------------------------------------------------------------- */

static const struct dg_column iface_columns[] = {
	{ "name", "INTERFACE", DG_AS_TEXT },
	{ "state", "STATE", DG_AS_TEXT },
	{ "mode", "MODE", DG_AS_TEXT },
	{ "answers", "ANSWERS", DG_AS_YES_NO },
	{ "frames", "FRAMES", DG_AS_COUNT },
	{ "bytes", "BYTES", DG_AS_BYTES },
	{ 0 },
};

static const struct dg_column verdict_columns[] = {
	{ "verdict", "VERDICT", DG_AS_TEXT },
	{ "frames", "FRAMES", DG_AS_COUNT },
	{ "bytes", "BYTES", DG_AS_BYTES },
	{ "meaning", "MEANING", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_column list_columns[] = {
	{ "name", "LIST", DG_AS_TEXT },
	{ "state", "STATE", DG_AS_TEXT },
	{ "entries", "NAMES", DG_AS_COUNT },
	{ "answer", "ANSWER", DG_AS_TEXT },
	{ "fetched", "FETCHED", DG_AS_WHEN },
	{ "stale_since", "STALE SINCE", DG_AS_WHEN },
	{ 0 },
};

static const struct dg_section sections[] = {
	{ "drift.text", "OUT OF DATE", DG_AS_TEXT, NULL, NULL },
	{ "paused_seconds", "PAUSED for", DG_AS_SECONDS, NULL, NULL },
	{ "modes.limit", "limits", DG_AS_TEXT, NULL, NULL },
	{ "limiter.rate_limit", "  rate-limit", DG_AS_TEXT, NULL, NULL },
	{ "limiter.instant_limit", "  instant-limit", DG_AS_TEXT, NULL, NULL },
	{ "limiter.slip", "  slip", DG_AS_TEXT, NULL, NULL },
	{ "limiter.limited_sources", "  limited now", DG_AS_COUNT, NULL, NULL },
	{ "limiter.bytes", "  memory", DG_AS_BYTES, NULL, NULL },
	{ "modes.sinkhole", "sinkhole", DG_AS_TEXT, NULL, NULL },
	{ "names.own", "  own entries", DG_AS_COUNT, NULL, NULL },
	{ "names.listed", "  listed names", DG_AS_COUNT, NULL, NULL },
	{ "names.bytes", "  memory", DG_AS_BYTES, NULL, NULL },
	{ "modes.source", "bans", DG_AS_TEXT, NULL, NULL },
	{ "sources", "  prefixes", DG_AS_COUNT, NULL, NULL },
	{ "modes.syn", "SYN limit", DG_AS_TEXT, NULL, NULL },
	{ "tcp.syn", "  SYN", DG_AS_COUNT, NULL, NULL },
	{ "tcp.syn_retransmitted", "  repeated SYN", DG_AS_COUNT, NULL, NULL },
	{ "modes.tcp_protect", "TCP protection", DG_AS_TEXT, NULL, NULL },
	{ "modes.tcp_reaper", "TCP reaper", DG_AS_TEXT, NULL, NULL },
	{ "tcp.connections_counted", "TCP connections counted", DG_AS_YES_NO, NULL, NULL },
	{ "latency.measured", "response times", DG_AS_YES_NO, NULL, NULL },
	{ "latency.udp.p99_seconds", "  UDP, 99 % within", DG_AS_DELAY, NULL, NULL },
	{ "latency.udp.one_in", "    of 1 query in", DG_AS_TEXT, NULL, NULL },
	{ "latency.tcp.p99_seconds", "  TCP, 99 % within", DG_AS_DELAY, NULL, NULL },
	{ "latency.tcp_first.p99_seconds", "  from the SYN on", DG_AS_DELAY, NULL, NULL },
	{ "tcp_pressure.state", "TCP quota", DG_AS_TEXT, NULL, NULL },
	{ "guarded_addresses", "guarded addresses", DG_AS_COUNT, NULL, NULL },
	{ "interfaces", "", DG_AS_TEXT, iface_columns,
	  "no device is guarded: dnsguard attach IFACE" },
	{ "lists", "", DG_AS_TEXT, list_columns, NULL },
	{ "seen", "", DG_AS_TEXT, verdict_columns, "\nno frame was seen yet" },
	{ 0 },
};

/* ---- for monitoring ------------------------------------------------------------------------- */

static const char *const check_words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

static enum dg_check ifaces_judge(const json_t *ifaces, char *buf, size_t size)
{
	const json_t *iface;
	size_t i;

	json_array_foreach(ifaces, i, iface)
	{
		const char *name = json_string_value(json_object_get(iface, "name"));

		if (!json_is_true(json_object_get(iface, "attached"))) {
			snprintf(buf, size, "%s is no longer guarded", name);
			return DG_CHECK_CRITICAL;
		}
	}
	json_array_foreach(ifaces, i, iface) if (json_is_true(json_object_get(iface, "trial")))
	{
		snprintf(buf, size, "%s is only on trial",
			 json_string_value(json_object_get(iface, "name")));
		return DG_CHECK_WARNING;
	}
	return DG_CHECK_OK;
}

/* Is the TCP quota of a listener filling up? */
static enum dg_check pressure_judge(const json_t *pressure, char *buf, size_t size)
{
	const char *state = json_string_value(json_object_get(pressure, "state"));
	const char *listener = json_string_value(json_object_get(pressure, "listener"));

	if (!state || !listener || !strcmp(state, "ok") || !strcmp(state, "unknown"))
		return DG_CHECK_OK;
	snprintf(buf, size, "TCP quota of %s: %s", listener, state);
	return strcmp(state, "warning") ? DG_CHECK_CRITICAL : DG_CHECK_WARNING;
}

enum dg_check dg_status_judge(const json_t *status, char *buf, size_t size)
{
	const json_t *ifaces = json_object_get(status, "interfaces");
	const json_t *unsettled =
		json_object_get(json_object_get(status, "verdicts"), dg_verdict_label(DG_NEXT));
	const json_t *drifted = json_object_get(json_object_get(status, "drift"), "text");
	enum dg_check check = ifaces_judge(ifaces, buf, size);

	if (!json_array_size(ifaces)) {
		snprintf(buf, size, "no device is guarded");
		return DG_CHECK_CRITICAL;
	}
	if (check == DG_CHECK_OK)
		check = pressure_judge(json_object_get(status, "tcp_pressure"), buf, size);
	if (check != DG_CHECK_OK)
		return check;
	if (json_is_integer(json_object_get(status, "paused_seconds"))) {
		snprintf(buf, size, "paused by the operator");
		return DG_CHECK_WARNING;
	}
	if (json_integer_value(json_object_get(unsettled, "frames"))) {
		snprintf(buf, size, "frames without a verdict: a defect, please report it");
		return DG_CHECK_WARNING;
	}
	if (drifted) {
		snprintf(buf, size, "%s", json_string_value(drifted));
		return DG_CHECK_WARNING;
	}
	if (dg_lists_judge(status, buf, size))
		return DG_CHECK_WARNING;
	snprintf(buf, size, "%zu device%s guarded", json_array_size(ifaces),
		 json_array_size(ifaces) == 1 ? "" : "s");
	return DG_CHECK_OK;
}

/* One line whatever happens: a monitoring system shows it as it is. */
static int check_print(const struct dg_cli *cli, json_t *doc, enum dg_check check, const char *text)
{
	char line[1200];
	int status;

	snprintf(line, sizeof(line), "DNSGUARD %s - %s", check_words[check], text);
	if (!doc)
		doc = json_pack("{s:i}", "schema", 1);
	json_object_set_new(doc, "check",
			    json_pack("{s:s, s:i, s:s}", "state", check_words[check], "status",
				      check, "text", text));
	if (!cli->json)
		puts(line);
	status = cli->json ? dg_render(stdout, doc, sections, true) : 0;
	if (!cli->json)
		json_decref(doc);
	return status ? status : (int)check;
}

static int status_read(const struct dg_cli *cli, json_t **ret, struct dg_error *err)
{
	dg_scoped_free struct dg_snapshot *snapshot = malloc(sizeof(*snapshot));
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	int status = dg_maps_open(cli->bpffs, &maps, err);

	if (status)
		return status;
	status = snapshot ? dg_snapshot_read(&maps, snapshot) : -ENOMEM;
	if (!status) {
		*ret = dg_status_json(cli, &maps, snapshot);
		status = *ret ? 0 : -ENOMEM;
		dg_pressure_status(cli, *ret);
	}
	return status ? dg_fail(err, status, DG_EXIT_FAILED, "cannot read the counters: %s",
				strerror(-status)) :
			0;
}

static int check_run(const struct dg_cli *cli)
{
	struct dg_error err = { 0 };
	json_t *doc = NULL;
	char text[256];
	int status = status_read(cli, &doc, &err);
	enum dg_check check;

	if (status)
		return check_print(cli, NULL,
				   status == -ENOENT ? DG_CHECK_CRITICAL : DG_CHECK_UNKNOWN,
				   err.text);
	check = dg_status_judge(doc, text, sizeof(text));
	return check_print(cli, doc, check, text);
}

static bool any_attached(const json_t *ifaces)
{
	const json_t *iface;
	size_t i;

	json_array_foreach(ifaces, i,
			   iface) if (json_is_true(json_object_get(iface, "attached"))) return true;
	return false;
}

int dg_status_run(const struct dg_cli *cli, struct dg_error *err)
{
	json_t *doc = NULL;
	bool guarded;
	int status;

	if (cli->value[CHECK].given)
		return check_run(cli);
	status = status_read(cli, &doc, err);
	if (status)
		return status;
	guarded = any_attached(json_object_get(doc, "interfaces"));
	status = dg_render(stdout, doc, sections, cli->json);
	return status ? status : guarded ? DG_EXIT_OK : DG_EXIT_NOT_ATTACHED;
}
