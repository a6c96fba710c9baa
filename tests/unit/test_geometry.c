// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_geometry.c - what is pinned under an ABI version has one layout: type, sizes, flags and fields of each map are those of
 * tests/unit/geometry.txt, and a change of them raises DG_ABI_VERSION.
 *
 * Usage after it was raised: build/tests/test_geometry --write. It refuses to write another layout under the same version.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi.h"
#include "bpf/ingress.skel.h"

#define KEPT "tests/unit/geometry.txt" /* seen from the root of the tree, where tests run */
#define WRITE "build/tests/test_geometry --write"
#define TEXT_MAX 16384

/* FNV-1a, a number at a time. */
static __u32 mixed(__u32 sum, __u32 number)
{
	return (sum ^ number) * 16777619u;
}

/* Place and size of every number in a type: names and comments may change, what stands where may not. */
static __u32 layout(const struct btf *btf, __u32 id, __u32 at_bits, __u32 sum)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	while (btf_is_mod(type) || btf_is_typedef(type))
		type = btf__type_by_id(btf, type->type);
	if (btf_is_array(type))
		return layout(btf, btf_array(type)->type, at_bits,
			      mixed(sum, btf_array(type)->nelems));
	if (!btf_is_composite(type))
		return mixed(mixed(sum, at_bits), type->size);
	for (__u16 i = 0; i < btf_vlen(type); i++)
		sum = mixed(layout(btf, btf_members(type)[i].type,
				   at_bits + btf_member_bit_offset(type, i), sum),
			    btf_member_bitfield_size(type, i));
	return sum;
}

static void map_print(FILE *out, const struct btf *btf, const char *name, const struct bpf_map *map)
{
	const __u32 key = bpf_map__btf_key_type_id(map), value = bpf_map__btf_value_type_id(map);
	__u32 sum = 2166136261u;

	sum = key ? layout(btf, key, 0, sum) : sum;
	sum = value ? layout(btf, value, 0, sum) : sum;
	fprintf(out, "%s %s %u %u %u 0x%x %08x\n", name,
		libbpf_bpf_map_type_str(bpf_map__type(map)), bpf_map__key_size(map),
		bpf_map__value_size(map), bpf_map__max_entries(map), bpf_map__map_flags(map), sum);
}

/* As the file has it. The limiter's entries are its default: the loader sizes it. */
static void geometry_print(char text[TEXT_MAX])
{
	struct ingress_bpf *skel = ingress_bpf__open();
	FILE *out = fmemopen(text, TEXT_MAX, "w");
	char inner[64];

	assert_non_null(skel);
	assert_non_null(out);
	fprintf(out, "abi %d\n# map, type, octets of a key, of a value, entries, flags, fields\n",
		DG_ABI_VERSION);
#define PRINT(name, ...)                                                                           \
	map_print(out, bpf_object__btf(skel->obj), #name, skel->maps.name);                        \
	snprintf(inner, sizeof(inner), "%s[]", #name);                                             \
	if (bpf_map__inner_map(skel->maps.name))                                                   \
		map_print(out, bpf_object__btf(skel->obj), inner,                                  \
			  bpf_map__inner_map(skel->maps.name));
	DG_MAPS(PRINT)
#undef PRINT
	assert_int_equal(fclose(out), 0);
	ingress_bpf__destroy(skel);
}

/* What is kept; its version, 0 when there is nothing yet. */
static int kept_read(char text[TEXT_MAX])
{
	FILE *file = fopen(KEPT, "r");
	int version = 0;

	text[0] = '\0';
	if (!file)
		return 0;
	text[fread(text, 1, TEXT_MAX - 1, file)] = '\0';
	fclose(file);
	return sscanf(text, "abi %d\n", &version) == 1 ? version : 0;
}

/* The first line of `text` that `other` has not. */
static const char *news(const char *text, const char *other, char line[256])
{
	while (*text) {
		const size_t len = strcspn(text, "\n") + 1;

		snprintf(line, 256, "%.*s", (int)(len < 256 ? len : 255), text);
		if (!strstr(other, line)) {
			line[strcspn(line, "\n")] = '\0';
			return line;
		}
		text += len - 1 + (text[len - 1] == '\n');
	}
	return "one line less";
}

static void pinned_maps_are_those_of_their_version(void **state)
{
	char kept[TEXT_MAX], now[TEXT_MAX], line[256];
	const int version = kept_read(kept);

	(void)state;
	geometry_print(now);
	if (version != DG_ABI_VERSION)
		fail_msg("DG_ABI_VERSION is %d, " KEPT " is of %d: run " WRITE, DG_ABI_VERSION,
			 version);
	if (strcmp(kept, now))
		fail_msg("pinned maps have changed (%s): raise DG_ABI_VERSION in bpf/abi.h, then "
			 "run " WRITE,
			 news(now, kept, line));
}

static int geometry_write(void)
{
	char kept[TEXT_MAX], now[TEXT_MAX];
	const bool same_version = kept_read(kept) == DG_ABI_VERSION;
	FILE *file;

	geometry_print(now);
	if (same_version && strcmp(kept, now)) {
		fprintf(stderr,
			"what is pinned under version %d is known: raise DG_ABI_VERSION first\n",
			DG_ABI_VERSION);
		return 1;
	}
	file = fopen(KEPT, "w");
	return !file || fputs(now, file) < 0 || fclose(file);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pinned_maps_are_those_of_their_version),
	};

	if (argc == 2 && !strcmp(argv[1], "--write"))
		return geometry_write();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
