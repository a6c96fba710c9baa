// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * states.c - what the program that counts TCP connections costs for one change of a socket's state; prints a JSON array of rows.
 *
 * A program on a tracepoint cannot be run by itself. So real connections are made in a network namespace of its own, and
 * the kernel's own statistics say how long the program ran and how often, and an empty one beside it at the same events:
 * two clocks are in both, and are subtracted.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "bpf/tcpstate.skel.h"
#include "tests/bench/states.skel.h"
#include "tests/bpf/guard.h"
#include "userspace/tcp/tcp.h"

#define INSTANCE 1
#define CONNECTIONS 4000
#define GUARDED 53
#define OTHER 54

struct ran {
	__u64 ns, times;
};

static int loopback_up(void)
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	dg_scoped_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) ? -errno : 0;
}

static int maps_share(struct tcpstate_bpf *skel, const struct dg_maps *maps)
{
	const int *fds = (const int *)maps;
	int err = bpf_map__set_autocreate(skel->maps.dg_scratch, false);

	for (size_t i = 0; !err && i < DG_MAP_COUNT; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, dg_map_names[i]);

		err = map ? bpf_map__reuse_fd(map, fds[i]) : -ENOENT;
	}
	return err;
}

/* Attached and in charge. */
static struct tcpstate_bpf *counter_start(const struct guard *guard)
{
	dg_scoped(dg_tcp_books_close) struct dg_tcp_books books = DG_TCP_BOOKS_NONE;
	struct tcpstate_bpf *skel = tcpstate_bpf__open();
	int err = skel ? dg_tcp_books_open(&guard->maps, &books) : -errno;

	if (!err) {
		skel->rodata->dg_netns = dg_tcp_netns();
		skel->rodata->dg_instance = INSTANCE;
		err = maps_share(skel, &guard->maps);
	}
	if (!err)
		err = tcpstate_bpf__load(skel);
	if (!err)
		err = tcpstate_bpf__attach(skel);
	if (!err) {
		books.now->instance = INSTANCE;
		return skel;
	}
	fprintf(stderr, "states: the program that counts: %s\n", strerror(-err));
	tcpstate_bpf__destroy(skel);
	return NULL;
}

/* ---- connections ---------------------------------------------------------------------------- */

static int listener_open(__u16 port, struct sockaddr_in *ret)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret = (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (fd < 0 || bind(fd, (struct sockaddr *)ret, sizeof(*ret)) || listen(fd, 8))
		return -errno;
	return fd;
}

static int connection_make(int listener, const struct sockaddr_in *to)
{
	dg_scoped_fd int caller = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	dg_scoped_fd int called = -1;

	if (caller < 0 || connect(caller, (const struct sockaddr *)to, sizeof(*to)))
		return -errno;
	called = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return called < 0 ? -errno : 0;
}

/* ---- what the kernel says ------------------------------------------------------------------- */

static struct ran ran_read(const struct bpf_program *program)
{
	struct bpf_prog_info info = { 0 };
	__u32 len = sizeof(info);

	bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len);
	return (struct ran){ info.run_time_ns, info.run_cnt };
}

/* Nanoseconds an event since `before`. */
static double each_ns(const struct bpf_program *program, struct ran before)
{
	struct ran after = ran_read(program);

	return after.times > before.times ?
		       (double)(after.ns - before.ns) / (double)(after.times - before.times) :
		       -1;
}

struct bench {
	struct tcpstate_bpf *counter;
	struct states_bpf *empty;
};

/* Both programs' ns an event while connections to `port` come and go. */
static int measure(const struct bench *bench, __u16 port, double *ret_counter, double *ret_empty)
{
	struct sockaddr_in to;
	dg_scoped_fd int listener = listener_open(port, &to);
	struct ran counter = ran_read(bench->counter->progs.dnsguard_tcp);
	struct ran empty = ran_read(bench->empty->progs.states_empty);
	int err = listener < 0 ? listener : 0;

	for (int i = 0; !err && i < CONNECTIONS; i++)
		err = connection_make(listener, &to);
	*ret_counter = each_ns(bench->counter->progs.dnsguard_tcp, counter);
	*ret_empty = each_ns(bench->empty->progs.states_empty, empty);
	return err ? err : *ret_counter < 0 || *ret_empty < 0 ? -ENODATA : 0;
}

static int run(const struct bench *bench)
{
	double guarded, other, empty[2];
	int err = measure(bench, GUARDED, &guarded, &empty[0]);

	if (!err)
		err = measure(bench, OTHER, &other, &empty[1]);
	if (err)
		return err;
	printf("{\"name\": \"TCP state: connections counted, an event\", \"unit\": \"ns\", \"value\": %.1f},\n",
	       guarded - empty[0]);
	printf("{\"name\": \"TCP state: of another port, an event\", \"unit\": \"ns\", \"value\": %.1f},\n",
	       other - empty[1]);
	printf("{\"name\": \"for scale: the empty program there, clocks included\", \"unit\": \"ns\", \"value\": %.1f}\n",
	       (empty[0] + empty[1]) / 2);
	return 0;
}

int main(void)
{
	struct guard guard = { 0 };
	struct bench bench = { 0 };
	dg_scoped_fd int statistics = bpf_enable_stats(BPF_STATS_RUN_TIME);
	int err = unshare(CLONE_NEWNET) ? -errno : loopback_up();

	printf("[");
	if (!err)
		err = guard_load(&guard, DG_LIMIT_BYTES_DEFAULT);
	if (!err)
		err = guard_reset(&guard);
	if (!err) {
		bench.counter = counter_start(&guard);
		bench.empty = states_bpf__open_and_load();
		err = bench.counter && bench.empty ? states_bpf__attach(bench.empty) : -EIO;
	}
	if (!err)
		err = statistics < 0 ? statistics : run(&bench);
	puts("]");
	if (err)
		fprintf(stderr, "states: stopped: %s\n", strerror(-err));
	states_bpf__destroy(bench.empty);
	tcpstate_bpf__destroy(bench.counter);
	guard_unload(&guard);
	return err ? 1 : 0;
}
