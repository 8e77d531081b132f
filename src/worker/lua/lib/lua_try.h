#ifndef WORKER_LUA_LIB_LUA_TRY_H
#define WORKER_LUA_LIB_LUA_TRY_H

/*
 * fpm.core.try: for code of the library that calls an application's function
 * and has to look at what it raises.
 *
 *   try.try(f, ...)  as pcall; but if what was raised is then raised on, by
 *                    error(raised, 0), the traceback in the log begins where
 *                    it was first raised.  f cannot yield.  What stops an
 *                    entry whose time is over is not caught.
 */

#include <lua.h>

int lua_try_open(lua_State *L);

/* The same in C, for lua_pcall(L, nargs, LUA_MULTRET, ...): returns what that
 * returns. */
int lua_try_call(lua_State *L, int nargs);

#endif
