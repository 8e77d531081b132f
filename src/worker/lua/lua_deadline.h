#ifndef WORKER_LUA_LUA_DEADLINE_H
#define WORKER_LUA_LUA_DEADLINE_H

/*
 * Stops Lua code whose time is over.  A signal handler sets a hook on the
 * state that runs (lua_sethook may be called from one: Lua manual, 4.7).  The
 * hook raises an error, and raises it again at every step until the outermost
 * call has returned, so that neither pcall nor a loop around it goes on.
 * Coroutines are states of their own: coroutine.resume, wrap and close are
 * replaced by ours, so that it is known which one runs.  Costs nothing before
 * the time is over.  Cannot stop C functions, __gc methods, and __close methods
 * of a coroutine that was itself stopped: Lua calls no hook there.
 */

#include <lua.h>
#include <stdbool.h>

#include "worker/lua/lua_entry.h"

struct lua_runner {
	lua_State *L;
	const struct lua_runner *resumer; /* which waits for it; NULL: none */
};

/* The message of the error that stops an entry: "restart exceeds
 * timeouts.start". */
extern const char *const lua_deadline_errors[LUA_ENTRIES];

/* By the thread that runs Lua, before an entry: install the handler. */
void lua_deadline_init(void);

/* Put our functions into the table coroutine.  To be called inside
 * lua_state_call. */
void lua_deadline_setup(lua_State *L);

/* L is about to run this entry. */
void lua_deadline_begin(lua_State *L, enum lua_entry entry);

/* The entry has returned or raised. */
void lua_deadline_end(lua_State *L);

/* The state that runs, NULL if none does.  Only for the thread that runs Lua,
 * a signal handler in it, or a copy of the process (snapshot.h). */
const struct lua_runner *lua_deadline_runner(void);

/* The time of the entry is over: send the signal to the thread that runs Lua.
 * From any thread. */
void lua_deadline_expire(void);

/* True if the time was over for the entry that began last. */
bool lua_deadline_expired(void);

/* What the error says instead of lua_deadline_errors, until the entry ends; NULL:
 * that again.  Returns what it said before. */
const char *lua_deadline_say(const char *text);

/* Where a C function has caught that error: raise it again, the error at the top
 * of L's stack, as it is. */
int lua_deadline_raise(lua_State *L);

/* A limit that was shorter than the entry's holds no longer: L goes on, even if
 * its time was over. */
void lua_deadline_forgive(lua_State *L);

#endif
