// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * doctor_tcp.c - dnsguard doctor tcp: whose each listener is and what quota it has, or which command or permission
 * would make that known. Reads only; asks the resolvers' own tools.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "loader/loader.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/tcp.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/render.h"

json_t *dg_tcp_known_json(const struct dg_tcp_listener *listener, const struct dg_tcp_known *known)
{
	const struct dg_tcp_quota *quota = &known->quota;
	char text[DG_TCP_KEY_TEXT], *port = strrchr(dg_tcp_key_text(&listener->key, text), ':');
	int bracket = text[0] == '[';
	json_t *doc =
		json_pack("{s:s, s:s#, s:i, s:n, s:n, s:n, s:n, s:n, s:s, s:s}", "listener", text,
			  "address", text + bracket, (int)(port - text) - 2 * bracket, "port",
			  atoi(port + 1), "resolver", "pid", "quota", "quota_shared", "quota_slots",
			  "quota_source", quota->source, "quota_advice", quota->advice);

	if (doc && known->owner.pid) {
		json_object_set_new(doc, "resolver", json_string(known->owner.program));
		json_object_set_new(doc, "pid", json_integer(known->owner.pid));
	}
	if (!doc || !quota->known)
		return doc;
	json_object_set_new(doc, "quota", json_integer((json_int_t)quota->connections));
	json_object_set_new(doc, "quota_shared", json_boolean(quota->shared));
	if (quota->slots)
		json_object_set_new(doc, "quota_slots", json_integer((json_int_t)quota->slots));
	return doc;
}

static const struct dg_column columns[] = {
	{ "listener", "LISTENER", DG_AS_TEXT },
	{ "resolver", "RESOLVER", DG_AS_TEXT },
	{ "quota", "QUOTA", DG_AS_COUNT },
	{ "quota_source", "KNOWN FROM", DG_AS_TEXT },
	{ "quota_advice", "TO KNOW IT BETTER", DG_AS_TEXT },
	{ 0 },
};

static const struct dg_section sections[] = {
	{ "listeners", "", DG_AS_TEXT, columns,
	  "nobody listens on a guarded TCP port: is the resolver running, in this network namespace? ports are "
	  "named under service.ports" },
	{ 0 },
};

static json_t *doctor_json(const struct dg_tcp_dump *dump)
{
	dg_scoped_free struct dg_tcp_known *known = calloc(DG_TCP_LISTENERS_MAX, sizeof(*known));
	json_t *list = json_array();

	if (!known)
		return NULL;
	dg_tcp_known_ask(dump, known);
	for (__u32 i = 0; i < dump->listeners; i++)
		json_array_append_new(list, dg_tcp_known_json(&dump->listener[i], &known[i]));
	return json_pack("{s:i, s:o}", "schema", 1, "listeners", list);
}

/* 0, or 1 when the quota of a listener is not known. */
static int verdict(const json_t *doc)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(doc, "listeners"), i, row)
	{
		if (json_is_null(json_object_get(row, "quota")))
			return DG_EXIT_FAILED;
	}
	return DG_EXIT_OK;
}

/* The guarded ports, or 53 as long as nothing is guarded: what is wrong is best known before. */
static int ports_find(const struct dg_cli *cli, __be16 ret[DG_PORTS_MAX], struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	struct dg_settings settings = { .ports = { htons(53) } };
	int status = dg_maps_open(cli->bpffs, &maps, err);

	if (!status)
		status = dg_settings_read(&maps, &settings);
	else if (err->status == DG_EXIT_NOT_ATTACHED)
		status = 0;
	if (!status)
		memcpy(ret, settings.ports, sizeof(settings.ports));
	return status;
}

int dg_doctor_tcp_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_free struct dg_tcp_dump *dump = calloc(1, sizeof(*dump));
	__be16 ports[DG_PORTS_MAX];
	int status = ports_find(cli, ports, err), judged;
	json_t *doc;

	if (status)
		return status;
	status = dump ? dg_tcp_listeners_read(ports, dump) : -ENOMEM;
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot read the TCP listeners: %s",
			       strerror(-status));
	doc = doctor_json(dump);
	judged = doc ? verdict(doc) : DG_EXIT_FAILED;
	status = dg_render(stdout, doc, sections, cli->json);
	return status ? status : judged;
}
