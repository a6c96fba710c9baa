// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - dnsguard-compile: lists from elsewhere to an image file, without privileges.
 *
 * Reads the command line, opens the files, gives up its privileges, works, reports. It never talks
 * to the kernel's tables: `dnsguard image load` checks the file and publishes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "userspace/compile/plan.h"

static int file_open(struct dg_plan_file *file, struct dg_error *err)
{
	struct stat st;

	file->fd = strcmp(file->path, "-") ? open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY) :
					     dup(STDIN_FILENO);
	if (file->fd < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "%s: cannot open it: %s", file->path,
			       strerror(errno));
	if (!fstat(file->fd, &st) && S_ISREG(st.st_mode))
		file->bytes = (__u64)st.st_size;
	return 0;
}

/* Without the list of public suffixes the guard against slips is weaker: the report says so. */
static int protect_open(struct dg_plan *plan, struct dg_error *err)
{
	int rc = 0;

	plan->protect = dg_protect_new();
	if (!plan->protect)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED,
			       "not enough memory for the protected names");
	if (plan->force)
		return 0;
	if (!access(DG_PUBLIC_SUFFIXES, R_OK))
		rc = dg_protect_suffixes(plan->protect, DG_PUBLIC_SUFFIXES, err);
	if (!rc && plan->own_protected)
		rc = dg_protect_own(plan->protect, plan->own_protected, err);
	return rc;
}

int dg_plan_open(struct dg_plan *plan, struct dg_error *err)
{
	int rc = protect_open(plan, err);

	for (__u32 i = 0; !rc && i < plan->files; i++)
		rc = file_open(plan->file + i, err);
	return rc;
}

void dg_plan_close(struct dg_plan *plan)
{
	for (__u32 i = 0; i < plan->files; i++)
		dg_close_fd(&plan->file[i].fd);
	for (__u32 i = 0; i < plan->lists; i++)
		free(plan->list[i].source);
	dg_protect_free(&plan->protect);
}

static int work(struct dg_plan *plan, int argc, char **argv, struct dg_error *err)
{
	int rc = dg_plan_parse(plan, argc, argv, err);

	if (!rc)
		rc = dg_plan_open(plan, err);
	if (!rc)
		rc = dg_sandbox_enter(err);
	if (rc)
		return rc;
	if (plan->mode == DG_PLAN_WHERE)
		return dg_plan_where(plan, err);
	rc = dg_plan_run(plan, err);
	if (plan->mode != DG_PLAN_DUMP)
		dg_plan_report(plan, rc ? err : NULL);
	return rc;
}

int main(int argc, char **argv)
{
	dg_scoped_free struct dg_plan *plan = calloc(1, sizeof(*plan));
	struct dg_error err = { .status = DG_EXIT_FAILED, .text = "not enough memory" };
	int rc = plan ? work(plan, argc, argv, &err) : -ENOMEM;

	if (rc < 0)
		fprintf(stderr, "dnsguard-compile: %s\n", err.text);
	if (plan)
		dg_plan_close(plan);
	if (rc < 0)
		return err.status;
	return rc == 0 && plan->mode == DG_PLAN_WHERE && !plan->matches ? DG_EXIT_NOT_FOUND :
									  DG_EXIT_OK;
}
