// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - dnsguard-compile: lists from elsewhere to an image file, without privileges.
 *
 * Reads the command line, opens the files, gives up its privileges, builds, reports. It never talks
 * to the kernel's tables: `dnsguard image load` checks the file and publishes it.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <string.h>

#include "userspace/compile/plan.h"
#include "userspace/lib/quote.h"
#include "userspace/lib/values.h"

static const char usage[] =
	"usage: dnsguard-compile --key FILE|--key-fd N -o IMAGE [--list LIST] FILE ...\n"
	"\n"
	"Compiles files of names, one a line, to an image for \"dnsguard image load\". \"-\" is\n"
	"standard input.\n"
	"\n"
	"  --key FILE   the guard's key: 32 octets, or 64 hexadecimal digits\n"
	"  --key-fd N   the same from an open descriptor\n"
	"  -o IMAGE     the file to write; replaced only when everything was good\n"
	"  --list LIST  the list of the files behind it: NAME[,answer=A][,ede=N|none], A as for\n"
	"               \"dnsguard block --answer\", or allow; two addresses joined by '+'\n"
	"  --strict     refuse a list for one line that is no name, not only for a majority\n"
	"  --force      accept single labels and protected names\n"
	"  --json       report as JSON\n"
	"\n"
	"exit status: 0 image written, 1 failed, 2 usage\n";

/* ---- the key -------------------------------------------------------------------------------- */

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* 64 digits to 32 octets. */
static int hex_read(const char *text, __u8 ret[32])
{
	for (int i = 0; i < 32; i++) {
		int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		ret[i] = (__u8)(high << 4 | low);
	}
	return 0;
}

static int key_read(int fd, const char *what, __u64 key[4], struct dg_error *err)
{
	char text[67];
	ssize_t len = read(fd, text, sizeof(text));
	__u8 octets[32];

	if (len < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "key %s: cannot read it: %s",
			       DG_QUOTE(what), strerror(errno));
	while (len > 32 && text[len - 1] == '\n')
		len--;
	if (len == 32)
		memcpy(octets, text, sizeof(octets));
	else if (len != 64 || hex_read(text, octets))
		return dg_fail(err, -EINVAL, DG_EXIT_FAILED,
			       "key %s is neither 32 octets nor 64 hexadecimal digits",
			       DG_QUOTE(what));
	memcpy(key, octets, sizeof(octets));
	return 0;
}

static int key_file(const char *path, __u64 key[4], struct dg_error *err)
{
	dg_scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return dg_fail(err, -errno, DG_EXIT_FAILED, "key %s: cannot open it: %s",
			       DG_QUOTE(path), strerror(errno));
	return key_read(fd, path, key, err);
}

static int key_fd(const char *text, __u64 key[4], struct dg_error *err)
{
	__u64 fd;
	int rc = dg_count_parse("--key-fd", text, 0, 65535, &fd, err);

	return rc ? rc : key_read((int)fd, text, key, err);
}

/* ---- the command line ----------------------------------------------------------------------- */

static int list_ede(const char *text, struct dg_answer *answer, struct dg_error *err)
{
	__u64 code;
	int rc;

	if (!strcmp(text, "none")) {
		answer->flags |= DG_ANS_NO_EDE;
		return 0;
	}
	rc = dg_count_parse("ede", text, 15, 17, &code, err);
	if (!rc)
		answer->ede = (__u8)code;
	return rc;
}

/* "answer=..." or "ede=...". */
static int list_setting(char *setting, struct dg_answer *answer, struct dg_error *err)
{
	char *value = strchr(setting, '=');

	if (value && !strncmp(setting, "ede=", 4))
		return list_ede(value + 1, answer, err);
	if (!value || strncmp(setting, "answer=", 7))
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "list setting %s is none of answer=A, ede=N, ede=none",
			       DG_QUOTE(setting));
	if (!strcmp(value + 1, "allow")) {
		answer->kind = DG_ANSWER_ALLOW;
		return 0;
	}
	for (char *plus = value; (plus = strchr(plus, '+'));)
		*plus = ',';
	return dg_answer_parse(value + 1, answer, err);
}

static int list_name(const char *name, struct dg_answer *answer, struct dg_error *err)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] <= ' ' || (unsigned char)name[i] >= 0x7f)
			len = 0;
	if (!len || len > DG_TEXT_MAX)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "list name %s is not 1 to %d printable ASCII characters",
			       DG_QUOTE(name), DG_TEXT_MAX);
	memcpy(answer->text, name, len);
	answer->text_len = (__u8)len;
	return 0;
}

static int list_add(struct dg_plan *plan, const char *text, struct dg_error *err)
{
	dg_scoped_free char *copy = strdup(text);
	struct dg_answer *answer = &plan->list[plan->lists].answer;
	char *rest = copy, *setting;
	int rc;

	if (!copy || plan->lists == DG_LISTS_MAX)
		return dg_fail(err, -ENOSPC, DG_EXIT_USAGE,
			       "list %s is one too many: %d are allowed", DG_QUOTE(text),
			       DG_LISTS_MAX);
	*answer = (struct dg_answer){ .kind = DG_ANSWER_NXDOMAIN, .ede = 15 };
	rc = list_name(strsep(&rest, ","), answer, err);
	while (!rc && (setting = strsep(&rest, ",")))
		rc = list_setting(setting, answer, err);
	plan->lists += !rc;
	return rc;
}

static int file_add(struct dg_plan *plan, const char *path, struct dg_error *err)
{
	int rc = plan->lists ? 0 : list_add(plan, "default", err);

	if (rc)
		return rc;
	if (plan->files == DG_FILES_MAX)
		return dg_fail(err, -ENOSPC, DG_EXIT_USAGE,
			       "file %s is one too many: %d are allowed", DG_QUOTE(path),
			       DG_FILES_MAX);
	plan->file[plan->files++] = (struct dg_plan_file){ path, plan->lists - 1, NULL };
	return 0;
}

