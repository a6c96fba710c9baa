// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load.c - the files a configuration consists of: the main one, those of conf.d beside it, and those
 * with secrets that they may name.
 *
 * Opens files, merges them in order, and looks for what they contradict each other in. Knows
 * nothing of YAML.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "userspace/config/config.h"

/* A regular file as a whole, NUL-terminated. */
static int slurp(const char *path, char **ret, struct stat *ret_stat, struct dg_error *err)
{
	int fd dg_scoped_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text dg_scoped_free = NULL;
	ssize_t got;

	if (fd < 0 || fstat(fd, ret_stat))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "%s: cannot read: %s%s", path,
			       strerror(errno),
			       errno != EACCES ? "" :
			       geteuid()       ? "; run it as root, with sudo" :
						 "; the daemon reads what root owns: chown root it");
	if (!S_ISREG(ret_stat->st_mode))
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "%s: %s, a plain file is wanted", path,
			       S_ISDIR(ret_stat->st_mode) ? "a directory" : "no plain file");
	if (ret_stat->st_size > DG_CONFIG_BYTES_MAX)
		return dg_fail(err, -EFBIG, DG_EXIT_FAILED, "%s: %lld octets; at most %d are read",
			       path, (long long)ret_stat->st_size, DG_CONFIG_BYTES_MAX);
	text = calloc(1, DG_CONFIG_BYTES_MAX + 1);
	if (!text)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "%s: out of memory", path);
	got = read(fd, text, DG_CONFIG_BYTES_MAX);
	if (got < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "%s: cannot read: %s", path,
			       strerror(errno));
	ret_stat->st_size = got;
	*ret = dg_take_ptr(text);
	return 0;
}

static int merge_file(struct dg_config *config, const char *path, struct dg_error *err)
{
	char *text dg_scoped_free = NULL;
	struct stat st;
	int failed = slurp(path, &text, &st, err);

	return failed ? failed : dg_config_merge(config, path, text, (size_t)st.st_size, err);
}

/* What an editor or a package manager leaves behind has another ending, or a dot in front. */
static int is_part(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && len > 5 && !strcmp(entry->d_name + len - 5, ".yaml");
}

/* By octets: the locale must not decide which file wins. */
static int by_octets(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int merge_parts(struct dg_config *config, const char *dir, struct dg_error *err)
{
	struct dirent **entries = NULL;
	char path[DG_CONFIG_PATH_MAX];
	int failed = 0, count = scandir(dir, &entries, is_part, by_octets);

	if (count < 0)
		return errno == ENOENT ?
			       0 :
			       dg_fail(err, -errno, DG_EXIT_FAILED,
				       "%s: cannot read the directory: %s", dir, strerror(errno));
	for (int i = 0; i < count; i++) {
		int len = snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);

		if (!failed && len >= (int)sizeof(path))
			failed = dg_fail(err, -ENAMETOOLONG, DG_EXIT_FAILED,
					 "%s: a name in it is too long", dir);
		if (!failed)
			failed = merge_file(config, path, err);
		free(entries[i]);
	}
	free(entries);
	return failed;
}

int dg_config_parts_dir(const char *path, char *ret, size_t size)
{
	const char *main_file = path ? path : DG_CONFIG_PATH, *slash = strrchr(main_file, '/');
	int dir_len = slash ? (int)(slash - main_file + 1) : 0;

	return snprintf(ret, size, "%.*sconf.d", dir_len, main_file) < (int)size ? 0 :
										   -ENAMETOOLONG;
}

/* ---- secrets that stand in files of their own ------------------------------------------------ */

/* A row that names a file with a secret, for errors. */
struct secret_place {
	const struct dg_config *config;
	enum dg_config_key_id id; /* of the row */
	const char *below;	  /* "" or ".password-file" */
};

static int fail_secret(const struct secret_place *at, const char *text, struct dg_error *err)
{
	const struct dg_config_origin *from = &at->config->origin[at->id];

	return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "%s:%u:%u: %s%s: %.500s",
		       at->config->files[from->file - 1], from->line, from->column,
		       dg_config_keys[at->id].path, at->below, text);
}

