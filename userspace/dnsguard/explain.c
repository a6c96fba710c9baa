// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * explain.c - dnsguard explain NAME [TYPE]: the live program's own verdict on a crafted query.
 *
 * Runs the very program that guards the device, on a frame that charges nobody and is counted
 * nowhere, and shows what it decided and the answer it would send. Decides nothing itself.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <linux/bpf.h>
#include <string.h>

#include "loader/loader.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/message.h"
#include "userspace/lib/own.h"
#include "userspace/lib/query.h"
#include "userspace/lib/quote.h"
#include "userspace/lib/stats.h"
#include "userspace/lists/update.h"
#include "userspace/lib/values.h"

enum { OPT_CLIENT, OPT_INTERFACE };

const struct dg_option dg_explain_options[] = {
	[OPT_CLIENT] = { .name = "client",
			 .type = DG_OPT_PREFIX,
			 .arg = "IP",
			 .help = "who asks (default 192.0.2.1)" },
	[OPT_INTERFACE] = { .name = "interface",
			    .type = DG_OPT_TEXT,
			    .arg = "IF",
			    .help = "where the query arrives (default: the first guarded device)" },
	{ 0 },
};

#define CLIENT_DEFAULT "192.0.2.1" /* documentation address: RFC 5737 */
#define CLIENT_PORT 53053
#define EDNS_SIZE 1232
#define LINK_BYTES 14
#define LIST_NONE 0xffff

/* The question, and what came of it. */
struct finding {
	struct dg_name name;
	__u16 qtype;
	struct dg_prefix client;
	struct dg_addr server;
	struct dg_iface iface;
	struct dg_probe probe;
	int action; /* XDP_... */
	char matched[1025];
	char list[DG_TEXT_MAX + 1]; /* deciding list, "" = none */
	json_t *where;		    /* the line of the list that decides, NULL = not found out */
	struct dg_own own;	    /* deciding entry of the operator's: name_len 0 = none */
	int answered;
	struct dg_message answer;
};

/* ---- the question --------------------------------------------------------------------------- */

static int question_read(const struct dg_cli *cli, struct finding *f, struct dg_error *err)
{
	int rc = dg_name_parse(cli->arg[0], &f->name, err);

	if (!rc)
		rc = dg_qtype_parse(cli->args > 1 ? cli->arg[1] : "A", &f->qtype, err);
	if (!rc && !cli->value[OPT_CLIENT].given)
		return dg_prefix_parse(CLIENT_DEFAULT, &f->client, err);
	if (rc)
		return rc;
	f->client = cli->value[OPT_CLIENT].prefix;
	if (f->client.bits != (f->client.family == DG_IPV4 ? 32u : 128u))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "--client %s is a prefix: give one address",
			       DG_QUOTE(cli->value[OPT_CLIENT].text));
	return 0;
}

/* The guarded device asked for, or the first one. */
static int iface_find(const struct dg_snapshot *now, const char *ifname, struct dg_iface *ret,
		      struct dg_error *err)
{
	for (__u32 i = 0; i < now->ifaces; i++) {
		if (ifname && strncmp(now->iface[i].name, ifname, sizeof(now->iface[i].name)))
			continue;
		*ret = now->iface[i];
		return 0;
	}
	if (ifname)
		return dg_fail(err, -ENOENT, DG_EXIT_NOT_ATTACHED,
			       "device %s is not guarded: dnsguard attach %s", DG_QUOTE(ifname),
			       ifname);
	return dg_fail(err, -ENOENT, DG_EXIT_NOT_ATTACHED,
		       "no device is guarded: dnsguard attach IFACE");
}

struct server_search {
	enum dg_family family;
	struct dg_addr addr;
};

/* A guarded address of the client's family, loopback only if there is no other. */
static int server_visit(struct dg_addr addr, __u32 flags, __u32 slot, void *arg)
{
	struct server_search *search = arg;
	char text[64];
	int v4;

	(void)slot;
	dg_addr_text(addr, text, sizeof(text));
	v4 = !strchr(text, ':');
	if (!(flags & DG_SVC_GUARDED) || v4 != (search->family == DG_IPV4))
		return 0;
	search->addr = addr;
	return strncmp(text, "127.", 4) && strcmp(text, "::1");
}

