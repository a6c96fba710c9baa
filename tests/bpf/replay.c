// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * replay.c - plays a file of rows against the program and says in TAP what held.
 *
 * A row: a sentence, a frame in, the verdict and the frame that must come out, the counters that must move. The rows
 * are made by rows.py, which knows DNS; this tool knows nothing but bytes, so that it runs where there is no
 * Python. Every row is first shown dry: same verdict, same frame, nothing counted.
 *
 *     replay [--dump FILE] ROWS      exit 0: all rows held, 1: some did not, 2: usage or no guard
 *
 * A line is one command, words parted by tabs; see the table `commands`.
 */
#include <stddef.h>

#include "tests/bpf/guard.h"
#include "userspace/tcp/shares.h"

#define WORDS_MAX 8

struct replay {
	struct guard guard;
	struct ring_buffer *events;
	FILE *rows, *dump;
	char *scene;
	unsigned int line, number, failed;
	/* the row being composed */
	char *sentence;
	__u64 now_ns;
	struct guard_run in;
	__u8 out[GUARD_FRAME_MAX];
	__u32 out_len;
	int out_known, verdict;
	struct guard_counts moved; /* what must move, frames and bytes of the verdict aside */
	/* frames without expectations, since the scene began */
	__u64 asked, asked_octets, asked_wrong;
	/* what the counters hold, where nothing but frames has moved them since they were read */
	struct guard_counts counts;
	int counts_known;
	/* the last event seen */
	struct dg_event event;
	int events_seen;
};

/* ---- words to values ------------------------------------------------------------------------ */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int hex_read(const char *text, __u8 *ret_bytes, __u32 max, __u32 *ret_len)
{
	__u32 len = strlen(text) / 2;

	if (len > max)
		return -EMSGSIZE;
	for (__u32 i = 0; i < len; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		ret_bytes[i] = (__u8)(high << 4 | low);
	}
	*ret_len = len;
	return 0;
}

static void hex_write(FILE *to, const __u8 *bytes, __u32 len)
{
	for (__u32 i = 0; i < len; i++)
		fprintf(to, "%02x", bytes[i]);
}

static int verdict_find(const char *label)
{
	for (int i = 0; i < DG_VERDICT_COUNT; i++)
		if (!strcmp(dg_verdict_label(i), label))
			return i;
	return -EINVAL;
}

static __u64 number(const char *text)
{
	return strtoull(text, NULL, 0);
}

static int family_read(const char *text)
{
	return !strcmp(text, "ipv6") ? DG_IPV6 : DG_IPV4;
}

/* ---- commands that give the guard a state --------------------------------------------------- */

struct setting {
	const char *name;
	size_t offset, size;
};

#define SETTING(field)                                                                             \
	{                                                                                          \
#field, offsetof(struct dg_settings, field),                                       \
			sizeof(((struct dg_settings *)0)->field)                                   \
	}
static const struct setting settings[] = {
	SETTING(limit_mode),
	SETTING(sinkhole_mode),
	SETTING(source_mode),
	SETTING(syn_mode),
	SETTING(paused_until_ns),
	SETTING(flags),
	SETTING(slip),
	SETTING(budget_cost),
	SETTING(budget_ceiling),
	SETTING(negative_ttl),
	SETTING(address_ttl),
	SETTING(realtime_offset_ns),
	SETTING(watch_until_ns),
	SETTING(watch_verdicts),
	SETTING(watch_per_sec),
	SETTING(own_entries),
	SETTING(source_rules),
	SETTING(protect.mode),
	SETTING(protect.step),
	SETTING(protect.until_ns),
	SETTING(protect.reaped),
	SETTING(protect.base),
	SETTING(protect.share),
	SETTING(protect.share_reaped),
	SETTING(protect.share_wide4),
};

static int do_scene(struct replay *re, char **word)
{
	free(re->scene);
	re->scene = strdup(word[1]);
	re->asked = re->asked_octets = re->asked_wrong = 0;
	re->out_known = 0;
	return guard_reset(&re->guard);
}

static int do_set(struct replay *re, char **word)
{
	__u64 value = number(word[2]);

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		if (strcmp(settings[i].name, word[1]))
			continue;
		memcpy((char *)&re->guard.settings + settings[i].offset, &value, settings[i].size);
		return guard_write_settings(&re->guard);
	}
	return -ENOENT;
}

