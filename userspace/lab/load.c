// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load.c - dnsguard-load, the lab's load tool: reads the order from the command line and runs one mode.
 *
 * The only file of the tool that prints errors and decides the exit status.
 */
#include "userspace/lab/load.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "userspace/lib/quote.h"

#define RATE_MAX 100000000ull
#define ASK_RATE_MAX 50000ull /* IDs come round after 65536 queries: more than a timeout away */

/* What the words said before they could be put together. */
struct words {
	const char *from, *names;
	__u64 sources, stride, numbers;
	bool rate_given, mac_given, to_given;
};

static const struct mode {
	const char *name;
	dg_load_mode_fn *run;
	bool frames; /* crafted on an interface, instead of sockets */
	const char *help;
} modes[] = {
	{ "flood", dg_load_flood, true, "crafted UDP queries" },
	{ "syn", dg_load_syn, true, "first SYNs" },
	{ "ask", dg_load_ask, false, "honest clients: answers are checked and timed" },
};
#define MODES (sizeof(modes) / sizeof(modes[0]))

enum option_id {
	OPT_INTERFACE,
	OPT_TO,
	OPT_TO_MAC,
	OPT_PORT,
	OPT_FROM,
	OPT_SOURCES,
	OPT_STRIDE,
	OPT_FROM_PORT,
	OPT_NAMES,
	OPT_NUMBERS,
	OPT_TYPE,
	OPT_EDNS,
	OPT_RATE,
	OPT_SECONDS,
	OPT_WINDOW,
	OPT_TIMEOUT_MS,
	OPT_EXPECT,
	OPT_CPU,
	OPT_JSON,
};

static const struct option options[] = {
	{ "interface", required_argument, NULL, OPT_INTERFACE },
	{ "to", required_argument, NULL, OPT_TO },
	{ "to-mac", required_argument, NULL, OPT_TO_MAC },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "sources", required_argument, NULL, OPT_SOURCES },
	{ "stride", required_argument, NULL, OPT_STRIDE },
	{ "from-port", required_argument, NULL, OPT_FROM_PORT },
	{ "names", required_argument, NULL, OPT_NAMES },
	{ "numbers", required_argument, NULL, OPT_NUMBERS },
	{ "type", required_argument, NULL, OPT_TYPE },
	{ "edns", required_argument, NULL, OPT_EDNS },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "window", required_argument, NULL, OPT_WINDOW },
	{ "timeout-ms", required_argument, NULL, OPT_TIMEOUT_MS },
	{ "expect", required_argument, NULL, OPT_EXPECT },
	{ "cpu", required_argument, NULL, OPT_CPU },
	{ "json", no_argument, NULL, OPT_JSON },
	{ 0 },
};

static void usage_print(FILE *out)
{
	fputs("Usage: dnsguard-load MODE --to ADDRESS --from SOURCES [OPTION...]\n\n", out);
	for (size_t i = 0; i < MODES; i++)
		fprintf(out, "  %-8s %s\n", modes[i].name, modes[i].help);
	fputs("\n"
	      "  --to ADDRESS       the resolver            --port N        its port (53)\n"
	      "  --from SOURCES     192.0.2.1, 192.0.2.0/24, any4, any6\n"
	      "  --sources N        only the first N of the prefix, --stride N (1) apart\n"
	      "  --from-port N      (random)\n"
	      "  --names NAMES      www.example, *.example (random label), www#.example (numbered), @FILE\n"
	      "  --numbers N        # counts 0 to N-1 (1000)\n"
	      "  --type TYPE        (A)                     --edns BYTES    add an OPT of that size\n"
	      "  --rate N           a second; flood and syn: as fast as it goes; ask: 1000\n"
	      "  --seconds N        (5)                     --json          the result as one object\n"
	      "flood, syn:\n"
	      "  --interface IF     frames leave here       --to-mac MAC    next hop\n"
	      "  --cpu N            stay on one core\n"
	      "ask:\n"
	      "  --timeout-ms N     (1000)                  --expect N|any  RCODE of a good answer (0)\n"
	      "  --window N         at most N wait for an answer: what is due waits with them (no bound)\n",
	      out);
}

static int mac_parse(const char *text, __u8 ret[6], struct dg_error *err)
{
	char end;

	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%c", &ret[0], &ret[1], &ret[2], &ret[3],
		   &ret[4], &ret[5], &end) == 6)
		return 0;
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "MAC %s is not like 02:00:00:00:00:01",
		       DG_QUOTE(text));
}

static int address_parse(const char *text, struct dg_load_order *order, struct dg_error *err)
{
	struct dg_prefix prefix;
	int rc = dg_prefix_parse(text, &prefix, err);

	if (rc)
		return rc;
	if (prefix.bits != (prefix.family == DG_IPV4 ? 32u : 128u))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "address %s is a prefix, give one address", DG_QUOTE(text));
	order->to = prefix.addr;
	order->family = prefix.family;
	return 0;
}

/* Options whose value is a whole number: where it goes and what it may be. */
static const struct {
	const char *what;
	__u64 min, max;
} bounds[] = {
	[OPT_PORT] = { "port", 1, 65535 },	     [OPT_SOURCES] = { "sources", 1, 1ull << 32 },
	[OPT_FROM_PORT] = { "from-port", 1, 65535 }, [OPT_STRIDE] = { "stride", 1, 1ull << 32 },
	[OPT_NUMBERS] = { "numbers", 1, 1000000 },   [OPT_EDNS] = { "edns", 1, 65535 },
	[OPT_RATE] = { "rate", 1, RATE_MAX },	     [OPT_SECONDS] = { "seconds", 1, 86400 },
	[OPT_WINDOW] = { "window", 1, 32768 },	     [OPT_TIMEOUT_MS] = { "timeout-ms", 1, 60000 },
	[OPT_EXPECT] = { "expect", 0, 15 },	     [OPT_CPU] = { "cpu", 0, 1023 },
};

