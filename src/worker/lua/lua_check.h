#ifndef WORKER_LUA_LUA_CHECK_H
#define WORKER_LUA_LUA_CHECK_H

/*
 * Checks whether Lua values are what is expected, and says in words what they
 * are if not.  Tables are read raw (no metamethods).  Raises only if memory
 * runs out.
 */

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"

#define LUA_CHECK_TYPE 32 /* room for what lua_check_type says */

/* True for a string, and for a number, which counts as one (as for
 * table.concat). */
bool lua_check_text(lua_State *L, int index);

/* Name the type of a value: "a boolean", "a table", "nil".  Returns out. */
const char *lua_check_type(lua_State *L, int index, char out[LUA_CHECK_TYPE]);

/* Set why to "WHAT is a boolean, expected EXPECTATION".  Returns -1. */
int lua_check_failed(lua_State *L, int index, const char *what,
    const char *expectation, struct why *why);

/*
 * Check that the table at the absolute index is an array of texts, with the
 * keys 1 to # and no others.  Returns the sum of their lengths, or -1 and why;
 * after -1 values are left on top of the stack.
 */
int64_t lua_check_list(lua_State *L, int list, const char *what,
    struct why *why);

#endif
