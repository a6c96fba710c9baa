// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - dnsguard-docs, a tool of the build: manual pages and the shipped configuration file,
 * printed from the tables that the programs run with.
 *
 * Prose that belongs to no row stands here. Not installed.
 */
#include <stdio.h>
#include <string.h>

#include "userspace/config/describe.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/dnsguardd/options.h"

#define MAN_DATE "November 24, 2026"

/* Text as mdoc reads it: no line begins with a control character, a backslash is itself. */
static void text(const char *words)
{
	if (words[0] == '.' || words[0] == '\'')
		fputs("\\&", stdout);
	for (; *words; words++)
		if (*words == '\\')
			fputs("\\e", stdout);
		else
			putchar(*words);
	putchar('\n');
}

static void heading(const char *title, int section, const char *name, const char *what)
{
	printf(".Dd " MAN_DATE "\n.Dt %s %d\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n", title, section, name,
	       what);
}

static void tail(const char *also)
{
	printf(".Sh SEE ALSO\n%s", also);
}

/* ---- dnsguard(8) ----------------------------------------------------------------------------- */

/* A word that mdoc would take for a macro of its own ("D", "No") is kept from being one. */
static void options(const struct dg_option *option)
{
	if (!option || !option->name)
		return;
	puts(".Bl -tag -width Ds");
	for (; option->name; option++) {
		printf(".It Fl Fl %s%s%s\n", option->name, option->arg ? " Ar \\&" : "",
		       option->arg ? option->arg : "");
		text(option->help);
	}
	puts(".El");
}

static void verbs(void)
{
	puts(".Bl -tag -width Ds");
	for (const struct dg_verb *verb = dg_verbs; verb->name; verb++) {
		printf(".It Cm %s%s%s\n", verb->name, verb->args[0] ? " Ar \\&" : "", verb->args);
		text(verb->help);
		options(verb->options);
	}
	puts(".El");
}

static const char exit_status[] =
	".Sh EXIT STATUS\n"
	"0 done, 1 failed, 2 usage, 3 not attached or not running, 4 not found, 5 refused by a safety\n"
	"check.\n"
	".Cm status Fl Fl check\n"
	"follows Nagios: 0 good, 1 warning, 2 critical, 3 unknown.\n";

static void dnsguard_8(void)
{
	heading("DNSGUARD", 8, "dnsguard", "guard in front of a DNS resolver: the command line");
	puts(".Sh SYNOPSIS\n.Nm\n.Op Ar OPTIONS\n.Op Ar COMMAND ...\n.Sh DESCRIPTION\n.Nm\n"
	     "loads XDP programs in front of a DNS resolver, on the resolver's own host, and says what\n"
	     "they do.\n"
	     "It works with the daemon\n.Xr dnsguardd 8\nup or down: filtering is the kernel's.\n"
	     "Without a command it is\n.Cm status .\n"
	     "A first word alone means the one that shows:\n.Cm limit\nis\n.Cm limit show .");
	puts(".Ss Commands");
	verbs();
	puts(".Ss Options of every command");
	options(dg_global_options);
	puts(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev DNSGUARD_BPFFS\n"
	     "where the bpf filesystem is mounted, when\n.Fl Fl bpffs\nis not given.\n"
	     ".It Ev NO_COLOR\nno colour, whatever the terminal can do.\n.El");
	puts(".Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/dnsguard/conf.d/50-cli.yaml\n"
	     "what was set with\n.Fl Fl save .\n.It Pa /var/lib/dnsguard\n"
	     "keys, entries of the operator, lists.\n.It Pa /sys/fs/bpf/dnsguard\n"
	     "the guard's pinned programs and tables.\n.El");
	fputs(exit_status, stdout);
	tail(".Xr dnsguard.yaml 5 ,\n.Xr dnsguardd 8\n");
}

/* ---- dnsguardd(8) ---------------------------------------------------------------------------- */

