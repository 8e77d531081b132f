#ifndef WORKER_LUA_LIB_LUA_ENV_H
#define WORKER_LUA_LIB_LUA_ENV_H

/*
 * The request as an application sees it: env is a plain table that holds the
 * parameters and nothing else; its metatable answers lower-case names.
 *
 *   env.input    the body, see lua_input.h
 *   env.errors   :write(...), as of a file: the error log, line by line
 *   env.aborted  has the client left?  Asks the system.
 *   env.id       the request's id in logs
 *
 * After the request these raise "the request is over"; the table stays.
 */

#include <lua.h>

#include "worker/lua/lib/lua_req.h"

/* Make the metatables; may raise. */
void lua_env_setup(struct lua_req *req, lua_State *L);

/* Push the env of the request, once per request.  Raises for lack of memory
 * only. */
void lua_env_push(struct lua_req *req, lua_State *L);

/* At the end of the request: log what env.errors holds of a line. */
void lua_env_flush(struct lua_req *req);

#endif
