// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * compile.c - asks dnsguard-compile: to check one list, to compile all, to look something up.
 *
 * The compiler reads what strangers wrote; it runs without privileges and this side believes only its image, after
 * checking it, and its counts, for people.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "userspace/lib/quote.h"
#include "userspace/lists/internal.h"

#define CHECK_SECONDS_MAX 300
#define COMPILE_SECONDS_MAX 900
#define WHERE_SECONDS_MAX 10
#define DESCRIPTORS_MAX 1100 /* every file of a compile, the key and the end */

/* ---- words ---------------------------------------------------------------------------------- */

/* What a primary has is a policy zone, and asking it for one was the operator's word. */
static const char *format_of(const struct dg_list_spec *spec)
{
	return dg_list_kind_of(spec) == DG_LIST_AXFR ? "rpz" : spec->format;
}

/* NAME[,format=F][,match=M][,answer=A][,override][,ede=N|none][,observe]: what is the default is left out. */
static void list_word(struct dg_child *child, const struct dg_list_spec *spec)
{
	char answer[sizeof(spec->answer)], ede[16] = ",ede=none";
	const char *format = format_of(spec);

	strcpy(answer, spec->answer);
	for (char *comma = answer; (comma = strchr(comma, ','));)
		*comma = '+';
	if (spec->ede)
		snprintf(ede, sizeof(ede), ",ede=%d", spec->ede);
	dg_child_word(child, "--list");
	dg_child_word(child, "%s%s%s%s%s,answer=%s%s%s%s", spec->name,
		      strcmp(format, "auto") ? ",format=" : "",
		      strcmp(format, "auto") ? format : "",
		      strcmp(spec->match, "suffix") ? ",match=" : "",
		      strcmp(spec->match, "suffix") ? spec->match : "", answer,
		      spec->override ? ",override" : "", ede, spec->observe ? ",observe" : "");
}

/* One list with its files; returns the number of descriptors that keep has now. */
static int item_words(struct dg_child *child, const struct dg_item *item, int *keep, int kept)
{
	list_word(child, &item->spec);
	for (__u32 i = 0; i < item->inputs.count && kept < DESCRIPTORS_MAX - 1; i++) {
		keep[kept++] = item->inputs.fd[i];
		dg_child_word(child, "/dev/fd/%d", item->inputs.fd[i]);
	}
	keep[kept] = -1;
	return kept;
}

/* What holds for every list. The file of protected names, if there is one, becomes the first of keep. */
static void bounds_words(struct dg_child *child, const struct dg_run *run, int *keep)
{
	if (run->want->force)
		dg_child_word(child, "--force");
	dg_child_word(child, "--max-bytes=%llu", DG_LIST_BYTES_MAX);
	dg_child_word(child, "--max-lines=%llu", DG_LIST_LINES_MAX);
	keep[0] = run->protect;
	if (run->protect >= 0)
		dg_child_word(child, "--protect=/dev/fd/%d", run->protect);
}

/* ---- what it says --------------------------------------------------------------------------- */

static const char *label_find(const struct dg_inputs *inputs, const char *at, int *ret_len)
{
	int number, len = 0;

	if (sscanf(at, "/dev/fd/%d%n", &number, &len) < 1)
		return NULL;
	*ret_len = len;
	for (__u32 i = 0; i < inputs->count; i++)
		if (inputs->fd[i] == number)
			return inputs->label[i];
	return NULL;
}

void dg_labels_put(const struct dg_inputs *inputs, char *text, size_t size)
{
	dg_scoped_free char *copy = strdup(text);
	size_t out = 0;

	for (const char *at = copy; at && *at && out + 1 < size;) {
		int len = 0;
		const char *label = label_find(inputs, at, &len);

		if (!label) {
			text[out++] = *at++;
			continue;
		}
		snprintf(text + out, size - out, "%s", label);
		out += strlen(text + out);
		at += len;
	}
	if (copy)
		text[out] = '\0';
}

/* What was written by strangers and passed on by a helper is fit for a terminal afterwards. */
static void text_clean(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (text && !dg_text_is_clean(text))
		json_object_set_new(object, key, json_string(DG_QUOTE(text)));
}

void dg_places_clean(json_t *places, const struct dg_inputs *inputs)
{
	char file[DG_LIST_SOURCE_MAX + sizeof(struct dg_quoted) + 2];
	json_t *place;
	size_t i;

	json_array_foreach(places, i, place)
	{
		const char *path = json_string_value(json_object_get(place, "file"));

		snprintf(file, sizeof(file), "%s", path ? path : "");
		dg_labels_put(inputs, file, sizeof(file));
		json_object_set_new(place, "file", json_string(file));
		text_clean(place, "file");
		text_clean(place, "reason");
		text_clean(place, "text");
	}
}

