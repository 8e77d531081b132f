-- The request object of Moonbridge's HTTP module: what it has and what it can
-- do.  For fpm.moonbridge; described in fpm.moonbridge(3lua).

local body = require "fpm.moonbridge_body"
local form = require "fpm.form"
local params = require "fpm.moonbridge_params"

local request_module = {}

local HOLD = 16384 -- bytes of a response that wait, so that it may still fail
local STATE = {} -- the key under which a request keeps what is not for all

-- ---- what it has ---------------------------------------------------------------

local lazy = {} -- a field -> the function that makes it

for _, name in ipairs { "headers", "headers_value", "headers_csv_table",
  "headers_csv_string", "headers_flags" } do
  lazy[name] = function(state, request)
    local tables = params.headers(state.env.headers)
    for field, value in pairs(tables) do
      if rawget(request, field) == nil then
        rawset(request, field, value)
      end
    end
    return tables[name]
  end
end

for i, name in ipairs { "get_params_list", "get_params" } do
  lazy[name] = function(_, request)
    local made = { params.of(form.query((request.query or ""):sub(2))) }
    rawset(request, "get_params_list", made[1])
    rawset(request, "get_params", made[2])
    return made[i]
  end
end

for _, name in ipairs { "post_params_list", "post_params",
  "post_metadata_list", "post_metadata" } do
  lazy[name] = function(state)
    return body.table(state, name)
  end
end

function lazy.body(state)
  return body.text(state)
end

-- Values may be percent-encoded, as http.encode_uri makes them.
function lazy.cookies(state)
  local function decode(text)
    return (text:gsub("%%(%x%x)", function(digits)
      return string.char(tonumber(digits, 16))
    end))
  end
  local cookies = {}
  for name, value in pairs(state.env.cookies) do
    cookies[decode(name)] = decode(value)
  end
  return cookies
end

function lazy.host(state)
  local host = state.env.headers.host
  return host or rawget(state.env, "SERVER_NAME")
end

-- ---- the response --------------------------------------------------------------

local Request = {} -- its methods

local function check_sound(state)
  if state.phase == "faulty" then
    error("the request is faulty: nothing more can be done with it", 3)
  end
end

local function check_headers_open(state)
  check_sound(state)
  if state.phase == "init" then
    error("no status has been sent", 3)
  elseif state.phase == "headers" or state.phase == "finished" then
    error("the headers have been sent", 3)
  end
end

-- Those of the connection, which is the web server's.
local SERVERS = { connection = true, ["transfer-encoding"] = true }

-- Names in the spelling in which they came first; values as lua-fpm takes them.
local function collect(headers)
  local collected, spelled = {}, {}
  for _, pair in ipairs(headers) do
    local lower = pair[1]:lower()
    local name = spelled[lower]
    if SERVERS[lower] then
      goto continue
    elseif not name then
      spelled[lower] = pair[1]
      collected[pair[1]] = pair[2]
    elseif type(collected[name]) == "table" then
      table.insert(collected[name], pair[2])
    elseif lower ~= "content-length" then
      collected[name] = { collected[name], pair[2] }
    end
    ::continue::
  end
  return collected
end

-- The client takes no more, which nobody has to hear of.
local function check_sent(state, sent, message)
  if not sent then
    state.gone = true
    state.phase = "faulty"
    error("the response cannot be sent: " .. tostring(message), 0)
  end
end

-- Send what has been held, and from now on all without holding it.
local function open(state)
  if not state.response then
    state.response = state.env:respond(state.status, collect(state.headers))
  end
  if #state.pieces > 0 then
    local text = table.concat(state.pieces)
    state.pieces, state.size = {}, 0
    check_sent(state, state.response:write(text))
  end
end

