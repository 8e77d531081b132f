#ifndef WORKER_LUA_LUA_TRACE_H
#define WORKER_LUA_LUA_TRACE_H

/*
 * Where the Lua code that runs is at this moment, as text: a line for each
 * frame, innermost first, through all coroutines.  Runs in the worker; knows
 * no requests.  Nothing here allocates, and no system call of the application
 * is interrupted: how that can be is told in lua_trace.c.
 */

#include <stdbool.h>
#include <stddef.h>

#define LUA_TRACE_SIZE 16384

/* Once, by the thread that runs Lua: at most so many frames are shown.  False
 * if that thread cannot be asked; a copy of it still can be looked at. */
bool lua_trace_init(unsigned depth);

/* From another thread: let the code that runs say where it is as soon as it
 * executes an instruction of Lua.  What it has said since, NULL: nothing. */
void lua_trace_ask(void);
const char *lua_trace_answer(void);

/* From any thread: nobody wants to know any more. */
void lua_trace_forget(void);

/* Without being asked, where it is; for a copy of the process, where nothing
 * moves.  The length of the text, 0: no Lua code runs. */
size_t lua_trace_look(char *out, size_t n);

#endif
