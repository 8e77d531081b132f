#ifndef WORKER_LUA_LIB_LUA_RESPOND_H
#define WORKER_LUA_LIB_LUA_RESPOND_H

/*
 * fpm.core.request: the methods of env that are C.  env:respond(status, headers)
 * begins a response that is written piece by piece, and returns its handle;
 * env:after(f) notes a function for when the response has been sent
 * (lua_after.h).  status(env, n) is for interfaces that know a status of the
 * application.
 */

#include <lua.h>

int lua_respond_open(lua_State *L);

#endif
