// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * who.c - the person behind a command, for the log.
 */
#include "userspace/lib/who.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "userspace/lib/scope.h"

#define NAME_MAX_SHOWN 32
#define NO_UID ((unsigned long)(uid_t)-1)

/* The uid that the kernel noted when the session was opened; sudo and su leave it alone. */
static unsigned long login_uid(void)
{
	dg_scoped_file FILE *file = fopen("/proc/self/loginuid", "re");
	unsigned long uid = NO_UID;

	if (!file || fscanf(file, "%lu", &uid) != 1)
		return NO_UID;
	return uid;
}

/* A name out of the environment may be any text: only what names are made of reaches the log. */
static int is_name(const char *text)
{
	return text && text[0] && strlen(text) <= NAME_MAX_SHOWN &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "._-")] == '\0';
}

static int user_text(unsigned long uid, char *buf, size_t size)
{
	const struct passwd *entry = getpwuid((uid_t)uid);

	if (entry && is_name(entry->pw_name))
		return snprintf(buf, size, "%s (uid %lu)", entry->pw_name, uid);
	return snprintf(buf, size, "uid %lu", uid);
}

char *dg_who_text(char *buf, size_t size)
{
	unsigned long login = login_uid(), self = geteuid();
	const char *sudo = getenv("SUDO_USER");
	char tty[64] = "", as[64];
	size_t used;

	if (login == NO_UID && is_name(sudo))
		used = (size_t)snprintf(buf, size, "%s", sudo);
	else
		used = (size_t)user_text(login == NO_UID ? self : login, buf, size);
	if (used < size && (login == NO_UID ? is_name(sudo) : login != self)) {
		user_text(self, as, sizeof(as));
		as[strcspn(as, " ")] = '\0';
		used += (size_t)snprintf(buf + used, size - used, " as %s", as);
	}
	for (int fd = 0; fd < 3 && !tty[0]; fd++)
		if (ttyname_r(fd, tty, sizeof(tty)))
			tty[0] = '\0';
	if (used < size && tty[0])
		snprintf(buf + used, size - used, " on %s",
			 strncmp(tty, "/dev/", 5) ? tty : tty + 5);
	return buf;
}
