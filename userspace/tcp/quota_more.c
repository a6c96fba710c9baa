// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * quota_more.c - how many TCP clients PowerDNS Recursor, dnsdist and Knot Resolver take.
 *
 * Recursor tells it on its control socket. dnsdist tells it nowhere: its configuration is a program, of which only a bind with
 * its address and its number in plain letters is understood. Where there is no quota, open files are the limit.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "userspace/lib/scope.h"
#include "userspace/tcp/quota_internal.h"

#define DNSDIST_CONFIG "/etc/dnsdist/dnsdist.conf"
#define OPTION "maxConcurrentTCPConnections"

/* ---- PowerDNS Recursor ----------------------------------------------------------------------- */

int dg_recursor_number(struct dg_question *question, const char *parameter, __u64 *ret)
{
	/* Its own options say which of several recursors it is. */
	static const char *const passed[] = { "--config-dir", "--config-name", "--socket-dir" };
	const char *argv[8] = { "rec_control" };
	const char *number;
	char option[3][512];
	int status, words = 1;

	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
		const char *value = dg_command_option(&question->command, passed[i]);

		if (!value)
			continue;
		snprintf(option[i], sizeof(option[i]), "%s=%s", passed[i], value);
		argv[words++] = option[i];
	}
	argv[words++] = "get-parameter";
	argv[words] = parameter;
	status = dg_question_run(question, argv);
	number = status ? NULL : strchr(question->said, '"');
	if (!number || !isdigit((unsigned char)number[1]))
		return status ? status : -EBADMSG;
	*ret = strtoull(number + 1, NULL, 10);
	return 0;
}

void dg_quota_recursor(struct dg_question *question, struct dg_tcp_quota *ret)
{
	__u64 number;
	int status = dg_recursor_number(question, "max-tcp-clients", &number);

	ret->shared = true; /* however large it is */
	if (!status) {
		dg_quota_set(ret, number, true, "rec_control get-parameter max-tcp-clients");
		return;
	}
	dg_quota_unknown(ret, status, "rec_control");
	dg_quota_advise(
		ret, "rec_control get-parameter max-tcp-clients must work as root, or as its user");
}

/* ---- open files ------------------------------------------------------------------------------ */

static __u64 files_max(pid_t pid)
{
	dg_scoped_file FILE *file = NULL;
	unsigned long long most = 0;
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/limits", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Max open files %llu", &most) == 1)
			break;
	return most;
}

/* Processes that share the address have a socket each, and files of their own. */
void dg_quota_files(struct dg_question *question, struct dg_tcp_quota *ret)
{
	const struct dg_tcp_asked *asked = question->asked;
	bool processes = asked->owner->resolver == DG_RESOLVER_KNOT && asked->sockets > 1;
	__u64 most = files_max(asked->owner->pid);

	if (!most) {
		snprintf(ret->source, sizeof(ret->source),
			 "unknown: it has no quota, and /proc/%d/limits cannot be read",
			 asked->owner->pid);
		return;
	}
	dg_quota_set(ret, processes ? most * asked->sockets : most, !processes,
		     "its limit of open files, for it has no quota");
	ret->slots = processes ? most : 0;
}

/* ---- dnsdist --------------------------------------------------------------------------------- */

/* Comments of Lua become blanks, so that what stands in one is not taken for what runs. */
static void comments_blank(char *text)
{
	for (char *at = text; (at = strstr(at, "--"));) {
		char *end = strncmp(at, "--[[", 4) ? strchr(at, '\n') : strstr(at, "]]");

		end = end ? end : at + strlen(at);
		memset(at, ' ', (size_t)(end - at));
	}
}

bool dg_lua_read(const char *path, char *ret, size_t size)
{
	dg_scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t got = fd < 0 ? -1 : read(fd, ret, size - 1);

	ret[got > 0 ? got : 0] = '\0';
	comments_blank(ret);
	return got >= 0 && (size_t)got < size - 1;
}

const char *dg_dnsdist_config(const struct dg_command *command)
{
	const char *config = dg_command_option(command, "-C");

	config = config ? config : dg_command_option(command, "--config");
	return config ? config : DNSDIST_CONFIG;
}

/* The call that binds this address: behind its name in quotes, up to its closing parenthesis. NULL = none. */
static const char *bind_find(const char *text, const char *listener, const char **ret_end)
{
	static const char *const calls[] = { "setLocal(", "addLocal(" };
	const char *last = strrchr(listener, ':');
	char quoted[2][80];

	snprintf(quoted[0], sizeof(quoted[0]), "\"%s\"", listener);
	snprintf(quoted[1], sizeof(quoted[1]), "\"%.*s\"", (int)(last - listener), listener);
	for (size_t i = 0; i < 4; i++) {
		const char *at = text, *name = quoted[i / 2];

		if (i / 2 && strcmp(last, ":53")) /* a bare address is port 53 */
			continue;
		while ((at = strstr(at, calls[i % 2]))) {
			at += strlen(calls[i % 2]);
			at += strspn(at, " \t\n");
			if (strncmp(at, name, strlen(name)))
				continue;
			*ret_end = strchr(at, ')');
			return *ret_end ? at : NULL;
		}
	}
	return NULL;
}

/* The option's number in the call; 0 = it is not there, which means no limit; -1 = no number. */
static long long bind_option(const char *bind, const char *end)
{
	const char *option = strstr(bind, OPTION);

	if (!option || option > end)
		return 0;
	option += strlen(OPTION);
	option += strspn(option, " \t\n=");
	return isdigit((unsigned char)*option) ? strtoll(option, NULL, 10) : -1;
}

void dg_quota_dnsdist(struct dg_question *question, struct dg_tcp_quota *ret)
{
	const char *config = dg_dnsdist_config(&question->command), *bind, *end;
	long long number;

	dg_quota_advise(ret, "say it: tcp.quotas: [\"%s=N\"], N as " OPTION " of that bind",
			question->asked->listener);
	if (!dg_lua_read(config, question->said, DG_SAID_MAX)) {
		snprintf(ret->source, sizeof(ret->source), "unknown: %s cannot be read", config);
		return;
	}
	bind = bind_find(question->said, question->asked->listener, &end);
	number = bind ? bind_option(bind, end) : -1;
	if (number < 0)
		snprintf(ret->source, sizeof(ret->source),
			 "unknown: %s does not bind this address in plain letters", config);
	else if (number)
		dg_quota_set(ret, (__u64)number, false, OPTION " in its configuration file");
	else
		dg_quota_files(question, ret);
}
