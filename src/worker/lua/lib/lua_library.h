#ifndef WORKER_LUA_LIB_LUA_LIBRARY_H
#define WORKER_LUA_LIB_LUA_LIBRARY_H

/*
 * The modules that come with the daemon: those of src/lua/, whose text is part
 * of the program, and the halves of them that are C, fpm.core.NAME.
 */

#include <lua.h>
#include <stddef.h>

struct lua_library_source {
	const char *module; /* as for require */
	const char *chunk;  /* its name in messages, "@fpm/url.lua" */
	const unsigned char *text;
	size_t len;
};

/* Made from src/lua/ when the program is built; ends with one without a
 * name. */
extern const struct lua_library_source lua_library_sources[];

/* Let require find the modules, before any of package.path.  To be called when
 * package.searchers is as the application will have it.  May raise. */
void lua_library_setup(lua_State *L);

/* Push what require would return for one of the modules, also if the
 * application cannot reach require.  Raises if the module does. */
void lua_library_push(lua_State *L, const char *module);

#endif
