// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_metrics.c - the Prometheus text of a filled snapshot: every row there, exact numbers, sound
 * labels.
 *
 * Whether Prometheus itself can read it is asked in tests/daemon, of promtool and of a running
 * server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "userspace/dnsguardd/metrics.h"

static struct dg_snapshot snapshot;
static __u8 attached[DG_IF_MAX];
static const struct dg_map_usage usage[] = { { "dg_own", 3, 65536, 4096 },
					     { "dg_limiter", 0, 131072, 8388608 } };

static const struct dg_list_row lists[] = {
	{ "ads", 1700000002, 0, 28, 29 },
	{ "own#1", 0, 1700000003, 30, 0 },
};

/* One device, one list, a few counters of each kind. */
static struct dg_metrics_view filled(void)
{
	struct dg_snapshot *s = &snapshot;

	memset(s, 0, sizeof(*s));
	attached[0] = 1;
	s->now_ns = 1000;
	s->settings.limit_mode = DG_ENFORCE;
	s->ifaces = 1;
	strcpy(s->iface[0].name, "eth0");
	s->per_iface[0].verdict[DG_PASS_CLEAN] =
		(struct dg_count){ 18446744073709551615ull, 1234567890123ull };
	s->total.queries[DG_IPV6][DG_UDP] = 21;
	s->total.queries[DG_IPV6][DG_TCP] = 31;
	s->total.qtype[DG_TCP][DG_QTYPE_HTTPS] = 32;
	s->total.qtype[DG_UDP][DG_QTYPE_UNREAD] = 33;
	s->total.limit[DG_IPV4][DG_LIMIT_SLIPPED] = 22;
	s->total.syn[DG_IPV6][DG_SYN_RETRANSMITTED] = 23;
	s->tcp.reached[2] = 34;
	s->total.events_lost = 24;
	s->limited_sources = 25;
	s->own_entries = 3;
	s->image.names = 1000000;
	s->image.lists = 1;
	strcpy(s->image_list[1].text, "ads");
	s->image_list[1].kind = DG_ANSWER_NXDOMAIN;
	s->image_list[1].names = 999999; /* the image has an entry more: an exception */
	s->list[0].answers[DG_ANSWER_DROP] = 26;
	s->list[1].answers[DG_ANSWER_NXDOMAIN] = 27;
	return (struct dg_metrics_view){
		.snapshot = s,
		.attached = attached,
		.usage = usage,
		.usage_count = 2,
		.lists = lists,
		.list_count = 2,
		.process = { 1234.5, 1700000000.25, 2, 3, 4, 5 },
		.version = "1.2",
		.config_good = 1,
		.config_good_unix = 1700000001,
	};
}

static char *render(const struct dg_metrics_view *view, enum dg_metrics_format format)
{
	size_t len = 0;
	char *text = dg_metrics_render(view, format, &len);

	assert_non_null(text);
	assert_int_equal(strlen(text), len);
	return text;
}

/* The line stands there whole, exactly once. */
static void assert_line(const char *text, const char *line)
{
	char whole[512];
	const char *at;

	snprintf(whole, sizeof(whole), "\n%s\n", line);
	at = strstr(text, whole);
	if (!at)
		fail_msg("no line: %s", line);
	if (strstr(at + 1, whole))
		fail_msg("twice: %s", line);
}

static void assert_no(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("there is: %s", part);
}

static const char *const same_in_both[] = {
	"dnsguard_packets_total{interface=\"eth0\",verdict=\"pass_clean\"} 18446744073709551615",
	"dnsguard_bytes_total{interface=\"eth0\",verdict=\"pass_clean\"} 1234567890123",
	"dnsguard_dns_queries_total{family=\"ipv6\",transport=\"udp\"} 21",
	"dnsguard_dns_queries_total{family=\"ipv6\",transport=\"tcp\"} 31",
	"dnsguard_dns_queries_by_type_total{transport=\"tcp\",qtype=\"HTTPS\"} 32",
	"dnsguard_dns_queries_by_type_total{transport=\"udp\",qtype=\"unread\"} 33",
	"dnsguard_tcp_query_connections_total{at_least=\"4\"} 34",
	"dnsguard_ratelimit_packets_total{family=\"ipv4\",action=\"slipped\"} 22",
	"dnsguard_tcp_syn_total{family=\"ipv6\",kind=\"retransmitted\"} 23",
	"dnsguard_tcp_syn_total{family=\"ipv4\",kind=\"first\"} 0",
	"dnsguard_events_lost_total 24",
	"dnsguard_limited_sources 25",
	"dnsguard_names{origin=\"operator\"} 3",
	"dnsguard_names{origin=\"lists\"} 999999",
	"dnsguard_sinkhole_answers_total{list=\"operator\",response=\"drop\"} 26",
	"dnsguard_sinkhole_answers_total{list=\"operator\",response=\"nxdomain\"} 0",
	"dnsguard_sinkhole_answers_total{list=\"ads\",response=\"nxdomain\"} 27",
	"dnsguard_map_entries{map=\"dg_own\"} 3",
	"dnsguard_map_max_entries{map=\"dg_limiter\"} 131072",
	"dnsguard_map_memory_bytes{map=\"dg_limiter\"} 8388608",
	"dnsguard_list_names{list=\"ads\"} 999999",
	"dnsguard_list_last_success_timestamp_seconds{list=\"ads\"} 1700000002",
	"dnsguard_list_last_success_timestamp_seconds{list=\"own#1\"} 0",
	"dnsguard_list_stale{list=\"ads\"} 0",
	"dnsguard_list_stale{list=\"own#1\"} 1",
	"dnsguard_list_stale_since_timestamp_seconds{list=\"ads\"} 0",
	"dnsguard_list_stale_since_timestamp_seconds{list=\"own#1\"} 1700000003",
	"dnsguard_list_update_failures_total{list=\"ads\"} 28",
	"dnsguard_list_update_failures_total{list=\"own#1\"} 30",
	"dnsguard_list_rejected_lines{list=\"ads\"} 29",
	"dnsguard_up 1",
	"dnsguard_enforcing{interface=\"eth0\"} 1",
	"dnsguard_paused 0",
	"dnsguard_config_last_reload_successful 1",
	"dnsguard_config_last_reload_success_timestamp_seconds 1700000001",
	"process_cpu_seconds_total 1234.50",
	"process_start_time_seconds 1700000000.25",
	"process_virtual_memory_bytes 2",
	"process_resident_memory_bytes 3",
	"process_open_fds 4",
	"process_max_fds 5",
};

