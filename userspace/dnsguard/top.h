/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top.h - the screen of `dnsguard top`: one document (userspace/view/overview.h) drawn on a terminal, and what its keys ask.
 *
 * Knows curses and the document; reads no map and changes nothing: what a key asks for is done by top.c.
 */
#ifndef DG_TOP_H
#define DG_TOP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* What a key wants of the caller. */
enum dg_top_wish { DG_TOP_NOTHING, DG_TOP_QUIT, DG_TOP_REDRAW, DG_TOP_BAN, DG_TOP_EXEMPT };

#define DG_TOP_FILTER_MAX 40

struct dg_top {
	int pane;	     /* which of the tables is shown */
	size_t device;	     /* whose verdicts are shown, counted from 1; 0 = of all */
	int selected, first; /* rows of it */
	int rows;	     /* it has, as drawn last */
	int sort[8];	     /* column by which each pane is sorted, -1 = as it comes */
	bool typing;	     /* the filter is being typed */
	bool frozen;	     /* the numbers stand still */
	bool help;
	enum dg_top_wish asking; /* a question waits for y or n */
	char filter[DG_TOP_FILTER_MAX + 1];
	char chosen[80];   /* the sender a wish is about */
	char message[160]; /* of the last deed, until the next key */
};

void dg_top_start(struct dg_top *ret);
/* Takes the terminal, gives it back. -ENOTTY: this terminal cannot be used so. */
int dg_top_open(void);
void dg_top_close(void);
/* Draws the whole screen, whatever its size. */
void dg_top_draw(struct dg_top *top, const json_t *doc);
/* One key. DG_TOP_BAN and DG_TOP_EXEMPT are about top->chosen and have been confirmed. */
enum dg_top_wish dg_top_key(struct dg_top *top, int key);
/* Waits for a key, at most so many milliseconds; -1 = none came. */
int dg_top_wait(int ms);

#endif
