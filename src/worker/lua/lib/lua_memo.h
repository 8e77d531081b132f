#ifndef WORKER_LUA_LIB_LUA_MEMO_H
#define WORKER_LUA_LIB_LUA_MEMO_H

/*
 * Strings that come again with the next request, in the same place: the names
 * and most values of its parameters.  A string that is the same as before is
 * pushed without hashing it.  Belongs to one Lua state and lives longer
 * than it.
 */

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define LUA_MEMO_PLACES 128

struct lua_memo { /* all zero: empty */
	struct lua_memo_place {
		const char *text; /* Lua's own, kept alive by a table */
		size_t len;
		const char *constant; /* whose copy it is, or NULL */
		unsigned learned; /* how often it has changed */
	} place[LUA_MEMO_PLACES];
};

/* Make the table in the registry, whose key is `memo`.  May raise. */
void lua_memo_setup(struct lua_memo *memo, lua_State *L);

/* Push that table, for the next function. */
void lua_memo_open(struct lua_memo *memo, lua_State *L);

/* What a push has found in its place. */
enum lua_memo_found {
	LUA_MEMO_SAME,	  /* this string */
	LUA_MEMO_LEARNED, /* another; now it holds this one */
	LUA_MEMO_FOREIGN  /* another, which it keeps; or no such place */
};

/* lua_memo_push of what is not in its place. */
enum lua_memo_found lua_memo_learn(struct lua_memo *memo, lua_State *L,
    int table, size_t i, const char *text, size_t n, bool constant);

static inline bool
lua_memo_has(const struct lua_memo_place *place, const char *text, size_t n,
    bool constant)
{
	if (constant && place->constant == text)
		return true;
	return place->text != NULL && place->len == n &&
	    memcmp(place->text, text, n) == 0;
}

/* Push n bytes as a string, as lua_pushlstring does; `table` is the index of
 * the table, any place i >= 0 will do.  constant: what stands at this address
 * never changes, and needs no comparison.  Raises if memory runs out. */
static inline enum lua_memo_found
lua_memo_push(struct lua_memo *memo, lua_State *L, int table, size_t i,
    const char *text, size_t n, bool constant)
{
	if (i < LUA_MEMO_PLACES &&
	    lua_memo_has(&memo->place[i], text, n, constant)) {
		lua_rawgeti(L, table, (lua_Integer)i + 1);
		return LUA_MEMO_SAME;
	}
	return lua_memo_learn(memo, L, table, i, text, n, constant);
}

#endif
