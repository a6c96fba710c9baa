// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c - the command line of dnsguard-transfer, read and checked as a whole.
 *
 * The usage text here is the contract with those who start this program as a child.
 */
#include "userspace/transfer/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>

#include "userspace/lib/quote.h"
#include "userspace/lib/values.h"
#include "userspace/transfer/clock.h"

const char dg_options_usage[] =
	"usage: dnsguard-transfer --zone ZONE --primary ADDR[@PORT] --output FILE [OPTION ...]\n"
	"       dnsguard-transfer --once --zone ZONE --primary ADDR[@PORT] --output FILE|--output-fd N\n"
	"\n"
	"Keeps one zone in step with a DNS primary (AXFR, IXFR, NOTIFY, TSIG), as a master file.\n"
	"\n"
	"  --zone ZONE           the zone, for instance rpz.example\n"
	"  --primary ADDR[@PORT] the primary's address; port 53 unless given\n"
	"  --output FILE         the zone file: written beside and renamed over, whole or not at all\n"
	"  --output-fd N         write the zone into this open descriptor instead; only with --once.\n"
	"                        Nothing is written when the zone has not changed\n"
	"  --state FILE          the zone that we have: the next transfer brings what is newer.\n"
	"                        Only read, and only at the start; without it, FILE of --output\n"
	"  --state-fd N          the same from an open descriptor of a regular file\n"
	"  --tsig-file FILE      sign and verify with the key in this file, as tsig-keygen (BIND) or\n"
	"                        keymgr -t (Knot DNS) write it; others must not be able to read it\n"
	"  --tsig-fd N           the same from an open descriptor\n"
	"  --once                one check, and a transfer when it is due; then exit\n"
	"  --listen ADDR[@PORT]  hear NOTIFY there, by UDP and TCP: from the primary's address, or\n"
	"                        signed with the key from anywhere\n"
	"  --json                with --once: report as an event, not as a sentence\n"
	"  --max-bytes N         refuse a zone that takes more, as text or in memory (1073741824)\n"
	"  --connect-timeout T   until connected, or answered by UDP (10s)\n"
	"  --idle-timeout T      between two arrivals of a transfer (30s)\n"
	"  --max-time T          for one transfer (1h)\n"
	"\n"
	"Without --once it stays and follows the timers of the SOA. SIGHUP: check now. SIGTERM, or\n"
	"nobody left who reads its output: end.\n"
	"Each event is a line of JSON on standard output:\n"
	"  {\"event\":\"loaded\",\"serial\":N,\"records\":N}  the zone file at the start\n"
	"  {\"event\":\"changed\",\"serial\":N,\"from\":N|null,\"method\":\"axfr\"|\"ixfr\"|\"none\",\n"
	"   \"records\":N,\"added\":N,\"deleted\":N,\"bytes\":N,\"refresh\":S,\"retry\":S,\"expire\":S}\n"
	"                          the file is new; method none: it is valid again, as it was\n"
	"  {\"event\":\"unchanged\",\"serial\":N,\"primary_serial\":N,\"refresh\":S,\"retry\":S,\"expire\":S}\n"
	"  {\"event\":\"failed\",\"reason\":\"...\",\"retry_seconds\":N}  retry_seconds: not with --once\n"
	"  {\"event\":\"expired\",\"serial\":N}  the primary was not reached for too long (SOA expire)\n"
	"\n"
	"Started as root it becomes user nobody before the first byte from the network.\n"
	"\n"
	"exit status: 0 done (the zone is new or unchanged), 1 failed, 2 usage\n";

enum {
	OPT_ZONE = 256,
	OPT_PRIMARY,
	OPT_OUTPUT,
	OPT_OUTPUT_FD,
	OPT_STATE,
	OPT_STATE_FD,
	OPT_TSIG_FILE,
	OPT_TSIG_FD,
	OPT_ONCE,
	OPT_LISTEN,
	OPT_JSON,
	OPT_MAX_BYTES,
	OPT_CONNECT,
	OPT_IDLE,
	OPT_WHOLE,
	OPT_HELP
};

static const struct option long_options[] = {
	{ "zone", required_argument, NULL, OPT_ZONE },
	{ "primary", required_argument, NULL, OPT_PRIMARY },
	{ "output", required_argument, NULL, OPT_OUTPUT },
	{ "output-fd", required_argument, NULL, OPT_OUTPUT_FD },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "state-fd", required_argument, NULL, OPT_STATE_FD },
	{ "tsig-file", required_argument, NULL, OPT_TSIG_FILE },
	{ "tsig-fd", required_argument, NULL, OPT_TSIG_FD },
	{ "once", no_argument, NULL, OPT_ONCE },
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "max-bytes", required_argument, NULL, OPT_MAX_BYTES },
	{ "connect-timeout", required_argument, NULL, OPT_CONNECT },
	{ "idle-timeout", required_argument, NULL, OPT_IDLE },
	{ "max-time", required_argument, NULL, OPT_WHOLE },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

