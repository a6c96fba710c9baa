// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_swap.c - an image is swapped under packets, and by somebody who dies on the way; speaks TAP.
 *
 * One CPU runs the program without a pause while images take each other's place: every packet sees the one or the
 * other whole. Then a publication and a drop are killed in front of and behind each of their system calls: what packets see
 * is the state before or the state after, and the next publication finds nothing in its way.
 */
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "tests/bpf/guard.h"

#define L4 (14 + 20)
#define SWAPS 200
#define RUNS_AT_ONCE 5000

/* ---- two images ----------------------------------------------------------------------------- */

/*
 * Both drop q.both.example, on behalf of different lists, by entries of different depths, in tables of different sizes, and
 * behind filters that may be of different sizes; each has a name of its own. Names of the filling make the filter and the array worth the name.
 */
struct image {
	struct dg_image_builder *builder;
	const void *elements;
	__u64 count;
	bool large; /* has a large filter of its own */
};

enum { FIRST_LIST = 1, SECOND_LIST = 3 };

static struct dg_name name_of(const char *text)
{
	struct dg_name name;

	must(dg_name_parse(text, &name, NULL), text);
	return name;
}

static void image_add(struct image *image, const char *text, __u32 list, enum dg_scope scope)
{
	struct dg_name name = name_of(text);

	must(dg_image_add_name(image->builder, &name, list, scope) != (int)scope, text);
}

static void image_make(const struct guard *guard, struct image *ret, __u32 list, __u32 names)
{
	struct dg_answer answer = { .kind = DG_ANSWER_DROP, .text_len = 1 };
	char text[40];

	ret->builder = dg_image_builder_new(guard->settings.hash_key, names);
	must(ret->builder ? 0 : -ENOMEM, "builder");
	/* the same lists in both, so that counters stay where they are */
	for (__u32 i = 0; i < SECOND_LIST; i++) {
		answer.text[0] = (char)('a' + i);
		must(dg_image_add_list(ret->builder, &answer) < 0, "list");
	}
	for (__u32 i = 0; i < names; i++) {
		snprintf(text, sizeof(text), "n%u.l%u.example", i, list);
		image_add(ret, text, list, DG_SCOPE_SUFFIX);
	}
	if (list == FIRST_LIST)
		image_add(ret, "both.example", list, DG_SCOPE_BELOW);
	else
		image_add(ret, "q.both.example", list, DG_SCOPE_SELF);
	must(dg_image_finish(ret->builder, &ret->elements, &ret->count, NULL), "image");
}

static void publish(struct guard *guard, const struct image *image)
{
	struct dg_error err = { .text = "" };

	must(dg_image_publish_with(&guard->maps, image->elements, image->count, image->large, &err),
	     err.text);
	guard->published = 1;
}

/* ---- asking --------------------------------------------------------------------------------- */

static void put16(__u8 *at, __u16 value)
{
	at[0] = (__u8)(value >> 8);
	at[1] = (__u8)value;
}

static void query_frame(struct guard_run *run, const char *text)
{
	static const __u8
		headers[L4] = { 2,    0,	   0,	      0,	   0,	       0x53, 2,
				0,    0,	   0,	      0,	   7,	       0x08, 0,
				0x45, [20] = 0x40, [22] = 64, IPPROTO_UDP, [26] = 198, 51,   100,
				7,    192,	   0,	      2,	   53 };
	static const __u8 dns[12] = { 0x12, 0x34, 1, 0, 0, 1 };
	struct dg_name name = name_of(text);
	__u8 *udp = run->frame + L4, *question = udp + 8 + sizeof(dns);
	__u32 len = 8 + sizeof(dns) + name.len + 4;

	memcpy(run->frame, headers, sizeof(headers));
	put16(run->frame + 16, (__u16)(20 + len));
	put16(udp, 40000);
	put16(udp + 2, 53);
	put16(udp + 4, (__u16)len);
	put16(udp + 6, 0);
	memcpy(udp + 8, dns, sizeof(dns));
	memcpy(question, name.wire, name.len);
	put16(question + name.len, 1);
	put16(question + name.len + 2, 1);
	run->frame_len = L4 + len;
}

