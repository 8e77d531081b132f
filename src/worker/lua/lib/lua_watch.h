#ifndef WORKER_LUA_LIB_LUA_WATCH_H
#define WORKER_LUA_LIB_LUA_WATCH_H

/*
 * fpm.core.files: the files that the application was loaded from, and the
 * environment of its process.
 *
 *   watch(path)    note a file; returns path, or nil and a message
 *   names()        an array of those that are noted
 *   environment()  a table of the variables of the environment
 */

#include <lua.h>

#include "worker/lua/lua_files.h"

/* Make them those of the state, which must not live longer.  May raise. */
void lua_watch_keep(struct lua_files *files, lua_State *L);

int lua_watch_open(lua_State *L);

#endif
