// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * limit.c - dnsguard limit show, limit set: rates, bursts, slip, modes and the answer budget, live
 * and, with --save, for good.
 *
 * What is not given stays. Both families get the same words; the ladder of prefix lengths widens them.
 */
#include <errno.h>
#include <string.h>

#include "userspace/config/save.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/config.h"
#include "userspace/dnsguard/limit.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"
#include "userspace/lib/who.h"

#define RATE_MAX 1000000
#define BURST_MAX 10000000
#define SLIP_MAX 1000
#define BUDGET_MAX 100000000
/* Half of the clock that a cell holds: a sender further ahead would look idle (limit.bpf.h). */
#define CEILING_MAX ((1ull << (DG_TAT_BITS - 1)) - 1)
#define DEFAULT_BURST 200

enum { RATE, BURST, SLIP, MODE, SYN_RATE, SYN_BURST, SYN_MODE, BUDGET, SAVE };

const struct dg_option dg_limit_set_options[] = {
	[RATE] = { .name = "rate-limit",
		   .type = DG_OPT_COUNT,
		   .arg = "N",
		   .max = RATE_MAX,
		   .help = "queries a second of one address, sustained; 0 = no limit" },
	[BURST] = { .name = "instant-limit",
		    .type = DG_OPT_COUNT,
		    .arg = "N",
		    .min = 1,
		    .max = BURST_MAX,
		    .help = "queries of one address at once" },
	[SLIP] = { .name = "slip",
		   .type = DG_OPT_COUNT,
		   .arg = "N",
		   .max = SLIP_MAX,
		   .help = "every N-th refused query is answered TC=1; 0 = never, 1 = each" },
	[MODE] = { .name = "mode",
		   .type = DG_OPT_CHOICE,
		   .arg = "off|observe|enforce",
		   .help = "of the query limit",
		   .choices = dg_mode_names },
	[SYN_RATE] = { .name = "syn-rate",
		       .type = DG_OPT_COUNT,
		       .arg = "N",
		       .max = RATE_MAX,
		       .help = "SYNs a second of one address; 0 = no limit" },
	[SYN_BURST] = { .name = "syn-burst",
			.type = DG_OPT_COUNT,
			.arg = "N",
			.min = 1,
			.max = BURST_MAX,
			.help = "SYNs of one address at once" },
	[SYN_MODE] = { .name = "syn-mode",
		       .type = DG_OPT_CHOICE,
		       .arg = "off|observe|enforce",
		       .help = "of the SYN limit",
		       .choices = dg_mode_names },
	[BUDGET] = { .name = "budget",
		     .type = DG_OPT_COUNT,
		     .arg = "N",
		     .max = BUDGET_MAX,
		     .help = "answers a second from the kernel, to all senders together; 0 = no bound" },
	[SAVE] = { .name = "save",
		   .type = DG_OPT_FLAG,
		   .help = "write it to conf.d/50-cli.yaml as well, so that it lasts" },
	{ 0 },
};

/* ---- show ----------------------------------------------------------------------------------- */

static const struct dg_column ladder_columns[] = {
	{ "prefix", "PREFIX", DG_AS_TEXT },
	{ "queries_per_second", "QUERIES", DG_AS_RATE },
	{ "syn_per_second", "SYN", DG_AS_RATE },
	{ 0 },
};

static const struct dg_section sections[] = {
	{ "query.mode", "query limit", DG_AS_TEXT, NULL, NULL },
	{ "query.rate_limit", "  rate-limit", DG_AS_TEXT, NULL, NULL },
	{ "query.instant_limit", "  instant-limit", DG_AS_TEXT, NULL, NULL },
	{ "query.slip", "  slip", DG_AS_TEXT, NULL, NULL },
	{ "syn.mode", "SYN limit", DG_AS_TEXT, NULL, NULL },
	{ "syn.rate_limit", "  syn-rate", DG_AS_TEXT, NULL, NULL },
	{ "syn.instant_limit", "  syn-burst", DG_AS_TEXT, NULL, NULL },
	{ "budget_per_second", "answer budget", DG_AS_RATE, NULL, NULL },
	{ "ladder", "what each prefix may have (0 = no limit)", DG_AS_TEXT, ladder_columns, NULL },
	{ 0 },
};

static double per_second(__u64 cost)
{
	return cost ? 1e9 / (double)(cost << DG_TICK_SHIFT) : 0;
}