/* The list that drops this name, 0 = it passes. */
static __u32 asked(const struct guard *guard, const char *text)
{
	struct guard_run run;

	query_frame(&run, text);
	must(guard_show(guard, &run, GUARD_SECOND, 0), "test run");
	if (run.probe.verdict == DG_PASS_CLEAN)
		return 0;
	must(run.probe.verdict == DG_DROP_SINKHOLE ? 0 : -EBADMSG,
	     dg_verdict_label(run.probe.verdict));
	return run.probe.list;
}

/* Which image do packets see? A list's number, 0 = none, or -1 = parts of several. */
static int seen(const struct guard *guard)
{
	__u32 both = asked(guard, "q.both.example");

	if (asked(guard, "n7.l1.example") != (both == FIRST_LIST ? FIRST_LIST : 0) ||
	    asked(guard, "x.n7.l3.example") != (both == SECOND_LIST ? SECOND_LIST : 0))
		return -1;
	return (int)both;
}

static void begin(struct guard *guard)
{
	must(guard_reset(guard), "reset");
	must(guard_service(guard, "192.0.2.53", DG_SVC_GUARDED), "service");
}

/* ---- swaps under packets -------------------------------------------------------------------- */

struct runner {
	const struct guard *guard;
	atomic_bool stop;
	atomic_ullong runs;
	int failed;
};

/* A test run of many repetitions does not leave the kernel: millions of packets a second. */
static void *run_on(void *arg)
{
	struct runner *runner = arg;
	struct guard_run run;
	__u8 in[sizeof(run.probe) + 128];
	struct xdp_md ctx = { .data = sizeof(run.probe) };
	struct dg_probe probe = { .secret = GUARD_SECRET, .now_ns = GUARD_SECOND };

	query_frame(&run, "q.both.example");
	ctx.data_end = ctx.data + run.frame_len;
	memcpy(in, &probe, sizeof(probe));
	memcpy(in + sizeof(probe), run.frame, run.frame_len);
	while (!runner->stop && !runner->failed) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = ctx.data_end,
			    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = RUNS_AT_ONCE);

		runner->failed = bpf_prog_test_run_opts(runner->guard->prog, &opts);
		runner->runs += RUNS_AT_ONCE;
	}
	return NULL;
}

/* What goes on beside swaps: an entry of the operator's comes and goes, and the filter is tidied. */
static void own_stir(const struct guard *guard, int turn)
{
	struct dg_own entry = { .answer = { .kind = DG_ANSWER_ALLOW } };
	struct dg_name name = name_of(turn % 3 ? "other.example" : "deep.q.both.example");

	must(dg_own_set(&guard->maps, &name, &entry, NULL), "own entry");
	must(dg_own_remove(&guard->maps, &name, NULL), "own entry");
	if (turn % 5 == 0)
		must(dg_own_tidy(&guard->maps, GUARD_SECOND, NULL) < 0, "tidy");
}

/* From every size of filter to every other, and each image with both. */
static void swap_on(struct guard *guard, const struct image image[2], int swap)
{
	struct image next = image[swap % 2];

	next.large = swap / 2 % 4 == 1 || swap / 2 % 4 == 2;
	publish(guard, &next);
}

static void swaps_under_packets(struct guard *guard, const struct image image[2])
{
	struct runner runner = { .guard = guard };
	struct guard_counts counts;
	__u64 dropped, first, second;
	pthread_t thread;

	begin(guard);
	publish(guard, image);
	must(pthread_create(&thread, NULL, run_on, &runner), "thread");
	for (int swap = 1; swap <= SWAPS; swap++) {
		swap_on(guard, image, swap);
		own_stir(guard, swap);
	}
	runner.stop = true;
	pthread_join(thread, NULL);
	must(runner.failed, "test run");
	must(guard_read(guard, &counts), "counters");
	dropped = counts.stats.verdict[DG_DROP_SINKHOLE].frames;
	first = counts.list[FIRST_LIST].answers[DG_ANSWER_DROP];
	second = counts.list[SECOND_LIST].answers[DG_ANSWER_DROP];
	ok(dropped == runner.runs, "%d swaps under %llu packets: none slips through (%llu clean)",
	   SWAPS, (unsigned long long)runner.runs, counts.stats.verdict[DG_PASS_CLEAN].frames);
	ok(first > 0 && second > 0, "both images were seen: %llu and %llu times", first, second);
}