static int do_ports(struct replay *re, char **word)
{
	for (int i = 0; i < DG_PORTS_MAX; i++)
		re->guard.settings.ports[i] = htobe16(number(word[1 + i]));
	return guard_write_settings(&re->guard);
}

static int do_secret(struct replay *re, char **word)
{
	__u32 len;
	int ret = hex_read(word[1], re->guard.settings.cookie_secret,
			   sizeof(re->guard.settings.cookie_secret), &len);

	return ret ? ret : guard_write_settings(&re->guard);
}

static int do_rate(struct replay *re, char **word)
{
	int charge = strcmp(word[1], "syn") ? DG_CHARGE_QUERY : DG_CHARGE_SYN;
	int family = family_read(word[2]);

	dg_rate_make(number(word[3]), number(word[4]), family,
		     &re->guard.settings.rate[charge][family]);
	return guard_write_settings(&re->guard);
}

static int do_service(struct replay *re, char **word)
{
	return guard_service(&re->guard, word[1], number(word[2]));
}

static int do_source(struct replay *re, char **word)
{
	return guard_source(&re->guard, word[1], number(word[2]), number(word[3]));
}

/* A source's connections, on every rung. */
static int do_holds(struct replay *re, char **word)
{
	dg_scoped(dg_tcp_shares_close) struct dg_tcp_shares shares = DG_TCP_SHARES_NONE;
	struct dg_prefix prefix;
	int ret = dg_prefix_parse(word[1], &prefix, NULL);

	if (!ret)
		ret = dg_tcp_shares_open(&re->guard.maps, &shares);
	for (__u32 rung = 0; !ret && rung < DG_SHARE_RUNGS; rung++)
		if (!dg_tcp_shares_move(&shares, prefix.addr, rung, (__s64)number(word[2])))
			ret = -ENOSPC;
	return ret;
}

static int do_reaped(struct replay *re, char **word)
{
	__u64 until_ns = number(word[2]);
	struct dg_prefix prefix;
	struct dg_addr key;
	int ret = dg_prefix_parse(word[1], &prefix, NULL);

	if (ret)
		return ret;
	key = dg_tcp_share_prefix(prefix.addr, 0);
	re->guard.settings.protect.reaped++;
	ret = bpf_map_update_elem(re->guard.maps.dg_reaped, &key, &until_ns, BPF_ANY);
	return ret ? ret : guard_write_settings(&re->guard);
}

static int do_device(struct replay *re, char **word)
{
	__u32 len;
	int ret = hex_read(word[2], re->guard.iface.mac[1], 6, &len);

	re->guard.iface.flags = DG_IF_USED | number(word[1]);
	return ret ? ret : guard_write_iface(&re->guard);
}

/* kind flags ede text v4 v6 */
static int answer_read(char **word, struct dg_answer *ret)
{
	__u32 len;

	*ret = (struct dg_answer){ .kind = number(word[0]),
				   .flags = number(word[1]),
				   .ede = number(word[2]) };
	ret->text_len = strlen(word[3]);
	memcpy(ret->text, word[3], ret->text_len);
	if (hex_read(word[4], ret->v4, sizeof(ret->v4), &len))
		return -EINVAL;
	return hex_read(word[5], ret->v6, sizeof(ret->v6), &len);
}

static int do_own(struct replay *re, char **word)
{
	struct dg_own entry = { .until_ns = number(word[2]) };
	struct dg_error err = { .text = "" };
	struct dg_name name;
	int ret = dg_name_parse(word[1], &name, &err);

	if (!ret)
		ret = answer_read(word + 3, &entry.answer);
	if (!ret)
		ret = dg_own_set(&re->guard.maps, &name, &entry, &err);
	if (ret)
		guard_note("own entry: %s", err.text);
	return ret ? ret : dg_settings_read(&re->guard.maps, &re->guard.settings);
}

static int do_list(struct replay *re, char **word)
{
	struct dg_answer answer;
	int ret = answer_read(word + 1, &answer);

	if (ret)
		return ret;
	if (!re->guard.builder)
		re->guard.builder = dg_image_builder_new(re->guard.settings.hash_key, 0);
	ret = re->guard.builder ? dg_image_add_list(re->guard.builder, &answer) : -ENOMEM;
	return ret < 0 ? ret : 0;
}

static int do_name(struct replay *re, char **word)
{
	struct dg_name name;
	int ret = dg_name_parse(word[1], &name, NULL);

	if (!ret)
		ret = dg_image_add_name(re->guard.builder, &name, number(word[2]), DG_SCOPE_SUFFIX);
	return ret < 0 ? ret : 0;
}