static void ladder_append(json_t *list, const struct dg_settings *settings, enum dg_family family)
{
	const __u32 bits[DG_FAMILY_COUNT][DG_RUNGS_MAX] = { DG_LADDER_IPV4_BITS,
							    DG_LADDER_IPV6_BITS };
	char prefix[16];

	for (__u32 rung = 0; rung < DG_RUNGS_MAX && bits[family][rung]; rung++) {
		snprintf(prefix, sizeof(prefix), "IPv%d/%u", family == DG_IPV4 ? 4 : 6,
			 bits[family][rung]);
		json_array_append_new(
			list,
			json_pack("{s:s, s:f, s:f}", "prefix", prefix, "queries_per_second",
				  per_second(settings->rate[DG_CHARGE_QUERY][family].cost[rung]),
				  "syn_per_second",
				  per_second(settings->rate[DG_CHARGE_SYN][family].cost[rung])));
	}
}

static json_t *charge_json(const struct dg_settings *settings, enum dg_charge charge)
{
	__u64 per_sec, burst;
	__u8 mode = charge == DG_CHARGE_QUERY ? settings->limit_mode : settings->syn_mode;

	dg_rate_read(&settings->rate[charge][DG_IPV4], &per_sec, &burst);
	return json_pack("{s:s, s:I, s:I}", "mode",
			 dg_mode_names[mode <= DG_ENFORCE ? mode : DG_OFF], "rate_limit",
			 (json_int_t)per_sec, "instant_limit", (json_int_t)burst);
}

json_t *dg_limit_json(const struct dg_settings *settings)
{
	json_t *query = charge_json(settings, DG_CHARGE_QUERY), *ladder = json_array();

	json_object_set_new(query, "slip", json_integer(settings->slip));
	ladder_append(ladder, settings, DG_IPV4);
	ladder_append(ladder, settings, DG_IPV6);
	return json_pack("{s:i, s:o, s:o, s:I, s:o}", "schema", 1, "query", query, "syn",
			 charge_json(settings, DG_CHARGE_SYN), "budget_per_second",
			 (json_int_t)dg_budget_read(settings), "ladder", ladder);
}

int dg_limit_show_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	struct dg_settings settings;
	int status = dg_maps_open(cli->bpffs, &maps, err);

	if (status)
		return status;
	status = dg_settings_read(&maps, &settings);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot read the settings: %s",
			       strerror(-status));
	return dg_render(stdout, dg_limit_json(&settings), sections, cli->json);
}

/* ---- set ------------------------------------------------------------------------------------ */

/* Rate and burst of one charge, what is not given as it was. */
static int charge_set(const struct dg_value *rate, const struct dg_value *burst,
		      struct dg_rate rates[DG_FAMILY_COUNT], struct dg_error *err)
{
	__u64 per_sec, at_once;

	if (!rate->given && !burst->given)
		return 0;
	dg_rate_read(&rates[DG_IPV4], &per_sec, &at_once);
	per_sec = rate->given ? rate->number : per_sec;
	at_once = burst->given ? burst->number : at_once ? at_once : DEFAULT_BURST;
	if (burst->given && !per_sec)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "a burst of %llu means nothing without a rate: give both",
			       (unsigned long long)at_once);
	for (enum dg_family family = DG_IPV4; family < DG_FAMILY_COUNT; family++)
		dg_rate_make(per_sec, at_once, family, &rates[family]);
	if (rates[DG_IPV4].ceiling > CEILING_MAX)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "at %llu a second, %llu at once is too many: up to %llu are allowed",
			       (unsigned long long)per_sec, (unsigned long long)at_once,
			       (unsigned long long)(CEILING_MAX / rates[DG_IPV4].cost[0]));
	return 0;
}

int dg_limit_apply(const struct dg_value value[], struct dg_settings *settings,
		   struct dg_error *err)
{
	int status = charge_set(&value[RATE], &value[BURST], settings->rate[DG_CHARGE_QUERY], err);

	if (!status)
		status = charge_set(&value[SYN_RATE], &value[SYN_BURST],
				    settings->rate[DG_CHARGE_SYN], err);
	if (status)
		return status;
	if (value[SLIP].given)
		settings->slip = (__u32)value[SLIP].number;
	if (value[MODE].given)
		settings->limit_mode = (__u8)value[MODE].number;
	if (value[SYN_MODE].given)
		settings->syn_mode = (__u8)value[SYN_MODE].number;
	if (value[BUDGET].given)
		dg_budget_make(value[BUDGET].number, settings);
	if (settings->syn_mode != DG_OFF && !settings->rate[DG_CHARGE_SYN][DG_IPV4].cost[0])
		return dg_fail(
			err, -EINVAL, DG_EXIT_USAGE,
			"the SYN limit has no rate yet: give --syn-rate N --syn-burst N as well");
	return 0;
}

