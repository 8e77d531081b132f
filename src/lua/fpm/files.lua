-- A directory of Lua files as an interface of lua-fpm: a request names one of
-- them, which is an application of its own, loaded when it is first asked for.
--
--   interface = "files"; root = "/srv/site";           -- in lua-fpm.conf
--   return require("fpm.files")("/srv/site")           -- in a file of one's own
--
-- See fpm.files(3lua).

local check = require "fpm.check"
local log = require "fpm.log"

local found, core = pcall(require, "fpm.core.script")
local try_found, try_core = pcall(require, "fpm.core.try")
local try = try_found and try_core.try or pcall

local NAMES_MOST = 1024 -- that are known to be of a file
local FILES_MOST = 256 -- that stay loaded
local REVALIDATE = 2 -- seconds

---@class fpm.files.options
---@field revalidate? number seconds for which a loaded file is not looked at; 2
---@field files? integer how many stay loaded, those used last; 256
---@field develop? boolean show why a file does not load; the pool's key

---@class fpm.files
---@overload fun(root: string, options?: fpm.files.options): table
local interface = {}

-- What is loaded before any file: of these every file has the same.
local base = {}
for name, value in pairs(package and package.loaded or {}) do
  base[name] = value
end
local plain_require = require

-- ---- what a file sees ------------------------------------------------------

-- The path of a file that is a module beside another, and what core.look says
-- of it.
local function look_beside(file, name)
  for _, pattern in ipairs { "/%s.lua", "/%s/init.lua" } do
    local path = file.directory .. pattern:format((name:gsub("%.", "/")))
    local real, rest, stamp, text = core.look(file.root, path)
    if real and rest == 0 then
      return path, real, stamp, text
    end
  end
end

-- A first line that begins with "#" is none of Lua.
local function compile(text, name, env)
  return load((text:gsub("^#[^\n]*", "")), "@" .. name, "t", env)
end

-- As require of Lua, but a module that stands beside the file is loaded for this
-- file alone, into its environment.
local function make_require(file)
  local modules = {}
  return function(name)
    check.is("require", "name", name, "string")
    if modules[name] ~= nil or base[name] ~= nil then
      return modules[name] or base[name]
    end
    local path, real, stamp, text = look_beside(file, name)
    if not path then
      return plain_require(name)
    end
    file.sources[path] = stamp
    local chunk, why = compile(text, real, file.env)
    if not chunk then
      error(("error loading module '%s':\n\t%s"):format(name, why), 2)
    end
    local value = chunk(name, real)
    if modules[name] == nil then
      modules[name] = value == nil and true or value
    end
    return modules[name], real
  end
end

-- Chunks that a file loads have its environment, unless it gives another.
local function add_loaders(env)
  if load then
    function env.load(chunk, name, mode, ...)
      if select("#", ...) == 0 then
        return load(chunk, name, mode, env)
      end
      return load(chunk, name, mode, ...)
    end
  end
  if loadfile then
    function env.loadfile(name, mode, ...)
      if select("#", ...) == 0 then
        return loadfile(name, mode, env)
      end
      return loadfile(name, mode, ...)
    end
    function env.dofile(name)
      return assert(loadfile(name, nil, env))()
    end
  end
end

-- The globals are a file's own; those of Lua can be read through them.
local function make_env(file)
  local env = {}
  env._G = env
  env.require = make_require(file)
  add_loaders(env)
  return setmetatable(env, { __index = _G, __metatable = false })
end

-- ---- loading ---------------------------------------------------------------

local function judge(path, app)
  if type(app) ~= "table" or type(app.accept) ~= "function" then
    return ("%s returned %s, expected a table of functions with accept")
      :format(path, type(app) == "table" and "a table without it" or
        check.type(app))
  end
end

-- Run the file and its start: what was wrong.
local function run(file, text)
  local chunk, why = compile(text, file.path, file.env)
  if not chunk then
    return why
  end
  local good, app = try(chunk)
  if not good then
    return app
  end
  why = judge(file.path, app)
  if why or not app.start then
    file.app = app
    return why
  end
  local started, code = try(app.start)
  if not started then
    return code
  elseif code ~= nil and code ~= 0 then
    return ("%s: start returned %s"):format(file.path, tostring(code))
  end
  file.app = app
end

local function load_file(self, path, given, stamp, text)
  local file = { path = path, root = self.root, given = given, stamp = stamp,
    sources = {}, directory = path:match("^(.*)/") }
  file.env = make_env(file)
  local why = run(file, text)
  if why ~= nil then
    log.error(path, " does not load: ", tostring(why))
    file.app, file.failed = nil, why
  end
  return file
end

-- Call a function of an application of a file, if it has it.
local function call(file, name)
  local hook = file.app and file.app[name]
  if hook then
    local good, why = try(hook)
    if not good then
      log.error(file.path, ": ", name, ": ", tostring(why))
    end
  end
  return hook ~= nil
end

local function drop(self, file)
  if self.files[file.path] == file then
    self.files[file.path] = nil
    self.count = self.count - 1
  end
  file.dropped = true
  call(file, "stop")
end

-- Make room for one more: the file that was used least recently goes.
local function make_room(self)
  while self.count >= self.most do
    local oldest
    for _, file in pairs(self.files) do
      if not oldest or file.used < oldest.used then
        oldest = file
      end
    end
    drop(self, oldest)
  end
