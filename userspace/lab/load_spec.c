// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load_spec.c - the words for sources and names, and whose turn it is.
 *
 * Reads what the operator wrote into tables; picking from them is fast, it happens for every frame.
 */
#include "userspace/lab/load.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "userspace/lib/quote.h"

#define NAMES_MAX 1000000

__u64 dg_load_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (__u64)now.tv_sec * DG_LOAD_NS_PER_SEC + (__u64)now.tv_nsec;
}

__u64 dg_load_random(void)
{
	static __u64 state;

	if (!state)
		state = dg_load_now_ns() * 2 + 1;
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

/* ---- sources -------------------------------------------------------------------------------- */

int dg_load_sources_parse(const char *text, __u64 limit, __u64 stride, struct dg_load_sources *ret,
			  struct dg_error *err)
{
	struct dg_load_sources sources = { .stride = stride };
	__u32 host_bits;

	if (!strcmp(text, "any4") || !strcmp(text, "any6")) {
		sources.kind = text[3] == '4' ? DG_LOAD_FROM_ANY4 : DG_LOAD_FROM_ANY6;
		sources.prefix.family = text[3] == '4' ? DG_IPV4 : DG_IPV6;
		*ret = sources;
		return 0;
	}
	if (dg_prefix_parse(text, &sources.prefix, NULL))
		return dg_fail(
			err, -EINVAL, DG_EXIT_USAGE,
			"source %s is not an address, a prefix such as 192.0.2.0/24, any4 or any6",
			DG_QUOTE(text));
	host_bits = (sources.prefix.family == DG_IPV4 ? 32 : 128) - sources.prefix.bits;
	sources.count = (host_bits < 63 ? 1ull << host_bits : 1ull << 63) / stride;
	if (!sources.count)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "source %s is smaller than one stride",
			       DG_QUOTE(text));
	if (limit && limit < sources.count)
		sources.count = limit;
	*ret = sources;
	return 0;
}

/* A first octet that a router forwards: not 0, not 127, not 224 and above. */
static __u32 forwardable_v4(void)
{
	for (;;) {
		__u32 addr = (__u32)(dg_load_random() >> 32);
		__u8 first = (__u8)(addr >> 24);

		if (first && first != 127 && first < 224)
			return addr;
	}
}

struct dg_addr dg_load_source_pick(const struct dg_load_sources *sources, __u64 turn)
{
	struct dg_addr addr = sources->prefix.addr;

	if (sources->kind == DG_LOAD_FROM_ANY4) {
		addr.hi = 0;
		addr.lo = 0xffff0000ull | (__u64)__builtin_bswap32(forwardable_v4()) << 32;
	} else if (sources->kind == DG_LOAD_FROM_ANY6) { /* 2000::/3, global unicast: RFC 4291 */
		addr.hi = __builtin_bswap64((dg_load_random() & ~0ull >> 3) | 0x2ull << 60);
		addr.lo = dg_load_random();
	} else {
		addr.lo = __builtin_bswap64(__builtin_bswap64(addr.lo) +
					    turn % sources->count * sources->stride);
	}
	return addr;
}

/* ---- names ---------------------------------------------------------------------------------- */

void dg_load_names_free(struct dg_load_names *names)
{
	free(names->list);
	*names = (struct dg_load_names){ 0 };
}

/* "*.example": room for the label in front, its letters come with every pick. */
static int random_parse(const char *domain, struct dg_name *ret, struct dg_error *err)
{
	struct dg_name base;
	int rc = dg_name_parse(domain, &base, err);

	if (rc)
		return rc;
	if (base.len + 1 + DG_LOAD_RANDOM_LABEL > DG_NAME_MAX)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "name %s leaves no room for a random label", DG_QUOTE(domain));
	ret->wire[0] = DG_LOAD_RANDOM_LABEL;
	memset(ret->wire + 1, 'x', DG_LOAD_RANDOM_LABEL);
	memcpy(ret->wire + 1 + DG_LOAD_RANDOM_LABEL, base.wire, base.len);
	ret->len = (__u8)(base.len + 1 + DG_LOAD_RANDOM_LABEL);
	ret->labels = (__u8)(base.labels + 1);
	return 0;
}

/* "www#.example" for one number. */
static int numbered_parse(const char *text, __u64 number, struct dg_name *ret, struct dg_error *err)
{
	size_t before = strcspn(text, "#");
	char one[1024];

	snprintf(one, sizeof(one), "%.*s%llu%s", (int)before, text, (unsigned long long)number,
		 text + before + 1);
	return dg_name_parse(one, ret, err);
}

/* One name a line, whatever follows the name is ignored (dnsperf's files have the type there). */
static int file_parse(const char *path, struct dg_load_names *names, struct dg_error *err)
{
	dg_scoped_file FILE *file = fopen(path, "re");
	char line[2048];

	if (!file)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "%s: %s", path, strerror(errno));
	while (names->count < NAMES_MAX && fgets(line, sizeof(line), file)) {
		line[strcspn(line, " \t\r\n")] = '\0';
		if (!line[0])
			continue;
		if (dg_name_parse(line, &names->list[names->count], err))
			return -EINVAL;
		names->count++;
	}
	if (!names->count)
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "%s holds no name", path);
	return 0;
}

static int names_fill(const char *text, __u64 numbers, struct dg_load_names *names,
		      struct dg_error *err)
{
	int rc = 0;

	if (text[0] == '@')
		return file_parse(text + 1, names, err);
	if (!strncmp(text, "*.", 2)) {
		names->count = 1;
		names->random = true;
		return random_parse(text + 2, names->list, err);
	}
	if (!strchr(text, '#')) {
		names->count = 1;
		return dg_name_parse(text, names->list, err);
	}
	for (; !rc && names->count < numbers; names->count++)
		rc = numbered_parse(text, names->count, &names->list[names->count], err);
	return rc;
}

int dg_load_names_parse(const char *text, __u64 numbers, struct dg_load_names *ret,
			struct dg_error *err)
{
	size_t room = text[0] == '@' ? NAMES_MAX : numbers;
	struct dg_load_names names = { .list = calloc(room, sizeof(struct dg_name)) };
	int rc;

	if (!names.list)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "no memory for %zu names", room);
	rc = names_fill(text, numbers, &names, err);
	if (rc)
		dg_load_names_free(&names);
	else
		*ret = names;
	return rc;
}

const struct dg_name *dg_load_name_pick(const struct dg_load_names *names, __u64 turn)
{
	struct dg_name *name = &names->list[turn % names->count];
	__u64 letters;

	if (!names->random)
		return name;
	letters = dg_load_random() >> 4;
	for (int i = 0; i < DG_LOAD_RANDOM_LABEL; i++) {
		name->wire[1 + i] = (__u8)('a' + letters % 26);
		letters /= 26;
	}
	return name;
}
