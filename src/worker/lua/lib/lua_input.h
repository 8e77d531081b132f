#ifndef WORKER_LUA_LIB_LUA_INPUT_H
#define WORKER_LUA_LIB_LUA_INPUT_H

/*
 * env.input, the request body as one of io's files would give it: read(...)
 * and lines(...) with byte counts, "l", "L" and "a".  Streamed, read ahead by
 * a buffer at most.  Where io returns an error, this raises one: a body that
 * breaks off must not be taken for a short one.
 */

#include <lua.h>

#include "worker/lua/lib/lua_req.h"

#define LUA_INPUT "lua-fpm.input" /* the type of its handles */

/* Make the type; may raise. */
void lua_input_setup(lua_State *L);

/* If this message ended the request, was it that the client was late, left or
 * sent nonsense, rather than the application?  The errno, or 0. */
int lua_input_error(const struct lua_req *req, const char *message);

#endif
