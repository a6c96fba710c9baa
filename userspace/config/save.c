// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * save.c - writing values down: conf.d/50-cli.yaml, written anew from what it said and the changes.
 *
 * What is written is read back by the very parser before anybody sees it. Behind each value stands
 * who wrote it and when; other comments are not kept.
 */
#include "userspace/config/save.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NOTE_MAX 240

static const char head[] = "# Written by `dnsguard ... --save`. Values may be edited; comments are "
			   "written anew.\n";

/* What the file says, and what stands behind each of its values. */
struct saved {
	struct dg_config config;
	char note[DG_KEY_COUNT][NOTE_MAX];
};

/* The comment of a line, without its "# ". */
static void note_take(const char *text, __u32 line, char *ret)
{
	const char *end, *mark;

	while (--line && (text = strchr(text, '\n')))
		text++;
	if (!text)
		return;
	end = text + strcspn(text, "\n");
	mark = memmem(text, (size_t)(end - text), " # ", 3);
	if (mark)
		snprintf(ret, NOTE_MAX, "%.*s", (int)(end - mark - 3), mark + 3);
}

static int text_read(const char *path, char **ret, struct stat *ret_stat, struct dg_error *err)
{
	dg_scoped_file FILE *file = fopen(path, "re");
	size_t size = 0;
	ssize_t got;

	*ret = NULL;
	if (!file && errno == ENOENT)
		return 0;
	if (!file || fstat(fileno(file), ret_stat))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "%s: cannot read: %s", path,
			       strerror(errno));
	got = getdelim(ret, &size, '\0', file);
	if (got < 0) { /* empty */
		free(*ret);
		*ret = strdup("");
	}
	return *ret ? 0 : dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "%s: out of memory", path);
}

static int saved_read(const char *path, const char *text, struct saved *ret, struct dg_error *err)
{
	int failed;

	dg_config_default(&ret->config);
	failed = text ? dg_config_merge(&ret->config, path, text, strlen(text), err) : 0;
	for (unsigned int i = 0; !failed && i < DG_KEY_COUNT; i++) {
		const enum dg_config_type type = dg_config_keys[i].type;

		if (!dg_keys_has(&ret->config.given, i))
			continue;
		if (type == DG_TYPE_SECRET || type == DG_TYPE_URLS)
			return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
				       "%s:%u: %s holds a secret, which is not written back; move "
				       "it to another file of that directory",
				       path, ret->config.origin[i].line, dg_config_keys[i].path);
		note_take(text, ret->config.origin[i].line, ret->note[i]);
	}
	return failed;
}

static void note_make(struct saved *saved, enum dg_config_key_id id, const char *who)
{
	const time_t now = time(NULL);
	struct tm utc;
	char when[32];

	dg_keys_add(&saved->config.given, id);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%MZ", gmtime_r(&now, &utc));
	snprintf(saved->note[id], NOTE_MAX, "%s, %s", when, who);
}

static int change_apply(struct saved *saved, const struct dg_config_change *change, const char *who,
			struct dg_error *err)
{
	const struct dg_config_key *key = &dg_config_keys[change->id];
	struct dg_error reason = { 0 };

	if (dg_config_value_read(key, change->value, &saved->config, &reason))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "%s cannot be saved: %.900s", key->path,
			       reason.text);
	note_make(saved, change->id, who);
	return 0;
}

static int changes_apply(struct saved *saved, const struct dg_config_changes *changes,
			 struct dg_error *err)
{
	int failed = 0;

	for (unsigned int i = 0; !failed && i < changes->count; i++)
		failed = change_apply(saved, &changes->change[i], changes->who, err);
	if (failed || !changes->interfaces)
		return failed;
	saved->config.iface_count = changes->interfaces->iface_count;
	memcpy(saved->config.ifaces, changes->interfaces->ifaces, sizeof(saved->config.ifaces));
	note_make(saved, DG_KEY_INTERFACES, changes->who);
	return 0;
}

/* ---- writing -------------------------------------------------------------------------------- */

static void leaf_write(FILE *out, const struct saved *saved, unsigned int i, int depth)
{
	const struct dg_config_key *key = &dg_config_keys[i];
	const char *leaf = strrchr(key->path, '.');
	char *value dg_scoped_free = malloc(DG_CONFIG_BYTES_MAX);

	if (!value)
		return; /* what is missing is noticed when the text is read back */
	if (dg_config_key_is_list(key))
		dg_config_list_text(key, &saved->config, value, DG_CONFIG_BYTES_MAX);
	else
		dg_config_value_text(key, &saved->config, value, DG_CONFIG_BYTES_MAX);
	fprintf(out, "%*s%s: %s%s%s\n", 2 * depth, "", leaf ? leaf + 1 : key->path, value,
		saved->note[i][0] ? " # " : "", saved->note[i]);
}

