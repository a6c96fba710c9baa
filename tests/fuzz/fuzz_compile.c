// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_compile.c - any bytes as two lists in one image: refused in one sentence, or counts that add up
 * and an image that passes its check.
 *
 * The first octet says how the lists are meant (formats, scope, observing, force), the second where
 * the first list ends.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "userspace/compile/plan.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static struct dg_protect *protect; /* empty, and the same for all: it is large */

#define IMAGE "/dev/shm/dnsguard-fuzz-image"

static void expect(int held)
{
	if (!held)
		abort();
}

static int file_of(const unsigned char *data, size_t size)
{
	int fd = memfd_create("feed", 0);

	expect(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	expect(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static struct dg_plan *plan_of(const unsigned char *data, size_t size)
{
	struct dg_plan *plan = calloc(1, sizeof(*plan));
	size_t cut = (size - 2) * data[1] / 255;

	plan->mode = DG_PLAN_BUILD;
	plan->output = IMAGE;
	plan->force = data[0] & 1;
	plan->has_key = true;
	plan->progress_fd = -1;
	plan->limits = (struct dg_bytes_limits){ 1 << 20, 10000 };
	plan->lists = plan->files = 2;
	for (__u32 i = 0; i < 2; i++) {
		plan->list[i] = (struct dg_plan_list){
			.answer = { .kind = i && data[0] & 2 ? DG_ANSWER_OBSERVE : DG_ANSWER_DROP },
			.format = data[0] & 4 ? DG_FORMAT_RPZ : DG_FORMAT_AUTO,
			.found = DG_FORMAT_COUNT,
			.exact = !i && data[0] & 8,
			.answer_given = data[0] & 16,
		};
		plan->file[i] = (struct dg_plan_file){ .path = "feed", .list = i };
	}
	plan->file[0].fd = file_of(data + 2, cut);
	plan->file[1].fd = file_of(data + 2 + cut, size - 2 - cut);
	plan->protect = protect;
	return plan;
}

static void counts_check(const struct dg_plan_list *list)
{
	expect(list->accepted + list->duplicate + list->folded + list->shadowed + list->guarded >=
	       list->entries);
	expect(list->guarded <= list->rejected);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct dg_error err = { .text = "" };
	const void *elements = NULL;
	struct dg_plan *plan;
	__u64 count;

	if (size < 2)
		return 0;
	if (!protect)
		protect = dg_protect_new();
	plan = plan_of(data, size);
	if (dg_plan_run(plan, &err)) {
		expect(err.text[0] && !strchr(err.text, '\n'));
	} else {
		counts_check(plan->list);
		counts_check(plan->list + 1);
		expect(!dg_image_map(IMAGE, &elements, &count, &err));
		expect(((const struct dg_image_header *)elements)->names == plan->names);
		dg_image_unmap(elements, count);
	}
	plan->protect = NULL;
	dg_plan_close(plan);
	free(plan);
	return 0;
}
