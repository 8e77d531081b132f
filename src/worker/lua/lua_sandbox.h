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

/*
 * Cut a fresh state down to what `lua` allows (NULL: its defaults), and put
 * the directory of the application `file` first on package.path.  To be
 * called inside lua_state_call, after everything that puts functions of ours
 * in the place of Lua's, and before anything that keeps Lua's own where the
 * debug library can find them.
 */
void lua_sandbox_apply(lua_State *L, const struct conf_lua *lua,
    const char *file);

#endif