static int do_answer(struct replay *re, char **word)
{
	struct dg_answer answer;
	int ret = answer_read(word + 2, &answer);

	answer.list = number(word[1]);
	if (!ret)
		ret = dg_image_add_answer(re->guard.builder, &answer);
	return ret < 0 ? ret : 0;
}

static int do_scope(struct replay *re, char **word)
{
	struct dg_name name;
	int ret = dg_name_parse(word[1], &name, NULL);

	if (!ret)
		ret = dg_image_add_name(re->guard.builder, &name, number(word[2]), number(word[3]));
	return ret < 0 ? ret : 0;
}

static int do_publish(struct replay *re, char **word)
{
	struct dg_error err = { .text = "" };
	const void *elements;
	__u64 count;
	int ret = dg_image_finish(re->guard.builder, &elements, &count, &err);

	(void)word;
	if (!ret)
		ret = dg_image_publish(&re->guard.maps, elements, count, &err);
	if (ret)
		guard_note("image: %s", err.text);
	re->guard.published = !ret;
	return ret ? ret : dg_settings_read(&re->guard.maps, &re->guard.settings);
}

/* ---- commands that compose a row ------------------------------------------------------------ */

static int do_row(struct replay *re, char **word)
{
	free(re->sentence);
	re->sentence = strdup(word[1]);
	memset(&re->moved, 0, sizeof(re->moved));
	re->out_known = 0;
	re->verdict = -1;
	return 0;
}

static int do_now(struct replay *re, char **word)
{
	re->now_ns = number(word[1]);
	return 0;
}

static int do_in(struct replay *re, char **word)
{
	return hex_read(word[1], re->in.frame, sizeof(re->in.frame), &re->in.frame_len);
}

static int do_verdict(struct replay *re, char **word)
{
	re->verdict = verdict_find(word[1]);
	return re->verdict < 0 ? re->verdict : 0;
}

static int do_out(struct replay *re, char **word)
{
	re->out_known = 1;
	return hex_read(word[1], re->out, sizeof(re->out), &re->out_len);
}

/* queries|limit|syn FAMILY WHICH N; qtype TRANSPORT ROW N; answers LIST KIND N; service|tcp 0 WORD N: indexes as in abi.h */
static int do_count(struct replay *re, char **word)
{
	struct guard_counts *moved = &re->moved;
	__u32 which = number(word[3]), list = number(word[2]);
	int family = family_read(word[2]);
	__u64 delta = number(word[4]);

	if (!strcmp(word[1], "queries") && which < DG_TRANSPORT_COUNT)
		moved->stats.queries[family][which] += delta;
	else if (!strcmp(word[1], "limit") && which < DG_LIMIT_ACTIONS)
		moved->stats.limit[family][which] += delta;
	else if (!strcmp(word[1], "syn") && which < DG_SYN_KINDS)
		moved->stats.syn[family][which] += delta;
	else if (!strcmp(word[1], "qtype") && list < DG_TRANSPORT_COUNT && which < DG_QTYPE_COUNT)
		moved->stats.qtype[list][which] += delta;
	else if (!strcmp(word[1], "tcp") && which < sizeof(moved->tcp) / sizeof(__u64))
		((__u64 *)&moved->tcp)[which] += delta;
	else if (!strcmp(word[1], "answers") && list < GUARD_TRACKED && which < DG_ANSWER_KINDS)
		moved->list[list].answers[which] += delta;
	else if (!strcmp(word[1], "service") && which < sizeof(moved->service) / sizeof(__u64))
		((__u64 *)&moved->service)[which] += delta;
	else
		return -EINVAL;
	return 0;
}

/* ---- a row is played ------------------------------------------------------------------------ */

static int event_seen(void *arg, void *data, size_t size)
{
	struct replay *re = arg;

	if (size >= sizeof(re->event)) {
		re->event = *(struct dg_event *)data;
		re->events_seen++;
	}
	return 0;
}

static void dump_event(const struct replay *re)
{
	const struct dg_event *ev = &re->event;

	if (!re->events_seen)
		return;
	fprintf(re->dump, "\t%d\t%s\t%u\t%u\t%u\t%u\t%u\t%u\t", re->events_seen,
		dg_verdict_label(ev->verdict), ev->list, ev->qtype, ev->sport, ev->frame_len,
		ev->family, ev->transport);
	hex_write(re->dump, ev->name, ev->name_len);
	fputc('\t', re->dump);
	hex_write(re->dump, (const __u8 *)&ev->saddr, sizeof(ev->saddr));
	fputc('\t', re->dump);
	hex_write(re->dump, (const __u8 *)&ev->daddr, sizeof(ev->daddr));
}

