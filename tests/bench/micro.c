// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * micro.c - what one frame costs in the program, and what a million names cost; prints a JSON array of rows. Usage: micro
 * [--names N] [WORDS]: another number of names in the image; only the rows whose names have these words.
 *
 * Every figure is the middle of ROUNDS of (driver and program) minus (driver and empty program), the two measured
 * right after each other; see drive.bpf.c. A row also checks the program's own counters: a figure is given only
 * when practically every frame got the verdict that the row is named for.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <time.h>

#include "tests/bench/drive.h"
#include "tests/bench/drive.skel.h"
#include "tests/bpf/guard.h"
#include "userspace/lib/query.h"

#define ROUNDS 15
#define REPEAT 100000
#define WARM_UPS 8
#define NAMES 1000000 /* in the image, unless told otherwise */
#define NAMES_MAX 20000000
#define ALL_NAMES 0
#define WARM 256
#define COLD (1 << 22)
#define SWAPS 7
#define LISTED_SEED 1
#define FREE_SEED 2
#define SERVER "192.0.2.53"
#define LIMITER_BYTES DG_LIMIT_BYTES_DEFAULT

#define SOURCE_AT (14 + 12)
#define PROTOCOL_AT (14 + 9)
#define ID_AT (14 + 20 + 8)
#define NAME_AT (14 + 20 + 8 + 12 + 1)
#define TOTAL_AT (14 + 2)
#define SEGMENT_AT (14 + 20)
#define SEGMENT_SHIFT (20 - 8 + 2) /* TCP for UDP, and a length */

struct bench {
	struct guard guard;
	struct drive_bpf *drive;
	__u32 names;
	__u8 frame[DG_FRAME_MAX];
	int frame_len;
};

enum limit { LIMIT_OFF, LIMIT_CHARGE, LIMIT_REFUSE };
/* What a frame to a guarded TCP port is: see make_segment(). */
enum segment { NO_SEGMENT, SEGMENT_ACK, SEGMENT_SYN, SEGMENT_QUERY, SEGMENT_AGAIN };
enum lists { LISTS_ENFORCE, LISTS_OBSERVE, LISTS_OFF };

struct row {
	const char *name;
	double target_ns; /* 0 = only reported */
	enum dg_verdict verdict;
	enum limit limit;
	__u32 sources, names, seed;
	__u16 port;
	__u8 protocol;
	int edns_size;
	enum lists lists;
	enum segment segment;
};

