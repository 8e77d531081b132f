#include "worker/lua/lib/lua_client.h"

#include <lauxlib.h>

#include <limits.h>
#include <string.h>

#include "base/locale.h"
#include "net/fcgi_call.h"
#include "net/fcgi_wire.h"
#include "worker/lua/lua_check.h"
#include "worker/lua/lua_deadline.h"

#define CALL	"lua-fpm.client"
#define MS_MOST (INT64_C(1000) * INT_MAX)

static struct fcgi_call *
check_call(lua_State *L)
{
	return luaL_checkudata(L, 1, CALL);
}

static const char *
kind(const struct fcgi_call *c, enum fcgi_verdict verdict)
{
	if (c->flooded)
		return "limit";
	if (c->reply.protocol_status != FCGI_REQUEST_COMPLETE)
		return "refused";
	switch (verdict) {
	case REPLY_CONNECT:
		return "connect";
	case REPLY_TIMEOUT:
		return "timeout";
	case REPLY_CUT:
		return "cut";
	default:
		return "protocol";
	}
}

/* The results of what has this verdict. */
static int
push_verdict(lua_State *L, const struct fcgi_call *c,
    enum fcgi_verdict verdict)
{
	if (verdict == REPLY_MORE || verdict == REPLY_DONE) {
		lua_pushboolean(L, verdict == REPLY_MORE);
		return 1;
	}
	lua_pushnil(L);
	lua_pushstring(L, kind(c, verdict));
	lua_pushstring(L, c->why.text);
	return 3;
}

static int64_t
check_ms(lua_State *L, int arg)
{
	lua_Integer ms = luaL_checkinteger(L, arg);

	luaL_argcheck(L, ms > 0 && ms <= MS_MOST, arg, "not a time");
	return ms;
}

static size_t
check_size(lua_State *L, int arg)
{
	lua_Integer n = luaL_checkinteger(L, arg);

	luaL_argcheck(L, n >= 0 && n <= INT_MAX, arg, "not a size");
	return (size_t)n;
}

static int
call_open(lua_State *L)
{
	size_t len;
	const char *text = luaL_checklstring(L, 1, &len);
	struct fcgi_address address;
	struct fcgi_call *c;
	struct why why;

	luaL_argcheck(L, strlen(text) == len, 1, "has a NUL");
	if (fcgi_address_parse(text, &address, &why) == -1) {
		lua_pushnil(L);
		lua_pushstring(L, why.text);
		return 2;
	}
	c = lua_newuserdatauv(L, sizeof(*c), 0);
	fcgi_call_init(c, &address, lua_deadline_expired);
	luaL_setmetatable(L, CALL);
	return 1;
}

static int
call_connect(lua_State *L)
{
	struct fcgi_call *c = check_call(L);
	int64_t ms = check_ms(L, 2);
	enum fcgi_verdict verdict;

	locale_ours();
	verdict = fcgi_call_connect(c, ms);
	locale_theirs();
	return push_verdict(L, c, verdict);
}

/* Append the pairs of the table at index 2.  Raises with nothing to be freed:
 * the texts are looked at first. */
static void
add_params(lua_State *L, struct buf *params)
{
	const char *name, *value;
	size_t name_len, value_len;

	for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1))
		luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING &&
		    lua_type(L, -1) == LUA_TSTRING, 2, "not all are texts");
	for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
		name = lua_tolstring(L, -2, &name_len);
		value = lua_tolstring(L, -1, &value_len);
		fcgi_add_pair(params, name, name_len, value, value_len);
	}
}

