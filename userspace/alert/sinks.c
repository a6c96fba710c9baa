// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sinks.c - the receivers that a configuration names.
 *
 * A receiver is known again by its id. The id holds host and port of a URL and a hash of the whole: what else stands in a URL
 * may be a password or a token, and ids are shown.
 */
#include "userspace/alert/alert.h"

#include <string.h>
#include <sys/utsname.h>

static __u32 url_hash(const char *url) /* FNV-1a */
{
	__u32 hash = 2166136261u;

	for (; *url; url++)
		hash = (hash ^ (unsigned char)*url) * 16777619u;
	return hash;
}

/* Behind "//" and what stands before "@", up to the path. */
static void host_find(const char *url, const char **ret, int *ret_len)
{
	const char *begin = strstr(url, "//") + 2, *at;

	*ret_len = (int)strcspn(begin, "/?#");
	at = memrchr(begin, '@', (size_t)*ret_len);
	*ret_len -= at ? (int)(at + 1 - begin) : 0;
	*ret = at ? at + 1 : begin;
}

static struct dg_sink sink_make(enum dg_sink_kind kind, const char *word,
				const struct dg_config_url *to)
{
	struct dg_sink sink = { .kind = kind };
	const char *host, *url = to ? dg_config_url_whole(to) : NULL;
	int len;

	snprintf(sink.id, sizeof(sink.id), "%s", word);
	if (!url)
		return sink;
	host_find(url, &host, &len);
	snprintf(sink.id, sizeof(sink.id), "%s %.*s #%08x", word, len < 80 ? len : 80, host,
		 url_hash(url));
	sink.to = *to;
	return sink;
}

static unsigned int sinks_make(const struct dg_config *config, struct dg_sink ret[DG_SINKS_MAX])
{
	unsigned int count = 0;

	if (config->alerts_log != DG_LOGS_OFF)
		ret[count++] = sink_make(DG_SINK_LOG, "log", NULL);
	for (__u32 i = 0; i < config->alertmanagers.count; i++)
		ret[count++] = sink_make(DG_SINK_ALERTMANAGER, "alertmanager",
					 &config->alertmanagers.url[i]);
	for (__u32 i = 0; i < config->webhooks.count; i++)
		ret[count++] = sink_make(DG_SINK_WEBHOOK, "webhook", &config->webhooks.url[i]);
	if (config->alerts_command.count)
		ret[count++] = sink_make(DG_SINK_COMMAND, "command", NULL);
	return count;
}

static int sink_find(const struct dg_alerts *alerts, const char *id)
{
	for (unsigned int i = 0; i < alerts->sinks; i++)
		if (!strcmp(alerts->sink[i].id, id))
			return (int)i;
	return -1;
}

/* One that is new need not hear of what is over. */
static struct dg_told told_of(const struct dg_alert *alert, int before)
{
	if (before >= 0)
		return alert->told[before];
	return (struct dg_told){ .changes = alert->firing ? 0 : alert->changes };
}

void dg_sinks_configure(struct dg_alerts *alerts, const struct dg_config *config)
{
	struct dg_sink sinks[DG_SINKS_MAX];
	unsigned int count = sinks_make(config, sinks);
	int before[DG_SINKS_MAX];

	for (unsigned int i = 0; i < count; i++) {
		before[i] = sink_find(alerts, sinks[i].id);
		if (before[i] < 0)
			continue;
		alerts->sink[before[i]].to = sinks[i].to;
		sinks[i] = alerts->sink[before[i]];
	}
	for (unsigned int a = 0; a < alerts->count; a++) {
		struct dg_told told[DG_SINKS_MAX] = { { 0 } };

		for (unsigned int i = 0; i < count; i++)
			told[i] = told_of(&alerts->alert[a], before[i]);
		memcpy(alerts->alert[a].told, told, sizeof(told));
	}
	memcpy(alerts->sink, sinks, count * sizeof(sinks[0]));
	alerts->sinks = count;
	alerts->changed = true;
}

char *dg_alert_instance(const struct dg_config *config, char *buf, size_t size)
{
	struct utsname host = { .nodename = "" };

	uname(&host);
	snprintf(buf, size, "%s",
		 config->alerts_instance[0] ? config->alerts_instance : host.nodename);
	return buf;
}
