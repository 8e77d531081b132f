-- What the lower-case names of env are, as far as they are written in Lua.  A
-- field is made when it is first read, once in a request; a method is called as
-- env:name(...).

local has_core, core = pcall(require, "fpm.core.request")
local fields, methods = {}, {}

if has_core then
  methods.respond = core.respond
  methods.after = core.after
end

local spelling = { _ = "-" }
for byte in ("ABCDEFGHIJKLMNOPQRSTUVWXYZ"):gmatch(".") do
  spelling[byte] = string.char(byte:byte() + 32)
end

-- The name of a header as env.headers has it, whatever the locale.
local function normal(name)
  return (name:gsub("[A-Z_]", spelling))
end

local any_case = {
  __index = function(headers, name)
    if type(name) ~= "string" then
      return nil
    end
    return rawget(headers, normal(name))
  end,
}

-- The names of parameters that are headers, as env.headers has them; of others
-- false.  As many as clients do not fill memory with.
local header_names, known, MOST = {}, 0, 1000

local function header_name(param)
  local name = type(param) == "string" and param:match("^HTTP_(.+)$") or false
  if name then
    name = normal(name)
    name = name ~= "proxy" and name
  end
  if known < MOST then
    header_names[param], known = name, known + 1
  end
  return name
end

-- The headers of the request, by names in lower case with dashes; read with a
-- name in any case, with "-" or "_".  What came several times is one value,
-- joined by ", " ("; " for cookies).  Of the body's headers those count that
-- the server announces as its own, and Proxy is never one (httpoxy.org).
---@param env fpm.env
---@return table<string, string>
function fields.headers(env)
  local headers = {}
  for param, value in next, env do
    local name = header_names[param]
    if name == nil then
      name = header_name(param)
    end
    if name then
      headers[name] = value
    end
  end
  local kind, length = rawget(env, "CONTENT_TYPE"), rawget(env, "CONTENT_LENGTH")
  headers["content-type"] = kind ~= "" and kind or nil
  headers["content-length"] = length ~= "" and length or nil
  return setmetatable(headers, any_case)
end

-- The cookies of the request: of a name that comes twice the first value.
---@param env fpm.env
---@return table<string, string>
function fields.cookies(env)
  return require("fpm.cookie").parse(rawget(env, "HTTP_COOKIE"))
end

-- Fields of the query string (fpm.form.query); what is malformed in it stays as it
-- is.
function fields.query(env)
  return (require("fpm.form").query(env.QUERY_STRING or ""))
end

-- Fields and files of the body (fpm.form.read).
function methods.form(env, options)
  return require("fpm.form").read(env, options)
end

return { fields = fields, methods = methods }
