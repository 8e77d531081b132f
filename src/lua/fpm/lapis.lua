-- Lapis 1.18 (leafo/lapis) as an interface of lua-fpm: its applications run
-- unchanged, as they do in OpenResty and in cqueues.
--
--   interface = "lapis"; app = "/srv/site/app.lua";    -- in lua-fpm.conf
--   return require("fpm.lapis")("app")                 -- in a file of one's own
--
-- See fpm.lapis(3lua).

local check = require "fpm.check"
local current = require "fpm.current"
local log = require "fpm.log"

---@class fpm.lapis.options
---@field mount? string not used: the routes of an application have whole paths
---@field form? fpm.form.options for the forms of all requests
---@field setup? function these are those of lua-fpm's own applications
---@field start? function
---@field restart? function
---@field stop? function
---@field error? function

---@class fpm.lapis
---@overload fun(application: string|table, options?: fpm.lapis.options): table
local interface = {}

local found, core = pcall(require, "fpm.core.try")
local try = found and core.try or pcall

-- Where modules of Lapis and of applications look which server they run in.
package.loaded["lapis.running_server"] = "fpm"

-- ---- the body of the request -----------------------------------------------

local MOST, MOST_TOGETHER = 1 << 20, 8 << 20 -- bytes of parts in memory
local TOO_LONG = {}
local MULTIPART = "multipart/form-data"
local URLENCODED = "application/x-www-form-urlencoded"

