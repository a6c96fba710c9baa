// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c - the command line of dnsguard-compile: what to do, with which lists and files.
 *
 * Reads the key and nothing else; open.c opens the files when all of the command line is good.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>

#include "userspace/compile/plan.h"
#include "userspace/lib/quote.h"

static const char usage[] =
	"usage: dnsguard-compile --key FILE|--key-fd N -o IMAGE [OPTION ...] [--list LIST] FILE ...\n"
	"       dnsguard-compile --check|--dump|--where NAME [OPTION ...] [--list LIST] FILE ...\n"
	"\n"
	"Compiles lists of names to an image for \"dnsguard image load\". \"-\" is standard input; gzip\n"
	"is unpacked. Lists come in the order of their precedence, those that only observe last.\n"
	"\n"
	"  --key FILE      the guard's key: 32 octets, or 64 hexadecimal digits\n"
	"  --key-fd N      the same from an open descriptor\n"
	"  -o IMAGE        the file to write; replaced only when everything was good\n"
	"  --check         read and count, write nothing\n"
	"  --dump          print the names that would stand in the image: name, scope, answer\n"
	"  --where NAME    print the lines that cover the name; exit status 4: none does\n"
	"  --list LIST     the list of the files behind it: NAME[,format=F][,match=M][,answer=A]\n"
	"                  [,override][,ede=N|none][,observe]. F: auto (the default) hosts domains wildcard\n"
	"                  adblock dnsmasq unbound rpz. M: suffix (the default) or exact, for what the\n"
	"                  format leaves open. A: as for \"dnsguard block --answer\", or allow; two\n"
	"                  addresses joined by '+'. One other than nxdomain (the default), or any with\n"
	"                  override, goes before the blocking answers that RPZ, Unbound and dnsmasq\n"
	"                  feeds give themselves. rpz-client-ip is heard with format=rpz alone\n"
	"  --memory BYTES  refuse an image that needs more of the kernel's memory\n"
	"  --max-bytes N   refuse a file of more octets, after unpacking\n"
	"  --max-lines N   refuse a file of more lines\n"
	"  --protect FILE  names that must not be blocked, one a line, with all below\n"
	"  --strict        refuse a list for one line that is no name, not only for a majority\n"
	"  --force         accept protected names, public suffixes and empty lists\n"
	"  --json          report as JSON\n"
	"  --progress-fd N report progress there: one JSON object a line\n"
	"\n"
	"exit status: 0 done, 1 failed, 2 usage, 4 no line covers the name, 5 over a limit\n";

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

/* ---- lists ---------------------------------------------------------------------------------- */

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

static int list_answer(char *text, struct dg_plan_list *list, struct dg_error *err)
{
	/* nxdomain is what every list has that says nothing: it leaves the feed's own answers alone. */
	list->answer_given |= strcmp(text, "nxdomain") != 0;
	if (!strcmp(text, "allow")) {
		list->answer.kind = DG_ANSWER_ALLOW;
		return 0;
	}
	for (char *plus = text; (plus = strchr(plus, '+'));)
		*plus = ',';
	return dg_answer_parse(text, &list->answer, err);
}

static int list_format(const char *text, struct dg_plan_list *list, struct dg_error *err)
{
	list->format = dg_format_find(text);
	if (list->format != DG_FORMAT_COUNT || !strcmp(text, "auto"))
		return 0;
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
		       "format %s is none of auto, hosts, domains, wildcard, adblock, dnsmasq, "
		       "unbound, rpz",
		       DG_QUOTE(text));
}

static int list_match(const char *text, struct dg_plan_list *list, struct dg_error *err)
{
	list->exact = !strcmp(text, "exact");
	if (list->exact || !strcmp(text, "suffix"))
		return 0;
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE, "match %s is neither exact nor suffix",
		       DG_QUOTE(text));
}

/* One setting; observe is remembered in *observe, because an answer may stand behind it. */
static int list_setting(char *setting, struct dg_plan_list *list, bool *observe,
			struct dg_error *err)
{
	if (!strcmp(setting, "observe")) {
		*observe = true;
		return 0;
	}
	if (!strcmp(setting, "override")) {
		list->answer_given = true;
		return 0;
	}
	if (!strncmp(setting, "ede=", 4))
		return list_ede(setting + 4, &list->answer, err);
	if (!strncmp(setting, "answer=", 7))
		return list_answer(setting + 7, list, err);
	if (!strncmp(setting, "format=", 7))
		return list_format(setting + 7, list, err);
	if (!strncmp(setting, "match=", 6))
		return list_match(setting + 6, list, err);
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
		       "list setting %s is none of format=F, match=M, answer=A, override, ede=N, "
		       "ede=none, observe",
		       DG_QUOTE(setting));
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
	struct dg_plan_list *list = plan->list + plan->lists;
	char *rest = copy, *setting;
	bool observe = false;
	int rc;

	if (!copy || plan->lists == DG_LISTS_MAX)
		return dg_fail(err, -ENOSPC, DG_EXIT_USAGE,
			       "list %s is one too many: %d are allowed", DG_QUOTE(text),
			       DG_LISTS_MAX);
	*list = (struct dg_plan_list){
		.answer = { .kind = DG_ANSWER_NXDOMAIN, .ede = 15 },
		.format = DG_FORMAT_AUTO,
		.found = DG_FORMAT_COUNT,
	};
	rc = list_name(strsep(&rest, ","), &list->answer, err);
	while (!rc && (setting = strsep(&rest, ",")))
		rc = list_setting(setting, list, &observe, err);
	if (observe)
		list->answer.kind = DG_ANSWER_OBSERVE;
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
	plan->file[plan->files++] =
		(struct dg_plan_file){ .path = path, .list = plan->lists - 1, .fd = -1 };
	return 0;
}