end

local function keep(self, file)
  local before = self.files[file.path]
  if before then
    drop(self, before)
  end
  make_room(self)
  file.used = self.clock
  self.files[file.path] = file
  self.count = self.count + 1
end

-- ---- finding ---------------------------------------------------------------

local function has_changed(file)
  for path, stamp in pairs(file.sources) do
    local real, _, now, text = core.look(file.root, path, nil, nil, stamp)
    if not real or now ~= stamp or text then
      return true
    end
  end
  return false
end

local function names_of(env)
  local name = rawget(env, "SCRIPT_FILENAME")
  if name == nil or name == "" then
    local directory = rawget(env, "DOCUMENT_ROOT")
    local script = rawget(env, "SCRIPT_NAME")
    return nil, directory, script, (directory or "") .. "\0" .. (script or "")
  end
  return name, nil, nil, name
end

-- Look at the file again, and load it if it is another one.  The file, and how
-- many bytes of the name follow it; or nil, the status, why, and whether that is
-- to be logged.
local function look(self, env, known)
  local name, directory, script = names_of(env)
  local current = known and self.files[known.file.path] == known.file
  local path, rest, stamp, text = core.look(self.root, name, directory, script,
    current and known.file.stamp or nil)
  if not path then
    return nil, rest, stamp, text
  end
  local file = self.files[path]
  if file and file.stamp == stamp and not file.failed and
    not has_changed(file) then
    return file, rest
  end
  if not text then
    path, rest, stamp, text = core.look(self.root, name, directory, script)
    if not path then
      return nil, rest, stamp, text
    end
  end
  file = load_file(self, path, name, stamp, text)
  keep(self, file)
  return file, rest
end

-- As look, which is called for a name once in `revalidate`.
local function find(self, env)
  local _, _, _, key = names_of(env)
  local known, now = self.names[key], core.now()
  self.clock = self.clock + 1
  if known and now - known.looked < self.revalidate and
    not known.file.dropped then
    known.file.used = self.clock
    return known.file, known.rest
  end
  local file, rest, why, loud = look(self, env, known)
  if not file then
    self.names[key] = nil
    return nil, rest, why, loud
  end
  if self.named >= NAMES_MOST then
    self.names, self.named = {}, 0
  end
  if not self.names[key] then
    self.named = self.named + 1
  end
  file.used = self.clock
  self.names[key] = { file = file, rest = rest, looked = now }
  return file, rest
end

-- ---- requests --------------------------------------------------------------

local REASONS = { [403] = "Forbidden", [404] = "Not Found",
  [500] = "Internal Server Error" }

local function plain(status)
  return { Status = status, ["Content-Type"] = "text/plain" },
    REASONS[status] .. "\n"
end

-- The script ends where the file does: what follows it is PATH_INFO.
local function divide(env, rest)
  local name, info = rawget(env, "SCRIPT_NAME"), rawget(env, "PATH_INFO")
  if rest > 0 and name and #name >= rest and (info == nil or info == "") then
    env.SCRIPT_NAME = name:sub(1, -rest - 1)
    env.PATH_INFO = name:sub(-rest)
  end
end

local function serve(self, env)
  self.current = nil
  local file, rest, why, loud = find(self, env)
  if not file then
    log[rest == 500 and "error" or loud and "notice" or "info"](why)
    return plain(rest)
  elseif not file.app then
    if self.develop then
      error(file.failed, 0) -- for the page that shows it
    end
    return plain(500)
  end
  divide(env, rest)
  self.current = file
  return file.app.accept(env)
end

-- app.error, which not every file has.
local function fail(self, ...)
  local app = self.current and self.current.app
  if app and app.error then
    return app.error(...)
  end
  return plain(500)
end

-- A file without a restart is loaded anew when it is next asked for.
local function restart(self)
  self.names, self.named = {}, 0
  for _, file in pairs(self.files) do
    if not call(file, "restart") then
      drop(self, file)
    end
  end
end

local function stop(self)
  for _, file in pairs(self.files) do
    call(file, "stop")
  end
end

-- ---- the application -------------------------------------------------------

local function adapt(root, options)
  if not found then
    check.fail("fpm.files", 1, "needs the daemon")
  end
  check.is("fpm.files", "root", root, "string", 1)
  options = check.options("fpm.files", options,
    { mount = true, revalidate = true, files = true, develop = true }, 1)
  local revalidate = options.revalidate or REVALIDATE
  check.is("fpm.files", "options.revalidate", revalidate, "number", 1)
  local self = { root = root, revalidate = revalidate * 1000,
    develop = options.develop,
    most = check.integer("fpm.files", "options.files",
      options.files or FILES_MOST, 1, 1 << 20, 1),
    files = {}, count = 0, names = {}, named = 0, clock = 0 }
  local app = {}
  for name, method in pairs { accept = serve, error = fail, restart = restart,
    stop = stop } do
    app[name] = function(...)
      return method(self, ...)
    end
  end
  return app
end

-- For a pool with this interface, which has a root instead of a file.
---@param root string
---@param options? fpm.files.options
---@return table application of lua-fpm
function interface.load(root, options)
  return adapt(root, options)
end

return setmetatable(interface, {
  __call = function(_, root, options)
    return adapt(root, options)
  end,
})
