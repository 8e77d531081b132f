#ifndef WORKER_LUA_GUARD_H
#define WORKER_LUA_GUARD_H

/*
 * Stops Lua code whose time is over.  A signal handler sets a hook on the
 * state that runs (lua_sethook may be called from one: Lua manual, 4.7); the
 * hook raises an error, and raises it again at every step until the outermost
 * call has returned, so that neither pcall nor a loop around it goes on.
 * Coroutines are states of their own: coroutine.resume and coroutine.wrap are
 * ours, to know which one runs.  Costs nothing before the time is over.
 */

#include <lua.h>
#include <stdbool.h>

struct lua_runner {
	lua_State *L;
	const struct lua_runner *resumer; /* waits for it; NULL: nobody */
};

/* Put our coroutine.resume and coroutine.wrap in place, and take the signal.
 * To be called inside lua_state_call. */
void lua_guard_setup(lua_State *L);

/* From here on L runs; it has ended, whichever way. */
void lua_guard_begin(lua_State *L);
void lua_guard_end(lua_State *L);

/* What runs, NULL: nothing does.  It is true for the thread that runs it, a
 * signal handler of that, or a copy of the process. */
const struct lua_runner *lua_guard_runner(void);

/* The time is over: send the main thread the signal.  From any thread. */
void lua_guard_expire(void);

/* Has it been over since lua_guard_begin? */
bool lua_guard_expired(void);

#endif
