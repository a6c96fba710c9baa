// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pressure.c - once a second: the figures of each listener, the model's step, and what came of it.
 *
 * Counts are the kernel's, so a restart loses none; states are taken up from the state file. Where nothing is counted nothing
 * is said.
 */
#include "userspace/dnsguardd/pressure.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "loader/loader.h"
#include "userspace/dnsguardd/alerts.h"
#include "userspace/dnsguardd/log.h"
#include "userspace/dnsguardd/pressure_internal.h"
#include "userspace/lib/stats.h"

#define LOOK_MS 1000
#define SHARE_NS 60000000000ull /* between two looks at the share of TCP, at most */
#define SHARE_LOOKS 4		/* at least, in what the operator has it hold for */
#define NS_PER_SEC 1000000000ull
#define MOST_SECONDS 3 /* longer than from one look to the next, so that none is missed */

/* ---- listeners -------------------------------------------------------------------------------- */

static struct dg_quotas_listener *listener_of(struct dg_quotas *watch, const char *name)
{
	for (unsigned int i = 0; i < watch->count; i++)
		if (!strcmp(watch->listener[i].name, name))
			return &watch->listener[i];
	if (watch->count == DG_TCP_LISTENERS_MAX)
		return NULL;
	watch->listener[watch->count] = (struct dg_quotas_listener){ .hold_mean_sec = -1 };
	snprintf(watch->listener[watch->count].name, sizeof(watch->listener[0].name), "%s", name);
	return &watch->listener[watch->count++];
}

/* One whose listener is gone stays until its alarm has ended: a resolver that restarts is no relief. */
static void gone_drop(struct dg_quotas *watch)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < watch->count; i++)
		if (watch->listener[i].present || watch->listener[i].state != DG_PRESSURE_OK)
			watch->listener[kept++] = watch->listener[i];
	watch->count = kept;
}

static void figures_read(struct dg_quotas_listener *listener, __u64 now_ns)
{
	const struct dg_tcp_row *row = listener->row;
	__s64 connections = row->connections;

	listener->own = connections > 0 ? (__u64)connections : 0;
	listener->new_per_second = dg_tcp_new_per_second(row, now_ns);
	listener->hold_mean_sec =
		row->hold_count ? (double)row->hold_ns / 1e9 / (double)row->hold_count : -1;
}

static void listener_look(struct dg_quotas *watch, const struct dg_tcp_books *books,
			  const struct dg_tcp_listener *seen, __u64 now_ns)
{
	char name[DG_TCP_KEY_TEXT];
	struct dg_quotas_listener *listener = listener_of(watch, dg_tcp_key_text(&seen->key, name));

	if (!listener)
		return;
	watch->ask_again |= !listener->present;
	listener->present = true;
	listener->row = dg_tcp_row_of(books, &seen->key);
	if (listener->row)
		figures_read(listener, now_ns);
	listener->sample.waiting = seen->accept_queue;
	listener->sample.accept_queue =
		listener->quota.slots ? seen->accept_queue_longest : seen->accept_queue;
	listener->sample.accept_queue_max = listener->quota.slots && seen->sockets ?
						    seen->accept_queue_max / seen->sockets :
						    seen->accept_queue_max;
}

static void listeners_look(struct dg_quotas *watch, const struct dg_tcp_books *books,
			   const struct dg_tcp_dump *dump, __u64 now_ns)
{
	bool before[DG_TCP_LISTENERS_MAX];
	unsigned int known = watch->count;

	for (unsigned int i = 0; i < known; i++) {
		before[i] = watch->listener[i].present;
		watch->listener[i].row = NULL;
		watch->listener[i].own = 0;
		watch->listener[i].sample = (struct dg_pressure_sample){ .now_ns = now_ns };
	}
	for (__u32 i = 0; i < dump->listeners; i++)
		listener_look(watch, books, &dump->listener[i], now_ns);
	for (unsigned int i = 0; i < known; i++)
		if (before[i] && !watch->listener[i].row)
			watch->listener[i].present = false;
}