static void test_samples_are_exact(void **state)
{
	struct dg_metrics_view view = filled();

	(void)state;
	for (enum dg_metrics_format f = DG_METRICS_TEXT; f <= DG_METRICS_OPENMETRICS; f++) {
		char *text = render(&view, f);

		for (unsigned int i = 0; i < sizeof(same_in_both) / sizeof(same_in_both[0]); i++)
			assert_line(text, same_in_both[i]);
		free(text);
	}
}

static void test_every_verdict_has_its_rows(void **state)
{
	struct dg_metrics_view view = filled();
	char *text = render(&view, DG_METRICS_TEXT), head[160];

	(void)state;
	for (int v = 0; v < DG_VERDICT_COUNT; v++) {
		const char *label = dg_verdict_label((enum dg_verdict)v);

		snprintf(head, sizeof(head),
			 "\ndnsguard_packets_total{interface=\"eth0\",verdict=\"%s\"} ", label);
		assert_non_null(strstr(text, head));
		snprintf(head, sizeof(head),
			 "\ndnsguard_bytes_total{interface=\"eth0\",verdict=\"%s\"} ", label);
		assert_non_null(strstr(text, head));
		snprintf(head, sizeof(head), "\ndnsguard_verdict_info{verdict=\"%s\",", label);
		assert_non_null(strstr(text, head));
	}
	free(text);
}

static void test_families_as_each_format_wants(void **state)
{
	struct dg_metrics_view view = filled();
	char *text = render(&view, DG_METRICS_TEXT);
	char *open = render(&view, DG_METRICS_OPENMETRICS);

	(void)state;
	assert_line(text, "# TYPE dnsguard_packets_total counter");
	assert_line(text, "# TYPE dnsguard_build_info gauge");
	assert_no(text, "# EOF");
	assert_no(text, "# UNIT");
	assert_line(open, "# TYPE dnsguard_packets counter");
	assert_line(open, "# TYPE dnsguard_build info");
	assert_line(open, "# UNIT dnsguard_map_memory_bytes bytes");
	assert_line(open, "# UNIT process_cpu_seconds seconds");
	assert_string_equal(open + strlen(open) - 7, "\n# EOF\n");
	free(text);
	free(open);
}

static void test_labels_are_escaped_and_utf8(void **state)
{
	struct dg_metrics_view view = filled();
	char *text;

	(void)state;
	strcpy(snapshot.image_list[1].text, "a\\b\"c\nd\xff\xc3\xa9");
	text = render(&view, DG_METRICS_TEXT);
	assert_line(text,
		    "dnsguard_sinkhole_answers_total{list=\"a\\\\b\\\"c\\nd\xef\xbf\xbd\xc3\xa9\","
		    "response=\"nxdomain\"} 27");
	free(text);
}

static void test_a_text_of_full_length_ends(void **state)
{
	struct dg_metrics_view view = filled();
	char *text;

	(void)state;
	memset(snapshot.image_list[1].text, 'x', DG_TEXT_MAX); /* no NUL left */
	snapshot.image_list[1].list = 0x79797979;
	text = render(&view, DG_METRICS_TEXT);
	assert_non_null(strstr(text, "list=\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\","));
	free(text);
}