/* The first line of a file that nobody but its owner may read; allocated. */
static int slurp_secret(const struct secret_place *at, const char *path, char **ret,
			struct dg_error *err)
{
	char *text dg_scoped_free = NULL;
	struct dg_error reason = { 0 };
	char fault[2 * DG_CONFIG_PATH_MAX + 64];
	struct stat st;

	if (slurp(path, &text, &st, &reason))
		return fail_secret(at, reason.text, err);
	if (st.st_mode & 077) {
		snprintf(fault, sizeof(fault), "%s is open to others; run: chmod 600 %s", path,
			 path);
		return fail_secret(at, fault, err);
	}
	text[strcspn(text, " \t\r\n")] = '\0';
	*ret = dg_take_ptr(text);
	return 0;
}

static int load_cookie(struct dg_config *config, struct dg_error *err)
{
	const struct secret_place at = { config, DG_KEY_COOKIE_FILE, "" };
	struct dg_error reason = { 0 };
	char *text dg_scoped_free = NULL;
	int failed = slurp_secret(&at, config->cookie_file, &text, err);

	if (failed)
		return failed;
	if (dg_config_value_read(&dg_config_keys[DG_KEY_COOKIE_SECRET], text, config, &reason))
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "%s: %.500s", config->cookie_file,
			       reason.text);
	return 0;
}

/* Goes into a header or is a URL: printable and not too long. The text itself is never told. */
static int url_secret_take(const struct secret_place *at, const char *path, const char *text,
			   struct dg_config_url *url, struct dg_error *err)
{
	const size_t len = strlen(text);
	struct dg_error reason = { 0 };
	struct dg_config_url as = { .url = "" };
	char fault[DG_CONFIG_PATH_MAX + 128] = "";

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x21 || text[i] == 0x7f)
			snprintf(fault, sizeof(fault), "%s: control characters in its first line",
				 path);
	if (!len)
		snprintf(fault, sizeof(fault), "%s: its first line is empty", path);
	else if (len >= sizeof(url->secret))
		snprintf(fault, sizeof(fault), "%s: its first line has more than %zu octets", path,
			 sizeof(url->secret) - 1);
	else if (path == url->url_file &&
		 dg_config_value_read(&dg_config_url_keys[0], text, &as, &reason))
		snprintf(fault, sizeof(fault), "%s: %.100s", path, reason.text);
	if (fault[0])
		return fail_secret(at, fault, err);
	memcpy(url->secret, text, len + 1);
	return 0;
}

static int load_url(struct dg_config *config, enum dg_config_key_id id, struct dg_config_url *url,
		    struct dg_error *err)
{
	const struct {
		const char *path, *below;
	} files[] = {
		{ url->url_file, ".url-file" },
		{ url->password_file, ".password-file" },
		{ url->token_file, ".token-file" },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		const struct secret_place at = { config, id, files[i].below };
		char *text dg_scoped_free = NULL;

		if (files[i].path[0] && (slurp_secret(&at, files[i].path, &text, err) ||
					 url_secret_take(&at, files[i].path, text, url, err)))
			return -EINVAL;
	}
	return 0;
}

static int load_secrets(struct dg_config *config, struct dg_error *err)
{
	if (config->cookie_file[0] && load_cookie(config, err))
		return -EINVAL;
	for (__u32 i = 0; i < config->alertmanagers.count; i++)
		if (load_url(config, DG_KEY_ALERTS_ALERTMANAGER, &config->alertmanagers.url[i],
			     err))
			return -EINVAL;
	for (__u32 i = 0; i < config->webhooks.count; i++)
		if (load_url(config, DG_KEY_ALERTS_WEBHOOK, &config->webhooks.url[i], err))
			return -EINVAL;
	return 0;
}

