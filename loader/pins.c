// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pins.c - the names in the bpf filesystem: <bpffs>/dnsguard/<map>, progs/ingress, links/<ifname>.
 *
 * The set of maps appears whole or not at all: it is pinned in a directory beside and renamed into place, so not even
 * a crash in between leaves half a guard. Names there must not hold a dot (the kernel reserves them).
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "loader/internal.h"

#define DIR_MODE 0700

static bool is_self_or_parent(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

int dg_device_path(const char *bpffs, const char *head, const char *ifname, struct dg_path *ret)
{
	char name[16 + 3 * 16];
	size_t len = (size_t)snprintf(name, 16, "%s", head);

	for (const char *at = ifname; *at && len < sizeof(name) - 4; at++)
		len += (size_t)sprintf(
			name + len, *at == '.' || *at == '%' || *at == '/' ? "%%%02x" : "%c", *at);
	return dg_pin_path(bpffs, name, ret);
}

int dg_link_path(const char *bpffs, const char *ifname, struct dg_path *ret)
{
	return dg_device_path(bpffs, "links/", ifname, ret);
}

int dg_before_path(const char *bpffs, const char *ifname, struct dg_path *ret)
{
	return dg_device_path(bpffs, "progs/before-", ifname, ret);
}

void dg_link_name(const char *pin, char *ret, size_t size)
{
	size_t len = 0;

	while (*pin && len + 1 < size) {
		unsigned int letter = (__u8)*pin;
		bool escaped = *pin == '%' && sscanf(pin + 1, "%2x", &letter) == 1;

		ret[len++] = (char)letter;
		pin += escaped ? 3 : 1;
	}
	ret[len] = '\0';
}

/* Removes a directory and everything in it, two floors deep (links/, progs/). */
static int tree_remove(const char *path, int floors)
{
	dg_scoped(dg_close_dir) DIR *dir = opendir(path);
	const struct dirent *entry;
	char child[4096 + 256 + 2];

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		if (is_self_or_parent(entry->d_name))
			continue;
		snprintf(child, sizeof(child), "%.4095s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR && floors)
			tree_remove(child, floors - 1);
		else
			unlink(child);
	}
	return rmdir(path) ? -errno : 0;
}

int dg_pins_remove(const char *bpffs)
{
	struct dg_path path;
	int status = dg_pin_path(bpffs, NULL, &path);

	return status ? status : tree_remove(path.text, 1);
}

static int maps_pin_below(const char *dir, const struct dg_maps *maps)
{
	const int *fds = (const int *)maps;
	char path[4096 + 32];

	for (size_t i = 0; i < DG_MAP_COUNT; i++) {
		snprintf(path, sizeof(path), "%.4095s/%s", dir, dg_map_names[i]);
		if (bpf_obj_pin(fds[i], path))
			return -errno;
	}
	return 0;
}

/* The directory with its rooms and maps, under a name of its own. */
static int tree_make(const char *dir, const struct dg_maps *maps)
{
	char path[4096 + 32];

	if (mkdir(dir, DIR_MODE))
		return -errno;
	snprintf(path, sizeof(path), "%.4095s/links", dir);
	if (mkdir(path, DIR_MODE))
		return -errno;
	snprintf(path, sizeof(path), "%.4095s/progs", dir);
	if (mkdir(path, DIR_MODE))
		return -errno;
	return maps_pin_below(dir, maps);
}

int dg_maps_pin(const char *bpffs, const struct dg_maps *maps, struct dg_error *err)
{
	struct dg_path path;
	char fresh[4096 + 32];
	int status = dg_pin_path(bpffs, NULL, &path);

	if (status)
		return dg_fail(err, status, DG_EXIT_USAGE, "\"%.64s...\" is too long a directory",
			       bpffs);
	snprintf(fresh, sizeof(fresh), "%s-new", path.text);
	tree_remove(fresh, 1); /* of one that crashed; we hold the lock */
	status = tree_make(fresh, maps);
	if (!status && rename(fresh, path.text))
		status = -errno;
	if (!status)
		return 0;
	tree_remove(fresh, 1);
	return dg_fail(err, status, DG_EXIT_FAILED, "cannot pin the maps under %s: %s", path.text,
		       strerror(-status));
}

/* ---- another layout takes the place --------------------------------------------------------- */

/* A second name for everything in one room. */
static int room_carry(const char *from, const char *to, const char *room)
{
	char old[4096 + 300], new[4096 + 300];
	dg_scoped(dg_close_dir) DIR *dir = NULL;
	const struct dirent *entry;

	snprintf(old, sizeof(old), "%.4095s/%s", from, room);
	dir = opendir(old);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		if (is_self_or_parent(entry->d_name))
			continue;
		snprintf(old, sizeof(old), "%.4000s/%s/%s", from, room, entry->d_name);
		snprintf(new, sizeof(new), "%.4000s/%s/%s", to, room, entry->d_name);
		if (link(old, new))
			return -errno;
	}
	return 0;
}

