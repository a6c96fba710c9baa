// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * common.c - what several verbs share.
 */
#include "userspace/dnsguard/common.h"

#include "userspace/lib/stats.h"

#define NS_PER_SEC 1000000000ull
#define TALKERS_MAX 64
#define TALKERS_WINDOW_NS (10 * NS_PER_SEC)

const char *const dg_mode_names[] = { "off", "observe", "enforce", NULL };

int dg_open_locked(const struct dg_cli *cli, struct dg_maps *ret_maps, int *ret_lock,
		   struct dg_error *err)
{
	int status = dg_maps_open(cli->bpffs, ret_maps, err);

	return status ? status : dg_lock(cli->bpffs, ret_lock, err);
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

json_t *dg_json_talkers(int map_fd, __u32 max)
{
	struct dg_talker talkers[TALKERS_MAX];
	__u64 now_ns = dg_now_ns();
	__u64 since_ns = now_ns > TALKERS_WINDOW_NS ? now_ns - TALKERS_WINDOW_NS : 0;
	int count =
		dg_talkers_read(map_fd, since_ns, talkers, max < TALKERS_MAX ? max : TALKERS_MAX);
	json_t *list = json_array();
	char text[64];

	for (int i = 0; i < count; i++) {
		struct dg_prefix prefix = { .family = talkers[i].family,
					    .bits = talkers[i].bits,
					    .addr = talkers[i].addr };
		__u64 ago_ns = now_ns > talkers[i].last_ns ? now_ns - talkers[i].last_ns : 0;

		json_array_append_new(list, json_pack("{s:s, s:I, s:f}", "prefix",
						      dg_prefix_text(&prefix, text, sizeof(text)),
						      "frames", (json_int_t)talkers[i].count,
						      "seconds_ago",
						      (double)ago_ns / (double)NS_PER_SEC));
	}
	return list;
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
