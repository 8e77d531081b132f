#include "worker/lua/lib/lua_worker.h"

#include <lauxlib.h>

#include <unistd.h>

#include "base/log.h"
#include "worker/lua/lib/lua_req.h"
#include "worker/lua/lua_state.h"

static const char keeper; /* of the registry: struct lua_worker */

void
lua_worker_keep(const struct lua_worker *worker, lua_State *L)
{
	lua_state_keep(L, &keeper, worker);
}

static int
pid(lua_State *L)
{
	lua_pushinteger(L, getpid());
	return 1;
}

static int
requests(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)lua_req_of(L)->serial);
	return 1;
}

static int
retire(lua_State *L)
{
	lua_req_of(L)->retires = true;
	return 0;
}

static enum log_level
check_level(lua_State *L)
{
	return (enum log_level)luaL_checkoption(L, 1, NULL, log_level_names);
}

static int
logs(lua_State *L)
{
	lua_pushboolean(L, check_level(L) >= log_level_now());
	return 1;
}

static int
write_log(lua_State *L)
{
	enum log_level level = check_level(L);
	struct lua_req *req = lua_req_of(L);
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);

	if (req->request != NULL)
		lua_req_log(req, level, text, len);
	else
		log_about(level, NULL, NULL, text, len);
	return 0;
}

static void
set_number(lua_State *L, const char *name, unsigned number)
{
	if (number == 0)
		return;
	lua_pushinteger(L, number);
	lua_setfield(L, -2, name);
}

int
lua_worker_open(lua_State *L)
{
	static const luaL_Reg functions[] = { { "log", write_log },
		{ "logs", logs }, { "pid", pid }, { "requests", requests },
		{ "retire", retire }, { NULL, NULL } };
	const struct lua_worker *worker;

	luaL_newlib(L, functions);
	worker = lua_state_kept(L, &keeper);
	if (worker == NULL)
		return 1;
	lua_pushstring(L, worker->pool);
	lua_setfield(L, -2, "pool");
	set_number(L, "index", worker->index);
	set_number(L, "generation", worker->generation);
	return 1;
}
