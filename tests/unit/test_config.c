// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_config.c - the configuration file: every type read, every refusal placed and worded, nothing
 * half-read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "userspace/config/config.h"

static int parse(const char *text, struct dg_config *ret, struct dg_error *err)
{
	memset(err, 0, sizeof(*err));
	return dg_config_parse("f", text, strlen(text), ret, err);
}

static int given_count(const struct dg_config *config)
{
	int count = 0;

	for (unsigned int i = 0; i < DG_KEY_COUNT; i++)
		count += dg_keys_has(&config->given, i);
	return count;
}

/* More keys than a word has bits. */
static void test_a_set_of_keys_keeps_each_apart(void **state)
{
	struct dg_key_set set = { 0 };

	(void)state;
	dg_keys_add(&set, 1);
	dg_keys_add(&set, 65);
	assert_true(dg_keys_has(&set, 1) && dg_keys_has(&set, 65));
	assert_false(dg_keys_has(&set, 0) || dg_keys_has(&set, 64));
}

/* Types by rows of the test's own, as a row of the table would use them. */
struct typed {
	__u64 percent;
	char string[9];
	struct dg_config_argv argv;
};
static const struct dg_config_key
	percent_key = { "p", DG_TYPE_PERCENT, offsetof(struct typed, percent), 1, 100, "", "" },
	string_key = { "s", DG_TYPE_STRING, offsetof(struct typed, string), 1, 8, "", "" },
	argv_key = { "a", DG_TYPE_ARGV, offsetof(struct typed, argv), 0, 0, "", "" };

static void test_percentages_and_texts(void **state)
{
	struct typed at = { 0 };
	struct dg_error err;

	(void)state;
	assert_int_equal(dg_config_value_read(&percent_key, "70%", &at, &err), 0);
	assert_int_equal(at.percent, 70);
	assert_int_equal(dg_config_value_read(&percent_key, "1", &at, &err), 0);
	assert_int_equal(at.percent, 1);
	assert_int_equal(dg_config_value_read(&percent_key, "101%", &at, &err), -EINVAL);
	assert_non_null(strstr(err.text, "\"101%\" is not allowed here; write a percentage from 1 "
					 "to 100"));
	assert_int_equal(dg_config_value_read(&percent_key, "7%%", &at, &err), -EINVAL);
	assert_int_equal(dg_config_value_read(&string_key, "12345678", &at, &err), 0);
	assert_string_equal(at.string, "12345678");
	assert_int_equal(dg_config_value_read(&string_key, "123456789", &at, &err), -EINVAL);
	assert_int_equal(dg_config_value_read(&string_key, "", &at, &err), -EINVAL);
	assert_string_equal(at.string, "12345678");
}

static void test_a_command_is_words_and_bounded(void **state)
{
	struct typed at = { 0 };
	char big[DG_CONFIG_ARGV_BYTES];
	struct dg_error err;

	(void)state;
	assert_int_equal(dg_config_value_read(&argv_key, "sh", &at, &err), -EINVAL);
	assert_int_equal(dg_config_value_read(&argv_key, "/bin/true", &at, &err), 0);
	assert_int_equal(dg_config_value_read(&argv_key, "", &at, &err), 0);
	assert_int_equal(dg_config_value_read(&argv_key, "a b; c", &at, &err), 0);
	assert_int_equal(at.argv.count, 3);
	assert_string_equal(dg_config_argv_word(&at.argv, 0), "/bin/true");
	assert_string_equal(dg_config_argv_word(&at.argv, 1), "");
	assert_string_equal(dg_config_argv_word(&at.argv, 2), "a b; c");
	assert_string_equal(dg_config_argv_word(&at.argv, 3), "");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(dg_config_value_read(&argv_key, big, &at, &err), -EINVAL);
	assert_int_equal(at.argv.count, 3);
	dg_config_list_clear(&argv_key, &at);
	assert_int_equal(at.argv.count, 0);
	assert_int_equal(dg_config_value_read(&argv_key, "/bin/false", &at, &err), 0);
	assert_string_equal(dg_config_argv_word(&at.argv, 0), "/bin/false");
}