/* The first given key that stands at this path or below. */
static unsigned int first_given(const struct dg_key_set *given, const char *path, size_t len)
{
	unsigned int i = 0;

	while (!dg_keys_has(given, i) || strncmp(dg_config_keys[i].path, path, len) ||
	       (dg_config_keys[i].path[len] && dg_config_keys[i].path[len] != '.'))
		i++;
	return i;
}

/* Each section once, wherever its rows stand in the table. */
static void below_write(FILE *out, const struct saved *saved, const char *prefix, size_t len,
			int depth)
{
	const struct dg_key_set *given = &saved->config.given;

	for (unsigned int i = 0; i < DG_KEY_COUNT; i++) {
		const char *path = dg_config_keys[i].path;
		size_t child = strncmp(path, prefix, len) ? 0 : strcspn(path + len, ".") + len;

		if (!child || !dg_keys_has(given, i) || first_given(given, path, child) != i)
			continue;
		if (!path[child]) {
			leaf_write(out, saved, i, depth);
			continue;
		}
		fprintf(out, "%*s%.*s:\n", 2 * depth, "", (int)(child - len), path + len);
		below_write(out, saved, path, child + 1, depth + 1);
	}
}

static char *saved_text(const struct saved *saved)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs(head, out);
	below_write(out, saved, "", 0, 0);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* Read back, it must say the same: a value that is cut or misquoted never reaches the file. */
static int text_check(const char *path, const char *text, const struct saved *saved,
		      struct dg_error *err)
{
	struct dg_config *back dg_scoped_free = malloc(sizeof(*back));
	char *want dg_scoped_free = dg_config_lines(&saved->config);
	char *got dg_scoped_free = NULL;

	if (!back || !want)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "%s: out of memory", path);
	if (dg_config_parse(path, text, strlen(text), back, err))
		return -EINVAL;
	got = dg_config_lines(back);
	if (!got || strcmp(want, got) ||
	    memcmp(&back->given, &saved->config.given, sizeof(back->given)))
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
			       "%s: holds a value that cannot be written back; set it in another "
			       "file of that directory",
			       path);
	return 0;
}

static int file_begin(const char *path, const char *text, const struct stat *old,
		      struct dg_state_file *ret, struct dg_error *err)
{
	int failed = dg_state_begin(path, old->st_mode ? old->st_mode & 07777 : 0644, ret, err);

	if (failed)
		return failed;
	if (old->st_mode && fchown(fileno(ret->file), old->st_uid, old->st_gid))
		failed = dg_fail(err, -errno, DG_EXIT_FAILED, "%s: cannot keep its owner: %s", path,
				 strerror(errno));
	if (!failed && fputs(text, ret->file) < 0)
		failed = dg_fail(err, -EIO, DG_EXIT_FAILED, "%s: cannot write", path);
	if (!failed)
		failed = dg_state_flush(
			ret, err); /* a full disk is found out before anything is changed */
	if (failed)
		dg_state_abandon(ret);
	return failed;
}

int dg_config_save_begin(const char *path, const struct dg_config_changes *changes,
			 struct dg_state_file *ret, struct dg_error *err)
{
	struct saved *saved dg_scoped_free = calloc(1, sizeof(*saved));
	char *old dg_scoped_free = NULL, *text dg_scoped_free = NULL;
	char dir[DG_CONFIG_PATH_MAX], file[DG_CONFIG_PATH_MAX + 16];
	struct stat st = { 0 };
	int failed;

	if (!saved || dg_config_parts_dir(path, dir, sizeof(dir)))
		return dg_fail(err, -ENAMETOOLONG, DG_EXIT_FAILED, "%s: too long a path",
			       path ? path : DG_CONFIG_PATH);
	snprintf(file, sizeof(file), "%s/" DG_CONFIG_CLI_FILE, dir);
	failed = text_read(file, &old, &st, err);
	if (!failed)
		failed = saved_read(file, old, saved, err);
	if (!failed)
		failed = changes_apply(saved, changes, err);
	if (failed)
		return failed;
	text = saved_text(saved);
	if (!text)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "%s: out of memory", file);
	failed = text_check(file, text, saved, err);
	if (!failed)
		failed = dg_state_dir_make(dir, err);
	return failed ? failed : file_begin(file, text, &st, ret, err);
}
