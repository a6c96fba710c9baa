// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * doctor.c - dnsguard doctor [IFACE]: has host, devices and resolvers examined, and prints what was found.
 */
#include "userspace/doctor/doctor.h"

#include <string.h>

#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/verbs.h"

#define SAMPLE_DEFAULT_NS 2000000000ull

enum { SAMPLE };

const struct dg_option dg_doctor_options[] = {
	[SAMPLE] = { .name = "sample",
		     .type = DG_OPT_DURATION,
		     .arg = "D",
		     .help = "look at the queries of devices so long: 1s to 1m (default 2s)",
		     .min = 1000000000ull,
		     .max = 60000000000ull },
	{ 0 },
};

static void text_print(const json_t *doc)
{
	json_int_t warnings;
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(doc, "checks"), i, row)
	{
		const char *health, *check, *of, *text, *mend;

		json_unpack((json_t *)row, "{s:s, s:s, s:s, s:s, s:s}", "health", &health, "check",
			    &check, "of", &of, "text", &text, "mend", &mend);
		printf("%s  %-13s%s%s%s\n", health, check, of, of[0] ? ": " : "", text);
		if (mend[0])
			printf("%19s-> %s\n", "", mend);
	}
	warnings = json_integer_value(json_object_get(doc, "warn"));
	printf("%lld passed, %lld warning%s, %lld failed\n",
	       (long long)json_integer_value(json_object_get(doc, "pass")), (long long)warnings,
	       warnings == 1 ? "" : "s",
	       (long long)json_integer_value(json_object_get(doc, "fail")));
}

int dg_doctor_run(const struct dg_cli *cli, struct dg_error *err)
{
	const struct dg_value *sample = &cli->value[SAMPLE];
	const struct dg_doctor_ask ask = { .bpffs = cli->bpffs,
					   .device = cli->args ? cli->arg[0] : NULL,
					   .sample_ns = sample->given ? sample->number :
									SAMPLE_DEFAULT_NS };
	dg_scoped(dg_json_drop) json_t *doc = NULL;
	int status = ask.device ? dg_device_check(ask.device, err) : 0;

	if (!status)
		status = dg_doctor_examine(&ask, &doc, err);
	if (status)
		return status;
	if (cli->json) {
		json_dumpf(doc, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		text_print(doc);
	}
	return json_integer_value(json_object_get(doc, "fail")) ? DG_EXIT_FAILED : DG_EXIT_OK;
}
