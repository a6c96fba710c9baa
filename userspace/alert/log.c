// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * log.c - one alert into the host's log: journald's own protocol with a field each, or a line for syslog (RFC 3164).
 *
 * Local sockets, written to without waiting; nothing is ever read from them.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "userspace/alert/send.h"

#define FACILITY_DAEMON (3 << 3)
/* So that all of them are found: journalctl MESSAGE_ID=... */
#define MESSAGE_ID "7d1f6c2c1f0b4c0e9a4f6f1d2b3c5e70"

const struct dg_log_paths dg_log_paths_default = { "/run/systemd/journal/socket", "/dev/log" };

static int datagram_send(const char *path, const char *text, size_t len)
{
	dg_scoped_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	strcpy(to.sun_path, path); /* bounded by the line above */
	if (fd < 0 || sendto(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to,
			     sizeof(to)) < 0)
		return -errno;
	return 0;
}

/* Lines NAME=VALUE: no value here has a newline. */
static int journal_send(const char *path, const struct dg_message *message, const char *line)
{
	json_t *fields = dg_body_fields(message);
	char text[8192];
	size_t len, i;
	const json_t *field;

	len = (size_t)snprintf(
		text, sizeof(text),
		"MESSAGE=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=dnsguardd\nSYSLOG_FACILITY=3\nMESSAGE_ID=%s\n",
		line, dg_body_priority(message), MESSAGE_ID);
	json_array_foreach(fields, i, field)
	{
		if (len < sizeof(text))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n",
						json_string_value(field));
	}
	json_decref(fields);
	return len < sizeof(text) ? datagram_send(path, text, len) : -EMSGSIZE;
}

static int syslog_send(const char *path, const struct dg_message *message, const char *line)
{
	json_t *fields = dg_body_fields(message);
	char text[4096];
	size_t len, i;
	const json_t *field;

	len = (size_t)snprintf(text, sizeof(text), "<%d>dnsguardd[%ld]: %s",
			       FACILITY_DAEMON | dg_body_priority(message), (long)getpid(), line);
	json_array_foreach(fields, i, field)
	{
		const char *value = json_string_value(field);
		/* The two that are in the line already need no second time. */
		bool said = !strncmp(value, "DNSGUARD_SUMMARY=", 17) ||
			    !strncmp(value, "DNSGUARD_DESCRIPTION=", 21);

		if (len < sizeof(text) && !said)
			len += (size_t)snprintf(text + len, sizeof(text) - len, " %s", value);
	}
	json_decref(fields);
	return datagram_send(path, text, len < sizeof(text) ? len : sizeof(text) - 1);
}

int dg_send_log(enum dg_config_log where, const struct dg_log_paths *paths,
		const struct dg_message *message, void (*say)(int priority, const char *line))
{
	char line[1280];
	int status = -ENOENT;

	dg_body_line(message, line, sizeof(line));
	for (char *at = line; *at; at++)
		if ((unsigned char)*at < 0x20)
			*at = ' ';
	if (where == DG_LOGS_JOURNAL || where == DG_LOGS_AUTO)
		status = journal_send(paths->journal, message, line);
	if (where == DG_LOGS_SYSLOG || (where == DG_LOGS_AUTO && status))
		status = syslog_send(paths->syslog, message, line);
	if (where != DG_LOGS_AUTO || !status)
		return status;
	say(dg_body_priority(message), line);
	return 0;
}