static int server_find(const struct dg_maps *maps, struct finding *f, struct dg_error *err)
{
	struct server_search search = { .family = f->client.family };
	int rc = dg_service_each(maps, server_visit, &search);

	if (rc < 0)
		return dg_fail(err, rc, DG_EXIT_FAILED, "guarded addresses cannot be read: %s",
			       strerror(-rc));
	if (!search.addr.hi && !search.addr.lo)
		return dg_fail(err, -ENOENT, DG_EXIT_NOT_FOUND,
			       "no %s address is guarded, so no such query is ours",
			       f->client.family == DG_IPV4 ? "IPv4" : "IPv6");
	f->server = search.addr;
	return 0;
}

/* ---- the run -------------------------------------------------------------------------------- */

/* The message in the reply's frame: what is behind the UDP header that starts at `udp`. */
static int answer_read(const __u8 *frame, __u32 frame_len, enum dg_family family,
		       struct dg_message *ret)
{
	__u32 udp = LINK_BYTES + (family == DG_IPV4 ? 20 : 40), len;

	if (frame_len < udp + 8)
		return -EBADMSG;
	len = (__u32)frame[udp + 4] << 8 | frame[udp + 5];
	if (len < 8 || udp + len > frame_len)
		return -EBADMSG;
	return dg_message_read(frame + udp + 8, len - 8, ret);
}

static int program_run(const struct dg_cli *cli, const struct dg_settings *settings,
		       struct finding *f, struct dg_error *err)
{
	struct dg_query query = { .client = f->client.addr,
				  .server = f->server,
				  .client_port = CLIENT_PORT,
				  .server_port = ntohs(settings->ports[0]),
				  .name = &f->name,
				  .qtype = f->qtype,
				  .edns_size = EDNS_SIZE };
	__u8 frame[DG_FRAME_MAX];
	dg_scoped_fd int prog = -1;
	__u32 frame_len;
	int rc;

	memcpy(query.dst_mac, f->iface.mac[0], sizeof(query.dst_mac));
	rc = dg_query_frame(&query, frame);
	if (rc < 0)
		return dg_fail(err, rc, DG_EXIT_FAILED, "query cannot be written: %s",
			       strerror(-rc));
	frame_len = (__u32)rc;
	f->probe = (struct dg_probe){ .secret = settings->probe_secret, .flags = DG_PROBE_DRY };
	rc = dg_program_open(cli->bpffs, f->iface.name, &prog, err);
	if (rc)
		return rc;
	f->action = dg_query_run(prog, &f->probe, frame, &frame_len, err);
	if (f->action < 0)
		return f->action;
	f->answered = f->action == XDP_TX;
	rc = f->answered ? answer_read(frame, frame_len, f->client.family, &f->answer) : 0;
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED,
			       "the program's answer is not a DNS message");
	return 0;
}

/* ---- what decided --------------------------------------------------------------------------- */

/* The last `labels` labels of a name. */
static struct dg_name suffix_of(const struct dg_name *name, unsigned int labels)
{
	struct dg_name suffix = *name;

	while (suffix.labels > labels) {
		__u8 skip = 1 + suffix.wire[0];

		memmove(suffix.wire, suffix.wire + skip, suffix.len - skip);
		suffix.len -= skip;
		suffix.labels--;
	}
	return suffix;
}

static void decision_find(const struct dg_maps *maps, const struct dg_snapshot *now,
			  struct finding *f)
{
	struct dg_name suffix = suffix_of(&f->name, f->probe.match_labels);
	const struct dg_answer *list = now->image_list + f->probe.list;

	if (f->probe.list == LIST_NONE || !f->probe.match_labels)
		return;
	dg_name_text(suffix.wire, suffix.len, f->matched);
	strcpy(f->list, f->probe.list ? "?" : "operator");
	if (!f->probe.list && dg_own_get(maps, &suffix, &f->own))
		f->own.name_len = 0;
	if (f->probe.list && f->probe.list <= now->image.lists)
		snprintf(f->list, sizeof(f->list), "%.*s", list->text_len, list->text);
}

