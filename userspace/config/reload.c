// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reload.c - the note of a command that asks for something, and what the daemon publishes in answer.
 */
#include "userspace/config/reload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/random.h>

#include "userspace/lib/maps.h"
#include "userspace/lib/state.h"

static int run_path(const char *kind, const char *bpffs, struct dg_path *ret, struct dg_error *err)
{
	int failed = dg_run_path(kind, bpffs, ret);

	return failed ? dg_fail(err, failed, DG_EXIT_FAILED,
				"cannot use %s: %s; run it as root, "
				"with sudo",
				DG_RUN_DIR, strerror(-failed)) :
			0;
}

/* The pid file outlives a killed daemon, and its number may be another's by now: the name decides. */
static int is_daemon(long pid)
{
	char path[48], name[20] = "";
	dg_scoped_file FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
	file = fopen(path, "re");
	return file && fgets(name, sizeof(name), file) && !strcmp(name, "dnsguardd\n");
}

int dg_daemon_pid(const char *bpffs, pid_t *ret, struct dg_error *err)
{
	dg_scoped_file FILE *file = NULL;
	struct dg_path path;
	long pid = 0;
	int failed = run_path("dnsguardd", bpffs, &path, err);

	if (failed)
		return failed;
	file = fopen(path.text, "re");
	if (!file && errno == EACCES)
		return dg_fail(err, -EACCES, DG_EXIT_FAILED,
			       "cannot read %s: %s; run it as root, with sudo", path.text,
			       strerror(errno));
	if (!file || fscanf(file, "%ld", &pid) != 1 || pid <= 0 || !is_daemon(pid))
		return dg_fail(err, -ESRCH, DG_EXIT_NOT_ATTACHED,
			       "no dnsguardd runs for %s; start it with: systemctl start dnsguardd",
			       bpffs);
	*ret = (pid_t)pid;
	return 0;
}

/* Names of files in /run/dnsguard, and of the command for people. */
static const struct {
	const char *note, *lock, *command;
} asking[DG_ASKINGS] = {
	[DG_ASK_RELOAD] = { "ask", "reload", "reload" },
	[DG_ASK_ALERT_TEST] = { "ask-alert-test", "lock-alert-test", "alert test" },
};

int dg_asking_lock(const char *bpffs, enum dg_asking what, int *ret_fd, struct dg_error *err)
{
	dg_scoped_fd int fd = -1;
	struct dg_path path;
	int failed = run_path(asking[what].lock, bpffs, &path, err);

	if (failed)
		return failed;
	fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	failed = fd < 0 ? -errno : dg_flock_wait(fd, DG_ASKING_WAIT_NS);
	if (failed == -EWOULDBLOCK)
		return dg_fail(
			err, failed, DG_EXIT_FAILED,
			"another \"dnsguard %s\" has been waiting for dnsguardd for 60 s; see "
			"what it does with: journalctl -u dnsguardd",
			asking[what].command);
	if (failed)
		return dg_fail(err, failed, DG_EXIT_FAILED,
			       "cannot take the lock %s: %s; run it as root, with sudo", path.text,
			       strerror(-failed));
	*ret_fd = dg_take_fd(fd);
	return 0;
}

int dg_note_leave(const char *bpffs, enum dg_asking what, const struct dg_reload_note *note,
		  struct dg_error *err)
{
	struct dg_state_file file dg_scoped_state = DG_STATE_FILE_NONE;
	struct dg_path path;
	int failed = run_path(asking[what].note, bpffs, &path, err);

	if (!failed)
		failed = dg_state_begin(path.text, 0600, &file, err);
	if (failed)
		return failed;
	fprintf(file.file, "%s\n%s\n", note->token, note->who);
	return dg_state_commit(&file, err);
}

_Static_assert(DG_TOKEN_MAX == 32 && DG_WHO_MAX == 160, "the widths below");

