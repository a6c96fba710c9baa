// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * detach.c - dnsguard detach: one device or all leave the guard; with --purge nothing of it stays in the kernel.
 */
#include <errno.h>
#include <string.h>

#include "loader/loader.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/devices.h"
#include "userspace/dnsguard/trial.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"

enum { ALL, PURGE, SAVE };

const struct dg_option dg_detach_options[] = {
	[ALL] = { .name = "all", .type = DG_OPT_FLAG, .help = "every guarded device" },
	[PURGE] = { .name = "purge",
		    .type = DG_OPT_FLAG,
		    .help = "with the last device, remove counters, bans and settings from the kernel too" },
	[SAVE] = { .name = "save",
		   .type = DG_OPT_FLAG,
		   .help = "write it to conf.d/50-cli.yaml as well, so that no start guards it again" },
	{ 0 },
};

static const struct dg_section sections[] = { { .path = "message" }, { 0 } };

/* A guard that is new on trial has no pin to remove: its holder does it. One that was replaced has; its holder may go. */
static int device_detach(const char *bpffs, const char *ifname, bool purge, struct dg_error *err)
{
	int told, status = dg_detach(bpffs, ifname, purge, err);

	if ((status && status != -ENOENT) || !dg_trial_runs(bpffs, ifname))
		return status;
	told = dg_trial_tell(bpffs, ifname, DG_TRIAL_DROP, status ? err : NULL);
	return status ? told : 0;
}

struct names {
	int count;
	char name[DG_IF_MAX][16];
};

static int name_note(const char *ifname, void *arg)
{
	struct names *names = arg;

	if (names->count < DG_IF_MAX)
		snprintf(names->name[names->count++], sizeof(names->name[0]), "%s", ifname);
	return 0;
}

static int names_collect(const struct dg_cli *cli, struct names *names, struct dg_error *err)
{
	int status;

	if (!cli->value[ALL].given && !cli->args)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "which device? dnsguard detach IFACE, or --all");
	if (cli->value[ALL].given && cli->args)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "\"%.64s\" and --all: give one of the two", cli->arg[0]);
	if (cli->args) {
		if (strlen(cli->arg[0]) >= sizeof(names->name[0]))
			return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
				       "\"%.64s\" is no device: a name has at most 15 letters",
				       cli->arg[0]);
		return name_note(cli->arg[0], names);
	}
	status = dg_links_each(cli->bpffs, name_note, names);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "cannot read the links under %s/dnsguard: %s; run it as root, "
			       "with sudo",
			       cli->bpffs, strerror(-status));
	return 0;
}

/* With --save what is gone here goes from the file, without it the file is asked. A purge leaves nobody to be told. */
static int names_save(const struct dg_cli *cli, const struct names *names, bool rehearse,
		      struct dg_error *err)
{
	const bool save = cli->value[SAVE].given;
	struct dg_device_change changes[DG_IF_MAX];
	const unsigned int count = (unsigned int)names->count;
	int failed = 0;

	for (unsigned int i = 0; i < count; i++)
		changes[i] = (struct dg_device_change){ .name = names->name[i], .gone = true };
	if (save)
		failed = dg_devices_save(cli, changes, count, rehearse, err);
	if (!failed && !rehearse && (save || !cli->value[PURGE].given))
		dg_devices_tell(cli, changes, count, save);
	return failed;
}

int dg_detach_run(const struct dg_cli *cli, struct dg_error *err)
{
	struct names names = { 0 };
	json_t *list = json_array();
	char message[DG_IF_MAX * 17 + 64] = "";
	int status = names_collect(cli, &names, err);

	if (!status)
		status = names_save(cli, &names, true, err);
	for (int i = 0; !status && i < names.count; i++) {
		status = device_detach(cli->bpffs, names.name[i], cli->value[PURGE].given, err);
		snprintf(message + strlen(message), sizeof(message) - strlen(message), "%s%s",
			 i ? ", " : "", names.name[i]);
		json_array_append_new(list, json_string(names.name[i]));
	}
	if (!status && !names.count && !cli->value[PURGE].given)
		status = dg_fail(err, -ENOENT, DG_EXIT_NOT_ATTACHED,
				 "nothing is attached under %s/dnsguard", cli->bpffs);
	/* What an unreadable or deviceless guard left behind. */
	if (!status && !names.count)
		status = dg_purge(cli->bpffs, err);
	if (!status)
		status = names_save(cli, &names, false, err);
	if (status) {
		json_decref(list);
		return status;
	}
	strcat(message, names.count ? ": no longer guarded" :
				      "nothing was attached; nothing is left in the kernel");
	return dg_render(stdout,
			 json_pack("{s:i, s:s, s:o}", "schema", 1, "message", message, "interfaces",
				   list),
			 sections, cli->json);
}
