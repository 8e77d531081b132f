#include "worker/lua/lib/lua_timeout.h"

#include <lauxlib.h>


#include "worker/lua/lib/lua_try.h"
#include "worker/lua/lua_deadline.h"
#include "worker/serve/watchdog.h"

#define MOST 1e9 /* seconds; more is no limit at all */

/* What set() cannot exceed, as struct watchdog_limit: the limit of the
 * innermost within(), else that of the entry. */
static struct {
	unsigned entry; /* to which it belongs */
	int64_t ms;
} cap;

static int64_t
cap_now(void)
{
	if (cap.entry != watchdog_entry()) {
		cap.entry = watchdog_entry();
		cap.ms = watchdog_own_limit();
	}
	return cap.ms;
}

static int64_t
sooner(int64_t a, int64_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

/* The limit that so many seconds from now are; at least 1 ms, as 0 is none. */
static int64_t
check_seconds(lua_State *L)
{
	lua_Number seconds = luaL_checknumber(L, 1);
	int64_t ms;

	luaL_argcheck(L, seconds >= 0 && seconds <= MOST, 1,
	    "a number of seconds up to 1e9 expected");
	ms = watchdog_elapsed() + (int64_t)(seconds * 1000);
	return ms > 0 ? ms : 1;
}

static int
left(lua_State *L)
{
	struct watchdog_limit limit = watchdog_limit();
	int64_t ms = limit.ms - watchdog_elapsed();

	if (limit.ms == 0)
		luaL_pushfail(L);
	else
		lua_pushnumber(L, (lua_Number)(ms > 0 ? ms : 0) / 1000);
	return 1;
}

static int
set(lua_State *L)
{
	int64_t ms = check_seconds(L);
	struct watchdog_limit limit = watchdog_limit();

	if (lua_tonumber(L, 1) == 0)
		ms = 0;
	limit.ms = sooner(ms, cap_now());
	watchdog_set_limit(limit);
	if (!limit.soft)
		lua_deadline_say(ms != 0 && limit.ms == ms ?
		    "the request exceeds what fpm.timeout allows it" : NULL);
	return 0;
}

/* True if the time that held before is over as well. */
static bool
is_over(struct watchdog_limit before)
{
	return before.ms != 0 && watchdog_elapsed() >= before.ms;
}

/* The function at 2, and its arguments, under the limit ms. */
static int
call_within(lua_State *L, int64_t ms)
{
	const struct watchdog_limit before = watchdog_limit();
	const int64_t cap_before = cap_now();
	const char *said;
	int status;

	cap.ms = ms;
	said = lua_deadline_say("the time that fpm.timeout gives is over");
	watchdog_set_limit((struct watchdog_limit){ ms, true });
	status = lua_try_call(L, lua_gettop(L) - 2);
	cap.ms = cap_before;
	watchdog_set_limit(before);
	lua_deadline_say(said);
	if (!is_over(before))
		lua_deadline_forgive(L);
	if (status != LUA_OK)
		return lua_error(L);
	return lua_gettop(L) - 1;
}

static int
within(lua_State *L)
{
	int64_t ms = check_seconds(L), now = watchdog_limit().ms;

	luaL_checktype(L, 2, LUA_TFUNCTION);
	if (sooner(ms, now) == ms)
		return call_within(L, ms);
	lua_call(L, lua_gettop(L) - 2, LUA_MULTRET);
	return lua_gettop(L) - 1;
}

int
lua_timeout_open(lua_State *L)
{
	static const luaL_Reg functions[] = { { "left", left }, { "set", set },
		{ "within", within }, { NULL, NULL } };

	luaL_newlib(L, functions);
	return 1;
}