-- The body as it was sent.  Lapis may ask for it again, and after the form in
-- it has been read.
local function make_body(env)
  local body = { pieces = {} }

  -- As env.input:read, for a form that is read from it.
  function body:read(n)
    local piece = env.input:read(n)
    self.pieces[#self.pieces + 1] = piece
    return piece
  end

  -- nil if it is empty, as in OpenResty.
  function body:all()
    if not self.text then
      local good, rest = try(env.input.read, env.input, "a")
      if not good then
        self.failure = rest
        error(rest, 0)
      end
      self.pieces[#self.pieces + 1] = rest
      self.text = table.concat(self.pieces)
    end
    return self.text ~= "" and self.text or nil
  end

  return body
end

-- ---- forms -----------------------------------------------------------------

-- The fields that the text has without "=" are true, as Lapis' servers have it,
-- where form.query and form.read have "".
local function mark_bare(fields, text)
  if not ("&" .. text .. "&"):find("&[^&=]+&") then
    return fields
  end
  for name in text:gmatch("[^&]+") do
    if not name:find("=", 1, true) then
      name = next((require("fpm.form").query(name)))
      if fields[name] == "" then
        fields[name] = true
      end
    end
  end
  return fields
end

-- What a part has beside its own fields: its content, read when it is first
-- asked for, and `upload`, the file of fpm.form, for what is too large to be a
-- string.
local function make_lazy(upload)
  local content
  local function read()
    if not content then
      upload.file:seek("set")
      content = upload.file:read("a")
      upload.file:seek("set")
    end
    return content
  end
  return {
    __index = function(_, name)
      return name == "content" and read() or name == "upload" and upload or
        nil
    end,
    __pairs = function(part)
      local all = { content = read() }
      for name, value in next, part do
        all[name] = value
      end
      return next, all
    end,
  }
end

-- An uploaded file as Lapis has it.
local function make_file(upload)
  local part = setmetatable({ name = upload.name, filename = upload.filename,
    ["content-type"] = upload.type }, make_lazy(upload))
  return upload.type and part or part.content
end

-- What fpm.form does not keep: a field that was left without a file, and the
-- type of a part that is no file.  True if the part is one of these.
local function take_part(others, part)
  local empty = part.filename == ""
  others.parts[part.name] = nil
  if not empty and (part.filename or not part.type) then
    return false
  end
  local content = part:read(MOST) or ""
  others.room = others.room - #content
  if others.room < 0 or part:read(1) then
    error(TOO_LONG, 0)
  end
  others.parts[part.name] = part.type and { name = part.name,
    filename = part.filename, ["content-type"] = part.type,
    content = content } or content
  return true
end

local function read_multipart(env, options)
  local others = { parts = {}, room = MOST_TOGETHER }
  local function take(part)
    return take_part(others, part)
  end
  options.on_part, options.on_field = take, take
  local good, fields, files, message =
    try(require("fpm.form").read, env, options)
  if not good and fields == TOO_LONG then
    return nil, 413, "a field is too long"
  elseif not good then
    error(fields, 0)
  elseif not fields then
    return nil, files, message
  end
  for _, file in ipairs(files) do
    fields[file.name] = make_file(file)
  end
  for name, part in pairs(others.parts) do
    fields[name] = part
  end
  return fields
end

-- The fields of the form in the body, {} if there is none; nil, a status and a
-- message if it cannot be read.
local function read_form(env, body, given)
  local kind = (env.CONTENT_TYPE or ""):match("^%s*([^;%s]*)"):lower()
  if kind ~= MULTIPART and kind ~= URLENCODED then
    return {}
  end
  local options = { utf8 = false }
  for name, value in pairs(given) do
    options[name] = value
  end
  if kind == MULTIPART then
    return read_multipart(env, options)
  end
  local fields, status, message = require("fpm.form").read(
    setmetatable({ input = body }, { __index = env }), options)
  if not fields then
    return nil, status, message
  end
  return mark_bare(fields, table.concat(body.pieces))
end

-- ---- the request -----------------------------------------------------------

local make = {} -- name -> function(request, env, body): fields of the request

-- As the client has it, without a host (RFC 9112, 3.2.2).
function make.request_uri(_, env)
  local uri = env.REQUEST_URI
  if not uri or uri == "" then
    local query = env.QUERY_STRING or ""
    return (env.SCRIPT_NAME or "") .. (env.PATH_INFO or "") ..
      (query ~= "" and "?" .. query or "")
  end
  local path = uri:match("^%a[%w+.-]*://[^/?#]*(.*)$")
  if path then
    return path:sub(1, 1) == "/" and path or "/" .. path
  end
  return uri
end

function make.parsed_url(request, env)
  local authority = env.HTTP_HOST or env.SERVER_NAME or ""
  local host, port = authority:match("^(.-):(%d+)$")
  local query = env.QUERY_STRING
  return {
    scheme = request.scheme,
    host = host or authority,
    port = port,
    path = (request.request_uri:match("^[^?]*")),
    query = query ~= "" and query or nil,
  }
end

function make.params_get(_, env)
  local query = env.QUERY_STRING or ""
  if query == "" then
    return {}
  end
  return mark_bare((require("fpm.form").query(query)), query)
end

function make.headers(_, env)
  return env.headers
end

for field, parameter in pairs {
  method = "REQUEST_METHOD", port = "SERVER_PORT",
  server_addr = "SERVER_ADDR", remote_addr = "REMOTE_ADDR",
} do
  make[field] = function(_, env)
    return env[parameter]
  end
end

function make.scheme(_, env)
  local scheme = env.REQUEST_SCHEME
  return current.is_https(env.HTTPS, scheme) and "https" or "http"
end

function make.read_body_as_string(_, _, body)
  return function()
    return body:all()
  end
end

-- What lua-fpm has and Lapis has not.
function make.fpm(_, env)
  return env
end

-- Those that Lapis calls deprecated.

make.cmd_mth, make.cmd_url, make.srv = make.method, make.request_uri,
  make.server_addr

function make.referer(_, env)
  return env.HTTP_REFERER or ""
end

function make.relpath(request)
  return request.parsed_url.path
end

function make.built_url(request)
  local url = request.parsed_url
  return url.scheme .. "://" .. url.host ..
    (url.port and ":" .. url.port or "") .. url.path ..
    (url.query and "?" .. url.query or "")
end

-- A request as Lapis has it: each field is made when it is first read.
local function make_request(env, body, params_post)
  return setmetatable({ params_post = params_post }, {
    __index = function(request, name)
      local value = make[name] and make[name](request, env, body)
      rawset(request, name, value)
      return value
    end,
  })
end

-- ---- the response ----------------------------------------------------------

-- Names are read and written in any case, with "-" or "_", and go out as they
-- were first written.
local function make_headers()
  local values, names = {}, {}
  local function normal(name)
    return (name:lower():gsub("_", "-"))
  end
  return setmetatable({}, {
    __index = function(_, name)
      return type(name) == "string" and values[normal(name)] or nil
    end,
    __newindex = function(_, name, value)
      name = check.text("response headers", "name", name)
      local key = normal(name)
      names[key] = names[key] or (name:gsub("_", "-"))
      values[key] = value
    end,
    __pairs = function()
      local all = {}
      for key, value in pairs(values) do
        all[names[key]] = value
      end
      return next, all
    end,
  })
end

local Response = {}
Response.__index = Response

-- One more value for a header.
function Response:add_header(name, value)
  local before = self.headers[name]
  if before == nil then
    self.headers[name] = value
  elseif type(before) == "table" then
    before[#before + 1] = value
  else
    self.headers[name] = { before, value }
  end
end

-- As lua-fpm's own applications return it.
local function finish(response)
  local headers = {}
  for name, value in pairs(response.headers) do
    headers[name:lower() == "status" and "Status" or name] = value
  end
  headers.Status = response.status or headers.Status or 200
  return headers, response.content
end

-- ---- applications ----------------------------------------------------------

-- A connection that was lost stays in a variable of Lapis, and each query fails
-- from then on: where there is no ngx, nothing but this makes a new one.
local function disconnect()
  local db = package.loaded["lapis.db"]
  if type(db) ~= "table" or type(db.disconnect) ~= "function" then
    return
  end
  local good, why = pcall(db.disconnect)
  if not good then
    log.warning("lapis.db: disconnect: ", why)
  end
end

local function is_failure(status)
  status = tonumber((tostring(status):match("^%d+")))
  return status ~= nil and status >= 500
end

local function refuse(status, message)
  return { Status = status, ["Content-Type"] = "text/plain" }, message .. "\n"
end

local serving -- the body of the request that is being served

local function make_accept(app, form)
  return function(env)
    local body = make_body(env)
    local params_post, status, message = read_form(env, body, form)
    if not params_post then
      return refuse(status, message)
    end
    local request = make_request(env, body, params_post)
    local response = setmetatable({ req = request, headers = make_headers() },
      Response)
    serving = body
    local good, raised = try(app.dispatch, app, request, response)
    serving = nil
    if not good or is_failure(response.status) then
      disconnect()
    end
    if not good or body.failure then
      error(body.failure or raised, 0)
    end
    return finish(response)
  end
end

-- Lapis shows the visitor what failed, and tells no log.
local function log_errors(app)
  local render = app.render_error_request
  if type(render) ~= "function" then
    return
  end
  function app.render_error_request(self, request, err, trace)
    if serving and not serving.failure then
      log.error(err, trace or "")
    end
    return render(self, request, err, trace)
  end
end

-- What Lapis logs, without the colours, which a log would show as escapes.
local function print_plainly()
  local logging = package.loaded["lapis.logging"]
  if type(logging) ~= "table" or type(logging.set_print) ~= "function" then
    return
  end
  logging.set_print(function(...)
    local texts = table.pack(...)
    for i = 1, texts.n do
      texts[i] = tostring(texts[i]):gsub("\27%[[%d;]*m", "")
    end
    log.notice(table.concat(texts, "\t"))
  end)
end

local hooks = { setup = "function", start = "function", restart = "function",
  stop = "function", error = "function" }
local known = setmetatable({ mount = "string", form = "table" },
  { __index = hooks })

local function check_application(value)
  if type(value) == "string" or type(value) == "table" and
    (value.__base or type(value.dispatch) == "function") then
    return
  end
  error(("the application is %s, expected a Lapis application or the name " ..
    "of a module that is one"):format(type(value) == "table" and
    "a table without dispatch" or check.type(value)), 0)
end

local function adapt(value, options)
  options = check.options("fpm.lapis", options, known)
  for name, option in pairs(options) do
    check.is("fpm.lapis", "options." .. name, option, known[name])
  end
  check_application(value)
  local app = require("lapis").load_app(value)
  log_errors(app)
  print_plainly()
  local adapted = { accept = make_accept(app, options.form or {}) }
  for name in pairs(hooks) do
    adapted[name] = options[name]
  end
  return adapted
end

-- ---- files -----------------------------------------------------------------

--- Load a file that returns a Lapis application, or the name of a module that
--- is one.  A file that ends in .moon is MoonScript.
---@param file string
---@param options? fpm.lapis.options
---@return table application of lua-fpm
function interface.load(file, options)
  local load = file:find("%.moon$") and require("moonscript").loadfile or
    loadfile
  local chunk, why = load(file)
  if not chunk then
    error(why, 0)
  end
  local name = file:match("([^/]+)$"):gsub("%.[^.]*$", "")
  local value = chunk(name)
  if type(value) == "table" and package.loaded[name] == nil then
    package.loaded[name] = value -- it may be required as well
  end
  return adapt(value, { mount = options and options.mount })
end

return setmetatable(interface, {
  __call = function(_, value, options)
    return adapt(value, options)
  end,
})
