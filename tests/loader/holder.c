// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * holder.c - puts another program where ours stands or would stand, and waits until its standard input ends.
 * Usage: holder IFACE link|netlink|filter, or holder PIN egress|tcpstate
 *
 * Says "held" once it does. By link the program goes with this process, by netlink it stays. A filter
 * stands at egress, in the very place that ours would have, and stays as well. What is pinned as PIN it makes a program of another
 * source, as an earlier build's is: at egress through the link, on socket states by another link.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/loader/stranger.skel.h"

static int filter(int ifindex, int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 53, .priority = 53, .prog_fd = prog_fd);
	int status = bpf_tc_hook_create(&hook);

	return status && status != -EEXIST ? status : bpf_tc_attach(&hook, &opts);
}

static int egress_replace(const char *pin, int prog_fd)
{
	int link = bpf_obj_get(pin);

	return link < 0 || bpf_link_update(link, prog_fd, NULL) ? -errno : 0;
}

static int tcpstate_replace(const char *pin, const struct bpf_program *prog)
{
	struct bpf_link *link = bpf_program__attach(prog);

	if (!link || unlink(pin) || bpf_link__pin(link, pin))
		return -errno;
	return bpf_link__destroy(link); /* the pin keeps it */
}

static int hold(struct stranger_bpf *skel, const char *where, const char *how)
{
	int prog_fd = bpf_program__fd(skel->progs.stranger);
	int ifindex = (int)if_nametoindex(where);

	if (!strcmp(how, "egress"))
		return egress_replace(where, bpf_program__fd(skel->progs.stranger_egress));
	if (!strcmp(how, "tcpstate"))
		return tcpstate_replace(where, skel->progs.stranger_tcp);
	if (!strcmp(how, "filter"))
		return filter(ifindex, bpf_program__fd(skel->progs.stranger_egress));
	if (!strcmp(how, "netlink"))
		return bpf_xdp_attach(ifindex, prog_fd, 0, NULL);
	return bpf_link_create(prog_fd, ifindex, BPF_XDP, NULL) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct stranger_bpf *skel = argc == 3 ? stranger_bpf__open_and_load() : NULL;
	char byte;

	if (!skel || hold(skel, argv[1], argv[2])) {
		fprintf(stderr, "holder: cannot hold it: %s\n", strerror(errno));
		return 1;
	}
	puts("held");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
