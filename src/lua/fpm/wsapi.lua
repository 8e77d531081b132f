-- WSAPI 1.7 (keplerproject/wsapi) as an interface of lua-fpm: an application
-- is called with wsapi_env and returns a status, headers and an iterator.
--
--   interface = "wsapi"; app = "/srv/hello/hello.lua";    -- in lua-fpm.conf
--   return require("fpm.wsapi")(run, { mount = "/hello" }) -- in a file of one's
--                                                         -- own
--
-- What is in wsapi_env is made when it is first read, as in WSAPI's own
-- connectors.

---@class fpm.wsapi.options
---@field mount? string the path of a URL below which the application is; ""
---  leaves SCRIPT_NAME and PATH_INFO as the web server sends them; default "/"
---@field app_path? string directory of the application, wsapi_env.APP_PATH
---@field setup? function these are those of lua-fpm's own applications
---@field start? function
---@field restart? function
---@field stop? function
---@field error? function

local check = require "fpm.check"
local html = require "fpm.html"

---@class fpm.wsapi
---@overload fun(application: any, options?: fpm.wsapi.options): table
local wsapi = {}

local found, core = pcall(require, "fpm.core.try")

-- Call a function: true and its results, or false and what it raised, which
-- error(what, 0) raises on as if it had never been caught.
local try = found and core.try or pcall

-- ---- the body of the request ------------------------------------------------

-- A body whose length nobody announced (it was sent in chunks) has to be read
-- to know it.  Programs ask for CONTENT_LENGTH and then read as much, so what
-- was read waits in `ahead`.
local function measure(input, env)
  local length = tonumber(rawget(env, "CONTENT_LENGTH"))
  if not length then
    local stream = env.input
    input.ahead = stream and stream:read("a") or ""
    length = #input.ahead
  end
  return length
end