static int
call_begin(lua_State *L)
{
	struct fcgi_call *c = check_call(L);
	struct buf params = { 0 };
	struct fcgi_call_plan plan;
	enum fcgi_verdict verdict;

	luaL_checktype(L, 2, LUA_TTABLE);
	plan = (struct fcgi_call_plan){
		.role = (unsigned)check_size(L, 3),
		.keep = lua_toboolean(L, 4),
		.head = lua_toboolean(L, 5),
		.timeout = check_ms(L, 6),
		.head_most = check_size(L, 7),
		.errors_most = check_size(L, 8),
	};
	add_params(L, &params);
	if (params.failed) {
		buf_free(&params);
		return luaL_error(L, "not enough memory");
	}
	locale_ours();
	verdict = fcgi_call_begin(c, &plan, &params);
	locale_theirs();
	buf_free(&params);
	return push_verdict(L, c, verdict);
}

static int
call_put(lua_State *L)
{
	static const char *const names[] = { "stdin", "data", NULL };
	static const unsigned types[] = { FCGI_STDIN, FCGI_DATA };
	struct fcgi_call *c = check_call(L);
	unsigned type = types[luaL_checkoption(L, 2, NULL, names)];
	size_t n = 0;
	const char *text = luaL_optlstring(L, 3, "", &n);

	if (fcgi_call_put(c, type, text, n) == -1)
		return luaL_error(L, "not enough memory");
	return 0;
}

static int
call_sends(lua_State *L)
{
	lua_pushboolean(L, fcgi_call_sends(check_call(L)));
	return 1;
}

static int
call_step(lua_State *L)
{
	struct fcgi_call *c = check_call(L);
	enum fcgi_verdict verdict;

	locale_ours();
	verdict = fcgi_call_step(c);
	locale_theirs();
	return push_verdict(L, c, verdict);
}

static int
call_head(lua_State *L)
{
	const struct fcgi_call *c = check_call(L);

	if (c->head.len == 0)
		return 0;
	lua_pushlstring(L, c->head.data, c->head.len);
	lua_pushinteger(L, c->reply.cgi.status);
	return 2;
}

/* Push n bytes, the first that have come of the body; nil if n is 0. */
static int
take(lua_State *L, struct fcgi_call *c, const char *text, size_t n)
{
	if (n == 0)
		return 0;
	lua_pushlstring(L, text, n);
	fcgi_call_take(c, n);
	return 1;
}

static int
call_take(lua_State *L)
{
	struct fcgi_call *c = check_call(L);
	size_t here, n = check_size(L, 2);
	const char *text = fcgi_call_body(c, &here);

	return take(L, c, text, n < here ? n : here);
}

static int
call_line(lua_State *L)
{
	struct fcgi_call *c = check_call(L);
	size_t here;
	const char *end = NULL, *text = fcgi_call_body(c, &here);

	if (here > 0)
		end = memchr(text, '\n', here);
	return take(L, c, text, end == NULL ? here : (size_t)(end - text) + 1);
}

static int
call_result(lua_State *L)
{
	const struct fcgi_call *c = check_call(L);

	lua_pushinteger(L, c->reply.app_status);
	lua_pushinteger(L, c->reply.protocol_status);
	lua_pushlstring(L, c->errors.len > 0 ? c->errors.data : "",
	    c->errors.len);
	return 3;
}

static int
call_stale(lua_State *L)
{
	lua_pushboolean(L, check_call(L)->stale);
	return 1;
}

static int
call_close(lua_State *L)
{
	fcgi_call_close(luaL_checkudata(L, 1, CALL));
	return 0;
}

int
lua_client_open(lua_State *L)
{
	static const luaL_Reg functions[] = { { "open", call_open },
		{ NULL, NULL } };
	static const luaL_Reg methods[] = { { "connect", call_connect },
		{ "begin", call_begin }, { "put", call_put },
		{ "sends", call_sends }, { "step", call_step },
		{ "head", call_head }, { "take", call_take },
		{ "line", call_line }, { "result", call_result },
		{ "stale", call_stale }, { "close", call_close },
		{ NULL, NULL } };

	if (luaL_newmetatable(L, CALL)) {
		luaL_newlib(L, methods);
		lua_setfield(L, -2, "__index");
		lua_pushcfunction(L, call_close);
		lua_setfield(L, -2, "__gc");
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "__metatable");
	}
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}
