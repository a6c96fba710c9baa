// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * instance.c - one loaded program: its load-time constants, its maps, and what the verifier said when it refused.
 *
 * The only file that sees the skeleton. Attaches nothing, pins nothing.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>

#include "bpf/ingress.skel.h"
#include "loader/internal.h"

#define LOG_BYTES                                                                                  \
	(16u                                                                                       \
	 << 20) /* before 6.4 a log that does not fit is cut at its end, the part that matters */
#define LOG_LINES 8

static void skeleton_free(struct ingress_bpf **skel)
{
	ingress_bpf__destroy(*skel);
	*skel = NULL;
}
#define scoped_skeleton dg_scoped(skeleton_free)

void dg_instance_close(struct dg_instance *instance)
{
	dg_close_fd(&instance->prog_fd);
	dg_maps_close(&instance->maps);
}

__u32 dg_limiter_lines(__u64 bytes)
{
	__u64 wanted = bytes / sizeof(struct dg_limit_line);
	__u32 lines = 1;

	while (lines <= wanted / 2 && lines < 1u << 30)
		lines *= 2;
	return lines;
}

/* The skeleton's maps in the order of struct dg_maps. */
static void skeleton_maps(const struct ingress_bpf *skel, struct bpf_map *ret[DG_MAP_COUNT])
{
	struct bpf_map *const maps[] = {
#define MAP_OF_SKELETON(name) skel->maps.name,
		DG_MAPS(MAP_OF_SKELETON)
#undef MAP_OF_SKELETON
	};

	memcpy(ret, maps, sizeof(maps));
}

static int maps_share(struct ingress_bpf *skel, const struct dg_maps *share)
{
	struct bpf_map *maps[DG_MAP_COUNT];
	const int *fds = (const int *)share;
	int status = 0;

	skeleton_maps(skel, maps);
	for (size_t i = 0; !status && i < DG_MAP_COUNT; i++)
		status = bpf_map__reuse_fd(maps[i], fds[i]);
	return status;
}

/* The maps for the caller: descriptors of their own, so the skeleton may go. */
static int maps_take(const struct ingress_bpf *skel, struct dg_maps *ret)
{
	struct bpf_map *maps[DG_MAP_COUNT];
	int *fds = (int *)ret;

	skeleton_maps(skel, maps);
	for (size_t i = 0; i < DG_MAP_COUNT; i++) {
		fds[i] = fcntl(bpf_map__fd(maps[i]), F_DUPFD_CLOEXEC, 3);
		if (fds[i] < 0)
			return -errno;
	}
	return 0;
}

/* Opened, with constants and sizes set, not loaded. -errno. */
static int skeleton_open(const struct dg_instance_want *want, struct ingress_bpf **ret)
{
	scoped_skeleton struct ingress_bpf *skel = ingress_bpf__open();
	int status;

	if (!skel)
		return -errno;
	skel->rodata->dg_slot = want->slot;
	skel->rodata->dg_frags = want->frags;
	if (want->frags)
		bpf_program__set_flags(skel->progs.dnsguard_ingress, BPF_F_XDP_HAS_FRAGS);
	status = want->share ? maps_share(skel, want->share) :
			       bpf_map__set_max_entries(skel->maps.dg_limiter, want->limiter_lines);
	if (status)
		return status;
	*ret = dg_take_ptr(skel);
	return 0;
}

/* The last lines of the log on one line, "a; b; c"; when that is too much for buf, its end. */
static void log_tail(const char *log, char *buf, size_t size)
{
	const char *end = log + strlen(log), *at;
	size_t len = 0;

	while (end > log && end[-1] == '\n')
		end--;
	at = end;
	for (int lines = 0; at > log && lines < LOG_LINES && (size_t)(end - at) + LOG_LINES < size;
	     at--)
		lines += at[-1] == '\n';
	for (; at < end; at++) {
		if (*at != '\n')
			buf[len++] = *at;
		else if (len)
			len += (size_t)sprintf(buf + len, "; ");
	}
	buf[len] = '\0';
}

/* Loads once more with the verifier talking. */
static void verifier_ask(const struct dg_instance_want *want, char *buf, size_t size)
{
	scoped_skeleton struct ingress_bpf *skel = NULL;
	dg_scoped_free char *log = calloc(1, LOG_BYTES);

	buf[0] = '\0';
	if (!log || skeleton_open(want, &skel))
		return;
	bpf_program__set_log_level(skel->progs.dnsguard_ingress, 1);
	bpf_program__set_log_buf(skel->progs.dnsguard_ingress, log, LOG_BYTES);
	if (ingress_bpf__load(skel))
		log_tail(log, buf, size);
}

static int load_failed(const struct dg_instance_want *want, int status, struct dg_error *err)
{
	char tail[768];

	if (status == -EPERM)
		return dg_load_forbidden(err);
	if (status == -ENOMEM)
		return dg_fail(
			err, status, DG_EXIT_FAILED,
			"not enough memory for the maps: a smaller limiter may do: --limiter-memory 1M");
	verifier_ask(want, tail, sizeof(tail));
	if (tail[0])
		return dg_fail(err, status, DG_EXIT_FAILED,
			       "the kernel refused the program (%s): %s", strerror(-status), tail);
	return dg_fail(err, status, DG_EXIT_FAILED, "cannot load the program: %s",
		       strerror(-status));
}

int dg_instance_load(const struct dg_instance_want *want, struct dg_instance *ret,
		     struct dg_error *err)
{
	dg_scoped(dg_instance_close) struct dg_instance made = DG_INSTANCE_NONE;
	scoped_skeleton struct ingress_bpf *skel = NULL;
	int status;

	libbpf_set_print(NULL); /* what there is to say goes into err */
	status = skeleton_open(want, &skel);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot open the program: %s",
			       strerror(-status));
	status = ingress_bpf__load(skel);
	if (status)
		return load_failed(want, status, err);
	made.prog_fd = fcntl(bpf_program__fd(skel->progs.dnsguard_ingress), F_DUPFD_CLOEXEC, 3);
	status = made.prog_fd < 0 ? -errno : want->share ? 0 : maps_take(skel, &made.maps);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot keep the program: %s",
			       strerror(-status));
	*ret = made;
	made = DG_INSTANCE_NONE;
	return 0;
}

int dg_load_private(const struct dg_settings *initial, __u64 limiter_bytes, __u32 slot,
		    struct dg_maps *ret_maps, int *ret_prog_fd, struct dg_error *err)
{
	struct dg_instance_want want = {
		.slot = slot,
		.limiter_lines =
			dg_limiter_lines(limiter_bytes ? limiter_bytes : DG_LIMIT_BYTES_DEFAULT),
	};
	dg_scoped(dg_instance_close) struct dg_instance made = DG_INSTANCE_NONE;
	struct dg_settings settings = *initial;
	int status = dg_instance_load(&want, &made, err);

	if (status)
		return status;
	settings.limit_line_mask = want.limiter_lines - 1;
	status = dg_settings_write(&made.maps, &settings);
	if (status)
		return dg_fail(err, status, DG_EXIT_FAILED, "cannot write the settings: %s",
			       strerror(-status));
	*ret_maps = made.maps;
	*ret_prog_fd = made.prog_fd;
	made = DG_INSTANCE_NONE;
	return 0;
}
