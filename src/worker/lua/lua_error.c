#include "worker/lua/lua_error.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"

#define FIELDS_MOST 8	/* of a table that are shown */
#define VALUE_MOST  100 /* bytes of a field's name, or of its value */
#define LAST_FRAMES 11	/* of a traceback with some left out in the middle */

/* ---- error objects ------------------------------------------------------- */

struct text {
	char data[FIELDS_MOST * 10 * VALUE_MOST]; /* escaped: four for one */
	size_t len;
};

static void __attribute__((format(printf, 2, 3)))
add(struct text *t, const char *fmt, ...)
{
	size_t room = sizeof(t->data) - t->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->data + t->len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void
add_string(struct text *t, lua_State *L, int index, const char *quote)
{
	char shown[4 * VALUE_MOST + 1];
	size_t n;
	const char *value = lua_tolstring(L, index, &n);

	escape_cut(value, n < VALUE_MOST ? n : VALUE_MOST, shown,
	    sizeof(shown));
	add(t, "%s%s%s%s", quote, shown, n > VALUE_MOST ? "..." : "", quote);
}

/* Strings inside a table are shown as such, tables are not entered. */
static void
add_value(struct text *t, lua_State *L, int index)
{
	switch (lua_type(L, index)) {
	case LUA_TSTRING:
		add_string(t, L, index, "\"");
		break;
	case LUA_TNUMBER:
		if (lua_isinteger(L, index))
			add(t, LUA_INTEGER_FMT, lua_tointeger(L, index));
		else
			add(t, "%.14g", lua_tonumber(L, index));
		break;
	case LUA_TBOOLEAN:
		add(t, "%s", lua_toboolean(L, index) ? "true" : "false");
		break;
	default:
		add(t, "a %s", luaL_typename(L, index));
		break;
	}
}

/* At the top are a name and a value. */
static void
add_field(struct text *t, lua_State *L)
{
	if (lua_type(L, -2) == LUA_TSTRING) {
		add_string(t, L, -2, "");
	} else {
		add(t, "[");
		add_value(t, L, -2);
		add(t, "]");
	}
	add(t, " = ");
	add_value(t, L, -1);
}

static bool
is_message(lua_State *L, int index)
{
	return lua_type(L, index) == LUA_TSTRING &&
	    strcmp(lua_tostring(L, index), "message") == 0;
}

/* The fields of the table at 1, read without its metatable: first `message`,
 * as the order of the others is Lua's own. */
static void
add_fields(struct text *t, lua_State *L)
{
	const char *before = ": ";
	int left = FIELDS_MOST;

	lua_pushliteral(L, "message");
	lua_pushvalue(L, -1);
	if (lua_rawget(L, 1) != LUA_TNIL) {
		add(t, "%s", before);
		add_field(t, L);
		before = ", ";
		left--;
	}
	lua_pop(L, 2);
	for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
		if (is_message(L, -2))
			continue;
		if (left-- == 0) {
			add(t, ", ...");
			lua_pop(L, 2);
			break;
		}
		add(t, "%s", before);
		add_field(t, L);
		before = ", ";
	}
}

/* Push "(error object is a table: message = "late", code = 42)", of which
 * __name may give the type. */
static void
push_description(lua_State *L)
{
	const char *type = luaL_typename(L, 1);
	struct text t = { .len = 0 };

	if (luaL_getmetafield(L, 1, "__name") == LUA_TSTRING)
		type = lua_tostring(L, -1);
	if (lua_istable(L, 1)) {
		add(&t, "(error object is a %.*s", VALUE_MOST, type);
		add_fields(&t, L);
		add(&t, ")");
	} else {
		add(&t, "(error object is a %.*s value)", VALUE_MOST, type);
	}
	lua_pushlstring(L, t.data, t.len);
}

/* Push the error object at 1 as a string.  If a __tostring raises, Lua calls
 * the handler again with that error. */