static void dnsguardd_8(void)
{
	heading("DNSGUARDD", 8, "dnsguardd", "guard in front of a DNS resolver: the daemon");
	puts(".Sh SYNOPSIS\n.Nm\n.Op Ar OPTIONS\n.Sh DESCRIPTION\n.Nm\n"
	     "attaches what the configuration names and keeps it attached, refreshes lists, watches TCP,\n"
	     "serves metrics and raises alerts.\n"
	     "Ending it leaves the filtering in place;\n.Cm dnsguard detach\nends that.\n.Pp\n"
	     "The options are:\n.Bl -tag -width Ds");
	for (int i = 0; i < DG_DAEMON_OPTION_COUNT; i++) {
		const struct dg_daemon_option *option = &dg_daemon_options[i];

		printf(".It Fl Fl %s%s%s\n", option->name, option->arg[0] ? " Ar \\&" : "",
		       option->arg);
		text(option->help);
	}
	puts(".El");
	puts(".Sh SIGNALS\n.Bl -tag -width Ds\n.It Dv SIGHUP\n"
	     "reads the configuration again and applies all of it or nothing; the log says what\n"
	     "changed.\n.Cm dnsguard reload\ndoes this and waits for the outcome.\n"
	     ".It Dv SIGTERM , SIGINT\nends the daemon; filtering goes on.\n.El");
	puts(".Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/dnsguard/dnsguard.yaml\n"
	     "the configuration, with\n.Pa conf.d/*.yaml\nbeside it.\n.El");
	puts(".Sh EXIT STATUS\n0 ended by a signal, 1 failed, 2 the configuration or the command line is\n"
	     "wrong.");
	tail(".Xr dnsguard.yaml 5 ,\n.Xr dnsguard 8\n");
}

/* ---- dnsguard.yaml(5) ------------------------------------------------------------------------ */

static void dnsguard_yaml_5(void)
{
	heading("DNSGUARD.YAML", 5, "dnsguard.yaml", "configuration of dnsguardd");
	puts(".Sh DESCRIPTION\n"
	     "A YAML file of keys and values; a key\n.Cm limits.slip\n"
	     "stands below the key\n.Cm limits .\n"
	     "Every file\n.Pa conf.d/*.yaml\n"
	     "beside it is read over it, in the order of the octets of their names.\n"
	     "A key that several files give is what the last one says; a list is replaced as a whole.\n"
	     "A key given twice in one file is an error, as is everything that is not listed here.\n"
	     "Anchors, aliases and tags are not used.\n.Pp\n"
	     "A configuration is applied as a whole or not at all.\n"
	     "A key that nobody gives keeps what the running guard has; one that is taken out of the\n"
	     "files returns to its default with the next reload.\n"
	     "A size is a power of two, as in 8MiB; a duration is like 90s, 5m, 2h, 7d or 1h30m.\n"
	     ".Ss Keys");
	dg_config_write_manual(stdout);
	puts(".Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/dnsguard/dnsguard.yaml\n"
	     ".It Pa /etc/dnsguard/conf.d/*.yaml\n.It Pa /etc/dnsguard/conf.d/50-cli.yaml\n"
	     "written by\n.Cm dnsguard limit set , attach\nand\n.Cm detach\nwith\n.Fl Fl save ;\n"
	     "may be edited, comments in it are lost.\n.El");
	puts(".Sh EXAMPLES\n.Bd -literal\nmode: enforce\ninterfaces: [eth0]\n"
	     "clients: [192.0.2.0/24, \"2001:db8::/32\"]\nlimits: {rate-limit: 50}\n.Ed");
	tail(".Xr dnsguard 8 ,\n.Xr dnsguardd 8\n");
}

static void dnsguard_yaml(void)
{
	dg_config_write_file(stdout);
}

static const struct {
	const char *name;
	void (*print)(void);
} documents[] = {
	{ "dnsguard.8", dnsguard_8 },
	{ "dnsguardd.8", dnsguardd_8 },
	{ "dnsguard.yaml.5", dnsguard_yaml_5 },
	{ "dnsguard.yaml", dnsguard_yaml },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(documents) / sizeof(documents[0]); i++)
		if (!strcmp(argv[1], documents[i].name)) {
			documents[i].print();
			return fflush(stdout) || ferror(stdout);
		}
	fputs("usage: dnsguard-docs dnsguard.8|dnsguardd.8|dnsguard.yaml.5|dnsguard.yaml\n",
	      stderr);
	return 2;
}
