-- A FastCGI client: requests to another application, or to php-fpm.  See
-- fpm.client(3lua).

local check = require "fpm.check"
local found, core = pcall(require, "fpm.core.client")

---@class fpm.client
local client = {}

local PIECE = 65536 -- bytes that are asked for at once
local OPTIONS = {
  timeout = 60,
  keep = true,
  max_head = 65536,
  max_errors = 65536,
}
local REQUEST_OPTIONS = { role = "responder", data = "", timeout = 60 }
local ROLES = { responder = 1, authorizer = 2, filter = 3 }
local TIMEOUT_MOST = 1000000 -- seconds
local CONNECT = "fpm.client.connect"
local REQUEST = "connection:request"

---@class fpm.client.connection
local connection = {}
connection.__index = connection
connection.__name = "fpm.client.connection"

---@class fpm.client.reply
---@field status integer of HTTP
---@field reason string its phrase, "" without
---@field headers table<string, string|string[]> by names in lower case
---@field errors string what has come on FCGI_STDERR so far
---@field complete boolean all of it has come
---@field app_status integer? at its end
---@field protocol_status integer? at its end
local reply = {}

-- ---- arguments --------------------------------------------------------------

-- Seconds as milliseconds.
local function check_timeout(who, options)
  local seconds = options.timeout
  if type(seconds) ~= "number" then
    check.fail(who, 1, "timeout is %s, expected seconds", check.type(seconds))
  elseif not (seconds > 0 and seconds <= TIMEOUT_MOST) then
    check.fail(who, 1, "timeout is %s, expected more than 0 and at most %d",
      seconds, TIMEOUT_MOST)
  end
  return math.max(1, seconds * 1000 // 1 | 0)
end

local function with_defaults(options)
  return setmetatable({}, {
    __index = function(_, name)
      if options[name] ~= nil then
        return options[name]
      end
      return OPTIONS[name]
    end,
  })
end

-- The parameters as texts, with the length of a body that is known.
local function check_params(params, body)
  check.is(REQUEST, "params", params, "table", 1)
  local texts = {}
  for name, value in pairs(params) do
    if type(name) ~= "string" or name == "" then
      check.fail(REQUEST, 1, "params has a key that is %s, expected names",
        name == "" and "empty" or check.type(name))
    end
    texts[name] = check.text(REQUEST, ("params[%q]"):format(name), value, 1)
  end
  if type(body) == "string" and texts.CONTENT_LENGTH == nil then
    texts.CONTENT_LENGTH = tostring(#body)
  end
  return texts
end

-- The body (or the file of a filter) as a function that returns a piece of it,
-- and nil at its end; and whether it can be had a second time.
local function check_source(name, body)
  if body == nil or body == "" then
    return function() end, true
  elseif type(body) == "string" then
    local left = body
    return function()
      local piece = left
      left = nil
      return piece
    end, true
  elseif type(body) == "function" then
    return body, false
  elseif (type(body) == "table" or type(body) == "userdata") and
    type(body.read) == "function" then
    return function() return body:read(PIECE) end, false
  end
  check.fail(REQUEST, 2, "%s is %s, expected a string, a function, or what " ..
    "has a method read", name, check.type(body))
end

-- ---- a connection -----------------------------------------------------------

-- Connect to a FastCGI server: "/run/php/php-fpm.sock", "127.0.0.1:9000",
-- "[::1]:9000", "localhost:9000".  Options: timeout, the limit of each request
-- in seconds, connecting included (60); keep, whether the connection is kept
-- for the next request (true); max_head and max_errors, the bytes that the head
-- of a response and the text on FCGI_STDERR may have (65536 each).  nil and a
-- message if there is no connection.  Raises if an argument is not as it should
-- be.
--
--     local php <close> = assert(client.connect("/run/php/php-fpm.sock"))
---@param address string
---@param options? { timeout: number, keep: boolean, max_head: integer, max_errors: integer }
---@return fpm.client.connection?
---@return string? message
function client.connect(address, options)
  check.is(CONNECT, "address", address, "string")
  options = with_defaults(check.options(CONNECT, options, OPTIONS))
  check.is(CONNECT, "keep", options.keep, "boolean")
  local self = {
    keep = options.keep,
    timeout = check_timeout(CONNECT, options),
    max_head = check.integer(CONNECT, "max_head", options.max_head, 1, 1 << 30),
    max_errors = check.integer(CONNECT, "max_errors", options.max_errors, 0,
      1 << 30),
    serial = 0,
  }
  if not found then
    return nil, "fpm.client needs lua-fpm"
  end
  if address:find("\0", 1, true) then
    return nil, "an address with a NUL"
  end
  local call, message = core.open(address)
  if not call then
    return nil, message
  end
  self.call = call
  local connected, _, why = call:connect(self.timeout)
  if not connected then
    return nil, address .. ": " .. why
  end
  return setmetatable(self, connection)
end

-- Close it.  A request after that connects again.
function connection:close()
  self.serial = self.serial + 1
  self.call:close()
end

connection.__close = connection.close

-- What a request that failed returns, and what is known of it.
local function failure(self, kind, message)
  local app_status, protocol_status, errors = self.call:result()
  return nil, message, {
    kind = kind,
    app_status = app_status,
    protocol_status = protocol_status,
    errors = errors,
  }
end

-- Put the next piece of what the request has to send.  A source that raises
-- leaves the request unfinished: the next one connects again.
local function put_next(self, request)
  local source = request.sources[1]
  local piece
  repeat
    piece = source.next()
  until piece ~= ""
  if self.serial ~= request.serial then
    error(REQUEST .. ": the body's function has used the connection itself", 0)
  end
  if piece == nil then
    self.call:put(source.stream)
    table.remove(request.sources, 1)
  elseif type(piece) ~= "string" then
    error(("%s: the body's next piece is %s, expected a string or nil"):format(
      REQUEST, check.type(piece)), 0)
  else
    self.call:put(source.stream, piece)
  end
end

-- One step on.  As call:step.
local function advance(self, request)
  if request.sources[1] and not self.call:sends() then
    put_next(self, request)
  end
  local more, kind, message = self.call:step()
  if more ~= true then
    request.over = true
    request.kind, request.message = kind, message
    request.result = table.pack(self.call:result())
  end
  return more, kind, message
end

-- Send until the head of the response has come.  As call:step.
local function await_head(self, request)
  local more, kind, message = true, nil, nil
  while more and not self.call:head() do
    more, kind, message = advance(self, request)
  end
  return more, kind, message
end

-- ---- the head of a response -------------------------------------------------

-- Whatever the locale.
local lower = {}
for byte in ("ABCDEFGHIJKLMNOPQRSTUVWXYZ"):gmatch(".") do
  lower[byte] = string.char(byte:byte() + 32)
end

-- Headers by names in lower case; one that came several times is an array.  It
-- can be returned from accept as it is.
local function parse_head(text)
  local headers = {}
  for name, value in text:gmatch("([^\r\n:]+):[ \t]*([^\r\n]*)") do
    name = name:gsub("[A-Z]", lower)
    value = value:gsub("[ \t]+$", "")
    local before = headers[name]
    if before == nil then
      headers[name] = value
    elseif type(before) == "table" then
      before[#before + 1] = value
    else
      headers[name] = { before, value }
    end
  end
  return headers
end

local function make_reply(self, request)
  local text, status = self.call:head()
  local headers = parse_head(text)
  local line = type(headers.status) == "string" and headers.status or ""
  return setmetatable({
    status = status,
    reason = line:match("^%d+ *(.*)$") or "",
    headers = headers,
    connection = self,
    request = request,
  }, reply)
end

-- ---- a request --------------------------------------------------------------

-- What is sent, in order.
local function list_sources(role, body, data)
  local sources, again = {}, true
  if role ~= "authorizer" then
    local next, known = check_source("body", body)
    sources[1] = { stream = "stdin", next = next }
    again = known
  elseif body ~= nil then
    check.fail(REQUEST, 1, "an authorizer is sent no body")
  end
  if role == "filter" then
    local next, known = check_source("data", data)
    sources[2] = { stream = "data", next = next }
    again = again and known
  elseif data ~= nil then
    check.fail(REQUEST, 1, "data is for the role filter")
  end
  return sources, again
end

-- Send a request and wait for the head of its response.  params: name ->
-- string or number; CONTENT_LENGTH is added if the body is a string.  body: a
-- string, a function that returns pieces until nil, or what has a method read,
-- such as env.input or a file; it is sent as it is asked for, and the rest of
-- it while the response is read.  Options: role ("responder"), data (the file
-- of a filter, as body), timeout (of this request alone).
--
-- nil, a message and a table { kind, app_status, protocol_status, errors } if
-- there is no response; kind is "connect", "timeout", "cut" (it broke off),
-- "protocol" (it is none), "refused" (see protocol_status) or "limit".  Raises
-- if an argument is not as it should be, and what the body's function raises.
--
--     local reply, message = php:request { SCRIPT_FILENAME = "/srv/x.php",
--       REQUEST_METHOD = "GET" }
---@param params table<string, string|number>
---@param body? string|function|table|userdata
---@param options? { role: string, data: string|function|table|userdata, timeout: number }
---@return fpm.client.reply?
---@return string? message
---@return table? details
function connection:request(params, body, options)
  local texts = check_params(params, body)
  options = check.options(REQUEST, options, REQUEST_OPTIONS)
  local role = options.role or "responder"
  if not ROLES[role] then
    check.fail(REQUEST, 0, 'role is %s, expected "responder", "authorizer" ' ..
      'or "filter"', type(role) == "string" and ("%q"):format(role)
      or check.type(role))
  end
  local sources, again = list_sources(role, body, options.data)
  local timeout = options.timeout and check_timeout(REQUEST, options)
    or self.timeout
  for attempt = 1, 2 do
    self.serial = self.serial + 1
    local request = { sources = sources, serial = self.serial }
    local more, kind, message = self.call:begin(texts, ROLES[role], self.keep,
      texts.REQUEST_METHOD == "HEAD", timeout, self.max_head, self.max_errors)
    if more then
      more, kind, message = await_head(self, request)
    end
    if more ~= nil or self.call:head() then
      return make_reply(self, request)
    elseif not (attempt == 1 and again and self.call:stale()) then
      return failure(self, kind, message)
    end
    sources = list_sources(role, body, options.data)
  end
end

-- ---- a response -------------------------------------------------------------

local RESULT = { app_status = 1, protocol_status = 2, errors = 3 }

function reply:__index(name)
  local request = self.request
  if name == "complete" then
    return request.over == true and request.kind == nil
  elseif not RESULT[name] then
    return rawget(reply, name)
  elseif request.over then
    return request.result[RESULT[name]]
  elseif name == "errors" and request.serial == self.connection.serial then
    return (select(3, self.connection.call:result()))
  end
end

-- Call take() until it returns something.  nil at the end of the body; nil and
-- a message if it broke off.
local function next_piece(self, take)
  local connected, request = self.connection, self.request
  if request.serial ~= connected.serial then
    return nil, "the response is over: its connection has been used again"
  end
  while true do
    local piece = take(connected.call)
    if piece then
      return piece
    elseif request.over then
      return nil, request.message
    end
    advance(connected, request)
  end
end

-- n bytes, fewer at the end of the body; all if n is nil.
local function read_bytes(self, n)
  local pieces, left = {}, n or math.huge
  while left > 0 do
    local piece, message = next_piece(self, function(call)
      return call:take(left < PIECE and left or PIECE)
    end)
    if message then
      return nil, message
    elseif not piece then
      break
    end
    pieces[#pieces + 1] = piece
    left = left - #piece
  end
  if n and #pieces == 0 then
    return nil
  end
  return table.concat(pieces)
end

local function take_line(call)
  return call:line()
end

local function read_line(self, newline)
  local pieces = {}
  repeat
    local piece, message = next_piece(self, take_line)
    if message then
      return nil, message
    end
    pieces[#pieces + 1] = piece
  until not piece or piece:byte(-1) == 10
  if #pieces == 0 then
    return nil
  end
  local line = table.concat(pieces)
  return newline and line or (line:gsub("\n$", ""))
end

-- Read from the body, as from a file: format is a number of bytes, "l", "L" or
-- "a"; "l" without one.  nil at its end ("" for "a"); nil and a message if it
-- broke off, is not as long as its Content-Length, or did not come in time.
--
--     local text, message = reply:read("a")
---@param format? integer|string
---@return string?
---@return string? message
function reply:read(format)
  if format == nil or format == "l" then
    return read_line(self, false)
  elseif format == "L" then
    return read_line(self, true)
  elseif format == "a" then
    return read_bytes(self)
  elseif math.type(format) == "integer" and format > 0 then
    return read_bytes(self, format)
  end
  check.fail("reply:read", 0, 'format is %s, expected a number of bytes, "l", "L" ' ..
    'or "a"', type(format) == "string" and ("%q"):format(format)
    or type(format) == "number" and tostring(format) or check.type(format))
end

local function raising(self, read, ...)
  local args = table.pack(...)
  return function()
    local piece, message = read(self, table.unpack(args, 1, args.n))
    if message then
      error("response: " .. message, 0)
    end
    return piece
  end
end

-- An iterator over the lines of the body, without their ends.  Raises where
-- read returns a message.
function reply:lines()
  return raising(self, read_line, false)
end

-- An iterator over the body, piece by piece as it comes.  Raises where read
-- returns a message, so that a response made of it is seen to be cut:
--
--     return reply.headers, reply:pieces()
function reply:pieces()
  return raising(self, next_piece, function(call) return call:take(PIECE) end)
end

return client
