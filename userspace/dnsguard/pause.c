// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pause.c - dnsguard pause, resume: everything passes for a while, and is counted as such.
 *
 * The kernel ends the pause by itself at its deadline, whether or not anything in userspace lives.
 */
#include <errno.h>
#include <string.h>

#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"

static const struct dg_section sections[] = { { .path = "message" }, { 0 } };

static int paused_until_write(const struct dg_cli *cli, __u64 until_ns, __u64 *ret_before_ns,
			      struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_fd int lock = -1;
	struct dg_settings settings;
	int status = dg_open_locked(cli, &maps, &lock, err);

	if (status)
		return status;
	status = dg_settings_read(&maps, &settings);
	*ret_before_ns = settings.paused_until_ns;
	settings.paused_until_ns = until_ns;
	if (!status)
		status = dg_settings_write(&maps, &settings);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot write the settings: %s",
			       strerror(-status));
	return 0;
}

int dg_pause_run(const struct dg_cli *cli, struct dg_error *err)
{
	__u64 for_ns, until_ns, before_ns;
	char text[64], message[128];
	int status = dg_duration_parse(cli->arg[0], &for_ns, err);

	if (status)
		return status;
	until_ns = dg_now_ns() + for_ns;
	status = paused_until_write(cli, until_ns, &before_ns, err);
	if (status)
		return status;
	snprintf(message, sizeof(message),
		 "paused for %s: everything passes until then, or until: dnsguard resume",
		 dg_duration_text(for_ns, text, sizeof(text)));
	return dg_render(stdout,
			 json_pack("{s:i, s:s, s:o}", "schema", 1, "message", message,
				   "paused_seconds", dg_json_until(until_ns)),
			 sections, cli->json);
}

int dg_resume_run(const struct dg_cli *cli, struct dg_error *err)
{
	__u64 before_ns;
	int status = paused_until_write(cli, 0, &before_ns, err);

	if (status)
		return status;
	return dg_render(stdout,
			 json_pack("{s:i, s:s, s:n}", "schema", 1, "message",
				   before_ns > dg_now_ns() ? "resumed" : "was not paused",
				   "paused_seconds"),
			 sections, cli->json);
}
