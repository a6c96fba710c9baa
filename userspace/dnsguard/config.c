// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * config.c - dnsguard config check, config show: what the files say, what runs, and who says so.
 *
 * Changes nothing. Secrets are never printed.
 */
#include "userspace/dnsguard/config.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "userspace/config/reload.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/latency.h"
#include "userspace/lib/render.h"
#include "userspace/web/check.h"

enum { EFFECTIVE, DEFAULTS };

const struct dg_option dg_config_show_options[] = {
	[EFFECTIVE] = { .name = "effective",
			.type = DG_OPT_FLAG,
			.help = "what the files say, and what was set live where they say nothing "
				"(the default)" },
	[DEFAULTS] = { .name = "defaults",
		       .type = DG_OPT_FLAG,
		       .help = "the value of every key that nobody gives" },
	{ 0 },
};

const char *dg_config_path(const struct dg_cli *cli, const char *named, json_t **keep)
{
	pid_t pid;

	*keep = NULL;
	if (named || dg_daemon_pid(cli->bpffs, &pid, NULL) ||
	    dg_reload_state(cli->bpffs, keep, NULL))
		return named;
	return json_string_value(json_object_get(*keep, "config"));
}

/* ---- check ---------------------------------------------------------------------------------- */

json_t *dg_config_files_json(const struct dg_config *config)
{
	json_t *files = json_array();

	for (__u32 i = 0; i < config->file_count; i++)
		json_array_append_new(files, json_string(config->files[i]));
	return files;
}

/* Read are names that end in .yaml: an ending that is as good elsewhere is told, not left to be found out. */
static void ignored_tell(const char *path)
{
	char dir[DG_CONFIG_PATH_MAX];
	const struct dirent *entry;
	DIR *parts;

	if (dg_config_parts_dir(path, dir, sizeof(dir)))
		return;
	parts = opendir(dir);
	while (parts && (entry = readdir(parts))) {
		const char *ending = strrchr(entry->d_name, '.');

		if (entry->d_name[0] != '.' && ending && !strcmp(ending, ".yml"))
			fprintf(stderr, "dnsguard: %s/%s is not read: rename it to end in .yaml\n",
				dir, entry->d_name);
	}
	if (parts)
		closedir(parts);
}

int dg_config_check_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_free struct dg_config *config = malloc(sizeof(*config));
	json_t *keep dg_scoped(dg_json_drop) = NULL;
	const char *path = dg_config_path(cli, cli->args ? cli->arg[0] : NULL, &keep);
	char warning[DG_CONFIG_PATH_MAX + 128];
	int status;

	if (!config)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory");
	ignored_tell(path);
	status = dg_config_load(path, config, err);
	if (!status)
		status = dg_config_files_check(config, warning, sizeof(warning), err);
	if (status)
		return status;
	if (warning[0])
		fprintf(stderr, "dnsguard: %s\n", warning);
	if (cli->json)
		return dg_render(stdout,
				 json_pack("{s:i, s:b, s:o}", "schema", 1, "good", 1, "files",
					   dg_config_files_json(config)),
				 NULL, true);
	for (__u32 i = 0; i < config->file_count; i++)
		printf("%s is good\n", config->files[i]);
	if (!config->file_count)
		printf("%s is not there: everything is at its default\n", DG_CONFIG_PATH);
	return DG_EXIT_OK;
}

/* ---- what was set live ---------------------------------------------------------------------- */

static __u64 rate_of(const struct dg_settings *settings, enum dg_charge charge, int burst)
{
	__u64 per_sec, at_once;

	dg_rate_read(&settings->rate[charge][DG_IPV4], &per_sec, &at_once);
	return burst ? at_once : per_sec;
}

/* Takes what the guard has for a key that `limit set` may have changed. */
static void live_take(struct dg_config *config, enum dg_config_key_id id, __u64 *field, __u64 value)
{
	if (*field == value)
		return;
	*field = value;
	config->origin[id].column = 0; /* a place in a file has one */
	if (!config->origin[id].file)
		config->origin[id].line = 1;
}

