// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_config.c - any bytes as a configuration file: no crash, a worded refusal, and counts within
 * their bounds.
 */
#include <stdlib.h>
#include <string.h>

#include "userspace/config/config.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct dg_config config;
	struct dg_error err = { 0 };

	if (dg_config_parse("fuzz", (const char *)data, size, &config, &err)) {
		if (strncmp(err.text, "fuzz:", 5))
			abort();
		return 0;
	}
	if (config.iface_count > DG_IF_MAX || config.port_count > DG_PORTS_MAX ||
	    !config.port_count || config.services.count > DG_CONFIG_ADDRESSES_MAX ||
	    config.client_count > DG_CONFIG_CLIENTS_MAX)
		abort();
	for (unsigned int i = DG_KEY_COUNT; i < 8 * sizeof(config.given); i++)
		if (dg_keys_has(&config.given, i))
			abort();
	return 0;
}
