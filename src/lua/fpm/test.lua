-- Requests made by hand to an application, and its answers, without a daemon.
-- See fpm.test(3lua).

local check = require "fpm.check"
local current = require "fpm.current"
local hand_reply = require "fpm.hand_reply"
local hand_request = require "fpm.hand_request"
local hand_respond = require "fpm.hand_respond"
local url = require "fpm.url"

---@class fpm.test
local test = {}

---@class fpm.test.options
---@field headers? table name -> string or number, or an array of these
---@field body? string|number
---@field form? table fields to be sent as a body, as fpm.url.query takes them
---@field files? fpm.test.file[] to be sent with them, as multipart/form-data
---@field params? table more parameters, name -> string or number; false: none
---@field role? "responder"|"authorizer"|"filter" default "responder"
---@field data? string the second body, of a filter
---@field aborted? boolean what env.aborted says; default false

---@class fpm.test.file
---@field name string of the field
---@field filename string
---@field content string
---@field type? string default "application/octet-stream"

---@class fpm.test.response
---@field status integer
---@field reason string
---@field headers table<string, string> by name in any case; repeated ones are
---joined by ", "
---@field list string[][] every header, { name, value }, in the order sent
---@field body string
---@field complete boolean false if the client sees that it is cut
---@field error? string why accept failed: what it raised, or what is wrong with
---what it returned
---@field traceback? string of what it raised
---@field log string[] what the daemon would log as errors
---@field errors string what was written to env.errors

local KNOWN = { headers = true, body = true, form = true, files = true,
  params = true, role = true, data = true, aborted = true }
local ROLES = { responder = true, authorizer = true, filter = true }

-- ---- the parameters ---------------------------------------------------------

-- As nginx's fastcgi_params has them.
local function default_params(who, method, target)
  local scheme, authority, rest = target:match("^(https?)://([^/?#]+)(.*)$")
  local path, query = (rest or target):match("^([^?#]*)%??([^#]*)")
  if scheme and path == "" then
    path = "/"
  elseif path:sub(1, 1) ~= "/" then
    check.fail(who, 3, "target is %q, expected \"/path\" or a URL", target)
  end
  local host, port = (authority or "localhost"):match("^(.-):?(%d*)$")
  if port == "" then
    port = scheme == "https" and "443" or "80"
  end
  return {
    GATEWAY_INTERFACE = "CGI/1.1", SERVER_SOFTWARE = "fpm.test",
    SERVER_PROTOCOL = "HTTP/1.1", REQUEST_METHOD = method,
    REQUEST_URI = query ~= "" and path .. "?" .. query or path,
    DOCUMENT_URI = path, SCRIPT_NAME = path, QUERY_STRING = query,
    REQUEST_SCHEME = scheme or "http", HTTPS = scheme == "https" and "on" or nil,
    SERVER_NAME = host, SERVER_ADDR = "127.0.0.1", SERVER_PORT = port,
    REMOTE_ADDR = "127.0.0.1", REMOTE_PORT = "40000",
    HTTP_HOST = authority or "localhost",
  }
end

-- Of a header the value, or the values as a server joins them.
local function joined(who, name, value)
  local what = ("headers[%q]"):format(name)
  if type(value) ~= "table" then
    return check.text(who, what, value, 4)
  end
  local texts = {}
  for i, one in ipairs(value) do
    texts[i] = check.text(who, ("%s[%d]"):format(what, i), one, 4)
  end
  return table.concat(texts, name:lower() == "cookie" and "; " or ", ")
end

local spelling = { ["-"] = "_" } -- of parameters, whatever the locale
for byte in ("abcdefghijklmnopqrstuvwxyz"):gmatch(".") do
  spelling[byte] = string.char(byte:byte() - 32)
end

local function add_headers(who, params, headers)
  check.is(who, "headers", headers, "table", 3)
  for name, value in pairs(headers) do
    check.is(who, "a header's name", name, "string", 3)
    local param = name:gsub("[a-z-]", spelling)
    if param ~= "CONTENT_TYPE" and param ~= "CONTENT_LENGTH" then
      param = "HTTP_" .. param
    end
    params[param] = joined(who, name, value)
  end
end

local function add_params(who, params, given)
  check.is(who, "params", given, "table", 3)
  for name, value in pairs(given) do
    check.is(who, "a parameter's name", name, "string", 3)
    params[name] = value and
      check.text(who, ("params[%q]"):format(name), value, 3) or nil
  end
end

-- A name in the head of a part, as browsers write it.
local function quoted(name)
  return '"' .. name:gsub('["\r\n]', { ['"'] = "%22", ["\r"] = "%0D",
    ["\n"] = "%0A" }) .. '"'
end

-- The parts as one body, and its type.
local function joined_parts(parts)
  local all, boundary = table.concat(parts), "----fpm.test"
  while all:find(boundary, 1, true) do
    boundary = boundary .. "-"
  end
  for i, part in ipairs(parts) do
    parts[i] = "--" .. boundary .. "\r\nContent-Disposition: form-data; name="
      .. part .. "\r\n"
  end
  return table.concat(parts) .. "--" .. boundary .. "--\r\n",
    "multipart/form-data; boundary=" .. boundary
