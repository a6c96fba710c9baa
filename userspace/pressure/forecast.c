// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * forecast.c - where a row of levels is heading, and what rate a quota bears.
 *
 * Least squares, because one level is noise; with the standard error of the slope, because a rise that drowns in the
 * noise is none.
 */
#include <math.h>

#include "userspace/pressure/pressure.h"

#define LEVELS_MIN 10
#define ERRORS_MIN 3.0 /* standard errors of the slope */

struct line {
	double slope, error; /* a second */
	double now;	     /* its value at the last level */
};

static struct line line_fit(const double *levels, unsigned int count)
{
	double middle = (count - 1) / 2.0, mean = 0, spread = 0, rise = 0, off = 0;
	struct line line;

	for (unsigned int i = 0; i < count; i++)
		mean += levels[i] / count;
	for (unsigned int i = 0; i < count; i++) {
		spread += (i - middle) * (i - middle);
		rise += (i - middle) * (levels[i] - mean);
	}
	line.slope = rise / spread;
	line.now = mean + line.slope * (count - 1 - middle);
	for (unsigned int i = 0; i < count; i++) {
		double miss = levels[i] - (mean + line.slope * (i - middle));

		off += miss * miss;
	}
	line.error = sqrt(off / (count - 2) / spread);
	return line;
}

static double line_forecast(const double *levels, unsigned int count, double quota)
{
	struct line line = line_fit(levels, count);

	if (line.slope <= 0 || line.slope < ERRORS_MIN * line.error)
		return -1;
	return line.now >= quota ? 0 : (quota - line.now) / line.slope;
}

/* The last seconds must rise as well: what has climbed and stays is at home there, as after a restart. */
double dg_forecast(const double *levels, unsigned int count, double quota)
{
	double whole, late;

	if (count && levels[count - 1] >= quota)
		return 0;
	if (count < LEVELS_MIN)
		return -1;
	whole = line_forecast(levels, count, quota);
	late = line_forecast(levels + count - LEVELS_MIN, LEVELS_MIN, quota);
	return late < 0 ? -1 : whole;
}

double dg_sustainable(double quota, double hold_mean_sec)
{
	return hold_mean_sec > 0 ? quota / hold_mean_sec : -1;
}
