#ifndef WORKER_LUA_LIB_LUA_CURRENT_H
#define WORKER_LUA_LIB_LUA_CURRENT_H

/*
 * fpm.core.current: the request that is being served, for modules of the
 * library that are not given its env.
 *
 *   serving()    true if there is a request
 *   param(name)  the value of its first parameter of that name, or nil
 */

#include <lua.h>

int lua_current_open(lua_State *L);

#endif
