// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_query.c - crafted queries and decoded answers: bytes written by hand here, not by the code
 * under test.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "userspace/lib/message.h"
#include "userspace/lib/query.h"
#include "userspace/lib/values.h"

static struct dg_name name_of(const char *text)
{
	struct dg_error err;
	struct dg_name name;

	assert_int_equal(dg_name_parse(text, &name, &err), 0);
	return name;
}

static struct dg_addr addr_of(const char *text)
{
	struct dg_prefix prefix;
	struct dg_error err;

	assert_int_equal(dg_prefix_parse(text, &prefix, &err), 0);
	return prefix.addr;
}

/* RFC 1071, with a carry after every word: not the way query.c does it. */
static unsigned int sum_words(unsigned int sum, const unsigned char *p, size_t len)
{
	for (; len > 1; p += 2, len -= 2) {
		sum += p[0] * 256u + p[1];
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	if (len) {
		sum += p[0] * 256u;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return sum;
}

static unsigned int client_port = 4096;

static int write_query(const char *client, const char *server, int edns, __u8 frame[DG_FRAME_MAX])
{
	struct dg_name name = name_of("Ads.example");
	struct dg_query query = { .client = addr_of(client),
				  .server = addr_of(server),
				  .client_port = (__u16)client_port,
				  .server_port = 53,
				  .dst_mac = { 2, 4, 6, 8, 10, 12 },
				  .name = &name,
				  .qtype = 28,
				  .edns_size = edns };

	return dg_query_frame(&query, frame);
}

static const unsigned char message[] = { 0x64, 0x67, 1,	   0,	 0,   1,   0,  0,   0,	 0,
					 0,    1,    3,	   'a',	 'd', 's', 7,  'e', 'x', 'a',
					 'm',  'p',  'l',  'e',	 0,   0,   28, 0,   1,	 0,
					 0,    41,   0x04, 0xd0, 0,   0,   0,  0,   0,	 0 };

static void writes_ipv4(void **state)
{
	static const unsigned char ip[] = {
		0x45, 0, 0, 20 + 8 + sizeof(message), 0, 0, 0, 0, 64, 17
	};
	static const unsigned char addrs[] = { 192, 0, 2, 1, 198, 51, 100, 53 };
	static const unsigned char udp[] = { 16, 0, 0, 53, 0, 8 + sizeof(message) };
	__u8 frame[DG_FRAME_MAX];
	unsigned int sum;
	int len = write_query("192.0.2.1", "198.51.100.53", 1232, frame);

	(void)state;
	assert_int_equal(len, 14 + 20 + 8 + sizeof(message));
	assert_memory_equal(frame, "\2\4\6\10\12\14", 6);
	assert_memory_equal(frame + 12, "\10\0", 2);
	assert_memory_equal(frame + 14, ip, sizeof(ip));
	assert_memory_equal(frame + 26, addrs, sizeof(addrs));
	assert_memory_equal(frame + 34, udp, sizeof(udp));
	assert_memory_equal(frame + 42, message, sizeof(message));
	assert_int_equal(sum_words(0, frame + 14, 20), 0xffff);
	sum = sum_words(17 + 8 + sizeof(message), frame + 26, 8);
	assert_int_equal(sum_words(sum, frame + 34, 8 + sizeof(message)), 0xffff);
}

static void writes_ipv6(void **state)
{
	static const unsigned char ip[] = { 0x60, 0, 0, 0, 0, 8 + sizeof(message), 17, 64 };
	__u8 frame[DG_FRAME_MAX];
	unsigned int sum;
	int len = write_query("2001:db8::1", "2001:db8::53", 1232, frame);

	(void)state;
	assert_int_equal(len, 14 + 40 + 8 + sizeof(message));
	assert_memory_equal(frame + 12, "\x86\xdd", 2);
	assert_memory_equal(frame + 14, ip, sizeof(ip));
	assert_int_equal(frame[14 + 8 + 15], 1);
	assert_int_equal(frame[14 + 24 + 15], 0x53);
	assert_memory_equal(frame + 62, message, sizeof(message));
	sum = sum_words(17 + 8 + sizeof(message), frame + 22, 32);
	assert_int_equal(sum_words(sum, frame + 54, 8 + sizeof(message)), 0xffff);
}

/* Some of these sums carry twice. */
static void every_port_has_its_checksum(void **state)
{
	__u8 frame[DG_FRAME_MAX];
	unsigned int sum;

	(void)state;
	for (client_port = 65535; client_port > 0; client_port -= 5) {
		write_query("192.0.2.1", "198.51.100.53", 1232, frame);
		sum = sum_words(17 + 8 + sizeof(message), frame + 26, 8);
		assert_int_equal(sum_words(sum, frame + 34, 8 + sizeof(message)), 0xffff);
	}
	client_port = 4096;
}

static void edns_is_a_choice(void **state)
{
	__u8 frame[DG_FRAME_MAX];
	int len = write_query("192.0.2.1", "198.51.100.53", 0, frame);

	(void)state;
	assert_int_equal(len, 14 + 20 + 8 + sizeof(message) - 11);
	assert_int_equal(frame[42 + 11], 0); /* ARCOUNT */
}

static void families_do_not_mix(void **state)
{
	__u8 frame[DG_FRAME_MAX];

	(void)state;
	assert_int_equal(write_query("192.0.2.1", "2001:db8::53", 0, frame), -EAFNOSUPPORT);
}

/* ---- answers -------------------------------------------------------------------------------- */

/*
 * NXDOMAIN with an SOA whose owner is a pointer to the question, and an OPT with an EDE and a
 * cookie.
 */
static const unsigned char nxdomain[] = {
	0x64, 0x67, 0x81, 0x83, 0,   1,	  0,   0, 0,   1,    0,	 1, 3,	  'a', 'd', 's', 7,
	'e',  'x',  'a',  'm',	'p', 'l', 'e', 0, 0,   1,    0,	 1, 0xc0, 16,  0,   6,	 0,
	1,    0,    0,	  0,	60,  0,	  25,  1, 'n', 0xc0, 12, 0, 0,	  0,   0,   1,	 0,
	0,    0,    2,	  0,	0,   0,	  3,   0, 0,   0,    4,	 0, 0,	  0,   60,  0,	 0,
	41,   0x04, 0xd0, 0,	0,   0,	  0,   0, 21,  0,    15, 0, 5,	  0,   15,  'a', 'd',
	's',  0,    10,	  0,	8,   1,	  2,   3, 4,   5,    6,	 7, 8,
};

static void reads_a_negative_answer(void **state)
{
	struct dg_message m;
	char text[32];

	(void)state;
	assert_int_equal(dg_message_read(nxdomain, sizeof(nxdomain), &m), 0);
	assert_string_equal(dg_rcode_text(m.rcode, text, sizeof(text)), "NXDOMAIN");
	assert_string_equal(dg_flags_text(m.flags, text, sizeof(text)), "qr rd ra");
	assert_int_equal(m.records, 1);
	assert_int_equal(m.record[0].authority, 1);
	assert_int_equal(m.record[0].ttl, 60);
	assert_string_equal(m.record[0].name, "example");
	assert_string_equal(m.record[0].data, "n.ads.example. . 1 2 3 4 60");
	assert_int_equal(m.udp_size, 1232);
	assert_int_equal(m.ede, 15);
	assert_string_equal(m.ede_text, "ads");
	assert_int_equal(m.cookie_len, 8);
}

/* Every shorter message is refused, so no field is taken on trust. */
static void refuses_every_prefix(void **state)
{
	struct dg_message m;

	(void)state;
	for (unsigned int len = 0; len < sizeof(nxdomain); len++)
		assert_int_equal(dg_message_read(nxdomain, len, &m), -EBADMSG);
}

static void refuses_loops_and_tails(void **state)
{
	unsigned char copy[sizeof(nxdomain) + 1] = { 0 };
	struct dg_message m;

	(void)state;
	memcpy(copy, nxdomain, sizeof(nxdomain));
	assert_int_equal(dg_message_read(copy, sizeof(copy), &m), -EBADMSG); /* an octet too many */
	copy[30] = 29;							     /* points to itself */
	assert_int_equal(dg_message_read(copy, sizeof(nxdomain), &m), -EBADMSG);
	copy[30] = 40; /* points forward */
	assert_int_equal(dg_message_read(copy, sizeof(nxdomain), &m), -EBADMSG);
	copy[30] = 16;
	assert_int_equal(dg_message_read(copy, sizeof(nxdomain), &m), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_ipv4),
		cmocka_unit_test(writes_ipv6),
		cmocka_unit_test(every_port_has_its_checksum),
		cmocka_unit_test(edns_is_a_choice),
		cmocka_unit_test(families_do_not_mix),
		cmocka_unit_test(reads_a_negative_answer),
		cmocka_unit_test(refuses_every_prefix),
		cmocka_unit_test(refuses_loops_and_tails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
