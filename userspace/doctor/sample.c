// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sample.c - who asks: a look at what devices hand to the stack, all of them at once, for a moment (AF_PACKET).
 *
 * Counts sources in a table of fixed size. Needs CAP_NET_RAW, works with and without a guard. What the guard refuses never
 * gets here: senders that are limited come from its own table. What it answers itself is not seen. A flood is not
 * disturbed: only the heads of queries are copied, and of each device so many as tell the shares.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "userspace/doctor/patient.h"
#include "userspace/lib/stats.h"

#define MS 1000000ull
#define LIMITED_MAX 64	  /* the heaviest of those that are limited */
#define ENOUGH (1u << 16) /* queries of one device: more of them tell the shares no better */
#define HEAD_BYTES 128	  /* of a packet: IP and transport header */
#define BATCH 256	  /* packets of one device before the next one has its turn */

static bool goes_to_guarded(const struct dg_doctor *doctor, const __u8 *transport)
{
	__be16 port;

	memcpy(&port, transport + 2, sizeof(port));
	return dg_doctor_guards(doctor, port);
}

/* A new sender, or more queries of a known one. Once the table is full strangers are only in the sum. */
static void source_note(struct dg_sample *sample, const struct dg_addr *addr, __u32 queries)
{
	__u32 i = 0;

	sample->queries += queries;
	while (i < sample->count && memcmp(&sample->source[i].addr, addr, sizeof(*addr)))
		i++;
	if (i == DG_SAMPLE_SOURCES)
		return;
	if (i == sample->count)
		sample->source[sample->count++].addr = *addr;
	sample->source[i].queries += queries;
}

/* A query, or the first packet of a TCP connection (SYN without ACK). */
static bool counts(const struct dg_doctor *doctor, __u8 protocol, const __u8 *transport,
		   ssize_t len)
{
	if (protocol == IPPROTO_UDP)
		return len >= 8 && goes_to_guarded(doctor, transport);
	return protocol == IPPROTO_TCP && len >= 20 && (transport[13] & 0x12) == 0x02 &&
	       goes_to_guarded(doctor, transport);
}

static void packet4_note(const struct dg_doctor *doctor, const __u8 *packet, ssize_t len,
			 struct dg_sample *ret)
{
	struct dg_addr addr = { 0 };
	ssize_t header = (packet[0] & 15) * 4;
	__u8 *bytes = (__u8 *)&addr;

	if (len < header || !counts(doctor, packet[9], packet + header, len - header))
		return;
	bytes[10] = bytes[11] = 0xff; /* IPv4-mapped, as everywhere in the house */
	memcpy(bytes + 12, packet + 12, 4);
	source_note(ret, &addr, 1);
}

static void packet_note(const struct dg_doctor *doctor, const __u8 *packet, ssize_t len,
			struct dg_sample *ret)
{
	struct dg_addr addr;

	if (len >= (ssize_t)sizeof(struct iphdr) && packet[0] >> 4 == 4) {
		packet4_note(doctor, packet, len, ret);
	} else if (len >= 40 && packet[0] >> 4 == 6 &&
		   counts(doctor, packet[6], packet + 40, len - 40)) {
		memcpy(&addr, packet + 8, sizeof(addr));
		source_note(ret, &addr, 1);
	}
}

/*
 * Copies nothing but the heads of UDP and TCP packets, as the link layer's payload shows them: IPv4 has its protocol at 9,
 * IPv6 at 6. The rest of the judgement is packet_note()'s.
 */
static int heads_only(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JA, 2, 0, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 4, 0, 4),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, HEAD_BYTES),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };
	int yes = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)))
		return -errno;
	return 0;
}

/* Receives nothing before it is bound, and by then all is set. */
static int socket_open(const struct dg_link *link)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)link->index };
	dg_scoped_fd int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int status = fd < 0 ? -errno : heads_only(fd);

	if (dg_link_is_idle(link))
		return -ENETDOWN;
	if (status)
		return status;
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)))
		return -errno;
	return dg_take_fd(fd);
}