-- Send a status, "200 OK".  Those that only inform, 100 to 199, are not passed
-- on.
---@param status string|integer
function Request:send_status(status)
  local state = self[STATE]
  check_sound(state)
  status = tostring(status)
  if state.phase ~= "init" and state.phase ~= "info" then
    error("a status has been sent", 2)
  elseif not status:find("^%d%d%d") then
    error(("the status is %q, expected \"200 OK\""):format(status), 2)
  elseif status:find("^1") then
    state.phase = "info"
    return
  end
  state.phase, state.status = "status", status
  state.headers = table.move(state.settings.static, 1,
    #state.settings.static, 1, {})
  local code = status:sub(1, 3)
  state.bodyless = code == "204" or code == "205" or code == "304"
end

-- Send a header; one that is sent several times has several values.
---@param name string
---@param value string|number
function Request:send_header(name, value)
  local state = self[STATE]
  check_headers_open(state)
  if type(name) ~= "string" then
    error(("the name of a header is a %s, expected a string"):format(
      type(name)), 2)
  elseif type(value) ~= "string" and type(value) ~= "number" then
    error(("the header %s is a %s, expected a string"):format(name,
      type(value)), 2)
  elseif state.phase == "info" then
    return
  end
  if name:lower() == "content-length" then
    local length = math.tointeger(tonumber(value))
    if not length or length < 0 then
      error(("Content-Length is %q, expected a number of bytes"):format(value),
        2)
    elseif state.content_length and state.content_length ~= length then
      error("Content-Length has been sent with another value", 2)
    end
    state.content_length = length
  end
  table.insert(state.headers, { name, value })
end

-- The headers are complete.
function Request:finish_headers()
  local state = self[STATE]
  check_sound(state)
  if state.phase == "info" then
    state.phase = "init"
  elseif state.phase == "init" then
    error("no status has been sent", 2)
  elseif state.phase == "finished" then
    error("the response has been finished", 2)
  elseif state.bodyless then
    self:finish()
  else
    state.phase = "headers"
  end
end

-- Whoever streams the body has it before the response goes on, unless reading
-- is deferred.
local function serve_body(state)
  if not state.deferred and body.is_awaited(state) then
    body.process(state)
  end
end

local function add(state, text)
  if state.content_length and
      state.sent + #text > state.content_length then
    error("the response is longer than its Content-Length", 3)
  end
  state.sent = state.sent + #text
  table.insert(state.pieces, text)
  state.size = state.size + #text
end

-- Send pieces of the response's body: what they are as texts.
---@param ... any
function Request:send_data(...)
  local state = self[STATE]
  check_sound(state)
  if state.phase == "init" or state.phase == "info" then
    error("no status has been sent", 2)
  elseif state.phase == "finished" then
    error("the response has been finished", 2)
  elseif state.bodyless then
    error(("a response with the status %s has no body"):format(
      state.status), 2)
  end
  state.phase = "headers"
  for i = 1, select("#", ...) do
    add(state, tostring((select(i, ...))))
  end
  if state.response or state.size >= HOLD then
    open(state)
  end
  serve_body(state)
end

-- Send what there is so far to the client.
function Request:flush()
  local state = self[STATE]
  check_sound(state)
  if state.phase == "init" or state.phase == "info" then
    error("no status has been sent", 2)
  elseif state.phase == "finished" then
    return
  end
  self:finish_headers()
  if state.phase == "headers" then
    open(state)
    check_sent(state, state.response:flush())
  end
end

-- The response is complete.  Done when the handler returns, too.
function Request:finish()
  local state = self[STATE]
  check_sound(state)
  if state.phase == "finished" then
    return
  elseif state.phase == "init" or state.phase == "info" then
    error("no status has been sent", 2)
  end
  state.deferred = false
  serve_body(state)
  if not state.bodyless and state.content_length and
      self.method ~= "HEAD" and state.sent ~= state.content_length then
    error("the response is shorter than its Content-Length", 2)
  end
  if state.response then
    open(state)
    check_sent(state, state.response:close())
  end
  state.phase = "finished"
end

-- Connections are the web server's.
function Request:close_after_finish()
  check_sound(self[STATE])
end

-- ---- the body ------------------------------------------------------------------

local function check_streamer(state, callback)
  if state.body.begun or state.body.processed then
    error("the body has been read", 3)
  elseif type(callback) ~= "function" then
    error(("callback is a %s, expected a function"):format(type(callback)), 3)
  end
end

-- Have the body in pieces: callback(piece), and callback() at its end.
---@param callback fun(piece: string?)
function Request:stream_request_body(callback)
  local state = self[STATE]
  check_streamer(state, callback)
  state.body.whole = callback
end

-- The same at once, without the call at the end.
---@param callback fun(piece: string)
function Request:stream_request_body_now(callback)
  local state = self[STATE]
  check_streamer(state, callback)
  state.body.whole = function(piece)
    if piece then
      callback(piece)
    end
  end
  body.process(state)
end

-- Have a field of a form in pieces: callback(piece, name, about) first, then
-- callback(piece) for each further piece, and callback() at its end.
---@param name string
---@param callback fun(piece: string?, name: string?, about: table?)
function Request:stream_post_param(name, callback)
  local state = self[STATE]
  check_streamer(state, callback)
  body.streamers(state).named[name] = callback
end

-- The same for all fields whose name matches a pattern of Lua.
---@param pattern string
---@param callback fun(piece: string?, name: string?, about: table?)
function Request:stream_post_params(pattern, callback)
  local state = self[STATE]
  check_streamer(state, callback)
  table.insert(body.streamers(state).patterns, { pattern, callback })
end

-- Read the body now.
function Request:consume_input()
  local state = self[STATE]
  check_sound(state)
  body.process(state)
end

Request.process_request_body = Request.consume_input

-- Who streams the body gets it when it is asked for, at the latest when the
-- response is finished; else as soon as a piece of the response is sent.
function Request:defer_reading()
  self[STATE].deferred = true
end

-- Nobody wants the body.
function Request:monologue()
  local state = self[STATE]
  check_sound(state)
  state.body.begun, state.body.whole = true, nil
end

-- ---- making one ----------------------------------------------------------------

local meta = {
  __index = function(request, name)
    if Request[name] then
      return Request[name]
    elseif name == "faulty" then
      return request[STATE].phase == "faulty"
    elseif name == "fresh" then
      local state = request[STATE]
      return state.phase == "init" and not state.body.begun
    elseif lazy[name] then
      local value = lazy[name](request[STATE], request)
      rawset(request, name, value)
      return value
    end
  end,
}

-- Path and query of the request line, or what is left of them.
local function target_of(env)
  local target = rawget(env, "REQUEST_URI")
  if not target or target == "" then
    local query = rawget(env, "QUERY_STRING") or ""
    target = (rawget(env, "SCRIPT_NAME") or "") ..
      (rawget(env, "PATH_INFO") or "") .. (query ~= "" and "?" .. query or "")
  end
  return target:match("^%a[%w+.-]*://[^/?]*(.*)$") or target
end

-- The path below the mount, without its slash, and the query; nil: not below.
local function find_path(target, mount)
  local path, query = target:match("^/?([^?]*)(.*)$")
  if mount == "" then
    return path, query
  elseif path == mount then
    return "", query
  elseif path:sub(1, #mount + 1) == mount .. "/" then
    return path:sub(#mount + 2), query
  end
end

-- Costs more than the rest of a short request, so it is not asked for limits that
-- the daemon's own, socket.head, keeps.
local function header_size(env, target)
  local size = #target
  for name, value in next, env do
    if type(name) == "string" and name:find("^HTTP_") then
      size = size + #name - 5 + #value + 4
    end
  end
  return size
end

-- A request, and its state; nil, a status and a message if it is refused.
---@param socket table what connect is called with
---@param settings table options of http.generate_handler
---@return table? request
---@return table|integer state or status
---@return string? message
function request_module.new(socket, settings)
  local env, most = socket.env, settings.header_size_limit
  local target = target_of(env)
  local path, query = find_path(target, socket.mount)
  local length, status, message =
    body.announced(env, settings.body_size_limit)
  if not path then
    return nil, 404, "Not Found"
  elseif #target > most then
    return nil, 414, "the target of the request is too long"
  elseif most < socket.head and header_size(env, target) > most then
    return nil, 431, "the headers of the request are too long"
  elseif status then
    return nil, status, message
  end
  local state = { env = env, settings = settings, phase = "init",
    body = body.new(env), length = length, pieces = {}, size = 0, sent = 0 }
  local request = { [STATE] = state, socket = socket, path = path,
    query = query, method = rawget(env, "REQUEST_METHOD") or "GET" }
  return setmetatable(request, meta), state
end

-- The response of a finished request that has not been sent: headers and body as
-- lua-fpm's own applications return them.
---@param state table
---@return table headers
---@return table|string|nil body
function request_module.response(state)
  local headers = collect(state.headers)
  headers.Status = state.status
  return headers, not state.bodyless and table.concat(state.pieces) or nil
end

return request_module
