#ifndef WORKER_LUA_LIB_LUA_TEXT_H
#define WORKER_LUA_LIB_LUA_TEXT_H

/*
 * fpm.core.text: what fpm.html and fpm.url have to be fast at, the same as in
 * src/lua/fpm/text_plain.lua: escape(text), encode(text), decode(text, plus).
 * Their errors name the functions of these modules.
 */

#include <lua.h>

int lua_text_open(lua_State *L);

#endif