enum { OPT_KEY = 256, OPT_KEY_FD, OPT_LIST, OPT_STRICT, OPT_FORCE, OPT_JSON, OPT_HELP };

/* One option or file name; a positive return asks for the usage. */
static int option_take(struct dg_plan *plan, int option, bool *key, struct dg_error *err)
{
	switch (option) {
	case 1:
		return file_add(plan, optarg, err);
	case 'o':
		plan->output = optarg;
		return 0;
	case OPT_KEY:
		*key = true;
		return key_file(optarg, plan->key, err);
	case OPT_KEY_FD:
		*key = true;
		return key_fd(optarg, plan->key, err);
	case OPT_LIST:
		return list_add(plan, optarg, err);
	case OPT_STRICT:
		plan->strict = true;
		return 0;
	case OPT_FORCE:
		plan->force = true;
		return 0;
	case OPT_JSON:
		plan->json = true;
		return 0;
	case OPT_HELP:
		return 1;
	}
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
		       "an option is unknown or lacks its value: see dnsguard-compile --help");
}

static int arguments_read(struct dg_plan *plan, int argc, char **argv, struct dg_error *err)
{
	static const struct option options[] = {
		{ "key", required_argument, NULL, OPT_KEY },
		{ "key-fd", required_argument, NULL, OPT_KEY_FD },
		{ "list", required_argument, NULL, OPT_LIST },
		{ "strict", no_argument, NULL, OPT_STRICT },
		{ "force", no_argument, NULL, OPT_FORCE },
		{ "json", no_argument, NULL, OPT_JSON },
		{ "help", no_argument, NULL, OPT_HELP },
		{ 0 },
	};
	bool key = false;
	int option, rc = 0;

	opterr = 0;
	/* '-': file names come in order, because they belong to the list before them. */
	while (!rc && (option = getopt_long(argc, argv, "-o:", options, NULL)) >= 0)
		rc = option_take(plan, option, &key, err);
	if (rc)
		return rc;
	if (!key || !plan->output || !plan->files)
		return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
			       "%s is missing: see dnsguard-compile --help",
			       !key	     ? "--key" :
			       !plan->output ? "-o IMAGE" :
					       "a file of names");
	return 0;
}

/* ---- the report ----------------------------------------------------------------------------- */

static json_t *list_json(const struct dg_plan_list *list)
{
	json_t *problems = json_array();

	for (unsigned int i = 0; i < list->problems; i++) {
		const struct dg_problem *p = list->problem + i;

		json_array_append_new(problems, json_pack("{s:s, s:I, s:i, s:s}", "file", p->path,
							  "line", (json_int_t)p->line, "column",
							  (int)p->column, "reason", p->reason));
	}
	return json_pack("{s:s%, s:I, s:I, s:I, s:I, s:o}", "name", list->answer.text,
			 (size_t)list->answer.text_len, "accepted", (json_int_t)list->accepted,
			 "duplicate", (json_int_t)list->duplicate, "folded",
			 (json_int_t)list->folded, "rejected", (json_int_t)list->rejected,
			 "problems", problems);
}

static void report_json(const struct dg_plan *plan)
{
	json_t *lists = json_array(), *doc;

	for (__u32 i = 0; i < plan->lists; i++)
		json_array_append_new(lists, list_json(plan->list + i));
	doc = json_pack("{s:i, s:s, s:I, s:I, s:o}", "schema", 1, "image", plan->output, "names",
			(json_int_t)plan->names, "bytes", (json_int_t)plan->bytes, "lists", lists);
	if (doc)
		json_dumpf(doc, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(doc);
}

static void report_text(const struct dg_plan *plan)
{
	for (__u32 i = 0; i < plan->lists; i++) {
		const struct dg_plan_list *list = plan->list + i;

		printf("list %.*s: %llu accepted, %llu duplicate, %llu folded, %llu rejected\n",
		       list->answer.text_len, list->answer.text, (unsigned long long)list->accepted,
		       (unsigned long long)list->duplicate, (unsigned long long)list->folded,
		       (unsigned long long)list->rejected);
		for (unsigned int k = 0; k < list->problems; k++)
			fprintf(stderr, "%s:%lu:%u: %s\n", list->problem[k].path,
				list->problem[k].line, list->problem[k].column,
				list->problem[k].reason);
	}
	printf("%s: %llu names, %llu bytes\n", plan->output, (unsigned long long)plan->names,
	       (unsigned long long)plan->bytes);
}

static int compile(struct dg_plan *plan, int argc, char **argv, struct dg_error *err)
{
	int rc = arguments_read(plan, argc, argv, err);

	if (!rc)
		rc = dg_plan_open(plan, err);
	if (!rc)
		rc = dg_sandbox_enter(err);
	if (!rc)
		rc = dg_plan_build(plan, err);
	dg_plan_close(plan);
	return rc;
}

int main(int argc, char **argv)
{
	dg_scoped_free struct dg_plan *plan = calloc(1, sizeof(*plan));
	struct dg_error err = { .status = DG_EXIT_FAILED, .text = "not enough memory" };
	int rc = plan ? compile(plan, argc, argv, &err) : -ENOMEM;

	if (rc < 0) {
		fprintf(stderr, "dnsguard-compile: %s\n", err.text);
		return err.status;
	}
	if (rc > 0)
		fputs(usage, stdout);
	else if (plan->json)
		report_json(plan);
	else
		report_text(plan);
	return DG_EXIT_OK;
}
