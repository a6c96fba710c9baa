// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - the daemon's life: command line, start, signals, timers, end.
 *
 * The one place that logs what a step failed with and turns it into an exit status. It ends without
 * detaching anything: filtering goes on in the kernel.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "userspace/dnsguardd/alert_test.h"
#include "userspace/dnsguardd/alerts.h"
#include "userspace/dnsguardd/caps.h"
#include "userspace/dnsguardd/chart.h"
#include "userspace/dnsguardd/daemon.h"
#include "userspace/dnsguardd/history.h"
#include "userspace/dnsguardd/lists.h"
#include "userspace/dnsguardd/log.h"
#include "userspace/dnsguardd/notify.h"
#include "userspace/dnsguardd/options.h"
#include "userspace/dnsguardd/pressure.h"
#include "userspace/dnsguardd/program.h"
#include "userspace/dnsguardd/protect.h"
#include "userspace/dnsguardd/reload.h"
#include "userspace/dnsguardd/runlock.h"
#include "userspace/dnsguardd/tcp.h"
#include "userspace/web/check.h"

#define TIDY_MS 10000

/* The loop's handles beside those of the rooms. */
struct life {
	struct dg_daemon daemon;
	struct dg_netwatch *netwatch;
	struct dg_historian *historian;
	uv_signal_t terminate, interrupt, hangup, alert_test;
	uv_timer_t tidy, watchdog, tcp;
};

/* ---- command line ---------------------------------------------------------------------------- */

#define LONG_OPTION(id, name, arg, help)                                                           \
	{ name, arg[0] ? required_argument : no_argument, NULL, DG_DAEMON_OPT_##id },
static const struct option long_options[] = { DG_DAEMON_OPTIONS(LONG_OPTION){ NULL, 0, NULL, 0 } };

/* The table of keys, for people: the same rows that the parser is driven by. */
static void print_keys(const struct dg_config_key *keys, unsigned int count, const char *prefix)
{
	char allows[160];

	for (unsigned int i = 0; i < count; i++)
		printf("%s%s\n    %s\n    %s; default: %s\n", prefix, keys[i].path, keys[i].help,
		       dg_config_key_allows(&keys[i], allows, sizeof(allows)),
		       keys[i].fallback[0] ? keys[i].fallback : "none");
}

static void keys_and_exit(void)
{
	char prefix[80];

	print_keys(dg_config_keys, DG_KEY_COUNT, "");
	for (unsigned int i = 0; i < DG_KEY_COUNT; i++) {
		const struct dg_config_element *kind = dg_config_key_element(&dg_config_keys[i]);

		snprintf(prefix, sizeof(prefix), "%s[].", dg_config_keys[i].path);
		if (kind)
			print_keys(kind->keys, kind->key_count, prefix);
	}
	exit(DG_EXIT_OK);
}

static void usage_and_exit(void)
{
	dg_daemon_usage(stderr);
	exit(DG_EXIT_USAGE);
}

static void help_and_exit(void)
{
	dg_daemon_usage(stdout);
	exit(DG_EXIT_OK);
}

static void version_and_exit(void)
{
	puts("dnsguardd " DG_VERSION);
	exit(DG_EXIT_OK);
}

static void add_iface(struct dg_daemon_options *options, const char *name)
{
	if (options->iface_count == DG_IF_MAX) {
		dg_log(DG_LOG_ERROR, "--interface %s is one too many; at most %d", name, DG_IF_MAX);
		exit(DG_EXIT_USAGE);
	}
	options->iface[options->iface_count++] = name;
}

static void take_option(struct dg_daemon_options *options, int option)
{
	switch (option) {
	case DG_DAEMON_OPT_CONFIG:
		options->config = optarg;
		break;
	case DG_DAEMON_OPT_INTERFACE:
		add_iface(options, optarg);
		break;
	case DG_DAEMON_OPT_BPFFS:
		options->bpffs = optarg;
		break;
	case DG_DAEMON_OPT_STATE:
		options->state_dir = optarg;
		break;
	case DG_DAEMON_OPT_LISTEN:
		options->listen = optarg;
		break;
	case DG_DAEMON_OPT_OBSERVE:
		options->observe = 1;
		break;
	case DG_DAEMON_OPT_CHECK:
		options->check_config = 1;
		break;
	case DG_DAEMON_OPT_KEYS:
		keys_and_exit();
		break;
	case DG_DAEMON_OPT_VERSION:
		version_and_exit();
		break;
	case DG_DAEMON_OPT_HELP:
		help_and_exit();
		break;
	default:
		usage_and_exit();
	}
}

static struct dg_daemon_options read_options(int argc, char **argv)
{
	const char *bpffs = getenv("DNSGUARD_BPFFS");
	struct dg_daemon_options options = {
		.bpffs = bpffs && bpffs[0] ? bpffs : DG_BPFFS_DEFAULT,
		.state_dir = DG_STATE_DIR_DEFAULT,
	};
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		take_option(&options, option);
	if (optind < argc) {
		dg_log(DG_LOG_ERROR, "\"%s\" is not understood; a device is named with --interface",
		       argv[optind]);
		usage_and_exit();
	}
	return options;
}

/* ---- configuration --------------------------------------------------------------------------- */

static int already_named(const struct dg_config *config, const char *name)
{
	for (__u32 i = 0; i < config->iface_count; i++)
		if (!strcmp(config->ifaces[i].name, name))
			return 1;
	return 0;
}

/* The command line adds to the file and wins over it. */
static int override(const struct dg_daemon_options *options, struct dg_config *config,
		    struct dg_error *err)
{
	struct dg_error reason = { 0 };

	for (unsigned int i = 0; i < options->iface_count; i++)
		if (!already_named(config, options->iface[i]) &&
		    dg_config_add_iface(config, options->iface[i], &reason))
			return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "--interface: %s", reason.text);
	if (options->iface_count)
		dg_config_command(config, DG_KEY_INTERFACES);
	if (options->listen &&
	    dg_config_value_read(&dg_config_keys[DG_KEY_LISTEN], options->listen, config, &reason))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "--listen: %s", reason.text);
	if (options->listen)
		dg_config_command(config, DG_KEY_LISTEN);
	if (options->observe) {
		config->mode = DG_OBSERVE;
		dg_config_command(config, DG_KEY_MODE);
	}
	return 0;
}