static const char whole_file[] = "# everything at once\n"
				 "mode: observe\n"
				 "interfaces:\n"
				 "  - eth0\n"
				 "  - {name: eth1, mode: generic, observe: true}\n"
				 "service:\n"
				 "  ports: [53, 5353]\n"
				 "  addresses: [192.0.2.1, '2001:db8::1']\n"
				 "clients: [192.0.2.0/24, 2001:db8::/32]\n"
				 "limits:\n"
				 "  mode: off\n"
				 "  rate-limit: 7\n"
				 "  instant-limit: 9\n"
				 "  slip: 0\n"
				 "  memory: 16MiB\n"
				 "  syn: {mode: enforce, rate-limit: 11, instant-limit: 12}\n"
				 "sources: {mode: observe}\n"
				 "answers:\n"
				 "  mode: enforce\n"
				 "  negative-ttl: 30\n"
				 "  address-ttl: 31\n"
				 "  ede-text: false\n"
				 "  budget: 5000\n"
				 "  cookie-secret: 000102030405060708090a0b0c0d0e0F\n"
				 "  pass-cookies: true\n"
				 "metrics: {listen: '[::1]:9999'}\n";

static void test_whole_file_is_read(void **state)
{
	static struct dg_config c;
	struct dg_error err;

	(void)state;
	assert_int_equal(parse(whole_file, &c, &err), 0);
	assert_int_equal(c.mode, DG_OBSERVE);
	assert_int_equal(c.iface_count, 2);
	assert_string_equal(c.ifaces[0].name, "eth0");
	assert_int_equal(c.ifaces[0].observe, 0);
	assert_string_equal(c.ifaces[1].name, "eth1");
	assert_int_equal(c.ifaces[1].mode, DG_MODE_GENERIC);
	assert_int_equal(c.ifaces[1].observe, 1);
	assert_int_equal(c.port_count, 2);
	assert_int_equal(c.ports[0], 53);
	assert_int_equal(c.ports[1], 5353);
	assert_int_equal(c.services.count, 2);
	assert_int_equal(((__u8 *)&c.services.addr[0])[12], 192);
	assert_int_equal(((__u8 *)&c.services.addr[1])[15], 1);
	assert_int_equal(c.client_count, 2);
	assert_int_equal(c.clients[0].bits, 24);
	assert_int_equal(c.clients[1].bits, 32);
	assert_int_equal(c.limit_mode, DG_OFF);
	assert_int_equal(c.rate_limit, 7);
	assert_int_equal(c.instant_limit, 9);
	assert_int_equal(c.slip, 0);
	assert_int_equal(c.limiter_bytes, 16 << 20);
	assert_int_equal(c.syn_mode, DG_ENFORCE);
	assert_int_equal(c.syn_rate_limit, 11);
	assert_int_equal(c.syn_instant_limit, 12);
	assert_int_equal(c.source_mode, DG_OBSERVE);
	assert_int_equal(c.negative_ttl, 30);
	assert_int_equal(c.address_ttl, 31);
	assert_int_equal(c.ede_text, 0);
	assert_int_equal(c.budget, 5000);
	assert_int_equal(c.cookie_secret_set, 1);
	assert_int_equal(c.cookie_secret[1], 1);
	assert_int_equal(c.cookie_secret[15], 15);
	assert_int_equal(c.cookie_pass, 1);
	assert_int_equal(c.listen.ss_family, AF_INET6);
	assert_int_equal(((struct sockaddr_in6 *)&c.listen)->sin6_port, htons(9999));
}

static void test_defaults_are_given_by_nobody(void **state)
{
	static struct dg_config c;
	struct dg_error err;

	(void)state;
	assert_int_equal(parse("# nothing\n", &c, &err), 0);
	assert_int_equal(given_count(&c), 0);
	assert_int_equal(c.mode, DG_ENFORCE);
	assert_int_equal(c.iface_count, 0);
	assert_int_equal(c.port_count, 1);
	assert_int_equal(c.ports[0], 53);
	assert_int_equal(c.listen.ss_family, AF_INET);
	assert_int_equal(((struct sockaddr_in *)&c.listen)->sin_port, htons(10530));
	assert_int_equal(((struct sockaddr_in *)&c.listen)->sin_addr.s_addr,
			 htonl(INADDR_LOOPBACK));
}

