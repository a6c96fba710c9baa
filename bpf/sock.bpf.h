/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sock.bpf.h - of the kernel's own structs, the fields that tcpstate and holder read.
 *
 * Only names and types count: libbpf finds each field's place in the running kernel (CO-RE). The structs' real layout is
 * the kernel's (include/net/sock.h, include/net/inet_sock.h, include/net/net_namespace.h).
 */
#ifndef DG_SOCK_BPF_H
#define DG_SOCK_BPF_H

#include <linux/in6.h>
#include <linux/types.h>

#define SOCK_RELOCATED __attribute__((preserve_access_index))

struct ns_common {
	unsigned int inum;
} SOCK_RELOCATED;

struct net {
	struct ns_common ns;
} SOCK_RELOCATED;

typedef struct {
	struct net *net;
} SOCK_RELOCATED possible_net_t;

struct sock_common {
	__be32 skc_daddr;     /* the peer's */
	__be32 skc_rcv_saddr; /* bound local address */
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
} SOCK_RELOCATED;

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
} SOCK_RELOCATED;

struct inet_sock {
	/* Local port. Not skc_num: a socket that is reset gives that up before it changes its state. */
	__be16 inet_sport;
} SOCK_RELOCATED;

struct socket {
	struct sock *sk;
} SOCK_RELOCATED;

struct inode {
	unsigned long i_ino;
} SOCK_RELOCATED;

struct file {
	struct inode *f_inode;
} SOCK_RELOCATED;

struct pid_namespace {
	unsigned int level;
} SOCK_RELOCATED;

struct upid {
	int nr;
	struct pid_namespace *ns;
} SOCK_RELOCATED;

struct pid {
	struct upid numbers[1]; /* one for each namespace that it is seen from, outermost first */
} SOCK_RELOCATED;

struct nsproxy {
	struct pid_namespace *pid_ns_for_children;
} SOCK_RELOCATED;

struct task_struct {
	struct nsproxy *nsproxy;
	struct pid *thread_pid;
	struct task_struct *group_leader;
	char comm[16];
} SOCK_RELOCATED;

/* include/net/tcp_states.h, include/linux/socket.h */
enum {
	SOCK_ESTABLISHED = 1,
	SOCK_FIN_WAIT1 = 4,
	SOCK_CLOSE_WAIT = 8,
	SOCK_LISTEN = 10,
};
#define SOCK_INET 2
#define SOCK_INET6 10

#endif
