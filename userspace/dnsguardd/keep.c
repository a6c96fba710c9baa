// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keep.c - state files written by libuv's threads.
 */
#include "userspace/dnsguardd/keep.h"

#include "userspace/dnsguardd/log.h"
#include "userspace/lib/state.h"

static int file_write(const char *path, const char *text, struct dg_error *err)
{
	dg_scoped_state struct dg_state_file state = DG_STATE_FILE_NONE;
	int failed = dg_state_begin(path, 0600, &state, err);

	if (failed)
		return failed;
	fprintf(state.file, "%s\n", text);
	return dg_state_commit(&state, err);
}

/* In a thread. */
static void write_begin(uv_work_t *work)
{
	struct dg_keep *keep = work->data;

	keep->failed = file_write(keep->path, keep->text, &keep->err);
}

static void result_say(struct dg_keep *keep)
{
	if (keep->failed && !keep->failed_before)
		dg_log(DG_LOG_ERROR, "%s; alerts would not survive a restart", keep->err.text);
	keep->failed_before = keep->failed;
}

static void write_end(uv_work_t *work, int status)
{
	struct dg_keep *keep = work->data;

	(void)status;
	result_say(keep);
	free(keep->text);
	keep->text = NULL;
	keep->busy = false;
}

bool dg_keep_write(struct dg_keep *keep, uv_loop_t *loop, char *text)
{
	if (!text || keep->busy) {
		free(text);
		return false;
	}
	keep->text = text;
	keep->work.data = keep;
	keep->busy = !uv_queue_work(loop, &keep->work, write_begin, write_end);
	if (!keep->busy)
		free(text);
	return keep->busy;
}

void dg_keep_now(struct dg_keep *keep, char *text)
{
	if (text) {
		keep->failed = file_write(keep->path, text, &keep->err);
		result_say(keep);
	}
	free(text);
}
