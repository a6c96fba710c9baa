// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * send.c - the jobs for dnsguard-notify, and running one of them to its end.
 */
#include "userspace/alert/send.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "userspace/lib/maps.h"
#include "userspace/lib/quote.h"
#include "userspace/lists/child.h"

#define NS_PER_SEC 1000000000ull
#define NS_PER_MS 1000000ull

/* ---- jobs ------------------------------------------------------------------------------------- */

/* Who we are to the server. */
static void credentials_add(json_t *job, const struct dg_config_url *to)
{
	if (to->username[0]) {
		json_object_set_new(job, "username", json_string(to->username));
		json_object_set_new(job, "password", json_string(to->secret));
	}
	if (to->token_file[0])
		json_object_set_new(job, "token", json_string(to->secret));
}

static json_t *post_json(const struct dg_config_url *to, const char *path, json_t *body,
			 const struct dg_config *config)
{
	const char *url = dg_config_url_whole(to);
	char whole[DG_CONFIG_URL_BYTES + 32];
	size_t len = strlen(url);
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_t *job;

	while (path[0] && len && url[len - 1] == '/')
		len--;
	snprintf(whole, sizeof(whole), "%.*s%s", (int)len, url, path);
	job = text ? json_pack("{s:s, s:s, s:s, s:i}", "url", whole, "body", text, "ca_file",
			       config->alerts_ca_file, "seconds", DG_NOTIFY_SECONDS / 2) :
		     NULL;
	if (job)
		credentials_add(job, to);
	free(text);
	json_decref(body);
	return job;
}

static json_t *command_json(const struct dg_config *config, const struct dg_message *message)
{
	json_t *argv = json_array(), *body = dg_body_webhook(message), *job;
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	for (__u32 i = 0; i < config->alerts_command.count; i++)
		json_array_append_new(argv,
				      json_string(dg_config_argv_word(&config->alerts_command, i)));
	job = json_pack("{s:o, s:o, s:s}", "argv", argv, "environment", dg_body_fields(message),
			"input", text ? text : "");
	free(text);
	json_decref(body);
	return job;
}

static json_t *job_json(const struct dg_sink *sink, const struct dg_config *config,
			const struct dg_message *messages, unsigned int count)
{
	json_t *all;

	if (sink->kind == DG_SINK_COMMAND)
		return command_json(config, messages);
	if (sink->kind == DG_SINK_WEBHOOK)
		return post_json(&sink->to, "", dg_body_webhook(messages), config);
	all = json_array();
	for (unsigned int i = 0; i < count; i++)
		json_array_append_new(all, dg_body_alertmanager(&messages[i]));
	return post_json(&sink->to, "/api/v2/alerts", all, config);
}

int dg_send_job(const struct dg_sink *sink, const struct dg_config *config,
		const struct dg_message *messages, unsigned int count, int *ret_fd)
{
	dg_scoped_fd int fd = memfd_create("dnsguard-job", MFD_CLOEXEC);
	json_t *job = job_json(sink, config, messages, count);
	int failed;

	if (fd < 0 || !job) {
		json_decref(job);
		return -ENOMEM;
	}
	failed = json_dumpfd(job, fd, JSON_COMPACT) || lseek(fd, 0, SEEK_SET);
	json_decref(job);
	if (failed)
		return -EIO;
	*ret_fd = dg_take_fd(fd);
	return 0;
}

/* ---- one to its end --------------------------------------------------------------------------- */

static int job_start(const char *path, int job_fd, int err_fd, pid_t *ret)
{
	static char name[] = DG_NOTIFY_PROGRAM;
	char *const argv[] = { name, NULL }, *const environment[] = { NULL };
	posix_spawn_file_actions_t files;
	int status;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, job_fd, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&files, err_fd, 2);
	status = posix_spawn(ret, path, &files, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&files);
	return -status;
}

int dg_send_begin(int job_fd, struct dg_sending *ret, struct dg_error *err)
{
	dg_scoped_fd int ours = -1, its = -1;
	char path[PATH_MAX];
	int ends[2], status = dg_child_find(DG_NOTIFY_PROGRAM, path, err);
	pid_t pid;

	if (status)
		return status;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "no pipe: %s", strerror(errno));
	ours = ends[0];
	its = ends[1];
	status = job_start(path, job_fd, its, &pid);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot start %s: %s", path,
			       strerror(-status));
	*ret = (struct dg_sending){ .pid = pid,
				    .err_fd = dg_take_fd(ours),
				    .deadline_ns = dg_now_ns() + DG_NOTIFY_SECONDS * NS_PER_SEC };
	return 0;
}

/* What is there now. Bytes beyond the room are read past. */
static size_t complaint_take(int fd, char *buf, size_t size, size_t len)
{
	char past[512];
	ssize_t got = 1;

	while (got > 0) {
		bool full = len + 1 == size;

		got = full ? read(fd, past, sizeof(past)) : read(fd, buf + len, size - 1 - len);
		len += got > 0 && !full ? (size_t)got : 0;
	}
	buf[len] = '\0';
	return len;
}

/* What it complains of until it ends: not until its pipe does, which a command may have left to others. */
static int complaint_hear(const struct dg_sending *sending, char *buf, size_t size)
{
	dg_scoped_fd int process = pidfd_open(sending->pid, 0);
	struct pollfd ready[2] = { { .fd = process, .events = POLLIN },
				   { .fd = sending->err_fd, .events = POLLIN } };
	size_t len = 0;

	while (!ready[0].revents) {
		__u64 now_ns = dg_now_ns();
		__u64 left_ns = now_ns < sending->deadline_ns ? sending->deadline_ns - now_ns : 0;

		if (!left_ns || process < 0)
			return -ETIME;
		poll(ready, 2, (int)(left_ns / NS_PER_MS) + 1);
		len = complaint_take(sending->err_fd, buf, size, len);
		if (ready[1].revents & POLLHUP)
			ready[1].fd = -1;
	}
	return 0;
}

/* A command leads a group of its own: what it has started goes with it. */
static int job_end(pid_t pid, int heard)
{
	int ended = 0;

	if (heard) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, &ended, 0) < 0 && errno == EINTR)
		;
	return ended;
}

static int failure_tell(int ended, char *complaint, struct dg_error *err)
{
	char how[32];

	complaint[strcspn(complaint, "\n")] = '\0';
	if (!strncmp(complaint, DG_NOTIFY_PROGRAM ": ", strlen(DG_NOTIFY_PROGRAM ": ")))
		return dg_fail(err, -EIO, DG_EXIT_FAILED, "%s",
			       complaint + strlen(DG_NOTIFY_PROGRAM ": "));
	snprintf(how, sizeof(how), WIFEXITED(ended) ? "exit status %d" : "ended by signal %d",
		 WIFEXITED(ended) ? WEXITSTATUS(ended) : WTERMSIG(ended));
	return dg_fail(err, -EIO, DG_EXIT_FAILED, "%s%s%s", how,
		       complaint[0] ? ": " : ", and it said nothing",
		       dg_text_is_clean(complaint) ? complaint : DG_QUOTE(complaint));
}

int dg_send_end(struct dg_sending *sending, struct dg_error *err)
{
	char complaint[512] = "";
	int heard = complaint_hear(sending, complaint, sizeof(complaint));
	int ended = job_end(sending->pid, heard);

	dg_close_fd(&sending->err_fd);
	if (heard)
		return dg_fail(err, heard, DG_EXIT_FAILED, "no end within %d seconds",
			       DG_NOTIFY_SECONDS);
	return WIFEXITED(ended) && !WEXITSTATUS(ended) ? 0 : failure_tell(ended, complaint, err);
}
