// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * quota.c - how many TCP clients a resolver takes: which of them is asked how, and BIND and Unbound.
 *
 * BIND has one quota for all its listeners. Unbound has incoming-num-tcp for each thread on each listening address.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "userspace/lib/scope.h"
#include "userspace/tcp/quota_internal.h"

#define BIND_DEFAULT 150 /* tcp-clients of BIND 9.11 and later */

/* ---- what all of them need ------------------------------------------------------------------ */

void dg_command_read(pid_t pid, struct dg_command *ret)
{
	dg_scoped_fd int fd = -1;
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? 0 : read(fd, ret->text, sizeof(ret->text) - 1);
	ret->text[len > 0 ? len : 0] = '\0';
	ret->words = 0;
	for (ssize_t at = 0; at < len && ret->words < DG_COMMAND_WORDS_MAX;
	     at += (ssize_t)strlen(ret->text + at) + 1)
		ret->word[ret->words++] = ret->text + at;
}

const char *dg_command_option(const struct dg_command *command, const char *option)
{
	for (int i = 1; i < command->words; i++) {
		const char *word = command->word[i];
		size_t len = strlen(option);

		if (!strcmp(word, option))
			return i + 1 < command->words ? command->word[i + 1] : NULL;
		if (!strncmp(word, option, len) && (option[1] != '-' || word[len] == '='))
			return word + len + (word[len] == '=');
	}
	return NULL;
}

int dg_question_run(struct dg_question *question, const char *const argv[])
{
	int status = dg_tool_run(argv, question->asked->owner->pid, question->deadline_ns,
				 question->said, DG_SAID_MAX);

	if (status != -EIO)
		return status;
	return dg_tool_run(argv, 0, question->deadline_ns, question->said, DG_SAID_MAX);
}

void dg_quota_set(struct dg_tcp_quota *quota, __u64 connections, bool shared, const char *source)
{
	quota->known = true;
	quota->shared = shared;
	quota->connections = connections;
	snprintf(quota->source, sizeof(quota->source), "%s", source);
}

void dg_quota_unknown(struct dg_tcp_quota *quota, int status, const char *tool)
{
	quota->known = false;
	snprintf(quota->source, sizeof(quota->source),
		 status == -ENOENT ? "unknown: %s is not installed (%s)" :
				     "unknown: %s does not tell (%s)",
		 tool, strerror(-status));
}

void dg_quota_advise(struct dg_tcp_quota *quota, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(quota->advice, sizeof(quota->advice), format, args);
	va_end(args);
}