/* ---- the model -------------------------------------------------------------------------------- */

/* dnsdist accepts whoever is too many and closes at once; the others leave them in the accept queue. */
static bool sends_away(const struct dg_quotas_listener *listener)
{
	return !strcmp(listener->quota.resolver, "dnsdist");
}

static __u64 most_of(const double *levels)
{
	double most = 0;

	for (int second = DG_FORECAST_SECONDS - MOST_SECONDS; second < DG_FORECAST_SECONDS;
	     second++)
		most = levels[second] > most ? levels[second] : most;
	return (__u64)most;
}

/* One quota for several listeners of a process: all of their connections count. */
static bool same_quota(const struct dg_quotas_listener *a, const struct dg_quotas_listener *b)
{
	return a == b ||
	       (a->quota.pid && a->quota.pid == b->quota.pid && a->quota.shared && b->quota.shared);
}

static void sample_make(const struct dg_quotas *watch, const struct dg_quotas_listener *listener,
			__u64 now_ns, struct dg_pressure_sample *ret)
{
	double levels[DG_FORECAST_SECONDS] = { 0 };

	*ret = listener->sample;
	ret->now_ns = now_ns;
	ret->quota = dg_quotas_of(watch, listener);
	ret->slots = ret->quota == listener->quota.connections ? listener->quota.slots : 0;
	ret->waiting = 0;
	for (unsigned int i = 0; i < watch->count; i++) {
		const struct dg_quotas_listener *other = &watch->listener[i];

		if (!other->row || !same_quota(listener, other))
			continue;
		ret->connections += other->own;
		ret->waiting += other->sample.waiting;
		dg_tcp_series_add(other->row, now_ns, levels, DG_FORECAST_SECONDS);
	}
	ret->most = sends_away(listener) ? most_of(levels) : 0;
	ret->seconds_to_full =
		ret->quota ? dg_forecast(levels, DG_FORECAST_SECONDS, (double)ret->quota) : -1;
}

static double fraction(__u64 percent)
{
	return (double)percent / 100;
}

static double seconds(__u64 ns)
{
	return (double)ns / (double)NS_PER_SEC;
}

static struct dg_pressure_rules rules_of(const struct dg_config *config)
{
	return (struct dg_pressure_rules){
		.warning = { fraction(config->tcp_warning_at), seconds(config->tcp_warning_full_ns),
			     config->tcp_warning_hold_ns },
		.critical = { fraction(config->tcp_critical_at),
			      seconds(config->tcp_critical_full_ns), config->tcp_critical_hold_ns },
		.forecast_from = fraction(config->tcp_forecast_from),
		.forecast_hold_ns = config->tcp_forecast_hold_ns,
		.exhausted_hold_ns = config->tcp_exhausted_hold_ns,
		.clear_below = fraction(config->tcp_clear_below),
		.clear_hold_ns = config->tcp_clear_hold_ns,
	};
}

static void listener_step(struct dg_quotas *watch, struct dg_quotas_listener *listener,
			  const struct dg_pressure_rules *rules)
{
	enum dg_pressure_state state =
		dg_pressure_step(&listener->pressure, rules, &listener->sample);

	if (state != listener->state) {
		listener->state = state;
		listener->since_unix = (__u64)time(NULL);
		watch->changed = true;
	}
	dg_quotas_tell(watch, listener);
}

/* All figures first: a sample adds up what others have. */
static void listeners_step(struct dg_quotas *watch, __u64 now_ns)
{
	const struct dg_pressure_rules rules = rules_of(watch->daemon->config);
	dg_scoped_free struct dg_pressure_sample *sample =
		calloc(watch->count + 1, sizeof(*sample));

	for (unsigned int i = 0; sample && i < watch->count; i++)
		sample_make(watch, &watch->listener[i], now_ns, &sample[i]);
	for (unsigned int i = 0; sample && i < watch->count; i++) {
		watch->listener[i].sample = sample[i];
		listener_step(watch, &watch->listener[i], &rules);
	}
}