json_t *dg_report_list(const json_t *report, size_t at)
{
	return json_array_get(json_object_get(report, "lists"), at);
}

struct listener {
	const struct dg_run *run;
	const char *list;
};

static void progress_hear(const char *line, void *arg)
{
	const struct listener *listener = arg;
	json_t *said = json_loads(line, 0, NULL);
	const char *phase = json_string_value(json_object_get(said, "phase"));
	const char *list = json_string_value(json_object_get(said, "list"));
	struct dg_update_progress progress = { .phase = "" };

	snprintf(progress.phase, sizeof(progress.phase), "%.15s",
		 phase && dg_text_is_clean(phase) ? phase : "read");
	snprintf(progress.list, sizeof(progress.list), "%.32s",
		 list && dg_text_is_clean(list) ? list :
		 listener->list			? listener->list :
						  "");
	progress.bytes = (__u64)json_integer_value(json_object_get(said, "bytes"));
	progress.bytes_total = (__u64)json_integer_value(json_object_get(said, "bytes_total"));
	progress.lines = (__u64)json_integer_value(json_object_get(said, "lines"));
	progress.accepted = (__u64)json_integer_value(json_object_get(said, "accepted"));
	progress.folded = (__u64)json_integer_value(json_object_get(said, "folded"));
	progress.rejected = (__u64)json_integer_value(json_object_get(said, "rejected"));
	json_decref(said);
	dg_run_tell(listener->run, &progress);
}

/* Over a limit is a refusal that the operator may lift, the rest is a bad list. */
static enum dg_exit status_of(const struct dg_child *child)
{
	return child->exit_status == DG_EXIT_UNSAFE ? DG_EXIT_UNSAFE : DG_EXIT_FAILED;
}

/* ---- one list ------------------------------------------------------------------------------- */

int dg_compile_check(const struct dg_run *run, struct dg_item *item)
{
	struct listener listener = { run, item->spec.name };
	dg_scoped_child struct dg_child child = { .program = "dnsguard-compile",
						  .cwd_fd = -1,
						  .stdout_fd = -1,
						  .memory_max = dg_memory_max(run),
						  .file_max = 1 << 30, /* it writes nothing */
						  .seconds_max = CHECK_SECONDS_MAX,
						  .progress = progress_hear,
						  .arg = &listener };
	int keep[DG_LIST_FILES_MAX + 2], rc;

	dg_child_word(&child, "%s", child.program);
	dg_child_word(&child, "--check");
	dg_child_word(&child, "--json");
	bounds_words(&child, run, keep);
	item_words(&child, item, keep, run->protect >= 0);
	child.keep = keep;
	rc = dg_child_run(&child, &item->err);
	if (rc)
		return rc;
	item->check = json_loads(child.said ? child.said : "", 0, NULL);
	dg_places_clean(json_object_get(dg_report_list(item->check, 0), "problems"), &item->inputs);
	text_clean(dg_report_list(item->check, 0), "format");
	dg_labels_put(&item->inputs, child.complaint, sizeof(child.complaint));
	if (child.exit_status)
		return dg_fail(&item->err, -EINVAL, status_of(&child), "%s",
			       child.complaint[0] ? child.complaint : "the compiler refused it");
	if (!dg_report_list(item->check, 0))
		return dg_fail(&item->err, -EPROTO, DG_EXIT_FAILED,
			       "dnsguard-compile gave no report: it is of another version");
	return 0;
}

/* ---- all lists ------------------------------------------------------------------------------ */

/* The key goes through a pipe: it stands in no command line and in no file that a child could open. */
static int key_pipe(const __u64 key[4], int *ret)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	if (write(fds[1], key, 4 * sizeof(*key)) != 4 * (ssize_t)sizeof(*key)) {
		close(fds[0]);
		close(fds[1]);
		return -EIO;
	}
	close(fds[1]);
	*ret = fds[0];
	return 0;
}

/*
 * A directory for the compiler, empty. Anybody may write there, and nobody reaches it but who is handed it open: ours,
 * in which it lies, is closed to others. So no right to give files away is needed.
 */
static int work_make(const struct dg_run *run, struct dg_dir *ret, struct dg_error *err)
{
	int rc;

	dg_dir_remove(&run->lists, ".work");
	rc = dg_dir_enter(&run->lists, ".work", true, ret, err);
	if (!rc && fchmod(ret->fd, 0777))
		rc = dg_fail(err, -errno, DG_EXIT_FAILED, "%s: %s", ret->path, strerror(errno));
	return rc;
}

