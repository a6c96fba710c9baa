// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_notify.c - any bytes as a message to the NOTIFY port: answered within bounds, or not at all.
 *
 * The first octet says who sends (bit 0: the primary) and whether there is a key (bit 1).
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/transfer/listener.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void expect(int held)
{
	if (!held)
		abort();
}

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage addr = { .ss_family = AF_INET };

	inet_pton(AF_INET, text, &((struct sockaddr_in *)&addr)->sin_addr);
	return addr;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const knot_dname_t zone[] = "\3rpz\7example";
	static knot_tsig_key_t key;
	struct dg_host primary = { .addr = address("192.0.2.1") };
	struct dg_listener listener = { .zone = zone, .primary = &primary, .udp = -1, .tcp = -1 };
	struct sockaddr_storage from;
	__u8 message[DG_NOTIFY_MAX], answer[DG_NOTIFY_MAX];
	size_t len;

	if (size < 1 || size - 1 > sizeof(message))
		return 0;
	if (!key.name)
		expect(!knot_tsig_key_init(&key, "hmac-sha256", "k", "c2VjcmV0"));
	from = address(data[0] & 1 ? "192.0.2.1" : "192.0.2.9");
	listener.key = data[0] & 2 ? &key : NULL;
	memcpy(message, data + 1, size - 1);
	len = dg_notify_answer(&listener, &from, message, size - 1, answer);
	/* Nobody here can sign: a stranger is not heard, and nobody gets more than he sent. */
	expect(len <= size - 1);
	expect(data[0] & 1 || (!len && !listener.notified));
	expect(!len || (answer[2] & 0x80));
	expect(!listener.notified || len);
	return 0;
}