static int load_config(const struct dg_daemon_options *options, struct dg_config *ret,
		       struct dg_error *err)
{
	int failed = dg_config_load(options->config, ret, err);

	if (failed)
		return failed;
	return override(options, ret, err);
}

/* ---- applying -------------------------------------------------------------------------------- */

/* Served all the same: a guard without metrics is worse than a scraper that complains. */
static void certificate_complain(const struct dg_config *config, const struct dg_web_config *web)
{
	char text[DG_CONFIG_PATH_MAX + 128];

	if (!web || !web->certificate)
		return;
	dg_certificate_warning(config->web_config, web->certificate_until, text, sizeof(text));
	if (text[0])
		dg_log(DG_LOG_WARNING, "%s", text);
}

/*
 * Opens the listener that the configuration wants, unless it is open; *ret_new stays NULL then. One with certificates or
 * passwords is opened anew each time: the files may have changed under the same name.
 */
static int open_listener(struct dg_daemon *daemon, const struct dg_config *config,
			 struct dg_http **ret_new, struct dg_error *err)
{
	struct dg_web_config *web dg_scoped(dg_web_config_free) = NULL;
	const bool same =
		daemon->http && !memcmp(&config->listen, &daemon->http_at, sizeof(config->listen));
	int failed;

	if (config->listen.ss_family == AF_UNSPEC)
		return 0;
	if (config->web_config[0] && dg_web_config_load(config->web_config, &web, err))
		return -EINVAL;
	if (same && !web && !dg_http_has_web_config(daemon->http))
		return 0;
	failed = dg_http_start(&daemon->loop,
			       &(struct dg_http_want){ .listen_at = &config->listen,
						       .web = web,
						       .page = dg_daemon_page,
						       .arg = daemon },
			       same ? daemon->http : NULL, ret_new);
	if (failed)
		return dg_http_fail(&config->listen, failed, err);
	certificate_complain(config, web);
	dg_take_ptr(web);
	return 0;
}

static void adopt_listener(struct dg_daemon *daemon, const struct dg_config *config,
			   struct dg_http *fresh)
{
	char text[80];

	if (fresh || config->listen.ss_family == AF_UNSPEC) {
		dg_http_stop(&daemon->http);
		daemon->http = fresh;
		daemon->http_at = config->listen;
	}
	if (fresh)
		dg_log(DG_LOG_INFO, "metrics on %s://%s/metrics",
		       dg_http_is_tls(fresh) ? "https" : "http",
		       dg_config_endpoint_text(&config->listen, text, sizeof(text)));
}

