// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fetch.c - which addresses a stranger's redirect may not lead to: the edges of every block.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "userspace/fetch/fetch.h"

static void our_own_site(void **state)
{
	static const char *const texts[] = {
		"0.0.0.0",
		"0.255.255.255",
		"10.0.0.0",
		"10.255.255.255",
		"100.64.0.0",
		"100.127.255.255",
		"127.0.0.1",
		"127.255.255.255",
		"169.254.0.0",
		"169.254.169.254",
		"172.16.0.0",
		"172.31.255.255",
		"192.0.0.8",
		"192.168.0.0",
		"192.168.255.255",
		"198.18.0.0",
		"198.19.255.255",
		"224.0.0.1",
		"239.255.255.255",
		"240.0.0.0",
		"255.255.255.255",
		"::",
		"::1",
		"fc00::",
		"fdff::1",
		"fe80::1",
		"febf::1",
		"fec0::1",
		"ff02::1",
		"::ffff:127.0.0.1",
		"::ffff:10.0.0.1",
		"64:ff9b::192.168.0.1",
		"64:ff9b:1::10.0.0.1",
		"2002:7f00:1::",
		"2002:a9fe:a9fe::1",
		"::127.0.0.1",
		"lists.example",
		"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!dg_fetch_text_is_private(texts[i]))
			fail_msg("%s counts as public", texts[i]);
}

static void the_world(void **state)
{
	static const char *const texts[] = {
		"1.0.0.0",	    "9.255.255.255",	  "11.0.0.0",	       "100.63.255.255",
		"100.128.0.0",	    "126.255.255.255",	  "128.0.0.0",	       "169.253.255.255",
		"169.255.0.0",	    "172.15.255.255",	  "172.32.0.0",	       "192.0.1.0",
		"192.167.255.255",  "192.169.0.0",	  "198.17.255.255",    "198.20.0.0",
		"223.255.255.255",  "2001:db8::1",	  "2a00::1",	       "fbff::1",
		"::ffff:192.0.2.1", "64:ff9b::192.0.2.1", "2002:c000:0201::1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (dg_fetch_text_is_private(texts[i]))
			fail_msg("%s counts as our own", texts[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_site),
		cmocka_unit_test(the_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
