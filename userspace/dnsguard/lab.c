// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lab.c - dnsguard lab: hands over to the lab's script, and lets reading commands find the lab's guard.
 *
 * The script stands beside this program when built, in the libexec directory when installed. It owns the lab;
 * this file only knows where the lab's bpffs and state lie.
 */
#include "userspace/dnsguard/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>

#include "userspace/lib/maps.h"

#define SCRIPT "lab.sh"
#define LAB_BPFFS "/run/dnsguard-lab/bpf"
#define LAB_NETNS "/run/netns/dnsguard-lab-server"
#define LAB_STATE_DIR "/run/dnsguard-lab/state"

/* The script's path; -ENOENT when it is in neither place. */
static int script_find(char self[PATH_MAX], char ret[PATH_MAX], struct dg_error *err)
{
	ssize_t len = readlink("/proc/self/exe", self, PATH_MAX - 1);
	char *slash;

	if (len < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "/proc/self/exe: %s", strerror(errno));
	self[len] = '\0';
	slash = strrchr(self, '/');
	snprintf(ret, PATH_MAX, "%.*s/%s", (int)(slash - self), self, SCRIPT);
	if (!access(ret, X_OK))
		return 0;
	snprintf(ret, PATH_MAX, "%s/%s", DG_LIBEXECDIR, SCRIPT);
	if (!access(ret, X_OK))
		return 0;
	return dg_fail(err, -ENOENT, DG_EXIT_FAILED,
		       "the lab's script is neither beside %s nor in %s: run make", self,
		       DG_LIBEXECDIR);
}

int dg_lab_run(const struct dg_cli *cli, struct dg_error *err)
{
	char self[PATH_MAX], script[PATH_MAX];
	const char *word = cli->verb->name + strlen("lab ");
	int status = script_find(self, script, err);

	if (status)
		return status;
	setenv("DNSGUARD_PROGRAM", self, 1);
	if (cli->json)
		setenv("DNSGUARD_LAB_JSON", "1", 1);
	execl(script, script, word, cli->args ? cli->arg[0] : NULL, NULL);
	return dg_fail(err, -errno, DG_EXIT_FAILED, "%s: %s", script, strerror(errno));
}

static bool only_reads(const struct dg_verb *verb)
{
	static dg_verb_fn *const readers[] = {
		dg_status_run,	dg_top_run,	   dg_watch_run,       dg_names_run,
		dg_explain_run, dg_limit_show_run, dg_source_show_run, dg_image_show_run,
		dg_list_ls_run, dg_list_show_run,  dg_list_dump_run,
	};

	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
		if (verb->run == readers[i])
			return true;
	return false;
}

/* Sockets are asked for in the namespace that one is in. Without the right to enter, the command says what it always does. */
static bool listeners_reach(void)
{
	dg_scoped_fd int fd = open(LAB_NETNS, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && !setns(fd, CLONE_NEWNET);
}

/*
 * Only where nothing can be mistaken: nobody said which bpffs, no guard runs on this host, and the command
 * changes nothing.
 */
void dg_lab_stand_in(struct dg_cli *cli)
{
	if (!access(DG_BPFFS_DEFAULT "/dnsguard", F_OK) || errno != ENOENT ||
	    access(LAB_BPFFS "/dnsguard", F_OK) ||
	    !(only_reads(cli->verb) || (cli->verb->run == dg_tcp_run && listeners_reach())))
		return;
	cli->bpffs = LAB_BPFFS;
	cli->elsewhere = true;
	if (!cli->state_dir)
		cli->state_dir = LAB_STATE_DIR;
	fputs("dnsguard: no guard on this host; this is the lab's\n", stderr);
}
