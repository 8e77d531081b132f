#ifndef WORKER_LUA_LUA_STATE_H
#define WORKER_LUA_LUA_STATE_H

/*
 * A Lua state's life: libraries, the file of the application, and calls under
 * protection.  Slot LUA_STATE_HANDLER of the stack holds the message handler
 * for as long as the state lives.  Knows nothing of requests, and decides
 * nothing: errors come back as texts.
 */

#include <lua.h>
#include <stdbool.h>

#include "base/why.h"

#define LUA_STATE_HANDLER 1

/* A state with the standard libraries and an empty stack but for the handler;
 * warnings (errors in __gc among them) go to stderr.  NULL: no memory.  Its
 * end is lua_close. */
lua_State *lua_state_open(void);

/* Load the file as text and run it, as lua_state_call.  0: its first result is
 * on the stack, -1: a message. */
int lua_state_load(lua_State *L, const char *file);

/*
 * lua_pcall with the handler.  0, or -1: instead of results there is a
 * message, a string with the traceback after it.  Not to be used inside of a
 * C function that Lua called: the handler is not in its frame.
 */
int lua_state_call(lua_State *L, int nargs, int nresults);

/* How much of such a message comes before its traceback. */
size_t lua_state_message_len(const char *message);

/*
 * The message on top of the stack, on one line, to why; popped.  `traced`:
 * with its traceback.  `file` is named in full where Lua shortened it, and in
 * front if the message names no place.
 */
void lua_state_why(lua_State *L, const char *file, bool traced,
    struct why *why);

/*
 * Between two uses: collect garbage if the heap is some times larger than it
 * was after the last time, *settled in KB (0 at first).  The collector alone
 * paces itself by what it last found alive, so that one large response, once
 * sent, would stay until as much again has been allocated.
 */
void lua_state_settle(lua_State *L, int *settled);

/* Can the value be called: a function, or something with __call? */
int lua_state_callable(lua_State *L, int index);

#endif
