// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * quota_channel.c - BIND's statistics channel: when the server read its configuration, which says whether a file that
 * was changed since is what runs.
 *
 * One request over HTTP/1.0, loopback or not, within the deadline. Of the answer only one date is looked for; what else it
 * holds is not parsed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "userspace/lib/maps.h"
#include "userspace/tcp/quota_internal.h"

#define REQUEST "GET /json/v1/status HTTP/1.0\r\n\r\n"
#define ANSWER_MAX 8192
#define NS_PER_MS 1000000ull

/* The first "inet ADDRESS port N" of statistics-channels, as named-checkconf prints it. */
static int channel_find(const char *config, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	const char *at = strstr(config, "\nstatistics-channels {");
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	char address[64];
	unsigned int port;

	at = at ? strstr(at, "inet ") : NULL;
	if (!at || sscanf(at, "inet %63s port %u", address, &port) != 2 || port > 65535)
		return -ENOENT;
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((__u16)port);
		*ret_len = sizeof(*v4);
		return 0;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((__u16)port);
	*ret_len = sizeof(*v6);
	return inet_pton(AF_INET6, address, &v6->sin6_addr) == 1 ? 0 : -ENOENT;
}

/* What is there already counts, however late we are. */
static int wait_for(int fd, short events, __u64 deadline_ns)
{
	struct pollfd ready = { .fd = fd, .events = events };
	__u64 now_ns = dg_now_ns();

	int left_ms = now_ns < deadline_ns ? (int)((deadline_ns - now_ns) / NS_PER_MS) + 1 : 0;

	return poll(&ready, 1, left_ms) > 0 ? 0 : -ETIME;
}

static int connect_within(const struct sockaddr_storage *to, socklen_t len, __u64 deadline_ns,
			  int *ret_fd)
{
	dg_scoped_fd int fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)to, len) && errno != EINPROGRESS)
		return -errno;
	if (wait_for(fd, POLLOUT, deadline_ns))
		return -ETIME;
	*ret_fd = dg_take_fd(fd);
	return 0;
}

static int answer_read(int fd, __u64 deadline_ns, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t got = 1;

	if (send(fd, REQUEST, strlen(REQUEST), MSG_NOSIGNAL) != (ssize_t)strlen(REQUEST))
		return -EIO;
	while (got > 0 && len + 1 < size) {
		if (wait_for(fd, POLLIN, deadline_ns))
			return -ETIME;
		got = recv(fd, buf + len, size - 1 - len, 0);
		len += got > 0 ? (size_t)got : 0;
	}
	buf[len] = '\0';
	return got < 0 ? -errno : 0;
}

int dg_bind_configured_at(const char *config, __u64 deadline_ns, time_t *ret)
{
	static const char name[] = "\"config-time\":\"";
	dg_scoped_fd int fd = -1;
	struct sockaddr_storage to;
	char answer[ANSWER_MAX];
	struct tm tm = { 0 };
	const char *at;
	socklen_t len;
	int status = channel_find(config, &to, &len);

	if (!status)
		status = connect_within(&to, len, deadline_ns, &fd);
	if (!status)
		status = answer_read(fd, deadline_ns, answer, sizeof(answer));
	if (status)
		return status;
	at = strstr(answer, name);
	if (!at || !strptime(at + strlen(name), "%Y-%m-%dT%H:%M:%S", &tm))
		return -EBADMSG;
	*ret = timegm(&tm);
	return 0;
}
