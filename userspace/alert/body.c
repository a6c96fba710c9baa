// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * body.c - labels, annotations and times of an alert, put together as each receiver wants them.
 */
#include "userspace/alert/body.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define OUTLIVES 4 /* resends; as Prometheus does it */
#define NEVER "0001-01-01T00:00:00Z"

/* RFC 3339. */
static char *time_text(__u64 unix_sec, char buf[32])
{
	time_t at = (time_t)unix_sec;
	struct tm tm;

	if (!unix_sec)
		return strcpy(buf, NEVER);
	gmtime_r(&at, &tm);
	strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return buf;
}

static void text_add(json_t *object, const char *key, const char *text)
{
	if (text[0])
		json_object_set_new(object, key, json_string(text));
}

static json_t *labels_json(const struct dg_message *message)
{
	const struct dg_alert *alert = message->alert;
	json_t *labels = json_object();

	text_add(labels, "alertname", alert->name);
	text_add(labels, "severity", alert->severity);
	text_add(labels, "instance", message->instance);
	text_add(labels, "listener", alert->listener);
	return labels;
}

static json_t *annotations_json(const struct dg_message *message)
{
	const struct dg_alert *alert = message->alert;
	json_t *annotations = json_object();
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, (uint64_t)message->suppressed);
	text_add(annotations, "summary", alert->summary);
	text_add(annotations, "description", alert->description);
	text_add(annotations, "resolver", alert->resolver);
	text_add(annotations, "suppressed", number);
	return annotations;
}

static const char *status_of(const struct dg_alert *alert)
{
	return alert->firing ? "firing" : "resolved";
}

json_t *dg_body_alertmanager(const struct dg_message *message)
{
	const struct dg_alert *alert = message->alert;
	__u64 ends = alert->firing ? message->now_unix + OUTLIVES * message->resend_sec :
				     alert->ends_unix;
	char starts_at[32], ends_at[32];

	return json_pack("{s:o, s:o, s:s, s:s, s:s}", "labels", labels_json(message), "annotations",
			 annotations_json(message), "startsAt",
			 time_text(alert->starts_unix, starts_at), "endsAt",
			 time_text(ends, ends_at), "generatorURL", "");
}

static __u64 fingerprint_of(const struct dg_message *message) /* FNV-1a over the labels */
{
	const struct dg_alert *alert = message->alert;
	const char *const parts[] = { alert->name, alert->severity, message->instance,
				      alert->listener };
	__u64 hash = 14695981039346656037ull;

	for (int i = 0; i < 4; i++)
		for (const char *at = parts[i];; at++) {
			hash = (hash ^ (unsigned char)*at) * 1099511628211ull;
			if (!*at)
				break;
		}
	return hash;
}

static json_t *webhook_alert(const struct dg_message *message)
{
	const struct dg_alert *alert = message->alert;
	char starts_at[32], ends_at[32], print[24];

	snprintf(print, sizeof(print), "%016" PRIx64, (uint64_t)fingerprint_of(message));
	return json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:s}", "status", status_of(alert),
			 "labels", labels_json(message), "annotations", annotations_json(message),
			 "startsAt", time_text(alert->starts_unix, starts_at), "endsAt",
			 time_text(alert->ends_unix, ends_at), "generatorURL", "", "fingerprint",
			 print);
}

json_t *dg_body_webhook(const struct dg_message *message)
{
	const struct dg_alert *alert = message->alert;
	char group[128];

	snprintf(group, sizeof(group), "{}:{alertname=\"%s\", listener=\"%s\"}", alert->name,
		 alert->listener);
	return json_pack("{s:s, s:s, s:i, s:s, s:s, s:{s:s, s:s}, s:o, s:o, s:s, s:[o]}", "version",
			 "4", "groupKey", group, "truncatedAlerts", 0, "status", status_of(alert),
			 "receiver", "dnsguard", "groupLabels", "alertname", alert->name,
			 "listener", alert->listener, "commonLabels", labels_json(message),
			 "commonAnnotations", annotations_json(message), "externalURL", "",
			 "alerts", webhook_alert(message));
}

static void field_add(json_t *fields, const char *name, const char *value)
{
	char line[640];

	snprintf(line, sizeof(line), "%s=%s", name, value);
	for (char *at = line; *at; at++)
		if ((unsigned char)*at < 0x20)
			*at = ' ';
	json_array_append_new(fields, json_string(line));
}

json_t *dg_body_fields(const struct dg_message *message)
{
	const struct dg_alert *alert = message->alert;
	json_t *fields = json_array();
	char text[32];

	field_add(fields, "DNSGUARD_ALERT", alert->name);
	field_add(fields, "DNSGUARD_STATUS", status_of(alert));
	field_add(fields, "DNSGUARD_SEVERITY", alert->severity);
	field_add(fields, "DNSGUARD_INSTANCE", message->instance);
	field_add(fields, "DNSGUARD_LISTENER", alert->listener);
	field_add(fields, "DNSGUARD_RESOLVER", alert->resolver);
	field_add(fields, "DNSGUARD_SUMMARY", alert->summary);
	field_add(fields, "DNSGUARD_DESCRIPTION", alert->description);
	field_add(fields, "DNSGUARD_STARTS_AT", time_text(alert->starts_unix, text));
	field_add(fields, "DNSGUARD_ENDS_AT",
		  alert->firing ? "" : time_text(alert->ends_unix, text));
	snprintf(text, sizeof(text), "%" PRIu64, (uint64_t)message->suppressed);
	field_add(fields, "DNSGUARD_SUPPRESSED", text);
	return fields;
}

char *dg_body_line(const struct dg_message *message, char *buf, size_t size)
{
	const struct dg_alert *alert = message->alert;
	char missed[64] = "";

	if (message->suppressed)
		snprintf(missed, sizeof(missed), " (%" PRIu64 " changes before it were not told)",
			 (uint64_t)message->suppressed);
	snprintf(buf, size, "%s %s: %s%s%s%s", alert->name, status_of(alert), alert->summary,
		 alert->description[0] ? "; " : "", alert->description, missed);
	return buf;
}

int dg_body_priority(const struct dg_message *message)
{
	if (!message->alert->firing)
		return 5;
	return strcmp(message->alert->severity, "critical") ? 4 : 2;
}
