// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * owner.c - the process behind a listening socket, by the socket's inode, and which resolver it is.
 *
 * Of several processes that share the socket the first in /proc is as good as any: they are one resolver.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "userspace/lib/scope.h"
#include "userspace/tcp/quota.h"

static const struct {
	const char *program;
	enum dg_resolver resolver;
} known[] = {
	{ "named", DG_RESOLVER_BIND },
	{ "unbound", DG_RESOLVER_UNBOUND },
	{ "pdns_recursor", DG_RESOLVER_RECURSOR },
	{ "dnsdist", DG_RESOLVER_DNSDIST },
	{ "kresd", DG_RESOLVER_KNOT },
};

static void dir_close(DIR **dir)
{
	if (*dir)
		closedir(*dir);
	*dir = NULL;
}

static void resolver_set(struct dg_tcp_owner *owner)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(owner->program, known[i].program))
			owner->resolver = known[i].resolver;
}

/* The name of its executable file; of one that was replaced while it runs as well. */
static void program_read(struct dg_tcp_owner *owner)
{
	char path[64], to[512];
	const char *base;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/exe", owner->pid);
	len = readlink(path, to, sizeof(to) - 1);
	if (len <= 0)
		return;
	to[len] = '\0';
	base = strrchr(to, '/');
	base = base ? base + 1 : to;
	snprintf(owner->program, sizeof(owner->program), "%.*s",
		 (int)(strstr(base, " (deleted)") ? strcspn(base, " ") : strlen(base)), base);
}

/* What a process calls itself is for everybody to read, in our own PID namespace. */
static bool is_called(pid_t pid, const char *name)
{
	dg_scoped_file FILE *file = NULL;
	char path[64], line[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return !strcmp(line, name);
}

int dg_tcp_owner_name(pid_t pid, const char *name, struct dg_tcp_owner *ret)
{
	*ret = (struct dg_tcp_owner){ 0 };
	if (!is_called(pid, name))
		return -ENOENT;
	ret->pid = pid;
	snprintf(ret->program, sizeof(ret->program), "%s", name);
	program_read(ret);
	resolver_set(ret);
	return 0;
}

static struct dg_tcp_sought *sought_find(struct dg_tcp_sought *sought, unsigned int count,
					 __u32 inode)
{
	for (unsigned int i = 0; i < count; i++)
		if (sought[i].inode == inode)
			return &sought[i];
	return NULL;
}

/* The inode of the socket that a descriptor leads to, "socket:[inode]"; 0 = it is none. */
static __u32 socket_of(const char *pid, const char *fd)
{
	char path[64], to[64];
	unsigned int inode = 0;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%.20s/fd/%.20s", pid, fd);
	len = readlink(path, to, sizeof(to) - 1);
	to[len > 0 ? len : 0] = '\0';
	return sscanf(to, "socket:[%u]", &inode) == 1 ? inode : 0;
}

/* Returns how many this process has. */
static unsigned int process_look(const char *pid, struct dg_tcp_sought *sought, unsigned int count)
{
	dg_scoped(dir_close) DIR *dir = NULL;
	const struct dirent *entry;
	unsigned int found = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		__u32 inode = socket_of(pid, entry->d_name);
		struct dg_tcp_sought *one = inode ? sought_find(sought, count, inode) : NULL;

		if (!one || one->owner.pid)
			continue;
		one->owner.pid = atoi(pid);
		program_read(&one->owner);
		resolver_set(&one->owner);
		found++;
	}
	return found;
}

unsigned int dg_tcp_owners_find(struct dg_tcp_sought *sought, unsigned int count)
{
	dg_scoped(dir_close) DIR *dir = opendir("/proc");
	const struct dirent *entry;
	unsigned int left = count;

	for (unsigned int i = 0; i < count; i++)
		sought[i].owner = (struct dg_tcp_owner){ 0 };
	while (left && dir && (entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			left -= process_look(entry->d_name, sought, count);
	return left;
}
