-- For fpm.test: an env that is made by hand, as the daemon makes it
-- (src/worker/lua/lib/lua_env.c and lua_input.c).

local hand_request = {}

local FORMATS_MOST = 250

local function over(request, level)
  if request.over then
    error("the request is over", level + 1)
  end
end

-- The request of the handle that is a method's self.
local function request_of(handle, class, name)
  if getmetatable(handle) ~= class then
    error(("bad argument #1 to '%s' (%s expected, got %s)"):format(name,
      class.__name, handle == nil and "no value" or type(handle)), 3)
  end
  over(handle.request, 3)
  return handle.request
end

-- There is no body any more for what runs after the response.
local function gone(request, level)
  if request.outlived then
    error("request body: the client left", level + 1)
  end
end

local function wrong(who, at, what)
  error(("bad argument #%d to '%s' (%s)"):format(at, who, what), 4)
end

-- ---- env.input, env.data ----------------------------------------------------

local Input = { __name = "lua-fpm.input" }
Input.__index = Input

local function read_line(input, keep)
  local rest = input.at <= #input.text
  local stop = input.text:find("\n", input.at, true) or #input.text + 1
  local line = input.text:sub(input.at, keep and stop or stop - 1)
  input.at = stop + 1
  return rest and line or nil
end

local function read_count(input, n)
  if input.at > #input.text then
    return nil
  end
  local part = input.text:sub(input.at, math.min(input.at + n - 1, #input.text))
  input.at = input.at + #part
  return part
end

-- Raise for the caller of the caller if a format is none.
local function check_formats(formats)
  for i = 1, formats.n do
    local format = formats[i]
    if type(format) == "number" then
      if not math.tointeger(format) then
        wrong("read", i, "number has no integer representation")
      elseif format < 0 then
        wrong("read", i, "negative count")
      end
    elseif type(format) ~= "string" then
      wrong("read", i, "string expected, got " .. type(format))
    elseif not format:find("^%*?[lLa]") then
      wrong("read", i, "invalid format")
    end
  end
end

local function read_format(input, format)
  if type(format) == "number" then
    return read_count(input, math.tointeger(format))
  end
  local kind = format:match("^%*?(.)")
  if kind ~= "a" then
    return read_line(input, kind == "L")
  end
  local rest = input.text:sub(input.at)
  input.at = #input.text + 1
  return rest
end

-- A filter that reads its second body is done with the first.
local function turn(input)
  local request = input.request
  if input == request.data then
    request.turned = true
  elseif request.turned then
    input.at = #input.text + 1
  end
end

local function read_formats(input, formats)
  turn(input)
  if formats.n == 0 then
    return read_line(input, false)
  end
  local results = { n = 0 }
  repeat
    results.n = results.n + 1
    results[results.n] = read_format(input, formats[results.n])
  until results.n == formats.n or results[results.n] == nil
  return table.unpack(results, 1, results.n)
end

function Input:read(...)
  local formats = table.pack(...)
  gone(request_of(self, Input, "read"), 2)
  check_formats(formats)
  return read_formats(self, formats)
end

function Input:lines(...)
  local formats = table.pack(...)
  request_of(self, Input, "lines")
  if formats.n > FORMATS_MOST then
    error(("bad argument #%d to 'lines' (too many arguments)"):format(
      FORMATS_MOST + 1), 2)
  end
  return function()
    over(self.request, 2)
    gone(self.request, 2)
    check_formats(formats)
    return read_formats(self, formats)
  end
end

-- ---- env.errors -------------------------------------------------------------

local Errors = { __name = "lua-fpm.errors" }
Errors.__index = Errors

function Errors:write(...)
  request_of(self, Errors, "write")
  for i = 1, select("#", ...) do
    local text = select(i, ...)
    if type(text) ~= "string" and type(text) ~= "number" then
      error(("bad argument #%d to 'write' (string expected, got %s)"):format(i,
        type(text)), 2)
    end
    table.insert(self.request.errors, tostring(text))
  end
  return self
end

-- ---- lower-case names -------------------------------------------------------

local getters = {}

local function body(name, text)
  return function(request)
    if text(request) and not request[name] then
      request[name] = setmetatable({ request = request, at = 1,
        text = text(request) }, Input)
    end
    return request[name]
  end
end

getters.input = body("input", function(request)
  return request.body
end)

getters.data = body("data", function(request)
  return request.role == "filter" and (request.second_body or "") or nil
end)

function getters.errors(request)
  request.complain = request.complain or
    setmetatable({ request = request }, Errors)
  return request.complain
end

function getters.aborted(request)
  return request.aborted
end

function getters.id(request)
  return request.id
end

function getters.role(request)
  return request.role
end

-- The __index of an env.
local function index(request)
  return function(env, name)
    if type(name) ~= "string" or not name:find("^[a-z]") then
      return nil
    elseif getters[name] then
      over(request, 2)
      return getters[name](request)
    end
    local library = require "fpm.request"
    local method = request.methods[name] or library.methods[name]
    if method or not library.fields[name] then
      return method
    end
    over(request, 2)
    if request.made[name] == nil then
      request.made[name] = library.fields[name](env)
    end
    return request.made[name]
  end
end

-- True for what the daemon does not hand on: HTTP_PROXY, and a CONTENT_LENGTH
-- that announces nothing.
local function is_withheld(name, value)
  if name == "CONTENT_LENGTH" then
    return not value:find("^%d+$") or #value > 18
  end
  return name == "HTTP_PROXY"
end

-- The env of a request.
--
-- request: body, a string, and second_body, of a filter; errors, an array that
-- what is written to env.errors is appended to; id; role; aborted; methods, of
-- this env, by name; outlived, set to true when the answer is complete, over,
-- when the request is.
---@param params table<string, string>
---@param request table
---@return fpm.env
function hand_request.env(params, request)
  local env = {}
  for name, value in pairs(params) do
    if not is_withheld(name, value) then
      env[name] = value
    end
  end
  request.made = {}
  request.methods = request.methods or {}
  return setmetatable(env, { __index = index(request), __metatable = false })
end

return hand_request
