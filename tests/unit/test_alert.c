// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_alert.c - who is told what and when, over days that pass at once; and alerts in the words of each receiver.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "userspace/alert/send.h"

#define T0 1000000ull

static const struct dg_tell_rules rules = { .interval_sec = 60, .resend_sec = 60 };

static struct dg_config *config_make(void)
{
	struct dg_config *config = malloc(sizeof(*config));

	dg_config_default(config);
	config->alerts_log = DG_LOGS_OFF;
	config->webhooks.count = 1;
	strcpy(config->webhooks.url[0].url, "https://user:secret@hooks.example:8443/T0KEN?x=T0KEN");
	return config;
}

static void note_of(struct dg_alerts *alerts, const char *name, bool firing, __u64 now)
{
	const struct dg_news news = { .name = name,
				      .severity = "warning",
				      .listener = "192.0.2.1:53",
				      .resolver = "named",
				      .summary = "s",
				      .description = "d",
				      .firing = firing };

	dg_alerts_note(alerts, &news, now);
}

static void note(struct dg_alerts *alerts, bool firing, __u64 now)
{
	note_of(alerts, "DnsguardTcpFilling", firing, now);
}

/* Tells the only receiver when it is due; returns whether it was. */
static bool tell(struct dg_alerts *alerts, const char *error, __u64 now, __u64 *ret_suppressed)
{
	struct dg_alert *alert = &alerts->alert[0];
	struct dg_sink *sink = &alerts->sink[0];

	if (!alerts->count || !dg_alert_due(alert, sink, 0, &rules, now))
		return false;
	*ret_suppressed = dg_alert_suppressed(alert, 0);
	if (!error)
		alert->told[0] = (struct dg_told){ .changes = alert->changes, .unix_sec = now };
	dg_sink_tried(sink, error, now);
	return true;
}

static void each_change_is_told_once(void **state)
{
	dg_scoped_free struct dg_config *config = config_make();
	dg_scoped_alerts struct dg_alerts alerts = { .alert = NULL };
	__u64 suppressed;

	(void)state;
	dg_sinks_configure(&alerts, config);
	note(&alerts, false, T0); /* what does not fire and never did is no news */
	assert_int_equal(alerts.count, 0);
	note(&alerts, true, T0);
	note(&alerts, true, T0 + 1);
	assert_true(tell(&alerts, NULL, T0 + 1, &suppressed));
	assert_int_equal(suppressed, 0);
	assert_false(tell(&alerts, NULL, T0 + 900, &suppressed));
	note(&alerts, false, T0 + 1000);
	assert_int_equal(dg_sink_queued(&alerts, 0), 1);
	assert_true(tell(&alerts, NULL, T0 + 1000, &suppressed));
	assert_int_equal(dg_sink_queued(&alerts, 0), 0);
}

static void an_alert_that_flaps_is_told_once_a_minute(void **state)
{
	dg_scoped_free struct dg_config *config = config_make();
	dg_scoped_alerts struct dg_alerts alerts = { .alert = NULL };
	__u64 suppressed, missed = 0, messages = 0;

	(void)state;
	dg_sinks_configure(&alerts, config);
	for (__u64 second = 0; second < 600; second++) {
		note(&alerts, second % 4 < 2, T0 + second);
		if (tell(&alerts, NULL, T0 + second, &suppressed)) {
			messages++;
			missed += suppressed;
		}
	}
	assert_in_range(messages, 9, 11);
	assert_int_equal(messages + missed, alerts.alert[0].told[0].changes);
}

static void a_receiver_that_is_away_is_tried_later_and_later(void **state)
{
	dg_scoped_free struct dg_config *config = config_make();
	dg_scoped_alerts struct dg_alerts alerts = { .alert = NULL };
	__u64 suppressed, tries = 0, second;

	(void)state;
	dg_sinks_configure(&alerts, config);
	note(&alerts, true, T0);
	for (second = 0; second < 3600; second++)
		tries += tell(&alerts, "no", T0 + second, &suppressed);
	/* 0 5 15 35 75 155 315 and then every 300 s. */
	assert_int_equal(tries, 17);
	note(&alerts, false, T0 + 3600);
	while (!tell(&alerts, NULL, T0 + second, &suppressed))
		second++;
	assert_in_range(second, 3600, 3900);
	assert_int_equal(suppressed, 1); /* it fired, and that was not told */
}

