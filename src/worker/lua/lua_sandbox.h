#ifndef WORKER_LUA_LUA_SANDBOX_H
#define WORKER_LUA_LUA_SANDBOX_H

/*
 * What the Lua code of a pool may reach (group `lua` of lua-fpm.conf(5)):
 * where modules are found, which functions and libraries there are, and
 * whether precompiled code is loaded.  Runs in the worker and in -t, once,
 * before any code of the application.  Knows no request.
 */

#include <lua.h>

#include "conf/conf.h"
#include "worker/lua/lua_chunks.h"

/*
 * Cut a fresh state down to what `lua` allows (NULL: its defaults), and put
 * the directory of the application `file` first on package.path.  To be
 * called inside lua_state_call, after all that replaces functions of Lua by
 * ours, and before all that keeps functions of Lua as upvalues, where the debug
 * library can find them (lua_files_watch).  chunks (all zero) keeps what
 * string.dump makes; to be freed after the state is closed.
 */
void lua_sandbox_apply(lua_State *L, const struct conf_lua *lua,
    const char *file, struct lua_chunks *chunks);

#endif
