// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * clock.c - finds how long a jiffy is and when jiffy 0 was, so that the programs tell the time by one load.
 *
 * The length is what the kernel itself calls the resolution of its coarse clocks: TICK_NSEC, whatever the load. It advances
 * jiffies64 on multiples of that of CLOCK_MONOTONIC, or late when a CPU was busy, but never early. So now - jiffies * TICK_NSEC
 * is the wanted zero plus how old the jiffy was: the least of many readings is the zero, to some microseconds.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "bpf/clock.h"
#include "bpf/clock.skel.h"
#include "loader/internal.h"

#define NS_PER_SEC 1000000000ull
#define TICK_MIN_NS                                                                                \
	(NS_PER_SEC / 1024) /* the frequencies that Linux can be built with: kernel/Kconfig.hz, */
#define TICK_MAX_NS (NS_PER_SEC / 100) /* and the architectures' own */
#define CLOSE(jiffy_ns)                                                                            \
	((jiffy_ns) / 16) /* between two readings: this CPU was not taken away meanwhile */
#define EDGES 6 /* jiffies seen to begin between two such readings: the tick itself may come late */
#define PATIENCE_NS                                                                                \
	NS_PER_SEC /* on a machine so busy that these are rare the least of many has to do */

static int sample_read(int prog_fd, struct dg_clock_sample *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = ret, .ctx_size_in = sizeof(*ret));

	/* A syscall program writes its context in place. */
	return bpf_prog_test_run_opts(prog_fd, &opts) ? -errno : 0;
}

/* 0: a kernel that says something else than TICK_NSEC. */
static __u32 jiffy_length(void)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) || tick.tv_sec ||
	    tick.tv_nsec < (long)TICK_MIN_NS || tick.tv_nsec > (long)TICK_MAX_NS)
		return 0;
	return (__u32)tick.tv_nsec;
}

/* Modulo 2^64, as the programs compute it. */
static __u64 zero_of(const struct dg_clock_sample *sample, __u32 jiffy_ns)
{
	return sample->now_ns - sample->jiffies * jiffy_ns;
}

static int zero_measure(int prog_fd, __u32 jiffy_ns, __u64 *ret_zero_ns)
{
	struct dg_clock_sample before, sample;
	int edges = 0, status = sample_read(prog_fd, &before);
	const __u64 end_ns = before.now_ns + PATIENCE_NS;
	__u64 zero = zero_of(&before, jiffy_ns);

	while (!status && edges < EDGES && before.now_ns < end_ns) {
		status = sample_read(prog_fd, &sample);
		if ((__s64)(zero_of(&sample, jiffy_ns) - zero) < 0)
			zero = zero_of(&sample, jiffy_ns);
		edges += sample.jiffies != before.jiffies &&
			 sample.now_ns - before.now_ns < CLOSE(jiffy_ns);
		before = sample;
	}
	if (!status)
		*ret_zero_ns = zero;
	return status;
}

int dg_clock_read(__u32 *ret_jiffy_ns, __u64 *ret_jiffy_zero_ns, struct dg_error *err)
{
	const __u32 jiffy_ns = jiffy_length();
	struct clock_bpf *skel;
	int status = -EOPNOTSUPP;

	libbpf_set_print(NULL);
	skel = clock_bpf__open_and_load();
	if (!skel && errno == EPERM)
		return dg_load_forbidden(err);
	if (!skel)
		return dg_fail(err, -errno, DG_EXIT_FAILED,
			       "cannot load the program that reads the kernel's clock: %s",
			       strerror(errno));
	if (jiffy_ns)
		status = zero_measure(bpf_program__fd(skel->progs.dnsguard_clock), jiffy_ns,
				      ret_jiffy_zero_ns);
	clock_bpf__destroy(skel);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot read the kernel's clock: %s",
			       strerror(-status));
	*ret_jiffy_ns = jiffy_ns;
	return 0;
}
