#ifndef WORKER_LUA_LIB_LUA_TIMEOUT_H
#define WORKER_LUA_LIB_LUA_TIMEOUT_H

/*
 * fpm.core.timeout: shorter limits of time within the one of the present entry,
 * which always holds (watchdog.h).
 *
 *   left()               seconds that are left, nil without a limit
 *   set(seconds)         for the rest of the entry; 0: only its own limit
 *   within(seconds, f, ...)  f(...) is stopped by an error when they are over;
 *                        f cannot yield
 */

#include <lua.h>

int lua_timeout_open(lua_State *L);

#endif