static int load_files(const char *path, struct dg_config *config, struct dg_error *err)
{
	char dir[DG_CONFIG_PATH_MAX];
	int failed = merge_file(config, path ? path : DG_CONFIG_PATH, err);

	if (failed && (failed != -ENOENT || path))
		return failed;
	if (dg_config_parts_dir(path, dir, sizeof(dir)))
		return dg_fail(err, -ENAMETOOLONG, DG_EXIT_FAILED, "%s: too long a path", path);
	failed = merge_parts(config, dir, err);
	if (!failed)
		failed = dg_config_check(config, err);
	return failed ? failed : load_secrets(config, err);
}

int dg_config_load(const char *path, struct dg_config *ret, struct dg_error *err)
{
	struct dg_config *config dg_scoped_free = malloc(sizeof(*config));
	int failed;

	if (!config)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory");
	dg_config_default(config);
	failed = load_files(path, config, err);
	if (!failed)
		*ret = *config;
	return failed;
}

/* ---- contradictions -------------------------------------------------------------------------- */

/* What two keys say together cannot be: named at the one that stands later, with the other's place. */
static int fail_pair(const struct dg_config *config, const enum dg_config_key_id pair[2],
		     const char *const what[2], struct dg_error *err)
{
	const struct dg_config_origin *a = &config->origin[pair[0]], *b = &config->origin[pair[1]];
	const int b_is_later = b->file > a->file || (b->file == a->file && b->line >= a->line);
	const enum dg_config_key_id last = pair[b_is_later], first = pair[!b_is_later];
	const struct dg_config_origin *at = &config->origin[last];
	char other[DG_CONFIG_PATH_MAX + 16];

	return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "%s:%u:%u: %s: %s %s (%s)",
		       config->files[at->file - 1], at->line, at->column, dg_config_keys[last].path,
		       what[b_is_later], dg_config_keys[first].path,
		       dg_config_origin_text(config, first, other, sizeof(other)));
}

/* Numbers of which the first must be the smaller one; two defaults never contradict each other. */
static const struct {
	enum dg_config_key_id pair[2];
	size_t offset[2];
} ascending[] = {
	{ { DG_KEY_TCP_WARNING_AT, DG_KEY_TCP_CRITICAL_AT },
	  { offsetof(struct dg_config, tcp_warning_at),
	    offsetof(struct dg_config, tcp_critical_at) } },
	{ { DG_KEY_TCP_CLEAR_BELOW, DG_KEY_TCP_WARNING_AT },
	  { offsetof(struct dg_config, tcp_clear_below),
	    offsetof(struct dg_config, tcp_warning_at) } },
};

static __u64 number(const struct dg_config *config, size_t offset)
{
	return *(const __u64 *)((const char *)config + offset);
}

/* A device that is told not to observe, where all are. */
static int check_observe(const struct dg_config *config, struct dg_error *err)
{
	static const enum dg_config_key_id pair[] = { DG_KEY_INTERFACES, DG_KEY_MODE };
	static const char *const what[] = {
		"\"observe: false\" of a device contradicts",
		"\"observe\" contradicts \"observe: false\" of a device in"
	};

	for (__u32 i = 0; i < config->iface_count; i++)
		if (config->mode == DG_OBSERVE && config->ifaces[i].observe_given &&
		    !config->ifaces[i].observe)
			return fail_pair(config, pair, what, err);
	return 0;
}

int dg_config_check(const struct dg_config *config, struct dg_error *err)
{
	static const enum dg_config_key_id secrets[] = { DG_KEY_COOKIE_SECRET, DG_KEY_COOKIE_FILE };
	static const char *const both[] = { "excludes", "excludes" };
	static const char *const order[] = { "must be less than", "must be more than" };

	/* A secret without a place was read out of the file. */
	if (dg_config_given(config, DG_KEY_COOKIE_SECRET) && config->cookie_secret_set &&
	    config->cookie_file[0])
		return fail_pair(config, secrets, both, err);
	if (check_observe(config, err))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(ascending) / sizeof(ascending[0]); i++) {
		const enum dg_config_key_id *pair = ascending[i].pair;

		if (number(config, ascending[i].offset[0]) < number(config, ascending[i].offset[1]))
			continue;
		return fail_pair(config, pair, order, err);
	}
	return 0;
}
