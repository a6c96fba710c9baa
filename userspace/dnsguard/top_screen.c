// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * top_screen.c - the screen of `dnsguard top`: a head of four parts (sums, devices, listeners, alerts) and one table
 * under it, chosen by its digit. Made for 80 columns and 24 lines; smaller ones lose the end, never their order.
 */
#include <curses.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "userspace/dnsguard/top.h"

enum { PLAIN, GOOD, WARN, BAD, FAINT, COLOURS };

#define COLUMNS_MAX 5
#define WIDTH_LEAST 20

/* ---- the tables ----------------------------------------------------------------------------- */

enum face { TEXT, WHOLE, RATE, AGO };

struct column {
	const char *key, *title;
	int width; /* 0 = what is left */
	enum face face;
};

/* Columns of the tables; the first without a key ends them. */
static const struct column talkers[COLUMNS_MAX] = { { "prefix", "PREFIX", 44, TEXT },
						    { "frames", "FRAMES", 12, WHOLE },
						    { "seconds_ago", "LAST SEEN", 12, AGO } };
static const struct column names[COLUMNS_MAX] = { { "name", "NAME", 60, TEXT },
						  { "queries", "QUERIES, ABOUT", 16, WHOLE } };
static const struct column lists[COLUMNS_MAX] = { { "name", "LIST", 33, TEXT },
						  { "names", "NAMES", 11, WHOLE },
						  { "answers", "ANSWERS", 13, WHOLE },
						  { "per_second", "NOW", 12, RATE } };
static const struct column verdicts[COLUMNS_MAX] = { { "verdict", "VERDICT", 23, TEXT },
						     { "per_second", "NOW", 11, RATE },
						     { "frames", "IN ALL", 14, WHOLE },
						     { "meaning", "MEANING", 0, TEXT } };

static const struct pane {
	const char *path, *title;
	const char *none;
	bool senders;	/* rows that can be banned and exempt */
	bool by_device; /* each device has rows of its own, under the same path */
	const struct column *column;
} panes[] = {
	{ "limited", "limited senders", "nobody in the last 10 seconds", true, false, talkers },
	{ "syn_senders", "senders of SYNs", "nobody in the last 10 seconds", true, false, talkers },
	{ "blocked", "blocked names", "none in the last minute", false, false, names },
	{ "lists", "lists", "none", false, false, lists },
	{ "verdicts", "verdicts", "no frame was seen yet", false, true, verdicts },
};
#define PANES ((int)(sizeof(panes) / sizeof(panes[0])))

