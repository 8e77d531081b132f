#ifndef WORKER_LUA_LIB_LUA_SCRIPT_H
#define WORKER_LUA_LIB_LUA_SCRIPT_H

/*
 * fpm.core.script: which Lua file below a root a request names (script.h), for
 * fpm.files.
 *
 *   look(root, filename, directory, name[, stamp])
 *     filename, directory, name: SCRIPT_FILENAME, DOCUMENT_ROOT, SCRIPT_NAME, or
 *     nil.  Returns the file's path without links, how many bytes at the end of
 *     the name are behind it, its stamp, which changes with the file, and its
 *     text, nil if it still has the stamp that is given; or nil, the HTTP status
 *     of the answer, why, and whether an administrator wants to know.
 *   now()
 *     milliseconds since some time.
 */

#include <lua.h>

int lua_script_open(lua_State *L);

#endif
