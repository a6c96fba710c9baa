// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rights.c - what the process may still do once everything is open: talk to the primary, and no more.
 *
 * Order matters: the user first, while there is the right to change it, the fence last.
 */
#include "userspace/transfer/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <linux/types.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "userspace/lib/rights.h"

/* All of the first version, Linux 5.13: what is named here is forbidden unless a rule allows it. */
#define FENCED                                                                                     \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                              \
	 LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |                              \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |                              \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                              \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                            \
	 LANDLOCK_ACCESS_FS_MAKE_SYM)
/* To replace a file by renaming over it, and to sync its directory. */
#define REPLACES                                                                                   \
	(LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE |                            \
	 LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |                            \
	 LANDLOCK_ACCESS_FS_READ_DIR)

#define MEMORY_FLOOR (64ull << 20) /* what a zone of one record needs, many times over */
#define ZONES 3			   /* the one that is there, the one that comes, its text */

bool dg_rights_has_root(void)
{
	return !geteuid();
}

/* ---- the fence ------------------------------------------------------------------------------ */

static int directory_open(const char *path)
{
	char directory[PATH_MAX];
	char *slash;
	int fd;

	snprintf(directory, sizeof(directory), "%s", path);
	slash = strrchr(directory, '/');
	if (slash)
		slash[slash == directory] = '\0';
	fd = open(slash ? directory : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int fence_open_for(int fence, const char *path)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = REPLACES };
	dg_scoped_fd int directory = directory_open(path);

	rule.parent_fd = directory;
	if (directory < 0)
		return directory;
	if (syscall(SYS_landlock_add_rule, fence, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		return -errno;
	return 0;
}

/* -ENOSYS or -EOPNOTSUPP: this kernel has no Landlock, or it is off. Needs no_new_privs. */
static int fence(const char *path)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = FENCED };
	dg_scoped_fd int ruleset =
		(int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	int rc;

	if (ruleset < 0)
		return -errno;
	rc = path ? fence_open_for(ruleset, path) : 0;
	if (!rc && syscall(SYS_landlock_restrict_self, ruleset, 0))
		rc = -errno;
	return rc;
}

/* ---- user and capabilities ------------------------------------------------------------------ */

/* The memory is hidden because the key is in it. */
static int powers_drop(struct dg_error *err)
{
	const struct rlimit none = { 0, 0 };
	int rc = dg_powers_drop(err);

	if (!rc)
		rc = dg_memory_hide(err);
	if (!rc && setrlimit(RLIMIT_NPROC, &none))
		rc = dg_fail(err, -errno, DG_EXIT_FAILED, "cannot give up starting others: %s",
			     strerror(errno));
	return rc;
}

int dg_rights_drop(const char *path, struct dg_error *err)
{
	int user = dg_nobody_become();
	int rc = powers_drop(err), fenced;

	if (rc)
		return rc;
	fenced = fence(path);
	if (user && fenced)
		return dg_fail(err, user, DG_EXIT_FAILED,
			       "cannot become user nobody (%s), and this kernel has no Landlock",
			       strerror(-user));
	return 0;
}

void dg_rights_memory(__u64 max_bytes)
{
#ifndef __SANITIZE_ADDRESS__
	rlim_t bytes = MEMORY_FLOOR + ZONES * max_bytes;
	const struct rlimit limit = { bytes, bytes };

	(void)!setrlimit(RLIMIT_DATA, &limit);
#else
	(void)max_bytes;
#endif
}

int dg_rights_keep_file(const char *path, struct dg_error *err)
{
	int rc = powers_drop(err);

	if (!rc)
		(void)fence(path);
	return rc;
}
