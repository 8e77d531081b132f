#include "worker/lua/lib/lua_after.h"

#include "worker/lua/lua_deadline.h"
#include "worker/lua/lua_error.h"

static const char key; /* of the registry: the array of functions */

void
lua_after_add(struct lua_req *req, lua_State *L)
{
	if (req->nafter == 0) {
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
	} else {
		lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
	}
	lua_insert(L, -2);
	lua_rawseti(L, -2, req->nafter + 1);
	req->nafter++;
	lua_pop(L, 1);
}

static void
log_error_at_top(struct lua_req *req, lua_State *L)
{
	size_t n;
	const char *message;

	lua_pushliteral(L, "after: ");
	lua_insert(L, -2);
	lua_concat(L, 2);
	message = lua_tolstring(L, -1, &n);
	lua_req_log(req, LEVEL_ERROR, message, n);
	lua_pop(L, 1);
}

int
lua_after_call(lua_State *L)
{
	struct lua_req *req = lua_req_of(L);
	lua_Integer i;

	lua_settop(L, 0);
	lua_pushcfunction(L, lua_error_handler);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
	for (i = 1; i <= req->nafter && !lua_deadline_expired(); i++) {
		lua_rawgeti(L, 2, i);
		if (lua_pcall(L, 0, 0, 1) != LUA_OK)
			log_error_at_top(req, L);
	}
	return 0;
}

void
lua_after_clear(struct lua_req *req, lua_State *L)
{
	req->nafter = 0;
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
}
