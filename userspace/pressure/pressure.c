// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pressure.c - alarms with hold times, and the states of a listener built from three of them.
 *
 * The three are kept in order: what raises one raises those below it, and none goes before the one above it.
 */
#include "userspace/pressure/pressure.h"

#define SECOND_NS 1000000000ull

const char *const dg_pressure_names[DG_PRESSURE_STATES] = {
	[DG_PRESSURE_OK] = "ok",
	[DG_PRESSURE_WARNING] = "warning",
	[DG_PRESSURE_CRITICAL] = "critical",
	[DG_PRESSURE_EXHAUSTED] = "exhausted",
};

const struct dg_pressure_rules dg_pressure_rules_default = {
	.warning = { .at = 0.70, .full_within_sec = 120, .hold_ns = 10 * SECOND_NS },
	.critical = { .at = 0.85, .full_within_sec = 30, .hold_ns = 10 * SECOND_NS },
	.forecast_from = 0.20,
	.forecast_hold_ns = 5 * SECOND_NS,
	.exhausted_hold_ns = 2 * SECOND_NS,
	.clear_below = 0.10,
	.clear_hold_ns = 60 * SECOND_NS,
};

bool dg_alarm_step(struct dg_alarm *alarm, bool change_wanted, __u64 hold_ns, __u64 now_ns)
{
	if (!change_wanted) {
		alarm->since_ns = 0;
		return false;
	}
	if (!alarm->since_ns)
		alarm->since_ns = now_ns;
	if (now_ns - alarm->since_ns < hold_ns)
		return false;
	alarm->on = !alarm->on;
	alarm->since_ns = 0;
	return true;
}

/* ---- what is so at one look ------------------------------------------------------------------ */

static const struct dg_pressure_level *level_of(const struct dg_pressure_rules *rules,
						enum dg_pressure_state state)
{
	return state == DG_PRESSURE_WARNING ? &rules->warning : &rules->critical;
}

static double share_of(const struct dg_pressure_sample *sample)
{
	return sample->quota ? (double)sample->connections / (double)sample->quota : 0;
}

static bool is_foreseen(const struct dg_pressure_rules *rules,
			const struct dg_pressure_level *level,
			const struct dg_pressure_sample *sample)
{
	return level->full_within_sec > 0 && sample->quota && sample->seconds_to_full >= 0 &&
	       sample->seconds_to_full <= level->full_within_sec &&
	       share_of(sample) >= rules->forecast_from;
}

/* A thread that is full lets its own queue grow while others still have room: its slots are what counts. */
static bool slots_taken(const struct dg_pressure_sample *sample)
{
	__u64 accepted =
		sample->connections > sample->waiting ? sample->connections - sample->waiting : 0;

	return sample->quota && accepted >= (sample->slots ? sample->slots : sample->quota);
}

static bool queue_full(const struct dg_pressure_sample *sample)
{
	return sample->accept_queue_max && sample->accept_queue >= sample->accept_queue_max;
}

bool dg_pressure_is_unexplained(const struct dg_pressure_sample *sample)
{
	return sample->quota && queue_full(sample) && !slots_taken(sample);
}

/*
 * Where the queue is full nobody is let in, whatever the count says: the quota may not be known, or be shared with what is not
 * counted, as BIND's is with DoT. A resolver that accepts and closes whoever is too many never has a queue; with it, having had
 * more than its quota is the sign.
 */
static bool is_exhausted(const struct dg_pressure_sample *sample)
{
	return queue_full(sample) || (slots_taken(sample) && sample->accept_queue) ||
	       (sample->quota && sample->most > sample->quota);
}

/* ---- up and down ----------------------------------------------------------------------------- */

static bool level_raises(struct dg_pressure *pressure, const struct dg_pressure_rules *rules,
			 const struct dg_pressure_sample *sample, enum dg_pressure_state state)
{
	const struct dg_pressure_level *level = level_of(rules, state);
	struct dg_alarm *foreseen = &pressure->foreseen[state];
	bool by_share = dg_alarm_step(&pressure->level[state],
				      sample->quota && share_of(sample) >= level->at,
				      level->hold_ns, sample->now_ns);

	foreseen->on = false;
	return dg_alarm_step(foreseen, is_foreseen(rules, level, sample), rules->forecast_hold_ns,
			     sample->now_ns) ||
	       by_share;
}