/* ---- the share of TCP ------------------------------------------------------------------------- */

static struct dg_share_rules share_rules_of(const struct dg_config *config)
{
	return (struct dg_share_rules){ .factor = (double)config->tcp_share_factor,
					.points = fraction(config->tcp_share_points),
					.queries_min = config->tcp_share_queries,
					.hold_ns = config->tcp_share_hold_ns,
					.clear_hold_ns = config->tcp_share_hold_ns };
}

static int share_counts_read(const struct dg_maps *maps, struct dg_share_counts *ret)
{
	dg_scoped_free struct dg_snapshot *snapshot = malloc(sizeof(*snapshot));

	if (!snapshot || dg_snapshot_read(maps, snapshot))
		return -EIO;
	for (int family = 0; family < DG_FAMILY_COUNT; family++) {
		ret->tcp += snapshot->total.queries[family][DG_TCP];
		ret->all += snapshot->total.queries[family][DG_TCP] +
			    snapshot->total.queries[family][DG_UDP];
	}
	return 0;
}

static __u64 share_wait_ns(const struct dg_config *config)
{
	__u64 part = config->tcp_share_hold_ns / SHARE_LOOKS;

	return part < SHARE_NS ? part : SHARE_NS;
}

static void share_look(struct dg_quotas *watch, const struct dg_maps *maps, __u64 now_ns)
{
	const struct dg_share_rules rules = share_rules_of(watch->daemon->config);
	struct dg_share_counts counts = { 0 };
	struct dg_share_now now;

	if (watch->share_noted_ns &&
	    now_ns - watch->share_noted_ns < share_wait_ns(watch->daemon->config))
		return;
	watch->share_noted_ns = now_ns;
	if (share_counts_read(maps, &counts))
		return;
	dg_share_note(&watch->share, (__u64)time(NULL), counts);
	if (watch->daemon->config->tcp_share_alarm)
		dg_share_step(&watch->share, &rules, now_ns);
	else
		watch->share.alarm = (struct dg_alarm){ .on = false };
	now = dg_share_read(&watch->share, &rules);
	dg_quotas_tell_share(watch, &now);
	watch->changed = true;
}

/* ---- the look --------------------------------------------------------------------------------- */

static int look(struct dg_quotas *watch, const struct dg_maps *maps, __u64 now_ns)
{
	dg_scoped(dg_tcp_books_close) struct dg_tcp_books books = DG_TCP_BOOKS_NONE;
	dg_scoped_free struct dg_tcp_dump *dump = malloc(sizeof(*dump));
	struct dg_settings settings;
	int status = dump ? dg_settings_read(maps, &settings) : -ENOMEM;

	if (!status)
		status = dg_tcp_books_open(maps, &books);
	if (!status)
		status = dg_tcp_listeners_read(settings.ports, dump);
	if (status)
		return status;
	listeners_look(watch, &books, dump, now_ns);
	listeners_step(watch, now_ns);
	for (unsigned int i = 0; i < watch->count; i++)
		watch->listener[i].row = NULL; /* the books close */
	gone_drop(watch);
	return 0;
}

/* Who shows a quota marks its thresholds: after a reload the file must tell the new ones. */
static void thresholds_note(struct dg_quotas *watch)
{
	const struct dg_config *config = watch->daemon->config;

	if (watch->warning_at != config->tcp_warning_at ||
	    watch->critical_at != config->tcp_critical_at)
		watch->changed = true;
	watch->warning_at = config->tcp_warning_at;
	watch->critical_at = config->tcp_critical_at;
}

static void on_look(uv_timer_t *timer)
{
	struct dg_quotas *watch = timer->data;
	const char *bpffs = watch->daemon->options->bpffs;
	const struct dg_maps *maps = &watch->daemon->kept.maps;
	__u64 now_ns = dg_now_ns();

	if (!dg_tcpstate_runs(bpffs) || dg_maps_keep(bpffs, &watch->daemon->kept) ||
	    look(watch, maps, now_ns))
		return;
	share_look(watch, maps, now_ns);
	thresholds_note(watch);
	dg_quotas_ask(watch, now_ns);
	if (watch->changed &&
	    dg_keep_write(&watch->keep, &watch->daemon->loop, dg_quotas_text(watch)))
		watch->changed = false;
}

