// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * load_flood.c - crafted frames as fast as asked for: queries from claimed sources, or first SYNs.
 *
 * One packet socket past the queueing discipline, one core, batches. Answers are not read: a flooder never does.
 */
#include "userspace/lab/load.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64

typedef size_t frame_fn(const struct dg_load_order *order, const __u8 from_mac[6], __u64 turn,
			__u8 ret[DG_LOAD_FRAME_MAX]);

struct flood {
	int fd;
	__u8 mac[6];
	struct mmsghdr messages[BATCH];
	struct iovec pieces[BATCH];
	__u8 frames[BATCH][DG_LOAD_FRAME_MAX];
	__u64 sent, refused; /* by the device: its queue was full */
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static int mac_read(int fd, const char *interface, __u8 ret[6])
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		return -errno;
	memcpy(ret, request.ifr_hwaddr.sa_data, 6);
	return 0;
}

/* Protocol 0: this socket receives nothing. */
static int flood_open(const struct dg_load_order *order, struct flood *flood, struct dg_error *err)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET };
	int one = 1;

	flood->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (flood->fd < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "packet socket: %s (run as root)",
			       strerror(errno));
	at.sll_ifindex = (int)if_nametoindex(order->interface);
	if (!at.sll_ifindex || mac_read(flood->fd, order->interface, flood->mac))
		return dg_fail(err, -ENODEV, DG_EXIT_FAILED, "interface %s does not exist here",
			       order->interface);
	if (bind(flood->fd, (struct sockaddr *)&at, sizeof(at)))
		return dg_fail(err, -errno, DG_EXIT_FAILED, "%s: bind: %s", order->interface,
			       strerror(errno));
	setsockopt(flood->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	for (int i = 0; i < BATCH; i++) {
		flood->pieces[i].iov_base = flood->frames[i];
		flood->messages[i].msg_hdr.msg_iov = &flood->pieces[i];
		flood->messages[i].msg_hdr.msg_iovlen = 1;
	}
	return 0;
}

static int batch_send(struct flood *flood, __u32 count)
{
	for (__u32 done = 0; done < count && !stopped;) {
		int sent = sendmmsg(flood->fd, flood->messages + done, count - done, 0);

		if (sent > 0) {
			flood->sent += (__u32)sent;
			done += (__u32)sent;
		} else if (errno == ENOBUFS || errno == EAGAIN) {
			flood->refused++;
			done++;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

/* How many frames are due now, at most a batch. */
static __u32 frames_due(const struct dg_load_order *order, __u64 elapsed_ns, __u64 done)
{
	__u64 due;

	if (!order->rate)
		return BATCH;
	due = (__u64)((double)order->rate * (double)elapsed_ns / DG_LOAD_NS_PER_SEC);
	return due <= done ? 0 : (__u32)(due - done < BATCH ? due - done : BATCH);
}

static int flood_run(const struct dg_load_order *order, frame_fn *build, struct flood *flood)
{
	const struct timespec nap = { .tv_nsec = 100000 };
	__u64 start = dg_load_now_ns(), turn = 0, elapsed;
	int rc = 0;

	while (!rc && !stopped && (elapsed = dg_load_now_ns() - start) < order->duration_ns) {
		__u32 count = frames_due(order, elapsed, turn);

		if (!count) {
			nanosleep(&nap, NULL);
			continue;
		}
		for (__u32 i = 0; i < count; i++)
			flood->pieces[i].iov_len =
				build(order, flood->mac, turn++, flood->frames[i]);
		rc = batch_send(flood, count);
	}
	return rc;
}

static void flood_print(const struct dg_load_order *order, const struct flood *flood, __u64 took_ns)
{
	double seconds = (double)took_ns / DG_LOAD_NS_PER_SEC;

	printf(order->json ?
		       "{\"schema\": 1, \"frames\": %llu, \"refused\": %llu, \"seconds\": %.3f, "
		       "\"per_second\": %.0f}\n" :
		       "%llu frames sent, %llu refused by the device, in %.3f s: %.0f a second\n",
	       (unsigned long long)flood->sent, (unsigned long long)flood->refused, seconds,
	       (double)flood->sent / seconds);
}

static int cpu_pin(int cpu, struct dg_error *err)
{
	cpu_set_t set;

	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return dg_fail(err, -errno, DG_EXIT_USAGE, "cpu %d: %s", cpu, strerror(errno));
	return 0;
}

static void flood_close(struct flood **flood)
{
	if (!*flood)
		return;
	dg_close_fd(&(*flood)->fd);
	free(*flood);
}

static int flood_whole(struct dg_load_order *order, frame_fn *build, struct dg_error *err)
{
	dg_scoped(flood_close) struct flood *flood = calloc(1, sizeof(*flood));
	struct sigaction on_stop = { .sa_handler = stop };
	__u64 start;
	int rc;

	if (!flood)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "no memory");
	flood->fd = -1;
	rc = cpu_pin(order->cpu, err);
	if (!rc)
		rc = flood_open(order, flood, err);
	if (rc)
		return rc;
	sigaction(SIGINT, &on_stop, NULL);
	sigaction(SIGTERM, &on_stop, NULL);
	start = dg_load_now_ns();
	rc = flood_run(order, build, flood);
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "%s: send: %s", order->interface,
			       strerror(-rc));
	flood_print(order, flood, dg_load_now_ns() - start);
	return 0;
}

int dg_load_flood(struct dg_load_order *order, struct dg_error *err)
{
	return flood_whole(order, dg_load_query_frame, err);
}

int dg_load_syn(struct dg_load_order *order, struct dg_error *err)
{
	return flood_whole(order, dg_load_syn_frame, err);
}
