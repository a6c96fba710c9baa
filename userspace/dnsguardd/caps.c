// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * caps.c - which capabilities the daemon holds, and when (libcap-ng).
 */
#include <cap-ng.h>
#include <errno.h>

#include "userspace/dnsguardd/caps.h"

static const struct {
	unsigned int id;
	const char *name;
} needed[] = {
	{ CAP_BPF, "CAP_BPF" },
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN" },
	{ CAP_PERFMON, "CAP_PERFMON" },
};
#define NEEDED_COUNT (sizeof(needed) / sizeof(needed[0]))

/* Of the programs that are started for lists; they get no more than we may have. */
static const unsigned int lent[] = { CAP_SETUID, CAP_SETGID, CAP_KILL, CAP_NET_BIND_SERVICE };

static int limited;

int dg_caps_check(struct dg_error *err)
{
	for (unsigned int i = 0; i < NEEDED_COUNT; i++)
		if (!capng_have_capability(CAPNG_EFFECTIVE, needed[i].id))
			return dg_fail(
				err, -EPERM, DG_EXIT_FAILED,
				"%s is missing; run as root: sudo dnsguardd, or systemctl start dnsguardd",
				needed[i].name);
	return 0;
}

int dg_caps_limit(struct dg_error *err)
{
	/* Shrinking the bounding set needs CAP_SETPCAP; a sandboxed service lacks it and was born
	 * with a small set. */
	int may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	int lend[sizeof(lent) / sizeof(lent[0])];

	for (unsigned int i = 0; i < sizeof(lent) / sizeof(lent[0]); i++)
		lend[i] = capng_have_capability(CAPNG_PERMITTED, lent[i]);
	capng_clear(CAPNG_SELECT_BOTH);
	for (unsigned int i = 0; i < sizeof(lent) / sizeof(lent[0]); i++) {
		if (lend[i])
			capng_update(CAPNG_ADD, CAPNG_PERMITTED | CAPNG_BOUNDING_SET, lent[i]);
	}
	for (unsigned int i = 0; i < NEEDED_COUNT; i++) {
		capng_update(CAPNG_ADD, CAPNG_PERMITTED | CAPNG_BOUNDING_SET, needed[i].id);
		if (needed[i].id != CAP_PERFMON)
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, needed[i].id);
	}
	if ((may_bound && capng_apply(CAPNG_SELECT_BOUNDS)) || capng_apply(CAPNG_SELECT_CAPS))
		return dg_fail(err, -EPERM, DG_EXIT_FAILED, "cannot give up capabilities");
	limited = 1;
	return 0;
}

static void turn(int on, unsigned int capability)
{
	if (!limited || !capng_have_capability(CAPNG_PERMITTED, capability))
		return;
	capng_update(on ? CAPNG_ADD : CAPNG_DROP, CAPNG_EFFECTIVE, capability);
	capng_apply(CAPNG_SELECT_CAPS);
}

void dg_caps_loading(int on)
{
	turn(on, CAP_PERFMON);
}

void dg_caps_killing(int on)
{
	turn(on, CAP_KILL);
}
