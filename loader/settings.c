// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * settings.c - the settings a new guard starts with, and the hash key that outlives a reboot.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "loader/internal.h"
#include "userspace/lib/state.h"

#define NS_PER_SEC 1000000000ull

#define DEFAULT_PORT 53
#define DEFAULT_PER_SEC 100 /* queries of one address */
#define DEFAULT_BURST 200
#define DEFAULT_SLIP 2
#define DEFAULT_ANSWERS_PER_SEC 200000 /* of all senders together, whatever they claim to be */
#define DEFAULT_TTL_SEC 60

static int random_fill(void *buf, size_t size, struct dg_error *err)
{
	if (getrandom(buf, size, 0) == (ssize_t)size)
		return 0;
	return dg_fail(err, -EIO, DG_EXIT_FAILED, "cannot draw random keys: %s", strerror(errno));
}

static int secrets_fill(struct dg_settings *settings, struct dg_error *err)
{
	int status = random_fill(settings->hash_key, sizeof(settings->hash_key), err);

	if (!status)
		status = random_fill(settings->limit_key, sizeof(settings->limit_key), err);
	if (!status)
		status = random_fill(&settings->probe_secret, sizeof(settings->probe_secret), err);
	return status;
}

static void limits_fill(struct dg_settings *settings)
{
	for (enum dg_family family = DG_IPV4; family < DG_FAMILY_COUNT; family++)
		dg_rate_make(DEFAULT_PER_SEC, DEFAULT_BURST, family,
			     &settings->rate[DG_CHARGE_QUERY][family]);
	settings->limit_mode = DG_ENFORCE;
	settings->sinkhole_mode = DG_ENFORCE;
	settings->source_mode = DG_ENFORCE;
	settings->syn_mode = DG_OFF;
	settings->slip = DEFAULT_SLIP;
	dg_budget_make(DEFAULT_ANSWERS_PER_SEC, settings);
}

static __u64 realtime_offset_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (__u64)now.tv_sec * NS_PER_SEC + (__u64)now.tv_nsec - dg_now_ns();
}

int dg_settings_default(struct dg_settings *ret, struct dg_error *err)
{
	struct dg_settings settings = {
		.abi_version = DG_ABI_VERSION,
		.ports = { htons(DEFAULT_PORT) },
		.flags = DG_SET_EDE_TEXT,
		.limit_line_mask = DG_LIMIT_BYTES_DEFAULT / sizeof(struct dg_limit_line) - 1,
		.negative_ttl = DEFAULT_TTL_SEC,
		.address_ttl = DEFAULT_TTL_SEC,
		.realtime_offset_ns = realtime_offset_ns(),
		.asked_below = DG_ASKED_BELOW(DG_ASKED_DEFAULT),
	};
	int status = secrets_fill(&settings, err);

	if (!status)
		status = dg_clock_read(&settings.jiffy_ns, &settings.jiffy_zero_ns, err);
	if (status)
		return status;
	limits_fill(&settings);
	*ret = settings;
	return 0;
}

/* ---- the key file --------------------------------------------------------------------------- */

#define KEY_BYTES (4 * sizeof(__u64))

static int key_make(const char *path, __u64 key[4], struct dg_error *err)
{
	dg_scoped_state struct dg_state_file state = DG_STATE_FILE_NONE;
	int status = random_fill(key, KEY_BYTES, err);

	if (!status)
		status = dg_state_begin(path, 0600, &state, err);
	if (status)
		return status;
	if (fwrite(key, KEY_BYTES, 1, state.file) != 1)
		return dg_fail(err, -EIO, DG_EXIT_FAILED, "cannot write %s: %s", path,
			       strerror(errno));
	return dg_state_commit(&state, err);
}

int dg_hash_key_read(const char *state_dir, __u64 key[4], struct dg_error *err)
{
	dg_scoped_fd int fd = -1;
	char path[PATH_MAX];
	__u8 bytes[KEY_BYTES + 1];
	ssize_t got;
	int status = dg_state_dir_make(state_dir, err);

	if (status)
		return status;
	if (snprintf(path, sizeof(path), "%s/key", state_dir) >= (int)sizeof(path))
		return dg_fail(err, -ENAMETOOLONG, DG_EXIT_USAGE,
			       "\"%.64s...\" is too long a directory", state_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return key_make(path, key, err);
	got = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
	if (got < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "cannot read %s: %s", path,
			       strerror(errno));
	if (got != KEY_BYTES)
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
			       "%s holds %zd bytes, a key has %zu: move it away and attach again, "
			       "then compile the lists anew",
			       path, got, KEY_BYTES);
	memcpy(key, bytes, KEY_BYTES);
	return 0;
}
