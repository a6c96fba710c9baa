// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * clock.c - finds how long a jiffy is and when jiffy 0 was, so that the programs tell the time by one load.
 *
 * The kernel advances jiffies64 on multiples of TICK_NSEC of CLOCK_MONOTONIC, or late when a CPU was busy, but never
 * early. So now - jiffies * TICK_NSEC is the wanted zero plus how old the jiffy was: the least of many readings
 * over a few jiffies is the zero, to some microseconds.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "bpf/clock.h"
#include "bpf/clock.skel.h"
#include "loader/internal.h"

#define NS_PER_SEC 1000000000ull
#define SPAN_MS 120 /* between the readings that give the length: 12 jiffies of the slowest clock */
#define TRIES 5	    /* a span in which this CPU was taken away is measured again */
#define PHASE_NS 25000000ull /* readings for the zero: 2.5 jiffies of the slowest clock */

/* The frequencies that Linux can be built with (kernel/Kconfig.hz and the architectures' own). */
static const __u32 frequencies[] = { 100, 128, 200, 250, 256, 300, 500, 512, 1000, 1024 };
#define FREQUENCIES (sizeof(frequencies) / sizeof(frequencies[0]))

static int sample_read(int prog_fd, struct dg_clock_sample *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = ret, .ctx_size_in = sizeof(*ret));

	/* A syscall program writes its context in place. */
	return bpf_prog_test_run_opts(prog_fd, &opts) ? -errno : 0;
}

/* TICK_NSEC of include/linux/jiffies.h. */
static __u32 tick_ns(__u32 hz)
{
	return (__u32)((NS_PER_SEC + hz / 2) / hz);
}

/* The frequency nearest to what was measured, 0 when none is within 2 %. */
static __u32 frequency_near(__u64 jiffies, __u64 span_ns)
{
	__u64 measured = (jiffies * NS_PER_SEC + span_ns / 2) / span_ns;

	for (size_t i = 0; i < FREQUENCIES; i++)
		if (measured * 100 >= frequencies[i] * 98ull &&
		    measured * 100 <= frequencies[i] * 102ull)
			return frequencies[i];
	return 0;
}

/* The first reading of a new jiffy. */
static int edge_find(int prog_fd, struct dg_clock_sample *ret)
{
	struct dg_clock_sample first, next;
	int status = sample_read(prog_fd, &first);

	next = first;
	while (!status && next.jiffies == first.jiffies)
		status = sample_read(prog_fd, &next);
	*ret = next;
	return status;
}

static int frequency_measure(int prog_fd, __u32 *ret_hz)
{
	struct dg_clock_sample from, to;
	int status = edge_find(prog_fd, &from);

	if (status)
		return status;
	poll(NULL, 0, SPAN_MS);
	status = edge_find(prog_fd, &to);
	if (status)
		return status;
	*ret_hz = frequency_near(to.jiffies - from.jiffies, to.now_ns - from.now_ns);
	return *ret_hz ? 0 : -EAGAIN;
}

static int zero_measure(int prog_fd, __u32 jiffy_ns, __u64 *ret_zero_ns)
{
	struct dg_clock_sample sample;
	__u64 first, least = 0, end = dg_now_ns() + PHASE_NS;
	int status = sample_read(prog_fd, &sample);

	first = sample.now_ns -
		sample.jiffies * jiffy_ns; /* modulo 2^64, as the programs compute it */
	while (!status && dg_now_ns() < end) {
		__s64 behind;

		status = sample_read(prog_fd, &sample);
		behind = (__s64)(sample.now_ns - sample.jiffies * jiffy_ns - first);
		least = behind < (__s64)least ? (__u64)behind : least;
	}
	if (!status)
		*ret_zero_ns = first + least;
	return status;
}

static int clock_measure(int prog_fd, __u32 *ret_jiffy_ns, __u64 *ret_jiffy_zero_ns)
{
	__u32 hz = 0;
	int status = -EAGAIN;

	for (int try = 0; try < TRIES && status == -EAGAIN; try++)
		status = frequency_measure(prog_fd, &hz);
	if (status)
		return status;
	*ret_jiffy_ns = tick_ns(hz);
	return zero_measure(prog_fd, *ret_jiffy_ns, ret_jiffy_zero_ns);
}

int dg_clock_read(__u32 *ret_jiffy_ns, __u64 *ret_jiffy_zero_ns, struct dg_error *err)
{
	struct clock_bpf *skel;
	int status;

	libbpf_set_print(NULL);
	skel = clock_bpf__open_and_load();
	if (!skel && errno == EPERM)
		return dg_load_forbidden(err);
	if (!skel)
		return dg_fail(err, -errno, DG_EXIT_FAILED,
			       "cannot load the program that reads the kernel's clock: %s",
			       strerror(errno));
	status = clock_measure(bpf_program__fd(skel->progs.dnsguard_clock), ret_jiffy_ns,
			       ret_jiffy_zero_ns);
	clock_bpf__destroy(skel);
	if (status == -EAGAIN)
		return dg_fail(
			err, -EOPNOTSUPP, DG_EXIT_FAILED,
			"cannot tell the length of a jiffy: the machine is too busy, or CONFIG_HZ is unusual; "
			"try again, or see: zgrep CONFIG_HZ= /proc/config.gz");
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot read the kernel's clock: %s",
			       strerror(-status));
	return 0;
}