/* All of a configuration or nothing. What can fail for a small reason, the listener, comes first.
 */
static int apply(struct dg_daemon *daemon, const struct dg_reload_note *note, struct dg_error *err)
{
	struct dg_config *before dg_scoped_free = NULL;
	struct dg_config *next dg_scoped_free = malloc(sizeof(*next));
	struct dg_http *fresh = NULL;

	if (!next)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory");
	if (load_config(daemon->options, next, err) || open_listener(daemon, next, &fresh, err))
		return -EINVAL;
	if (dg_guard_apply(daemon, next, err)) {
		dg_http_stop(&fresh);
		return -EINVAL;
	}
	adopt_listener(daemon, next, fresh);
	before = daemon->config;
	daemon->config = dg_take_ptr(next);
	dg_reload_tell(daemon, before, note, NULL);
	daemon->config_good_unix = (__u64)time(NULL);
	dg_guard_tidy(daemon);
	return 0;
}

/* ---- the loop's handles ---------------------------------------------------------------------- */

static void on_terminate(uv_signal_t *handle, int number)
{
	dg_log(DG_LOG_NOTICE, "%s: stopping; filtering goes on in the kernel", strsignal(number));
	dg_notify("STOPPING=1");
	uv_stop(handle->loop);
}

static void on_hangup(uv_signal_t *handle, int number)
{
	struct dg_daemon *daemon = handle->data;
	struct dg_reload_note note;
	struct dg_error err = { 0 };

	(void)number;
	dg_notify_reloading();
	dg_note_take(daemon->options->bpffs, DG_ASK_RELOAD, &note);
	/* Another signal may have been quicker than the one of the command that left the note: what comes after it still
	 * answers that command. */
	if (note.token[0])
		memcpy(daemon->asked, note.token, sizeof(daemon->asked));
	else
		memcpy(note.token, daemon->asked, sizeof(note.token));
	daemon->config_good = !apply(daemon, &note, &err);
	if (!daemon->config_good)
		dg_reload_tell(daemon, daemon->config, &note, &err);
	dg_lists_look(daemon->lists);
	if (daemon->config_good)
		dg_alerting_configure(daemon->alerting);
	dg_notify("READY=1");
}

static void on_alert_test(uv_signal_t *handle, int number)
{
	(void)number;
	dg_alert_test_begin(handle->data);
}

static void on_tidy(uv_timer_t *timer)
{
	dg_guard_resync(
		timer->data); /* a second look, should a message of the kernel's have been lost */
	dg_guard_tidy(timer->data);
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	dg_notify("WATCHDOG=1");
}