/* The list's own line: of the very name that matched, else the first that covers it. */
static void line_find(const struct dg_cli *cli, struct finding *f)
{
	json_t *place, *places;
	char asked[1025];
	size_t i;

	if (!f->list[0] || !f->probe.list)
		return;
	/* of the name asked for: what covers only names below the one that matched does not cover that one */
	dg_name_text(f->name.wire, f->name.len, asked);
	places = dg_update_where(cli->state_dir, f->list, asked);
	json_array_foreach(places, i, place)
	{
		const char *name = json_string_value(json_object_get(place, "name"));

		if (f->where && (!name || strcmp(name, f->matched)))
			continue;
		json_decref(f->where);
		f->where = json_incref(place);
	}
	json_decref(places);
}

static int find(const struct dg_cli *cli, struct dg_snapshot *now, struct finding *f,
		struct dg_error *err)
{
	const struct dg_value *iface = cli->value + OPT_INTERFACE;
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	int rc = question_read(cli, f, err);

	if (!rc)
		rc = dg_maps_open(cli->bpffs, &maps, err);
	if (!rc && dg_snapshot_read(&maps, now))
		rc = dg_fail(err, -EIO, DG_EXIT_FAILED, "the guard's tables cannot be read");
	if (!rc)
		rc = iface_find(now, iface->given ? iface->text : NULL, &f->iface, err);
	if (!rc)
		rc = server_find(&maps, f, err);
	if (!rc)
		rc = program_run(cli, &now->settings, f, err);
	if (!rc)
		decision_find(&maps, now, f);
	if (!rc)
		line_find(cli, f);
	return rc;
}

/* ---- for people ----------------------------------------------------------------------------- */

static const char *action_text(int action)
{
	return action == XDP_PASS ? "pass" :
	       action == XDP_DROP ? "drop" :
	       action == XDP_TX	  ? "reply" :
				    "aborted";
}

static void source_text(const struct dg_probe *probe, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s%s", probe->banned ? "banned " : "",
		 probe->source_flags & DG_SRC_NO_LIMIT ? "exempt-from-limits " : "",
		 probe->source_flags & DG_SRC_NO_SINKHOLE ? "exempt-from-sinkhole " : "",
		 probe->source_flags & DG_SRC_CLIENT ? "client " : "");
	if (buf[0])
		buf[strlen(buf) - 1] = '\0';
}

static void answer_print(const struct dg_message *m)
{
	char rcode[16], flags[32], type[16];

	printf("\n;; status: %s, flags: %s\n", dg_rcode_text(m->rcode, rcode, sizeof(rcode)),
	       dg_flags_text(m->flags, flags, sizeof(flags)));
	if (m->edns)
		printf(";; EDNS: version 0, udp %u\n", m->udp_size);
	if (m->ede >= 0)
		printf(";; EDE: %d (%s)%s%s\n", m->ede, dg_ede_text(m->ede),
		       m->ede_text[0] ? ": " : "", m->ede_text);
	for (unsigned int i = 0; i < m->records; i++)
		printf("%s%s. %u IN %s %s\n", m->record[i].authority ? ";; authority: " : "",
		       strcmp(m->record[i].name, ".") ? m->record[i].name : "", m->record[i].ttl,
		       dg_qtype_text(m->record[i].type, type, sizeof(type)), m->record[i].data);
}

/* What stands there was written by strangers. */
static void line_print(const json_t *where)
{
	const char *text = json_string_value(json_object_get(where, "text"));

	printf("  line       %s:%lld: %s\n", json_string_value(json_object_get(where, "file")),
	       (long long)json_integer_value(json_object_get(where, "line")),
	       !text || dg_text_is_clean(text) ? text : DG_QUOTE(text));
}

static void decision_print(const struct finding *f)
{
	char left[32];

	if (!f->list[0])
		return;
	printf("  matched    %s\n", f->matched);
	printf("  list       %s (%s)\n", f->list, dg_answer_kind_name(f->probe.answer_kind));
	if (f->where)
		line_print(f->where);
	if (f->own.name_len && f->own.reason[0])
		printf("  reason     %s\n", f->own.reason);
	if (f->own.name_len && f->own.until_ns > dg_now_ns())
		printf("  ends in    %s\n",
		       dg_duration_text(f->own.until_ns - dg_now_ns(), left, sizeof(left)));
}