/* Reads what the compiler left, which may be anything, and checks it. */
static int image_take(struct dg_run *run, const struct dg_dir *work, struct dg_error *err)
{
	dg_scoped_fd int fd =
		openat(work->fd, "image", O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	char path[32];

	if (fd < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "the compiler left no image: %s",
			       strerror(errno));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return dg_image_map(path, &run->elements, &run->elements_count, err);
}

static void compile_words(const struct dg_run *run, struct dg_child *child, int *keep)
{
	int kept = 1; /* the key is there already */

	kept += run->protect >= 0;
	dg_child_word(child, "%s", child->program);
	dg_child_word(child, "--json");
	dg_child_word(child, "--key-fd");
	dg_child_word(child, "%d", keep[0]);
	dg_child_word(child, "-o");
	dg_child_word(child, "image");
	dg_child_word(child, "--memory");
	dg_child_word(child, "%llu", (unsigned long long)dg_memory_max(run));
	bounds_words(child, run, keep + 1);
	for (__u32 i = 0; i < run->count; i++)
		if (run->item[i].inputs.count)
			kept = item_words(child, run->item + i, keep, kept);
}

static void complaint_label(const struct dg_run *run, struct dg_child *child)
{
	for (__u32 i = 0; i < run->count; i++)
		dg_labels_put(&run->item[i].inputs, child->complaint, sizeof(child->complaint));
}

static int compile_run(struct dg_run *run, int work_fd, int *keep, struct dg_error *err)
{
	struct listener listener = { run, NULL };
	dg_scoped_child struct dg_child child = { .program = "dnsguard-compile",
						  .keep = keep,
						  .cwd_fd = work_fd,
						  .stdout_fd = -1,
						  .memory_max = dg_memory_max(run),
						  .file_max = dg_memory_max(run),
						  .seconds_max = COMPILE_SECONDS_MAX,
						  .progress = progress_hear,
						  .arg = &listener };
	int rc;

	compile_words(run, &child, keep);
	rc = dg_child_run(&child, err);
	if (rc)
		return rc;
	complaint_label(run, &child);
	if (child.exit_status)
		return dg_fail(err, -EINVAL, status_of(&child),
			       "the lists cannot be compiled: %.900s", child.complaint);
	json_decref(run->report); /* of a compile that failed behind this */
	run->report = json_loads(child.said ? child.said : "", 0, NULL);
	return 0;
}

int dg_compile_all(struct dg_run *run, struct dg_error *err)
{
	dg_scoped_dir struct dg_dir work = DG_DIR_NONE;
	dg_scoped_free int *keep = malloc(DESCRIPTORS_MAX * sizeof(*keep));
	int rc = keep ? key_pipe(run->key, keep) : -ENOMEM;

	if (rc)
		return dg_fail(err, rc, DG_EXIT_FAILED, "cannot hand the key over: %s",
			       strerror(-rc));
	rc = work_make(run, &work, err);
	if (!rc)
		rc = compile_run(run, work.fd, keep, err);
	close(keep[0]);
	if (!rc)
		rc = image_take(run, &work, err);
	dg_dir_remove(&run->lists, ".work");
	run->compiled = !rc;
	return rc;
}

int dg_compile_ask(const struct dg_item *item, const struct dg_compile_ask *ask, char **ret_said,
		   struct dg_error *err)
{
	dg_scoped_child struct dg_child child = { .program = "dnsguard-compile",
						  .cwd_fd = -1,
						  .stdout_fd = ask->out_fd,
						  .seconds_max = ask->value ? WHERE_SECONDS_MAX :
									      COMPILE_SECONDS_MAX };
	int keep[DG_LIST_FILES_MAX + 1], rc;

	dg_child_word(&child, "%s", child.program);
	dg_child_word(&child, "%s", ask->mode);
	if (ask->value) {
		dg_child_word(&child, "%s", ask->value);
		dg_child_word(&child, "--json");
	}
	item_words(&child, item, keep, 0);
	child.keep = keep;
	rc = dg_child_run(&child, err);
	dg_labels_put(&item->inputs, child.complaint, sizeof(child.complaint));
	if (!rc && child.exit_status)
		rc = dg_fail(err, -EINVAL, DG_EXIT_FAILED, "list %s: %.900s", item->spec.name,
			     child.complaint);
	if (!rc && ret_said)
		*ret_said = dg_take_ptr(child.said);
	return rc;
}
