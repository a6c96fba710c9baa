// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_web.c - any bytes as the listener's web configuration and as an Accept header: refused with its place, or
 * users whose hashes crypt(5) knows; one of two formats.
 */
#include <stdlib.h>
#include <string.h>

#include "userspace/dnsguardd/metrics.h"
#include "userspace/web/web_config.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void expect(int held)
{
	if (!held)
		abort();
}

static void configuration(const char *text, size_t size)
{
	struct dg_web_config *config = malloc(sizeof(*config));
	struct dg_error err = { 0 };

	if (dg_web_config_parse("web.yaml", text, size, config, &err)) {
		expect(!strncmp(err.text, "web.yaml:", 9) && !strchr(err.text, '\n'));
	} else {
		expect(config->users <= DG_WEB_USERS_MAX && config->headers <= DG_WEB_HEADERS_MAX);
		for (unsigned int i = 0; i < config->users; i++)
			expect(strlen(config->user[i].hash) == 60 && config->user[i].name[0]);
		expect(config->tls12 || config->tls13);
	}
	free(config);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *text = malloc(size + 1);
	enum dg_metrics_format format;

	memcpy(text, data, size);
	text[size] = '\0';
	configuration(text, size);
	format = dg_metrics_negotiate(text);
	expect(format == DG_METRICS_TEXT || format == DG_METRICS_OPENMETRICS);
	free(text);
	return 0;
}
