#ifndef WORKER_LUA_LUA_CHECK_H
#define WORKER_LUA_LUA_CHECK_H

/*
 * Are Lua values what a contract wants, and if not, what are they, in words.
 * Tables are looked at raw.  Nothing here raises but for lack of memory.
 */

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"

#define LUA_CHECK_TYPE 32 /* room for what lua_check_type says */

/* A string, or a number, which is as good as one (as for table.concat)? */
bool lua_check_text(lua_State *L, int index);

/* "a boolean", "a table", "nil".  Returns out. */
const char *lua_check_type(lua_State *L, int index, char out[LUA_CHECK_TYPE]);

/* Why: "WHAT is a boolean, expected EXPECTATION".  Returns -1. */
int lua_check_failed(lua_State *L, int index, const char *what,
    const char *expectation, struct why *why);

/*
 * Is the table at the absolute index an array of texts: keys 1 to # and no
 * others?  The sum of their lengths, or -1 and why.  After -1 the stack has
 * values on top.
 */
int64_t lua_check_list(lua_State *L, int list, const char *what,
    struct why *why);

#endif
