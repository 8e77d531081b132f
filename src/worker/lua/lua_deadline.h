#ifndef WORKER_LUA_LUA_DEADLINE_H
#define WORKER_LUA_LUA_DEADLINE_H

/*
 * Stops Lua code whose time is over.  A signal handler sets a hook on the
 * state that runs (lua_sethook may be called from one: Lua manual, 4.7); the
 * hook raises an error, and raises it again at every step until the outermost
 * call has returned, so that neither pcall nor a loop around it goes on.
 * Coroutines are states of their own: what resumes or closes them is ours
 * (coroutine.resume, wrap and close), to know which one runs.  Costs nothing
 * before the time is over.  Out of reach are C functions, __gc methods, and
 * __close methods of a coroutine that was itself stopped: Lua calls no hook
 * there.
 */

#include <lua.h>
#include <stdbool.h>

#include "worker/lua/lua_entry.h"

struct lua_runner {
	lua_State *L;
	const struct lua_runner *resumer; /* waits for it; NULL: nobody */
};

/* "restart exceeds timeouts.start": the error that stops it. */
extern const char *const lua_deadline_errors[LUA_ENTRIES];

/* Once, by the thread that runs Lua: take the signal. */
void lua_deadline_init(void);

/* Put our functions into the table coroutine.  To be called inside
 * lua_state_call. */
void lua_deadline_setup(lua_State *L);

/* From here on L runs; it has ended, whichever way. */
void lua_deadline_begin(lua_State *L, enum lua_entry entry);
void lua_deadline_end(lua_State *L);

/* What runs, NULL: nothing does.  It is true for the thread that runs it, a
 * signal handler of that, or a copy of the process. */
const struct lua_runner *lua_deadline_runner(void);

/* The time is over: send the main thread the signal.  From any thread. */
void lua_deadline_expire(void);

/* Has it been over since lua_deadline_begin? */
bool lua_deadline_expired(void);

#endif