static void live_values(const struct dg_settings *s, struct dg_config *c)
{
	live_take(c, DG_KEY_LIMIT_MODE, &c->limit_mode, s->limit_mode);
	live_take(c, DG_KEY_SLIP, &c->slip, s->slip);
	live_take(c, DG_KEY_SOURCE_MODE, &c->source_mode, s->source_mode);
	live_take(c, DG_KEY_ANSWER_MODE, &c->sinkhole_mode, s->sinkhole_mode);
	live_take(c, DG_KEY_SYN_MODE, &c->syn_mode, s->syn_mode);
	live_take(c, DG_KEY_TCP_PROTECT, &c->tcp_protect, s->protect.mode);
	live_take(c, DG_KEY_TCP_REAPER, &c->tcp_reaper, s->protect.reaper);
	live_take(c, DG_KEY_BUDGET, &c->budget, dg_budget_read(s));
	live_take(c, DG_KEY_LATENCY_SAMPLE, &c->latency_sample, dg_latency_sample(s));
	live_take(c, DG_KEY_RATE_LIMIT, &c->rate_limit, rate_of(s, DG_CHARGE_QUERY, 0));
	live_take(c, DG_KEY_INSTANT_LIMIT, &c->instant_limit, rate_of(s, DG_CHARGE_QUERY, 1));
	if (!rate_of(s, DG_CHARGE_SYN, 0)) /* none was ever set */
		return;
	live_take(c, DG_KEY_SYN_RATE_LIMIT, &c->syn_rate_limit, rate_of(s, DG_CHARGE_SYN, 0));
	live_take(c, DG_KEY_SYN_INSTANT_LIMIT, &c->syn_instant_limit, rate_of(s, DG_CHARGE_SYN, 1));
}

/* Without a guard the files are all there is; without the right to look at it that is said. */
static void live_look(const struct dg_cli *cli, struct dg_config *config)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	struct dg_settings settings;
	int failed = dg_maps_open(cli->bpffs, &maps, NULL);

	if (!failed && !dg_settings_read(&maps, &settings))
		live_values(&settings, config);
	if (failed == -EPERM)
		fputs("dnsguard: what was set live is not shown: for that, run it as root, with sudo\n",
		      stderr);
}

/* "live" where the guard has another value than the files: they win at the next reload. */
static char *source_text(const struct dg_config *config, unsigned int id, char *buf, size_t size)
{
	const struct dg_config_origin *from = &config->origin[id];
	char place[DG_CONFIG_PATH_MAX + 16];

	dg_config_origin_text(config, (enum dg_config_key_id)id, place, sizeof(place));
	if (!from->line || from->column)
		snprintf(buf, size, "%s", place);
	else if (!from->file)
		snprintf(buf, size, "live");
	else
		snprintf(buf, size, "live, until a reload takes %s", place);
	return buf;
}

/* ---- what the daemon's command line decides ------------------------------------------------- */

static int key_find(const char *path)
{
	for (int i = 0; i < DG_KEY_COUNT; i++)
		if (!strcmp(dg_config_keys[i].path, path))
			return i;
	return -1;
}

const __u64 *dg_running_mark(const json_t *state, __u64 key[4])
{
	const char *text = json_string_value(json_object_get(state, "mark_key"));

	return text && !dg_mark_key_read(text, key) ? key : NULL;
}

/* The values of one key out of the daemon's lines, as the file would have them. */
static void values_write(FILE *out, const char *lines, const char *path, int is_list)
{
	char head[96];
	size_t len = (size_t)snprintf(head, sizeof(head), is_list ? "%s[]: " : "%s: ", path);
	const char *between = "";

	for (const char *line = lines, *end; (end = strchr(line, '\n')); line = end + 1) {
		if (strncmp(line, head, len))
			continue;
		fprintf(out, is_list ? "%s%.*s" : "%s'%.*s'", between,
			(int)(end - line - (ptrdiff_t)len), line + len);
		between = ", ";
	}
}

/* Reads one key as the daemon runs with it, over what the files say. */
static void override_take(struct dg_config *config, const char *path, const char *lines)
{
	dg_scoped_free char *text = NULL;
	const int id = key_find(path);
	size_t size = 0;
	FILE *out = id < 0 ? NULL : open_memstream(&text, &size);
	int is_list;

	if (!out)
		return;
	is_list = dg_config_key_is_list(&dg_config_keys[id]);
	for (const char *at = path, *dot; (dot = strchr(at, '.')); at = dot + 1)
		fprintf(out, "{%.*s: ", (int)(dot - at), at);
	fprintf(out, "{%s: %s", strrchr(path, '.') ? strrchr(path, '.') + 1 : path,
		is_list ? "[" : "");
	values_write(out, lines, path, is_list);
	fputs(is_list ? "]}" : "}", out);
	for (const char *at = path; (at = strchr(at, '.')); at++)
		fputc('}', out);
	if (!fclose(out) && !dg_config_merge(config, "daemon", text, size, NULL)) {
		config->file_count--;
		dg_config_command(config, (enum dg_config_key_id)id);
	}
}

