#ifndef WORKER_LUA_LUA_PROCESS_H
#define WORKER_LUA_LUA_PROCESS_H

/*
 * print, os.execute and io.popen as Lua has them (manual, 6.1, 6.8 and 6.9),
 * except that a line that is printed is one write, and that children start with
 * the default treatment of signals.  A worker keeps TERM, HUP and QUIT blocked
 * and ignores PIPE; a child of system(3) or popen(3) would inherit that and
 * could not be ended.  Runs in the worker.
 */

#include <lua.h>

/* Replace Lua's functions by these, in the libraries that are loaded. */
void lua_process_setup(lua_State *L);

#endif
