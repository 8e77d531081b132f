#ifndef WORKER_LUA_LUA_TRACE_H
#define WORKER_LUA_LUA_TRACE_H

/*
 * The place where the running Lua code is at this moment, as text: a line for
 * each frame, innermost first, through all coroutines.  Nothing here allocates,
 * and no system call of the application is interrupted; lua_trace.c tells how.
 * Runs in the worker; knows no requests.
 */

#include <stdbool.h>
#include <stddef.h>

#define LUA_TRACE_SIZE 16384

/* Once, by the thread that runs Lua: show at most `depth` frames.  False if
 * lua_trace_ask will have no effect; lua_trace_look works all the same. */
bool lua_trace_init(unsigned depth);

/* From another thread: ask the running code for its place, which it tells at
 * its next instruction of Lua. */
void lua_trace_ask(void);

/* The answer since lua_trace_ask, valid until the next one; NULL: none yet. */
const char *lua_trace_answer(void);

/* From any thread: withdraw the question and drop the answer. */
void lua_trace_forget(void);

/* Write the place to out, n bytes, terminated.  Only where nothing changes: in
 * a copy of the process (snapshot.h), or within a call from the thread that
 * runs Lua.  The length of the text, 0 if no Lua code runs. */
size_t lua_trace_look(char *out, size_t n);

#endif
