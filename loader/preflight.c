// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * preflight.c - may we at all? Kernel, capabilities and bpf filesystem, asked before anything is touched.
 *
 * Each refusal is one sentence with the command that mends it.
 */
#include <cap-ng.h>
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "loader/internal.h"

#define KERNEL_MAJOR_MIN 6
#define KERNEL_MINOR_MIN 1

static int kernel_check(struct dg_error *err)
{
	struct utsname name;
	unsigned int major = 0, minor = 0;

	uname(&name);
	if (sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return 0; /* an unusual version: the load itself will tell */
	if (major > KERNEL_MAJOR_MIN || (major == KERNEL_MAJOR_MIN && minor >= KERNEL_MINOR_MIN))
		return 0;
	return dg_fail(
		err, -EOPNOTSUPP, DG_EXIT_FAILED,
		"Linux %s is too old, %d.%d or later is needed: apt install linux-image-amd64, then reboot",
		name.release, KERNEL_MAJOR_MIN, KERNEL_MINOR_MIN);
}

char *dg_missing_caps(char *buf, size_t size)
{
	static const struct {
		unsigned int cap;
		bool admin_will_do; /* CAP_SYS_ADMIN includes it */
		const char *name;
	} needed[] = {
		{ CAP_BPF, true, "CAP_BPF" },
		{ CAP_NET_ADMIN, false, "CAP_NET_ADMIN" },
		{ CAP_PERFMON, true, "CAP_PERFMON" },
	};

	buf[0] = '\0';
	capng_get_caps_process();
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (capng_have_capability(CAPNG_EFFECTIVE, needed[i].cap) ||
		    (needed[i].admin_will_do &&
		     capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN)))
			continue;
		snprintf(buf + strlen(buf), size - strlen(buf), "%s%s", buf[0] ? ", " : "",
			 needed[i].name);
	}
	return buf;
}

int dg_load_forbidden(struct dg_error *err)
{
	char missing[64];

	if (dg_missing_caps(missing, sizeof(missing))[0])
		return dg_fail(err, -EPERM, DG_EXIT_FAILED,
			       "this process lacks %s: run it as root, with sudo", missing);
	return dg_bpf_forbidden(err);
}

static int caps_check(struct dg_error *err)
{
	char missing[64];

	if (!dg_missing_caps(missing, sizeof(missing))[0])
		return 0;
	return dg_fail(err, -EPERM, DG_EXIT_FAILED,
		       "this process lacks %s: run it as root, with sudo", missing);
}

static int bpffs_check(const char *bpffs, struct dg_error *err)
{
	struct statfs fs;

	if (statfs(bpffs, &fs)) {
		if (errno == ENOENT)
			return dg_fail(err, -ENOENT, DG_EXIT_FAILED,
				       "%s does not exist: mkdir -p %s && mount -t bpf bpf %s",
				       bpffs, bpffs, bpffs);
		return dg_fail(err, -errno, DG_EXIT_FAILED,
			       "cannot look at %s: %s; run it as root, with sudo", bpffs,
			       strerror(errno));
	}
	if ((__u32)fs.f_type == (__u32)BPF_FS_MAGIC)
		return 0;
	if (!strcmp(bpffs, DG_BPFFS_DEFAULT))
		return dg_fail(err, -ENOENT, DG_EXIT_FAILED,
			       "%s is not on a bpf filesystem: mount -t bpf bpf %s", bpffs, bpffs);
	return dg_fail(err, -ENOENT, DG_EXIT_FAILED,
		       "%s is not on a bpf filesystem: see where one is with: mount -t bpf", bpffs);
}

int dg_preflight(const char *bpffs, struct dg_error *err)
{
	int status = kernel_check(err);

	if (!status)
		status = caps_check(err);
	return status ? status : bpffs_check(bpffs, err);
}
