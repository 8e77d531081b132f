#include "ctl/fpm/fpm_top.h"

#include <curses.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/fpm/fpm_text.h"
#include "ctl/fpm/fpm_view.h"

#define INTERVAL  1000 /* ms */
#define WIDTH_MOST 1000

static const struct {
	int key;
	const char *name; /* of the order */
	const char *help;
} orders[] = {
	[BY_TIME] = { 't', "time", "by the time of the request, busy first" },
	[BY_REQUESTS] = { 'r', "requests", "by the number of requests" },
	[BY_HEAP] = { 'm', "memory", "by the memory of the Lua heap" },
	[BY_RSS] = { 's', "rss", "by resident memory" },
	[BY_PID] = { 'p', "pid", "by process id" }
};

static struct {
	int (*look)(struct fpm_status *status, struct why *why);
	struct fpm_status now, before;
	int64_t seen, seen_before; /* clock_ms() */
	struct why why;		   /* text "": the daemon has answered */
	char pool[36];		   /* "": all */
	enum view_order order;
	size_t first; /* worker on the screen */
	bool help;
	int line; /* of the screen, to be drawn next */
} self;

static const char *
only(void)
{
	return self.pool[0] != '\0' ? self.pool : NULL;
}

/* ---- looking ------------------------------------------------------------- */

static void
refresh_status(void)
{
	struct fpm_status next;

	self.why.text[0] = '\0';
	if (self.look(&next, &self.why) == -1)
		return;
	fpm_status_free(&self.before);
	self.before = self.now;
	self.seen_before = self.seen;
	self.now = next;
	self.seen = clock_ms();
}

/* Show the pool after the present one; after the last one, all. */
static void
next_pool(void)
{
	size_t i = 0;

	while (only() != NULL && i < self.now.npools &&
	    strcmp(self.now.pools[i].name, self.pool) != 0)
		i++;
	while (only() != NULL && i < self.now.npools &&
	    strcmp(self.now.pools[i].name, self.pool) == 0)
		i++;
	snprintf(self.pool, sizeof(self.pool), "%s",
	    i < self.now.npools ? self.now.pools[i].name : "");
	self.first = 0;
}

/* ---- drawing ------------------------------------------------------------- */

static void
draw(int attributes, const char *text)
{
	if (self.line >= LINES)
		return;
	attron(attributes);
	mvaddnstr(self.line++, 0, text, COLS);
	attroff(attributes);
}

static size_t
width(void)
{
	return COLS < WIDTH_MOST ? (size_t)COLS : WIDTH_MOST;
}

/* Rows of busy workers are bold.  No row of pools is, because column 2 has
 * numbers there. */
static void
draw_table(struct table *table, size_t first, int most)
{
	char line[WIDTH_MOST + 1], titles[WIDTH_MOST + 1];

	snprintf(titles, sizeof(titles), "%-*s", (int)width(),
	    table_line(table, -1, width(), line));
	draw(A_REVERSE, titles);
	for (size_t i = first; i < table->rows && most-- > 0; i++)
		draw(strcmp(table->cells[i * table->columns + 2], "Running") ==
		    0 ? A_BOLD : A_NORMAL,
		    table_line(table, (long)i, width(), line));
}

/* A table with a row for each pool, of at most that many rows. */
static void
draw_each_pool(int most, void (*view)(const struct fpm_status *, const char *,
    const struct fpm_status *, double, struct table *))
{
	const struct fpm_status *before =
	    self.before.pools != NULL ? &self.before : NULL;
	struct table table;
	char line[64];

	view(&self.now, only(), before,
	    (double)(self.seen - self.seen_before) / 1000, &table);
	draw_table(&table, 0, most);
	if (table.rows > (size_t)most) {
		snprintf(line, sizeof(line), "... and %zu more pools",
		    table.rows - (size_t)most);
		draw(A_DIM, line);
	}
	table_free(&table);
}

/* At most a third of the screen, so that it has room for workers. */
static void
draw_pools(void)
{
	bool sockets = view_has_sockets(&self.now, only());

	draw_each_pool(sockets ? LINES / 5 : LINES / 3, view_pools);
	self.line++;
	if (!sockets)
		return;
	draw_each_pool(LINES / 7, view_sockets);
	self.line++;
}