static void
push_message(lua_State *L)
{
	if (lua_isstring(L, 1))
		lua_pushvalue(L, 1);
	else if (!luaL_callmeta(L, 1, "__tostring") || !lua_isstring(L, -1))
		push_description(L);
	lua_tostring(L, -1); /* a number becomes a string */
}

void
lua_error_place(lua_State *L)
{
	lua_Debug ar;
	int level = 0;

	while (lua_getstack(L, level, &ar) && lua_getinfo(L, "l", &ar) &&
	    ar.currentline <= 0)
		level++;
	luaL_where(L, level);
}

/* ---- tracebacks ---------------------------------------------------------- */

/* What lua_error_note has kept is in the registry, under these addresses. */
static struct {
	char error, frames; /* not used but for their addresses */
	bool any;
} noted;

/* Push the frames of co from that level on. */
static void
push_frames(lua_State *L, lua_State *co, int level)
{
	luaL_traceback(L, co, NULL, level);
	lua_pushstring(L, lua_tostring(L, -1) + strlen(LUA_ERROR_TRACEBACK) -
	    1);
	lua_remove(L, -2);
}

/* True if the error at 1 is the one at the top: a string may have got a place
 * in front (coroutine.wrap). */
static bool
is_same(lua_State *L)
{
	size_t n, part;
	const char *text, *end;

	if (lua_type(L, 1) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
		return lua_rawequal(L, 1, -1);
	text = lua_tolstring(L, 1, &n);
	end = lua_tolstring(L, -1, &part);
	return part > 0 && part <= n &&
	    memcmp(text + n - part, end, part) == 0;
}

/* Push the frames of the coroutine that the error at 1 has come from, or "". */
static void
push_noted(lua_State *L)
{
	bool same = false;

	if (noted.any) {
		lua_rawgetp(L, LUA_REGISTRYINDEX, &noted.error);
		same = is_same(L);
		lua_pop(L, 1);
	}
	if (same)
		lua_rawgetp(L, LUA_REGISTRYINDEX, &noted.frames);
	else
		lua_pushliteral(L, "");
}

/* The error may have come to co from another coroutine. */
static int
note(lua_State *L)
{
	lua_State *co = lua_touserdata(L, 1);

	luaL_checkstack(co, 1, NULL);
	lua_pushvalue(co, -1);
	lua_xmove(co, L, 1);
	lua_replace(L, 1);
	push_noted(L);
	push_frames(L, co, 0);
	lua_concat(L, 2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &noted.frames);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &noted.error);
	noted.any = true;
	return 0;
}

/* If there is no memory for a note, there is none. */
void
lua_error_note(lua_State *L, lua_State *co)
{
	lua_pushcfunction(L, note);
	lua_pushlightuserdata(L, co);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		lua_pop(L, 1);
}

/* Drop the last lines of the text at the top: luaL_traceback shows at least
 * LAST_FRAMES of them, one for each frame. */
static void
drop_lines(lua_State *L, int lines)
{
	size_t len;
	const char *text = lua_tolstring(L, -1, &len);

	for (; lines > 0 && len > 0; lines--)
		while (len > 0 && text[--len] != '\n')
			;
	lua_pushlstring(L, text, len);
	lua_remove(L, -2);
}

void
lua_error_keep(lua_State *L, int below)
{
	push_noted(L);
	push_frames(L, L, 1);
	drop_lines(L, below < LAST_FRAMES ? below : LAST_FRAMES);
	lua_concat(L, 2);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &noted.frames);
	lua_pushvalue(L, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &noted.error);
	noted.any = true;
}

void
lua_error_forget(lua_State *L)
{
	if (!noted.any)
		return;
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &noted.error);
	lua_pushnil(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &noted.frames);
	noted.any = false;
}

int
lua_error_handler(lua_State *L)
{
	push_message(L);
	lua_pushliteral(L, LUA_ERROR_TRACEBACK);
	push_noted(L);
	push_frames(L, L, 1);
	lua_concat(L, 4);
	return 1;
}