void dg_tcp_quota_configured(__u64 connections, struct dg_tcp_quota *ret)
{
	const bool shared = ret->shared;

	*ret = (struct dg_tcp_quota){ 0 };
	dg_quota_set(ret, connections, shared, "tcp.quota in our configuration");
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
static bool rndc_ask(struct dg_question *question, const char *config, struct dg_tcp_quota *ret)
{
	const char *const argv[] = { "rndc", "status", NULL };
	char wanted[512];
	const char *clients;

	if (dg_question_run(question, argv))
		return false;
	snprintf(wanted, sizeof(wanted), "configuration file: %s\n", config);
	clients = strstr(question->said, "tcp clients: ");
	clients = clients ? strchr(clients, '/') : NULL;
	if (!strstr(question->said, wanted) || !clients || atoll(clients + 1) <= 0)
		return false;
	dg_quota_set(ret, strtoull(clients + 1, NULL, 10), true, "rndc status");
	return true;
}

static const char *bind_config(const struct dg_question *question)
{
	const char *config = dg_command_option(&question->command, "-c");

	if (config)
		return config;
	return access("/etc/bind/named.conf", F_OK) && !access("/etc/named.conf", F_OK) ?
		       "/etc/named.conf" :
		       "/etc/bind/named.conf";
}

static void bind_file_ask(struct dg_question *question, const char *config,
			  struct dg_tcp_quota *ret)
{
	const char *root = dg_command_option(&question->command, "-t");
	const char *argv[] = { "named-checkconf", "-px", NULL, NULL, NULL, NULL };
	int status, words = 2;
	long number;

	if (root) {
		argv[words++] = "-t";
		argv[words++] = root;
	}
	argv[words] = config;
	status = dg_question_run(question, argv);
	number = status ? -1 : number_behind(question->said, "\ttcp-clients ");
	if (status) {
		dg_quota_unknown(ret, status, "named-checkconf");
		dg_quota_advise(ret, "named-checkconf -px %s must work as root, or as named's user",
				config);
	} else if (number >= 0) {
		dg_quota_set(ret, (__u64)number, true, "tcp-clients in its configuration file");
	} else {
		dg_quota_set(ret, BIND_DEFAULT, true, "default");
	}
}

/* Is what stands in the file what runs? Its statistics channel knows since when; included files are not looked at. */
static void bind_file_judge(struct dg_question *question, const char *config,
			    struct dg_tcp_quota *ret)
{
	struct stat file;
	time_t read_at;

	if (dg_bind_configured_at(question->said, question->deadline_ns, &read_at) ||
	    stat(config, &file)) {
		dg_quota_advise(
			ret,
			"what runs, should the file have changed since: rndc status must work as root, or as named's user");
	} else if (file.st_mtime <= read_at) {
		snprintf(ret->source + strlen(ret->source),
			 sizeof(ret->source) - strlen(ret->source),
			 ", unchanged since named read it (statistics channel)");
	} else {
		dg_quota_advise(
			ret,
			"%s has changed since named read it: rndc reconfig makes it true, rndc status would tell what runs",
			config);
	}
}

void dg_quota_bind(struct dg_question *question, struct dg_tcp_quota *ret)
{
	const char *config = bind_config(question);

	ret->shared = true; /* however large it is */
	if (rndc_ask(question, config, ret))
		return;
	bind_file_ask(question, config, ret);
	if (ret->known)
		bind_file_judge(question, config, ret);
}

/* ---- Unbound -------------------------------------------------------------------------------- */

static int unbound_option(struct dg_question *question, const char *config, const char *option)
{
	const char *const argv[] = { "unbound-checkconf", "-o", option, config, NULL };
	int status = dg_question_run(question, argv);

	return status ? status : atoi(question->said);
}

void dg_quota_unbound(struct dg_question *question, struct dg_tcp_quota *ret)
{
	const char *config = dg_command_option(&question->command, "-c");
	int clients, threads;

	config = config ? config : "/etc/unbound/unbound.conf";
	clients = unbound_option(question, config, "incoming-num-tcp");
	threads = clients < 0 ? clients : unbound_option(question, config, "num-threads");
	if (threads < 0) {
		dg_quota_unknown(ret, threads, "unbound-checkconf");
		dg_quota_advise(ret, "unbound-checkconf -o incoming-num-tcp %s must work as root",
				config);
		return;
	}
	threads = threads ? threads : 1;
	dg_quota_set(ret, (__u64)clients * (__u64)threads, false,
		     "incoming-num-tcp x num-threads in its configuration file");
	ret->slots = threads > 1 ? (__u64)clients : 0;
}

/* ---- all ------------------------------------------------------------------------------------ */

static void other_ask(struct dg_question *question, struct dg_tcp_quota *ret)
{
	snprintf(ret->source, sizeof(ret->source),
		 "unknown: not a resolver whose quota can be asked");
	dg_quota_advise(ret, "say it: tcp.quotas: [\"%s=N\"]", question->asked->listener);
}

typedef void ask_fn(struct dg_question *question, struct dg_tcp_quota *ret);

static ask_fn *const askers[] = {
	[DG_RESOLVER_OTHER] = other_ask,	  [DG_RESOLVER_BIND] = dg_quota_bind,
	[DG_RESOLVER_UNBOUND] = dg_quota_unbound, [DG_RESOLVER_RECURSOR] = dg_quota_recursor,
	[DG_RESOLVER_DNSDIST] = dg_quota_dnsdist, [DG_RESOLVER_KNOT] = dg_quota_files,
};

void dg_tcp_quota_ask(const struct dg_tcp_asked *asked, __u64 deadline_ns, struct dg_tcp_quota *ret)
{
	dg_scoped_free char *said = malloc(DG_SAID_MAX);
	struct dg_question question = { .asked = asked, .deadline_ns = deadline_ns, .said = said };

	*ret = (struct dg_tcp_quota){ 0 };
	if (!asked->owner->pid || !said) {
		snprintf(ret->source, sizeof(ret->source),
			 "unknown: cannot see who listens; run it as root, with sudo");
		dg_quota_advise(
			ret,
			"run it as root with CAP_BPF and CAP_PERFMON: sudo dnsguard doctor tcp");
		return;
	}
	dg_command_read(asked->owner->pid, &question.command);
	askers[asked->owner->resolver](&question, ret);
}