static void test_only_what_is_said_counts_as_given(void **state)
{
	static struct dg_config c;
	struct dg_error err;

	(void)state;
	assert_int_equal(parse("limits: {slip: 3}\n", &c, &err), 0);
	assert_int_equal(given_count(&c), 1);
	assert_true(dg_config_given(&c, DG_KEY_SLIP));
	assert_int_equal(c.slip, 3);
}

static void test_every_default_is_accepted_by_its_own_reader(void **state)
{
	static struct dg_config c;

	(void)state;
	memset(&c, 0, sizeof(c));
	for (int i = 0; i < DG_KEY_COUNT; i++)
		if (dg_config_keys[i].fallback[0])
			assert_int_equal(dg_config_value_read(&dg_config_keys[i],
							      dg_config_keys[i].fallback, &c, NULL),
					 0);
}

/* text, then a piece of the message that must be there; it starts with the position. */
static const struct {
	const char *text, *says;
} refused[] = {
	{ "limits:\n  rate-limt: 5\n", "f:2:3: unknown key \"limits.rate-limt\"; the nearest known "
				       "key is \"limits.rate-limit\"" },
	{ "rate-limit: 5\n",
	  "f:1:1: unknown key \"rate-limit\"; the nearest known key is \"limits.rate-limit\"" },
	{ "moed: observe\n", "f:1:1: unknown key \"moed\"; the nearest known key is \"mode\"" },
	{ "limts: {slip: 1}\n",
	  "f:1:1: unknown key \"limts\"; the nearest known key is \"limits\"" },
	{ "Limits: {slip: 1}\n", "the nearest known key is \"limits\"" },
	{ "tcp: {warnings: {at: 1%}}\n", "the nearest known key is \"tcp.warning\"" },
	{ "colour: red\n", "f:1:1: unknown key \"colour\"; none is like it, dnsguard.yaml(5)" },
	{ "limits.slip: 1\nlimits: {slip: 2}\n",
	  "f:1:1: limits.slip: write each part on a line of its own, below the part before" },
	{ "tcp: {warning.at: 1%}\n", "f:1:7: warning.at: write each part" },
	{ "limits:\n  rate-limit: many\n", "f:2:15: limits.rate-limit: \"many\" is not allowed "
					   "here; write a whole number from 1 to 1000000" },
	{ "limits: {rate-limit: 0}\n", "f:1:22: limits.rate-limit: \"0\"" },
	{ "limits: {rate-limit: 1000001}\n", "\"1000001\"" },
	{ "limits: {rate-limit: 99999999999999999999999}\n", "\"99999999999999999999999\"" },
	{ "limits: {rate-limit: -1}\n", "\"-1\"" },
	{ "limits: {rate-limit: 5x}\n", "\"5x\"" },
	{ "limits: {rate-limit: [5]}\n", "f:1:22: limits.rate-limit: one value is wanted here" },
	{ "limits: {memory: 3MiB}\n",
	  "f:1:18: limits.memory: \"3MiB\" is not allowed here; write a power of two" },
	{ "limits: {memory: 17179869184GiB}\n", "\"17179869184GiB\"" },
	{ "limits: 5\n", "f:1:9: limits: keys are wanted below this one" },
	{ "mode: off\n", "f:1:7: mode: \"off\" is not allowed here; write observe or enforce" },
	{ "limits: {mode: on}\n", "write off, observe or enforce" },
	{ "answers: {ede-text: 1}\n", "\"1\" is not allowed here; write false or true" },
	{ "service: {ports: []}\n", "at least one port" },
	{ "service:\n  ports:\n", "f:2:9: service.ports: at least one port" },
	{ "service: {ports: [0]}\n", "f:1:19: service.ports: \"0\"" },
	{ "service: {ports: [65536]}\n", "\"65536\"" },
	{ "service: {ports: [53, 53]}\n", "\"53\" is given twice" },
	{ "service: {ports: [1, 2, 3, 4, 5]}\n", "\"5\" is one too many" },
	{ "service: {ports: {a: 1}}\n", "a list is wanted here" },
	{ "service: {addresses: [192.0.2.0/24]}\n",
	  "\"192.0.2.0/24\" is not allowed here; write an IPv4 or IPv6 address" },
	{ "clients: [x]\n", "f:1:11: clients: \"x\"" },
	{ "clients: [192.0.2.0/33]\n", "\"192.0.2.0/33\"" },
	{ "interfaces: [{mode: native}]\n", "f:1:14: interfaces: this interface has no name" },
	{ "interfaces: [eth0, eth0]\n", "f:1:20: interfaces: interface \"eth0\" is given twice" },
	{ "interfaces: [{name: eth0, mod: x}]\n",
	  "f:1:27: unknown key \"mod\"; the nearest known key is \"mode\"" },
	{ "interfaces: [{name: eth0, mode: xdp}]\n",
	  "f:1:33: interfaces.mode: \"xdp\" is not allowed here; write auto, native or generic" },
	{ "interfaces: [abcdefghijklmnop]\n", "\"abcdefghijklmnop\"" },
	{ "interfaces: [../x]\n", "\"../x\"" },
	{ "answers: {cookie-secret: 0011}\n",
	  "f:1:26: answers.cookie-secret: a cookie secret is 32 hex digits" },
	{ "answers: {cookie-secret-file: x}\n", "an absolute path" },
	{ "answers:\n  cookie-secret: 000102030405060708090a0b0c0d0e0f\n  cookie-secret-file: /x\n",
	  "f:3:3: answers.cookie-secret-file: excludes answers.cookie-secret (f:2)" },
	{ "metrics: {listen: 127.0.0.1}\n", "f:1:19: metrics.listen: \"127.0.0.1\"" },
	{ "metrics: {listen: '127.0.0.1:0'}\n", "\"127.0.0.1:0\"" },
	{ "metrics: {listen: '::1:10530'}\n", "\"::1:10530\"" },
	{ "metrics: {listen: '[]:1'}\n", "\"[]:1\"" },
	{ "metrics: {listen: '[:1'}\n", "\"[:1\"" },
	{ "mode: observe\nmode: enforce\n", "f:2:1: mode: given twice" },
	{ "limits: {slip: 1}\nlimits: {slip: 2}\n", "f:2:1: limits: given twice" },
	{ "mode: \"a\\nb\"\n", "control characters" },
	{ "mode: \"observe\\0x\"\n", "control characters" },
	{ "? [a]\n: b\n", "a key must be a plain word" },
	{ "- a\n", "f:1:1: the file must hold" },
	{ "mode: observe\n---\nmode: observe\n", "f:2:1: a second document" },
	{ "mode: [\n", "f:2:1: not YAML" },
	{ "\tmode: observe\n", "f:1:1: a tab; YAML is indented with blanks" },
	{ "limits:\n  - a\n\tslip: 3\n", "f:3:1: a tab" },
	{ "mode: *nowhere\n", "f:1:7: anchors and aliases" },
	{ "mode: &a observe\n", "f:1:7: anchors and aliases" },
	{ "mode: !!str observe\n", "f:1:7: tags" },
	{ "clients: [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n", "f:1:25: nested too deeply" },
	{ "mode: \xff\n", "f:1:7: not YAML text: invalid leading UTF-8 octet" },
	{ "mode: observe\nclients: [\"\xc3\xbc\", \"\xff\"]\n", "f:2:17: not YAML text" },
	{ "mode: observe\n\x01\n", "f:2:1: not YAML text: control characters are not allowed" },
	{ "mode: observe\ninterfaces: [{name: eth0, observe: false}]\n",
	  "f:2:1: interfaces: \"observe: false\" of a device contradicts mode (f:1)" },
	{ "interfaces: [{name: eth0, observe: false}]\nmode: observe\n",
	  "f:2:1: mode: \"observe\" contradicts \"observe: false\" of a device in interfaces (f:1)" },
};

