#ifndef WORKER_LUA_LUA_STATE_H
#define WORKER_LUA_LUA_STATE_H

/*
 * A Lua state: opened with its libraries, the application's file loaded, and
 * protected calls.  Slot LUA_STATE_HANDLER of the stack holds the message
 * handler for as long as the state lives.  Knows nothing of requests, and
 * decides nothing: errors come back as texts.
 */

#include <lua.h>
#include <stdbool.h>

#include "base/why.h"

#define LUA_STATE_HANDLER 1

/* A state with the standard libraries, and only the handler on its stack.
 * Warnings (errors in __gc among them) go to stderr.  NULL: no memory.  To be
 * closed by lua_close. */
lua_State *lua_state_open(void);

/* Load the file as text and run it, protected as by lua_state_call.  0: its
 * first result is on the stack; -1: a message is. */
int lua_state_load(lua_State *L, const char *file);

/*
 * lua_pcall with the handler.  0, and the results are on the stack; -1, and a
 * message is, a string that ends with the traceback.  Not for C functions that
 * Lua has called: the handler is not in their frame.
 */
int lua_state_call(lua_State *L, int nargs, int nresults);

/* Such a message, which is on the stack and stays there, and its length: it may
 * have NULs. */
const char *lua_state_message(lua_State *L, size_t *n);

/* The length of such a message, n bytes, without its traceback. */
size_t lua_state_message_len(const char *message, size_t n);

/*
 * Pop the message from the stack and put it into why, on one line; `traced`:
 * with its traceback.  `file` is named in full where Lua has shortened it, and
 * in front if the message names no place.
 */
void lua_state_why(lua_State *L, const char *file, bool traced,
    struct why *why);

/*
 * Between two uses: collect garbage if the heap is several times larger than
 * *settled, its size in KB after the last collection here (0 at first).
 * Without this, a large response would stay in memory after it was sent until
 * as much again was allocated: the collector paces itself by what it last found
 * alive.
 */
void lua_state_settle(lua_State *L, int *settled);

/* 1 if the value can be called (a function, or it has __call), else 0. */
int lua_state_callable(lua_State *L, int index);

/* Keep a pointer in the registry, under the address `key`, and get it: NULL if
 * none is kept.  Keeping may raise. */
void lua_state_keep(lua_State *L, const void *key, const void *pointer);
void *lua_state_kept(lua_State *L, const void *key);

#endif
