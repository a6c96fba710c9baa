// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_message.c - any bytes as a DNS answer: refused, or texts that end and records within bounds.
 */
#include <stdlib.h>
#include <string.h>

#include "userspace/lib/message.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void expect(int held)
{
	if (!held)
		abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct dg_message message;
	char flags[32];

	if (size > 65535)
		return 0;
	if (dg_message_read(data, (unsigned int)size, &message))
		return 0;
	expect(size >= 12 && message.records <= DG_MESSAGE_RECORDS);
	for (unsigned int i = 0; i < message.records; i++) {
		expect(memchr(message.record[i].name, '\0', sizeof(message.record[i].name)) !=
		       NULL);
		expect(memchr(message.record[i].data, '\0', sizeof(message.record[i].data)) !=
		       NULL);
	}
	expect(memchr(message.ede_text, '\0', sizeof(message.ede_text)) != NULL);
	expect(strlen(dg_flags_text(message.flags, flags, sizeof(flags))) < sizeof(flags));
	return 0;
}
