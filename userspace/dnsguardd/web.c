// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * web.c - holds web/page.html in the program, and makes its policy from its very text.
 */
#include "userspace/dnsguardd/web.h"

#include <nettle/base64.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>

__asm__(".section .rodata\n"
	".global dg_web_page\n"
	"dg_web_page:\n"
	".incbin \"userspace/dnsguardd/web/page.html\"\n"
	"dg_web_page_end:\n"
	".byte 0\n"
	".previous\n");
extern const char dg_web_page_end[];

size_t dg_web_page_len(void)
{
	return (size_t)(dg_web_page_end - dg_web_page);
}

#define DIGEST_TEXT (BASE64_ENCODE_RAW_LENGTH(SHA256_DIGEST_SIZE) + 1)

/* Of what stands between the tags, to the octet. */
static void digest_of(const char *open, const char *close, char ret[DIGEST_TEXT])
{
	const char *from = strstr(dg_web_page, open) + strlen(open), *to = strstr(from, close);
	struct sha256_ctx ctx;
	__uint8_t digest[SHA256_DIGEST_SIZE];

	sha256_init(&ctx);
	sha256_update(&ctx, (size_t)(to - from), (const __uint8_t *)from);
	sha256_digest(&ctx, sizeof(digest), digest);
	base64_encode_raw(ret, sizeof(digest), digest);
	ret[DIGEST_TEXT - 1] = '\0';
}

const char *dg_web_policy(void)
{
	static char policy[512];
	char style[DIGEST_TEXT], script[DIGEST_TEXT];

	if (policy[0])
		return policy;
	digest_of("<style>", "</style>", style);
	digest_of("<script>", "</script>", script);
	snprintf(policy, sizeof(policy),
		 "default-src 'none'; style-src 'sha256-%s'; script-src 'sha256-%s'; "
		 "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
		 "frame-ancestors 'none'",
		 style, script);
	return policy;
}