static void test_refusals_name_place_text_and_remedy(void **state)
{
	static struct dg_config c, before;
	struct dg_error err;

	(void)state;
	memset(&before, 0x5a, sizeof(before));
	for (unsigned int i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		c = before;
		if (parse(refused[i].text, &c, &err) != -EINVAL)
			fail_msg("accepted: %s", refused[i].text);
		if (!strstr(err.text, refused[i].says))
			fail_msg("\"%s\" lacks \"%s\"", err.text, refused[i].says);
		assert_int_equal(err.status, DG_EXIT_USAGE);
		assert_memory_equal(&c, &before, sizeof(c)); /* untouched */
	}
}

static void test_a_secret_never_reaches_a_message(void **state)
{
	static struct dg_config c;
	struct dg_error err;

	(void)state;
	assert_int_equal(parse("answers: {cookie-secret: deadbeefdeadbeefdeadbeefdeadbeefff}\n", &c,
			       &err),
			 -EINVAL);
	assert_null(strstr(err.text, "deadbeef"));
}

/* The scanner of YAML looks at every open bracket for every token: a million would take hours. */
static void test_a_deep_file_is_refused_at_once(void **state)
{
	static struct dg_config c;
	static char text[DG_CONFIG_BYTES_MAX];
	struct dg_error err = { 0 };

	(void)state;
	memset(text, '[', sizeof(text));
	assert_int_equal(dg_config_parse("f", text, sizeof(text), &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "f:1:17: nested too deeply"));
}

