// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_config.c - any bytes as one configuration file or two: no crash, a worded refusal, and counts within
 * their bounds.
 */
#include <stdlib.h>
#include <string.h>

#include "userspace/config/config.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_bounds(const struct dg_config *config)
{
	if (config->iface_count > DG_IF_MAX || config->port_count > DG_PORTS_MAX ||
	    !config->port_count || config->services.count > DG_CONFIG_ADDRESSES_MAX ||
	    config->client_count > DG_CONFIG_CLIENTS_MAX)
		abort();
	for (unsigned int i = DG_KEY_COUNT; i < 8 * sizeof(config->given); i++)
		if (dg_keys_has(&config->given, i))
			abort();
}

static void no_change(const char *change, void *arg)
{
	(void)change;
	(void)arg;
	abort();
}

/* What is printed is bounded, and differs from itself in nothing. */
static void check_lines(const struct dg_config *config)
{
	char *lines = dg_config_lines(config);

	if (lines && dg_config_diff(lines, lines, no_change, NULL))
		abort();
	free(lines);
}

/* Two files at a line of hashes: the second over the first, as those of conf.d are. */
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct dg_config config;
	const char *text = (const char *)data, *cut = memmem(data, size, "\n####\n", 6);
	size_t first = cut ? (size_t)(cut - text) + 1 : size;
	struct dg_error err = { 0 };
	int failed;

	dg_config_default(&config);
	failed = dg_config_merge(&config, "fuzz", text, first, &err);
	if (!failed && cut)
		failed = dg_config_merge(&config, "fuzz", text + first, size - first, &err);
	if (!failed)
		failed = dg_config_check(&config, &err);
	if (failed && strncmp(err.text, "fuzz:", 5))
		abort();
	if (failed)
		return 0;
	check_bounds(&config);
	check_lines(&config);
	return 0;
}
