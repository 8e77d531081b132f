/* fpm.form, through Lua: whatever a client sends as CONTENT_TYPE (the first
 * line) and body is a form or has a status, and raises nothing. */

#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "fuzz.h"
#include "worker/lua/lib/lua_form.h"
#include "worker/lua/lib/lua_library.h"

static const char program[] =
    "local kind, body, size = ...\n"
    "local form = require 'fpm.form'\n"
    "local at, env = 1, { CONTENT_TYPE = kind, QUERY_STRING = body }\n"
    "env.input = { read = function()\n"
    "  if at > #body then return nil end\n"
    "  at = at + size\n"
    "  return body:sub(at - size, at - 1)\n"
    "end }\n"
    "assert(form.query(body))\n"
    "local fields, files, message = form.read(env, { on_part = function(p)\n"
    "  if #p.filename % 3 == 1 then return p:read(size) or true end\n"
    "end })\n"
    "if not fields then\n"
    "  assert(files >= 400 and files <= 415 and #message > 0)\n"
    "  return\n"
    "end\n"
    "for name, value in pairs(fields) do\n"
    "  local all = form.all(fields, name)\n"
    "  assert(type(name) == 'string' and all[#all] == value)\n"
    "end\n"
    "for _, file in ipairs(files) do\n"
    "  assert(#file.file:read('a') == file.size)\n"
    "  assert(not file.filename:find('[/\\\\%c]'))\n"
    "  assert(file.filename ~= '..' and file.filename ~= '.')\n"
    "end\n";

static lua_State *
state(void)
{
	static lua_State *L;

	if (L == NULL) {
		L = luaL_newstate();
		luaL_openlibs(L);
		lua_library_setup(L);
		must(luaL_loadstring(L, program) == LUA_OK);
	}
	return L;
}

FUZZ(form)
{
	lua_State *L = state();
	const char *text = (const char *)data;
	const char *line = memchr(text, '\n', size);
	size_t kind = line != NULL ? (size_t)(line - text) : 0;

	if (line == NULL)
		return;
	lua_pushvalue(L, 1);
	lua_pushlstring(L, text, kind);
	lua_pushlstring(L, line + 1, size - kind - 1);
	lua_pushinteger(L, 1 + (lua_Integer)(size % 40));
	if (lua_pcall(L, 3, 0, 0) != LUA_OK)
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
	must(lua_gettop(L) == 1);
	lua_form_end();
}