/* ---- options -------------------------------------------------------------------------------- */

/* Past every character, so that none is taken for one. */
enum {
	OPT_KEY = 256,
	OPT_KEY_FD,
	OPT_LIST,
	OPT_CHECK,
	OPT_DUMP,
	OPT_WHERE,
	OPT_MEMORY,
	OPT_MAX_BYTES,
	OPT_MAX_LINES,
	OPT_PROTECT,
	OPT_PROGRESS,
	OPT_STRICT,
	OPT_FORCE,
	OPT_JSON,
	OPT_HELP
};

static const struct option options[] = {
	{ "key", required_argument, NULL, OPT_KEY },
	{ "key-fd", required_argument, NULL, OPT_KEY_FD },
	{ "list", required_argument, NULL, OPT_LIST },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "dump", no_argument, NULL, OPT_DUMP },
	{ "where", required_argument, NULL, OPT_WHERE },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "max-bytes", required_argument, NULL, OPT_MAX_BYTES },
	{ "max-lines", required_argument, NULL, OPT_MAX_LINES },
	{ "protect", required_argument, NULL, OPT_PROTECT },
	{ "progress-fd", required_argument, NULL, OPT_PROGRESS },
	{ "strict", no_argument, NULL, OPT_STRICT },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "help", no_argument, NULL, OPT_HELP },
	{ 0 },
};

static int progress_fd(const char *text, int *ret, struct dg_error *err)
{
	__u64 fd = 0;
	int rc = dg_count_parse("--progress-fd", text, 0, 65535, &fd, err);

	*ret = rc ? -1 : (int)fd;
	return rc;
}

/* Options that take nothing. */
static bool flag_take(struct dg_plan *plan, int option)
{
	switch (option) {
	case OPT_CHECK:
		plan->mode = DG_PLAN_CHECK;
		return true;
	case OPT_DUMP:
		plan->mode = DG_PLAN_DUMP;
		return true;
	case OPT_STRICT:
		return plan->strict = true;
	case OPT_FORCE:
		return plan->force = true;
	case OPT_JSON:
		return plan->json = true;
	}
	return false;
}

static int number_take(struct dg_plan *plan, int option, const char *text, struct dg_error *err)
{
	switch (option) {
	case OPT_MEMORY:
		return dg_count_parse("--memory", text, 1, ~0ull, &plan->memory, err);
	case OPT_MAX_BYTES:
		return dg_count_parse("--max-bytes", text, 1, ~0ull, &plan->limits.bytes, err);
	case OPT_MAX_LINES:
		return dg_count_parse("--max-lines", text, 1, ~0ull, &plan->limits.lines, err);
	case OPT_PROGRESS:
		return progress_fd(text, &plan->progress_fd, err);
	}
	return dg_fail(err, -EINVAL, DG_EXIT_USAGE,
		       "an option is unknown or lacks its value: see dnsguard-compile --help");
}

/* 1 = --help. */
static int option_take(struct dg_plan *plan, int option, struct dg_error *err)
{
	if (flag_take(plan, option))
		return 0;
	switch (option) {
	case 1: /* not an option */
		return file_add(plan, optarg, err);
	case 'o':
		plan->output = optarg;
		return 0;
	case OPT_KEY:
		plan->has_key = true;
		return key_file(optarg, plan->key, err);
	case OPT_KEY_FD:
		plan->has_key = true;
		return key_fd(optarg, plan->key, err);
	case OPT_LIST:
		return list_add(plan, optarg, err);
	case OPT_WHERE:
		plan->mode = DG_PLAN_WHERE;
		return dg_name_parse(optarg, &plan->where, err);
	case OPT_PROTECT:
		plan->own_protected = optarg;
		return 0;
	case OPT_HELP:
		fputs(usage, stdout);
		return 1;
	}
	return number_take(plan, option, optarg, err);
}

static int completeness_check(const struct dg_plan *plan, struct dg_error *err)
{
	const char *missing = NULL;

	if (plan->mode == DG_PLAN_BUILD && !plan->has_key)
		missing = "--key";
	else if (plan->mode == DG_PLAN_BUILD && !plan->output)
		missing = "-o IMAGE";
	else if (!plan->files)
		missing = "a file of names";
	return missing ? dg_fail(err, -EINVAL, DG_EXIT_USAGE,
				 "%s is missing: see dnsguard-compile --help", missing) :
			 0;
}

int dg_plan_parse(struct dg_plan *plan, int argc, char **argv, struct dg_error *err)
{
	int option, rc = 0;

	plan->progress_fd = -1;
	plan->limits = (struct dg_bytes_limits){ DG_FILE_BYTES_MAX, DG_FILE_LINES_MAX };
	opterr = 0;
	/* '-': file names come in order, because they belong to the list before them. */
	while (!rc && (option = getopt_long(argc, argv, "-o:", options, NULL)) >= 0)
		rc = option_take(plan, option, err);
	while (!rc && optind < argc)
		rc = file_add(plan, argv[optind++], err);
	return rc ? rc : completeness_check(plan, err);
}
