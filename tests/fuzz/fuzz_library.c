/* What clients send, read by the library for Lua: cookies, Accept and dates,
 * URLs.  Each target is a Lua function that raises if something is not as it
 * must be. */

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "fuzz.h"
#include "worker/lua/lib/lua_library.h"

/* Common to all of them: the text in two halves, at its first NUL. */
static const char prelude[] =
    "local data = ...\n"
    "local fpm = require 'fpm'\n"
    "local first, second = data:match('^([^\\0]*)\\0?(.*)$')\n"
    "local function refused(pattern, call, ...)\n"
    "  local good, result = pcall(call, ...)\n"
    "  if good then return result end\n"
    "  assert(string.find(result, pattern), result)\n"
    "end\n";

static const char cookie_code[] =
    "local cookie = fpm.cookie\n"
    "for name, value in pairs(cookie.parse(data)) do\n"
    "  assert(name ~= '' and not name:find('[;=]'))\n"
    "  assert(not (name .. '=' .. value):find(';'))\n"
    "  assert(not name:find('^[ \\t]') and not name:find('[ \\t]$'))\n"
    "  local text = refused('^fpm%.cookie%.write: ', cookie.write, name,\n"
    "    value)\n"
    "  if text then\n"
    "    assert(not text:find('[%c\"]') and select(2, text:gsub(';', '')) == 4)\n"
    "    assert(cookie.parse(text)[name] == value)\n"
    "  end\n"
    "end\n"
    "for _, options in ipairs { { path = second }, { domain = second },\n"
    "  { samesite = second } } do\n"
    "  options.secure = false\n"
    "  local text = refused('^fpm%.cookie%.write: ', cookie.write, 'a',\n"
    "    first, options)\n"
    "  if text then\n"
    "    assert(not text:find('%c') and select(2, text:gsub(';', '')) <= 4)\n"
    "  end\n"
    "end\n";

static const char accept_code[] =
    "local http = fpm.http\n"
    "local offers = { 'text/html', 'a/b;c=d', 'en', 'gzip' }\n"
    "local best = http.negotiate(data, offers)\n"
    "local found = best == nil\n"
    "for _, offer in ipairs(offers) do found = found or offer == best end\n"
    "assert(found)\n"
    "assert(http.negotiate(data .. '\\0, text/html;q=1', offers) ~= 'x')\n"
    "local only = refused('^fpm%.http%.negotiate: offers%[1%] is ',\n"
    "  http.negotiate, first, { second })\n"
    "assert(only == nil or only == second)\n"
    "local time = http.parse_date(data)\n"
    "if time then assert(http.parse_date(http.date(time)) == time) end\n"
    "local headers = refused('^fpm%.http%.redirect: location has the byte',\n"
    "  http.redirect, data)\n"
    "assert(not headers or not headers.Location:find('[^!-~]'))\n";

static const char url_code[] =
    "local url = fpm.url\n"
    "local plain = require 'fpm.text_plain'\n"
    "for name, c in pairs(require 'fpm.core.text') do\n"
    "  for _, plus in ipairs { false, true } do\n"
    "    local one, why = c(data, plus)\n"
    "    local other, reason = plain[name](data, plus)\n"
    "    assert(one == other and why == reason, name)\n"
    "  end\n"
    "end\n"
    "assert(url.decode(url.encode(data)) == data)\n"
    "assert(not url.encode(data):find('[^%w%-._~%%]'))\n"
    "local decoded, why = url.decode(data)\n"
    "assert(decoded or why:find('^malformed percent escape at byte %d+$'))\n"
    "assert((url.decode(data, true) == nil) == (decoded == nil))\n"
    "if decoded then assert(#decoded <= #data) end\n"
    "local joined = url.join(first, second)\n"
    "if first:find('^/') or first:find('^%a[%w+.-]*:') then\n"
    "  local again = url.join(first, joined) -- without dots of the base\n"
    "  assert(url.join(first, again) == again)\n"
    "end\n"
    "assert(fpm.html.escape(data):gsub('&#?%w+;', ''):find('[&<>\"\\']')\n"
    "  == nil)\n"
    "assert(url.query { [first] = second } ==\n"
    "  url.encode(first) .. '=' .. url.encode(second))\n";

static lua_State *
make_state(void)
{
	lua_State *L = luaL_newstate();

	must(L != NULL);
	luaL_openlibs(L);
	lua_library_setup(L);
	return L;
}

/* Run the code with the input; a state serves all inputs of a target. */
static void
run(lua_State **state, const char *code, const uint8_t *data, size_t size)
{
	lua_State *L = *state != NULL ? *state : (*state = make_state());

	if (lua_rawgetp(L, LUA_REGISTRYINDEX, code) == LUA_TNIL) {
		lua_pushstring(L, prelude);
		lua_pushstring(L, code);
		lua_concat(L, 2);
		must(luaL_loadstring(L, lua_tostring(L, -1)) == LUA_OK);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, code);
	}
	lua_pushlstring(L, (const char *)data, size);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
		abort();
	}
	lua_settop(L, 0);
}

FUZZ(cookie)
{
	static lua_State *state;

	run(&state, cookie_code, data, size);
}

FUZZ(accept)
{
	static lua_State *state;

	run(&state, accept_code, data, size);
}

FUZZ(url)
{
	static lua_State *state;

	run(&state, url_code, data, size);
}
