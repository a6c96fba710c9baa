// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tcp_quota.c - how many TCP clients a resolver takes, from its control channel or the configuration it was started with.
 *
 * BIND has one quota for all its listeners. Unbound has incoming-num-tcp for each thread on each listening address.
 */
#include "userspace/lib/tcp_quota.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "userspace/lib/scope.h"

#define SAID_MAX (1u << 20)
#define WORDS_MAX 64
#define BIND_DEFAULT 150 /* tcp-clients of BIND 9.11 and later */

/* A process's command line, and one option's value in it. */
struct command {
	char text[4096];
	const char *word[WORDS_MAX];
	int words;
};

static void command_read(pid_t pid, struct command *ret)
{
	dg_scoped_fd int fd = -1;
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? 0 : read(fd, ret->text, sizeof(ret->text) - 1);
	ret->words = 0;
	for (ssize_t at = 0; at < len && ret->words < WORDS_MAX;
	     at += (ssize_t)strlen(ret->text + at) + 1)
		ret->word[ret->words++] = ret->text + at;
}

/* "-c FILE" or "-cFILE"; NULL when it is not there. */
static const char *command_option(const struct command *command, const char *option)
{
	for (int i = 1; i < command->words; i++) {
		if (!strcmp(command->word[i], option))
			return i + 1 < command->words ? command->word[i + 1] : NULL;
		if (!strncmp(command->word[i], option, strlen(option)))
			return command->word[i] + strlen(option);
	}
	return NULL;
}

static void quota_set(struct dg_tcp_quota *quota, __u64 connections, bool shared,
		      const char *source)
{
	quota->known = true;
	quota->shared = shared;
	quota->connections = connections;
	snprintf(quota->source, sizeof(quota->source), "%s", source);
}

static void quota_unknown(struct dg_tcp_quota *quota, int status, const char *tool)
{
	quota->known = false;
	snprintf(quota->source, sizeof(quota->source),
		 status == -ENOENT ? "unknown: %s is not installed (%s)" :
				     "unknown: %s does not tell (%s)",
		 tool, strerror(-status));
}

/* ---- BIND ----------------------------------------------------------------------------------- */

/* The number behind a word, -1 = the word is not there. */
static long number_behind(const char *text, const char *word)
{
	const char *at = strstr(text, word);
	char *end;
	long number = at ? strtol(at + strlen(word), &end, 10) : -1;

	return at && end != at + strlen(word) ? number : -1;
}

/* rndc speaks with the server of its own configuration: only when that runs this very file is it the one. */
static bool rndc_ask(const char *config, __u64 deadline_ns, char *said, struct dg_tcp_quota *ret)
{
	const char *const argv[] = { "rndc", "status", NULL };
	char wanted[512];
	const char *clients;

	if (dg_tool_run(argv, deadline_ns, said, SAID_MAX))
		return false;
	snprintf(wanted, sizeof(wanted), "configuration file: %s\n", config);
	clients = strstr(said, "tcp clients: ");
	clients = clients ? strchr(clients, '/') : NULL;
	if (!strstr(said, wanted) || !clients || atoll(clients + 1) <= 0)
		return false;
	quota_set(ret, strtoull(clients + 1, NULL, 10), true, "rndc status");
	return true;
}

static void bind_ask(const struct command *command, __u64 deadline_ns, char *said,
		     struct dg_tcp_quota *ret)
{
	const char *config = command_option(command, "-c"), *root = command_option(command, "-t");
	const char *argv[] = { "named-checkconf", "-px", NULL, NULL, NULL, NULL };
	int status, words = 2;
	long number;

	config = config ? config : "/etc/bind/named.conf";
	if (rndc_ask(config, deadline_ns, said, ret))
		return;
	if (root) {
		argv[words++] = "-t";
		argv[words++] = root;
	}
	argv[words] = config;
	status = dg_tool_run(argv, deadline_ns, said, SAID_MAX);
	if (status) {
		quota_unknown(ret, status, "named-checkconf");
		return;
	}
	number = number_behind(said, "\ttcp-clients ");
	if (number >= 0)
		quota_set(ret, (__u64)number, true, "tcp-clients in its configuration file");
	else
		quota_set(ret, BIND_DEFAULT, true, "default");
}

/* ---- Unbound -------------------------------------------------------------------------------- */

static int unbound_option(const char *config, const char *option, __u64 deadline_ns, char *said)
{
	const char *const argv[] = { "unbound-checkconf", "-o", option, config, NULL };
	int status = dg_tool_run(argv, deadline_ns, said, SAID_MAX);

	return status ? status : atoi(said);
}

static void unbound_ask(const struct command *command, __u64 deadline_ns, char *said,
			struct dg_tcp_quota *ret)
{
	const char *config = command_option(command, "-c");
	int clients, threads;

	config = config ? config : "/etc/unbound/unbound.conf";
	clients = unbound_option(config, "incoming-num-tcp", deadline_ns, said);
	threads = clients < 0 ? clients : unbound_option(config, "num-threads", deadline_ns, said);
	if (threads < 0)
		quota_unknown(ret, threads, "unbound-checkconf");
	else
		quota_set(ret, (__u64)clients * (__u64)(threads ? threads : 1), false,
			  "incoming-num-tcp x num-threads in its configuration file");
}

/* ---- all ------------------------------------------------------------------------------------ */

static const char *const others[] = {
	[DG_RESOLVER_OTHER] = "unknown: not a resolver whose quota can be asked",
	[DG_RESOLVER_RECURSOR] =
		"unknown: not asked yet; see: rec_control get-parameter max-tcp-clients",
	[DG_RESOLVER_DNSDIST] =
		"unknown: not asked yet; see maxConcurrentTCPConnections of its binds",
	[DG_RESOLVER_KNOT] = "unknown: it has no quota but its limit of open files",
};

void dg_tcp_quota_ask(const struct dg_tcp_owner *owner, __u64 deadline_ns, struct dg_tcp_quota *ret)
{
	dg_scoped_free char *said = malloc(SAID_MAX);
	struct command command;

	*ret = (struct dg_tcp_quota){ 0 };
	if (!owner->pid || !said) {
		snprintf(ret->source, sizeof(ret->source),
			 "unknown: cannot see who listens; run it as root, with sudo");
		return;
	}
	command_read(owner->pid, &command);
	if (owner->resolver == DG_RESOLVER_BIND)
		bind_ask(&command, deadline_ns, said, ret);
	else if (owner->resolver == DG_RESOLVER_UNBOUND)
		unbound_ask(&command, deadline_ns, said, ret);
	else
		snprintf(ret->source, sizeof(ret->source), "%s", others[owner->resolver]);
}