end

-- The fields of a query string and the files, as multipart/form-data: the body
-- and its type.
local function multipart(who, query, files)
  check.is(who, "files", files, "table", 4)
  local parts = {}
  for name, value in query:gmatch("([^&=]*)=([^&]*)") do
    parts[#parts + 1] = quoted(url.decode(name)) .. "\r\n\r\n" ..
      url.decode(value)
  end
  for i, file in ipairs(files) do
    local what = ("files[%d]"):format(i)
    check.is(who, what, file, "table", 4)
    for _, name in ipairs { "name", "filename", "content" } do
      check.is(who, what .. "." .. name, file[name], "string", 4)
    end
    local kind = file.type or "application/octet-stream"
    check.is(who, what .. ".type", kind, "string", 4)
    parts[#parts + 1] = quoted(file.name) .. "; filename=" ..
      quoted(file.filename) .. "\r\nContent-Type: " .. kind .. "\r\n\r\n" ..
      file.content
  end
  return joined_parts(parts)
end

-- What is sent as a form: the body and its type; nil: nothing is.
local function form_body(who, options)
  local form = options.form
  if form == nil and options.files == nil then
    return nil
  elseif options.body ~= nil then
    check.fail(who, 3, "body is given, but so is a form")
  elseif form ~= nil then
    check.is(who, "form", form, "table", 3)
  end
  local query = url.query(form or {})
  if options.files == nil then
    return query, "application/x-www-form-urlencoded"
  end
  local body, kind = multipart(who, query, options.files)
  return body, kind
end

-- The parameters and the body of a request.
local function build(who, method, target, options)
  local params = default_params(who, method, target)
  local body, kind = form_body(who, options)
  params.CONTENT_TYPE = kind
  if options.body ~= nil then
    body = check.text(who, "body", options.body, 2)
  end
  if options.data ~= nil then
    check.is(who, "data", options.data, "string", 2)
  end
  params.CONTENT_LENGTH = body and ("%d"):format(#body) or nil
  if options.headers ~= nil then
    add_headers(who, params, options.headers)
  end
  if options.params ~= nil then
    add_params(who, params, options.params)
  end
  return params, body or ""
end

-- ---- the answer -------------------------------------------------------------

local function show(value)
  if type(value) == "string" then
    return '"' .. value:sub(1, 100) .. (#value > 100 and '..."' or '"')
  elseif type(value) == "number" or type(value) == "boolean" then
    return tostring(value)
  end
  return "a " .. type(value)
end

-- At most eight fields of an error object, `message` first.
local function fields_of(value)
  local parts = {}
  local function add(name, field)
    parts[#parts + 1] = (type(name) == "string" and name:sub(1, 100) or
      "[" .. show(name) .. "]") .. " = " .. show(field)
  end
  if rawget(value, "message") ~= nil then
    add("message", rawget(value, "message"))
  end
  for name, field in next, value do
    if #parts == 8 then
      parts[9] = "..."
      break
    elseif name ~= "message" then
      add(name, field)
    end
  end
  return parts[1] and ": " .. table.concat(parts, ", ") or ""
end

-- An error object as the daemon's log has it.
local function message_of(value)
  if type(value) == "string" or type(value) == "number" then
    return tostring(value)
  end
  local meta = getmetatable(value)
  if type(meta) == "table" and meta.__tostring then
    return tostring((select(2, pcall(tostring, value))))
  end
  local name = type(meta) == "table" and type(meta.__name) == "string" and
    meta.__name or type(value)
  if type(value) ~= "table" then
    return ("(error object is a %s value)"):format(name)
  end
  return ("(error object is a %s%s)"):format(name, fields_of(value))
end

local function note(value)
  local why = hand_reply.malformed(value)
  return { why = why or message_of(value), traceback = not why and
    type(debug) == "table" and debug.traceback("", 2):sub(2) or nil }
end

local any_case = {
  __index = function(headers, name)
    return type(name) == "string" and rawget(headers, name:lower()) or nil
  end,
}

local function finish(r, request)
  local headers = {}
  for _, header in ipairs(r.list) do
    local name = header[1]:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. header[2]
      or header[2]
  end
  return {
    status = r.status, reason = r.reason, list = r.list,
    headers = setmetatable(headers, any_case),
    body = table.concat(r.body), complete = r.complete,
    error = r.error, traceback = r.traceback,
    errors = table.concat(request.errors), log = request.log,
  }
end

-- Send the two values, unless the application responds piece by piece.
local function respond(request, r, status, headers, body)
  if not request.responds then
    hand_reply.send(r, status, headers, body, request.head_only)
  elseif r.open or r.bad then
    hand_reply.close(r)
  end
end

-- Call a function of the application, and send what it returns.  nil, or what
-- went wrong: why, and a traceback if it raised.
local function answer(request, r, status, call, ...)
  local given = table.pack(...)
  request.responds, r.open, r.warning, r.bad = false, false, nil, nil
  local good, noted = xpcall(function()
    local headers, body = call(table.unpack(given, 1, given.n))
    respond(request, r, status, headers, body)
  end, note)
  return not good and noted or nil
end

local function log(request, prefix, why)
  if why then
    table.insert(request.log, prefix .. why)
  end
end

-- The request has failed: app.error answers, or else the server itself.
local function fail(app, env, request, r, failure)
  log(request, "", failure.why)
  r.error, r.traceback = failure.why, failure.traceback
  if not r.sent and app.error ~= nil then
    failure = answer(request, r, 500, app.error, env, failure.why,
      failure.traceback)
    log(request, "error: ", failure and failure.why or r.warning)
    r.complete = not (failure and r.sent)
  end
  if not r.sent then
    hand_reply.send_own(r, 500, request.head_only)
  end
end

local function finish_after(request)
  local i = 1
  while request.after[i] do -- which they may make longer
    local good, noted = xpcall(request.after[i], note)
    if not good then
      log(request, "after: ", noted.why)
    end
    i = i + 1
  end
end

local function serve(app, env, request, r)
  local failure = answer(request, r, 200, app.accept, env)
  r.complete = not (failure and r.sent)
  r.error = r.warning
  if not failure then
    log(request, "", r.warning)
  else
    fail(app, env, request, r, failure)
  end
  request.outlived = true
  finish_after(request)
  request.over = true
end

-- ---- requests ---------------------------------------------------------------

local function check_app(who, app)
  check.is(who, "app", app, "table", 2)
  local accept = app.accept
  local meta = getmetatable(accept)
  if type(accept) ~= "function" and not (type(meta) == "table" and
    meta.__call) then
    check.fail(who, 2, "app.accept is %s, expected a function",
      check.type(accept))
  end
end

local function check_role(who, app, role)
  if not ROLES[role] then
    check.fail(who, 2, "role is %s, expected \"responder\", \"authorizer\" or "
      .. "\"filter\"", type(role) == "string" and ("%q"):format(role) or
      check.type(role))
  end
  for _, served in ipairs(app.roles or { "responder" }) do
    if served == role then
      return
    end
  end
  check.fail(who, 2, "role is %q, which app.roles does not name", role)
end

local count = 0

local function exchange(who, app, method, target, options)
  check_app(who, app)
  check.is(who, "method", method, "string", 1)
  check.is(who, "target", target, "string", 1)
  options = check.options(who, options, KNOWN, 1)
  local role = options.role == nil and "responder" or options.role
  check_role(who, app, role)
  local params, body = build(who, method, target, options)
  count = count + 1
  local request = { body = body, second_body = options.data, errors = {},
    log = {}, after = {}, id = ("test-%d"):format(count), role = role,
    aborted = options.aborted == true, head_only = method == "HEAD" }
  local before, r = current.env, {}
  request.methods = hand_respond.methods(request, r, request.head_only)
  request.env = hand_request.env(params, request)
  current.env = request.env
  serve(app, request.env, request, r)
  current.env = before
  return finish(r, request)
end

-- Make a request and return the answer: what a client of lua-fpm would get, and
-- beside it what would be in its log.  Nothing is sent anywhere; app.start is
-- not called.
--
--     local r = test.request(app, "PUT", "/notes/1", { body = "milk" })
---@param app table the application: what its file returns
---@param method string
---@param target string "/path?query", or a URL with http or https
---@param options? fpm.test.options
---@return fpm.test.response
function test.request(app, method, target, options)
  local response = exchange("fpm.test.request", app, method, target, options)
  return response
end

-- The same with the method GET.
--
--     test.get(app, "/notes?tag=x", { headers = { Accept = "text/html" } })
---@param app table
---@param target string
---@param options? fpm.test.options
---@return fpm.test.response
function test.get(app, target, options)
  local response = exchange("fpm.test.get", app, "GET", target, options)
  return response
end

-- The same with the method HEAD: the answer has no body.
---@param app table
---@param target string
---@param options? fpm.test.options
---@return fpm.test.response
function test.head(app, target, options)
  local response = exchange("fpm.test.head", app, "HEAD", target, options)
  return response
end

-- The same with the method POST.
--
--     test.post(app, "/notes", { form = { text = "milk" } })
---@param app table
---@param target string
---@param options? fpm.test.options
---@return fpm.test.response
function test.post(app, target, options)
  local response = exchange("fpm.test.post", app, "POST", target, options)
  return response
end

-- The same with the method PUT.
---@param app table
---@param target string
---@param options? fpm.test.options
---@return fpm.test.response
function test.put(app, target, options)
  local response = exchange("fpm.test.put", app, "PUT", target, options)
  return response
end

-- The same with the method PATCH.
---@param app table
---@param target string
---@param options? fpm.test.options
---@return fpm.test.response
function test.patch(app, target, options)
  local response = exchange("fpm.test.patch", app, "PATCH", target, options)
  return response
end

-- The same with the method DELETE.
---@param app table
---@param target string
---@param options? fpm.test.options
---@return fpm.test.response
function test.delete(app, target, options)
  local response = exchange("fpm.test.delete", app, "DELETE", target, options)
  return response
end

return test
