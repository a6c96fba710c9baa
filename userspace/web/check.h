/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.h - the files that a configuration names and only its reading in full opens: certificates, keys, authorities, a command.
 */
#ifndef DG_WEB_CHECK_H
#define DG_WEB_CHECK_H

#include <time.h>

#include "userspace/config/config.h"

/*
 * What would fail later, now: the listener's web configuration with the certificate, key and authority it names, the
 * authorities of alerts, the command of alerts. -EINVAL: *err names the place in the configuration and what is wrong with
 * the file. What is served all the same, a certificate that has expired, is told in words: *ret_warning, "" without one.
 */
int dg_config_files_check(const struct dg_config *config, char *ret_warning, size_t size,
			  struct dg_error *err);

/* "the certificate of FILE expired on DAY ...", "" while it has not. */
void dg_certificate_warning(const char *file, time_t until, char *ret, size_t size);

#endif
