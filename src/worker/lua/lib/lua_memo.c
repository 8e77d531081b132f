#include "worker/lua/lib/lua_memo.h"

#define LENGTH_MOST  64 /* bytes; longer ones are seldom the same */
#define LEARNED_MOST 16 /* a place that goes on changing is given up */

void
lua_memo_setup(struct lua_memo *memo, lua_State *L)
{
	lua_createtable(L, LUA_MEMO_PLACES, 0);
	lua_rawsetp(L, LUA_REGISTRYINDEX, memo);
}

void
lua_memo_open(struct lua_memo *memo, lua_State *L)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, memo);
}

/* The string at the top, a copy of `constant` if that is not NULL.  The table
 * holds it before the place points at it. */
static void
keep(struct lua_memo_place *place, lua_State *L, int table, size_t i,
    const char *constant)
{
	place->text = place->constant = NULL;
	lua_pushvalue(L, -1);
	lua_rawseti(L, table, (lua_Integer)i + 1);
	place->text = lua_tolstring(L, -1, &place->len);
	place->constant = constant;
	place->learned++;
}

enum lua_memo_found
lua_memo_learn(struct lua_memo *memo, lua_State *L, int table, size_t i,
    const char *text, size_t n, bool constant)
{
	lua_pushlstring(L, text, n);
	if (i >= LUA_MEMO_PLACES || n > LENGTH_MOST ||
	    memo->place[i].learned == LEARNED_MOST)
		return LUA_MEMO_FOREIGN;
	keep(&memo->place[i], L, table, i, constant ? text : NULL);
	return LUA_MEMO_LEARNED;
}
