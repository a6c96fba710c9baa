/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outlet.h - where the zone file goes: into a descriptor given, or over a file, whole or not at all.
 *
 * A process that gave up its rights cannot rename in a directory of root's. So when there are rights to give up, a second
 * process is started first, the keeper: it keeps the right to that one file, hears four words, and never sees a byte from
 * the network.
 */
#ifndef DG_TRANSFER_OUTLET_H
#define DG_TRANSFER_OUTLET_H

#include "userspace/lib/state.h"

struct dg_outlet {
	const char *path; /* NULL: into `fd` */
	int fd;
	int keeper;		    /* socket to the keeper, -1 = write the file ourselves */
	struct dg_state_file state; /* begun by ourselves */
	FILE *file;		    /* what is being written, NULL = nothing */
};

/* Starts the keeper. It ends when this process does. */
int dg_outlet_keep(struct dg_outlet *outlet, struct dg_error *err);
/* A stream for the new zone file; it belongs to the outlet. */
int dg_outlet_begin(struct dg_outlet *outlet, FILE **ret, struct dg_error *err);
/* The new file is there, durably; or the old one still is. */
int dg_outlet_commit(struct dg_outlet *outlet, struct dg_error *err);
/* Forgets what was begun; what went into a descriptor stays there. */
void dg_outlet_abandon(struct dg_outlet *outlet);
/*
 * Sets the file's time to now: the zone in it was found good at the primary. A restart reckons the zone's age from it. Does
 * nothing for a descriptor.
 */
int dg_outlet_touch(struct dg_outlet *outlet, struct dg_error *err);

#endif
