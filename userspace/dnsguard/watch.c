// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * watch.c - dnsguard watch: queries as they are decided, a sample of them, from the ring buffer.
 *
 * The stream flows while a deadline in the settings is ahead; this renews it every second, so a watcher that dies
 * leaves nothing running. There is one ring: one watcher at a time.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/verbs.h"
#include "userspace/lib/names.h"
#include "userspace/lib/quote.h"
#include "userspace/lib/sources.h"
#include "userspace/lib/stats.h"

#define NS_PER_SEC 1000000000ull
#define RENEW_NS NS_PER_SEC
#define AHEAD_NS (3 * NS_PER_SEC)
#define DEFAULT_PER_SEC 1000
#define LABELS_ALL (((__u64)1 << DG_VERDICT_COUNT) - 1)
_Static_assert(DG_VERDICT_COUNT < 64, "a bit for each verdict");

enum { NAME, CLIENT, VERDICT, RATE, COUNT };

static const char *const verdict_words[] = {
#define DG_VERDICT_WORD(id, action, label, help) label,
	DG_VERDICTS(DG_VERDICT_WORD)
#undef DG_VERDICT_WORD
		NULL
};

const struct dg_option dg_watch_options[] = {
	[NAME] = { .name = "name",
		   .type = DG_OPT_TEXT,
		   .arg = "NAME",
		   .help = "this name and all below it" },
	[CLIENT] = { .name = "client",
		     .type = DG_OPT_PREFIX,
		     .arg = "CIDR",
		     .help = "senders inside this prefix" },
	[VERDICT] = { .name = "verdict",
		      .type = DG_OPT_CHOICE,
		      .arg = "LABEL",
		      .help = "one verdict, as status calls it",
		      .choices = verdict_words },
	[RATE] = { .name = "rate",
		   .type = DG_OPT_COUNT,
		   .arg = "N",
		   .min = 1,
		   .max = 1000000,
		   .help = "events a second and CPU at most (1000)" },
	[COUNT] = { .name = "count",
		    .type = DG_OPT_COUNT,
		    .arg = "N",
		    .min = 1,
		    .max = 1ull << 40,
		    .help = "stop after N events" },
	{ 0 },
};

struct watch {
	const struct dg_cli *cli;
	const struct dg_maps *maps;
	struct dg_name name; /* len 0 = any */
	struct dg_iface ifaces[DG_IF_MAX];
	__u64 start_ns, realtime_offset_ns;
	__u64 left;  /* events still to print */
	bool broken; /* nobody reads our output any more */
};

/* ---- what is asked for ---------------------------------------------------------------------- */

/* Is `name` in the event the wanted one or below it? Both in wire form; the event keeps the sender's case. */
static bool name_matches(const struct dg_name *wanted, const struct dg_event *event)
{
	__u32 at = 0;

	while (event->name_len > at && event->name_len - at > wanted->len && event->name[at])
		at += 1u + event->name[at];
	if (event->name_len < at || event->name_len - at != wanted->len)
		return false;
	for (__u32 i = 0; i < wanted->len; i++) {
		__u8 letter = event->name[at + i];

		letter |= letter >= 'A' && letter <= 'Z' ? 0x20 : 0;
		if (letter != wanted->wire[i])
			return false;
	}
	return true;
}

static bool client_matches(const struct dg_prefix *wanted, const struct dg_event *event)
{
	const struct dg_prefix sender = { .family = event->family,
					  .bits = event->family == DG_IPV4 ? 32 : 128,
					  .addr = event->saddr };

	return dg_prefix_covers(wanted, &sender);
}

/* Events from before are left over from an earlier watcher. */
static bool is_wanted(const struct watch *watch, const struct dg_event *event)
{
	const struct dg_value *client = &watch->cli->value[CLIENT];

	if (event->time_ns + RENEW_NS / 10 < watch->start_ns)
		return false;
	if (watch->name.len && !name_matches(&watch->name, event))
		return false;
	return !client->given || client_matches(&client->prefix, event);
}

