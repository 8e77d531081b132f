#ifndef WORKER_LUA_LIB_LUA_ENV_H
#define WORKER_LUA_LIB_LUA_ENV_H

/*
 * The request as an application sees it: env is a plain table that holds the
 * parameters and nothing else; its metatable answers lower-case names.
 *
 *   env.input    the body, see lua_input.h
 *   env.data     of a filter: its second body, likewise; else nil
 *   env.errors   :write(...), as of a file: the error log, line by line
 *   env.aborted  true if the client has left; costs a system call
 *   env.id       the request's id in logs
 *   env.role     "responder", "authorizer" or "filter"
 *
 * After the request these raise "the request is over"; the parameters stay.
 */

#include <lua.h>

#include "worker/lua/lib/lua_req.h"

/* Make the metatables; may raise. */
void lua_env_setup(struct lua_req *req, lua_State *L);

/* Push the env of the request, once per request.  Raises only if memory runs
 * out. */
void lua_env_push(struct lua_req *req, lua_State *L);

/* At the end of the request: log the last line of env.errors, if it has no
 * newline. */
void lua_env_flush(struct lua_req *req);

#endif
