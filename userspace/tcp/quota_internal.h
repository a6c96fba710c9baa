/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * quota_internal.h - what the files that ask resolvers share: those of the quota, and the doctor's.
 */
#ifndef DG_TCP_QUOTA_INTERNAL_H
#define DG_TCP_QUOTA_INTERNAL_H

#include <time.h>

#include "userspace/tcp/quota.h"

#define DG_SAID_MAX (1u << 20)
#define DG_COMMAND_WORDS_MAX 64

/* A process's command line, and one option's value in it. */
struct dg_command {
	char text[4096];
	const char *word[DG_COMMAND_WORDS_MAX];
	int words;
};

/* One question to one resolver. */
struct dg_question {
	const struct dg_tcp_asked *asked;
	struct dg_command command; /* of the resolver's process */
	__u64 deadline_ns;
	char *said; /* DG_SAID_MAX octets for what a tool says */
};

void dg_command_read(pid_t pid, struct dg_command *ret);
/* "-c FILE", "-cFILE" or "--config=FILE"; NULL when it is not there. */
const char *dg_command_option(const struct dg_command *command, const char *option);
/* Runs a tool as the resolver's user; where that cannot do it, as we are. */
int dg_question_run(struct dg_question *question, const char *const argv[]);

/* A number that a Recursor's own tool tells. -errno as dg_tool_run(); -EBADMSG: it is no number. */
int dg_recursor_number(struct dg_question *question, const char *parameter, __u64 *ret);
/* The configuration file that a dnsdist runs with. */
const char *dg_dnsdist_config(const struct dg_command *command);
/* A file in Lua, its comments made blanks. false: it cannot be read, or not as a whole. */
bool dg_lua_read(const char *path, char *ret, size_t size);

void dg_quota_set(struct dg_tcp_quota *quota, __u64 connections, bool shared, const char *source);
/* status says why the tool did not tell. */
void dg_quota_unknown(struct dg_tcp_quota *quota, int status, const char *tool);
void dg_quota_advise(struct dg_tcp_quota *quota, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * When the server read its configuration, from the statistics channel that `config` (as named-checkconf prints it) names.
 * -ENOENT: it names none. Other -errno: it does not answer, or not so.
 */
int dg_bind_configured_at(const char *config, __u64 deadline_ns, time_t *ret);

/* One function a resolver. Each fills *ret. */
void dg_quota_bind(struct dg_question *question, struct dg_tcp_quota *ret);
void dg_quota_unbound(struct dg_question *question, struct dg_tcp_quota *ret);
void dg_quota_recursor(struct dg_question *question, struct dg_tcp_quota *ret);
void dg_quota_dnsdist(struct dg_question *question, struct dg_tcp_quota *ret);
/* The limit of open files is the only one that it has. */
void dg_quota_files(struct dg_question *question, struct dg_tcp_quota *ret);

#endif
