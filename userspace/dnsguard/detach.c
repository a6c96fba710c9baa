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
	int count, detached;
	char name[DG_IF_MAX][16];
	struct dg_device_change change[DG_IF_MAX];
};

/* Each once: a device may be both attached and configured. */
static int name_note(const char *ifname, void *arg)
{
	struct names *names = arg;

	for (int i = 0; i < names->count; i++)
		if (!strcmp(names->name[i], ifname))
			return 0;
	if (names->count == DG_IF_MAX)
		return 0;
	snprintf(names->name[names->count], sizeof(names->name[0]), "%s", ifname);
	names->change[names->count] = (struct dg_device_change){
		.name = names->name[names->count],
		.gone = true,
	};
	names->count++;
	return 0;
}

/* All that are attached; with --save also those that are only configured. */
static int names_all(const struct dg_cli *cli, struct names *names, struct dg_error *err)
{
	int status = dg_links_each(cli->bpffs, name_note, names);

	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "cannot read the links under %s/dnsguard: %s; run it as root, "
			       "with sudo",
			       cli->bpffs, strerror(-status));
	return cli->value[SAVE].given ? dg_devices_each(cli, name_note, names, err) : 0;
}

static int names_collect(const struct dg_cli *cli, struct names *names, struct dg_error *err)
{
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
	return names_all(cli, names, err);
}

/* With --save what is gone here goes from the file, without it the file is asked. A purge leaves nobody to be told. */
static int names_save(const struct dg_cli *cli, struct names *names, bool rehearse,
		      struct dg_error *err)
{
	const bool save = cli->value[SAVE].given;
	const unsigned int count = (unsigned int)names->count;
	int failed = 0;

	if (save && count)
		failed = dg_devices_save(cli, names->change, count, rehearse, err);
	if (!failed && !rehearse && (save || !cli->value[PURGE].given))
		dg_devices_tell(cli, names->change, count, save);
	return failed;
}

/* One that is not attached, but configured, only has to leave the file. */
static int names_detach(const struct dg_cli *cli, struct names *names, json_t *list,
			struct dg_error *err)
{
	int status = 0;

	for (int i = 0; !status && i < names->count; i++) {
		status = device_detach(cli->bpffs, names->name[i], cli->value[PURGE].given, err);
		if (!status) {
			names->detached++;
			json_array_append_new(list, json_string(names->name[i]));
		} else if (status == -ENOENT && cli->value[SAVE].given &&
			   names->change[i].was_named) {
			status = 0;
		}
	}
	return status;
}

/* "a, b: no longer guarded; c: was not attached, is no longer configured" */
static void message_write(const struct names *names, const json_t *list, char *ret, size_t size)
{
	const char *between = "";
	size_t len = 0, i;
	json_t *name;

	json_array_foreach(list, i, name)
	{
		len += (size_t)snprintf(ret + len, size - len, "%s%s", between,
					json_string_value(name));
		between = ", ";
	}
	if (len)
		len += (size_t)snprintf(ret + len, size - len, ": no longer guarded");
	between = len ? "; " : "";
	for (int k = 0, at = 0; k < names->count; k++) {
		const char *done = json_string_value(json_array_get(list, (size_t)at));

		if (done && !strcmp(done, names->name[k])) {
			at++;
			continue;
		}
		len += (size_t)snprintf(ret + len, size - len, "%s%s", between, names->name[k]);
		between = ", ";
	}
	if (names->count > names->detached)
		snprintf(ret + len, size - len, ": was not attached, is no longer configured");
	if (!names->count)
		snprintf(ret, size, "nothing was attached; nothing is left in the kernel");
}

int dg_detach_run(const struct dg_cli *cli, struct dg_error *err)
{
	struct names names = { 0 };
	json_t *list = json_array();
	char message[DG_IF_MAX * 18 + 96];
	int status = names_collect(cli, &names, err);

	if (!status)
		status = names_save(cli, &names, true, err);
	if (!status)
		status = names_detach(cli, &names, list, err);
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
	message_write(&names, list, message, sizeof(message));
	return dg_render(stdout,
			 json_pack("{s:i, s:s, s:o}", "schema", 1, "message", message, "interfaces",
				   list),
			 sections, cli->json);
}
