// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * image_file.c - the image as a file: written by an unprivileged process, read and doubted by a
 * privileged one.
 *
 * The digest finds accidents, the check of structure finds malice. Nothing here talks to the
 * kernel's tables.
 */
#include "userspace/lib/image.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "userspace/lib/quote.h"
#include "userspace/lib/state.h"

#define ELEMENT_BYTES 64

/* An array map numbers its elements in 32 bits; 64 GiB are more than enough. */
#define ELEMENTS_MAX (1u << 30)

#define ANSWER_FLAGS (DG_ANS_V4 | DG_ANS_V6 | DG_ANS_NO_EDE)

_Static_assert(sizeof(struct dg_image_file) == 64, "elements stay on cache lines in the file");

static void digest_make(const void *elements, __u64 count, __u8 digest[SHA256_DIGEST_SIZE])
{
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, count * ELEMENT_BYTES, elements);
	sha256_digest(&ctx, SHA256_DIGEST_SIZE, digest);
}

/* ---- checks --------------------------------------------------------------------------------- */

static int refuse(struct dg_error *err, const char *reason)
{
	return dg_fail(err, -EINVAL, DG_EXIT_FAILED, "image is not usable: %s", reason);
}

static int header_check(const struct dg_image_header *header, __u64 count, struct dg_error *err)
{
	if (header->magic != DG_IMAGE_MAGIC)
		return refuse(err, "it does not start as an image does");
	if (header->abi_version != DG_ABI_VERSION)
		return dg_fail(
			err, -EPROTO, DG_EXIT_FAILED,
			"image has layout version %u, this program knows %u: compile it again",
			header->abi_version, DG_ABI_VERSION);
	if (header->lists > DG_LISTS_MAX || header->answers < header->lists ||
	    header->answers > DG_ANSWERS_MAX || header->first != 1u + header->answers ||
	    !header->buckets)
		return refuse(err, "its header contradicts itself");
	if (count != (__u64)header->first + header->buckets + DG_IMAGE_SPILL_MAX)
		return refuse(err, "its size is not what its header says");
	if (header->depths[1] >> 63 || (header->names && !(header->depths[0] | header->depths[1])))
		return refuse(err, "its depths are impossible");
	return 0;
}

static int text_is_clean(const struct dg_answer *answer)
{
	for (__u32 i = 0; i < DG_TEXT_MAX; i++) {
		unsigned char c = (unsigned char)answer->text[i];

		if (i < answer->text_len ? c < ' ' || c >= 0x7f : c)
			return 0;
	}
	return 1;
}

/* An answer goes out on the wire, and its list's name into every report. */
static int answer_check(const struct dg_answer *answer, __u32 number, __u32 lists,
			struct dg_error *err)
{
	if (number <= lists ? answer->list != number : !answer->list || answer->list > lists)
		return refuse(err, "one of its answers belongs to no list");
	if (answer->kind >= DG_ANSWER_KINDS || answer->flags & ~ANSWER_FLAGS)
		return refuse(err, "one of its lists has an answer that does not exist");
	if (answer->kind == DG_ANSWER_ADDRESS && !(answer->flags & (DG_ANS_V4 | DG_ANS_V6)))
		return refuse(err, "one of its lists answers with an address and has none");
	if (answer->text_len > DG_TEXT_MAX || !text_is_clean(answer))
		return refuse(err, "one of its lists has a broken name");
	return 0;
}

/* Ways in use, or -EINVAL. */
static int bucket_check(const struct dg_image_bucket *bucket, __u32 answers, __u32 spill_max)
{
	int used = 0;

	if (bucket->spill > spill_max)
		return -EINVAL;
	for (__u32 way = 0; way < DG_IMAGE_WAYS; way++) {
		__u32 scope = bucket->meta[way] >> DG_IMAGE_SCOPE_SHIFT & DG_SCOPE_SUFFIX;
		__u32 answer = bucket->meta[way] & DG_ANSWERS_MAX;

		if (bucket->fp[way] ? !scope || !answer || answer > answers : bucket->meta[way])
			return -EINVAL;
		used += bucket->fp[way] != 0;
	}
	return used;
}

static int buckets_check(const struct dg_image_header *header, const struct dg_image_bucket *table,
			 struct dg_error *err)
{
	__u64 names = 0;

	for (__u64 i = 0; i < (__u64)header->buckets + DG_IMAGE_SPILL_MAX; i++) {
		/* Nobody is at home in the buckets at the end. */
		int used = bucket_check(table + i, header->answers,
					i < header->buckets ? DG_IMAGE_SPILL_MAX : 0);

		if (used < 0)
			return refuse(err, "one of its buckets is broken");
		names += (__u64)used;
	}
	return names == header->names ? 0 :
					refuse(err, "it holds more or fewer names than it says");
}

