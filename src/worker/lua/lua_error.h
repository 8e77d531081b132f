#ifndef WORKER_LUA_LUA_ERROR_H
#define WORKER_LUA_LUA_ERROR_H

/*
 * What an error of Lua code was, as a text for the log: the error object,
 * whatever its type, and the traceback, through the coroutines that it came
 * from.  Runs in the worker; knows no requests.
 */

#include <lua.h>

#define LUA_ERROR_TRACEBACK "\nstack traceback:"

/* The message handler (lua_pcall): makes a string of the error object, then
 * LUA_ERROR_TRACEBACK and a line for each frame, each after "\n\t". */
int lua_error_handler(lua_State *L);

/* The coroutine co, which L has resumed, has failed with the error on its top:
 * keep its traceback for the handler, in case L raises that error on. */
void lua_error_note(lua_State *L, lua_State *co);

/* The same for the error at index 1 of a message handler of L: keep the
 * traceback down to the lowest `below` frames, for an error that is caught and
 * then raised on. */
void lua_error_keep(lua_State *L, int below);

/* Push the place of the innermost Lua code: "app.lua:3: ", or "". */
void lua_error_place(lua_State *L);

/* Forget what lua_error_note has kept.  Cheap if that is nothing. */
void lua_error_forget(lua_State *L);

#endif