/* ---- what the guard refused ------------------------------------------------------------------ */

struct limited {
	int count;
	struct dg_talker talker[LIMITED_MAX];
};

static void limited_read(const struct dg_doctor *doctor, struct limited *ret)
{
	int count = doctor->loaded ?
			    dg_talkers_read(doctor->maps.dg_limited, 0, ret->talker, LIMITED_MAX) :
			    0;

	ret->count = count > 0 ? count : 0;
}

static __u64 count_before(const struct limited *before, const struct dg_talker *talker)
{
	for (int i = 0; i < before->count; i++)
		if (before->talker[i].bits == talker->bits &&
		    !memcmp(&before->talker[i].addr, &talker->addr, sizeof(talker->addr)))
			return before->talker[i].count;
	return 0;
}

/* Single addresses alone: a wider prefix is not one sender. */
static void limited_note(const struct limited *before, const struct limited *after,
			 struct dg_sample *ret)
{
	for (int i = 0; i < after->count; i++) {
		const struct dg_talker *talker = &after->talker[i];
		__u64 old = count_before(before, talker);
		__u32 whole = talker->family == DG_IPV4 ? 32 : 128;

		if (talker->bits == whole && talker->count > old)
			source_note(ret, &talker->addr, (__u32)(talker->count - old));
	}
}

/* ---- both ------------------------------------------------------------------------------------ */

/* What waits at one device. A device that has shown enough is not looked at any more. */
static void waiting_note(const struct dg_doctor *doctor, struct pollfd *at, struct dg_sample *ret)
{
	__u8 packet[HEAD_BYTES];
	ssize_t len = 0;

	for (int i = 0; i < BATCH && len >= 0; i++) {
		len = recv(at->fd, packet, sizeof(packet), 0);
		if (len > 0)
			packet_note(doctor, packet, len, ret);
	}
	if (ret->queries >= ENOUGH)
		dg_close_fd(&at->fd);
}

static int passed_note(const struct dg_doctor *doctor, struct pollfd *at, __u32 count,
		       __u64 duration_ns, struct dg_sample *ret)
{
	__u64 until_ns = dg_now_ns() + duration_ns, now_ns;
	__u32 open = 0;

	for (__u32 i = 0; i < count; i++)
		open += at[i].fd >= 0;
	while (open && (now_ns = dg_now_ns()) < until_ns) {
		if (poll(at, count, (int)((until_ns - now_ns) / MS) + 1) < 0 && errno != EINTR)
			return -errno;
		for (__u32 i = 0; i < count; i++)
			if (at[i].fd >= 0 && at[i].revents)
				waiting_note(doctor, &at[i], &ret[i]);
	}
	return 0;
}

/* The limiter's table is that of all guarded devices together. */
static void all_limited_note(const struct dg_link *links, __u32 count, const struct limited *before,
			     const struct limited *after, struct dg_sample *ret)
{
	for (__u32 i = 0; i < count; i++)
		if (ret[i].taken && links[i].guard_prog)
			limited_note(before, after, &ret[i]);
}

static void sockets_close(struct pollfd *at, __u32 count)
{
	for (__u32 i = 0; i < count; i++)
		dg_close_fd(&at[i].fd);
}

int dg_samples_take(const struct dg_doctor *doctor, const struct dg_link *links, __u32 count,
		    __u64 duration_ns, struct dg_sample *ret)
{
	dg_scoped_free struct limited *limited = calloc(2, sizeof(*limited));
	struct pollfd at[DG_IF_MAX];
	int status;

	if (!limited || count > DG_IF_MAX)
		return -ENOMEM;
	limited_read(doctor, &limited[0]);
	for (__u32 i = 0; i < count; i++) {
		at[i] = (struct pollfd){ .fd = socket_open(&links[i]), .events = POLLIN };
		ret[i].taken = at[i].fd >= 0;
	}
	status = passed_note(doctor, at, count, duration_ns, ret);
	sockets_close(at, count);
	limited_read(doctor, &limited[1]);
	all_limited_note(links, count, &limited[0], &limited[1], ret);
	return status;
}
