-- What require "moonbridge_http" is under the interface moonbridge: the handler
-- of requests, and texts in HTML and URLs.  For fpm.moonbridge.

local html = require "fpm.html"
local requests = require "fpm.moonbridge_request"

local found, core = pcall(require, "fpm.core.try")
local try = found and core.try or pcall

---@class fpm.moonbridge.http
local http = {
  -- Statuses of responses without a body.
  status_without_response_body = { ["101"] = true, ["204"] = true,
    ["205"] = "zero_content_length", ["304"] = true },
}

-- Text as it may stand in HTML.
---@param text string
---@return string
function http.encode_html(text)
  return html.escape(text)
end

-- Text as it may stand in a part of a URL.
---@param text string
---@return string
function http.encode_uri(text)
  return (text:gsub("[^%w_.~-]", function(byte)
    return ("%%%02x"):format(byte:byte())
  end))
end

-- What encode_uri, or a form, has made of a text; "+" is a blank.
---@param text string
---@return string
function http.decode_uri(text)
  return (text:gsub("%+", " "):gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

-- ---- options -------------------------------------------------------------------

local DEFAULTS = { header_size_limit = 1 << 20, body_size_limit = 64 << 20,
  chunk_size = 16384 }
-- Other names of them, as versions of Moonbridge have them.
local NAMES = {
  header_size_limit = { "header_size_limit", "request_header_size_limit" },
  body_size_limit = { "body_size_limit", "request_body_size_limit" },
  chunk_size = { "maximum_input_chunk_size", "chunk_size" },
}

local function check_number(name, value, least)
  if type(value) ~= "number" or value < least then
    error(("generate_handler: %s is %s, expected a number of at least %d")
      :format(name, type(value) == "number" and value or
        "a " .. type(value), least), 4)
  end
  return value
end

local function header_of(entry)
  local name, value
  if type(entry) == "string" then
    name, value = entry:match("^([^:%s]+):[ \t]*(.-)[ \t\r]*$")
  elseif type(entry) == "table" then
    name, value = entry[1], entry[2]
  end
  if type(name) ~= "string" or value == nil then
    error('generate_handler: static_headers has an entry that is no header, ' ..
      'expected "Name: value" or { "Name", "value" }', 5)
  end
  return { name, tostring(value) }
end

local function read_static(static)
  local headers = {}
  if type(static) == "string" then
    for line in static:gmatch("[^\r\n]+") do
      headers[#headers + 1] = header_of(line)
    end
  elseif static ~= nil then
    for i, entry in ipairs(static) do
      headers[i] = header_of(entry)
    end
  end
  return headers
end

-- Those that are the daemon's here, and unknown ones, are no fault.
local function read_options(options)
  local settings = { static = read_static(options.static_headers) }
  for setting, names in pairs(NAMES) do
    settings[setting] = DEFAULTS[setting]
    for _, name in ipairs(names) do
      if options[name] ~= nil then
        settings[setting] = check_number(name, options[name],
          setting == "chunk_size" and 1 or 0)
        break
      end
    end
  end
  settings.chunk_size = math.floor(settings.chunk_size)
  local response = options.response_timeout
  if response then
    settings.response_timeout = check_number("response_timeout", response, 0)
  end
  return settings
end

-- ---- handlers ------------------------------------------------------------------

local function answer(socket, status, message)
  socket.answered = true
  socket.headers = { Status = status, ["Content-Type"] = "text/plain" }
  socket.content = message .. "\n"
end

-- `limit` is the application's own timeout().
local function limit_time(seconds, limit)
  local left = seconds > 0 and limit()
  if left and (left == 0 or left > seconds) then
    limit(seconds)
  end
end

local function call(handler, request)
  local survives = handler(request)
  if not request.faulty then
    request:finish()
  end
  return survives == true
end

-- Serve one request: true if the worker may go on.
local function serve(handler, settings, socket)
  if not socket.env then
    error("a request's handler has been called without a request: this is " ..
      "what connect gets for an interval", 0)
  end
  local request, state, message = requests.new(socket, settings)
  if not request then
    answer(socket, state, message)
    return true
  end
  socket.request = request
  if settings.response_timeout then
    limit_time(settings.response_timeout, socket.timeout)
  end
  local good, result = try(call, handler, request)
  if state.gone then
    socket.answered = true
  elseif state.failure and not state.response then
    answer(socket, state.failure.status, state.failure.message)
  elseif not good then
    error(result, 0)
  else
    socket.answered = true
    if not state.response and not state.failure then
      socket.headers, socket.content = requests.response(state)
    end
  end
  return not good or result
end

-- A function for `connect` of listen{}, that calls handler(request) for each
-- request.  If that does not return true, the worker is replaced.  The two may
-- come in any order.
---@param handler fun(request: table): boolean?
---@param options? table
---@return fun(socket: table): boolean
function http.generate_handler(handler, options)
  if type(handler) ~= "function" then
    handler, options = options, handler
  end
  if type(handler) ~= "function" then
    error(("generate_handler: the handler is %s, expected a function"):format(
      handler == nil and "nil" or "a " .. type(handler)), 2)
  elseif options ~= nil and type(options) ~= "table" then
    error(("generate_handler: options is a %s, expected a table"):format(
      type(options)), 2)
  end
  local settings = read_options(options or {})
  return function(socket)
    return serve(handler, settings, socket)
  end
end

return http
