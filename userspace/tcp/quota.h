/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quota.h - whose a listener is, and how many TCP clients that resolver takes: asked of it, never guessed.
 *
 * Needs to look into other processes (root). Runs the resolver's own tools, each within a deadline, none through a shell.
 */
#ifndef DG_TCP_QUOTA_H
#define DG_TCP_QUOTA_H

#include <linux/types.h>
#include <stdbool.h>
#include <sys/types.h>

enum dg_resolver {
	DG_RESOLVER_OTHER,
	DG_RESOLVER_BIND,
	DG_RESOLVER_UNBOUND,
	DG_RESOLVER_RECURSOR,
	DG_RESOLVER_DNSDIST,
	DG_RESOLVER_KNOT,
};

struct dg_tcp_owner {
	pid_t pid; /* 0 = not found */
	enum dg_resolver resolver;
	char program[32]; /* name of the executable file */
};
/* A listening socket, and the process that has it open. */
struct dg_tcp_sought {
	__u32 inode; /* no two the same */
	struct dg_tcp_owner owner;
};
/* One look through all processes that we may look into. Returns for how many none was found. */
unsigned int dg_tcp_owners_find(struct dg_tcp_sought *sought, unsigned int count);
/* The same of a process that somebody else has found. -ENOENT: no process of that number goes by that name (comm). */
int dg_tcp_owner_name(pid_t pid, const char *name, struct dg_tcp_owner *ret);

/* A listener as the resolver's configuration names it, and how many sockets share it. */
struct dg_tcp_asked {
	const struct dg_tcp_owner *owner;
	const char *listener; /* "192.0.2.1:53" */
	__u32 sockets;
};

struct dg_tcp_quota {
	bool known;
	bool shared;	   /* by all listeners of the process; else each has so many */
	__u64 connections; /* when known */
	__u64 slots; /* of these so many for each thread or process, which may be full by itself; 0 = all are one */
	char source[160]; /* where it is known from; else why it is not */
	char advice
		[200]; /* which command or permission would make it known, or known better; "" = nothing better */
};
/*
 * Asks until deadline_ns (CLOCK_MONOTONIC) at most. The resolver's tools run as the resolver's own user where we may become
 * that: it can read its key, and we need not be able to read everybody's.
 */
void dg_tcp_quota_ask(const struct dg_tcp_asked *asked, __u64 deadline_ns,
		      struct dg_tcp_quota *ret);
/* As the operator says it in the configuration; who draws on it stays as it was told. */
void dg_tcp_quota_configured(__u64 connections, struct dg_tcp_quota *ret);

/*
 * Runs a system tool and takes its standard output into buf, NUL-terminated. -ENOENT: not installed, -ETIME, -EFBIG: says
 * more than fits, -EIO: it failed. argv[0] is a bare name, looked for where the system has its tools. as: the process
 * whose user it runs as; 0, or where we are not root: ours.
 */
int dg_tool_run(const char *const argv[], pid_t as, __u64 deadline_ns, char *buf, size_t size);

#endif
