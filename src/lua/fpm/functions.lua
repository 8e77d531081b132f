-- Functions as an interface of lua-fpm: a request names one of them, which reads
-- the body and writes a CGI response, as FastCGI.jl's function runner has it.
--
--   interface = "functions"; app = "/srv/site/functions.lua";
--   return require("fpm.functions") { ["blog.index"] = function(...) end }
--
-- See fpm.functions(3lua).

local check = require "fpm.check"
local log = require "fpm.log"

local found, core = pcall(require, "fpm.core.request")
-- Without the daemon there is no status beside that of HTTP.
local set_status = found and core.status or function() end

local HEAD_MOST = 1 << 20 -- bytes that are kept until the head is complete

---@alias fpm.functions.function fun(params: fpm.env, input: fpm.input,
---output: fpm.functions.output, errors: fpm.errors): integer?

---@class fpm.functions.options
---@field mount? string not used: a request names a function, not a path
---@field setup? function these are those of lua-fpm's own applications
---@field start? function
---@field restart? function
---@field stop? function

---@class fpm.functions
---@overload fun(functions: table<string, fpm.functions.function>, options?:
---fpm.functions.options): table
local interface = {}

-- ---- the response ----------------------------------------------------------

-- The head that a function has written, RFC 3875, 6: the value of Status, and
-- the headers, each an array of its values.
local function parse(head)
  local status, headers, n = nil, {}, 0
  for line in head:gmatch("([^\n]*)\n") do
    line = line:gsub("\r$", "")
    local name, value = line:match("^([^:]+):[ \t]*(.-)[ \t]*$")
    if not name then
      error(("malformed header line: %s"):format(line:sub(1, 80)), 0)
    end
    if name:lower() ~= "status" then
      headers[name] = headers[name] or {}
      table.insert(headers[name], value)
    elseif status then
      error('header "Status" is given twice', 0)
    else
      status = value
    end
    n = n + 1
  end
  if n == 0 then
    error("the output begins with an empty line, where a header is expected", 0)
  end
  return status, headers
end

-- Where the body begins, and the head in front of its empty line.
local function split(text)
  if text:find("^\r?\n") then
    return 1, ""
  end
  local from, to = text:find("\n\r?\n")
  if from then
    return to + 1, text:sub(1, from)
  end
end

---@class fpm.functions.output
---@field env fpm.env
---@field head string[] what has come of it
---@field size integer its bytes
---@field response? table once the head is complete
local output = {}
output.__index = output

-- The pieces that have come: the response begins as soon as its head is
-- complete.
local function begin(self)
  local text = table.concat(self.head)
  local body, head = split(text)
  self.head = { text }
  if not body then
    if #text > HEAD_MOST then
      error(("the head of the response has %d bytes or more"):format(#text), 0)
    end
    return true
  end
  local status, headers = parse(head)
  self.head = nil
  self.response = self.env:respond(status, headers)
  if body <= #text then
    return self.response:write(text:sub(body))
  end
  return true
end

--- Write a part of the response, whose first lines are its head:
---
---     output:write("Status: 404 Not Found\nContent-Type: text/plain\n\n", "no\n")
---
--- Returns the output, or nil and why if the client takes no more.
---@param ... string|number
---@return fpm.functions.output?, string?
function output:write(...)
  local good, why
  if self.response then
    good, why = self.response:write(...)
  else
    for i = 1, select("#", ...) do
      self.head[#self.head + 1] = check.text("output:write",
        "argument " .. i, (select(i, ...)))
    end
    good, why = begin(self)
  end
  return good and self, why
end

--- Send what has been written.  Returns as write.
---@return fpm.functions.output?, string?
function output:flush()
  if not self.response then
    return self
  end
  local good, why = self.response:flush()
  return good and self, why
end

-- ---- requests --------------------------------------------------------------

-- The name of the function: SCRIPT_FILENAME, or else SCRIPT_NAME, whose slash is
-- not part of it.
local function named(env)
  local name = rawget(env, "SCRIPT_FILENAME")
  if name == nil or name == "" then
    name = (rawget(env, "SCRIPT_NAME") or ""):gsub("^/", "")
  end
  return name
end

local function plain(env, status, text)
  set_status(env, status)
  return { Status = status, ["Content-Type"] = "text/plain" }, text
end

-- The application's status that a function has returned.
local function judge(name, result)
  if result == nil then
    return 0
  end
  local status = math.type(result) and math.tointeger(result)
  if not status or status < 0 or status > 0xffffffff then
    error(("%s returned %s, expected nothing or an integer, 0 to %d"):format(
      name, math.type(result) and result or check.type(result), 0xffffffff), 0)
  end
  return status
end

local function serve(functions, env)
  local name = named(env)
  local run = functions[name]
  if not run then
    log.info("there is no function ", ("%q"):format(name))
    return plain(env, 404, "Not Found\n")
  end
  local out = setmetatable({ env = env, head = {} }, output)
  local status = judge(name, run(env, env.input, out, env.errors))
  set_status(env, status)
  if out.response then
    return {}
  elseif out.head[1] and out.head[1] ~= "" then
    error(name .. " has not written the empty line that ends the head", 0)
  end
  error(name .. " has written no response", 0)
end

-- ---- applications ----------------------------------------------------------

local HOOKS = { setup = true, start = true, restart = true, stop = true }
local KNOWN = setmetatable({ mount = true }, { __index = HOOKS })
local made = setmetatable({}, { __mode = "k" }) -- what this has returned

local function callable(value)
  local meta = getmetatable(value)
  return type(value) == "function" or
    type(meta) == "table" and type(meta.__call) == "function"
end

local function adapt(functions, options)
  if made[functions] then -- the file has called us, and the pool does
    return functions
  end
  check.is("fpm.functions", "functions", functions, "table", 1)
  options = check.options("fpm.functions", options, KNOWN, 1)
  local listed = {} -- a later change has no effect, nor has a metatable
  for name, run in next, functions do
    check.is("fpm.functions", "a name", name, "string", 1)
    if not callable(run) then
      check.fail("fpm.functions", 1, "%s is %s, expected a function", name,
        check.type(run))
    end
    listed[name] = run
  end
  local app = {
    accept = function(env)
      return serve(listed, env)
    end,
  }
  for hook in pairs(HOOKS) do
    if options[hook] ~= nil then
      check.is("fpm.functions", "options." .. hook, options[hook], "function",
        1)
      app[hook] = options[hook]
    end
  end
  made[app] = true
  return app
end

return setmetatable(interface, {
  __call = function(_, functions, options)
    return adapt(functions, options)
  end,
})
