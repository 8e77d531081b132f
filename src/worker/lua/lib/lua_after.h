#ifndef WORKER_LUA_LIB_LUA_AFTER_H
#define WORKER_LUA_LIB_LUA_AFTER_H

/*
 * What env:after has been given: functions that run when the response has been
 * sent and the connection is free, in the order in which they were given.
 */

#include "worker/lua/lib/lua_req.h"

/* Note the function at the top of the stack, which is popped.  May raise. */
void lua_after_add(struct lua_req *req, lua_State *L);

/* For lua_pcall, with no argument that it uses: call them all, also those that
 * are given meanwhile.  An error of one is logged and stops only that one.  If
 * their time is over (lua_deadline.h), that is logged and they are left. */
int lua_after_call(lua_State *L);

/* Forget those that are left; cannot raise. */
void lua_after_clear(struct lua_req *req, lua_State *L);

#endif