/* ---- writing it down ------------------------------------------------------------------------- */

static const enum dg_config_key_id key_of[] = {
	[RATE] = DG_KEY_RATE_LIMIT,
	[BURST] = DG_KEY_INSTANT_LIMIT,
	[SLIP] = DG_KEY_SLIP,
	[MODE] = DG_KEY_LIMIT_MODE,
	[SYN_RATE] = DG_KEY_SYN_RATE_LIMIT,
	[SYN_BURST] = DG_KEY_SYN_INSTANT_LIMIT,
	[SYN_MODE] = DG_KEY_SYN_MODE,
	[BUDGET] = DG_KEY_BUDGET,
};
#define KEYS_MAX (sizeof(key_of) / sizeof(key_of[0]))

static unsigned int changes_of(const struct dg_cli *cli, struct dg_config_change changes[KEYS_MAX])
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < KEYS_MAX; i++) {
		if (!cli->value[i].given)
			continue;
		changes[count].id = key_of[i];
		snprintf(changes[count++].value, sizeof(changes[0].value), "%s",
			 cli->value[i].text);
	}
	return count;
}

/* A file that says otherwise wins at the next reload: better told now than found out then. */
static void tell_who_wins(const struct dg_cli *cli, const char *path)
{
	dg_scoped_free struct dg_config *config = malloc(sizeof(*config));
	char place[DG_CONFIG_PATH_MAX + 16];

	if (!config || dg_config_load(path, config, NULL))
		return;
	for (unsigned int i = 0; i < KEYS_MAX; i++) {
		const enum dg_config_key_id id = key_of[i];
		const int is_ours = config->origin[id].file &&
				    strstr(config->files[config->origin[id].file - 1],
					   "/conf.d/" DG_CONFIG_CLI_FILE);

		if (!cli->value[i].given || !config->origin[id].file ||
		    (cli->value[SAVE].given && is_ours))
			continue;
		fprintf(stderr,
			"dnsguard: %s is also given in %s, which wins at the next reload%s\n",
			dg_config_keys[id].path,
			dg_config_origin_text(config, id, place, sizeof(place)),
			cli->value[SAVE].given ? "" : "; --save makes this last");
	}
}

static int save_begin(const struct dg_cli *cli, const char *path, struct dg_state_file *ret,
		      struct dg_error *err)
{
	struct dg_config_change change[KEYS_MAX];
	char who[DG_WHO_MAX];
	const struct dg_config_changes changes = { .change = change,
						   .count = changes_of(cli, change),
						   .who = dg_who_text(who, sizeof(who)) };

	if (!cli->value[SAVE].given)
		return 0;
	return dg_config_save_begin(path, &changes, ret, err);
}

static int nothing_given(const struct dg_cli *cli)
{
	for (size_t i = 0; i < SAVE; i++)
		if (cli->value[i].given)
			return 0;
	return 1;
}

int dg_limit_set_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_fd int lock = -1;
	struct dg_state_file saved dg_scoped_state = DG_STATE_FILE_NONE;
	json_t *keep dg_scoped(dg_json_drop) = NULL;
	const char *path = dg_config_path(cli, NULL, &keep);
	struct dg_settings settings;
	int status;

	if (nothing_given(cli))
		return dg_fail(
			err, -EINVAL, DG_EXIT_USAGE,
			"nothing to set is given: \"dnsguard help limit set\" lists what can be");
	status = dg_open_locked(cli, &maps, &lock, err);
	if (status)
		return status;
	status = dg_settings_read(&maps, &settings);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot read the settings: %s",
			       strerror(-status));
	status = dg_limit_apply(cli->value, &settings, err);
	if (!status)
		status = save_begin(cli, path, &saved, err);
	if (status)
		return status;
	status = dg_settings_write(&maps, &settings);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot write the settings: %s",
			       strerror(-status));
	status = saved.file ? dg_state_commit(&saved, err) : 0;
	if (status)
		return status;
	tell_who_wins(cli, path);
	return dg_render(stdout, dg_limit_json(&settings), sections, cli->json);
}
