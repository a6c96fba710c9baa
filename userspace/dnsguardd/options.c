// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c - the table of the daemon's options, and the usage printed from it.
 */
#include "userspace/dnsguardd/options.h"

#define OPTION_ROW(id, name, arg, help) { name, arg, help },
const struct dg_daemon_option dg_daemon_options[DG_DAEMON_OPTION_COUNT] = { DG_DAEMON_OPTIONS(
	OPTION_ROW) };

void dg_daemon_usage(FILE *out)
{
	char left[40];

	fputs("usage: dnsguardd [OPTIONS]\n"
	      "\n"
	      "Guards the devices it is told, keeps them guarded, serves /metrics. Ending it leaves the\n"
	      "filtering in place. Without --config it reads /etc/dnsguard/dnsguard.yaml, if that is there,\n"
	      "and conf.d beside it.\n"
	      "\noptions:\n",
	      out);
	for (int i = 0; i < DG_DAEMON_OPTION_COUNT; i++) {
		snprintf(left, sizeof(left), "--%s%s%s", dg_daemon_options[i].name,
			 dg_daemon_options[i].arg[0] ? " " : "", dg_daemon_options[i].arg);
		fprintf(out, "  %-24s %s\n", left, dg_daemon_options[i].help);
	}
}