int dg_maps_renew(const char *bpffs, const struct dg_maps *maps, struct dg_error *err)
{
	struct dg_path path;
	char fresh[4096 + 32];
	int status = dg_pin_path(bpffs, NULL, &path);

	if (status)
		return dg_fail(err, status, DG_EXIT_USAGE, "\"%.64s...\" is too long a directory",
			       bpffs);
	snprintf(fresh, sizeof(fresh), "%s-new", path.text);
	tree_remove(fresh,
		    1); /* of one that crashed: whatever filters is pinned in the other tree, too */
	status = tree_make(fresh, maps);
	if (!status)
		status = room_carry(path.text, fresh, "links");
	if (!status)
		status = room_carry(path.text, fresh, "progs");
	if (!status && renameat2(AT_FDCWD, fresh, AT_FDCWD, path.text, RENAME_EXCHANGE))
		status = -errno;
	if (!status)
		return 0;
	tree_remove(fresh, 1);
	return dg_fail(err, status, DG_EXIT_FAILED, "cannot replace the maps under %s: %s",
		       path.text, strerror(-status));
}

void dg_maps_renewed(const char *bpffs, bool good)
{
	struct dg_path path;
	char old[4096 + 32];

	if (dg_pin_path(bpffs, NULL, &path))
		return;
	snprintf(old, sizeof(old), "%s-new", path.text);
	if (good || !renameat2(AT_FDCWD, old, AT_FDCWD, path.text, RENAME_EXCHANGE))
		tree_remove(old, 1);
}

/* rename(2) replaces the older pin in one step: there is always one to find. */
int dg_program_pin(const char *bpffs, int prog_fd)
{
	struct dg_path path, fresh;
	int status = dg_pin_path(bpffs, "progs/ingress", &path);

	if (!status)
		status = dg_pin_path(bpffs, "progs/ingress-new", &fresh);
	if (status)
		return status;
	unlink(fresh.text);
	if (bpf_obj_pin(prog_fd, fresh.text))
		return -errno;
	return rename(fresh.text, path.text) ? -errno : 0;
}

int dg_links_each(const char *bpffs, int (*visit)(const char *ifname, void *arg), void *arg)
{
	dg_scoped(dg_close_dir) DIR *dir = NULL;
	const struct dirent *entry;
	struct dg_path path;
	char ifname[16];
	int status = dg_pin_path(bpffs, "links", &path);

	if (status)
		return status;
	dir = opendir(path.text);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!status && (entry = readdir(dir))) {
		if (is_self_or_parent(entry->d_name))
			continue;
		dg_link_name(entry->d_name, ifname, sizeof(ifname));
		status = visit(ifname, arg);
	}
	return status;
}

static int count_visit(const char *ifname, void *arg)
{
	(void)ifname;
	(*(int *)arg)++;
	return 0;
}

int dg_links_count(const char *bpffs)
{
	int count = 0, status = dg_links_each(bpffs, count_visit, &count);

	return status ? status : count;
}