/* Two series with the same labels would make Prometheus refuse the whole scrape. */
static void test_lists_of_one_name_stay_apart(void **state)
{
	struct dg_metrics_view view = filled();
	char *text;

	(void)state;
	snapshot.image.lists = 4;
	for (int i = 1; i <= 4; i++)
		snapshot.image_list[i].kind = DG_ANSWER_NULL;
	strcpy(snapshot.image_list[2].text, "ads");
	strcpy(snapshot.image_list[3].text, "operator");
	text = render(&view, DG_METRICS_TEXT);
	assert_line(text, "dnsguard_sinkhole_answers_total{list=\"ads#1\",response=\"null\"} 0");
	assert_line(text, "dnsguard_sinkhole_answers_total{list=\"ads#2\",response=\"null\"} 0");
	assert_line(text,
		    "dnsguard_sinkhole_answers_total{list=\"operator#3\",response=\"null\"} 0");
	assert_line(text, "dnsguard_sinkhole_answers_total{list=\"#4\",response=\"null\"} 0");
	free(text);
}

static void test_without_a_guard(void **state)
{
	struct dg_metrics_view view = { .version = "1.2" };
	char *text = render(&view, DG_METRICS_OPENMETRICS);

	(void)state;
	assert_line(text, "dnsguard_up 0");
	assert_line(text, "dnsguard_config_last_reload_successful 0");
	assert_no(text, "\ndnsguard_packets_total");
	free(text);
}

static void test_observed_paused_or_gone_does_not_enforce(void **state)
{
	static const char no[] = "dnsguard_enforcing{interface=\"eth0\"} 0";
	struct dg_metrics_view view = filled();
	char *text;

	(void)state;
	snapshot.iface[0].flags = DG_IF_OBSERVE;
	text = render(&view, DG_METRICS_TEXT);
	assert_line(text, no);
	free(text);
	view = filled();
	snapshot.settings.paused_until_ns = snapshot.now_ns + 1;
	text = render(&view, DG_METRICS_TEXT);
	assert_line(text, no);
	assert_line(text, "dnsguard_paused 1");
	free(text);
	view = filled();
	snapshot.settings.limit_mode = DG_OBSERVE; /* and all others are off */
	text = render(&view, DG_METRICS_TEXT);
	assert_line(text, no);
	free(text);
	view = filled();
	attached[0] = 0;
	text = render(&view, DG_METRICS_TEXT);
	assert_line(text, no);
	assert_line(text, "dnsguard_up 0");
	free(text);
}

static void test_accept_decides_the_format(void **state)
{
	static const struct {
		const char *accept;
		enum dg_metrics_format format;
	} rows[] = {
		{ NULL, DG_METRICS_TEXT },
		{ "", DG_METRICS_TEXT },
		{ "*/*", DG_METRICS_TEXT },
		{ "text/html", DG_METRICS_TEXT },
		{ "application/openmetrics-text", DG_METRICS_OPENMETRICS },
		{ "application/openmetrics-text; version=1.0.0; charset=utf-8",
		  DG_METRICS_OPENMETRICS },
		{ "APPLICATION/OpenMetrics-Text;version=\"1.0.0\"", DG_METRICS_OPENMETRICS },
		{ "application/openmetrics-text;version=0.0.1", DG_METRICS_TEXT },
		{ "application/openmetrics-text;version=2.0.0", DG_METRICS_TEXT },
		{ "application/openmetrics-text;q=0", DG_METRICS_TEXT },
		{ "application/openmetrics-text;q=0.3,text/plain;q=0.5", DG_METRICS_TEXT },
		{ "application/openmetrics-text;q=0.5,text/plain;q=0.5", DG_METRICS_OPENMETRICS },
		{ "text/plain;version=0.0.4", DG_METRICS_TEXT },
		/* what Prometheus 2.42 and 3 send */
		{ "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
		  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		  DG_METRICS_OPENMETRICS },
		{ "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
		  "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,"
		  "text/plain;version=0.0.4;q=0.2,/;q=0.1",
		  DG_METRICS_OPENMETRICS },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (dg_metrics_negotiate(rows[i].accept) != rows[i].format)
			fail_msg("wrong format for \"%s\"", rows[i].accept);
}

static void test_process_is_read(void **state)
{
	struct dg_process p;

	(void)state;
	dg_process_read(&p);
	assert_true(p.start_unix_seconds > 1.6e9);
	assert_true(p.resident_bytes > 4096 && p.resident_bytes <= p.virtual_bytes);
	assert_true(p.open_fds >= 3 && p.open_fds < p.max_fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples_are_exact),
		cmocka_unit_test(test_every_verdict_has_its_rows),
		cmocka_unit_test(test_families_as_each_format_wants),
		cmocka_unit_test(test_labels_are_escaped_and_utf8),
		cmocka_unit_test(test_a_text_of_full_length_ends),
		cmocka_unit_test(test_lists_of_one_name_stay_apart),
		cmocka_unit_test(test_without_a_guard),
		cmocka_unit_test(test_observed_paused_or_gone_does_not_enforce),
		cmocka_unit_test(test_accept_decides_the_format),
		cmocka_unit_test(test_process_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
