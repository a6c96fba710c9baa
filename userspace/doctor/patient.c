// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * patient.c - what every check uses: to write its finding down, and to read of the patient.
 */
#include "userspace/doctor/patient.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

void dg_find(struct dg_finding *finding, enum dg_health health, const char *format, ...)
{
	va_list args;

	finding->health = health;
	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
}

void dg_mend(struct dg_finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->mend, sizeof(finding->mend), format, args);
	va_end(args);
}

int dg_doctor_read(const struct dg_doctor *doctor, const char *path, char *buf, size_t size)
{
	dg_scoped_fd int fd = -1;
	char full[512];
	ssize_t len;

	snprintf(full, sizeof(full), "%s%s", doctor->root, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (len < 0)
		return -errno;
	buf[len] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 0;
}

bool dg_doctor_guards(const struct dg_doctor *doctor, __be16 port)
{
	for (int i = 0; i < DG_PORTS_MAX; i++)
		if (port && doctor->settings.ports[i] == port)
			return true;
	return false;
}