static void start_handles(struct life *life)
{
	uv_loop_t *loop = &life->daemon.loop;
	unsigned long long watchdog_ms = dg_notify_watchdog_ms();

	uv_signal_init(loop, &life->terminate);
	uv_signal_init(loop, &life->interrupt);
	uv_signal_init(loop, &life->hangup);
	uv_signal_init(loop, &life->alert_test);
	life->hangup.data = life->alert_test.data = &life->daemon;
	uv_signal_start(&life->terminate, on_terminate, SIGTERM);
	uv_signal_start(&life->interrupt, on_terminate, SIGINT);
	uv_signal_start(&life->hangup, on_hangup, SIGHUP);
	uv_signal_start(&life->alert_test, on_alert_test, SIGUSR1);
	uv_timer_init(loop, &life->tidy);
	uv_timer_init(loop, &life->watchdog);
	uv_timer_init(loop, &life->tcp);
	life->tidy.data = life->tcp.data = &life->daemon;
	uv_timer_start(&life->tcp, dg_tcp_check, DG_TCP_CHECK_MS, DG_TCP_CHECK_MS);
	uv_timer_start(&life->tidy, on_tidy, TIDY_MS, TIDY_MS);
	if (watchdog_ms)
		uv_timer_start(&life->watchdog, on_watchdog, watchdog_ms, watchdog_ms);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static void finish(struct life *life)
{
	dg_http_stop(&life->daemon.http);
	dg_lists_stop(&life->daemon.lists);
	dg_protect_stop(life->daemon.protecting);
	dg_chart_stop(&life->daemon.chart);
	dg_quotas_stop(life->daemon.quotas);
	dg_historian_stop(life->historian);
	dg_alerting_stop(life->daemon.alerting);
	dg_alert_test_stop(&life->daemon);
	dg_netwatch_stop(&life->netwatch);
	dg_programs_let_go(&life->daemon.loop);
	uv_walk(&life->daemon.loop, close_handle, NULL);
	uv_run(&life->daemon.loop, UV_RUN_DEFAULT);
	dg_historian_free(life->historian); /* asks who shares a quota */
	dg_quotas_free(life->daemon.quotas);
	dg_alerting_free(life->daemon.alerting);
	dg_protect_free(life->daemon.protecting);
	dg_maps_let_go(&life->daemon.kept);
	uv_loop_close(&life->daemon.loop);
	free(life->daemon.config);
}

/* ---- start ----------------------------------------------------------------------------------- */

static int start(struct life *life, int *ret_lock, struct dg_error *err)
{
	struct dg_daemon *daemon = &life->daemon;
	struct dg_error reason = { 0 };

	/* Signals and news of devices wait in their descriptors until the loop runs: none is missed, and none ends
	 * the daemon once its pid stands where a command finds it. */
	start_handles(life);
	if (dg_runlock(daemon->options->bpffs, ret_lock, err))
		return -EBUSY;
	if (dg_caps_check(err) || dg_netwatch_start(daemon, &life->netwatch, err) ||
	    apply(daemon, &(struct dg_reload_note){ "", "" }, err))
		return -EINVAL;
	if (dg_caps_limit(&reason))
		dg_log(DG_LOG_WARNING, "%s", reason.text);
	/* An attach has put the kept image back: lists are live before any source is asked. */
	if (dg_lists_start(daemon, &daemon->lists, &reason))
		dg_log(DG_LOG_ERROR, "lists are not refreshed: %s", reason.text);
	if (dg_alerting_start(daemon, &daemon->alerting, &reason) ||
	    dg_quotas_start(daemon, &daemon->quotas, &reason))
		dg_log(DG_LOG_ERROR, "TCP quotas are not watched: %s", reason.text);
	if (dg_chart_start(daemon, &daemon->chart))
		dg_log(DG_LOG_ERROR, "the page has no charts: out of memory");
	if (dg_protect_start(daemon, &daemon->protecting))
		dg_log(DG_LOG_ERROR, "TCP is not protected: out of memory");
	if (dg_historian_start(daemon, &life->historian))
		dg_log(DG_LOG_ERROR, "no history is written: out of memory");
	daemon->config_good = 1;
	if (!daemon->guarded_count)
		dg_log(DG_LOG_WARNING,
		       "no device is named; name one under \"interfaces\" in %s or with --interface",
		       daemon->options->config ? daemon->options->config : DG_CONFIG_PATH);
	dg_notify("READY=1\nSTATUS=guarding");
	return 0;
}

static int check_config(const struct dg_daemon_options *options)
{
	struct dg_config *config dg_scoped_free = malloc(sizeof(*config));
	char warning[DG_CONFIG_PATH_MAX + 128] = "";
	struct dg_error err = { 0 };

	if (!config || load_config(options, config, &err) ||
	    dg_config_files_check(config, warning, sizeof(warning), &err)) {
		dg_log(DG_LOG_ERROR, "%s", config ? err.text : "out of memory");
		return config ? (int)err.status : DG_EXIT_FAILED;
	}
	if (warning[0])
		dg_log(DG_LOG_WARNING, "%s", warning);
	printf("%s is good\n", options->config ? options->config : DG_CONFIG_PATH);
	return DG_EXIT_OK;
}

/* One heap for the loop and its few workers, of whom one is at work now and then: not one more for each that ever was. */
static void memory_bound(void)
{
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, 1);
#endif
}

int main(int argc, char **argv)
{
	const struct dg_daemon_options options = read_options(argc, argv);
	struct life life = { .daemon.options = &options };
	struct dg_error err = { 0 };
	int lock dg_scoped_fd = -1;
	int failed;

	if (options.check_config)
		return check_config(&options);
	memory_bound();
	signal(SIGPIPE, SIG_IGN);
	uv_loop_init(&life.daemon.loop);
	failed = start(&life, &lock, &err);
	if (failed)
		dg_log(DG_LOG_ERROR, "%s", err.text);
	else
		uv_run(&life.daemon.loop, UV_RUN_DEFAULT);
	finish(&life);
	return failed ? (int)err.status : DG_EXIT_OK;
}
