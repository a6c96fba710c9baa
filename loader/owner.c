// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * owner.c - who holds a device's XDP hook when it is not us: the program's name and id, the process behind it, and the
 * command that frees the hook.
 *
 * Looks only: into the kernel's program table and into /proc/PID/fdinfo. What cannot be found is left out.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>

#include "loader/internal.h"

#define OUR_PROGRAM "dnsguard_ingres" /* BPF_OBJ_NAME_LEN cuts it */

struct owner {
	__u32 prog_id;
	char prog_name[BPF_OBJ_NAME_LEN];
	bool generic;
	bool by_link; /* a bpf_link holds it: `ip link set xdp off` will not do */
	long pid;     /* 0 = nobody found */
	char comm[32];
};

static void program_name_read(struct owner *owner)
{
	dg_scoped_fd int fd = bpf_prog_get_fd_by_id(owner->prog_id);
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
		memcpy(owner->prog_name, info.name, sizeof(owner->prog_name));
}

/* Does this fdinfo file describe the program or a link to it? */
static bool fdinfo_matches(const char *path, struct owner *owner)
{
	dg_scoped_file FILE *file = fopen(path, "re");
	char line[128];
	bool link = false, match = false;

	while (file && fgets(line, sizeof(line), file)) {
		unsigned int id;

		link |= !strncmp(line, "link_type:", 10);
		match |= sscanf(line, "prog_id: %u", &id) == 1 && id == owner->prog_id;
	}
	owner->by_link |= match && link;
	return match;
}

static bool process_holds(long pid, struct owner *owner)
{
	char path[512];
	dg_scoped(dg_close_dir) DIR *dir = NULL;
	const struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%ld/fdinfo", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%ld/fdinfo/%.32s", pid, entry->d_name);
		if (entry->d_name[0] != '.' && fdinfo_matches(path, owner))
			return true;
	}
	return false;
}

static void process_find(struct owner *owner)
{
	dg_scoped(dg_close_dir) DIR *proc = opendir("/proc");
	dg_scoped_file FILE *file = NULL;
	const struct dirent *entry;
	char path[64];

	while (proc && !owner->pid && (entry = readdir(proc))) {
		long pid = strtol(entry->d_name, NULL, 10);

		if (pid > 0 && pid != getpid() && process_holds(pid, owner))
			owner->pid = pid;
	}
	snprintf(path, sizeof(path), "/proc/%ld/comm", owner->pid);
	file = owner->pid ? fopen(path, "re") : NULL;
	if (file && fgets(owner->comm, sizeof(owner->comm), file))
		owner->comm[strcspn(owner->comm, "\n")] = '\0';
}

/* A pinned link has no process; the kernel's table of links has it all the same. */
static void link_find(struct owner *owner)
{
	__u32 id = 0;

	while (!owner->by_link && !bpf_link_get_next_id(id, &id)) {
		dg_scoped_fd int fd = bpf_link_get_fd_by_id(id);
		struct bpf_link_info info = { 0 };
		__u32 len = sizeof(info);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
			owner->by_link = info.prog_id == owner->prog_id;
	}
}

static void owner_read(__u32 ifindex, struct owner *ret)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query((int)ifindex, 0, &query))
		return;
	ret->prog_id = query.prog_id ? query.prog_id : query.drv_prog_id;
	ret->prog_id = ret->prog_id ? ret->prog_id : query.skb_prog_id;
	ret->generic = query.attach_mode == XDP_ATTACHED_SKB;
	program_name_read(ret);
	process_find(ret);
	link_find(ret);
}

/* What frees the hook, as a command where there is one. */
static void remedy_write(const struct owner *owner, const char *ifname, char *buf, size_t size)
{
	if (!strcmp(owner->prog_name, OUR_PROGRAM))
		snprintf(
			buf, size,
			"it is dnsguard's own: a trial (dnsguard attach %s --confirm keeps it), or a guard "
			"under another --bpffs",
			ifname);
	else if (owner->by_link && owner->pid)
		snprintf(buf, size, "stop that process first: kill %ld", owner->pid);
	else if (owner->by_link)
		snprintf(
			buf, size,
			"it is a pinned link: bpftool -f link show lists where, removing the pin frees it");
	else
		snprintf(buf, size, "to free it: ip link set dev %s %s off", ifname,
			 owner->generic ? "xdpgeneric" : "xdp");
}

int dg_owner_refuse(const char *ifname, __u32 ifindex, struct dg_error *err)
{
	struct owner owner = { 0 };
	char held[96] = "", remedy[256];

	owner_read(ifindex, &owner);
	if (!owner.prog_id)
		return dg_fail(
			err, -EBUSY, DG_EXIT_FAILED,
			"%s already has an XDP program: see it with: bpftool net show dev %s",
			ifname, ifname);
	if (owner.pid)
		snprintf(held, sizeof(held), ", held by %s (process %ld)", owner.comm, owner.pid);
	remedy_write(&owner, ifname, remedy, sizeof(remedy));
	return dg_fail(err, -EBUSY, DG_EXIT_FAILED,
		       "%s already has the XDP program \"%s\" (id %u)%s; %s", ifname,
		       owner.prog_name[0] ? owner.prog_name : "?", owner.prog_id, held, remedy);
}