int dg_image_check(const void *elements, __u64 count, struct dg_error *err)
{
	const struct dg_image_header *header = elements;
	const struct dg_answer *answers = elements;
	int rc;

	if (count < 2 || count > ELEMENTS_MAX)
		return refuse(err, "its size is impossible");
	rc = header_check(header, count, err);
	for (__u32 i = 1; !rc && i <= header->answers; i++)
		rc = answer_check(answers + i, i, header->lists, err);
	return rc ? rc :
		    buckets_check(header, (const struct dg_image_bucket *)elements + header->first,
				  err);
}

/* ---- files ---------------------------------------------------------------------------------- */

int dg_image_save(const char *path, const void *elements, __u64 count, struct dg_error *err)
{
	struct dg_image_file head = {
		.magic = DG_IMAGE_MAGIC,
		.abi_version = DG_ABI_VERSION,
		.header_bytes = sizeof(head),
		.elements = count,
	};
	dg_scoped_state struct dg_state_file state = DG_STATE_FILE_NONE;
	int rc = dg_state_begin(path, 0644, &state, err);

	if (rc)
		return rc;
	digest_make(elements, count, head.digest);
	/* A short write shows in ferror(), which the commit looks at. */
	fwrite(&head, sizeof(head), 1, state.file);
	fwrite(elements, ELEMENT_BYTES, count, state.file);
	return dg_state_commit(&state, err);
}

/* The file's own head against what the file system says of its size. */
static int head_check(const struct dg_image_file *head, __u64 file_bytes, struct dg_error *err)
{
	if (head->magic != DG_IMAGE_MAGIC)
		return refuse(err, "the file is not a dnsguard image");
	if (head->abi_version != DG_ABI_VERSION || head->header_bytes != sizeof(*head))
		return dg_fail(
			err, -EPROTO, DG_EXIT_FAILED,
			"image has layout version %u, this program knows %u: compile it again",
			head->abi_version, DG_ABI_VERSION);
	if (head->elements > ELEMENTS_MAX ||
	    file_bytes != sizeof(*head) + head->elements * ELEMENT_BYTES)
		return refuse(err, "the file is cut short or too long");
	return head->elements ? 0 : refuse(err, "the file is empty");
}

static int elements_read(int fd, const struct dg_image_file *head, const void **ret,
			 struct dg_error *err)
{
	size_t size = head->elements * ELEMENT_BYTES;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u8 digest[SHA256_DIGEST_SIZE];
	int rc;

	if (memory == MAP_FAILED)
		return dg_fail(err, -ENOMEM, DG_EXIT_FAILED,
			       "image needs %zu bytes of memory: there are none", size);
	rc = dg_read_whole(fd, memory, size);
	if (rc) {
		munmap(memory, size);
		return dg_fail(err, rc, DG_EXIT_FAILED, "image cannot be read: %s", strerror(-rc));
	}
	digest_make(memory, head->elements, digest);
	rc = memcmp(digest, head->digest, sizeof(digest)) ?
		     refuse(err, "its SHA-256 does not fit its content") :
		     dg_image_check(memory, head->elements, err);
	if (rc)
		munmap(memory, size);
	else
		*ret = memory;
	return rc;
}

static int file_read(const char *path, const void **ret_elements, __u64 *ret_count,
		     struct dg_error *err)
{
	dg_scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct dg_image_file head;
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st))
		return dg_fail(err, -errno, errno == ENOENT ? DG_EXIT_NOT_FOUND : DG_EXIT_FAILED,
			       "image cannot be opened: %s", strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(head))
		return refuse(err, "the file is not a dnsguard image");
	rc = dg_read_whole(fd, &head, sizeof(head));
	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "image cannot be read: %s", strerror(-rc));
	rc = head_check(&head, (__u64)st.st_size, err);
	if (!rc)
		rc = elements_read(fd, &head, ret_elements, err);
	if (!rc)
		*ret_count = head.elements;
	return rc;
}

int dg_image_map(const char *path, const void **ret_elements, __u64 *ret_count,
		 struct dg_error *err)
{
	struct dg_error inner = { .text = "" };
	int rc = file_read(path, ret_elements, ret_count, &inner);

	return rc ? dg_fail(err, rc, inner.status, "file %s: %.800s", DG_QUOTE(path), inner.text) :
		    0;
}

void dg_image_unmap(const void *elements, __u64 count)
{
	if (elements)
		munmap((void *)elements, count * ELEMENT_BYTES);
}