static void text_print(const struct finding *f)
{
	char name[1025], type[16], client[64], server[64], source[96];
	enum dg_verdict verdict = f->probe.verdict;
	struct dg_prefix limited = f->client;

	printf("%s %s from %s to %s on %.16s\n", dg_name_text(f->name.wire, f->name.len, name),
	       dg_qtype_text(f->qtype, type, sizeof(type)),
	       dg_addr_text(f->client.addr, client, sizeof(client)),
	       dg_addr_text(f->server, server, sizeof(server)), f->iface.name);
	printf("  verdict    %s: %s\n", dg_verdict_label(verdict), dg_verdict_help(verdict));
	printf("  action     %s\n", action_text(f->action));
	decision_print(f);
	if (f->probe.limited_bits) {
		limited.bits = f->probe.limited_bits;
		printf("  limited    the sender's /%u is over its limit\n", limited.bits);
	}
	source_text(&f->probe, source, sizeof(source));
	if (source[0])
		printf("  source     %s\n", source);
	if (f->answered)
		answer_print(&f->answer);
}

/* ---- for scripts ---------------------------------------------------------------------------- */

static json_t *record_json(const struct dg_record *record)
{
	char type[16];

	return json_pack("{s:s, s:I, s:s, s:s}", "name", record->name, "ttl",
			 (json_int_t)record->ttl, "rrtype",
			 dg_qtype_text(record->type, type, sizeof(type)), "data", record->data);
}

static json_t *answer_json(const struct dg_message *m)
{
	json_t *answer = json_array(), *authority = json_array();
	char rcode[16], flags[32];

	for (unsigned int i = 0; i < m->records; i++)
		json_array_append_new(m->record[i].authority ? authority : answer,
				      record_json(m->record + i));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "status",
			 dg_rcode_text(m->rcode, rcode, sizeof(rcode)), "flags",
			 dg_flags_text(m->flags, flags, sizeof(flags)), "answer", answer,
			 "authority", authority, "ede",
			 m->ede < 0 ? json_null() :
				      json_pack("{s:i, s:s}", "code", m->ede, "text", m->ede_text),
			 "udp_size", m->edns ? json_integer(m->udp_size) : json_null());
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static void json_print(const struct finding *f)
{
	char name[1025], type[16], client[64], server[64];
	int listed = f->list[0] != '\0';
	json_t *doc = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "schema", 1, "name",
				dg_name_text(f->name.wire, f->name.len, name), "qtype",
				dg_qtype_text(f->qtype, type, sizeof(type)), "client",
				dg_addr_text(f->client.addr, client, sizeof(client)), "server",
				dg_addr_text(f->server, server, sizeof(server)), "interface",
				f->iface.name, "verdict", dg_verdict_label(f->probe.verdict),
				"action", action_text(f->action));

	json_object_set_new(doc, "matched", text_or_null(f->matched));
	json_object_set_new(doc, "list", text_or_null(f->list));
	json_object_set(doc, "line", f->where ? f->where : json_null());
	json_object_set_new(doc, "response",
			    listed ? json_string(dg_answer_kind_name(f->probe.answer_kind)) :
				     json_null());
	json_object_set_new(doc, "reason", text_or_null(f->own.name_len ? f->own.reason : ""));
	json_object_set_new(doc, "limited_bits",
			    f->probe.limited_bits ? json_integer(f->probe.limited_bits) :
						    json_null());
	json_object_set_new(doc, "source",
			    json_pack("{s:b, s:b, s:b, s:b}", "banned", f->probe.banned, "no_limit",
				      f->probe.source_flags & DG_SRC_NO_LIMIT, "no_sinkhole",
				      f->probe.source_flags & DG_SRC_NO_SINKHOLE, "client",
				      f->probe.source_flags & DG_SRC_CLIENT));
	json_object_set_new(doc, "reply", f->answered ? answer_json(&f->answer) : json_null());
	if (doc)
		json_dumpf(doc, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(doc);
}

int dg_explain_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_free struct finding *finding = calloc(1, sizeof(*finding));
	dg_scoped_free struct dg_snapshot *now = calloc(1, sizeof(*now));
	int rc = finding && now ? find(cli, now, finding, err) :
				  dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "not enough memory");

	if (!rc && cli->json)
		json_print(finding);
	else if (!rc)
		text_print(finding);
	if (finding)
		json_decref(finding->where);
	return rc;
}
