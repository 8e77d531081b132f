-- What Lua 5.1 had and Lua 5.4 has not, for programs that were written for it:
-- Orbit, CGILua, and applications of their time.
--
--   require("fpm.lua51").install()   -- before the first module that needs it
--
-- Under interface = "wsapi" that is done before the application is loaded.
-- install() adds names and replaces none.  What cannot be had by names is as in
-- Lua 5.4: 10/2 is 5.0, %d wants a whole number, `arg` in a function that has
-- `...` is no table, setfenv(0) and environments of C functions do not exist.

---@class fpm.lua51
local lua51 = {}

local environments = setmetatable({}, { __mode = "k" }) -- of what has no _ENV

-- The function that setfenv or getfenv was called for: one, or that at a level
-- of the stack, where 1 is the caller.
local function resolve(f, name)
  if type(f) == "function" then
    return f
  end
  if math.type(f) ~= "integer" or f < 0 then
    error(("bad argument #1 to '%s' (function or level expected, got %s)")
      :format(name, f == nil and "no value" or type(f)), 3)
  end
  local info = f > 0 and debug.getinfo(f + 2, "f")
  if f > 0 and not info then
    error(("bad argument #1 to '%s' (invalid level)"):format(name), 3)
  end
  return info and info.func
end

-- The number of the upvalue that holds the globals of a function of Lua.
local function env_of(f)
  local i = 1
  local name = debug.getupvalue(f, i)
  while name and name ~= "_ENV" do
    i = i + 1
    name = debug.getupvalue(f, i)
  end
  return name and i
end

--- The table in which a function finds its globals.
---@param f function|integer|nil a function, or a level; default 1, the caller
---@return table
function lua51.getfenv(f)
  f = resolve(f == nil and 1 or f, "getfenv")
  if not f or debug.getinfo(f, "S").what == "C" then
    return _G
  end
  local i = env_of(f)
  if not i then
    return environments[f] or _G
  end
  local _, env = debug.getupvalue(f, i)
  return env
end

--- Give a function another table of globals.  Functions that are made in it
--- later inherit that; those made before keep theirs, as in Lua 5.1.
---@param f function|integer a function of Lua, or a level of the stack
---@param env table
---@return function f
function lua51.setfenv(f, env)
  f = resolve(f, "setfenv")
  if type(env) ~= "table" then
    error(("bad argument #2 to 'setfenv' (table expected, got %s)")
      :format(type(env)), 2)
  end
  if not f or debug.getinfo(f, "S").what == "C" then
    error("'setfenv' cannot change environment of given object", 2)
  end
  local i = env_of(f)
  if i then
    -- A variable of its own: _ENV is shared with the rest of the file.
    debug.upvaluejoin(f, i, function() return env end, 1)
  else
    environments[f] = env
  end
  return f
end

-- The table that a name with dots means below _G, made where there is none;
-- nil if a name on the way has another value.
local function find_table(name)
  local at = _G
  for part in name:gmatch("[^.]+") do
    local next = rawget(at, part)
    if next == nil then
      next = {}
      at[part] = next
    elseif type(next) ~= "table" then
      return nil
    end
    at = next
  end
  return at
end

--- Make a module, and make it the environment of the calling function.  As in
--- Lua 5.1 it is then in package.loaded and in a global of its name.
---@param name string
---@param ... any functions to call with the module, such as package.seeall
function lua51.module(name, ...)
  if type(name) ~= "string" then
    error(("bad argument #1 to 'module' (string expected, got %s)")
      :format(name == nil and "no value" or type(name)), 2)
  end
  local made = package.loaded[name]
  if type(made) ~= "table" then
    made = find_table(name)
    if not made then
      error(("name conflict for module '%s'"):format(name), 2)
    end
    package.loaded[name] = made
  end
  if made._NAME == nil then
    made._M, made._NAME = made, name
    made._PACKAGE = name:match("^(.*%.)[^.]*$") or ""
  end
  local caller = debug.getinfo(2, "f")
  lua51.setfenv(caller.func, made)
  for i = 1, select("#", ...) do
    local option = select(i, ...)
    if type(option) == "function" then -- not what require of 5.4 gives
      option(made)
    end
  end
end

--- An option of module: the module sees the global variables.
---@param made table
function lua51.seeall(made)
  if type(made) ~= "table" then
    error(("bad argument #1 to 'seeall' (table expected, got %s)")
      :format(made == nil and "no value" or type(made)), 2)
  end
  local meta = getmetatable(made)
  if not meta then
    meta = {}
    setmetatable(made, meta)
  end
  meta.__index = _G
end

--- Compile a text.
---@param text string
---@param name string|nil what messages call it; default: its first line
---@param ... any as for load: programs say `loadstring or load`, and then mode
---  and environment
---@return function|nil, string|nil why
function lua51.loadstring(text, name, ...)
  if type(text) ~= "string" and type(text) ~= "number" then
    error(("bad argument #1 to 'loadstring' (string expected, got %s)")
      :format(text == nil and "no value" or type(text)), 2)
  end
  return load(tostring(text), name, ...)
end

-- Functions of the library table.
local tables = {}

function tables.getn(list)
  return #list
end

function tables.maxn(list)
  local most = 0
  for key in pairs(list) do
    if type(key) == "number" and key > most then
      most = key
    end
  end
  return most
end

function tables.foreach(list, visit)
  for key, value in pairs(list) do
    local result = visit(key, value)
    if result ~= nil then
      return result
    end
  end
end

function tables.foreachi(list, visit)
  for i = 1, #list do
    local result = visit(i, list[i])
    if result ~= nil then
      return result
    end
  end
end

local maths = {
  mod = math.fmod,
  pow = function(x, y) return x ^ y end,
  log10 = function(x) return math.log(x, 10) end,
  ldexp = function(m, e) return m * 2.0 ^ e end,
  sinh = function(x) return (math.exp(x) - math.exp(-x)) / 2 end,
  cosh = function(x) return (math.exp(x) + math.exp(-x)) / 2 end,
  tanh = function(x)
    local e = math.exp(-2 * math.abs(x))
    return (x < 0 and -1 or 1) * (1 - e) / (1 + e)
  end,
}

local function add(target, names)
  for name, value in pairs(names) do
    if type(target) == "table" and target[name] == nil then
      target[name] = value
    end
  end
end

--- Make the names of Lua 5.1 global: module, setfenv, getfenv, unpack,
--- loadstring, gcinfo, package.loaders, package.seeall, table.getn, maxn,
--- foreach and foreachi, string.gfind, math.mod, pow, log10, ldexp, sinh, cosh
--- and tanh.  Those that there are stay as they are.
function lua51.install()
  add(_G, {
    module = lua51.module,
    setfenv = lua51.setfenv,
    getfenv = lua51.getfenv,
    loadstring = lua51.loadstring,
    unpack = table.unpack,
    gcinfo = function() return collectgarbage("count") end,
  })
  add(package, { loaders = package.searchers, seeall = lua51.seeall })
  add(table, tables)
  add(string, { gfind = string.gmatch })
  add(math, maths)
end

return lua51
