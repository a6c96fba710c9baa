// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pages.c - what the listener shows: / for people and the documents it is drawn from, /metrics, /healthz. Reads only.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "userspace/dnsguardd/chart.h"
#include "userspace/dnsguardd/daemon.h"
#include "userspace/dnsguardd/latency.h"
#include "userspace/dnsguardd/lists.h"
#include "userspace/dnsguardd/metrics.h"
#include "userspace/dnsguardd/tcp.h"
#include "userspace/dnsguardd/web.h"

#define PLAIN "text/plain; charset=utf-8"

static int text_page(const char *type, const char *text, struct dg_http_page *ret)
{
	ret->body = strdup(text);
	if (!ret->body)
		return -ENOMEM;
	ret->type = type;
	ret->len = strlen(text);
	return 0;
}

static int index_page(struct dg_daemon *daemon, const char *accept, struct dg_http_page *ret)
{
	(void)daemon;
	(void)accept;
	ret->policy = dg_web_policy();
	return text_page("text/html; charset=utf-8", dg_web_page, ret);
}

/* ---- what the page fetches ------------------------------------------------------------------- */

static int json_page(json_t *document, struct dg_http_page *ret)
{
	ret->body = document ? json_dumps(document, JSON_COMPACT) : NULL;
	json_decref(document);
	if (!ret->body)
		return -ENOMEM;
	ret->type = "application/json";
	ret->len = strlen(ret->body);
	return 0;
}

static int now_page(struct dg_daemon *daemon, const char *accept, struct dg_http_page *ret)
{
	json_t *now = daemon->chart ? dg_chart_now_json(daemon->chart) : NULL;
	char host[65] = "";

	(void)accept;
	if (!now) {
		ret->status = 503;
		return text_page(PLAIN, "no guard is loaded\n", ret);
	}
	gethostname(host, sizeof(host) - 1);
	json_object_set_new(now, "host", json_string(host));
	json_object_set_new(now, "version", json_string(DG_VERSION));
	return json_page(now, ret);
}

static int history_page(struct dg_daemon *daemon, const char *accept, struct dg_http_page *ret)
{
	(void)accept;
	if (daemon->chart)
		return json_page(dg_chart_history_json(daemon->chart), ret);
	ret->status = 503;
	return text_page(PLAIN, "the daemon is starting\n", ret);
}

/* 503 names the first device that should be guarded and is not. */
static int health_page(struct dg_daemon *daemon, const char *accept, struct dg_http_page *ret)
{
	struct dg_maps maps dg_scoped_maps = DG_MAPS_NONE;
	struct dg_error err = { 0 };
	char text[1100];

	(void)accept;
	for (unsigned int i = 0; i < daemon->guarded_count; i++) {
		if (daemon->guarded[i].ifindex)
			continue;
		ret->status = 503;
		snprintf(text, sizeof(text), "%s is not guarded\n", daemon->guarded[i].name);
		return text_page(PLAIN, text, ret);
	}
	if (!dg_maps_open(daemon->options->bpffs, &maps, &err))
		return text_page(PLAIN, "ok\n", ret);
	ret->status = 503;
	snprintf(text, sizeof(text), "%s\n", err.text);
	return text_page(PLAIN, text, ret);
}

/* The row of a device stays when the device goes; its link knows. A trial's link is not pinned. */
static void attached_read(const struct dg_daemon *daemon, const struct dg_snapshot *snapshot,
			  __u8 ret[DG_IF_MAX])
{
	for (__u32 i = 0; i < snapshot->ifaces; i++) {
		const struct dg_iface *iface = &snapshot->iface[i];
		struct dg_link_state link;

		ret[i] = dg_link_state(daemon->options->bpffs, iface->name, &link) ?
				 (iface->flags & DG_IF_TRIAL) != 0 :
				 link.ifindex == iface->ifindex;
	}
}

static int metrics_page(struct dg_daemon *daemon, const char *accept, struct dg_http_page *ret)
{
	struct dg_snapshot *snapshot dg_scoped_free = malloc(sizeof(*snapshot));
	enum dg_metrics_format format = dg_metrics_negotiate(accept);
	struct dg_list_row *lists dg_scoped_free = NULL;
	struct dg_tcp_view *tcp dg_scoped(dg_tcp_shown_close) = NULL;
	struct dg_latency_view latency[DG_LATENCY_KINDS];
	struct dg_map_usage usage[DG_MAP_USAGES];
	__u8 attached[DG_IF_MAX] = { 0 };
	struct dg_maps maps dg_scoped_maps = DG_MAPS_NONE;
	struct dg_metrics_view view = {
		.attached = attached,
		.usage = usage,
		.version = DG_VERSION,
		.config_good = daemon->config_good,
		.config_good_unix = daemon->config_good_unix,
	};

	if (!snapshot)
		return -ENOMEM;
	dg_process_read(&view.process);
	view.list_count = dg_lists_rows(daemon->lists, &lists);
	view.lists = lists;
	if (!dg_maps_open(daemon->options->bpffs, &maps, NULL) &&
	    !dg_snapshot_read(&maps, snapshot)) {
		attached_read(daemon, snapshot, attached);
		view.snapshot = snapshot;
		dg_tcp_shown_read(daemon->options->bpffs, &maps, &tcp);
		view.tcp = tcp;
		view.quotas = daemon->quotas;
		if (!dg_latency_read(&maps, snapshot->now_ns, latency))
			view.latency = latency;
		view.usage_count = dg_map_usage_read(&maps, usage) ? 0 : DG_MAP_USAGES;
	}
	ret->body = dg_metrics_render(&view, format, &ret->len);
	ret->type = format == DG_METRICS_TEXT ? DG_METRICS_TEXT_TYPE : DG_METRICS_OPENMETRICS_TYPE;
	return ret->body ? 0 : -ENOMEM;
}

static const struct {
	const char *path;
	int (*show)(struct dg_daemon *, const char *accept, struct dg_http_page *);
} pages[] = {
	{ "/", index_page },	     { "/api/now", now_page },	   { "/api/history", history_page },
	{ "/healthz", health_page }, { "/metrics", metrics_page },
};

int dg_daemon_page(void *arg, const char *path, const char *accept, struct dg_http_page *ret)
{
	for (unsigned int i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (!strcmp(path, pages[i].path))
			return pages[i].show(arg, accept, ret);
	return -ENOENT;
}