/* ---- printing ------------------------------------------------------------------------------- */

static void event_time(const struct watch *watch, const struct dg_event *event, char *buf,
		       size_t size)
{
	__u64 unix_ns = event->time_ns + watch->realtime_offset_ns;
	time_t seconds = (time_t)(unix_ns / NS_PER_SEC);
	struct tm parts;
	size_t len = strftime(buf, size, "%H:%M:%S", localtime_r(&seconds, &parts));

	snprintf(buf + len, size - len, ".%03u", (unsigned int)(unix_ns / 1000000 % 1000));
}

/* Names come from the wire: dg_name_text() escapes what a terminal might obey. */
static void event_print_text(const struct watch *watch, const struct dg_event *event)
{
	char when[32], from[64], name[1025] = "-", type[16] = "-", verdict[64];

	event_time(watch, event, when, sizeof(when));
	if (event->name_len) {
		dg_name_text(event->name, event->name_len, name);
		snprintf(type, sizeof(type), "%s",
			 dg_qtype_text(event->qtype, verdict, sizeof(verdict)));
	}
	printf("%s %-15s %-24s %s %-6s %s\n", when, watch->ifaces[event->slot % DG_IF_MAX].name,
	       dg_verdict_label(event->verdict), dg_addr_text(event->saddr, from, sizeof(from)),
	       type, name);
}

static json_t *event_json(const struct watch *watch, const struct dg_event *event)
{
	char from[64], to[64], name[1025] = "", type[16] = "", room[16];

	if (event->name_len) {
		dg_name_text(event->name, event->name_len, name);
		snprintf(type, sizeof(type), "%s", dg_qtype_text(event->qtype, room, sizeof(room)));
	}
	return json_pack("{s:i, s:f, s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:i, s:i}", "schema",
			 1, "time", (double)(event->time_ns + watch->realtime_offset_ns) / 1e9,
			 "interface", watch->ifaces[event->slot % DG_IF_MAX].name, "verdict",
			 dg_verdict_label(event->verdict), "client",
			 dg_addr_text(event->saddr, from, sizeof(from)), "client_port",
			 (int)event->sport, "server", dg_addr_text(event->daddr, to, sizeof(to)),
			 "transport", event->transport == DG_UDP ? "udp" : "tcp", "name", name,
			 "type", type, "list", (int)event->list, "frame_bytes",
			 (int)event->frame_len);
}

/* JSON is one object a line here: a stream has no end that could close an array. */
static void event_print_json(const struct watch *watch, const struct dg_event *event)
{
	json_t *doc = event_json(watch, event);

	if (doc)
		json_dumpf(doc, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(doc);
}

/* Callback of the ring buffer; a negative return ends the reading of this batch. */
static int event_take(void *arg, void *data, size_t size)
{
	struct watch *watch = arg;
	const struct dg_event *event = data;

	if (size < sizeof(*event) || !is_wanted(watch, event))
		return 0;
	if (watch->cli->json)
		event_print_json(watch, event);
	else
		event_print_text(watch, event);
	watch->broken |= ferror(stdout) != 0;
	return --watch->left && !watch->broken ? 0 : -ECANCELED;
}

/* ---- the stream ----------------------------------------------------------------------------- */

/* One watcher: the file holds the watcher's pid for the one who comes second. */
static int watch_claim(const struct dg_cli *cli, int *ret_fd, struct dg_error *err)
{
	dg_scoped_fd int fd = -1;
	struct dg_path path;
	char pid[16] = "";
	int status = dg_run_path("watch", cli->bpffs, &path);

	if (!status) {
		fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		status = fd < 0 ? -errno : 0;
	}
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "cannot open %s: %s; run it as root, with sudo", path.text,
			       strerror(-status));
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		if (pread(fd, pid, sizeof(pid) - 1, 0) < 0)
			pid[0] = '\0';
		return dg_fail(
			err, -EBUSY, DG_EXIT_FAILED,
			"process %.*s is watching already, and only one can: stop it with: kill %.*s",
			(int)strcspn(pid, "\n"), pid, (int)strcspn(pid, "\n"), pid);
	}
	snprintf(pid, sizeof(pid), "%d\n", getpid());
	if (ftruncate(fd, 0) || pwrite(fd, pid, strlen(pid), 0) < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot write %s: %s", path.text,
			       strerror(errno));
	*ret_fd = dg_take_fd(fd);
	return 0;
}