static void dump_run(const struct replay *re, const struct guard_run *run)
{
	const struct dg_probe *probe = &run->probe;

	if (!re->dump)
		return;
	fprintf(re->dump, "%u\t%u\t%s\t%u\t%u\t%u\t%u\t%u\t%u\t", re->number, run->action,
		dg_verdict_label(probe->verdict), probe->limited_bits, probe->match_labels,
		probe->source_flags, probe->answer_kind, probe->list, probe->banned);
	hex_write(re->dump, run->frame, run->frame_len);
	dump_event(re);
	fputc('\n', re->dump);
}

/* The turn of the slip and the bookkeeping of events are nobody's expectation. */
static void forget_turns(struct dg_stats *stats)
{
	stats->events_sent = stats->events_lost = stats->slip_turn = 0;
	stats->event_window = stats->event_count = 0;
}

static int counts_differ(const struct guard_counts *want, const struct guard_counts *got,
			 const char *what)
{
	const __u64 *a = (const __u64 *)want, *b = (const __u64 *)got;
	int differ = 0;

	for (size_t i = 0; i < sizeof(*want) / sizeof(__u64); i++) {
		if (a[i] == b[i])
			continue;
		differ = 1;
		if (i < 2 * DG_VERDICT_COUNT)
			guard_note("%s: %s %s moved by %llu, not %llu", what,
				   dg_verdict_label(i / 2), i % 2 ? "bytes" : "frames", b[i], a[i]);
		else
			guard_note(
				"%s: counter at octet %zu (dg_stats ends at %zu) moved by %llu, not %llu",
				what, i * sizeof(__u64), sizeof(struct dg_stats), b[i], a[i]);
	}
	return differ;
}

static void counts_subtract(struct guard_counts *from, const struct guard_counts *what)
{
	for (size_t i = 0; i < sizeof(*from) / sizeof(__u64); i++)
		((__u64 *)from)[i] -= ((const __u64 *)what)[i];
}

static int verdict_differs(const struct replay *re, const struct guard_run *run)
{
	static const __u32 xdp[] = {
		[DG_ACT_PASS] = XDP_PASS, [DG_ACT_DROP] = XDP_DROP, [DG_ACT_REPLY] = XDP_TX
	};
	int differ = 0;

	if (run->probe.verdict != re->verdict) {
		guard_note("verdict is %s, not %s", dg_verdict_label(run->probe.verdict),
			   dg_verdict_label(re->verdict));
		differ = 1;
	}
	if (run->action != xdp[dg_verdict_action(run->probe.verdict)]) {
		guard_note("XDP action %u does not belong to %s", run->action,
			   dg_verdict_label(run->probe.verdict));
		differ = 1;
	}
	return differ;
}

static int frame_differs(const __u8 *want, __u32 want_len, const struct guard_run *run,
			 const char *what)
{
	__u32 at = 0;

	if (run->frame_len == want_len && !memcmp(run->frame, want, want_len))
		return 0;
	while (at < want_len && at < run->frame_len && run->frame[at] == want[at])
		at++;
	guard_note("%s: %u octets, not %u; first difference at octet %u", what, run->frame_len,
		   want_len, at);
	return 1;
}

/* A frame that passes is byte for byte the one that came; an answer is the one the row gives. */
static int out_differs(const struct replay *re, const struct guard_run *run)
{
	if (run->action == XDP_TX && re->out_known)
		return frame_differs(re->out, re->out_len, run, "answer");
	if (run->action == XDP_TX)
		return 0;
	return frame_differs(re->in.frame, re->in.frame_len, run, "passed frame");
}

/* Shows the row's frame; what it moved. Nobody else counts: what was read behind one frame is what stands before the next. */
static int show_counted(struct replay *re, struct guard_run *run, __u8 flags,
			struct guard_counts *ret_moved)
{
	struct guard_counts before = re->counts;
	int ret = re->counts_known ? 0 : guard_read(&re->guard, &before);

	*run = re->in;
	if (!ret)
		ret = guard_show(&re->guard, run, re->now_ns, flags);
	if (!ret)
		ret = guard_read(&re->guard, &re->counts);
	re->counts_known = !ret;
	*ret_moved = re->counts;
	counts_subtract(ret_moved, &before);
	return ret;
}

