#ifndef CONF_CONF_LUA_H
#define CONF_CONF_LUA_H

/*
 * The names that lua.libraries and lua.disable may have: the libraries of Lua
 * 5.4 and their functions.  Pure tables, so that a misspelt name is found
 * when the configuration is read, without a Lua state in the master.
 */

#include <stdbool.h>

#define CONF_LUA_ALL "all" /* as the only item of lua.libraries */
#define CONF_LUA_OWN ";;"  /* in a path: Lua's own path, as in LUA_PATH */

/* "base", "package", "coroutine" ...; NULL at the end. */
extern const char *const conf_lua_libraries[];

/* "print", "os.execute" ..., including those that only a Lua built to be
 * compatible with 5.3 has; NULL at the end. */
extern const char *const conf_lua_functions[];

/* True if the table `names`, which ends with NULL, has the name. */
bool conf_lua_is(const char *const *names, const char *name);

#endif
