// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * egress.c - what a packet costs in the program that sees answers leave; prints a JSON array of rows. Usage: egress
 *
 * Every figure is the middle of many differences to an empty program of the same kind, run right before. An answer that was
 * waited for is taken out of the table as it is timed: a bucket full of the same note serves one short run.
 */
#include <time.h>

#include "tests/bench/drive.h"
#include "tests/bench/drive.skel.h"
#include "tests/bpf/frames.h"
#include "userspace/lib/query.h"

#define ROUNDS 15
#define REPEAT 100000
#define SHORT_ROUNDS 4000
#define SERVER "192.0.2.53"
#define CLIENT "192.0.2.1"
#define EVERY_QUERY (1ull << 32)

struct bench {
	struct guard guard;
	struct drive_bpf *drive;
	int prog;
	__u8 query[DG_FRAME_MAX], answer[DG_FRAME_MAX];
	int len;
	struct dg_asked_bucket *asked; /* the whole table */
	__u32 bucket;		       /* where the query was noted, */
	__u64 cell;		       /* and how */
};

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double middle(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), ascending);
	return values[count / 2];
}

/* ---- frames --------------------------------------------------------------------------------- */

static int query_make(struct bench *bench)
{
	struct dg_prefix client, server;
	struct dg_name name;
	struct dg_query query = {
		.client_port = 40000, .server_port = 53, .name = &name, .qtype = 1
	};
	int err = dg_name_parse("www.example", &name, NULL);

	if (!err)
		err = dg_prefix_parse(CLIENT, &client, NULL);
	if (!err)
		err = dg_prefix_parse(SERVER, &server, NULL);
	if (err)
		return err;
	query.client = client.addr;
	query.server = server.addr;
	memcpy(query.dst_mac, bench->guard.iface.mac[0], sizeof(query.dst_mac));
	bench->len = dg_query_frame(&query, bench->query);
	return bench->len < 0 ? bench->len : 0;
}

/* The query turned around: addresses, ports, QR. */
static void answer_make(struct bench *bench)
{
	memcpy(bench->answer, bench->query, (size_t)bench->len);
	frame_turn(bench->answer);
	bench->answer[FRAME_L4 + 8 + 2] |= 0x80;
}

/* Shows the query to ingress and finds the note it left. */
static int query_note(struct bench *bench)
{
	struct guard_run run = { .frame_len = (__u32)bench->len };
	int err;

	memcpy(run.frame, bench->query, (size_t)bench->len);
	err = guard_show(&bench->guard, &run, 0, 0);
	for (__u32 i = 0; !err && i < DG_ASKED_BUCKETS; i++) {
		if (!bench->asked[i].cell[DG_ASKED_WAYS - 1] && !bench->asked[i].cell[0])
			continue;
		bench->bucket = i;
		bench->cell = bench->asked[i].cell[0] | bench->asked[i].cell[DG_ASKED_WAYS - 1];
		return 0;
	}
	return err ? err : -ENOENT;
}

/* ---- time ----------------------------------------------------------------------------------- */

static int time_run(const struct bench *bench, int program, __u32 repeat, double *ret_ns)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bench->answer,
		    .data_size_in = (__u32)bench->len, .repeat = (int)repeat);
	int err = bpf_prog_test_run_opts(program, &opts);

	*ret_ns = opts.duration;
	return err;
}

/* fill: before each run of the program the bucket is filled with the note. */
static int time_difference(struct bench *bench, int rounds, __u32 repeat, bool fill, double *ret_ns)
{
	int empty = bpf_program__fd(bench->drive->progs.drive_egress), err = 0;
	dg_scoped_free double *difference = calloc((size_t)rounds, sizeof(double));
	double with = 0, without = 0;

	for (int i = 0; difference && !err && i < rounds; i++) {
		err = time_run(bench, empty, repeat, &without);
		for (int way = 0; fill && way < DG_ASKED_WAYS; way++)
			bench->asked[bench->bucket].cell[way] = bench->cell;
		if (!err)
			err = time_run(bench, bench->prog, repeat, &with);
		difference[i] = with - without;
	}
	if (!difference || err)
		return err ? err : -ENOMEM;
	*ret_ns = middle(difference, rounds);
	return 0;
}

static int measure(struct bench *bench, const char *name, bool fill)
{
	static int printed;
	double ns;
	int err = fill ? time_difference(bench, SHORT_ROUNDS, DG_ASKED_WAYS, true, &ns) :
			 time_difference(bench, ROUNDS, REPEAT, false, &ns);

	if (!err)
		printf("%s{\"name\": \"%s\", \"unit\": \"ns\", \"value\": %.2f}",
		       printed++ ? ",\n" : "", name, ns);
	return err;
}

static int sample(struct bench *bench, __u64 below)
{
	bench->guard.settings.asked_below = below;
	return guard_write_settings(&bench->guard);
}

/* As many answers were booked as were shown, or the figure is of something else. */
static int check_answers(const struct bench *bench)
{
	struct dg_latency latency = { 0 };
	__u64 answers = 0;
	int err = guard_sum(bench->guard.maps.dg_latency, DG_LATENCY_UDP, (__u64 *)&latency,
			    sizeof(latency));

	for (int i = 0; i < DG_LATENCY_BUCKETS; i++)
		answers += latency.bucket[i];
	return err ? err : answers == (__u64)SHORT_ROUNDS * DG_ASKED_WAYS ? 0 : -EIO;
}

static int measure_all(struct bench *bench)
{
	int err = measure(bench, "egress: answer over UDP, not timed", false);

	if (!err)
		err = sample(bench, EVERY_QUERY);
	if (!err)
		err = measure(bench, "egress: answer over UDP, nobody waits for it", false);
	if (!err)
		err = query_note(bench);
	if (!err)
		err = measure(bench, "egress: answer over UDP, timed", true);
	if (!err)
		err = check_answers(bench);
	bench->answer[FRAME_L4] = 1; /* from another port */
	return err ? err : measure(bench, "egress: not DNS", false);
}

static int prepare(struct bench *bench)
{
	const size_t bytes = DG_ASKED_BUCKETS * sizeof(struct dg_asked_bucket);
	int err = guard_load(&bench->guard, DG_LIMIT_BYTES_DEFAULT);

	if (!err)
		err = guard_reset(&bench->guard);
	bench->guard.iface.flags |= DG_IF_TIMED;
	if (!err)
		err = guard_write_iface(&bench->guard);
	if (!err)
		err = guard_service(&bench->guard, SERVER, DG_SVC_GUARDED | DG_SVC_OWN);
	if (!err)
		err = sample(bench, 0);
	if (!err)
		err = dg_egress_load(&bench->guard.maps, &bench->prog);
	if (!err)
		err = query_make(bench);
	if (err)
		return err;
	answer_make(bench);
	bench->asked = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			    bench->guard.maps.dg_asked, 0);
	bench->drive = drive_bpf__open_and_load();
	return bench->asked == MAP_FAILED || !bench->drive ? -errno : 0;
}

int main(void)
{
	struct bench bench = { .prog = -1 };
	int err = guard_pin(0);

	printf("[");
	if (!err)
		err = prepare(&bench);
	if (!err)
		err = measure_all(&bench);
	puts("]");
	if (err)
		fprintf(stderr, "egress: %s\n", strerror(-err));
	drive_bpf__destroy(bench.drive);
	guard_unload(&bench.guard);
	return err ? 1 : 0;
}