void dg_note_take(const char *bpffs, enum dg_asking what, struct dg_reload_note *ret)
{
	dg_scoped_file FILE *file = NULL;
	struct dg_reload_note note = { "", "" };
	struct dg_path path;

	*ret = note;
	if (dg_run_path(asking[what].note, bpffs, &path))
		return;
	file = fopen(path.text, "re");
	if (!file)
		return;
	unlink(path.text);
	/* The widths are those of the fields. */
	if (fscanf(file, "%32[0-9a-f]\n%159[^\n]", note.token, note.who) != 2)
		return;
	*ret = note;
}

/* ---- what is published ---------------------------------------------------------------------- */

#define KIND_CONFIG "config"
#define KIND_ALERT_TEST "alert-test"

static int publish(const char *kind, const char *bpffs, const json_t *state, struct dg_error *err)
{
	struct dg_state_file file dg_scoped_state = DG_STATE_FILE_NONE;
	struct dg_path path;
	int failed = run_path(kind, bpffs, &path, err);

	if (!failed)
		failed = dg_state_begin(path.text, 0600, &file, err);
	if (failed)
		return failed;
	if (!state || json_dumpf(state, file.file, JSON_INDENT(1)))
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "%s: out of memory", path.text);
	return dg_state_commit(&file, err);
}

static int published(const char *kind, const char *bpffs, json_t **ret, struct dg_error *err)
{
	struct dg_path path;
	json_t *state;
	int failed = run_path(kind, bpffs, &path, err);

	if (failed)
		return failed;
	state = json_load_file(path.text, 0, NULL);
	if (!json_is_object(state)) {
		json_decref(state);
		return dg_fail(err, -ENOENT, DG_EXIT_FAILED,
			       "%s: the daemon has not said what it runs with; is it older than "
			       "this command? restart it: systemctl restart dnsguardd",
			       path.text);
	}
	*ret = state;
	return 0;
}

int dg_reload_publish(const char *bpffs, const json_t *state, struct dg_error *err)
{
	return publish(KIND_CONFIG, bpffs, state, err);
}

int dg_reload_state(const char *bpffs, json_t **ret, struct dg_error *err)
{
	return published(KIND_CONFIG, bpffs, ret, err);
}

int dg_alert_test_publish(const char *bpffs, const json_t *state, struct dg_error *err)
{
	return publish(KIND_ALERT_TEST, bpffs, state, err);
}

int dg_alert_test_state(const char *bpffs, json_t **ret, struct dg_error *err)
{
	return published(KIND_ALERT_TEST, bpffs, ret, err);
}

/* ---- marks ---------------------------------------------------------------------------------- */

int dg_mark_key_draw(__u64 ret[4])
{
	const size_t size = 4 * sizeof(ret[0]);

	return getrandom(ret, size, 0) == (ssize_t)size ? 0 : -EIO;
}

void dg_mark_key_text(const __u64 key[4], char ret[DG_MARK_KEY_TEXT])
{
	snprintf(ret, DG_MARK_KEY_TEXT, "%016" PRIx64 "%016" PRIx64 "%016" PRIx64 "%016" PRIx64,
		 (uint64_t)key[0], (uint64_t)key[1], (uint64_t)key[2], (uint64_t)key[3]);
}

int dg_mark_key_read(const char *text, __u64 ret[4])
{
	uint64_t key[4];

	if (sscanf(text, "%16" SCNx64 "%16" SCNx64 "%16" SCNx64 "%16" SCNx64, &key[0], &key[1],
		   &key[2], &key[3]) != 4)
		return -EINVAL;
	for (int i = 0; i < 4; i++)
		ret[i] = key[i];
	return 0;
}

/* ---- waiting -------------------------------------------------------------------------------- */

int dg_reload_watch(int *ret_fd, struct dg_error *err)
{
	dg_scoped_fd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0 || inotify_add_watch(fd, DG_RUN_DIR, IN_MOVED_TO) < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot watch %s: %s", DG_RUN_DIR,
			       strerror(errno));
	*ret_fd = dg_take_fd(fd);
	return 0;
}
