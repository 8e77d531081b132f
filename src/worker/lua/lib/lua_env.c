#include "worker/lua/lib/lua_env.h"

#include <lauxlib.h>

#include <string.h>

#include "worker/lua/lib/lua_input.h"
#include "worker/lua/lib/lua_library.h"

#define ERRORS	       "lua-fpm.errors"
#define ERROR_LINE_MAX 1048576 /* bytes; a longer line is split */
#define ERROR_LINE_KEEP 65536  /* bytes of memory kept for the next line */

/* ---- the parameters ------------------------------------------------------ */

static bool
is_named(const struct param *p, const char *name, size_t len)
{
	return p->name_len == len && memcmp(p->name, name, len) == 0;
}

/*
 * True for the "Proxy:" header of the client, which programs take for their own
 * setting (https://httpoxy.org), and for a CONTENT_LENGTH that is not the
 * announced length of the body (nginx sends "" without a body, Caddy "-1" for a
 * chunked one).
 */
static bool
is_withheld(const struct request *request, const struct param *p)
{
	static const char proxy[] = "HTTP_PROXY", length[] = "CONTENT_LENGTH";

	if (is_named(p, length, sizeof(length) - 1))
		return request->length == -1 ||
		    p != request->known[PARAM_CONTENT_LENGTH];
	return is_named(p, proxy, sizeof(proxy) - 1);
}

/*
 * At the top are a name and its first value.  Repeats are rare, but a client
 * may send thousands: they are collected as repeats[name] = { values } and
 * joined once, so that the cost stays linear.
 */
static void
add_repeat(lua_State *L, int repeats, const struct param *p)
{
	int name = lua_gettop(L) - 1;

	if (lua_isnil(L, repeats)) {
		lua_newtable(L);
		lua_replace(L, repeats);
	}
	lua_pushvalue(L, name);
	if (lua_rawget(L, repeats) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_createtable(L, 2, 0);
		lua_pushvalue(L, name + 1);
		lua_rawseti(L, -2, 1);
		lua_pushvalue(L, name);
		lua_pushvalue(L, -2);
		lua_rawset(L, repeats);
	}
	lua_pushlstring(L, p->value, p->value_len);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	lua_settop(L, name - 1);
}

/* The name of parameter i is at the top: true if env has it, whose value is
 * then pushed.  Names that are those of the request before need no look. */
static bool
is_repeat(struct lua_req *req, lua_State *L, int env, size_t i,
    enum lua_memo_found found)
{
	if (found == LUA_MEMO_SAME && i < req->distinct)
		return false;
	if (i < req->distinct)
		req->distinct = i;
	lua_pushvalue(L, -1);
	if (lua_rawget(L, env) != LUA_TNIL)
		return true;
	lua_pop(L, 1);
	if (i == req->distinct && found != LUA_MEMO_FOREIGN)
		req->distinct++;
	return false;
}

static void
add_param(struct lua_req *req, lua_State *L, int env, size_t i)
{
	const struct param *p = &req->request->params[i];
	int repeats = env + 1, memo = env + 2;
	bool repeat = is_repeat(req, L, env, i, lua_memo_push(&req->memo, L,
	    memo, 2 * i, p->name, p->name_len, p->constant_name));

	/* The name is in the memo even so: those of the places after it are
	 * compared with it. */
	if (is_withheld(req->request, p)) {
		lua_settop(L, memo);
		return;
	}
	if (repeat) {
		add_repeat(L, repeats, p);
		return;
	}
	lua_memo_push(&req->memo, L, memo, 2 * i + 1, p->value, p->value_len,
	    p->constant_value);
	lua_rawset(L, env);
}

/* The array at the top becomes one string. */
static void
join(lua_State *L, const char *separator)
{
	int list = lua_gettop(L);
	lua_Integer i, n = (lua_Integer)lua_rawlen(L, list);
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	for (i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addstring(&b, separator);
		lua_rawgeti(L, list, i);
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
	lua_replace(L, list);
}

static void
join_repeats(lua_State *L, int env, int repeats)
{
	const char *name;

	if (lua_isnil(L, repeats))
		return;
	lua_pushnil(L);
	while (lua_next(L, repeats) != 0) {
		name = lua_tostring(L, -2);
		join(L, strcmp(name, "HTTP_COOKIE") == 0 ? "; " : ", ");
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, env);
	}
}

void
lua_env_push(struct lua_req *req, lua_State *L)
{
	const struct request *request = req->request;
	int env = lua_gettop(L) + 1, repeats = env + 1;
	size_t i;

	luaL_checkstack(L, 16, NULL);
	lua_createtable(L, 0, (int)request->nparams);
	lua_pushnil(L);
	lua_memo_open(&req->memo, L);
	for (i = 0; i < request->nparams; i++)
		add_param(req, L, env, i);
	join_repeats(L, env, repeats);
	lua_settop(L, env);
	lua_rawgetp(L, LUA_REGISTRYINDEX, req);
	lua_setmetatable(L, env);
	req->env = lua_topointer(L, env);
}

/* ---- env.errors ---------------------------------------------------------- */

void
lua_env_flush(struct lua_req *req)
{
	if (req->errors.len > 0)
		lua_req_log(req, LEVEL_ERROR, req->errors.data,
		    req->errors.len);
	buf_clear(&req->errors);
	if (req->errors.cap > ERROR_LINE_KEEP)
		buf_free(&req->errors);
}

/* With the same marks as the master puts into long lines that are printed. */
static void
split_errors(struct lua_req *req)
{
	buf_puts(&req->errors, " [line goes on]");
	lua_env_flush(req);
	buf_puts(&req->errors, "[line goes on] ");
}

