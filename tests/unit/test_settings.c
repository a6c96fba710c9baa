// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_settings.c - the configuration's keys as live settings: each key moves its own field and no
 * other, and the defaults that the table prints are those a fresh guard has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <string.h>

#include "userspace/dnsguardd/settings.h"
#include "userspace/lib/maps.h"

static struct dg_config config;

static const struct dg_key_set *all_keys(void)
{
	static struct dg_key_set keys;

	for (unsigned int i = 0; i < DG_KEY_COUNT; i++)
		dg_keys_add(&keys, i);
	return &keys;
}

static struct dg_settings filled(void)
{
	struct dg_settings s;

	memset(&s, 0x5a, sizeof(s));
	for (int f = 0; f < DG_FAMILY_COUNT; f++) {
		dg_rate_make(1000, 2000, (enum dg_family)f, &s.rate[DG_CHARGE_QUERY][f]);
		dg_rate_make(10, 20, (enum dg_family)f, &s.rate[DG_CHARGE_SYN][f]);
	}
	return s;
}

static void parse(const char *text)
{
	struct dg_error err = { 0 };

	if (dg_config_parse("f", text, strlen(text), &config, &err))
		fail_msg("%s", err.text);
}

static void test_nothing_given_changes_nothing(void **state)
{
	struct dg_settings s = filled(), before = s;

	(void)state;
	parse("");
	dg_settings_configure(&config, &config.given, &s);
	assert_memory_equal(&s, &before, sizeof(s));
}

static void assert_rate(const struct dg_settings *s, enum dg_charge charge, __u64 per_sec,
			__u64 burst)
{
	for (int f = 0; f < DG_FAMILY_COUNT; f++) {
		__u64 is_per_sec, is_burst;

		dg_rate_read(&s->rate[charge][f], &is_per_sec, &is_burst);
		assert_int_equal(is_per_sec, per_sec);
		assert_int_equal(is_burst, burst);
	}
}

static void test_rate_and_burst_are_changed_apart(void **state)
{
	struct dg_settings s = filled();

	(void)state;
	parse("limits: {rate-limit: 50}\n");
	dg_settings_configure(&config, &config.given, &s);
	assert_rate(&s, DG_CHARGE_QUERY, 50, 2000);
	assert_rate(&s, DG_CHARGE_SYN, 10, 20);
	parse("limits: {instant-limit: 60, syn: {instant-limit: 5}}\n");
	dg_settings_configure(&config, &config.given, &s);
	assert_rate(&s, DG_CHARGE_QUERY, 50, 60);
	assert_rate(&s, DG_CHARGE_SYN, 10, 5);
}

/* A guard starts without a SYN rate: half a configuration must not leave half a limit. */
static void test_the_missing_half_of_a_rate_is_the_default(void **state)
{
	struct dg_settings s = filled();

	(void)state;
	memset(s.rate, 0, sizeof(s.rate));
	parse("limits: {syn: {rate-limit: 7}}\n");
	dg_settings_configure(&config, &config.given, &s);
	assert_rate(&s, DG_CHARGE_SYN, 7, 50);
}

static void test_each_key_moves_its_field(void **state)
{
	struct dg_settings s = filled(), before = s;

	(void)state;
	parse("limits: {mode: observe, slip: 4, syn: {mode: enforce}}\n"
	      "sources: {mode: off}\n"
	      "service: {ports: [53, 5353]}\n"
	      "clients: [192.0.2.0/24]\n"
	      "answers: {mode: observe, negative-ttl: 5, address-ttl: 6, ede-text: false, budget: 1000,"
	      " cookie-secret: 000102030405060708090a0b0c0d0e0f, pass-cookies: true}\n"
	      "latency: {sample: 8}\n");
	dg_settings_configure(&config, &config.given, &s);
	assert_int_equal(s.limit_mode, DG_OBSERVE);
	assert_int_equal(s.syn_mode, DG_ENFORCE);
	assert_int_equal(s.source_mode, DG_OFF);
	assert_int_equal(s.sinkhole_mode, DG_OBSERVE);
	assert_int_equal(s.slip, 4);
	assert_int_equal(s.ports[0], htons(53));
	assert_int_equal(s.ports[1], htons(5353));
	assert_int_equal(s.ports[2], 0);
	assert_int_equal(s.negative_ttl, 5);
	assert_int_equal(s.address_ttl, 6);
	assert_int_equal(dg_budget_read(&s), 1000);
	assert_int_equal(s.asked_below, DG_ASKED_BELOW(8));
	assert_int_equal(s.cookie_secret[15], 15);
	assert_int_equal(s.flags & DG_SET_EDE_TEXT, 0);
	assert_int_equal(s.flags & DG_SET_COOKIE_SECRET, DG_SET_COOKIE_SECRET);
	assert_int_equal(s.flags & DG_SET_COOKIE_PASS, DG_SET_COOKIE_PASS);
	assert_int_equal(s.flags & DG_SET_CLIENTS_ONLY, DG_SET_CLIENTS_ONLY);
	/* Not the configuration's: keys, clock, the operator's pause. */
	assert_memory_equal(s.hash_key, before.hash_key, sizeof(s.hash_key));
	assert_memory_equal(s.limit_key, before.limit_key, sizeof(s.limit_key));
	assert_int_equal(s.probe_secret, before.probe_secret);
	assert_int_equal(s.paused_until_ns, before.paused_until_ns);
	assert_int_equal(s.own_entries, before.own_entries);
	assert_int_equal(s.limit_line_mask, before.limit_line_mask);
	assert_int_equal(s.jiffy_zero_ns, before.jiffy_zero_ns);
}

/* What was given once and is no longer returns to its default, secrets included. */
static void test_a_key_taken_out_returns_to_its_default(void **state)
{
	struct dg_settings s = filled();

	(void)state;
	parse("answers: {cookie-secret: 000102030405060708090a0b0c0d0e0f}\nclients: ['::/0']\n");
	dg_settings_configure(&config, &config.given, &s);
	parse("");
	dg_settings_configure(&config, all_keys(), &s);
	assert_int_equal(s.flags & (DG_SET_COOKIE_SECRET | DG_SET_CLIENTS_ONLY), 0);
	for (int i = 0; i < 16; i++)
		assert_int_equal(s.cookie_secret[i], 0);
	assert_int_equal(s.slip, 2);
}

/*
 * The table's defaults over a fresh guard's settings change nothing but the SYN rate, which a fresh
 * guard leaves open because its mode is off. Needs CAP_BPF: a fresh guard's clock is measured.
 */
static void test_defaults_are_those_of_a_fresh_guard(void **state)
{
	struct dg_settings fresh, s;
	struct dg_error err = { 0 };

	(void)state;
	if (geteuid()) {
		print_message("skipped: needs root\n");
		skip();
	}
	if (dg_settings_default(&fresh, &err))
		fail_msg("%s", err.text);
	s = fresh;
	dg_config_default(&config);
	dg_settings_configure(&config, all_keys(), &s);
	memcpy(s.rate[DG_CHARGE_SYN], fresh.rate[DG_CHARGE_SYN], sizeof(s.rate[DG_CHARGE_SYN]));
	assert_memory_equal(&s, &fresh, sizeof(s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_given_changes_nothing),
		cmocka_unit_test(test_rate_and_burst_are_changed_apart),
		cmocka_unit_test(test_the_missing_half_of_a_rate_is_the_default),
		cmocka_unit_test(test_each_key_moves_its_field),
		cmocka_unit_test(test_a_key_taken_out_returns_to_its_default),
		cmocka_unit_test(test_defaults_are_those_of_a_fresh_guard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