static const struct row rows[] = {
	{ "not DNS, TCP to port 443", 10, DG_PASS_NOT_DNS, LIMIT_CHARGE, WARM, WARM, FREE_SEED, 443,
	  6, 0, LISTS_ENFORCE, NO_SEGMENT },
	{ "not DNS, UDP to port 443", 10, DG_PASS_NOT_DNS, LIMIT_CHARGE, WARM, WARM, FREE_SEED, 443,
	  17, 0, LISTS_ENFORCE, NO_SEGMENT },
	{ "query, whole walk", 120, DG_PASS_CLEAN, LIMIT_CHARGE, WARM, WARM, FREE_SEED, 53, 17, 0,
	  LISTS_ENFORCE, NO_SEGMENT },
	{ "query with EDNS, whole walk", 120, DG_PASS_CLEAN, LIMIT_CHARGE, WARM, WARM, FREE_SEED,
	  53, 17, 1232, LISTS_ENFORCE, NO_SEGMENT },
	{ "query, whole walk, limiter off", 0, DG_PASS_CLEAN, LIMIT_OFF, WARM, WARM, FREE_SEED, 53,
	  17, 0, LISTS_ENFORCE, NO_SEGMENT },
	{ "query, whole walk, limiter and lists off", 0, DG_PASS_CLEAN, LIMIT_OFF, WARM, WARM,
	  FREE_SEED, 53, 17, 0, LISTS_OFF, NO_SEGMENT },
	{ "listed query observed, limiter off", 0, DG_PASS_OBSERVED_SINKHOLE, LIMIT_OFF, WARM, WARM,
	  LISTED_SEED, 53, 17, 0, LISTS_OBSERVE, NO_SEGMENT },
	{ "query refused by the limiter", 80, DG_DROP_LIMITED, LIMIT_REFUSE, WARM, WARM, FREE_SEED,
	  53, 17, 0, LISTS_ENFORCE, NO_SEGMENT },
	{ "query answered from the image", 200, DG_REPLY_SINKHOLE, LIMIT_CHARGE, WARM, WARM,
	  LISTED_SEED, 53, 17, 0, LISTS_ENFORCE, NO_SEGMENT },
	{ "query with EDNS answered", 200, DG_REPLY_SINKHOLE, LIMIT_CHARGE, WARM, WARM, LISTED_SEED,
	  53, 17, 1232, LISTS_ENFORCE, NO_SEGMENT },
	{ "cold: query, whole walk", 0, DG_PASS_CLEAN, LIMIT_CHARGE, COLD, COLD, FREE_SEED, 53, 17,
	  0, LISTS_ENFORCE, NO_SEGMENT },
	{ "cold: query refused", 0, DG_DROP_LIMITED, LIMIT_REFUSE, COLD / 64, COLD, FREE_SEED, 53,
	  17, 0, LISTS_ENFORCE, NO_SEGMENT },
	{ "cold: query answered", 0, DG_REPLY_SINKHOLE, LIMIT_CHARGE, COLD, ALL_NAMES, LISTED_SEED,
	  53, 17, 0, LISTS_ENFORCE, NO_SEGMENT },
	{ "cold: query, whole walk, limiter off", 0, DG_PASS_CLEAN, LIMIT_OFF, COLD, COLD,
	  FREE_SEED, 53, 17, 0, LISTS_ENFORCE, NO_SEGMENT },
	{ "cold: query, limiter and lists off", 0, DG_PASS_CLEAN, LIMIT_OFF, COLD, COLD, FREE_SEED,
	  53, 17, 0, LISTS_OFF, NO_SEGMENT },
	{ "cold: listed query observed, limiter off", 0, DG_PASS_OBSERVED_SINKHOLE, LIMIT_OFF, COLD,
	  ALL_NAMES, LISTED_SEED, 53, 17, 0, LISTS_OBSERVE, NO_SEGMENT },
};

/* Beside the rows above: a TCP frame has one sender where its segments are to follow on each other. */
static const struct row segments[] = {
	{ "TCP: segment without data", 0, DG_PASS_TCP, LIMIT_CHARGE, WARM, WARM, FREE_SEED, 53, 6,
	  0, LISTS_ENFORCE, SEGMENT_ACK },
	{ "TCP: segment with a query, read and booked", 0, DG_PASS_TCP, LIMIT_CHARGE, 1, WARM,
	  FREE_SEED, 53, 6, 0, LISTS_ENFORCE, SEGMENT_QUERY },
	{ "TCP: segment that came before", 0, DG_PASS_TCP, LIMIT_CHARGE, 1, WARM, FREE_SEED, 53, 6,
	  0, LISTS_ENFORCE, SEGMENT_AGAIN },
	{ "TCP: first SYN", 0, DG_PASS_TCP, LIMIT_CHARGE, WARM, WARM, FREE_SEED, 53, 6, 0,
	  LISTS_ENFORCE, SEGMENT_SYN },
};