/* Dry: nothing is counted, nothing is sent. */
static int row_dry(struct replay *re, struct guard_run *dry)
{
	struct guard_counts moved, none;
	int bad = 0, ret = show_counted(re, dry, DG_PROBE_DRY, &moved);

	if (ret)
		return ret;
	memset(&none, 0, sizeof(none));
	bad |= counts_differ(&none, &moved, "dry");
	re->events_seen = 0;
	ring_buffer__consume(re->events);
	if (re->events_seen)
		guard_note("dry: an event was sent");
	return bad || re->events_seen;
}

static int row_real(struct replay *re, struct guard_run *run)
{
	struct guard_counts moved;
	int ret = show_counted(re, run, 0, &moved);

	if (ret)
		return ret;
	forget_turns(&moved.stats);
	re->moved.stats.verdict[run->probe.verdict].frames++;
	re->moved.stats.verdict[run->probe.verdict].bytes += re->in.frame_len;
	re->events_seen = 0;
	ring_buffer__consume(re->events);
	return counts_differ(&re->moved, &moved, "counters");
}

static int row_check(struct replay *re)
{
	struct guard_run dry, run;
	int ret = row_dry(re, &dry), bad = 0;

	if (ret < 0)
		return ret;
	bad |= ret;
	ret = row_real(re, &run);
	if (ret < 0)
		return ret;
	bad |= ret | verdict_differs(re, &run) | out_differs(re, &run);
	if (dry.probe.verdict != run.probe.verdict) {
		guard_note("dry verdict is %s", dg_verdict_label(dry.probe.verdict));
		bad = 1;
	}
	bad |= frame_differs(run.frame, run.frame_len, &dry, "dry frame");
	dump_run(re, &run);
	return bad;
}

static int do_run(struct replay *re, char **word)
{
	int ret = row_check(re);

	(void)word;
	re->number++;
	if (ret < 0)
		guard_note("test run: %s", strerror(-ret));
	re->failed += !!ret;
	printf("%s %u - %s: %s\n", ret ? "not ok" : "ok", re->number, re->scene, re->sentence);
	return 0;
}

/* No expectation: shown once, dumped, for others to judge. What passes must be untouched all the same. */
static int do_ask(struct replay *re, char **word)
{
	struct guard_run run = re->in;
	int ret = guard_show(&re->guard, &run, re->now_ns, number(word[1]));

	if (ret)
		return ret;
	re->events_seen = 0;
	ring_buffer__consume(re->events);
	dump_run(re, &run);
	re->asked++;
	re->asked_octets += re->in.frame_len;
	re->asked_wrong += !!out_differs(re, &run);
	if (run.action == XDP_TX && dg_verdict_action(run.probe.verdict) != DG_ACT_REPLY)
		re->asked_wrong++;
	return 0;
}

/* Since the scene began: every frame has exactly one verdict, and nothing that passed was touched. */
static int do_tally(struct replay *re, char **word)
{
	struct guard_counts counts;
	__u64 frames = 0, octets = 0;
	int bad, ret = guard_read(&re->guard, &counts);

	if (ret)
		return ret;
	for (int i = 0; i < DG_VERDICT_COUNT; i++) {
		frames += counts.stats.verdict[i].frames;
		octets += counts.stats.verdict[i].bytes;
	}
	bad = frames != re->asked || octets != re->asked_octets || re->asked_wrong ||
	      counts.stats.verdict[DG_NEXT].frames || !re->asked;
	if (bad)
		guard_note(
			"%llu frames, %llu octets asked; verdicts hold %llu, %llu, of them unsettled %llu; %llu wrong",
			re->asked, re->asked_octets, frames, octets,
			counts.stats.verdict[DG_NEXT].frames, re->asked_wrong);
	re->failed += bad;
	printf("%s %u - %s: %s, %llu frames\n", bad ? "not ok" : "ok", ++re->number, re->scene,
	       word[1], re->asked);
	return 0;
}

/* ---- the file ------------------------------------------------------------------------------- */

