#ifndef WORKER_LUA_LIB_LUA_INPUT_H
#define WORKER_LUA_LIB_LUA_INPUT_H

/*
 * env.input, the request body with the methods of a file of io: read(...) and
 * lines(...) with byte counts, "l", "L" and "a".  It is streamed, and read
 * ahead by one buffer at most.  Where io returns an error, this raises one, so
 * that a body that breaks off is not taken for a short one.
 *
 * env.data is the same for the second body that a filter has.  With the first
 * read of it the first body is over: what has not been read of it is dropped.
 */

#include <lua.h>

#include "worker/lua/lib/lua_req.h"

#define LUA_INPUT "lua-fpm.input" /* the type of its handles */

#define LUA_INPUT_DATA "lua-fpm.data" /* of those of the second body */

/* Make the types of handles; may raise. */
void lua_input_setup(lua_State *L);

/* The errno of reading the body (as request_ops.read) if the error
 * with this message came from that; 0 if it is the application's own. */
int lua_input_error(const struct lua_req *req, const char *message);

#endif
