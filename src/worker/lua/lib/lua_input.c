#include "worker/lua/lib/lua_input.h"

#include <lauxlib.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FORMATS_MAX 250 /* as many as io.lines takes */
#define FIRST_ROOM  (256 * 1024) /* bytes, for a long body */

/* Read at most n bytes of the body.  Returns how many, 0 at its end; raises if
 * it cannot be read. */
static size_t
receive(lua_State *L, struct lua_req *req, char *into, size_t n)
{
	const struct request_ops *ops = req->request->ops;
	ssize_t got = (req->second ? ops->read_data : ops->read)(req->request,
	    into, n);

	if (got == -1) {
		req->error = errno;
		luaL_error(L, "%s", request_body_fault(errno));
	}
	return (size_t)got;
}

/* Read ahead until n <= LUA_REQ_AHEAD bytes are there, or the body ends. */
static void
gather(lua_State *L, struct lua_req *req, size_t n)
{
	size_t got;

	if (req->data == NULL &&
	    (req->data = malloc(LUA_REQ_AHEAD)) == NULL)
		luaL_error(L, "not enough memory");
	if (req->len - req->at >= n)
		return;
	memmove(req->data, req->data + req->at, req->len - req->at);
	req->len -= req->at;
	req->at = 0;
	for (; req->len < n; req->len += got)
		if ((got = receive(L, req, req->data + req->len,
		    LUA_REQ_AHEAD - req->len)) == 0)
			return;
}

/* True if there is more of the body; then at < len. */
static bool
fill(lua_State *L, struct lua_req *req)
{
	gather(L, req, 1);
	return req->at < req->len;
}

static void
take(struct lua_req *req, luaL_Buffer *b, size_t n)
{
	luaL_addlstring(b, req->data + req->at, n);
	req->at += n;
}

/* Every reader pushes a string; it returns false at the end of the body, and
 * read_formats puts nil in the place of the string. */
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

/* Bytes that CONTENT_LENGTH announces and that have not come; 0 if unknown. */
static size_t
awaited(const struct lua_req *req)
{
	const struct request *request = req->request;

	if (req->second || request->length <= (int64_t)request->bytes_in)
		return 0;
	return (size_t)request->length - (size_t)request->bytes_in;
}

/* How much room to make for the next bytes: as much as was asked for and is
 * announced, but no more than three times what has come.  0 if none are
 * announced. */
static size_t
room_for(const struct lua_req *req, const luaL_Buffer *b, size_t asked)
{
	size_t room = awaited(req), come = 3 * luaL_bufflen(b);

	if (come < FIRST_ROOM)
		come = FIRST_ROOM;
	room = room < come ? room : come;
	return room < asked ? room : asked;
}

/* Read more than can be read ahead, straight into Lua's own buffer. */
static bool
read_long(lua_State *L, struct lua_req *req, size_t n)
{
	size_t room, got = req->len - req->at;
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	take(req, &b, got);
	for (n -= got; n > 0; n -= got) {
		room = room_for(req, &b, n);
		if (room > 0) {
			got = receive(L, req, luaL_prepbuffsize(&b, room),
			    room);
			luaL_addsize(&b, got);
		} else {
			fill(L, req);
			got = req->len - req->at;
			got = got < n ? got : n;
			take(req, &b, got);
		}
		if (got == 0)
			break;
	}
	got = luaL_bufflen(&b);
	luaL_pushresult(&b);
	return got > 0;
}

static bool
read_chars(lua_State *L, struct lua_req *req, size_t n)
{
	size_t here = req->len - req->at, ahead;

	if (n > LUA_REQ_AHEAD && here + awaited(req) > LUA_REQ_AHEAD)
		return read_long(L, req, n);
	ahead = n < LUA_REQ_AHEAD ? n : LUA_REQ_AHEAD;
	gather(L, req, ahead > 0 ? ahead : 1);
	here = req->len - req->at;
	if (n > LUA_REQ_AHEAD && here == LUA_REQ_AHEAD)
		return read_long(L, req, n);
	n = n < here ? n : here;
	lua_pushlstring(L, req->data + req->at, n);
	req->at += n;
	return here > 0;
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

/* As read_formats, at the end of a body. */
static int
read_over(lua_State *L)
{
	const char *format;
	int last = lua_gettop(L), i;

	for (i = 2; i <= last; i++) {
		format = luaL_checkstring(L, i);
		if (format[*format == '*'] != 'a')
			break;
		lua_pushliteral(L, "");
	}
	if (last == 1 || i <= last)
		lua_pushnil(L);
	return lua_gettop(L) - last;
}

static int
input_read(lua_State *L)
{
	struct lua_req *req = lua_req_check(L, 1, LUA_INPUT);

	return req->second ? read_over(L) : read_formats(L, req);
}

/* Go on from the first body to the second.  What has been read ahead is of the
 * first. */
static void
turn(struct lua_req *req)
{
	req->second = true;
	req->at = req->len = 0;
}

static int
data_read(lua_State *L)
{
	struct lua_req *req = lua_req_check(L, 1, LUA_INPUT_DATA);

	if (!req->second)
		turn(req);
	return read_formats(L, req);
}

/* The iterator.  Upvalues: the handle, the number of formats, the formats. */
static int
next_line(lua_State *L)
{
	int i, n = (int)lua_tointeger(L, lua_upvalueindex(2));
	bool second;

	lua_settop(L, 0);
	luaL_checkstack(L, n + LUA_MINSTACK, "too many formats");
	lua_pushvalue(L, lua_upvalueindex(1));
	for (i = 1; i <= n; i++)
		lua_pushvalue(L, lua_upvalueindex(2 + i));
	second = luaL_testudata(L, 1, LUA_INPUT_DATA) != NULL;
	return second ? data_read(L) : input_read(L);
}

static int
lines(lua_State *L, const char *type)
{
	int n = lua_gettop(L) - 1;

	lua_req_check(L, 1, type);
	luaL_argcheck(L, n <= FORMATS_MAX, FORMATS_MAX + 2,
	    "too many arguments");
	lua_pushinteger(L, n);
	lua_insert(L, 2);
	lua_pushcclosure(L, next_line, n + 2);
	return 1;
}

static int
input_lines(lua_State *L)
{
	return lines(L, LUA_INPUT);
}

static int
data_lines(lua_State *L)
{
	return lines(L, LUA_INPUT_DATA);
}

void
lua_input_setup(lua_State *L)
{
	static const luaL_Reg input[] = { { "read", input_read },
		{ "lines", input_lines }, { NULL, NULL } };
	static const luaL_Reg data[] = { { "read", data_read },
		{ "lines", data_lines }, { NULL, NULL } };

	lua_req_make_type(L, LUA_INPUT, input);
	lua_req_make_type(L, LUA_INPUT_DATA, data);
}

int
lua_input_error(const struct lua_req *req, const char *message)
{
	if (req->error == 0 || strstr(message, request_body_fault(req->error)) == NULL)
		return 0;
	return req->error;
}