static void overrides_take(struct dg_config *config, const json_t *state)
{
	const char *lines = json_string_value(json_object_get(state, "lines"));
	size_t i;
	json_t *path;

	if (!lines)
		return;
	json_array_foreach(json_object_get(state, "overridden"), i, path) if (json_is_string(path))
		override_take(config, json_string_value(path), lines);
}

/* ---- show ----------------------------------------------------------------------------------- */

static json_t *scalar_json(const struct dg_config_key *key, const struct dg_config *config)
{
	const __u64 *number = (const void *)((const char *)config + key->offset);
	char text[DG_CONFIG_TEXT_MAX];

	if (key->type == DG_TYPE_BOOL)
		return json_boolean(*number);
	if (key->type == DG_TYPE_COUNT || key->type == DG_TYPE_PERCENT)
		return json_integer((json_int_t)*number);
	dg_config_value_text(key, config, text, sizeof(text));
	return text[0] ? json_string(text) : json_null();
}

static json_t *value_json(const struct dg_config_key *key, const struct dg_config *config)
{
	char text[DG_CONFIG_TEXT_MAX];
	json_t *list;

	if (!dg_config_key_is_list(key))
		return scalar_json(key, config);
	list = json_array();
	for (__u32 i = 0; i < dg_config_list_count(key, config); i++) {
		if (!dg_config_is_single(key, config, i))
			dg_config_element_text(key, config, i, text, sizeof(text));
		else
			dg_config_single_text(key, config, i, text, sizeof(text));
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *keys_json(const struct dg_config *config)
{
	char source[DG_CONFIG_PATH_MAX + 64];
	json_t *keys = json_array();

	for (unsigned int i = 0; i < DG_KEY_COUNT; i++)
		json_array_append_new(
			keys, json_pack("{s:s, s:o, s:s}", "key", dg_config_keys[i].path, "value",
					value_json(&dg_config_keys[i], config), "source",
					source_text(config, i, source, sizeof(source))));
	return keys;
}

static void show_text(const struct dg_config *config, int with_source)
{
	char value[16 * DG_CONFIG_TEXT_MAX], source[DG_CONFIG_PATH_MAX + 64], line[80];

	for (unsigned int i = 0; i < DG_KEY_COUNT; i++) {
		const struct dg_config_key *key = &dg_config_keys[i];

		if (dg_config_key_is_list(key))
			dg_config_list_text(key, config, value, sizeof(value));
		else
			dg_config_value_text(key, config, value, sizeof(value));
		snprintf(line, sizeof(line), "%s:", key->path);
		if (with_source)
			printf("%-28s %-24s # %s\n", line, value[0] ? value : "~",
			       source_text(config, i, source, sizeof(source)));
		else
			printf("%-28s %s\n", line, value[0] ? value : "~");
	}
}

int dg_config_show_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_free struct dg_config *config = malloc(sizeof(*config));
	json_t *keep dg_scoped(dg_json_drop) = NULL;
	const char *path = dg_config_path(cli, cli->args ? cli->arg[0] : NULL, &keep);
	int status = 0;

	if (cli->value[EFFECTIVE].given && cli->value[DEFAULTS].given)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "--effective and --defaults exclude each other");
	if (!config)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory");
	if (cli->value[DEFAULTS].given)
		dg_config_default(config);
	else
		status = dg_config_load(path, config, err);
	if (status)
		return status;
	if (!cli->value[DEFAULTS].given && !cli->args) {
		overrides_take(config, keep);
		live_look(cli, config);
	}
	if (cli->json)
		return dg_render(stdout,
				 json_pack("{s:i, s:o, s:o}", "schema", 1, "files",
					   dg_config_files_json(config), "keys", keys_json(config)),
				 NULL, true);
	show_text(config, !cli->value[DEFAULTS].given);
	return DG_EXIT_OK;
}
