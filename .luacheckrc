-- For luacheck: the library, the example and the tests in Lua.

std = "lua54"
max_line_length = false
ignore = {
  "212/self", -- a method's argument
}
exclude_files = {
  "src/lua/fpm/fpm.meta.lua", -- which has functions without bodies
}
-- What they make for code of Lua 5.1.
files["src/lua/fpm/lua51.lua"].std = "max"
files["tests/lua/lua51.lua"].std = "max"
