// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * progress.c - how far a long command is: a line that renews itself on a terminal, else one line each 10 seconds.
 */
#include "userspace/dnsguard/progress.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "userspace/lib/maps.h"
#include "userspace/lib/values.h"

#define NS_PER_SEC 1000000000ull
#define QUIET_NS NS_PER_SEC
#define TERMINAL_EVERY_NS (NS_PER_SEC / 5)
#define LOG_EVERY_NS (10 * NS_PER_SEC)
#define BAR_CELLS 10

void dg_progress_begin(struct dg_progress *progress, FILE *out)
{
	*progress = (struct dg_progress){ .out = out,
					  .terminal = isatty(fileno(out)),
					  .started_ns = dg_now_ns() };
	progress->shown_ns = progress->phase_ns = progress->started_ns;
}

static char *bytes_text(__u64 bytes, char *buf, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB" };
	double value = (double)bytes;
	size_t unit = 0;

	for (; value >= 1024 && unit < 3; unit++)
		value /= 1024;
	snprintf(buf, size, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

static void part_add(char *buf, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void part_add(char *buf, size_t size, const char *format, ...)
{
	size_t used = strlen(buf);
	va_list args;

	va_start(args, format);
	vsnprintf(buf + used, size - used, format, args);
	va_end(args);
}

static void bar_add(const struct dg_update_progress *now, char *buf, size_t size)
{
	char bar[BAR_CELLS + 1];
	__u64 done = now->bytes < now->bytes_total ? now->bytes : now->bytes_total;
	__u64 cells = done * BAR_CELLS / now->bytes_total;

	for (__u64 i = 0; i < BAR_CELLS; i++)
		bar[i] = i < cells ? '#' : '.';
	bar[BAR_CELLS] = '\0';
	part_add(buf, size, " [%s] %llu%%", bar,
		 (unsigned long long)(done * 100 / now->bytes_total));
}

/* Time left at the pace of this phase; nothing is said before there is a pace. */
static void left_add(const struct dg_update_progress *now, __u64 elapsed_ns, char *buf, size_t size)
{
	double share = now->bytes_total ? (double)now->bytes / (double)now->bytes_total : 0;
	char span[32];

	if (share < 0.01 || share >= 1 || elapsed_ns < NS_PER_SEC / 2)
		return;
	dg_duration_text((__u64)((double)elapsed_ns * (1 - share) / share) + NS_PER_SEC, span,
			 sizeof(span));
	part_add(buf, size, ", %s left", span);
}

/* Three digits are enough on the way: "9999", "898k", "1.09M". */
static char *count_text(__u64 count, char *buf, size_t size)
{
	if (count < 10000)
		snprintf(buf, size, "%llu", (unsigned long long)count);
	else if (count < 1000000)
		snprintf(buf, size, "%lluk", (unsigned long long)count / 1000);
	else
		snprintf(buf, size, count < 10000000 ? "%.2fM" : "%.1fM", (double)count / 1e6);
	return buf;
}

static void counts_add(const struct dg_update_progress *now, __u64 elapsed_ns, char *buf,
		       size_t size)
{
	double seconds = (double)elapsed_ns / (double)NS_PER_SEC;
	char one[24], two[24], three[24];

	if (now->lines && seconds > 0)
		part_add(buf, size, ", %s lines/s",
			 count_text((__u64)((double)now->lines / seconds), one, sizeof(one)));
	if (now->accepted || now->folded || now->rejected)
		part_add(buf, size, ", %s accepted, %s folded, %s rejected",
			 count_text(now->accepted, one, sizeof(one)),
			 count_text(now->folded, two, sizeof(two)),
			 count_text(now->rejected, three, sizeof(three)));
}

char *dg_progress_text(const struct dg_update_progress *now, __u64 elapsed_ns, char *buf,
		       size_t size)
{
	char done[24], total[24];

	snprintf(buf, size, "%s%s%s", now->phase, now->list[0] ? " " : "", now->list);
	if (now->memory_needed)
		part_add(buf, size, " needed %s, allowed %s",
			 bytes_text(now->memory_needed, done, sizeof(done)),
			 bytes_text(now->memory_allowed, total, sizeof(total)));
	if (now->bytes_total)
		bar_add(now, buf, size);
	if (now->bytes)
		part_add(buf, size, " %s%s%s", bytes_text(now->bytes, done, sizeof(done)),
			 now->bytes_total ? " of " : "",
			 now->bytes_total ? bytes_text(now->bytes_total, total, sizeof(total)) :
					    "");
	/* What matters most comes first: a terminal may be too narrow for all of it. */
	left_add(now, elapsed_ns, buf, size);
	counts_add(now, elapsed_ns, buf, size);
	return buf;
}

/* ---- when and where ------------------------------------------------------------------------- */

static int columns(const struct dg_progress *progress)
{
	struct winsize size = { .ws_col = 0 };

	if (ioctl(fileno(progress->out), TIOCGWINSZ, &size) || size.ws_col < 20)
		return 79;
	return size.ws_col - 1;
}

static void line_put(struct dg_progress *progress, const char *text)
{
	int width;

	if (!progress->terminal) {
		fprintf(progress->out, "%s\n", text);
		return;
	}
	width = (int)strnlen(text, (size_t)columns(progress));
	fprintf(progress->out, "\r%-*.*s", progress->width > width ? progress->width : width, width,
		text);
	fflush(progress->out);
	progress->width = width;
}

void dg_progress_show(const struct dg_update_progress *now, void *arg)
{
	struct dg_progress *progress = arg;
	__u64 now_ns = dg_now_ns();
	__u64 every_ns = progress->terminal ? TERMINAL_EVERY_NS : LOG_EVERY_NS;
	char text[512];

	if (strcmp(now->phase, progress->phase) || strcmp(now->list, progress->list)) {
		progress->phase_ns = now_ns;
		strcpy(progress->phase, now->phase);
		strcpy(progress->list, now->list);
	}
	/* What will be needed is said before anything is loaded, however short that moment is. */
	if (now->memory_needed)
		progress->shown_ns = progress->started_ns;
	if (now_ns - progress->started_ns < QUIET_NS || now_ns - progress->shown_ns < every_ns)
		return;
	progress->shown_ns = now_ns;
	line_put(progress, dg_progress_text(now, now_ns - progress->phase_ns, text, sizeof(text)));
}

void dg_progress_end(struct dg_progress *progress)
{
	if (progress->terminal && progress->width)
		fprintf(progress->out, "\r%*s\r", progress->width, "");
	progress->width = 0;
}
