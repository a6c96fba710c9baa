// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * companion.c - what the programs beside the packet walk have in common: they share its maps, and are known by their tag.
 *
 * A tag is the kernel's hash of a program's instructions, whatever maps they use: two builds of one source have the same one.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "loader/internal.h"

int dg_companion_share(struct bpf_object *object, const struct dg_maps *share)
{
	const int *fds = (const int *)share;
	/* Of the packet walk alone. */
	struct bpf_map *scratch = bpf_object__find_map_by_name(object, "dg_scratch");
	int status = scratch ? bpf_map__set_autocreate(scratch, false) : 0;

	for (size_t i = 0; !status && i < DG_MAP_COUNT; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, dg_map_names[i]);

		status = map ? bpf_map__reuse_fd(map, fds[i]) : -ENOENT;
	}
	return status;
}

struct dg_tag dg_tag_of_program(int prog_fd)
{
	struct bpf_prog_info info = { 0 };
	struct dg_tag tag = { 0 };
	__u32 len = sizeof(info);

	if (prog_fd >= 0 && !bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		memcpy(tag.octet, info.tag, sizeof(tag.octet));
	return tag;
}

/* fdinfo tells it to everybody; the way by bpf_prog_get_fd_by_id() takes CAP_SYS_ADMIN, which the daemon has not. */
struct dg_tag dg_tag_of_link(int link_fd)
{
	dg_scoped_file FILE *file = NULL;
	struct dg_tag tag = { 0 };
	char path[64], line[128];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", link_fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		const char *hex = line + strlen("prog_tag:\t");

		if (strncmp(line, "prog_tag:\t", strlen("prog_tag:\t")))
			continue;
		for (int i = 0; i < 8 && sscanf(hex + 2 * i, "%2hhx", &tag.octet[i]) == 1; i++)
			;
		break;
	}
	return tag;
}

bool dg_tag_same(struct dg_tag a, struct dg_tag b)
{
	static const struct dg_tag none;

	return !memcmp(&a, &b, sizeof(a)) && memcmp(&a, &none, sizeof(a));
}
