// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sandbox.c - gives up what reading a list does not need, before its first byte is read.
 *
 * Whoever starts the process may have done more (another user, namespaces); this holds also when
 * nobody did. Files are open by now; what remains is memory, reading and writing, and the one file to
 * be put in its place.
 */
#include "userspace/compile/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "userspace/lib/rights.h"

/* An image of DG_LISTS_MAX lists at their largest is far below. */
#define IMAGE_BYTES_MAX (64ull << 30)

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef NATIVE_ARCH

/* Everything that reading, sorting and writing need; a call that is not here fails with EPERM. */
static const __u32 allowed[] = {
	SYS_read,
	SYS_write,
	SYS_readv,
	SYS_writev,
	SYS_pread64,
	SYS_lseek,
	SYS_close,
	SYS_fstat,
	SYS_newfstatat,
	SYS_fcntl,
	SYS_mmap,
	SYS_munmap,
	SYS_mremap,
	SYS_mprotect,
	SYS_madvise,
	SYS_brk,
	SYS_openat,
	SYS_renameat,
	SYS_unlinkat,
	SYS_fsync,
	SYS_fdatasync,
	SYS_fchmod,
	SYS_clock_gettime,
	SYS_getrandom,
	SYS_getrusage,
	SYS_exit,
	SYS_exit_group,
	SYS_rt_sigreturn,
	SYS_futex,
	SYS_sched_yield,
	SYS_rt_sigprocmask,
	SYS_getpid,
	SYS_gettid,
	SYS_restart_syscall,
	SYS_sched_getaffinity,
#ifdef SYS_rename
	SYS_rename,
#endif
#ifdef SYS_unlink
	SYS_unlink,
#endif
#ifdef SYS_open
	SYS_open,
#endif
};

#define ALLOWED (sizeof(allowed) / sizeof(allowed[0]))

static const struct sock_filter load_arch =
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
static const struct sock_filter load_number =
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));

/* The number is compared with each that is allowed; the last instruction lets it pass. */
static int calls_restrict(void)
{
	struct sock_filter code[ALLOWED + 6];
	struct sock_fprog program = { .len = 0, .filter = code };

	code[program.len++] = load_arch;
	code[program.len++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0);
	code[program.len++] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[program.len++] = load_number;
	for (size_t i = 0; i < ALLOWED; i++)
		code[program.len++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, allowed[i], (__u8)(ALLOWED - i), 0);
	code[program.len++] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) ? -errno : 0;
}

#else

static int calls_restrict(void)
{
	return 0; /* numbers of calls are not known here: the rest must do */
}

#endif

#define CLOSED                                                                                     \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)

/* The file that is written is opened for both; it stands where nothing else is for this user. */
static int output_allow(int ruleset, const char *output)
{
	char *dir dg_scoped_free = strdup(output);
	struct landlock_path_beneath_attr rule = { .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE };
	dg_scoped_fd int fd = -1;

	if (!dir)
		return -ENOMEM;
	fd = open(dirname(dir), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0; /* the writing itself says what is wrong */
	rule.parent_fd = fd;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) ?
		       -errno :
		       0;
}

/* No file is opened to be read or run any more, not even one that everybody may read. */
static int files_fence(const char *output)
{
	const struct landlock_ruleset_attr attr = { .handled_access_fs = CLOSED };
	dg_scoped_fd int ruleset =
		(int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	int rc;

	if (ruleset < 0)
		return 0; /* an old kernel, or a container that forbids it: the rest must do */
	rc = output ? output_allow(ruleset, output) : 0;
	if (rc)
		return rc;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) ? -errno : 0;
}

int dg_sandbox_enter(const char *output, struct dg_error *err)
{
	struct rlimit none = { 0, 0 }, image = { IMAGE_BYTES_MAX, IMAGE_BYTES_MAX };
	int rc;

	/* Needs privilege; without it there is none to misuse either. */
	(void)!unshare(CLONE_NEWNET);
	rc = dg_powers_drop(err);
	if (!rc)
		rc = dg_memory_hide(err); /* it knows the key of the hash */
	if (rc)
		return rc;
	if (setrlimit(RLIMIT_NPROC, &none))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot give up starting others: %s",
			       strerror(errno));
	/* Whoever started us may have set a lower one, which stays. */
	(void)!setrlimit(RLIMIT_FSIZE, &image);
	rc = files_fence(output);
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "cannot shut the file system: %s",
			       strerror(-rc));
	rc = calls_restrict();
	/* A kernel without seccomp: everything above holds. */
	return rc && rc != -EINVAL ? dg_fail(err, rc, DG_EXIT_FAILED,
					     "cannot restrict system calls: %s", strerror(-rc)) :
				     0;
}
