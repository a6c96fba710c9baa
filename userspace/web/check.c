// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check.c - the files that a configuration names and only its reading in full opens: certificates, keys, authorities, a command.
 *
 * Opens and reads; listens to nothing, runs nothing, changes nothing.
 */
#include "userspace/web/check.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "userspace/web/certificate.h"
#include "userspace/web/web_config.h"

/* "file:line:column: key: reason" */
static int fail_at(const struct dg_config *config, enum dg_config_key_id id,
		   const struct dg_error *reason, struct dg_error *err)
{
	const struct dg_config_origin *at = &config->origin[id];

	if (!at->file || at->file == DG_CONFIG_FROM_COMMAND)
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "%s: %.800s", dg_config_keys[id].path,
			       reason->text);
	return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "%s:%u:%u: %s: %.800s",
		       config->files[at->file - 1], at->line, at->column, dg_config_keys[id].path,
		       reason->text);
}

void dg_certificate_warning(const char *file, time_t until, char *ret, size_t size)
{
	char day[32] = "?";
	struct tm tm;

	ret[0] = '\0';
	if (until > time(NULL))
		return;
	if (gmtime_r(&until, &tm))
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	snprintf(ret, size,
		 "the certificate of %s expired on %s: clients will refuse it; after a new one: "
		 "dnsguard reload",
		 file, day);
}

static int web_check(const struct dg_config *config, char *ret_warning, size_t size,
		     struct dg_error *err)
{
	struct dg_web_config *web dg_scoped(dg_web_config_free) = NULL;
	struct dg_error reason = { 0 };

	if (!config->web_config[0])
		return 0;
	if (dg_web_config_load(config->web_config, &web, &reason))
		return fail_at(config, DG_KEY_WEB_CONFIG, &reason, err);
	if (web->certificate)
		dg_certificate_warning(config->web_config, web->certificate_until, ret_warning,
				       size);
	return 0;
}

static int authorities_check(const struct dg_config *config, struct dg_error *err)
{
	char *text dg_scoped_free = NULL;
	struct dg_error reason = { 0 };

	if (!config->alerts_ca_file[0])
		return 0;
	if (dg_pem_read(config->alerts_ca_file, false, &text, &reason) ||
	    dg_authority_check(&(struct dg_pem){ config->alerts_ca_file, text }, &reason))
		return fail_at(config, DG_KEY_ALERTS_CA_FILE, &reason, err);
	return 0;
}

/* It runs as nobody: what only root may run would be found out with the first alert. */
static int command_check(const struct dg_config *config, struct dg_error *err)
{
	const char *program = config->alerts_command.text;
	struct dg_error reason = { 0 };
	struct stat st;

	if (!program[0])
		return 0;
	if (stat(program, &st))
		dg_fail(&reason, -errno, DG_EXIT_FAILED, "%s: %s", program, strerror(errno));
	else if (!S_ISREG(st.st_mode) || !(st.st_mode & 001))
		dg_fail(&reason, -EACCES, DG_EXIT_FAILED,
			"%s: nobody, as whom it runs, may not run it; run: chmod o+rx %s", program,
			program);
	else
		return 0;
	return fail_at(config, DG_KEY_ALERTS_COMMAND, &reason, err);
}

int dg_config_files_check(const struct dg_config *config, char *ret_warning, size_t size,
			  struct dg_error *err)
{
	int failed;

	ret_warning[0] = '\0';
	failed = web_check(config, ret_warning, size, err);
	if (!failed)
		failed = authorities_check(config, err);
	return failed ? failed : command_check(config, err);
}