/* A queue that is shorter after the hold than before it is being served: it is given another. */
static bool exhausted_raises(struct dg_pressure *pressure, const struct dg_pressure_rules *rules,
			     const struct dg_pressure_sample *sample)
{
	struct dg_alarm *alarm = &pressure->level[DG_PRESSURE_EXHAUSTED];
	bool shorter = sample->accept_queue < pressure->accept_queue &&
		       sample->accept_queue < sample->accept_queue_max;

	if (shorter && sample->now_ns - alarm->since_ns >= rules->exhausted_hold_ns)
		alarm->since_ns = 0;
	if (!alarm->since_ns)
		pressure->accept_queue = sample->accept_queue;
	return dg_alarm_step(alarm, is_exhausted(sample), rules->exhausted_hold_ns, sample->now_ns);
}

static bool raises(struct dg_pressure *pressure, const struct dg_pressure_rules *rules,
		   const struct dg_pressure_sample *sample, enum dg_pressure_state state)
{
	return state == DG_PRESSURE_EXHAUSTED ? exhausted_raises(pressure, rules, sample) :
						level_raises(pressure, rules, sample, state);
}

static bool may_clear(const struct dg_pressure_rules *rules,
		      const struct dg_pressure_sample *sample, enum dg_pressure_state state)
{
	const struct dg_pressure_level *level = level_of(rules, state);

	if (state == DG_PRESSURE_EXHAUSTED)
		return !is_exhausted(sample);
	return share_of(sample) < level->at - rules->clear_below &&
	       !is_foreseen(rules, level, sample);
}

static void step_up(struct dg_pressure *pressure, const struct dg_pressure_rules *rules,
		    const struct dg_pressure_sample *sample)
{
	enum dg_pressure_state before = dg_pressure_state(pressure), up = before;

	for (enum dg_pressure_state state = before + 1; state < DG_PRESSURE_STATES; state++)
		if (raises(pressure, rules, sample, state))
			up = state;
	for (enum dg_pressure_state state = before + 1; state <= up; state++)
		pressure->level[state] = (struct dg_alarm){ .on = true };
	for (enum dg_pressure_state state = before + 1; state <= up; state++)
		pressure->foreseen[state] = (struct dg_alarm){ .on = false };
}

/* All that are on are timed, so that they go one after the other when the load has gone at once. */
static void step_down(struct dg_pressure *pressure, const struct dg_pressure_rules *rules,
		      const struct dg_pressure_sample *sample, enum dg_pressure_state top)
{
	for (enum dg_pressure_state state = DG_PRESSURE_WARNING; state <= top; state++) {
		struct dg_alarm below = pressure->level[state];
		bool cleared =
			dg_alarm_step(&pressure->level[state], may_clear(rules, sample, state),
				      rules->clear_hold_ns, sample->now_ns);

		if (cleared && state < top)
			pressure->level[state] = below; /* its time has come, its turn has not */
	}
}

enum dg_pressure_state dg_pressure_step(struct dg_pressure *pressure,
					const struct dg_pressure_rules *rules,
					const struct dg_pressure_sample *sample)
{
	enum dg_pressure_state before = dg_pressure_state(pressure);

	step_down(pressure, rules, sample, before);
	if (dg_pressure_state(pressure) == before)
		step_up(pressure, rules, sample);
	return dg_pressure_state(pressure);
}

enum dg_pressure_state dg_pressure_state(const struct dg_pressure *pressure)
{
	enum dg_pressure_state state = DG_PRESSURE_EXHAUSTED;

	while (state > DG_PRESSURE_OK && !pressure->level[state].on)
		state--;
	return state;
}

void dg_pressure_restore(struct dg_pressure *pressure, enum dg_pressure_state state)
{
	*pressure = (struct dg_pressure){ .accept_queue = 0 };
	for (enum dg_pressure_state on = DG_PRESSURE_WARNING; on <= state; on++)
		pressure->level[on].on = true;
}
