// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * process.c - what this process itself uses, read from /proc/self.
 */
#include <dirent.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include "userspace/dnsguardd/process.h"
#include "userspace/lib/scope.h"

static double seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double clock_seconds(clockid_t clock)
{
	struct timespec t = { 0 };

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Field 22 of /proc/self/stat: ticks after boot. The command in field 2 may hold blanks and
 * parentheses. */
static double start_seconds(void)
{
	FILE *file dg_scoped_file = fopen("/proc/self/stat", "re");
	unsigned long long ticks = 0;
	char line[1024];
	char *p;

	if (!file || !fgets(line, sizeof(line), file))
		return 0;
	p = strrchr(line, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, "%llu", &ticks) != 1)
		return 0;
	return clock_seconds(CLOCK_REALTIME) - clock_seconds(CLOCK_BOOTTIME) +
	       (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void memory_read(struct dg_process *ret)
{
	FILE *file dg_scoped_file = fopen("/proc/self/statm", "re");
	unsigned long long total, resident;
	__u64 page = (__u64)sysconf(_SC_PAGESIZE);

	if (!file || fscanf(file, "%llu %llu", &total, &resident) != 2)
		return;
	ret->virtual_bytes = total * page;
	ret->resident_bytes = resident * page;
}

static __u64 count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	__u64 count = 0;

	if (!dir)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir));)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count ? count - 1 : 0; /* the directory's own */
}

void dg_process_read(struct dg_process *ret)
{
	struct rusage usage = { 0 };
	struct rlimit limit = { 0 };

	memset(ret, 0, sizeof(*ret));
	getrusage(RUSAGE_SELF, &usage);
	getrlimit(RLIMIT_NOFILE, &limit);
	ret->cpu_seconds = seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
	ret->start_unix_seconds = start_seconds();
	ret->max_fds = limit.rlim_cur;
	ret->open_fds = count_fds();
	memory_read(ret);
}
