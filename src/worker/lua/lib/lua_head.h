#ifndef WORKER_LUA_LIB_LUA_HEAD_H
#define WORKER_LUA_LIB_LUA_HEAD_H

/*
 * The headers that accept returned: a table, name -> string, number, or array
 * of those.  Status: a number, a text, or { number, text }.  The table is
 * read raw (no metamethods).
 */

#include <lua.h>

#include "base/why.h"
#include "worker/serve/response.h"

/* Read the table at the absolute index `headers` into r.  0, or -1 and why;
 * after -1 values are left on top of the stack. */
int lua_head_read(lua_State *L, int headers, struct response *r,
    struct why *why);

/* Read the status at the absolute index `value` into r.  Returns likewise. */
int lua_head_status(lua_State *L, int value, struct response *r,
    struct why *why);

#endif