static int fail(const char *what, int err)
{
	fprintf(stderr, "micro: %s: %s\n", what, strerror(-err));
	return err;
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Mean of the middle half: as deaf to outliers as a median, but the kernel's whole nanoseconds average out. */
static double middle(double *values, int count)
{
	double sum = 0;
	int from = count / 4, to = count - from;

	qsort(values, count, sizeof(*values), ascending);
	for (int i = from; i < to; i++)
		sum += values[i];
	return sum / (to - from);
}

/* ---- output: rows as JSON, commas before all but the first ---------------------------------------- */

static void print_row(const char *name, const char *unit, double value, double target)
{
	static int printed;

	printf("%s{\"name\": \"%s\", \"unit\": \"%s\", \"value\": %.2f", printed++ ? ",\n" : "",
	       name, unit, value);
	if (target > 0)
		printf(", \"at_most\": %g", target);
	printf("}");
	fflush(stdout);
}

/* ---- a million names ------------------------------------------------------------------------------ */

/* Name `number` of the list: every fourth is one label shorter, so that two depths have to be looked up. */
static void listed_name(__u32 number, struct dg_name *ret)
{
	static const char parent[] = "\7example";
	__u64 labels[2];
	__u8 *at = ret->wire;

	drive_name(LISTED_SEED, number, labels);
	for (int i = number % 4 ? 0 : 1; i < 2; i++) {
		*at++ = DRIVE_LABEL;
		memcpy(at, &labels[i], DRIVE_LABEL);
		at += DRIVE_LABEL;
	}
	memcpy(at, parent, sizeof(parent));
	ret->len = at + sizeof(parent) - ret->wire;
	ret->labels = number % 4 ? 3 : 2;
}

static int fill_image(struct dg_image_builder *builder, __u32 names)
{
	struct dg_answer answer = { .kind = DG_ANSWER_NXDOMAIN };
	struct dg_name name;
	int list = dg_image_add_list(builder, &answer), err = list < 0 ? list : 0;

	for (__u32 i = 0; err >= 0 && i < names; i++) {
		listed_name(i, &name);
		err = dg_image_add_name(builder, &name, list, DG_SCOPE_SUFFIX);
	}
	return err < 0 ? err : 0;
}

/* The target is said of a million names; 0 = of another number, only reported. */
static void print_image_row(const struct bench *bench, const char *what, const char *unit,
			    double value, double target)
{
	char name[96];

	snprintf(name, sizeof(name), "image of %u names: %s", bench->names, what);
	print_row(name, unit, value, bench->names == NAMES ? target : 0);
}

static int swap_images(struct bench *bench, const void *elements, __u64 count)
{
	double took[SWAPS];
	struct dg_error error = {};
	struct dg_image_header header;
	__u64 bytes;
	int err;

	for (int i = 0; i < SWAPS; i++) {
		double began = seconds_now();

		err = dg_image_publish(&bench->guard.maps, elements, count, &error);
		if (err)
			return fail(error.text, err);
		took[i] = (seconds_now() - began) * 1e3;
	}
	print_image_row(bench, "publish", "ms", middle(took, SWAPS), 50);
	err = dg_image_current(&bench->guard.maps, &header, NULL, &bytes);
	if (err)
		return fail("image", err);
	bytes += sizeof(struct dg_list_filter); /* the first one, which is there in any case */
	print_image_row(bench, "kernel memory", "MB", bytes / 1e6, 24);
	return 0;
}

static int measure_image(struct bench *bench)
{
	struct dg_image_builder *builder =
		dg_image_builder_new(bench->guard.settings.hash_key, bench->names);
	double began = seconds_now();
	struct dg_error error = {};
	const void *elements;
	__u64 count;
	int err = builder ? fill_image(builder, bench->names) : -ENOMEM;

	if (!err)
		err = dg_image_finish(builder, &elements, &count, &error);
	if (err)
		return fail("image builder", err);
	print_image_row(bench, "build", "ms", (seconds_now() - began) * 1e3, 0);
	err = swap_images(bench, elements, count);
	dg_image_builder_free(&builder);
	return err ? err : dg_settings_read(&bench->guard.maps, &bench->guard.settings);
}

/* As on a device whose answers are timed: what a query costs there is what it costs. */
static int time_answers(struct bench *bench)
{
	bench->guard.iface.flags |= DG_IF_TIMED;
	return guard_write_iface(&bench->guard);
}

/* ---- one frame ------------------------------------------------------------------------------------ */

/* The query's frame becomes a segment: TCP header, length, message; of a SYN or an acknowledgement the header alone. */
static int make_segment(struct bench *bench, enum segment kind)
{
	const int message = bench->frame_len - SEGMENT_AT - (int)sizeof(struct udphdr);
	const int data = kind < SEGMENT_QUERY ? 0 : 2 + message;
	struct tcphdr tcp = { .source = htons(40000),
			      .dest = htons(53),
			      .doff = sizeof(tcp) / 4,
			      .syn = kind == SEGMENT_SYN,
			      .ack = kind != SEGMENT_SYN };
	__u8 *at = bench->frame + SEGMENT_AT;
	const __be16 length = htons(message), total = htons(20 + sizeof(tcp) + data);

	bench->frame_len = SEGMENT_AT + sizeof(tcp) + data;
	if (bench->frame_len > DRIVE_FRAME_MAX)
		return -EMSGSIZE;
	memmove(at + sizeof(tcp) + 2, at + sizeof(struct udphdr), message);
	memcpy(at, &tcp, sizeof(tcp));
	memcpy(at + sizeof(tcp), &length, sizeof(length));
	memcpy(bench->frame + TOTAL_AT, &total, sizeof(total));
	return 0;
}

static int make_frame(struct bench *bench, const struct row *row)
{
	struct dg_prefix client, server;
	struct dg_name name;
	struct dg_query query = { .client_port = 40000,
				  .server_port = row->port,
				  .name = &name,
				  .qtype = 1,
				  .edns_size = row->edns_size };
	int err = dg_name_parse("aaaaaaaa.bbbbbbbb.example", &name, NULL);

	if (!err)
		err = dg_prefix_parse("192.0.2.1", &client, NULL);
	if (!err)
		err = dg_prefix_parse(SERVER, &server, NULL);
	if (err)
		return err;
	query.client = client.addr;
	query.server = server.addr;
	memcpy(query.dst_mac, bench->guard.iface.mac[0], sizeof(query.dst_mac));
	bench->frame_len = dg_query_frame(&query, bench->frame);
	if (bench->frame_len < 0 || bench->frame_len > DRIVE_FRAME_MAX)
		return -EMSGSIZE;
	bench->frame[PROTOCOL_AT] = row->protocol;
	return row->segment ? make_segment(bench, row->segment) : 0;
}

static void set_sequence(struct bench *bench, const struct row *row)
{
	struct drive *knobs = &bench->drive->bss->knobs;

	if (!row->segment)
		return;
	knobs->name_at = row->segment < SEGMENT_QUERY ? 0 : NAME_AT + SEGMENT_SHIFT;
	knobs->seq_at = SEGMENT_AT + 4;
	if (row->segment == SEGMENT_QUERY)
		knobs->seq_step = bench->frame_len - SEGMENT_AT - sizeof(struct tcphdr);
	if (row->segment == SEGMENT_SYN)
		knobs->seq_step = 1;
}

static void set_knobs(struct bench *bench, const struct row *row)
{
	struct drive *knobs = &bench->drive->bss->knobs;

	*knobs = (struct drive){ .frame_len = bench->frame_len,
				 .source_at = SOURCE_AT,
				 .source_count = row->sources,
				 .name_at = NAME_AT,
				 .name_count = row->names ? row->names : bench->names,
				 .name_seed = row->seed,
				 .id_at = ID_AT };
	memcpy(knobs->frame, bench->frame, bench->frame_len);
	set_sequence(bench, row);
}

static void set_lists(struct bench *bench, enum lists lists)
{
	static const __u8 modes[] = {
		[LISTS_ENFORCE] = DG_ENFORCE, [LISTS_OBSERVE] = DG_OBSERVE, [LISTS_OFF] = DG_OFF
	};

	bench->guard.settings.sinkhole_mode = modes[lists];
}

/* Writes all the settings. Same costs on every rung. CHARGE, and the answer budget: one tick, which no measuring loop can use up. REFUSE: one query in 1000 s. */
static int set_limit(struct bench *bench, enum limit limit)
{
	struct dg_settings *settings = &bench->guard.settings;
	struct dg_rate *rate = &settings->rate[DG_CHARGE_QUERY][DG_IPV4];
	__u64 rare = 1000 * GUARD_SECOND >> DG_TICK_SHIFT;
	int err = guard_zero_mapped(&bench->guard, bench->guard.maps.dg_limiter, LIMITER_BYTES);

	settings->limit_mode = limit == LIMIT_OFF ? DG_OFF : DG_ENFORCE;
	rate->ceiling = limit == LIMIT_REFUSE ? rare : 1ull << 32;
	for (int rung = 0; rung < DG_RUNGS_IPV4; rung++)
		rate->cost[rung] = limit == LIMIT_REFUSE ? rare : 1;
	settings->budget_cost = 1; /* the budget is looked at, and lasts */
	settings->budget_ceiling = 1ull << 32;
	return err ? err : guard_write_settings(&bench->guard);
}

/* Nanoseconds a frame, driver included. */
static int time_run(struct bench *bench, int program, double *ret_ns)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bench->frame,
		    .data_size_in = bench->frame_len, .repeat = REPEAT);
	__u32 zero = 0;
	int err = bpf_map_update_elem(bpf_map__fd(bench->drive->maps.target), &zero, &program,
				      BPF_ANY);

	if (!err)
		err = bpf_prog_test_run_opts(bpf_program__fd(bench->drive->progs.drive_next),
					     &opts);
	*ret_ns = opts.duration;
	return !err && opts.retval == XDP_ABORTED ? -EIO : err;
}

