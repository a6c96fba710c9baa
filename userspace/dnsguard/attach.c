// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach.c - dnsguard attach: a device comes under guard, for good or on trial.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "loader/loader.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/devices.h"
#include "userspace/dnsguard/trial.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"

#define LIMITER_BYTES_MIN (64 << 10)
#define LIMITER_BYTES_MAX (1 << 30)

enum { TRY, CONFIRM, OBSERVE, MODE, LIMITER, SAVE };

static const char *const mode_words[] = { "auto", "native", "generic",
					  NULL }; /* enum dg_attach_mode */

const struct dg_option dg_attach_options[] = {
	[TRY] = { .name = "try",
		  .type = DG_OPT_DURATION,
		  .arg = "D",
		  .help = "as it was before after D (120s), unless Enter or --confirm keeps it" },
	[CONFIRM] = { .name = "confirm",
		      .type = DG_OPT_FLAG,
		      .help = "keep the guard that is on trial on this device" },
	[OBSERVE] = { .name = "observe",
		      .type = DG_OPT_FLAG,
		      .help = "decide and count, but let everything pass" },
	[MODE] = { .name = "mode",
		   .type = DG_OPT_CHOICE,
		   .arg = "auto|native|generic",
		   .help = "generic is slow and works everywhere (auto = native)",
		   .choices = mode_words },
	[LIMITER] = { .name = "limiter-memory",
		      .type = DG_OPT_BYTES,
		      .arg = "SIZE",
		      .min = LIMITER_BYTES_MIN,
		      .max = LIMITER_BYTES_MAX,
		      .help = "memory of the rate limiter, for the first device (8M)" },
	[SAVE] = { .name = "save",
		   .type = DG_OPT_FLAG,
		   .help = "write it to conf.d/50-cli.yaml as well, so that it lasts" },
	{ 0 },
};

static const struct dg_section sections[] = { { .path = "message" }, { .path = "note" }, { 0 } };

/* ---- telling -------------------------------------------------------------------------------- */

static json_t *attach_json(const struct dg_attach *want, const struct dg_attach_result *result,
			   const char *outcome)
{
	char message[256];

	snprintf(message, sizeof(message), "%s: %s (%s%s, %s)", want->ifname, outcome,
		 mode_words[result->mode], result->frags ? " with fragments" : "",
		 want->observe ? "observing" : "enforcing");
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:b, s:i}", "schema", 1,
			 "message", message, "note", result->note, "interface", want->ifname,
			 "mode", mode_words[result->mode], "enforcing", !want->observe, "replaced",
			 result->replaced, "created", result->created, "fragments", result->frags,
			 "slot", (int)result->slot);
}

static int attach_tell(const struct dg_cli *cli, const struct dg_attach *want,
		       const struct dg_attach_result *result, const char *outcome)
{
	return dg_render(stdout, attach_json(want, result, outcome), sections, cli->json);
}

/* ---- on trial ------------------------------------------------------------------------------- */

/* Enter says keep. A closed standard input says nothing: the trial takes its course. */
static void enter_pass_on(int channel, struct pollfd *input)
{
	const char keep = DG_TRIAL_KEEP;
	char line[256];

	if (read(STDIN_FILENO, line, sizeof(line)) <= 0 || write(channel, &keep, 1) != 1)
		input->fd = -1;
}

/* Waits for the end of the trial. DG_TRIAL_KEEP or DG_TRIAL_DROP. */
static char trial_watch(int channel)
{
	struct pollfd polled[] = { { .fd = channel, .events = POLLIN },
				   { .fd = STDIN_FILENO, .events = POLLIN } };
	char answer[1100];

	for (;;) {
		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			return DG_TRIAL_DROP;
		if (polled[0].revents) {
			ssize_t got = read(channel, answer, sizeof(answer));

			/* A line of text comes before the word when Enter was passed on. */
			if (got <= 0)
				return DG_TRIAL_DROP;
			if (answer[got - 1])
				return answer[got - 1];
			if (answer[0])
				fprintf(stderr, "dnsguard: %s\n", answer);
		}
		if (polled[1].revents)
			enter_pass_on(channel, &polled[1]);
	}
}

