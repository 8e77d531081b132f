#include "worker/process/entry.h"

#include "base/buf.h"
#include "base/clock.h"
#include "worker/cgi/cgi.h"
#include "worker/lua/lua_deadline.h"
#include "worker/serve/place.h"
#include "worker/serve/watchdog.h"

#define MARGIN_MOST 1000 /* ms of timeouts.stop that are kept, see margin */

static struct {
	struct watchdog_watch watch[LUA_ENTRIES];
	void (*stuck)(const char *text);
	enum lua_entry entry; /* the present one */
	int64_t begun;	/* clock_us() of it, or of the one it goes on from */
} self;

static void
stuck(void)
{
	const char *what = lua_deadline_errors[self.entry];
	struct buf text = { 0 };

	buf_addf(&text, "%s and does not let itself be stopped", what);
	place_add(&text);
	self.stuck(buf_string(&text) != NULL ? text.data : what);
}

/* ms by which a late stop is interrupted early, so that the log can name the
 * place and the process ends before the master kills it at timeouts.stop. */
static int64_t
margin(const struct conf_pool *pool)
{
	int64_t tenth = pool->timeouts.stop / 10;

	return tenth < MARGIN_MOST ? tenth : MARGIN_MOST;
}

void
entry_init(const struct conf_pool *pool, void (*end)(const char *))
{
	const int64_t limits[LUA_ENTRIES] = {
		[LUA_LOAD] = pool->timeouts.start,
		[LUA_SETUP] = pool->timeouts.start,
		[LUA_START] = pool->timeouts.start,
		[LUA_AFTER] = pool->timeouts.after,
		[LUA_INTERVAL] = pool->timeouts.request,
		[LUA_RESTART] = pool->timeouts.start,
		[LUA_STOP] = pool->timeouts.stop - margin(pool),
		[LUA_CLOSE] = pool->timeouts.stop - margin(pool) / 2,
	};

	for (int i = 0; i < LUA_ENTRIES; i++)
		self.watch[i] = (struct watchdog_watch){ .limit = limits[i],
			.overdue = lua_deadline_expire, .stuck = stuck };
	if (pool->interface == INTERFACE_CGI)
		self.watch[LUA_AFTER].overdue = cgi_expire;
	self.watch[LUA_CLOSE].overdue = NULL; /* no hook reaches __gc */
	self.stuck = end;
}

void
entry_share(enum lua_entry entry, void (*late)(void))
{
	self.watch[entry].late = late;
}

static bool
goes_on(enum lua_entry entry)
{
	return ((entry == LUA_SETUP || entry == LUA_START) &&
		   self.entry == LUA_LOAD) ||
	    (entry == LUA_CLOSE && self.entry == LUA_STOP);
}

void
entry_begin(enum lua_entry entry)
{
	if (!goes_on(entry))
		self.begun = clock_us();
	self.entry = entry;
	watchdog_enter(&self.watch[entry], self.begun);
}

void
entry_end(void)
{
	watchdog_leave();
}