/* Until every sender has had its first query: that one passes, whatever the limit. */
static int warm_up(struct bench *bench, int program)
{
	double ns;
	int err = 0;

	for (int i = 0; !err && i < WARM_UPS; i++)
		err = time_run(bench, program, &ns);
	return err ? err : guard_reset_stats(&bench->guard);
}

static int time_difference(struct bench *bench, int program, double *ret_ns)
{
	int empty = bpf_program__fd(bench->drive->progs.drive_empty);
	double difference[ROUNDS], with, without;
	int err = warm_up(bench, program);

	for (int i = 0; !err && i < ROUNDS; i++) {
		err = time_run(bench, empty, &without);
		if (!err)
			err = time_run(bench, program, &with);
		difference[i] = with - without;
	}
	*ret_ns = middle(difference, ROUNDS);
	return err;
}

/* How many frames did what the row is named for: a segment's verdict says nothing of whether it was read. */
static __u64 frames_of(const struct row *row, const struct guard_counts *counts)
{
	switch (row->segment) {
	case SEGMENT_QUERY: /* down to its type */
		return counts->stats.qtype[DG_TCP][DG_QTYPE_A];
	case SEGMENT_AGAIN:
		return counts->tcp.inside;
	case SEGMENT_SYN:
		return counts->stats.syn[DG_IPV4][DG_SYN_FIRST];
	case SEGMENT_ACK:
		return counts->tcp.segments ? 0 : counts->stats.verdict[row->verdict].frames;
	default:
		return counts->stats.verdict[row->verdict].frames;
	}
}