static void
add_errors(struct lua_req *req, const char *text, size_t n)
{
	const char *newline;
	size_t part;

	while (n > 0) {
		part = ERROR_LINE_MAX - req->errors.len;
		part = part < n ? part : n;
		newline = memchr(text, '\n', part);
		if (newline != NULL)
			part = (size_t)(newline - text);
		buf_add(&req->errors, text, part);
		if (newline != NULL)
			lua_env_flush(req);
		else if (req->errors.len == ERROR_LINE_MAX)
			split_errors(req);
		part += newline != NULL;
		text += part;
		n -= part;
	}
}

static int
errors_write(lua_State *L)
{
	struct lua_req *req = lua_req_check(L, 1, ERRORS);
	int i, n = lua_gettop(L);
	const char *text;
	size_t len;

	for (i = 2; i <= n; i++) {
		text = luaL_checklstring(L, i, &len);
		add_errors(req, text, len);
	}
	lua_settop(L, 1);
	return 1;
}

/* ---- lower-case names ---------------------------------------------------- */

/* The handle is made when it is first asked for, and kept in an upvalue until
 * a later request asks for its own. */
static int
get_handle(lua_State *L, struct lua_req *req, int upvalue, const char *type)
{
	upvalue = lua_upvalueindex(upvalue);
	if (!lua_req_is_current(req, lua_touserdata(L, upvalue))) {
		lua_req_push_handle(req, L, type);
		lua_replace(L, upvalue);
	}
	lua_pushvalue(L, upvalue);
	return 1;
}

static int
get_input(lua_State *L, struct lua_req *req)
{
	return get_handle(L, req, 2, LUA_INPUT);
}

static int
get_errors(lua_State *L, struct lua_req *req)
{
	return get_handle(L, req, 3, ERRORS);
}

static int
get_data(lua_State *L, struct lua_req *req)
{
	if (req->request->role != ROLE_FILTER)
		return 0;
	return get_handle(L, req, 5, LUA_INPUT_DATA);
}

static int
get_role(lua_State *L, struct lua_req *req)
{
	lua_pushstring(L, request_role_name(req->request->role));
	return 1;
}

static int
get_aborted(lua_State *L, struct lua_req *req)
{
	struct request *request = req->request;

	lua_pushboolean(L, request->aborted || request->ops->gone(request));
	return 1;
}

static int
get_id(lua_State *L, struct lua_req *req)
{
	lua_pushstring(L, req->request->id);
	return 1;
}

static const struct {
	const char *name;
	int (*get)(lua_State *L, struct lua_req *req);
} fields[] = {
	{ "input", get_input },
	{ "errors", get_errors },
	{ "aborted", get_aborted },
	{ "id", get_id },
	{ "role", get_role },
	{ "data", get_data },
};

static void
check_current(lua_State *L, const struct lua_req *req)
{
	if (req->env == NULL || req->env != lua_topointer(L, 1))
		luaL_error(L, "the request is over");
}

/* Push what has been made for env, the first argument: it is kept with it. */
static void
push_made(lua_State *L)
{
	lua_pushvalue(L, 1);
	if (lua_rawget(L, lua_upvalueindex(4)) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, -2);
	lua_rawset(L, lua_upvalueindex(4));
}

/* A name that is written in Lua: fpm/request.lua says what its two tables
 * are. */
static int
index_library(lua_State *L, const struct lua_req *req)
{
	lua_settop(L, 2);
	lua_library_push(L, "fpm.request");
	lua_getfield(L, 3, "methods");
	lua_pushvalue(L, 2);
	if (lua_rawget(L, -2) != LUA_TNIL)
		return 1;
	lua_getfield(L, 3, "fields");
	lua_pushvalue(L, 2);
	if (lua_rawget(L, -2) == LUA_TNIL)
		return 1;
	lua_replace(L, 3);
	lua_settop(L, 3);
	check_current(L, req);
	push_made(L);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, 4) != LUA_TNIL)
		return 1;
	lua_pushvalue(L, 2);
	lua_pushvalue(L, 3);
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	lua_pushvalue(L, -1);
	lua_replace(L, 3);
	lua_rawset(L, 4);
	lua_settop(L, 3);
	return 1;
}

/* __index(env, name): most often for a parameter that was not sent. */
static int
index_env(lua_State *L)
{
	struct lua_req *req = lua_touserdata(L, lua_upvalueindex(1));
	const char *name;
	size_t i;

	if (lua_type(L, 2) != LUA_TSTRING)
		return 0;
	name = lua_tostring(L, 2);
	if (name[0] < 'a' || name[0] > 'z')
		return 0;
	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(fields[i].name, name) != 0)
			continue;
		check_current(L, req);
		return fields[i].get(L, req);
	}
	return index_library(L, req);
}

/* Push a table whose entries go with their keys. */
static void
push_weak(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
}

void
lua_env_setup(struct lua_req *req, lua_State *L)
{
	static const luaL_Reg methods[] = { { "write", errors_write },
		{ NULL, NULL } };

	lua_req_keep(req, L);
	lua_memo_setup(&req->memo, L);
	lua_req_make_type(L, ERRORS, methods);
	lua_createtable(L, 0, 2);
	lua_pushlightuserdata(L, req);
	lua_pushnil(L);
	lua_pushnil(L);
	push_weak(L);
	lua_pushnil(L);
	lua_pushcclosure(L, index_env, 5);
	lua_setfield(L, -2, "__index");
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "__metatable");
	lua_rawsetp(L, LUA_REGISTRYINDEX, req);
}