static void test_too_many_elements(void **state)
{
	static struct dg_config c;
	static char text[64 * 1024];
	struct dg_error err;
	char *p = text + sprintf(text, "interfaces: [e0");

	(void)state;
	for (int i = 1; i <= DG_IF_MAX; i++)
		p += sprintf(p, ",e%d", i);
	strcpy(p, "]\n");
	assert_int_equal(parse(text, &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "\"e32\" is one too many"));

	p = text + sprintf(text, "clients: [192.0.2.1");
	for (int i = 1; i <= DG_CONFIG_CLIENTS_MAX; i++)
		p += sprintf(p, ",10.0.%d.%d", i >> 8, i & 255);
	strcpy(p, "]\n");
	assert_int_equal(parse(text, &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "\"10.0.16.0\" is one too many"));
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void test_secret_file(void **state)
{
	static struct dg_config c;
	char dir[] = "/tmp/dg-config-XXXXXX", conf[64], secret[64], text[160];
	struct dg_error err = { 0 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(conf, sizeof(conf), "%s/c", dir);
	snprintf(secret, sizeof(secret), "%s/s", dir);
	snprintf(text, sizeof(text), "answers: {cookie-secret-file: %s}\n", secret);
	write_file(conf, text, 0644);

	assert_int_equal(dg_config_load(conf, &c, &err), -EINVAL); /* no such file */
	assert_non_null(strstr(err.text, "No such file"));
	write_file(secret, "000102030405060708090a0b0c0d0e0f\n", 0644);
	assert_int_equal(dg_config_load(conf, &c, &err), -EINVAL); /* open to others */
	assert_non_null(strstr(err.text, "chmod 600"));
	write_file(secret, "00\n", 0600);
	assert_int_equal(dg_config_load(conf, &c, &err), -EINVAL); /* too short */
	write_file(secret, "000102030405060708090a0b0c0d0e0f\n", 0600);
	assert_int_equal(dg_config_load(conf, &c, &err), 0);
	assert_int_equal(c.cookie_secret[15], 15);

	unlink(secret);
	unlink(conf);
	assert_int_equal(dg_config_load(conf, &c, &err), -ENOENT);
	assert_int_equal(dg_config_load(dir, &c, &err), -EINVAL); /* a directory */
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_file_is_read),
		cmocka_unit_test(test_a_set_of_keys_keeps_each_apart),
		cmocka_unit_test(test_percentages_and_texts),
		cmocka_unit_test(test_a_command_is_words_and_bounded),
		cmocka_unit_test(test_defaults_are_given_by_nobody),
		cmocka_unit_test(test_only_what_is_said_counts_as_given),
		cmocka_unit_test(test_every_default_is_accepted_by_its_own_reader),
		cmocka_unit_test(test_refusals_name_place_text_and_remedy),
		cmocka_unit_test(test_a_secret_never_reaches_a_message),
		cmocka_unit_test(test_a_deep_file_is_refused_at_once),
		cmocka_unit_test(test_too_many_elements),
		cmocka_unit_test(test_secret_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