/* Of a thousand frames, 999 must have done it: a few made-up names are listed by chance. */
static int check_verdicts(struct bench *bench, const struct row *row)
{
	const __u64 frames = (__u64)REPEAT * ROUNDS;
	struct guard_counts counts;
	int err = guard_read(&bench->guard, &counts);
	__u64 got;

	if (err)
		return err;
	got = frames_of(row, &counts);
	if (got >= frames - frames / 1000)
		return 0;
	fprintf(stderr, "micro: %s: %" PRIu64 " of %" PRIu64 " frames did it; wanted: %s\n",
		row->name, (uint64_t)got, (uint64_t)frames, dg_verdict_label(row->verdict));
	for (int v = 0; v < DG_VERDICT_COUNT; v++)
		if (counts.stats.verdict[v].frames)
			fprintf(stderr, "micro:   %s %" PRIu64 "\n", dg_verdict_label(v),
				(uint64_t)counts.stats.verdict[v].frames);
	return -EIO;
}

static int measure_row(struct bench *bench, const struct row *row)
{
	double ns;
	int err = make_frame(bench, row);

	set_lists(bench, row->lists);
	if (!err)
		err = set_limit(bench, row->limit);
	if (err)
		return fail(row->name, err);
	set_knobs(bench, row);
	err = time_difference(bench, bench->guard.prog, &ns);
	if (!err)
		err = check_verdicts(bench, row);
	if (err)
		return fail(row->name, err);
	print_row(row->name, "ns", ns, row->target_ns);
	return 0;
}

