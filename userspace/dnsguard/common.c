// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * common.c - what several verbs share.
 */
#include "userspace/dnsguard/common.h"

#include <errno.h>
#include <net/if.h>

#include "userspace/dnsguard/verbs.h"

#define NS_PER_SEC 1000000000ull
#define DEVICES_NEAR 1024 /* names to look for a near one in */

const char *const dg_mode_names[] = { "off", "observe", "enforce", NULL };

int dg_open_locked(const struct dg_cli *cli, struct dg_maps *ret_maps, int *ret_lock,
		   struct dg_error *err)
{
	int status = dg_maps_open(cli->bpffs, ret_maps, err);

	return status ? status : dg_lock(cli->bpffs, ret_lock, err);
}

int dg_change_saved(const struct dg_cli *cli, int failed, struct dg_error *err)
{
	const struct dg_error why = *err;

	if (!failed)
		return 0;
	dg_journal(cli);
	return dg_fail(err, failed, DG_EXIT_FAILED, "done, but a reboot undoes it: %.900s",
		       why.text);
}

int dg_device_check(const char *name, struct dg_error *err)
{
	struct if_nameindex *all = if_nametoindex(name) ? NULL : if_nameindex();
	const char *names[DEVICES_NEAR + 1] = { NULL }, *near;
	size_t count = 0;

	if (!all)
		return 0; /* it is there; or who asks for more will be told */
	for (const struct if_nameindex *one = all; one->if_index && count < DEVICES_NEAR; one++)
		names[count++] = one->if_name;
	near = dg_nearest(name, names);
	dg_fail(err, -ENODEV, DG_EXIT_NOT_FOUND, "there is no network device \"%.64s\" here%s%s%s",
		name, near ? "; did you mean " : ": see them with: ip link", near ? near : "",
		near ? "?" : "");
	if_freenameindex(all);
	return -ENODEV;
}

json_t *dg_json_until(__u64 until_ns)
{
	__u64 now_ns = dg_now_ns();

	if (!until_ns || until_ns == ~0ull)
		return json_null();
	return json_integer(until_ns > now_ns ? (json_int_t)((until_ns - now_ns + NS_PER_SEC - 1) /
							     NS_PER_SEC) :
						0);
}

void dg_json_drop(json_t **document)
{
	json_decref(*document);
	*document = NULL;
}

volatile sig_atomic_t dg_stopped;

static void stop(int signal_number)
{
	(void)signal_number;
	dg_stopped = 1;
}

void dg_stop_catch(void)
{
	struct sigaction action = { .sa_handler = stop }; /* no SA_RESTART: waits end */

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}
