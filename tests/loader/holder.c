// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * holder.c - holds somebody else's program on a device until its standard input ends. Usage: holder IFACE link|netlink|filter
 *
 * Says "held" once it does. By link the program goes with this process, by netlink it stays. A filter
 * stands at egress, in the very place that ours would have, and stays as well.
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

static int hold(struct stranger_bpf *skel, int ifindex, const char *how)
{
	int prog_fd = bpf_program__fd(skel->progs.stranger);

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

	if (!skel || hold(skel, (int)if_nametoindex(argv[1]), argv[2])) {
		fprintf(stderr, "holder: cannot hold it: %s\n", strerror(errno));
		return 1;
	}
	puts("held");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
