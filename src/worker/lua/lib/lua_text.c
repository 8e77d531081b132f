#include "worker/lua/lib/lua_text.h"

#include <lauxlib.h>

#include <stdbool.h>
#include <string.h>

#include "worker/lua/lua_check.h"

/* The text that is argument 1 of `function`. */
static const char *
check_text(lua_State *L, const char *function, size_t *len)
{
	char type[LUA_CHECK_TYPE];

	lua_settop(L, 2); /* none is nil */
	if (!lua_check_text(L, 1))
		luaL_error(L, "%s: text is %s, expected a string", function,
		    lua_check_type(L, 1, type));
	return lua_tolstring(L, 1, len);
}

/* ---- HTML ---------------------------------------------------------------- */

/* What a byte becomes; NULL: it stays. */
static const char *
entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

static size_t
escaped_length(const char *text, size_t n)
{
	size_t len = n, i;
	const char *e;

	for (i = 0; i < n; i++)
		if ((e = entity(text[i])) != NULL)
			len += strlen(e) - 1;
	return len;
}

static int
escape(lua_State *L)
{
	size_t n, len, i;
	const char *text = check_text(L, "fpm.html.escape", &n), *e;
	luaL_Buffer b;
	char *out;

	lua_settop(L, 1);
	len = escaped_length(text, n);
	if (len == n)
		return 1;
	out = luaL_buffinitsize(L, &b, len);
	for (i = 0; i < n; i++) {
		if ((e = entity(text[i])) == NULL)
			*out++ = text[i];
		else
			while (*e != '\0')
				*out++ = *e++;
	}
	luaL_pushresultsize(&b, len);
	return 1;
}

/* ---- URLs ---------------------------------------------------------------- */

/* RFC 3986, 2.3 */
static bool
is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	    c == '~';
}

static int
encode(lua_State *L)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t n, len, i;
	const char *text = check_text(L, "fpm.url.encode", &n);
	luaL_Buffer b;
	char *out;

	lua_settop(L, 1);
	for (i = 0, len = n; i < n; i++)
		len += is_unreserved(text[i]) ? 0 : 2;
	if (len == n)
		return 1;
	out = luaL_buffinitsize(L, &b, len);
	for (i = 0; i < n; i++) {
		if (is_unreserved(text[i])) {
			*out++ = text[i];
			continue;
		}
		*out++ = '%';
		*out++ = digits[(unsigned char)text[i] >> 4];
		*out++ = digits[(unsigned char)text[i] & 15];
	}
	luaL_pushresultsize(&b, len);
	return 1;
}

/* The value of a hexadecimal digit; -1: it is none. */
static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Write the decoded text, which is not longer, to out.  Its length, or -1 and
 * *at is the place of a malformed escape, from 1. */
static ptrdiff_t
unescape(const char *text, size_t n, bool plus, char *out, size_t *at)
{
	const char *begun = out;
	size_t i;
	int high, low;

	for (i = 0; i < n; i++) {
		if (text[i] != '%') {
			*out++ = plus && text[i] == '+' ? ' ' : text[i];
			continue;
		}
		if (n - i < 3 || (high = digit(text[i + 1])) == -1 ||
		    (low = digit(text[i + 2])) == -1) {
			*at = i + 1;
			return -1;
		}
		*out++ = (char)(high << 4 | low);
		i += 2;
	}
	return out - begun;
}

static int
decode(lua_State *L)
{
	size_t n, at = 0;
	const char *text = check_text(L, "fpm.url.decode", &n);
	bool plus = lua_toboolean(L, 2);
	luaL_Buffer b;
	ptrdiff_t len;

	lua_settop(L, 1);
	if (memchr(text, '%', n) == NULL &&
	    (!plus || memchr(text, '+', n) == NULL))
		return 1;
	len = unescape(text, n, plus, luaL_buffinitsize(L, &b, n), &at);
	if (len == -1) {
		lua_settop(L, 1);
		luaL_pushfail(L);
		lua_pushfstring(L, "malformed percent escape at byte %I",
		    (lua_Integer)at);
		return 2;
	}
	luaL_pushresultsize(&b, (size_t)len);
	return 1;
}

int
lua_text_open(lua_State *L)
{
	static const luaL_Reg functions[] = { { "decode", decode },
		{ "encode", encode }, { "escape", escape }, { NULL, NULL } };

	luaL_newlib(L, functions);
	return 1;
}
