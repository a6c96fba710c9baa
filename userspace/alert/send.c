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
#include <sys/wait.h>

#include "userspace/lib/maps.h"
#include "userspace/lib/quote.h"
#include "userspace/lists/child.h"

#define NS_PER_SEC 1000000000ull
#define NS_PER_MS 1000000ull

/* ---- jobs ------------------------------------------------------------------------------------- */

static json_t *post_json(const char *url, const char *path, json_t *body,
			 const struct dg_config *config)
{
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
		return post_json(sink->url, "", dg_body_webhook(messages), config);
	all = json_array();
	for (unsigned int i = 0; i < count; i++)
		json_array_append_new(all, dg_body_alertmanager(&messages[i]));
	return post_json(sink->url, "/api/v2/alerts", all, config);
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

/* What it complains of, until it ends. Bytes beyond the room are read past. */
static int complaint_hear(int fd, char *buf, size_t size)
{
	const __u64 deadline_ns = dg_now_ns() + DG_NOTIFY_SECONDS * NS_PER_SEC;
	char past[512];
	size_t len = 0;
	ssize_t got = 1;

	buf[0] = '\0';
	while (got > 0) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		__u64 now_ns = dg_now_ns();
		bool full = len + 1 == size;

		if (now_ns >= deadline_ns ||
		    poll(&ready, 1, (int)((deadline_ns - now_ns) / NS_PER_MS) + 1) == 0)
			return -ETIME;
		got = full ? read(fd, past, sizeof(past)) : read(fd, buf + len, size - 1 - len);
		len += got > 0 && !full ? (size_t)got : 0;
		buf[len] = '\0';
	}
	return 0;
}

static int job_end(pid_t pid, int heard, char *complaint, struct dg_error *err)
{
	int ended = 0;

	if (heard)
		kill(pid, SIGKILL);
	while (waitpid(pid, &ended, 0) < 0 && errno == EINTR)
		;
	if (heard)
		return dg_fail(err, heard, DG_EXIT_FAILED, "no end within %d seconds",
			       DG_NOTIFY_SECONDS);
	if (WIFEXITED(ended) && !WEXITSTATUS(ended))
		return 0;
	complaint[strcspn(complaint, "\n")] = '\0';
	if (!strncmp(complaint, DG_NOTIFY_PROGRAM ": ", strlen(DG_NOTIFY_PROGRAM ": ")))
		complaint += strlen(DG_NOTIFY_PROGRAM ": ");
	return dg_fail(err, -EIO, DG_EXIT_FAILED, "%s",
		       !complaint[0]		   ? "it failed and said nothing" :
		       dg_text_is_clean(complaint) ? complaint :
						     DG_QUOTE(complaint));
}

int dg_send_wait(int job_fd, struct dg_error *err)
{
	dg_scoped_fd int ours = -1, its = -1;
	char path[PATH_MAX], complaint[512];
	int ends[2], status = dg_child_find(DG_NOTIFY_PROGRAM, path, err);
	pid_t pid;

	if (status)
		return status;
	if (pipe2(ends, O_CLOEXEC))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "no pipe: %s", strerror(errno));
	ours = ends[0];
	its = ends[1];
	status = job_start(path, job_fd, its, &pid);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot start %s: %s", path,
			       strerror(-status));
	dg_close_fd(&its);
	return job_end(pid, complaint_hear(ours, complaint, sizeof(complaint)), complaint, err);
}