static void a_clock_that_is_set_back_holds_no_message_back(void **state)
{
	dg_scoped_free struct dg_config *config = config_make();
	dg_scoped_alerts struct dg_alerts alerts = { .alert = NULL };
	__u64 suppressed;

	(void)state;
	dg_sinks_configure(&alerts, config);
	note(&alerts, true, T0);
	assert_true(tell(&alerts, "away", T0, &suppressed));
	assert_false(tell(&alerts, NULL, T0 - 3, &suppressed));
	assert_true(tell(&alerts, NULL, T0 - 86400, &suppressed));
	note(&alerts, false, T0 - 86401);
	assert_true(tell(&alerts, NULL, T0 - 86401, &suppressed));
}

static void an_alertmanager_hears_again_of_what_fires(void **state)
{
	dg_scoped_free struct dg_config *config = config_make();
	dg_scoped_alerts struct dg_alerts alerts = { .alert = NULL };
	__u64 suppressed, messages = 0;

	(void)state;
	config->alertmanagers = config->webhooks;
	config->webhooks.count = 0;
	dg_sinks_configure(&alerts, config);
	note(&alerts, true, T0);
	for (__u64 second = 0; second < 600; second++)
		messages += tell(&alerts, NULL, T0 + second, &suppressed);
	assert_int_equal(messages, 10);
	note(&alerts, false, T0 + 600);
	for (__u64 second = 600; second < 3600; second++)
		messages += tell(&alerts, NULL, T0 + second, &suppressed);
	assert_in_range(messages, 15, 16); /* for five minutes */
}

/* Written by one daemon, read by the next. */
static void restart(const struct dg_alerts *before, const struct dg_config *config,
		    struct dg_alerts *ret)
{
	char dir[] = "/tmp/dg-alert-XXXXXX", path[64];
	dg_scoped_free char *text = dg_alerts_text(before);
	dg_scoped_file FILE *file = NULL;

	assert_null(strstr(text, "secret"));
	assert_null(strstr(text, "T0KEN"));
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/" DG_ALERTS_FILE, dir);
	file = fopen(path, "w");
	fputs(text, file);
	dg_close_file(&file);
	assert_int_equal(dg_alerts_load(dir, ret, NULL), 0);
	unlink(path);
	rmdir(dir);
	dg_sinks_configure(ret, config);
}

static const char *const names[] = { "Filling", "NearlyFull", "Exhausted" };

/* The names of those that are due, one at a time. */
static void assert_told(struct dg_alerts *alerts, __u64 now, const char *const expected[3])
{
	unsigned int at[DG_BATCH_MAX];

	for (int i = 0; i < 3; i++) {
		assert_int_equal(dg_alerts_due(alerts, 0, &rules, now, at), 1);
		assert_string_equal(alerts->alert[at[0]].name, expected[i]);
		alerts->alert[at[0]].told[0] =
			(struct dg_told){ .changes = alerts->alert[at[0]].changes,
					  .unix_sec = now };
	}
	assert_int_equal(dg_alerts_due(alerts, 0, &rules, now, at), 0);
}

static void a_slow_receiver_hears_of_changes_in_their_order(void **state)
{
	const char *const fall[] = { "Exhausted", "NearlyFull", "Filling" };
	dg_scoped_free struct dg_config *config = config_make();
	dg_scoped_alerts struct dg_alerts alerts = { .alert = NULL }, after = { .alert = NULL };

	(void)state;
	dg_sinks_configure(&alerts, config);
	for (int i = 0; i < 3; i++)
		note_of(&alerts, names[i], true, T0);
	assert_told(&alerts, T0 + 1, names);
	for (int i = 0; i < 3; i++)
		note_of(&alerts, fall[i], false, T0 + 100 + (__u64)i);
	restart(&alerts, config, &after);
	note_of(&after, "Filling", true, T0 + 104);
	note_of(&after, "Filling", false, T0 + 105);
	assert_told(&after, T0 + 110, fall);
	assert_told(&alerts, T0 + 110, fall);
}

static unsigned int due_at(const struct dg_alerts *alerts, __u64 now)
{
	unsigned int at[DG_BATCH_MAX];

	return dg_alerts_due(alerts, 0, &rules, now, at);
}

