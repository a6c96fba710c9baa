// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * protect.c - the tick of TCP protection: how full is the fullest quota, which step is that, what may a source hold.
 *
 * What it tells the kernel ends by itself (HOLD_NS): a daemon that hangs or is gone leaves nobody tightened. The reaper's
 * work is in protect_reap.c, the arithmetic in ladder.c.
 */
#include "userspace/dnsguardd/protect.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "loader/loader.h"
#include "userspace/dnsguardd/log.h"
#include "userspace/dnsguardd/protect_internal.h"

#define TICK_MS 500
#define HOLD_NS 10000000000ull
#define RENEW_NS (HOLD_NS / 2)
#define LOOK_CLOSER_FROM 2 /* the step from which connections are looked at one by one */

/* ---- how pressed ---------------------------------------------------------------------------- */

static __u64 row_connections(const struct dg_tcp_books *books, __u32 at)
{
	__s64 connections = books->row[books->at[at]].connections;

	return connections > 0 ? (__u64)connections : 0;
}

bool dg_pressed_has(const struct dg_pressed *pressed, const struct dg_daemon *daemon,
		    const struct dg_tcp_books *books, __u32 at)
{
	struct dg_quota_known quota;

	if (books->at[at] == pressed->row)
		return true;
	return pressed->quota.shared && dg_quotas_find(daemon->quotas, &books->key[at], &quota) &&
	       quota.shared && quota.pid == pressed->quota.pid;
}

static void used_read(const struct dg_protecting *p, const struct dg_tcp_books *books,
		      struct dg_pressed *pressed)
{
	pressed->used = 0;
	for (__u32 i = 0; i < books->count; i++)
		if (dg_pressed_has(pressed, p->daemon, books, i))
			pressed->used += row_connections(books, i);
	pressed->use = (double)pressed->used / (double)pressed->quota.connections;
}

/* The listener whose quota is fullest; of equally full ones the one with the smallest. */
static struct dg_pressed pressed_read(const struct dg_protecting *p,
				      const struct dg_tcp_books *books)
{
	struct dg_pressed worst = { .row = DG_TCP_LISTENERS_MAX };

	for (__u32 i = 0; i < books->count; i++) {
		struct dg_pressed this = { .row = books->at[i], .key = books->key[i] };

		if (!dg_quotas_find(p->daemon->quotas, &this.key, &this.quota))
			continue;
		used_read(p, books, &this);
		if (worst.row == DG_TCP_LISTENERS_MAX || this.use > worst.use ||
		    (this.use == worst.use && this.quota.connections < worst.quota.connections))
			worst = this;
	}
	return worst;
}

/* ---- what the kernel is told ---------------------------------------------------------------- */

static bool worth_writing(const struct dg_tcp_protect *now, const struct dg_tcp_protect *next)
{
	return now->step != next->step || now->reaped != next->reaped ||
	       memcmp(now->base, next->base, sizeof(now->base)) ||
	       memcmp(now->share, next->share, sizeof(now->share)) ||
	       now->share_reaped != next->share_reaped || now->share_wide4 != next->share_wide4 ||
	       next->until_ns > now->until_ns + RENEW_NS || next->until_ns < now->until_ns;
}

/* Mode and reaper are the configuration's: only what is ours is written. */
static void tell(struct dg_protecting *p, const struct dg_maps *maps,
		 const struct dg_tcp_protect *next)
{
	const char *bpffs = p->daemon->options->bpffs;
	dg_scoped_fd int lock = -1;
	struct dg_settings settings;
	struct dg_tcp_protect *now = &settings.protect;
	struct dg_error err = { 0 };
	int status = dg_settings_read(maps, &settings);

	if (!status && !worth_writing(now, next))
		return;
	if (!status)
		status = dg_lock(bpffs, &lock, &err);
	if (!status)
		status = dg_settings_read(maps, &settings);
	if (!status) {
		struct dg_tcp_protect told = *next;

		told.mode = now->mode;
		told.reaper = now->reaper;
		*now = told;
		status = dg_settings_write(maps, &settings);
	}
	if (status && !p->failing)
		dg_log(DG_LOG_WARNING, "cannot tell the kernel of the pressure on TCP: %s",
		       err.text[0] ? err.text : strerror(-status));
	p->failing = status != 0;
}

static void step_log(struct dg_protecting *p, __u32 step, const struct dg_pressed *pressed)
{
	char listener[DG_TCP_KEY_TEXT];

	if (step == p->logged)
		return;
	dg_log(step > p->logged ? DG_LOG_NOTICE : DG_LOG_INFO,
	       "TCP pressure is at step %u of %u: %llu connections, quota %llu (%s)", step,
	       DG_PROTECT_STEPS, pressed->used, pressed->quota.connections,
	       dg_tcp_key_text(&pressed->key, listener));
	p->logged = step;
}

/* ---- the tick ------------------------------------------------------------------------------- */