/* ---- life ------------------------------------------------------------------------------------- */

static bool is_watched(void *arg, const char *name)
{
	const struct dg_quotas *watch = arg;

	for (unsigned int i = 0; i < watch->count; i++)
		if (!strcmp(watch->listener[i].name, name))
			return true;
	return false;
}

int dg_quotas_start(struct dg_daemon *daemon, struct dg_quotas **ret, struct dg_error *err)
{
	dg_scoped_free struct dg_quotas *watch = calloc(1, sizeof(*watch));

	if (watch)
		watch->listener = calloc(DG_TCP_LISTENERS_MAX, sizeof(*watch->listener));
	if (!watch || !watch->listener)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory");
	watch->daemon = daemon;
	snprintf(watch->path, sizeof(watch->path), "%s/%s", daemon->options->state_dir,
		 DG_PRESSURE_FILE);
	watch->keep.path = watch->path;
	dg_quotas_load(watch);
	dg_alerting_settle(daemon->alerting, is_watched, watch);
	uv_timer_init(&daemon->loop, &watch->look);
	watch->look.data = watch;
	uv_timer_start(&watch->look, on_look, 0, LOOK_MS);
	*ret = dg_take_ptr(watch);
	return 0;
}

void dg_quotas_stop(struct dg_quotas *watch)
{
	if (watch)
		dg_program_stop(&watch->asking);
}

void dg_quotas_free(struct dg_quotas *watch)
{
	if (!watch)
		return;
	dg_keep_now(&watch->keep, dg_quotas_text(watch));
	free(watch->listener);
	free(watch);
}

/* ---- metrics ---------------------------------------------------------------------------------- */

static double quota_value(const struct dg_quotas_listener *listener)
{
	return listener->sample.quota ? (double)listener->sample.quota : -1;
}

static double state_value(const struct dg_quotas_listener *listener)
{
	return listener->sample.quota || listener->state ? (double)listener->state : -1;
}

static double full_value(const struct dg_quotas_listener *listener)
{
	return listener->sample.seconds_to_full;
}

static double sustainable_value(const struct dg_quotas_listener *listener)
{
	return listener->sample.quota ?
		       dg_sustainable((double)listener->sample.quota, listener->hold_mean_sec) :
		       -1;
}

static const struct {
	const char *name, *help;
	double (*value)(const struct dg_quotas_listener *listener); /* below 0 = there is none */
} metrics[] = {
	{ "dnsguard_tcp_quota_connections", "Connections that a listener's resolver takes.",
	  quota_value },
	{ "dnsguard_tcp_alert_state",
	  "How full the quota is: 0 ok, 1 warning, 2 critical, 3 exhausted.", state_value },
	{ "dnsguard_tcp_full_seconds", "Seconds until the quota is full, by the present trend.",
	  full_value },
	{ "dnsguard_tcp_sustainable_connections_per_second",
	  "New connections a second that the quota bears at the mean hold time.",
	  sustainable_value },
};

void dg_quotas_metrics_write(FILE *file, const struct dg_quotas *watch,
			     enum dg_metrics_format format)
{
	(void)format; /* gauges are the same in both */
	for (size_t m = 0; watch && m < sizeof(metrics) / sizeof(metrics[0]); m++) {
		fprintf(file, "# HELP %s %s\n# TYPE %s gauge\n", metrics[m].name, metrics[m].help,
			metrics[m].name);
		for (unsigned int i = 0; i < watch->count; i++) {
			double value = metrics[m].value(&watch->listener[i]);

			if (value >= 0)
				fprintf(file, "%s{listener=\"%s\"} %.10g\n", metrics[m].name,
					watch->listener[i].name, value);
		}
	}
}
