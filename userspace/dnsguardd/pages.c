// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pages.c - what the listener shows: /metrics, /healthz, and / that links the two.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "userspace/dnsguardd/daemon.h"
#include "userspace/dnsguardd/lists.h"
#include "userspace/dnsguardd/metrics.h"
#include "userspace/dnsguardd/tcp.h"

#define PLAIN "text/plain; charset=utf-8"

static const char index_html[] =
	"<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>dnsguard</title></head>\n"
	"<body><h1>dnsguard " DG_VERSION "</h1>\n"
	"<p><a href=\"/metrics\">/metrics</a> for Prometheus</p>\n"
	"<p><a href=\"/healthz\">/healthz</a> for supervisors</p>\n"
	"</body></html>\n";

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
	return text_page("text/html; charset=utf-8", index_html, ret);
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
	{ "/", index_page },
	{ "/healthz", health_page },
	{ "/metrics", metrics_page },
};

int dg_daemon_page(void *arg, const char *path, const char *accept, struct dg_http_page *ret)
{
	for (unsigned int i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (!strcmp(path, pages[i].path))
			return pages[i].show(arg, accept, ret);
	return -ENOENT;
}
