/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor.h - the door of this room: a host, its devices and resolvers are examined, and a document says what was found.
 *
 * Behind it each check is a row of examine.c and a function that looks at the patient (patient.h), fills one finding, prints
 * nothing and changes nothing.
 */
#ifndef DG_DOCTOR_H
#define DG_DOCTOR_H

#include <jansson.h>
#include <linux/types.h>

#include "userspace/lib/scope.h"

struct dg_doctor_ask {
	const char *bpffs;
	const char
		*device; /* NULL: those that are guarded; else all that are up, but the loopback */
	__u64 sample_ns; /* look at the traffic of devices for so long */
};

/*
 * Examines for sample_ns and what resolvers take to answer. *ret is the caller's: {schema, checks [{health, check, of, text,
 * mend}], pass, warn, fail}, health one of PASS, WARN, FAIL, mend "" where nothing is to mend. -errno and err: nothing was
 * examined, -ENODEV when the device is gone.
 */
int dg_doctor_examine(const struct dg_doctor_ask *ask, json_t **ret, struct dg_error *err);

#endif
