// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * schedule.c - the daemon's word of when lists are refreshed, written and read.
 */
#include "userspace/lists/schedule.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "userspace/lib/maps.h"

#define KIND "schedule"

/* When a process was started, in ticks since boot: with its number it is that process and no other. 0 = there is none. */
static json_int_t started(pid_t pid)
{
	dg_scoped_file FILE *file = NULL;
	char path[32], line[1024];
	long long ticks = 0;
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return 0;
	at = strrchr(line, ')'); /* the name may hold anything */
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at && sscanf(at, "%lld", &ticks) == 1 ? ticks : 0;
}

int dg_schedule_write(const char *bpffs, json_t *document)
{
	char beside[sizeof(struct dg_path) + 8];
	struct dg_path path;
	int rc = dg_run_path(KIND, bpffs, &path);

	snprintf(beside, sizeof(beside), "%s.new", path.text);
	if (!rc && (json_object_set_new(document, "pid", json_integer(getpid())) ||
		    json_object_set_new(document, "started", json_integer(started(getpid())))))
		rc = -ENOMEM;
	if (!rc && json_dump_file(document, beside, JSON_INDENT(1)))
		rc = -EIO;
	if (!rc && rename(beside, path.text))
		rc = -errno;
	json_decref(document);
	return rc;
}

static bool is_alive(const json_t *document)
{
	json_int_t pid = json_integer_value(json_object_get(document, "pid"));
	json_int_t ticks = json_integer_value(json_object_get(document, "started"));

	return pid > 0 && pid <= INT32_MAX && ticks && started((pid_t)pid) == ticks;
}

json_t *dg_schedule_read(const char *bpffs, const char *state_dir)
{
	struct dg_path path;
	json_t *document =
		dg_run_path(KIND, bpffs, &path) ? NULL : json_load_file(path.text, 0, NULL);
	const char *its = json_string_value(json_object_get(document, "state_dir"));

	if (its && !strcmp(its, state_dir) && is_alive(document))
		return document;
	json_decref(document);
	return NULL;
}
