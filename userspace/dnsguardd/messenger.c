// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * messenger.c - starts dnsguard-notify with a job, and says how it ended.
 */
#include "userspace/dnsguardd/messenger.h"

#include <string.h>

#include "userspace/dnsguardd/daemon.h"

int dg_messenger_start(struct dg_daemon *daemon, const struct dg_errand *errand,
		       struct dg_program **ret, struct dg_error *err)
{
	static char name[] = DG_NOTIFY_PROGRAM;
	static char *argv[] = { name, NULL };
	dg_scoped_fd int job = -1;
	struct dg_program_want want = { .name = name,
					.argv = argv,
					.seconds_max = DG_NOTIFY_SECONDS,
					.end = errand->end,
					.arg = errand->arg };
	int failed =
		dg_send_job(errand->sink, daemon->config, errand->messages, errand->count, &job);

	if (failed)
		return dg_fail(err, failed, DG_EXIT_FAILED, "no message can be made: %s",
			       strerror(-failed));
	want.input_fd = job;
	return dg_program_start(&daemon->loop, &want, ret, err);
}

const char *dg_messenger_error(const struct dg_program_end *end, char buf[DG_MESSENGER_ERROR])
{
	if (end->late)
		snprintf(buf, DG_MESSENGER_ERROR, "no end within %d seconds", DG_NOTIFY_SECONDS);
	else if (end->exit_status < 0)
		snprintf(buf, DG_MESSENGER_ERROR, "ended by signal %d", end->number);
	else if (end->exit_status)
		snprintf(buf, DG_MESSENGER_ERROR, "exit status %d%s%.120s", end->exit_status,
			 end->complaint[0] ? ": " : "", end->complaint);
	else
		return NULL;
	return buf;
}