static int zone_read(const char *text, struct dg_options *options, struct dg_error *err)
{
	if (!*text || !knot_dname_from_str(options->zone, text, sizeof(options->zone)))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "--zone %s is no domain name",
			       DG_QUOTE(text));
	knot_dname_to_lower(options->zone);
	knot_dname_to_str(options->zone_text, options->zone, sizeof(options->zone_text));
	return 0;
}

static int fd_read(const char *option, int *ret, struct dg_error *err)
{
	__u64 fd;
	int rc = dg_count_parse(option, optarg, 0, 65535, &fd, err);

	if (!rc)
		*ret = (int)fd;
	return rc;
}

/* Numbers and durations. */
static int number_read(int option, struct dg_options *options, struct dg_error *err)
{
	switch (option) {
	case OPT_OUTPUT_FD:
		return fd_read("--output-fd", &options->output_fd, err);
	case OPT_STATE_FD:
		return fd_read("--state-fd", &options->state_fd, err);
	case OPT_TSIG_FD:
		return fd_read("--tsig-fd", &options->tsig_fd, err);
	case OPT_MAX_BYTES:
		return dg_count_parse("--max-bytes", optarg, 4096, 1ull << 34, &options->max_bytes,
				      err);
	case OPT_CONNECT:
		return dg_duration_parse(optarg, &options->connect_ns, err);
	case OPT_IDLE:
		return dg_duration_parse(optarg, &options->idle_ns, err);
	default:
		return dg_duration_parse(optarg, &options->whole_ns, err);
	}
}

static int option_take(int option, struct dg_options *options, struct dg_error *err)
{
	switch (option) {
	case OPT_ZONE:
		return zone_read(optarg, options, err);
	case OPT_PRIMARY:
		return dg_host_parse("--primary", optarg, &options->primary, err);
	case OPT_LISTEN:
		return dg_host_parse("--listen", optarg, &options->listen, err);
	case OPT_OUTPUT:
		options->output = optarg;
		return 0;
	case OPT_STATE:
		options->state = optarg;
		return 0;
	case OPT_TSIG_FILE:
		options->tsig_file = optarg;
		return 0;
	case OPT_ONCE:
		options->once = true;
		return 0;
	case OPT_JSON:
		options->json = true;
		return 0;
	case OPT_HELP:
		return 1;
	case OPT_OUTPUT_FD:
	case OPT_STATE_FD:
	case OPT_TSIG_FD:
	case OPT_MAX_BYTES:
	case OPT_CONNECT:
	case OPT_IDLE:
	case OPT_WHOLE:
		return number_read(option, options, err);
	}
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
		       "an option is unknown or lacks its value: see dnsguard-transfer --help");
}

static const char *missing(const struct dg_options *options)
{
	if (!options->zone_text[0])
		return "--zone is missing";
	if (!options->primary.len)
		return "--primary is missing";
	if (!options->output == (options->output_fd < 0))
		return "one of --output and --output-fd is needed, not both";
	if (options->state && options->state_fd >= 0)
		return "--state and --state-fd say the same";
	if (options->tsig_file && options->tsig_fd >= 0)
		return "--tsig-file and --tsig-fd say the same";
	if (options->output_fd >= 0 && !options->once)
		return "--output-fd needs --once: what stays replaces a file";
	if (options->listen.len && options->once)
		return "--listen is of no use with --once";
	if (options->output_fd == STDOUT_FILENO && options->json)
		return "--json and the zone cannot both go to standard output";
	return NULL;
}

int dg_options_read(struct dg_options *ret, int argc, char **argv, struct dg_error *err)
{
	struct dg_options options = { .output_fd = -1,
				      .state_fd = -1,
				      .tsig_fd = -1,
				      .max_bytes = 1ull << 30,
				      .connect_ns = 10 * DG_NS_PER_S,
				      .idle_ns = 30 * DG_NS_PER_S,
				      .whole_ns = 3600 * DG_NS_PER_S };
	const char *lacking;
	int option, rc = 0;

	opterr = 0;
	optind = 1;
	while (!rc && (option = getopt_long(argc, argv, "", long_options, NULL)) >= 0)
		rc = option_take(option, &options, err);
	if (rc)
		return rc;
	if (optind < argc)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "%s is no option",
			       DG_QUOTE(argv[optind]));
	lacking = missing(&options);
	if (lacking)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "%s: see dnsguard-transfer --help",
			       lacking);
	*ret = options;
	return 0;
}
