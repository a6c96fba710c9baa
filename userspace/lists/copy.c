// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * copy.c - bytes of a local file into a list's directory, and the mark by which the same file is known again.
 */
#include <errno.h>
#include <string.h>
#include <sys/sendfile.h>

#include "userspace/lib/quote.h"
#include "userspace/lists/internal.h"

#define COPY_CHUNK (8 << 20)

/* What a file was when it was copied stands where a URL has its ETag. */
void dg_mark_add(const struct stat *st, __u64 *mark)
{
	const __u64 facts[] = { st->st_dev, st->st_ino, (__u64)st->st_size,
				(__u64)st->st_mtim.tv_sec, (__u64)st->st_mtim.tv_nsec };
	const __u8 *bytes = (const __u8 *)facts;

	for (size_t i = 0; i < sizeof(facts); i++)
		*mark = (*mark ^ bytes[i]) * 0x100000001b3ull; /* FNV-1a */
}

/* Was it this very content that was taken over last time? Then there is nothing to do. */
bool dg_mark_is_known(const struct dg_run *run, struct dg_item *item, __u64 mark)
{
	snprintf(item->next.etag, sizeof(item->next.etag), "%016llx", (unsigned long long)mark);
	return !run->want->force && item->meta.content_inode && !item->meta.failures &&
	       !strcmp(item->meta.etag, item->next.etag);
}

static int too_large(struct dg_item *item, const char *path)
{
	return dg_fail(&item->err, -EFBIG, DG_EXIT_UNSAFE, "%s is larger than %llu MiB",
		       DG_QUOTE(path), DG_LIST_BYTES_MAX >> 20);
}

int dg_bytes_copy(const struct dg_run *run, struct dg_item *item, int from, int to)
{
	struct dg_update_progress progress = { .phase = "copy" };
	struct stat st;
	ssize_t n;

	if (fstat(from, &st))
		return -errno;
	snprintf(progress.list, sizeof(progress.list), "%s", item->spec.name);
	progress.bytes_total = (__u64)st.st_size;
	while ((n = sendfile(to, from, NULL, COPY_CHUNK)) > 0) {
		progress.bytes += (__u64)n;
		if (progress.bytes > DG_LIST_BYTES_MAX)
			return -EFBIG;
		dg_run_tell(run, &progress);
	}
	return n < 0 || fsync(to) ? -errno : 0;
}

/* One file, which must be the same one after copying as before: it may be written right now. */
int dg_file_copy(const struct dg_run *run, struct dg_item *item, int from, int to, const char *path)
{
	struct stat before, after;
	int rc = fstat(from, &before) ? -errno : 0;

	if (!rc && (__u64)before.st_size > DG_LIST_BYTES_MAX)
		return too_large(item, path);
	if (!rc)
		rc = dg_bytes_copy(run, item, from, to);
	if (rc == -EFBIG)
		return too_large(item, path);
	if (!rc && fstat(from, &after))
		rc = -errno;
	if (rc)
		return dg_fail(&item->err, rc, DG_EXIT_FAILED, "%s cannot be copied: %s",
			       DG_QUOTE(path), strerror(-rc));
	if (before.st_size != after.st_size || before.st_mtim.tv_sec != after.st_mtim.tv_sec ||
	    before.st_mtim.tv_nsec != after.st_mtim.tv_nsec)
		return dg_fail(&item->err, -EAGAIN, DG_EXIT_FAILED,
			       "%s is being written: try again when it is done", DG_QUOTE(path));
	return 0;
}
