#ifndef WORKER_LUA_LUA_INTERFACE_H
#define WORKER_LUA_LUA_INTERFACE_H

/*
 * Applications that are written for another interface than lua-fpm's own: a
 * module of the library, fpm.NAME, makes a table of functions of what they are.
 *
 * The module can be called: fpm.NAME(value, options) takes what the file
 * returned.  With a function `load` it loads the file itself: load(file,
 * options).  options has the keys of the pool that are for interfaces.
 */

#include <lua.h>

#include "conf/conf.h"

/* Load `file` and run it, through the module of the pool's interface (NULL:
 * native).  0, and what it is made of is on the stack; or -1, and a message. */
int lua_interface_load(lua_State *L, const char *file,
    const struct conf_pool *pool);

/* Raise if the first argument, which is what lua_interface_load left, is no
 * table with an accept: the message says so, and names the interface that would
 * take it if there is one. */
void lua_interface_judge(lua_State *L, const char *file);

#endif
