// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * history.c - the daemon writes its history once a minute.
 *
 * A slow disk must not hold up the loop, so reading and writing are done in a thread; nothing else
 * touches the file meanwhile.
 */
#include <errno.h>
#include <string.h>
#include <uv.h>

#include "loader/loader.h"
#include "userspace/dnsguardd/daemon.h"
#include "userspace/dnsguardd/history.h"
#include "userspace/dnsguardd/log.h"
#include "userspace/dnsguardd/pressure.h"
#include "userspace/history/sample.h"
#include "userspace/lib/state.h"

#define PERIOD_MS 55000 /* peaks are remembered for a minute: none falls between two samples */

struct dg_historian {
	const struct dg_daemon *daemon;
	uv_timer_t timer;
	uv_work_t work;
	struct dg_quota_sharers sharers; /* as they were when the thread was sent off */
	int busy, failed, failed_before;
	struct dg_error err;
};

static int sample_write(const char *state_dir, const struct dg_history_sample *sample,
			struct dg_error *err)
{
	struct dg_history *history dg_scoped_history = NULL;
	int failed = dg_state_dir_make(state_dir, err);

	if (!failed)
		failed = dg_history_open(state_dir, true, &history, err);
	return failed ? failed : dg_history_add(history, sample, err);
}

/* A file that is damaged is put aside, and a new one begun: the history of today is worth more. */
static int history_write(const struct dg_daemon *daemon, const struct dg_quota_sharers *sharers,
			 struct dg_error *err)
{
	const char *state_dir = daemon->options->state_dir;
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	struct dg_history_sample sample = { 0 };
	int failed;

	if (dg_maps_open(daemon->options->bpffs, &maps, NULL))
		return 0; /* nothing is guarded: nothing to tell */
	failed = dg_history_sample_read(
		&maps, dg_tcpstate_runs(daemon->options->bpffs) ? sharers : NULL, &sample);
	if (failed)
		return dg_fail(err, failed, DG_EXIT_FAILED, "cannot read the counters: %s",
			       strerror(-failed));
	failed = sample_write(state_dir, &sample, err);
	if (failed == -EBADF) {
		dg_history_put_aside(state_dir);
		failed = sample_write(state_dir, &sample, err);
		if (!failed)
			failed = dg_fail(err, -EBADF, DG_EXIT_FAILED,
					 "%s/" DG_HISTORY_FILE
					 " was damaged, is kept as " DG_HISTORY_FILE
					 ".broken, and a new one is begun",
					 state_dir);
	}
	free((void *)sample.name);
	return failed;
}

static void work_begin(uv_work_t *work)
{
	struct dg_historian *historian = work->data;

	historian->failed = history_write(historian->daemon, &historian->sharers, &historian->err);
}

static void result_say(struct dg_historian *historian)
{
	if (historian->failed && !historian->failed_before)
		dg_log(DG_LOG_ERROR, "history: %s", historian->err.text);
	historian->failed_before = historian->failed;
}

static void work_end(uv_work_t *work, int status)
{
	struct dg_historian *historian = work->data;

	(void)status;
	result_say(historian);
	historian->busy = 0;
}

static void on_timer(uv_timer_t *timer)
{
	struct dg_historian *historian = timer->data;

	if (historian->busy)
		return;
	historian->work.data = historian;
	dg_quotas_sharers(historian->daemon->quotas, &historian->sharers);
	historian->busy = !uv_queue_work(timer->loop, &historian->work, work_begin, work_end);
}

int dg_historian_start(struct dg_daemon *daemon, struct dg_historian **ret)
{
	struct dg_historian *historian = calloc(1, sizeof(*historian));

	if (!historian)
		return -ENOMEM;
	historian->daemon = daemon;
	uv_timer_init(&daemon->loop, &historian->timer);
	historian->timer.data = historian;
	uv_timer_start(&historian->timer, on_timer, 0, PERIOD_MS);
	*ret = historian;
	return 0;
}

void dg_historian_stop(struct dg_historian *historian)
{
	if (historian)
		uv_timer_stop(&historian->timer);
}

void dg_historian_free(struct dg_historian *historian)
{
	if (!historian)
		return;
	dg_quotas_sharers(historian->daemon->quotas, &historian->sharers);
	historian->failed = history_write(historian->daemon, &historian->sharers, &historian->err);
	result_say(historian);
	free(historian);
}