local function read_ahead(input, n)
  local piece = input.ahead:sub(1, n)
  input.ahead = input.ahead:sub(#piece + 1)
  return piece ~= "" and piece or nil
end

-- n: bytes, all that is left if nil.  Less comes only at the end of the body,
-- and nil after it.
local function read_input(input, env, n)
  if n ~= nil and type(n) ~= "number" then
    error(("bad argument #1 to 'read' (number expected, got %s)")
      :format(type(n)), 3)
  end
  if n and n <= 0 then
    return nil
  elseif input.ahead then
    return read_ahead(input, n or #input.ahead)
  end
  local stream = env.input
  local piece = stream and stream:read(n or "a")
  return piece ~= "" and piece or nil
end

local function make_input(_, env)
  local hidden = {} -- not a field of the object that an application sees
  local input = {}

  function input.read(_, n)
    return read_input(hidden, env, n)
  end

  return setmetatable(input, {
    __index = function(self, name)
      if name == "length" then
        local length = math.tointeger(measure(hidden, env)) or 0
        rawset(self, "length", length)
        return length
      end
    end,
  })
end

-- ---- wsapi_env --------------------------------------------------------------

-- What is not simply a variable: made from wsapi_env and the request.
local made = { input = make_input }

function made.error(_, env)
  return env.errors
end

-- The env of lua-fpm, for what WSAPI has not.
function made.fpm(_, env)
  return env
end

-- As WSAPI's FastCGI connector has it: the variables under their own names.
function made.headers(_, env)
  local headers = {}
  for name, value in pairs(env) do
    headers[name] = value
  end
  return headers
end

function made.CONTENT_LENGTH(wsapi_env, env)
  local length = rawget(env, "CONTENT_LENGTH")
  if length == nil and wsapi_env.input.length > 0 then
    length = tostring(wsapi_env.input.length)
  end
  return length or ""
end

-- The path that the web server means, whatever it calls it: nginx sends all of
-- it as SCRIPT_NAME, Caddy as PATH_INFO, mod_fcgid cuts it in two.
local function whole_path(env)
  local path = (rawget(env, "SCRIPT_NAME") or "") ..
    (rawget(env, "PATH_INFO") or "")
  if path == "" then
    path = rawget(env, "DOCUMENT_URI") or ""
  end
  return path
end

-- Not among the parameters that nginx comes with; needed by CGILua.
function made.SCRIPT_FILENAME(_, env)
  local root = rawget(env, "DOCUMENT_ROOT")
  return rawget(env, "SCRIPT_FILENAME") or
    (root and root ~= "" and root .. whole_path(env)) or ""
end

-- SCRIPT_NAME and PATH_INFO: where the application is, and the rest.  nil if
-- the path is not below the mount.
local function split_path(env, mount)
  if not mount then
    local rest = rawget(env, "PATH_INFO") or ""
    return rawget(env, "SCRIPT_NAME") or "", rest == "" and "/" or rest
  end
  local path = whole_path(env)
  if path:sub(1, #mount) ~= mount then
    return nil
  end
  local rest = path:sub(#mount + 1)
  if rest == "" then
    return mount, "/"
  elseif rest:byte() == 47 or mount == "" then
    return mount, rest
  end
  return nil
end

local function make_env(env, script_name, path_info, app_path)
  local wsapi_env = {
    SCRIPT_NAME = script_name,
    PATH_INFO = path_info,
    APP_PATH = app_path,
  }
  return setmetatable(wsapi_env, {
    __index = function(self, name)
      local make = made[name]
      local value = make and make(self, env) or rawget(env, name) or ""
      if type(name) == "string" then
        rawset(self, name, value)
      end
      return value
    end,
  })
end

-- ---- the response -----------------------------------------------------------

local function make_value(value)
  local kind = type(value)
  if kind == "string" or kind == "number" then
    return value
  elseif kind ~= "table" then
    return tostring(value)
  end
  local list = {}
  for i, one in ipairs(value) do
    list[i] = type(one) == "string" and one or tostring(one)
  end
  return list
end

-- An application may return the same table each time, so it is left as it is.
-- A header Status goes before the returned one: it is how CGILua sets it, and
-- a web server takes the last of two.
local function make_headers(status, headers)
  local made_headers, named = {}, nil
  for name, value in pairs(headers) do
    if type(name) == "string" and #name == 6 and name:lower() == "status" then
      named = value
    else
      made_headers[name] = make_value(value)
    end
  end
  made_headers.Status = named or status
  return made_headers
end

local function wrong(what, value, expected)
  error(("the application returned %s%s as its %s, expected %s"):format(
    value == nil and "" or "a ", type(value), what, expected), 0)
end

local function callable(value)
  local meta = getmetatable(value)
  return type(value) == "function" or
    type(meta) == "table" and meta.__call ~= nil
end

local function check_returned(status, headers, iterator)
  if type(status) ~= "number" and type(status) ~= "string" then
    wrong("status", status, 'a number or a text such as "404 Not Found"')
  elseif headers ~= nil and type(headers) ~= "table" then
    wrong("headers", headers, "a table")
  elseif iterator ~= nil and not callable(iterator) then
    wrong("iterator", iterator, "a function")
  end
end

-- The pieces as lua-fpm wants them, the first of which has been made: until
-- nil, or false as in WSAPI.
local function make_body(first, iterator)
  return function()
    local piece = first
    if piece == nil then
      return iterator() or nil
    end
    first = nil
    return piece
  end
end

-- Call the application, and its iterator once: until the first piece is there,
-- what it raises is still a response of its own.
local function run_to_first(run, wsapi_env)
  local status, headers, iterator = run(wsapi_env)
  check_returned(status, headers, iterator)
  local first
  if iterator ~= nil and wsapi_env.REQUEST_METHOD ~= "HEAD" then
    first = iterator() or nil
  end
  return status, headers or {}, iterator, first
end

local function make_page(status, text)
  text = html.escape(tostring(text or status))
  return { Status = status, ["Content-Type"] = "text/html; charset=utf-8" },
    ("<!DOCTYPE html>\n<html><head><title>%d</title></head>\n" ..
      "<body><p>%s</p></body></html>\n"):format(status, text)
end

-- error { 404, "text" } is a response, everything else a failure.
local function answer_raised(raised)
  if type(raised) == "table" then
    local status = math.type(raised[1]) == "integer" and raised[1]
    if status and status >= 400 and status <= 499 then
      return make_page(status, raised[2])
    elseif status and raised[2] ~= nil then
      raised = ("%d: %s"):format(status, tostring(raised[2]))
    end
  end
  error(raised, 0)
end

-- wsapi.response, when it redirects, drops the body that has been written but
-- not its length.
local function drop_length(headers)
  if tostring(headers.Status):find("^3") then
    for name in pairs(headers) do
      if type(name) == "string" and name:lower() == "content-length" then
        headers[name] = nil
      end
    end
  end
end

local function finish(good, status, headers, iterator, first)
  if not good then
    return answer_raised(status)
  end
  headers = make_headers(status, headers)
  if first ~= nil then
    return headers, make_body(first, iterator)
  elseif iterator ~= nil then
    drop_length(headers)
  end
  return headers
end

-- ---- applications -----------------------------------------------------------

local other = { accept = "native", dispatch = "lapis" }

local function refuse(value)
  local what = (value == nil and "" or "a ") .. type(value)
  if type(value) == "table" then
    for name, interface in pairs(other) do
      if rawget(value, name) ~= nil then
        error(('the application is a table with %s, which interface = "%s" ' ..
          'takes, expected one with run'):format(name, interface), 0)
      end
    end
    what = what .. " without run"
  end
  error(("the application is %s, expected a function, a table with run, or " ..
    "the name of a module that is one"):format(what), 0)
end

-- The function of an application: itself, its run, or that of a module.
local function find_run(value, from_module)
  if type(value) == "function" then
    return value
  elseif type(value) == "table" and callable(value.run) then
    return value.run
  elseif callable(value) then
    return value
  elseif type(value) == "string" and not from_module then
    return find_run(require(value), true)
  end
  return refuse(value)
end

-- nil for "", which leaves the paths as they are; "" for "/".
local function check_mount(mount)
  mount = check.text("fpm.wsapi", "options.mount", mount or "/", 1)
  if mount ~= "" and mount:byte() ~= 47 then
    check.fail("fpm.wsapi", 1, "options.mount is %q, expected a path that " ..
      "begins with /", mount)
  end
  return mount ~= "" and mount:gsub("/+$", "") or nil
end

local entries = { setup = true, start = true, restart = true, stop = true,
  error = true }
local known = setmetatable({ mount = true, app_path = true },
  { __index = entries })

local function check_options(options)
  options = check.options("fpm.wsapi", options, known, 1)
  for name in pairs(entries) do
    if options[name] ~= nil and not callable(options[name]) then
      check.is("fpm.wsapi", "options." .. name, options[name], "function", 1)
    end
  end
  if options.app_path ~= nil then
    check.is("fpm.wsapi", "options.app_path", options.app_path, "string", 1)
  end
  return options
end

local function make_accept(run, mount, app_path)
  local told = false

  return function(env)
    local script_name, path_info = split_path(env, mount)
    if not script_name then
      if not told then
        told = true
        env.errors:write("a path is not below mount, ", mount,
          ": it is answered 404, as others will be without a line here\n")
      end
      return make_page(404, "Not Found")
    end
    local wsapi_env = make_env(env, script_name, path_info, app_path)
    return finish(try(run_to_first, run, wsapi_env))
  end
end

local function adapt(value, options)
  options = check_options(options)
  local run = find_run(value)
  local app = {}
  app.accept = make_accept(run, check_mount(options.mount), options.app_path)
  for name in pairs(entries) do
    app[name] = options[name]
  end
  return app
end

-- ---- files ------------------------------------------------------------------

-- WSAPI's connectors as launchers call them: run(application), at the end of a
-- file.  Here that says which application it is.
local function replace_connectors()
  local launched = {}
  local connector = {
    run = function(application)
      launched.application = application
    end,
  }
  package.loaded["wsapi.fastcgi"] = connector
  package.loaded["wsapi.cgi"] = connector
  return launched
end

-- WSAPI's launchers leave the directory of the application there, where Orbit
-- looks for it while the application is loaded.
local function tell_app_path(file, directory)
  local path = package.path
  local where = package.searchpath("wsapi.common", path) and
    package.searchpath("wsapi", path)
  if where and where ~= file then
    local good, package_wsapi = pcall(require, "wsapi")
    if good and type(package_wsapi) == "table" then
      package_wsapi.app_path = directory
    end
  end
end

--- Load a file as WSAPI's launchers do: it returns an application, or calls
--- module(...) of Lua 5.1, or run(application) of wsapi.fastcgi or wsapi.cgi.
--- The names of Lua 5.1 (fpm.lua51) are global then.
---@param file string
---@param options? fpm.wsapi.options
---@return table application of lua-fpm
function wsapi.load(file, options)
  local name = file:match("([^/]+)$"):gsub("%.[^.]*$", "")
  local directory = file:match("^(.*)/[^/]*$") or "."
  local chunk, why = loadfile(file)
  if not chunk then
    error(why, 0)
  end
  require("fpm.lua51").install()
  tell_app_path(file, directory)
  local launched = replace_connectors()
  local before = package.loaded[name]
  local value = chunk(name)
  if value == nil and package.loaded[name] ~= before then
    value = package.loaded[name]
  elseif value == nil then
    value = launched.application
  elseif before == nil and package.loaded[name] == nil then
    package.loaded[name] = value
  end
  return adapt(value, { mount = options and options.mount,
    app_path = directory })
end

return setmetatable(wsapi, {
  __call = function(_, value, options)
    return adapt(value, options)
  end,
})