/* Moves the deadline on, from when the lock was had: it may have been waited for. 0 stops the stream. */
static int stream_renew(const struct watch *watch, __u64 ahead_ns, struct dg_error *err)
{
	const struct dg_value *value = watch->cli->value;
	dg_scoped_fd int lock = -1;
	struct dg_settings settings;
	int status = dg_lock(watch->cli->bpffs, &lock, err);

	if (status)
		return status;
	status = dg_settings_read(watch->maps, &settings);
	settings.watch_until_ns = ahead_ns ? dg_now_ns() + ahead_ns : 0;
	settings.watch_verdicts = value[VERDICT].given ? 1ull << value[VERDICT].number : LABELS_ALL;
	settings.watch_per_sec = value[RATE].given ? (__u32)value[RATE].number : DEFAULT_PER_SEC;
	settings.realtime_offset_ns = watch->realtime_offset_ns;
	if (!status)
		status = dg_settings_write(watch->maps, &settings);
	return status ? dg_fail(err, status, DG_EXIT_FAILED, "cannot write the settings: %s",
				strerror(-status)) :
			0;
}

static int stream_read(struct watch *watch, struct ring_buffer *ring, struct dg_error *err)
{
	int status = 0;

	for (__u64 renewed_ns = 0; !status && !dg_stopped && watch->left && !watch->broken;) {
		__u64 now_ns = dg_now_ns();

		if (now_ns - renewed_ns >= RENEW_NS) {
			status = stream_renew(watch, AHEAD_NS, err);
			renewed_ns = dg_now_ns();
		}
		if (!status)
			ring_buffer__poll(ring, (int)(RENEW_NS / 1000000 / 4));
		fflush(stdout);
		watch->broken |= ferror(stdout) != 0;
	}
	return status;
}

static void ring_free(struct ring_buffer **ring)
{
	ring_buffer__free(*ring);
}

static int stream_run(struct watch *watch, struct dg_error *err)
{
	dg_scoped(ring_free) struct ring_buffer *ring =
		ring_buffer__new(watch->maps->dg_events, event_take, watch, NULL);
	int status;

	if (!ring)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot open the ring buffer: %s",
			       strerror(errno));
	dg_stop_catch();
	status = stream_read(watch, ring, err);
	if (!status)
		status = stream_renew(watch, 0, err);
	return status;
}

static void ifaces_read(struct watch *watch)
{
	for (__u32 slot = 0; slot < DG_IF_MAX; slot++)
		bpf_map_lookup_elem(watch->maps->dg_ifaces, &slot, &watch->ifaces[slot]);
}

static __u64 realtime_offset(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (__u64)now.tv_sec * NS_PER_SEC + (__u64)now.tv_nsec - dg_now_ns();
}

int dg_watch_run(const struct dg_cli *cli, struct dg_error *err)
{
	dg_scoped_maps struct dg_maps maps = DG_MAPS_NONE;
	dg_scoped_fd int claim = -1;
	struct watch watch = { .cli = cli,
			       .maps = &maps,
			       .start_ns = dg_now_ns(),
			       .realtime_offset_ns = realtime_offset(),
			       .left = cli->value[COUNT].given ? cli->value[COUNT].number : ~0ull };
	int status =
		cli->value[NAME].given ? dg_name_parse(cli->value[NAME].text, &watch.name, err) : 0;

	if (!status)
		status = dg_maps_open(cli->bpffs, &maps, err);
	if (!status)
		status = watch_claim(cli, &claim, err);
	if (status)
		return status;
	ifaces_read(&watch);
	return stream_run(&watch, err);
}