static void press(struct dg_protecting *p, const struct dg_maps *maps,
		  const struct dg_settings *settings)
{
	dg_scoped(dg_tcp_books_close) struct dg_tcp_books books = DG_TCP_BOOKS_NONE;
	struct dg_tcp_protect next = { 0 };
	const struct dg_tick tick = { maps, settings, &books };
	struct dg_pressed pressed;
	__u32 sources = 0;
	__u64 now_ns = dg_now_ns();

	if (dg_tcp_books_open(maps, &books))
		return;
	pressed = pressed_read(p, &books);
	next.step = (__u8)dg_ladder_step(&p->ladder, pressed.use, now_ns);
	step_log(p, next.step, &pressed);
	if (next.step >= LOOK_CLOSER_FROM)
		sources = dg_reap(p, &tick, &pressed);
	next.reaped = dg_reaped_tidy(maps, now_ns);
	dg_ladder_shares(
		&(struct dg_ladder_given){
			.step = next.step,
			.quota = pressed.quota.connections,
			.percent = p->daemon->config->tcp_protect_share,
			.percent_24 = p->daemon->config->tcp_protect_share_24,
			.sources = sources,
			.reaped_from =
				p->reaper == DG_ENFORCE ? p->daemon->config->tcp_critical_at : 0 },
		&next);
	next.until_ns = next.step ? now_ns + HOLD_NS : 0;
	tell(p, maps, &next);
}

static void on_tick(uv_timer_t *timer)
{
	struct dg_protecting *p = timer->data;
	struct dg_daemon *daemon = p->daemon;
	const struct dg_maps *maps = &daemon->kept.maps;
	const struct dg_tcp_protect nothing = { 0 };
	struct dg_settings settings;

	if (!daemon->config || dg_maps_keep(daemon->options->bpffs, &daemon->kept) ||
	    dg_settings_read(maps, &settings))
		return;
	p->reaper = settings.protect.reaper;
	if (settings.protect.mode != DG_OFF || p->reaper != DG_OFF)
		press(p, maps, &settings);
	else
		tell(p, maps, &nothing);
}

int dg_protect_start(struct dg_daemon *daemon, struct dg_protecting **ret)
{
	struct dg_protecting *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->daemon = daemon;
	uv_timer_init(&daemon->loop, &p->timer);
	p->timer.data = p;
	uv_timer_start(&p->timer, on_tick, TICK_MS, TICK_MS);
	*ret = p;
	return 0;
}

void dg_protect_stop(struct dg_protecting *protecting)
{
	if (protecting)
		uv_close((uv_handle_t *)&protecting->timer, NULL);
}

void dg_protect_free(struct dg_protecting *protecting)
{
	free(protecting);
}

/* ---- metrics -------------------------------------------------------------------------------- */

static void announce(FILE *file, const char *name, const char *type, const char *help)
{
	fprintf(file, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* OpenMetrics names a family without its samples' suffix. */
static void announce_counter(FILE *file, const char *name, const char *help,
			     enum dg_metrics_format format)
{
	char family[64];

	snprintf(family, sizeof(family), "%s%s", name,
		 format == DG_METRICS_OPENMETRICS ? "" : "_total");
	announce(file, family, "counter", help);
}

static void syns_write(FILE *file, const struct dg_stats *total)
{
	fprintf(file,
		"dnsguard_tcp_protect_syns_total{action=\"dropped\"} %" PRIu64 "\n"
		"dnsguard_tcp_protect_syns_total{action=\"observed\"} %" PRIu64 "\n",
		(uint64_t)total->verdict[DG_DROP_TCP_SHARE].frames,
		(uint64_t)total->verdict[DG_PASS_OBSERVED_TCP_SHARE].frames);
}

void dg_protect_metrics_write(FILE *file, const struct dg_metrics_view *view,
			      enum dg_metrics_format format)
{
	const struct dg_snapshot *s = view->snapshot;
	const struct dg_tcp_now *now = view->tcp->books.now;
	const struct dg_tcp_protect *protect = &s->settings.protect;

	announce_counter(file, "dnsguard_tcp_protect_syns",
			 "SYNs of sources that held their share of connections.", format);
	syns_write(file, &s->total);
	announce_counter(file, "dnsguard_tcp_reaped",
			 "Idle connections closed while TCP was critical, or that would have been.",
			 format);
	fprintf(file,
		"dnsguard_tcp_reaped_total{mode=\"observe\"} %" PRIu64 "\n"
		"dnsguard_tcp_reaped_total{mode=\"enforce\"} %" PRIu64 "\n",
		(uint64_t)now->reaped[DG_OBSERVE], (uint64_t)now->reaped[DG_ENFORCE]);
	announce(file, "dnsguard_tcp_pressure_step", "gauge",
		 "How far TCP protection is tightened, 0 to 4.");
	fprintf(file, "dnsguard_tcp_pressure_step %u\n",
		s->now_ns < protect->until_ns ? protect->step : 0);
	announce(file, "dnsguard_tcp_share_connections", "gauge",
		 "Connections that one source may hold now; 0: no bound.");
	fprintf(file, "dnsguard_tcp_share_connections %u\n",
		s->now_ns < protect->until_ns ? protect->share[0] : protect->base[0]);
	announce_counter(file, "dnsguard_tcp_uncounted_sources",
			 "Connections whose source found no room in the table: not limited.",
			 format);
	fprintf(file, "dnsguard_tcp_uncounted_sources_total %" PRIu64 "\n",
		(uint64_t)now->shares_left_out);
}
