/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pressure.h - how near a listener's TCP quota is to its end, and when that is worth an alarm.
 *
 * Pure: time, figures and rules come in, a state comes out. Reads no map, no file and no clock, so that a test can live
 * through an hour in a microsecond. Times are nanoseconds of one clock, whichever the caller has; 0 is no time.
 */
#ifndef DG_PRESSURE_H
#define DG_PRESSURE_H

#include <linux/types.h>
#include <stdbool.h>

/* ---- an alarm that neither jumps nor flaps --------------------------------------------------- */

/*
 * On once `wanted` has held without a break for a raise hold, off once `unwanted` has for a clear hold. So it changes at
 * most twice in a clear hold, whatever the load does.
 */
struct dg_alarm {
	bool on;
	__u64 since_ns; /* since when what would change it has held; 0 = it does not hold now */
};

/* Returns whether it changed. */
bool dg_alarm_step(struct dg_alarm *alarm, bool change_wanted, __u64 hold_ns, __u64 now_ns);

/* ---- one listener ---------------------------------------------------------------------------- */

enum dg_pressure_state {
	DG_PRESSURE_OK,
	DG_PRESSURE_WARNING,
	DG_PRESSURE_CRITICAL,
	DG_PRESSURE_EXHAUSTED, /* who comes waits in vain or is sent away */
	DG_PRESSURE_STATES
};
extern const char *const dg_pressure_names[DG_PRESSURE_STATES];

struct dg_pressure_level {
	double at;		/* share of the quota in use, 0 to 1 */
	double full_within_sec; /* or: the forecast says full within so long; 0 = it raises none */
	__u64 hold_ns;		/* how long the share must have been so */
};

struct dg_pressure_rules {
	struct dg_pressure_level warning, critical;
	double forecast_from; /* below this share a forecast raises nothing: few connections are no trend */
	__u64 forecast_hold_ns;
	__u64 exhausted_hold_ns;
	double clear_below; /* so much lower than `at` the share must be */
	__u64 clear_hold_ns;
};
/* 70 % for 10 s or full within 120 s; 85 % or 30 s; clear 10 points lower for 60 s. */
extern const struct dg_pressure_rules dg_pressure_rules_default;

struct dg_pressure_sample {
	__u64 now_ns;
	__u64 quota; /* 0 = not known */
	__u64 slots; /* of one socket, where each has its own share of the quota; 0 = no such thing */
	__u64 connections;  /* that count against the quota, the accept queue included */
	__u64 waiting;	    /* of those: not accepted yet, on all listeners that share the quota */
	__u64 accept_queue; /* of this listener; of its longest socket, where slots are given */
	__u64 accept_queue_max;
	__u64 most; /* at one time in the last seconds, where who is too many is sent away; 0 = they wait */
	double seconds_to_full; /* -1 = not foreseen */
};

struct dg_pressure {
	struct dg_alarm
		level[DG_PRESSURE_STATES]; /* by the state that it stands for; [0] is not used */
	struct dg_alarm
		foreseen[DG_PRESSURE_STATES]; /* its raise by forecast, with a hold of its own */
	__u64 accept_queue;		      /* at the last step */
};

/* One look, once a second or so. A state goes up at once as far as it must and comes down one state a step. */
enum dg_pressure_state dg_pressure_step(struct dg_pressure *pressure,
					const struct dg_pressure_rules *rules,
					const struct dg_pressure_sample *sample);
enum dg_pressure_state dg_pressure_state(const struct dg_pressure *pressure);
/* Is nobody let in although, by the connections that are counted, slots are free? False where the quota is not known. */
bool dg_pressure_is_unexplained(const struct dg_pressure_sample *sample);
/* As it was before a restart; holds begin anew. */
void dg_pressure_restore(struct dg_pressure *pressure, enum dg_pressure_state state);

/* ---- figures --------------------------------------------------------------------------------- */

#define DG_FORECAST_SECONDS 30 /* that are looked back upon */

/*
 * Seconds until `quota` is reached, by a line of least squares through the levels of the last `count` seconds (oldest
 * first, the last is now). 0 = it is reached; -1 = not in sight: too few levels, no rise, or one that stands out from
 * its own noise by less than three standard errors.
 */
double dg_forecast(const double *levels, unsigned int count, double quota);

/*
 * New connections a second that a quota bears for good when each is held so long. By the MEAN hold time: connections
 * held = rate x mean (Little's law). The median, which most clients see, promises too much where a few hold on until the
 * idle timeout: it is those that fill the quota. -1 = hold time not known.
 */
double dg_sustainable(double quota, double hold_mean_sec);

#endif
