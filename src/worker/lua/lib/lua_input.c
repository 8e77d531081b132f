#include "worker/lua/lib/lua_input.h"

#include <lauxlib.h>

#include <errno.h>
#include <string.h>

#define BODY_FAULT  "request body: "
#define FORMATS_MAX 250 /* as many as io.lines takes */

static const char *
body_fault(int error)
{
	switch (error) {
	case ETIMEDOUT:
		return BODY_FAULT "the client did not send it in time";
	case ECONNRESET:
		return BODY_FAULT "the client left";
	case EPROTO:
		return BODY_FAULT "malformed";
	default:
		return strerror(error);
	}
}

/* Is there more of the body?  Then at < len. */
static bool
fill(lua_State *L, struct lua_req *req)
{
	ssize_t n;

	if (req->at < req->len)
		return true;
	req->at = req->len = 0;
	n = req->request->ops->read(req->request, &req->data);
	if (n == -1) {
		req->error = errno;
		luaL_error(L, "%s", body_fault(errno));
	}
	req->len = (size_t)n;
	return n > 0;
}

static void
take(struct lua_req *req, luaL_Buffer *b, size_t n)
{
	luaL_addlstring(b, req->data + req->at, n);
	req->at += n;
}

/* Every reader pushes a string, or nil at the end of the body. */
static bool
read_line(lua_State *L, struct lua_req *req, bool keep_newline)
{
	const char *start, *newline = NULL;
	luaL_Buffer b;
	bool any = false;

	luaL_buffinit(L, &b);
	while (newline == NULL && fill(L, req)) {
		any = true;
		start = req->data + req->at;
		newline = memchr(start, '\n', req->len - req->at);
		if (newline == NULL)
			take(req, &b, req->len - req->at);
		else
			take(req, &b, (size_t)(newline - start));
	}
	if (newline != NULL) {
		if (keep_newline)
			luaL_addchar(&b, '\n');
		req->at++;
	}
	luaL_pushresult(&b);
	return any;
}

/* Memory for n bytes, and for those that are to follow: as many as were asked
 * for and announced, but no more than three times what has come. */
static void
grow(const struct lua_req *req, luaL_Buffer *b, size_t n, size_t asked)
{
	const struct request *request = req->request;
	size_t come = luaL_bufflen(b) + n, more = 0;

	if (n <= b->size - luaL_bufflen(b))
		return;
	if (request->length > (int64_t)request->bytes_in)
		more = (size_t)request->length - (size_t)request->bytes_in;
	if (more > asked - n)
		more = asked - n;
	luaL_prepbuffsize(b, n + (more < 3 * come ? more : 3 * come));
}

static bool
read_chars(lua_State *L, struct lua_req *req, size_t n)
{
	bool any = n == 0 && fill(L, req);
	luaL_Buffer b;
	size_t part;

	luaL_buffinit(L, &b);
	for (; n > 0 && fill(L, req); n -= part) {
		any = true;
		part = req->len - req->at;
		part = part < n ? part : n;
		grow(req, &b, part, n);
		take(req, &b, part);
	}
	luaL_pushresult(&b);
	return any;
}

static bool
read_text_format(lua_State *L, struct lua_req *req, int index)
{
	const char *format = luaL_checkstring(L, index);

	if (*format == '*')
		format++;
	switch (*format) {
	case 'l':
		return read_line(L, req, false);
	case 'L':
		return read_line(L, req, true);
	case 'a':
		read_chars(L, req, SIZE_MAX);
		return true; /* "" at the end */
	default:
		return luaL_argerror(L, index, "invalid format");
	}
}

static bool
read_format(lua_State *L, struct lua_req *req, int index)
{
	lua_Integer n;

	if (lua_type(L, index) != LUA_TNUMBER)
		return read_text_format(L, req, index);
	n = luaL_checkinteger(L, index);
	luaL_argcheck(L, n >= 0, index, "negative count");
	return read_chars(L, req, (size_t)n);
}

/* Results for the formats from stack index 2 on; the first that fails gives
 * nil and is the last. */
static int
read_formats(lua_State *L, struct lua_req *req)
{
	int last = lua_gettop(L), i;
	bool success = true;

	luaL_checkstack(L, last + LUA_MINSTACK, "too many formats");
	if (last == 1)
		success = read_line(L, req, false);
	for (i = 2; i <= last && success; i++)
		success = read_format(L, req, i);
	if (!success) {
		lua_pop(L, 1);
		lua_pushnil(L);
	}
	return lua_gettop(L) - last;
}

static int
input_read(lua_State *L)
{
	return read_formats(L, lua_req_check(L, 1, LUA_INPUT));
}

/* The iterator: upvalues are the handle, the number of formats, formats. */
static int
next_line(lua_State *L)
{
	int i, n = (int)lua_tointeger(L, lua_upvalueindex(2));

	lua_settop(L, 0);
	luaL_checkstack(L, n + LUA_MINSTACK, "too many formats");
	lua_pushvalue(L, lua_upvalueindex(1));
	for (i = 1; i <= n; i++)
		lua_pushvalue(L, lua_upvalueindex(2 + i));
	return input_read(L);
}

static int
input_lines(lua_State *L)
{
	int n = lua_gettop(L) - 1;

	lua_req_check(L, 1, LUA_INPUT);
	luaL_argcheck(L, n <= FORMATS_MAX, FORMATS_MAX + 2,
	    "too many arguments");
	lua_pushinteger(L, n);
	lua_insert(L, 2);
	lua_pushcclosure(L, next_line, n + 2);
	return 1;
}

void
lua_input_setup(lua_State *L)
{
	static const luaL_Reg methods[] = { { "read", input_read },
		{ "lines", input_lines }, { NULL, NULL } };

	lua_req_make_type(L, LUA_INPUT, methods);
}

int
lua_input_error(const struct lua_req *req, const char *message)
{
	if (req->error == 0 || strstr(message, body_fault(req->error)) == NULL)
		return 0;
	return req->error;
}