/* ---- killed on the way ---------------------------------------------------------------------- */

typedef void step_fn(struct guard *guard, const struct image *image);

static void drop(struct guard *guard, const struct image *image)
{
	(void)image;
	must(dg_image_drop(&guard->maps, NULL), "drop");
}

/* Runs `act` in a process that is killed at its stop number `stop`. False = it came to its end before. */
static bool killed_at(struct guard *guard, const struct image *image, step_fn *act, int stop)
{
	pid_t pid = fork();
	int status;

	must(pid < 0, "fork");
	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(2);
		raise(SIGSTOP);
		act(guard, image);
		_exit(0);
	}
	for (int at = 0; waitpid(pid, &status, 0) == pid && WIFSTOPPED(status); at++) {
		if (at == stop)
			kill(pid, SIGKILL);
		else
			ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	}
	must(WIFSIGNALED(status) || !WEXITSTATUS(status) ? 0 : -ECHILD, "the other process");
	return WIFSIGNALED(status);
}

static bool slot_used(int map, __u32 slot)
{
	__u32 id;

	return !bpf_map_lookup_elem(map, &slot, &id);
}

/* One image is there, and a large filter exactly where the image has one. */
static bool alone(const struct guard *guard, bool large)
{
	bool first = slot_used(guard->maps.dg_image, 0), other = slot_used(guard->maps.dg_image, 1);

	return first != other && slot_used(guard->maps.dg_list_large, 0) == (first && large) &&
	       slot_used(guard->maps.dg_list_large, 1) == (other && large);
}

/* Bits of the common filter. */
static __u64 filter_bits(const struct guard *guard)
{
	size_t bytes = DG_LIST_FILTER_WORDS * sizeof(__u64);
	__u64 *live = mmap(NULL, bytes, PROT_READ, MAP_SHARED, guard->maps.dg_list_filter, 0);
	__u64 bits = 0;

	must(live == MAP_FAILED, "filter");
	for (__u32 i = 0; i < DG_LIST_FILTER_WORDS; i++)
		bits += (__u64)__builtin_popcountll(live[i]);
	munmap(live, bytes);
	return bits;
}

/* From the first image, killed at each stop: before is 1, after is `after`, and the second image can be published. */
static void kills(struct guard *guard, const struct image image[2], step_fn *act, int after)
{
	__u64 bits, wrong = 0, left = 0;
	int stop = 0, changed = 0;

	begin(guard);
	publish(guard, image + 1);
	bits = filter_bits(guard);
	for (bool killed = true; killed; stop++) {
		int now;

		publish(guard, image);
		killed = killed_at(guard, image + 1, act, stop);
		now = seen(guard);
		wrong += now != FIRST_LIST && now != after;
		changed += now == after;
		publish(guard, image + 1);
		wrong += seen(guard) != SECOND_LIST;
		left += !alone(guard, image[1].large) || filter_bits(guard) != bits;
	}
	ok(!wrong && stop > 10 && changed && changed < stop,
	   "killed at %d places: the image is the old one or, %d times, the new state (%llu wrong)",
	   stop, changed, wrong);
	ok(!left, "and the next publication leaves one array and its own bits alone (%llu do not)",
	   left);
}

int main(void)
{
	struct image image[2] = { 0 };
	struct guard guard;

	if (guard_load(&guard, 256 << 10))
		return 2;
	image_make(&guard, image, FIRST_LIST, 3000);
	image_make(&guard, image + 1, SECOND_LIST, 200);

	swaps_under_packets(&guard, image);
	kills(&guard, image, publish, SECOND_LIST);
	image[0].large = true;
	kills(&guard, image, drop, 0);
	image[1].large = true;
	image[0].large = false;
	kills(&guard, image, publish, SECOND_LIST);
	dg_image_builder_free(&image[0].builder);
	dg_image_builder_free(&image[1].builder);
	guard_unload(&guard);
	return tap_end();
}
