-- What fpm.lua51 gives programs of Lua 5.1.

local tap = require "tap"
local lua51 = require "fpm.lua51"

tap.test("nothing is global before install, and it replaces nothing", function()
  tap.equal(nil, rawget(_G, "setfenv"))
  local own = function() end
  unpack = own -- luacheck: ignore
  lua51.install()
  tap.equal(own, unpack)
  unpack = table.unpack -- luacheck: ignore
  for _, name in ipairs { "module", "setfenv", "getfenv", "loadstring",
    "gcinfo" } do
    tap.equal("function", type(_G[name]))
  end
  tap.equal(true, package.searchers == package.loaders)
end)

tap.test("setfenv gives one function globals of its own", function()
  local function set() shared_name = 1 end -- luacheck: ignore
  local function get() return shared_name end -- luacheck: ignore
  local env = {}
  tap.equal(set, setfenv(set, env))
  set()
  tap.equal(1, env.shared_name)
  tap.equal(nil, get())
  tap.equal(true, getfenv(set) == env)
  tap.equal(true, getfenv(get) == _G)
end)

tap.test("a function that is made later inherits them", function()
  local env = { tostring = tostring }
  local function outer()
    made = 1 -- luacheck: ignore
    return function() return made end -- luacheck: ignore
  end
  setfenv(outer, env)
  local inner = outer()
  tap.equal(1, inner())
  tap.equal(true, getfenv(inner) == env)
end)

tap.test("setfenv of a level changes the caller while it runs", function()
  local seen
  local function run()
    local env = setmetatable({}, { __index = _G })
    setfenv(1, env)
    inside = 7 -- luacheck: ignore
    seen = env.inside
    return getfenv(1) == env
  end
  tap.equal(true, run())
  tap.equal(7, seen)
  tap.equal(nil, inside) -- luacheck: ignore
end)

tap.test("a function without globals remembers its environment", function()
  local function plain(x) return x end
  local env = {}
  setfenv(plain, env)
  tap.equal(true, getfenv(plain) == env)
end)

tap.test("getfenv of a C function, of 0 and of the caller", function()
  tap.equal(true, getfenv(print) == _G)
  tap.equal(true, getfenv(0) == _G)
  tap.equal(true, (getfenv()) == _G)
end)

tap.test("misuse of setfenv and getfenv names the argument", function()
  tap.raises("bad argument #1 to 'setfenv' %(function or level expected, " ..
    "got table%)", setfenv, {}, {})
  tap.raises("bad argument #1 to 'getfenv' %(function or level expected, " ..
    "got string%)", getfenv, "1")
  tap.raises("bad argument #1 to 'getfenv' %(invalid level%)", getfenv, 1000)
  tap.raises("bad argument #2 to 'setfenv' %(table expected, got nil%)",
    setfenv, function() end, nil)
  tap.raises("cannot change environment of given object", setfenv, print, {})
  tap.raises("cannot change environment of given object", setfenv, 0, {})
end)

local function load_module(text, ...)
  return assert(loadstring(text, "=module"))(...)
end

tap.test("module is in package.loaded and in a global", function()
  load_module("module(...) x = 1", "tests_one")
  tap.equal(1, tests_one.x) -- luacheck: ignore
  tap.equal(true, tests_one == package.loaded.tests_one) -- luacheck: ignore
  tap.equal("tests_one", tests_one._NAME) -- luacheck: ignore
  tap.equal(true, tests_one == tests_one._M) -- luacheck: ignore
  tap.equal("", tests_one._PACKAGE) -- luacheck: ignore
end)

tap.test("a module's name with dots makes the tables above it", function()
  load_module("module(..., package.seeall) n = tostring(5)", "tests_a.b.c")
  tap.equal("5", tests_a.b.c.n) -- luacheck: ignore
  tap.equal("tests_a.b.", tests_a.b.c._PACKAGE) -- luacheck: ignore
  tap.equal("5", package.loaded["tests_a.b.c"].n)
end)

tap.test("options of module are called, what else require gives is not",
  function()
    local seen
    load_module("module(...)", "tests_two", function(m) seen = m end,
      "/file/name.lua")
    tap.equal(true, tests_two == seen) -- luacheck: ignore
  end)

tap.test("without seeall a module sees no globals", function()
  tap.raises("global 'print'", load_module, "module(...) print()",
    "tests_three")
end)

tap.test("a global of another type is in the way of a module", function()
  rawset(_G, "tests_four", 4)
  tap.raises("name conflict for module 'tests_four'", load_module,
    "module(...)", "tests_four")
  tap.raises("name conflict for module 'tests_four.x'", load_module,
    "module(...)", "tests_four.x")
  tap.raises("bad argument #1 to 'module' %(string expected", load_module,
    "module()")
end)

tap.test("require returns what module made", function()
  package.preload.tests_five = function(...)
    load_module("module(...) y = 2", ...)
  end
  tap.equal(2, require("tests_five").y)
end)

tap.test("seeall keeps a metatable", function()
  local meta = {}
  local t = setmetatable({}, meta)
  package.seeall(t)
  tap.equal(true, getmetatable(t) == meta)
  tap.equal(print, t.print)
  tap.raises("bad argument #1 to 'seeall' %(table expected", package.seeall)
end)

tap.test("loadstring", function()
  tap.equal(3, loadstring("return 1 + 2")())
  tap.equal(4, loadstring("return x", "=x", "bt", { x = 4 })())
  local f, why = loadstring("return +", "=name")
  tap.equal(nil, f)
  tap.matches("^name:1:", why)
  tap.raises("bad argument #1 to 'loadstring' %(string expected", loadstring,
    print)
end)

tap.test("functions of table, string and math", function()
  tap.equal(2, table.getn { "a", "b" })
  tap.equal(9, table.maxn { 1, [9] = 2, x = 3 })
  tap.equal("b", table.foreachi({ "a", "b", "c" }, function(i, v)
    return i == 2 and v or nil
  end))
  tap.equal("x", table.foreach({ x = 1 }, function(k) return k end))
  tap.equal("ab", string.gfind("ab", "%w+")())
  tap.equal(1.0, math.mod(7.0, 3.0))
  tap.equal(8.0, math.pow(2, 3))
  tap.equal(true, math.abs(math.log10(1000) - 3) < 1e-12)
  tap.equal(12.0, math.ldexp(3, 2))
  tap.equal(true, math.abs(math.tanh(0.5) - 0.46211715726000973) < 1e-12)
  tap.equal(true, math.abs(math.cosh(1) - 1.5430806348152437) < 1e-12)
end)

tap.done()
