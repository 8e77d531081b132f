#ifndef WORKER_LUA_LUA_PROCESS_H
#define WORKER_LUA_LUA_PROCESS_H

/*
 * print, os.execute and io.popen, as Lua's (manual, 6.1, 6.8 and 6.9), but a
 * line that is printed is one write, and children know nothing of how a worker
 * treats signals: it keeps TERM, HUP and QUIT blocked and ignores PIPE, and
 * what is started by system(3) or popen(3) would inherit that and could not be
 * ended.  Runs in the worker.
 */

#include <lua.h>

/* Put them in place of Lua's, where these are there. */
void lua_process_setup(lua_State *L);

#endif