static int trial_run(const struct dg_cli *cli, const struct dg_attach *want,
		     struct dg_attach_result *result, struct dg_error *err)
{
	const __u64 span_ns = cli->value[TRY].number;
	struct dg_trial trial = { .bpffs = cli->bpffs,
				  .ifname = want->ifname,
				  .deadline_ns = dg_now_ns() + span_ns,
				  .result = result };
	dg_scoped_fd int channel = -1;
	char span[64];
	int status = dg_trial_start(&trial, &channel, err);

	if (status) {
		dg_attach_undo(cli->bpffs, want->ifname, result, NULL);
		return status;
	}
	dg_attach_result_close(result); /* the child holds them */
	fprintf(stderr,
		"%s is guarded on trial for %s. Enter keeps it, and so does, from anywhere:\n"
		"  dnsguard attach %s --confirm\n",
		want->ifname, dg_duration_text(span_ns, span, sizeof(span)), want->ifname);
	if (trial_watch(channel) == DG_TRIAL_KEEP)
		return attach_tell(cli, want, result, "guarded for good");
	dg_trials_recover(cli->bpffs, NULL, NULL); /* had the child been killed */
	attach_tell(cli, want, result, "trial ended, as it was before");
	return DG_EXIT_FAILED;
}

static int confirm_run(const struct dg_cli *cli, struct dg_error *err)
{
	char message[64];
	int status = dg_trial_tell(cli->bpffs, cli->arg[0], DG_TRIAL_KEEP, err);

	if (status)
		return status;
	snprintf(message, sizeof(message), "%.15s: guarded for good", cli->arg[0]);
	return dg_render(stdout,
			 json_pack("{s:i, s:s, s:s}", "schema", 1, "message", message, "interface",
				   cli->arg[0]),
			 sections, cli->json);
}

/* What is on trial may be gone in a minute: not to be written down. */
static int save_check(const struct dg_cli *cli, struct dg_device_change *change,
		      struct dg_error *err)
{
	if (!cli->value[SAVE].given)
		return 0;
	if (cli->value[TRY].given || cli->value[CONFIRM].given)
		return dg_fail(
			err, -EINVAL, DG_EXIT_USAGE,
			"--save is for good, a trial is not: when it is over, dnsguard attach %.15s --save",
			change->name);
	return dg_devices_save(cli, change, 1, true, err);
}

/* Guarded it is. Should it not come into the file now, after it could have a moment ago, that is said. */
static int attached_save(const struct dg_cli *cli, struct dg_device_change *change,
			 struct dg_error *err)
{
	int failed = cli->value[SAVE].given ? dg_devices_save(cli, change, 1, false, err) : 0;

	if (!failed)
		dg_devices_tell(cli, change, 1, cli->value[SAVE].given);
	return failed;
}

int dg_attach_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped(dg_attach_result_close) struct dg_attach_result result = DG_ATTACH_RESULT_NONE;
	const struct dg_attach want = {
		.bpffs = cli->bpffs,
		.state_dir = cli->state_dir,
		.ifname = cli->arg[0],
		.mode = (enum dg_attach_mode)cli->value[MODE].number,
		.observe = cli->value[OBSERVE].given,
		.limiter_bytes = cli->value[LIMITER].number,
		.pin_link = !cli->value[TRY].given,
	};
	struct dg_device_change change = { .name = want.ifname,
					   .mode = want.mode,
					   .observe = want.observe };
	int status = save_check(cli, &change, err);

	if (status)
		return status;
	if (cli->value[CONFIRM].given)
		return confirm_run(cli, err);
	status = dg_device_check(want.ifname, err);
	if (!status)
		status = dg_attach(&want, &result, err);
	if (status)
		return status;
	if (!want.pin_link)
		return trial_run(cli, &want, &result, err);
	status = attached_save(cli, &change, err);
	if (status)
		return status;
	return attach_tell(cli, &want, &result, result.replaced ? "replaced in place" : "guarded");
}
