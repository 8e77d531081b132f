#ifndef WORKER_LUA_LIB_LUA_FORM_H
#define WORKER_LUA_LIB_LUA_FORM_H

/*
 * fpm.core.form, what src/lua/fpm/form.lua needs in C; src/lua/fpm/
 * form_plain.lua is the same in Lua, and says what each function does.
 * Files of uploads are files of io whose content may be gone when the request
 * is over: they are closed then.
 */

#include <lua.h>

/* Push the module. */
int lua_form_open(lua_State *L);

/* The request is over: close the files of its uploads.  Cheap if there are
 * none. */
void lua_form_end(void);

#endif
