// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fence.c - what a download may ask of the kernel: sockets, threads of its own, reading files. No more.
 *
 * Other helpers run as nobody at the same time, one of them with a key in its memory: whoever takes this one over must
 * not get at them, nor outlive it with the file in hand that has been judged meanwhile.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "userspace/fetch/fetch.h"

/* Nothing is written, made, removed or run; it may be read, because finding a host reads a dozen files. */
#define FENCED                                                                                     \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                              \
	 LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                          \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |                              \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                              \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                            \
	 LANDLOCK_ACCESS_FS_MAKE_SYM)

/* A process behind such a fence also cannot trace one that stands outside. */
static int files_fence(void)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = FENCED };
	dg_scoped_fd int ruleset =
		(int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);

	if (ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0))
		return -errno;
	return 0;
}

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif

#ifdef NATIVE_ARCH

/* To other processes: see, stop, end, become, or start them. */
static const __u32 forbidden[] = {
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_pidfd_open,
	SYS_pidfd_getfd,
	SYS_pidfd_send_signal,
	SYS_kill,
	SYS_tkill,
	SYS_tgkill,
	SYS_rt_sigqueueinfo,
	SYS_rt_tgsigqueueinfo,
	SYS_execve,
	SYS_execveat,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_io_uring_setup,
	SYS_userfaultfd,
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
	SYS_unshare,
	SYS_setns,
	SYS_mount,
#ifdef SYS_fork
	SYS_fork,
	SYS_vfork,
#endif
};

#define FORBIDDEN (sizeof(forbidden) / sizeof(forbidden[0]))
#define X32                                                                                        \
	0x40000000u /* a second table of calls on x86; no number of another machine is as high */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
/* Only when the accumulator is so, the next `count` are passed over. */
#define SKIP_IF(how, value, count) BPF_JUMP(BPF_JMP | (how) | BPF_K, value, count, 0)
#define SKIP_UNLESS(how, value, count) BPF_JUMP(BPF_JMP | (how) | BPF_K, value, 0, count)

static int calls_fence(void)
{
	static const struct sock_filter head[] = {
		LOAD(arch),
		SKIP_IF(BPF_JEQ, NATIVE_ARCH, 1),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		SKIP_UNLESS(BPF_JGE, X32, 1),
		RETURN(SECCOMP_RET_ERRNO | EPERM),
		/* The C library goes on to clone, whose flags can be looked at. */
		SKIP_UNLESS(BPF_JEQ, SYS_clone3, 1),
		RETURN(SECCOMP_RET_ERRNO | ENOSYS),
		SKIP_UNLESS(BPF_JEQ, SYS_clone, 4),
		LOAD(args[0]),
		SKIP_IF(BPF_JSET, CLONE_THREAD, 1),
		RETURN(SECCOMP_RET_ERRNO | EPERM),
		RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_filter code[sizeof(head) / sizeof(head[0]) + 2 * FORBIDDEN + 1];
	struct sock_fprog program = { .len = sizeof(head) / sizeof(head[0]), .filter = code };

	for (size_t i = 0; i < program.len; i++)
		code[i] = head[i];
	for (size_t i = 0; i < FORBIDDEN; i++) {
		code[program.len++] = (struct sock_filter)SKIP_UNLESS(BPF_JEQ, forbidden[i], 1);
		code[program.len++] = (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM);
	}
	code[program.len++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) ? -errno : 0;
}

#else

static int calls_fence(void)
{
	return 0; /* numbers of calls are not known here: the rest must do */
}

#endif

int dg_fetch_fence(void)
{
	int rc;

	(void)files_fence(); /* a kernel without Landlock: the calls are fenced all the same */
	rc = calls_fence();
	return rc == -EINVAL ? 0 :
			       rc; /* a kernel without seccomp: the user is nobody all the same */
}