static double number_of(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

/* Seven characters at most: the sums fit 80 columns, whatever they are. */
static const char *rate_text(double rate, char buf[32])
{
	if (rate >= 1e6)
		snprintf(buf, 32, "%.3gM/s", rate / 1e6);
	else if (rate >= 1e4)
		snprintf(buf, 32, "%.3gk/s", rate / 1e3);
	else
		snprintf(buf, 32, rate >= 100 ? "%.0f/s" : "%.1f/s", rate);
	return buf;
}

static const char *cell_text(const json_t *row, const struct column *column, char buf[32])
{
	const double number = number_of(row, column->key);

	if (column->face == TEXT)
		return text_of(row, column->key);
	if (column->face == RATE)
		return rate_text(number, buf);
	snprintf(buf, 32, column->face == AGO ? "%.1f s ago" : "%.0f", number);
	return buf;
}

/* ---- sorting and filtering ------------------------------------------------------------------ */

static bool holds(const json_t *row, const struct pane *pane, const char *filter)
{
	char buf[32];

	for (int i = 0; i < COLUMNS_MAX && pane->column[i].key; i++)
		if (strcasestr(cell_text(row, &pane->column[i], buf), filter))
			return true;
	return false;
}

/* Texts upward, numbers downward: what one looks for is on top. */
static int compare(const json_t *a, const json_t *b, const struct column *column)
{
	const double x = number_of(a, column->key), y = number_of(b, column->key);

	if (column->face == TEXT)
		return strcmp(text_of(a, column->key), text_of(b, column->key));
	return (x < y) - (x > y);
}

/* The device whose verdicts are shown; NULL = all of them. */
static const json_t *device_of(const struct dg_top *top, const json_t *doc)
{
	return top->device && panes[top->pane].by_device ?
		       json_array_get(json_object_get(doc, "interfaces"), top->device - 1) :
		       NULL;
}

/* The rows to show, in order; the caller's. */
static json_t *rows_of(const struct dg_top *top, const json_t *doc)
{
	const struct pane *pane = &panes[top->pane];
	const json_t *device = device_of(top, doc);
	const int sort = top->sort[top->pane];
	json_t *rows = json_array(), *row;
	size_t i, at;

	json_array_foreach(json_object_get(device ? device : doc, pane->path), i, row)
	{
		if (!holds(row, pane, top->filter))
			continue;
		at = json_array_size(rows);
		while (sort >= 0 && at &&
		       compare(json_array_get(rows, at - 1), row, &pane->column[sort]) > 0)
			at--;
		json_array_insert(rows, at, row);
	}
	return rows;
}

/* ---- drawing -------------------------------------------------------------------------------- */

/* All that is printed goes through here: cut at the edge, nothing written outside the screen. */
static void put(int y, int x, int colour, const char *text)
{
	if (y < 0 || y >= LINES || x < 0 || x >= COLS)
		return;
	attrset((attr_t)COLOR_PAIR(colour) | (colour == GOOD || colour == BAD ? A_BOLD : A_NORMAL));
	mvaddnstr(y, x, text, COLS - x);
	attrset(A_NORMAL);
}

static int state_colour(const char *state)
{
	if (!strcmp(state, "ok") || !strcmp(state, "enforcing"))
		return GOOD;
	if (!strcmp(state, "warning") || !strcmp(state, "observing"))
		return WARN;
	return state[0] && strcmp(state, "unknown") != 0 ? BAD : FAINT;
}

static const char *delay_text(const json_t *seconds, char buf[32])
{
	const double ms = json_number_value(seconds) * 1000;

	if (!json_is_number(seconds))
		return "-";
	snprintf(buf, 32, ms >= 100 ? "%.0f ms" : "%.1f ms", ms);
	return buf;
}

/* What a person must know first, in the corner: a pause, else how long answers take. */
static void corner_draw(const json_t *doc)
{
	const json_t *response = json_object_get(doc, "response_seconds");
	char line[128], udp[32], tcp[32];

	if (json_is_integer(json_object_get(doc, "paused_seconds"))) {
		snprintf(line, sizeof(line), "PAUSED for %.0f s: everything passes",
			 number_of(doc, "paused_seconds"));
		put(0, 40, BAD, line);
		return;
	}
	snprintf(line, sizeof(line), "99 %% answered within %s, TCP %s",
		 delay_text(json_object_get(response, "udp_p99"), udp),
		 delay_text(json_object_get(response, "tcp_p99"), tcp));
	put(0, 40, FAINT, line);
}

static int head_draw(const struct dg_top *top, const json_t *doc)
{
	const json_t *rates = json_object_get(doc, "rates"),
		     *queries = json_object_get(rates, "queries");
	const char *gap = COLS < 90 ? " " : "  ";
	char line[256], a[32], b[32], c[32], d[32], e[32];

	snprintf(line, sizeof(line), "dnsguard %s%s", text_of(doc, "host"),
		 top->frozen ? "  (standing still)" : "");
	put(0, 0, GOOD, line);
	corner_draw(doc);
	snprintf(line, sizeof(line),
		 "passed %s%sanswered %s%sdropped %s%sUDP %s%sTCP %s%slimited %.0f",
		 rate_text(number_of(rates, "passed"), a), gap,
		 rate_text(number_of(rates, "answered"), b), gap,
		 rate_text(number_of(rates, "dropped"), c), gap,
		 rate_text(number_of(queries, "udp"), d), gap,
		 rate_text(number_of(queries, "tcp"), e), gap, number_of(rates, "limited_sources"));
	put(1, 0, PLAIN, line);
	return 2;
}

static void iface_draw(int y, const json_t *doc, const json_t *row)
{
	char line[256], a[32], b[32], c[32];

	(void)doc;
	snprintf(line, sizeof(line), "%-15s %-10s passed %-9s answered %-9s dropped %s",
		 text_of(row, "name"), "", rate_text(number_of(row, "passed"), a),
		 rate_text(number_of(row, "answered"), b), rate_text(number_of(row, "dropped"), c));
	put(y, 0, PLAIN, line);
	put(y, 16, state_colour(text_of(row, "state")), text_of(row, "state"));
}

enum { GAUGE = 12 };

/* "[#####   | ! ]": filled to the use, marks where warnings begin and where it is critical. */
static void gauge_text(double share, const json_t *thresholds, char ret[GAUGE + 3])
{
	const int warning = (int)(number_of(thresholds, "warning_percent") * GAUGE / 100),
		  critical = (int)(number_of(thresholds, "critical_percent") * GAUGE / 100),
		  filled = (int)(share * GAUGE + 0.5);

	ret[0] = '[';
	for (int i = 0; i < GAUGE; i++)
		ret[1 + i] = i < filled		       ? '#' :
			     critical && i == critical ? '!' :
			     warning && i == warning   ? '|' :
							 ' ';
	ret[1 + GAUGE] = ']';
	ret[2 + GAUGE] = '\0';
}

/* What follows the state: how full, until when, and who waits. */
static void use_text(const json_t *row, char *buf, size_t size)
{
	const double quota = number_of(row, "quota"), connections = number_of(row, "connections");
	const json_t *full = json_object_get(row, "seconds_to_full");
	char use[64], forecast[32] = "";

	if (quota > 0)
		snprintf(use, sizeof(use), "%.0f of %.0f", connections, quota);
	else
		snprintf(use, sizeof(use), "%.0f connections, quota unknown", connections);
	if (json_is_number(full))
		snprintf(forecast, sizeof(forecast), "  full in %.0f s", json_number_value(full));
	snprintf(buf, size, "%s%s  queue %.0f/%.0f", use, forecast, number_of(row, "accept_queue"),
		 number_of(row, "accept_queue_max"));
}

/* The state comes early: what a narrow screen cuts off is the queue. */
static void listener_draw(int y, const json_t *doc, const json_t *row)
{
	const double quota = number_of(row, "quota"), connections = number_of(row, "connections");
	const char *name = text_of(row, "listener"), *state = text_of(row, "state");
	const int colour = state_colour(state);
	char gauge[GAUGE + 3], use[160];
	int x = (int)strlen(name) > 18 ? (int)strlen(name) + 1 : 19;

	put(y, 0, PLAIN, name);
	put(y, x, colour, state);
	x += 10;
	if (quota > 0) {
		gauge_text(connections / quota, json_object_get(doc, "thresholds"), gauge);
		put(y, x, colour, gauge);
		x += GAUGE + 3;
	}
	use_text(row, use, sizeof(use));
	put(y, x, PLAIN, use);
}

static void alert_draw(int y, const json_t *doc, const json_t *row)
{
	char line[256];

	(void)doc;
	snprintf(line, sizeof(line), "ALERT %s %s %s", text_of(row, "name"), text_of(row, "of"),
		 text_of(row, "state"));
	put(y, 0, state_colour(text_of(row, "state")), line);
}

/* That no daemon runs. */
static int alone_draw(int y, const json_t *doc)
{
	const char *said = text_of(doc, "daemon");
	char line[256];

	if (!said[0])
		return y;
	snprintf(line, sizeof(line), "dnsguardd %s", said);
	put(y, 0, WARN, line);
	return y + 1;
}

/* So many devices, listeners and alerts that a table fits below them. */
static size_t head_rows(void)
{
	return LINES >= 24 ? 4 : LINES >= 16 ? 2 : 1;
}

/* A few rows of one part of the document; what there is no room for is counted. */
static int part_draw(int y, const json_t *doc, const char *path,
		     void (*draw)(int y, const json_t *doc, const json_t *row))
{
	const json_t *rows = json_object_get(doc, path);
	const size_t size = json_array_size(rows), room = head_rows();
	char line[64];

	for (size_t i = 0; i < size && i < room; i++)
		draw(y++, doc, json_array_get(rows, i));
	if (size > room) {
		snprintf(line, sizeof(line), "and %zu more", size - room);
		put(y++, 0, FAINT, line);
	}
	return y;
}

static void cell_put(int y, int x, const struct column *column, const char *text, bool right)
{
	const int width = column->width ? column->width : COLS - x;
	char cell[256];

	if (width <= 1)
		return;
	snprintf(cell, sizeof(cell), right ? "%*.*s" : "%-*.*s", width - 1, width - 1, text);
	put(y, x, PLAIN, cell);
}

static void row_draw(int y, const struct pane *pane, const json_t *row)
{
	char buf[32];
	int x = 1;

	for (int i = 0; i < COLUMNS_MAX && pane->column[i].key; i++) {
		const struct column *column = &pane->column[i];

		cell_put(y, x, column, cell_text(row, column, buf), column->face != TEXT);
		x += column->width;
	}
}

static void titles_draw(int y, const struct dg_top *top, const json_t *doc)
{
	const struct pane *pane = &panes[top->pane];
	const json_t *device = device_of(top, doc);
	char title[80];
	int x = 1;

	for (int i = 0; i < COLUMNS_MAX && pane->column[i].key; i++) {
		const struct column *column = &pane->column[i];

		snprintf(title, sizeof(title), "%s%s", top->sort[top->pane] == i ? "*" : "",
			 column->title);
		cell_put(y, x, column, title, column->face != TEXT);
		x += column->width;
	}
	if (pane->by_device) {
		snprintf(title, sizeof(title), "n: of %s",
			 device ? text_of(device, "name") : "all devices");
		put(y, x + 9, PLAIN, title);
	}
	mvchgat(y, 0, -1, A_BOLD | A_UNDERLINE, PLAIN, NULL); /* only the chosen row is reversed */
}

static void tabs_draw(int y, const struct dg_top *top)
{
	char text[40];
	int x = 0;

	for (int i = 0; i < PANES; i++) {
		snprintf(text, sizeof(text), "%d %s", i + 1, panes[i].title);
		put(y, x, i == top->pane ? GOOD : FAINT, text);
		x += (int)strlen(text) + 2;
	}
}

/* Keeps the chosen row on the screen. */
static void scroll_to(struct dg_top *top, int room)
{
	if (top->selected >= top->rows)
		top->selected = top->rows - 1;
	if (top->selected < 0)
		top->selected = 0;
	if (top->first > top->selected)
		top->first = top->selected;
	if (top->selected >= top->first + room)
		top->first = top->selected - room + 1;
}

static void table_draw(int y, struct dg_top *top, const json_t *doc)
{
	const struct pane *pane = &panes[top->pane];
	const int room = LINES - 1 - (y + 2) > 0 ? LINES - 1 - (y + 2) : 0;
	json_t *rows;

	if (top->device > json_array_size(json_object_get(doc, "interfaces")))
		top->device = 0; /* behind the last one come all of them */
	rows = rows_of(top, doc);
	top->rows = (int)json_array_size(rows);
	scroll_to(top, room);
	tabs_draw(y, top);
	titles_draw(y + 1, top, doc);
	for (int i = 0; i < room && top->first + i < top->rows; i++) {
		row_draw(y + 2 + i, pane, json_array_get(rows, (size_t)(top->first + i)));
		if (top->first + i == top->selected)
			mvchgat(y + 2 + i, 0, -1, A_REVERSE, PLAIN, NULL);
	}
	if (!top->rows)
		put(y + 2, 1, FAINT,
		    top->filter[0] ? "nothing that the filter lets through" : pane->none);
	if (!top->asking)
		snprintf(top->chosen, sizeof(top->chosen), "%s",
			 pane->senders ?
				 text_of(json_array_get(rows, (size_t)top->selected), "prefix") :
				 "");
	json_decref(rows);
}

static void foot_draw(const struct dg_top *top)
{
	char line[256];

	if (top->asking)
		snprintf(line, sizeof(line), "%s %s for 10 minutes? y or n",
			 top->asking == DG_TOP_BAN ? "Ban" : "Exempt", top->chosen);
	else if (top->typing)
		snprintf(line, sizeof(line), "filter: %s_   Enter keeps it, Esc drops it",
			 top->filter);
	else if (top->message[0])
		snprintf(line, sizeof(line), "%s", top->message);
	else
		snprintf(
			line, sizeof(line),
			"1-%d table  s sort  / filter%s%s%s  b ban  e exempt  space stop  ? keys  q quit",
			PANES, top->filter[0] ? " (" : "", top->filter, top->filter[0] ? ")" : "");
	move(LINES - 1, 0);
	clrtoeol();
	put(LINES - 1, 0, top->asking ? WARN : PLAIN, line);
}

static void help_draw(void)
{
	static const char *const lines[] = {
		"1 to 5, Tab     which table is shown",
		"up, down        choose a row; Page Up, Page Down, Home, End",
		"s               sort by the next column, then as it came",
		"n               verdicts of the next device, then of all",
		"/               show only rows that hold a text; Esc drops the filter",
		"b               ban the chosen sender for 10 minutes, after a question",
		"e               exempt it from limits and blocked names for 10 minutes",
		"space           stop the numbers, and let them go on",
		"q               leave",
		"",
		"A sender that was banned for longer, or for good: dnsguard source ban --help",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		put((int)i + 2, 2, PLAIN, lines[i]);
}

void dg_top_draw(struct dg_top *top, const json_t *doc)
{
	int y;

	erase();
	y = head_draw(top, doc);
	if (top->help) {
		help_draw();
	} else {
		if (!json_array_size(json_object_get(doc, "interfaces")))
			put(y++, 0, BAD, "no device is guarded: dnsguard attach IFACE");
		y = alone_draw(y, doc);
		y = part_draw(y, doc, "interfaces", iface_draw);
		y = part_draw(y, doc, "tcp", listener_draw);
		y = part_draw(y, doc, "alerts", alert_draw);
		table_draw(y + 1, top, doc);
	}
	foot_draw(top);
	refresh();
}

/* ---- keys ----------------------------------------------------------------------------------- */

static void pane_show(struct dg_top *top, int pane)
{
	top->pane = pane;
	top->selected = top->first = 0;
}

static void sort_next(struct dg_top *top)
{
	const struct pane *pane = &panes[top->pane];
	int next = top->sort[top->pane] + 1;

	top->sort[top->pane] = next < COLUMNS_MAX && pane->column[next].key ? next : -1;
}

static enum dg_top_wish filter_key(struct dg_top *top, int key)
{
	const size_t len = strlen(top->filter);

	if (key == 27)
		top->filter[0] = '\0';
	if (key == 27 || key == '\n' || key == '\r' || key == KEY_ENTER)
		top->typing = false;
	else if ((key == KEY_BACKSPACE || key == 127 || key == '\b') && len)
		top->filter[len - 1] = '\0';
	else if (key > ' ' && key < 127 && len < DG_TOP_FILTER_MAX)
		memcpy(top->filter + len, (const char[]){ (char)key, '\0' }, 2);
	return DG_TOP_REDRAW;
}

static enum dg_top_wish answer_key(struct dg_top *top, int key)
{
	const enum dg_top_wish asked = top->asking;

	top->asking = DG_TOP_NOTHING;
	return key == 'y' || key == 'Y' ? asked : DG_TOP_REDRAW;
}

static void ask(struct dg_top *top, enum dg_top_wish wish)
{
	if (top->chosen[0])
		top->asking = wish;
	else
		snprintf(top->message, sizeof(top->message),
			 "choose a sender first: tables 1 and 2");
}

static void select_key(struct dg_top *top, int key)
{
	const int page = LINES > 12 ? LINES - 12 : 1;

	top->selected += key == KEY_DOWN || key == 'j' ? 1 :
			 key == KEY_UP || key == 'k'   ? -1 :
			 key == KEY_NPAGE	       ? page :
			 key == KEY_PPAGE	       ? -page :
			 key == KEY_HOME	       ? -top->selected :
			 key == KEY_END		       ? top->rows :
							 0;
}

static enum dg_top_wish plain_key(struct dg_top *top, int key)
{
	if (key == 'q')
		return DG_TOP_QUIT;
	if (key >= '1' && key < '1' + PANES)
		pane_show(top, key - '1');
	else if (key == '\t')
		pane_show(top, (top->pane + 1) % PANES);
	else if (key == 's')
		sort_next(top);
	else if (key == 'n')
		top->device++;
	else if (key == '/')
		top->typing = true;
	else if (key == 27)
		top->filter[0] = '\0';
	else if (key == ' ')
		top->frozen = !top->frozen;
	else if (key == '?' || key == 'h')
		top->help = !top->help;
	else if (key == 'b' || key == 'e')
		ask(top, key == 'b' ? DG_TOP_BAN : DG_TOP_EXEMPT);
	else
		select_key(top, key);
	return DG_TOP_REDRAW;
}

enum dg_top_wish dg_top_key(struct dg_top *top, int key)
{
	top->message[0] = '\0';
	if (key == 3) /* Ctrl-C, should the terminal hand it over */
		return DG_TOP_QUIT;
	return top->asking ? answer_key(top, key) :
	       top->typing ? filter_key(top, key) :
			     plain_key(top, key);
}

int dg_top_wait(int ms)
{
	timeout(ms);
	return getch();
}

/* ---- the terminal --------------------------------------------------------------------------- */

void dg_top_start(struct dg_top *ret)
{
	*ret = (struct dg_top){ .pane = 0 };
	for (size_t i = 0; i < sizeof(ret->sort) / sizeof(ret->sort[0]); i++)
		ret->sort[i] = -1;
}

int dg_top_open(void)
{
	SCREEN *screen = newterm(NULL, stdout, stdin);

	if (!screen)
		return -ENOTTY;
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	if (has_colors() && !getenv("NO_COLOR")) {
		start_color();
		use_default_colors();
		init_pair(GOOD, COLOR_GREEN, -1);
		init_pair(WARN, COLOR_YELLOW, -1);
		init_pair(BAD, COLOR_RED, -1);
		init_pair(FAINT, COLOR_CYAN, -1);
	}
	return 0;
}

void dg_top_close(void)
{
	endwin();
}