/* One step of a program alone, done with any frame. */
static int measure_scale(struct bench *bench, const char *name, const struct bpf_program *program)
{
	const struct row warm = {
		.sources = WARM, .names = WARM, .seed = FREE_SEED, .port = 53, .protocol = 17
	};
	int err = make_frame(bench, &warm);
	double ns;

	if (!err) {
		set_knobs(bench, &warm);
		err = time_difference(bench, bpf_program__fd(program), &ns);
	}
	if (err)
		return fail(name, err);
	print_row(name, "ns", ns, 0);
	return 0;
}

static int measure_scales(struct bench *bench)
{
	int err = measure_scale(bench, "for scale: LRU hash lookup and full clock",
				bench->drive->progs.drive_lru);

	return err ? err :
		     measure_scale(bench, "for scale: a hit counter, one for each list",
				   bench->drive->progs.drive_count);
}

static int measure_all(struct bench *bench, const char *only)
{
	int err = measure_image(bench);

	for (size_t i = 0; !err && i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!only || strstr(rows[i].name, only))
			err = measure_row(bench, &rows[i]);
	for (size_t i = 0; !err && i < sizeof(segments) / sizeof(segments[0]); i++)
		if (!only || strstr(segments[i].name, only))
			err = measure_row(bench, &segments[i]);
	return err ? err : measure_scales(bench);
}

/* Takes the number of names off the words. */
static int names_read(int *argc, char ***argv, __u32 *ret)
{
	struct dg_error error = {};
	__u64 value;
	int err;

	*ret = NAMES;
	if (*argc < 3 || strcmp((*argv)[1], "--names"))
		return 0;
	err = dg_count_parse("names", (*argv)[2], 1, NAMES_MAX, &value, &error);
	if (err)
		return fail(error.text, err);
	*ret = (__u32)value;
	*argc -= 2;
	*argv += 2;
	return 0;
}

int main(int argc, char **argv)
{
	struct bench bench = {};
	int err = names_read(&argc, &argv, &bench.names);

	if (err)
		return 2;
	printf("[");
	err = guard_pin(0);
	if (!err)
		err = guard_load(&bench.guard, LIMITER_BYTES);
	if (!err)
		err = guard_reset(&bench.guard);
	if (!err)
		err = time_answers(&bench);
	if (!err)
		err = guard_service(&bench.guard, SERVER, DG_SVC_GUARDED | DG_SVC_OWN);
	if (!err) {
		bench.drive = drive_bpf__open_and_load();
		err = bench.drive ? measure_all(&bench, argc > 1 ? argv[1] : NULL) : -errno;
	}
	puts("]");
	if (err)
		fail("stopped", err);
	drive_bpf__destroy(bench.drive);
	guard_unload(&bench.guard);
	return err ? 1 : 0;
}
