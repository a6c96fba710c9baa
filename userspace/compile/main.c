// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - dnsguard-compile: lists from elsewhere to an image file, without privileges.
 *
 * Reads the command line, opens the files, gives up its privileges, works, reports. It never talks
 * to the kernel's tables: `dnsguard image load` checks the file and publishes it.
 */
#include <errno.h>

#include "userspace/compile/plan.h"

static int work(struct dg_plan *plan, int argc, char **argv, struct dg_error *err)
{
	int rc = dg_plan_parse(plan, argc, argv, err);

	if (!rc)
		rc = dg_plan_open(plan, err);
	if (!rc)
		rc = dg_sandbox_enter(plan->output, err);
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