static void
draw_workers(void)
{
	struct table table;

	view_workers(&self.now, only(), self.order, &table);
	if (self.first >= table.rows)
		self.first = table.rows > 0 ? table.rows - 1 : 0;
	draw_table(&table, self.first, LINES - self.line - 2);
	table_free(&table);
}

static void
draw_help(void)
{
	char line[80];

	draw(A_BOLD, "Keys");
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		snprintf(line, sizeof(line), "  %c      workers %s",
		    orders[i].key, orders[i].help);
		draw(A_NORMAL, line);
	}
	draw(A_NORMAL, "  f Tab  the next pool alone, after the last one all");
	draw(A_NORMAL, "  Down Up, PgDn PgUp, Home   through the workers");
	draw(A_NORMAL, "  Space  look again now");
	draw(A_NORMAL, "  h ?    this page; any key leaves it");
	draw(A_NORMAL, "  q      quit");
}

static void
draw_all(void)
{
	char line[WIDTH_MOST + 1];

	erase();
	self.line = 0;
	view_daemon(&self.now, line, sizeof(line));
	if (self.why.text[0] != '\0')
		draw(A_BOLD | A_REVERSE, fpm_visible(self.why.text,
		    strlen(self.why.text), line, sizeof(line)));
	else
		draw(A_BOLD, line);
	if (self.help)
		draw_help();
	else {
		draw_pools();
		draw_workers();
	}
	self.line = LINES - 1;
	snprintf(line, sizeof(line), "sorted by %s (t r m s p)   pool: %s (f)"
	    "   help: h   quit: q", orders[self.order].name,
	    only() != NULL ? only() : "all");
	draw(A_DIM, line);
	refresh();
}

/* ---- keys ---------------------------------------------------------------- */

static void
scroll_by(long lines)
{
	if (lines < 0 && (size_t)-lines > self.first)
		self.first = 0;
	else
		self.first += (size_t)lines;
}

static void
choose_order(int key)
{
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (orders[i].key == key) {
			self.order = (enum view_order)i;
			self.first = 0;
		}
}

static void
pressed(int key)
{
	bool was_help = self.help;

	self.help = false;
	switch (key) {
	case 'h':
	case '?':
		self.help = !was_help;
		break;
	case 'f':
	case '\t':
		next_pool();
		break;
	case KEY_DOWN:
	case KEY_UP:
		scroll_by(key == KEY_DOWN ? 1 : -1);
		break;
	case KEY_NPAGE:
	case KEY_PPAGE:
		scroll_by(key == KEY_NPAGE ? LINES / 2 : -LINES / 2);
		break;
	case KEY_HOME:
		self.first = 0;
		break;
	case KEY_RESIZE:
		self.help = was_help;
		break;
	default:
		choose_order(key);
	}
}

/* Wait for a key or for the next status, and act on it.  False: quit. */
static bool
wait_for_key(void)
{
	int64_t left = self.seen + INTERVAL - clock_ms();
	int key;

	if (self.why.text[0] != '\0' || left > INTERVAL)
		left = INTERVAL;
	timeout(left > 0 ? (int)left : 0);
	key = getch();
	if ((key == 'q' || key == 'Q') && !self.help)
		return false;
	if (key == ERR || key == ' ')
		refresh_status();
	if (key != ERR)
		pressed(key);
	return true;
}

int
fpm_top(const char *pool, int (*look)(struct fpm_status *status,
    struct why *why))
{
	SCREEN *screen;

	setlocale(LC_CTYPE, "C");
	screen = newterm(NULL, stdout, stdin);
	if (screen == NULL)
		return -1;
	self.look = look;
	snprintf(self.pool, sizeof(self.pool), "%s", pool != NULL ? pool : "");
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	set_escdelay(25);
	refresh_status();
	do
		draw_all();
	while (wait_for_key());
	endwin();
	delscreen(screen);
	fpm_status_free(&self.now);
	fpm_status_free(&self.before);
	return 0;
}