/* It took the critical alert so late that the next word on it is not due when the ends of all three are there. */
static void ends_wait_for_one_that_was_taken_late(void **state)
{
	const char *const fall[] = { "Exhausted", "NearlyFull", "Filling" };
	dg_scoped_free struct dg_config *config = config_make();
	dg_scoped_alerts struct dg_alerts alerts = { .alert = NULL };

	(void)state;
	dg_sinks_configure(&alerts, config);
	for (int i = 0; i < 3; i++)
		note_of(&alerts, names[i], true, T0);
	assert_told(&alerts, T0 + 1, names);
	alerts.alert[2].told[0].unix_sec = T0 + 15;
	for (int i = 0; i < 3; i++)
		note_of(&alerts, fall[i], false, T0 + 61 + (__u64)i);
	assert_int_equal(due_at(&alerts, T0 + 74), 0);
	note_of(&alerts, "Elsewhere", true, T0 + 74); /* what begins waits for nothing */
	assert_int_equal(due_at(&alerts, T0 + 74), 1);
	alerts.alert[3].told[0] = (struct dg_told){ .changes = 1, .unix_sec = T0 + 74 };
	assert_told(&alerts, T0 + 75, fall);
	alerts.sink[0].kind = DG_SINK_ALERTMANAGER; /* to which order is nothing */
	alerts.alert[2].told[0] = (struct dg_told){ .changes = 1, .unix_sec = T0 + 75 };
	alerts.alert[1].told[0] = (struct dg_told){ .changes = 1, .unix_sec = T0 + 1 };
	assert_int_equal(due_at(&alerts, T0 + 76), 1);
}

static void what_is_over_is_forgotten_when_all_know(void **state)
{
	dg_scoped_free struct dg_config *config = config_make();
	dg_scoped_alerts struct dg_alerts alerts = { .alert = NULL };
	__u64 suppressed;

	(void)state;
	dg_sinks_configure(&alerts, config);
	note(&alerts, true, T0);
	note(&alerts, false, T0 + 1);
	dg_alerts_tidy(&alerts, T0 + 7200);
	assert_int_equal(alerts.count, 1);
	assert_true(tell(&alerts, NULL, T0 + 7200, &suppressed));
	dg_alerts_tidy(&alerts, T0 + 7200);
	assert_int_equal(alerts.count, 0);
}

static void alerts_are_bounded(void **state)
{
	dg_scoped_alerts struct dg_alerts alerts = { .alert = NULL };
	char listener[32];

	(void)state;
	for (int i = 0; i < DG_ALERTS_MAX + 5; i++) {
		const struct dg_news news = { .name = "X",
					      .severity = "",
					      .listener = listener,
					      .resolver = "",
					      .summary = "",
					      .description = "",
					      .firing = true };

		snprintf(listener, sizeof(listener), "192.0.2.1:%d", i);
		dg_alerts_note(&alerts, &news, T0);
	}
	assert_int_equal(alerts.count, DG_ALERTS_MAX);
	assert_int_equal(alerts.refused, 5);
}

/* ---- restart, reload -------------------------------------------------------------------------- */

static void a_restart_forgets_nothing_and_repeats_nothing(void **state)
{
	dg_scoped_free struct dg_config *config = config_make();
	dg_scoped_alerts struct dg_alerts before = { .alert = NULL }, after = { .alert = NULL };
	__u64 suppressed;

	(void)state;
	dg_sinks_configure(&before, config);
	note(&before, true, T0);
	assert_true(tell(&before, NULL, T0, &suppressed));
	restart(&before, config, &after);
	assert_int_equal(after.count, 1);
	assert_true(after.alert[0].firing);
	note(&after, true, T0 + 100);
	assert_false(tell(&after, NULL, T0 + 100, &suppressed));
	note(&after, false, T0 + 101);
	assert_true(tell(&after, NULL, T0 + 101, &suppressed));
	assert_int_equal(after.sink[0].delivered, 2);
}

static void a_new_receiver_hears_what_fires_and_not_what_is_over(void **state)
{
	dg_scoped_free struct dg_config *config = config_make();
	dg_scoped_alerts struct dg_alerts alerts = { .alert = NULL };

	(void)state;
	note(&alerts, true, T0);
	dg_sinks_configure(&alerts, config);
	assert_int_equal(dg_sink_queued(&alerts, 0), 1);
	note(&alerts, false, T0 + 1);
	config->webhooks.count = 2;
	strcpy(config->webhooks.url[1].url, "http://other.example/");
	dg_sinks_configure(&alerts, config);
	assert_int_equal(dg_sink_queued(&alerts, 0), 1);
	assert_int_equal(dg_sink_queued(&alerts, 1), 0);
}

/* ---- words ------------------------------------------------------------------------------------ */

static const struct dg_alert sample = { .name = "DnsguardTcpFilling",
					.severity = "warning",
					.listener = "192.0.2.1:53",
					.resolver = "named",
					.summary = "it is\nfilling",
					.description = "",
					.firing = true,
					.starts_unix = 1700000000 };

static const char *at(const json_t *doc, const char *a, const char *b)
{
	return json_string_value(json_object_get(json_object_get(doc, a), b));
}