static const struct command {
	const char *name;
	int words; /* after the name */
	int (*run)(struct replay *re, char **word);
	int keeps; /* moves no counter: one behind a frame stands before the next */
} commands[] = {
	{ "scene", 1, do_scene, 0 },	 /* TITLE: back to the base state */
	{ "set", 2, do_set, 1 },	 /* FIELD VALUE */
	{ "ports", 4, do_ports, 0 },	 /* four of them, 0 = none */
	{ "secret", 1, do_secret, 0 },	 /* HEX */
	{ "rate", 4, do_rate, 0 },	 /* query|syn ipv4|ipv6 PER_SEC BURST */
	{ "service", 2, do_service, 0 }, /* ADDRESS FLAGS */
	{ "source", 3, do_source, 0 },	 /* PREFIX FLAGS BANNED_UNTIL_NS */
	{ "holds", 2, do_holds, 0 },	 /* ADDRESS COUNT: more connections of this source */
	{ "reaped", 2, do_reaped, 0 },	 /* ADDRESS UNTIL_NS */
	{ "device", 2, do_device, 0 },	 /* FLAGS VIRTUAL_MAC */
	{ "own", 8, do_own, 0 },       /* NAME UNTIL_NS and an answer: KIND FLAGS EDE TEXT V4 V6 */
	{ "list", 6, do_list, 0 },     /* an answer */
	{ "name", 2, do_name, 0 },     /* NAME LIST */
	{ "answer", 7, do_answer, 0 }, /* LIST and an answer, for single names of the list */
	{ "scope", 3, do_scope, 0 },   /* NAME ANSWER SCOPE: 1 below, 2 self, 3 both */
	{ "publish", 0, do_publish, 0 }, { "row", 1, do_row, 1 }, /* SENTENCE */
	{ "now", 1, do_now, 1 },				  /* NS */
	{ "in", 1, do_in, 1 },					  /* HEX */
	{ "verdict", 1, do_verdict, 1 },			  /* LABEL */
	{ "out", 1, do_out, 1 },				  /* HEX */
	{ "count", 4, do_count, 1 },	 { "run", 0, do_run, 1 },
	{ "ask", 1, do_ask, 0 },     /* PROBE_FLAGS */
	{ "tally", 1, do_tally, 0 }, /* SENTENCE */
};

static int line_play(struct replay *re, char *line)
{
	char *word[WORDS_MAX + 2] = { NULL };
	int words = 0;

	line[strcspn(line, "\n")] = '\0';
	if (!*line || *line == '#')
		return 0;
	for (char *rest = line; rest && words < WORDS_MAX + 1; words++)
		word[words] = strsep(&rest, "\t");
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].name, word[0]))
			continue;
		re->counts_known &= commands[i].keeps;
		return words == commands[i].words + 1 ? commands[i].run(re, word) : -E2BIG;
	}
	return -ENOENT;
}

static int file_play(struct replay *re)
{
	dg_scoped_free char *line = NULL;
	size_t room = 0;
	int ret = 0;

	while (!ret && getline(&line, &room, re->rows) > 0) {
		re->line++;
		ret = line_play(re, line);
	}
	if (ret)
		printf("Bail out! line %u: %s\n", re->line, strerror(-ret));
	else
		printf("1..%u\n", re->number);
	return ret;
}

/* What the verifier walked: each kernel has a budget for it. */
static void insns_tell(int prog)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (!bpf_obj_get_info_by_fd(prog, &info, &size))
		guard_note("insns dnsguard_ingress %u", info.verified_insns);
}

static int play(struct replay *re)
{
	int ret = guard_pin(0);

	if (!ret)
		ret = guard_load(&re->guard, 256 << 10);
	if (ret)
		return ret;
	insns_tell(re->guard.prog);
	re->events = ring_buffer__new(re->guard.maps.dg_events, event_seen, re, NULL);
	ret = re->events ? file_play(re) : -errno;
	ring_buffer__free(re->events);
	return ret;
}

int main(int argc, char **argv)
{
	struct replay re = { .now_ns = GUARD_SECOND };
	int dump = argc == 4 && !strcmp(argv[1], "--dump"), ret;

	if (argc != 2 && !dump) {
		fprintf(stderr, "usage: replay [--dump FILE] ROWS\n");
		return 2;
	}
	re.rows = fopen(argv[argc - 1], "re");
	re.dump = dump ? fopen(argv[2], "we") : NULL;
	if (!re.rows || (dump && !re.dump)) {
		fprintf(stderr, "replay: %s: %s\n", re.rows ? argv[2] : argv[argc - 1],
			strerror(errno));
		return 2;
	}
	ret = play(&re);
	guard_unload(&re.guard);
	dg_close_file(&re.rows);
	dg_close_file(&re.dump);
	free(re.scene);
	free(re.sentence);
	return ret ? 2 : !!re.failed;
}
