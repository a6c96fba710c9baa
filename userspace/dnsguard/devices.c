// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * devices.c - attach and detach beside the configuration, which would undo at the next start what it does not know.
 *
 * The list of devices is replaced as a whole by the last file that gives it, so the whole list is what is written.
 */
#include "userspace/dnsguard/devices.h"

#include <errno.h>
#include <string.h>

#include "userspace/config/reload.h"
#include "userspace/config/save.h"
#include "userspace/dnsguard/common.h"
#include "userspace/dnsguard/config.h"
#include "userspace/lib/who.h"

/* The configuration that commands here mean. *ret_keep holds the text of *ret_path. */
static int config_read(const struct dg_cli *cli, json_t **ret_keep, const char **ret_path,
		       struct dg_config **ret, struct dg_error *err)
{
	*ret_path = dg_config_path(cli, NULL, ret_keep);
	*ret = malloc(sizeof(**ret));
	if (!*ret)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED, "out of memory");
	return dg_config_load(*ret_path, *ret, err);
}

static struct dg_config_iface *iface_named(struct dg_config *config, const char *name)
{
	for (__u32 i = 0; i < config->iface_count; i++)
		if (!strcmp(config->ifaces[i].name, name))
			return &config->ifaces[i];
	return NULL;
}

/* A device that is not named need not be taken out. */
static int change_apply(struct dg_config *config, const struct dg_device_change *change,
			struct dg_error *err)
{
	struct dg_config_iface *iface = iface_named(config, change->name);
	int failed;

	if (change->gone && iface)
		memmove(iface, iface + 1,
			(size_t)(&config->ifaces[config->iface_count--] - (iface + 1)) *
				sizeof(*iface));
	if (change->gone)
		return 0;
	if (!iface) {
		failed = dg_config_add_iface(config, change->name, err);
		if (failed)
			return failed;
		iface = &config->ifaces[config->iface_count - 1];
	}
	iface->mode = change->mode;
	iface->observe = change->observe;
	return 0;
}

int dg_devices_save(const struct dg_cli *cli, struct dg_device_change *changes, unsigned int count,
		    bool rehearse, struct dg_error *err)
{
	struct dg_state_file saved dg_scoped_state = DG_STATE_FILE_NONE;
	struct dg_config *config dg_scoped_free = NULL;
	json_t *keep dg_scoped(dg_json_drop) = NULL;
	dg_scoped_fd int lock = -1;
	char who[DG_WHO_MAX];
	const char *path;
	int failed = dg_lock(cli->bpffs, &lock, err);

	if (!failed)
		failed = config_read(cli, &keep, &path, &config, err);
	for (unsigned int i = 0; !failed && i < count; i++) {
		changes[i].was_named = iface_named(config, changes[i].name);
		failed = change_apply(config, &changes[i], err);
	}
	if (!failed)
		failed = dg_config_save_begin(
			path,
			&(struct dg_config_changes){ .interfaces = config,
						     .who = dg_who_text(who, sizeof(who)) },
			&saved, err);
	return failed || rehearse ? failed : dg_state_commit(&saved, err);
}

int dg_devices_each(const struct dg_cli *cli, int (*visit)(const char *ifname, void *arg),
		    void *arg, struct dg_error *err)
{
	struct dg_config *config dg_scoped_free = NULL;
	json_t *keep dg_scoped(dg_json_drop) = NULL;
	const char *path;
	int status = config_read(cli, &keep, &path, &config, err);

	for (__u32 i = 0; !status && i < config->iface_count; i++)
		status = visit(config->ifaces[i].name, arg);
	return status;
}

/* ---- what else the configuration says -------------------------------------------------------- */

/* Would the daemon let it pass everything? A device that is not named is none of its business. */
static bool is_observed(const struct dg_config *config, const struct dg_config_iface *iface,
			const struct dg_device_change *change)
{
	if (!iface->observe_given && !dg_keys_has(&config->given, DG_KEY_MODE))
		return change->observe;
	return config->mode == DG_OBSERVE || iface->observe;
}

static void attached_tell(const struct dg_config *config, const struct dg_config_iface *iface,
			  const struct dg_device_change *change, bool saved)
{
	const bool observed = iface && is_observed(config, iface, change);
	char place[DG_CONFIG_PATH_MAX + 16];

	if (!iface && saved)
		fprintf(stderr,
			"dnsguard: %s gives interfaces as well, which wins over what was saved\n",
			dg_config_origin_text(config, DG_KEY_INTERFACES, place, sizeof(place)));
	else if (iface && observed != change->observe)
		fprintf(stderr, "dnsguard: %s says that %s %s, which wins at the next reload%s\n",
			dg_config_origin_text(config,
					      config->mode == DG_OBSERVE ? DG_KEY_MODE :
									   DG_KEY_INTERFACES,
					      place, sizeof(place)),
			change->name, observed ? "observes" : "enforces",
			saved || config->mode == DG_OBSERVE ? "" : "; --save makes this last");
}

static void detached_tell(const struct dg_config *config, const struct dg_config_iface *iface,
			  const struct dg_device_change *change, bool saved)
{
	char place[DG_CONFIG_PATH_MAX + 16];

	if (iface)
		fprintf(stderr,
			"dnsguard: %s names %s: dnsguardd guards it again when it starts or reloads%s\n",
			dg_config_origin_text(config, DG_KEY_INTERFACES, place, sizeof(place)),
			change->name, saved ? "" : "; --save makes this last");
}

void dg_devices_tell(const struct dg_cli *cli, const struct dg_device_change *changes,
		     unsigned int count, bool saved)
{
	struct dg_config *config dg_scoped_free = NULL;
	json_t *keep dg_scoped(dg_json_drop) = NULL;
	const char *path;
	pid_t pid;

	if (config_read(cli, &keep, &path, &config, NULL))
		return;
	for (unsigned int i = 0; i < count; i++) {
		const struct dg_config_iface *iface = iface_named(config, changes[i].name);

		if (changes[i].gone)
			detached_tell(config, iface, &changes[i], saved);
		else
			attached_tell(config, iface, &changes[i], saved);
	}
	if (saved && !dg_daemon_pid(cli->bpffs, &pid, NULL))
		fprintf(stderr, "dnsguard: dnsguardd hears of it with: dnsguard reload\n");
}