static void bodies_say_what_fires(void **state)
{
	const struct dg_message message = { .alert = &sample,
					    .instance = "host1",
					    .suppressed = 3,
					    .now_unix = 1700000100,
					    .resend_sec = 60 };
	json_t *doc = dg_body_alertmanager(&message);

	(void)state;
	assert_string_equal(at(doc, "labels", "alertname"), "DnsguardTcpFilling");
	assert_string_equal(at(doc, "labels", "instance"), "host1");
	assert_string_equal(at(doc, "annotations", "suppressed"), "3");
	assert_string_equal(json_string_value(json_object_get(doc, "startsAt")),
			    "2023-11-14T22:13:20Z");
	assert_string_equal(json_string_value(json_object_get(doc, "endsAt")),
			    "2023-11-14T22:19:00Z"); /* four resends on */
	json_decref(doc);
	doc = dg_body_webhook(&message);
	assert_string_equal(json_string_value(json_object_get(doc, "version")), "4");
	assert_string_equal(json_string_value(json_object_get(doc, "status")), "firing");
	assert_int_equal(json_array_size(json_object_get(doc, "alerts")), 1);
	assert_string_equal(at(doc, "groupLabels", "listener"), "192.0.2.1:53");
	json_decref(doc);
}

static int datagrams(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	strcpy(addr.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static int said;

static void say(int priority, const char *line)
{
	assert_int_equal(priority, 4);
	assert_non_null(strstr(line, "it is filling"));
	said++;
}

static void log_has_a_field_each(void **state)
{
	const struct dg_message message = { .alert = &sample, .instance = "host1" };
	char journal[] = "/tmp/dg-alert-journal-XXXXXX", got[4096];
	dg_scoped_fd int made = mkstemp(journal);
	struct dg_log_paths paths = { .journal = journal, .syslog = "/nonexistent/log" };
	dg_scoped_fd int fd = datagrams(journal);
	ssize_t len;

	(void)state;
	assert_int_equal(dg_send_log(DG_LOGS_AUTO, &paths, &message, say), 0);
	len = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	assert_true(len > 0);
	got[len] = '\0';
	assert_non_null(strstr(got, "MESSAGE=DnsguardTcpFilling firing: it is filling\n"));
	assert_non_null(strstr(got, "\nPRIORITY=4\n"));
	assert_non_null(strstr(got, "\nDNSGUARD_LISTENER=192.0.2.1:53\n"));
	assert_non_null(strstr(got, "\nDNSGUARD_STARTS_AT=2023-11-14T22:13:20Z\n"));
	paths = (struct dg_log_paths){ .journal = "/nonexistent/log", .syslog = journal };
	assert_int_equal(dg_send_log(DG_LOGS_AUTO, &paths, &message, say), 0);
	len = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);
	assert_true(len > 0);
	got[len] = '\0';
	assert_memory_equal(got, "<28>dnsguardd[", 14);
	assert_non_null(strstr(got, " DNSGUARD_LISTENER=192.0.2.1:53"));
	unlink(journal);
}

static void without_a_log_it_is_said_or_reported(void **state)
{
	const struct dg_message message = { .alert = &sample, .instance = "host1" };
	const struct dg_log_paths paths = { "/nonexistent/a", "/nonexistent/b" };

	(void)state;
	assert_int_equal(dg_send_log(DG_LOGS_AUTO, &paths, &message, say), 0);
	assert_int_equal(said, 1);
	assert_int_equal(dg_send_log(DG_LOGS_JOURNAL, &paths, &message, say), -ENOENT);
	assert_int_equal(dg_send_log(DG_LOGS_SYSLOG, &paths, &message, say), -ENOENT);
	assert_int_equal(said, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_change_is_told_once),
		cmocka_unit_test(an_alert_that_flaps_is_told_once_a_minute),
		cmocka_unit_test(a_receiver_that_is_away_is_tried_later_and_later),
		cmocka_unit_test(a_clock_that_is_set_back_holds_no_message_back),
		cmocka_unit_test(an_alertmanager_hears_again_of_what_fires),
		cmocka_unit_test(a_slow_receiver_hears_of_changes_in_their_order),
		cmocka_unit_test(ends_wait_for_one_that_was_taken_late),
		cmocka_unit_test(what_is_over_is_forgotten_when_all_know),
		cmocka_unit_test(alerts_are_bounded),
		cmocka_unit_test(a_restart_forgets_nothing_and_repeats_nothing),
		cmocka_unit_test(a_new_receiver_hears_what_fires_and_not_what_is_over),
		cmocka_unit_test(bodies_say_what_fires),
		cmocka_unit_test(log_has_a_field_each),
		cmocka_unit_test(without_a_log_it_is_said_or_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
