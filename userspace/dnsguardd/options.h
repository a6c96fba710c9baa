/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.h - the daemon's command line as a table: --help, the parser and dnsguardd(8) read it.
 */
#ifndef DG_DAEMON_OPTIONS_H
#define DG_DAEMON_OPTIONS_H

#include <stdio.h>

/* X(id, name, argument or "", help). */
#define DG_DAEMON_OPTIONS(X)                                                                       \
	X(CONFIG, "config", "FILE",                                                                \
	  "read this file, and conf.d beside it, instead of /etc/dnsguard/dnsguard.yaml")          \
	X(INTERFACE, "interface", "IF", "guard this device as well; may be repeated")              \
	X(OBSERVE, "observe", "", "decide and count, let all packets pass")                        \
	X(LISTEN, "listen", "ADDRESS:PORT", "where metrics are served, or off")                    \
	X(BPFFS, "bpffs", "DIR",                                                                   \
	  "where the bpf filesystem is mounted (default /sys/fs/bpf, or $DNSGUARD_BPFFS)")         \
	X(STATE, "state-dir", "DIR",                                                               \
	  "where keys and entries are kept (default /var/lib/dnsguard)")                           \
	X(CHECK, "check-config", "", "judge the configuration, change nothing")                    \
	X(KEYS, "config-keys", "", "show every key of the configuration, and its default")         \
	X(VERSION, "version", "", "show the version")                                              \
	X(HELP, "help", "", "show this")

struct dg_daemon_option {
	const char *name, *arg, *help;
};
#define DG_OPT_ID(id, ...) DG_DAEMON_OPT_##id,
enum dg_daemon_option_id { DG_DAEMON_OPTIONS(DG_OPT_ID) DG_DAEMON_OPTION_COUNT };
#undef DG_OPT_ID
extern const struct dg_daemon_option dg_daemon_options[DG_DAEMON_OPTION_COUNT];

/* --help. */
void dg_daemon_usage(FILE *out);

#endif