static int number_take(int id, const char *text, struct dg_load_order *order, struct words *words,
		       struct dg_error *err)
{
	__u64 value;
	int rc = dg_count_parse(bounds[id].what, text, bounds[id].min, bounds[id].max, &value, err);

	if (rc)
		return rc;
	switch (id) {
	case OPT_PORT:
		order->port = (__u16)value;
		break;
	case OPT_SOURCES:
		words->sources = value;
		break;
	case OPT_STRIDE:
		words->stride = value;
		break;
	case OPT_FROM_PORT:
		order->from_port = (__u16)value;
		break;
	case OPT_NUMBERS:
		words->numbers = value;
		break;
	case OPT_EDNS:
		order->edns_size = (__u32)value;
		break;
	case OPT_RATE:
		order->rate = value;
		words->rate_given = true;
		break;
	case OPT_SECONDS:
		order->duration_ns = value * DG_LOAD_NS_PER_SEC;
		break;
	case OPT_WINDOW:
		order->window = (__u32)value;
		break;
	case OPT_TIMEOUT_MS:
		order->timeout_ns = value * (DG_LOAD_NS_PER_SEC / 1000);
		break;
	case OPT_EXPECT:
		order->expect = (__u32)value;
		break;
	case OPT_CPU:
		order->cpu = (int)value;
		break;
	}
	return 0;
}

static int option_take(int id, const char *text, struct dg_load_order *order, struct words *words,
		       struct dg_error *err)
{
	switch (id) {
	case OPT_INTERFACE:
		order->interface = text;
		return 0;
	case OPT_TO:
		words->to_given = true;
		return address_parse(text, order, err);
	case OPT_TO_MAC:
		words->mac_given = true;
		return mac_parse(text, order->to_mac, err);
	case OPT_FROM:
		words->from = text;
		return 0;
	case OPT_NAMES:
		words->names = text;
		return 0;
	case OPT_TYPE:
		return dg_qtype_parse(text, &order->qtype, err);
	case OPT_JSON:
		order->json = true;
		return 0;
	case OPT_EXPECT:
		if (strcmp(text, "any"))
			return number_take(id, text, order, words, err);
		order->expect = DG_LOAD_EXPECT_ANY;
		return 0;
	case '?':
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "unknown option or missing value; see --help");
	}
	return number_take(id, text, order, words, err);
}

/* What only makes sense together. */
static int order_check(const struct mode *mode, const struct words *words,
		       struct dg_load_order *order, struct dg_error *err)
{
	if (!words->to_given || !words->from)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "--to ADDRESS and --from SOURCES are needed");
	if (mode->frames && (!order->interface || !words->mac_given))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "%s needs --interface IF and --to-mac MAC", mode->name);
	if (order->from.prefix.family != order->family)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "--from %s and --to are of different families",
			       DG_QUOTE(words->from));
	if (!mode->frames && !words->rate_given)
		order->rate = 1000;
	if (!mode->frames && order->rate > ASK_RATE_MAX)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "rate %llu: clients ask at most %llu a second",
			       (unsigned long long)order->rate, ASK_RATE_MAX);
	return 0;
}

static int order_read(int argc, char **argv, const struct mode *mode, struct dg_load_order *order,
		      struct dg_error *err)
{
	struct words words = { .stride = 1, .numbers = 1000, .names = "www#.lab.example" };
	int id, rc = 0;

	opterr = 0;
	while (!rc && (id = getopt_long(argc, argv, "", options, NULL)) != -1)
		rc = option_take(id, optarg, order, &words, err);
	if (!rc && optind < argc)
		rc = dg_fail(err, -EINVAL, DG_EXIT_USAGE, "unexpected word %s",
			     DG_QUOTE(argv[optind]));
	if (!rc && words.from)
		rc = dg_load_sources_parse(words.from, words.sources, words.stride, &order->from,
					   err);
	if (!rc)
		rc = order_check(mode, &words, order, err);
	if (!rc)
		rc = dg_load_names_parse(words.names, words.numbers, &order->names, err);
	return rc;
}

static const struct mode *mode_find(const char *name)
{
	for (size_t i = 0; i < MODES; i++)
		if (!strcmp(name, modes[i].name))
			return &modes[i];
	return NULL;
}

static void order_free(struct dg_load_order *order)
{
	dg_load_names_free(&order->names);
}

static int failed(const struct dg_error *err)
{
	fprintf(stderr, "dnsguard-load: %s\n", err->text);
	return err->status;
}

int main(int argc, char **argv)
{
	dg_scoped(order_free) struct dg_load_order order = {
		.port = 53,
		.qtype = 1,
		.cpu = -1,
		.duration_ns = 5 * DG_LOAD_NS_PER_SEC,
		.timeout_ns = DG_LOAD_NS_PER_SEC,
	};
	const struct mode *mode = argc > 1 ? mode_find(argv[1]) : NULL;
	struct dg_error err = { .status = DG_EXIT_FAILED };

	if (argc > 1 && !strcmp(argv[1], "--help")) {
		usage_print(stdout);
		return DG_EXIT_OK;
	}
	if (!mode) {
		usage_print(stderr);
		return DG_EXIT_USAGE;
	}
	if (order_read(argc - 1, argv + 1, mode, &order, &err) || mode->run(&order, &err))
		return failed(&err);
	return DG_EXIT_OK;
}
