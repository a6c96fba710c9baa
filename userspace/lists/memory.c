// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * memory.c - what compiling and loading all lists may take, and what it will: known before anything is loaded.
 */
#include <errno.h>
#include <string.h>

#include "userspace/lists/internal.h"

#define MEMORY_FLOOR (256ull << 20)

/* A number of bytes from a file of one line, or of "KEY: NUMBER kB" lines; 0 = unknown or unlimited. */
static __u64 file_number(const char *path, const char *key, __u64 unit)
{
	FILE *file dg_scoped_file = fopen(path, "re");
	unsigned long long value = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)) &&
		    sscanf(line + strlen(key), "%llu", &value) == 1)
			return value * unit;
	return 0;
}

/* What the control group we run in may still take; 0 = it has no limit. */
static __u64 group_free(void)
{
	FILE *file dg_scoped_file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX], path[PATH_MAX + 64];
	__u64 max, now;

	if (!file || !fgets(line, sizeof(line), file) || strncmp(line, "0::", 3))
		return 0;
	line[strcspn(line, "\n")] = '\0';
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", line + 3);
	max = file_number(path, "", 1);
	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.current", line + 3);
	now = file_number(path, "", 1);
	return !max ? 0 : max > now ? max - now : 1;
}

__u64 dg_memory_allowed(const struct dg_run *run)
{
	__u64 host = file_number("/proc/meminfo", "MemAvailable:", 1024), group = group_free();
	__u64 available = group && group < host ? group : host;

	return run->want->memory_max ? run->want->memory_max : available / 2;
}

__u64 dg_memory_max(const struct dg_run *run)
{
	__u64 allowed = dg_memory_allowed(run);

	return allowed > MEMORY_FLOOR ? allowed : MEMORY_FLOOR;
}

int dg_memory_judge(struct dg_run *run, struct dg_error *err)
{
	struct dg_update_progress progress = { .phase = "memory" };
	struct dg_image_header header;
	__u64 present = 0;

	run->names_total = 0;
	for (__u32 i = 0; i < run->count; i++)
		run->names_total +=
			dg_counts_names(run->item[i].candidate ? &run->item[i].next.counts :
								 &run->item[i].meta.counts);
	if (run->attached && dg_image_current(&run->maps, &header, NULL, &present))
		present = 0;
	/* The old image lives until the new one is in its place; compiling costs more than loading. */
	run->memory_needed = run->names_total * DG_LIST_COMPILE_BYTES_PER_NAME + present;
	run->memory_allowed = dg_memory_allowed(run);
	progress.memory_needed = run->memory_needed;
	progress.memory_allowed = run->memory_allowed;
	dg_run_tell(run, &progress);
	if (run->memory_needed <= run->memory_allowed)
		return 0;
	return dg_fail(
		err, -ENOMEM, DG_EXIT_UNSAFE,
		"%llu names need up to %llu MiB while they are compiled and swapped in, %llu MiB "
		"are allowed: free memory, or allow more with --memory",
		(unsigned long long)run->names_total,
		(unsigned long long)(run->memory_needed >> 20) + 1,
		(unsigned long long)run->memory_allowed >> 20);
}
