// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * holder.bpf.c - which processes have a listening TCP socket open: one record for each such descriptor.
 *
 * An iterator over all open files, run by whoever reads it; attached to nothing, decides nothing. /proc/PID/fd says the same,
 * but only to who may trace the process: CAP_SYS_PTRACE would let us into every process's memory, this lets us see
 * who listens.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/abi.h"
#include "bpf/sock.bpf.h"

/* What the kernel hands to iter/task_file (kernel/bpf/task_iter.c), not relocated: the verifier knows these places. */
struct bpf_iter_meta {
	void *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u64 fd;
	struct file *file; /* NULL at the end */
};

/* The number of a process as the reader's PID namespace has it: the iterator shows no process that is not in there. */
static __always_inline __u32 pid_seen(struct task_struct *task)
{
	struct task_struct *reader = bpf_get_current_task_btf();
	__u32 level = reader->nsproxy->pid_ns_for_children->level;
	struct pid *pid = task->group_leader->thread_pid;
	unsigned long numbers = (unsigned long)pid + bpf_core_field_offset(pid->numbers);
	int nr = 0;

	bpf_probe_read_kernel(&nr, sizeof(nr), (void *)(numbers + level * sizeof(struct upid)));
	return (__u32)nr;
}

SEC("iter/task_file")
int dnsguard_holder(struct bpf_iter__task_file *ctx)
{
	struct dg_tcp_holder holder = { 0 };
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket || socket->sk->__sk_common.skc_state != SOCK_LISTEN ||
	    (socket->sk->__sk_common.skc_family != SOCK_INET &&
	     socket->sk->__sk_common.skc_family != SOCK_INET6))
		return 0;
	holder.inode = file->f_inode->i_ino;
	holder.pid = pid_seen(task);
	bpf_probe_read_kernel(holder.comm, sizeof(holder.comm), task->group_leader->comm);
	bpf_seq_write(ctx->meta->seq, &holder, sizeof(holder));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
