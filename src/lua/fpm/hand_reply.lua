-- For fpm.test: what accept returned, judged and made into a response as the
-- daemon does (src/worker/serve/response.c, src/worker/lua/lib/lua_head.c and
-- lua_reply.c), in the same words.

local hand_reply = {}

local DEFAULT_TYPE = "text/html; charset=utf-8"
local HEAD_MOST = 15 * 1024 -- limits.response_head, as it is by default

local REASONS = {
  [100] = "Continue", [101] = "Switching Protocols", [102] = "Processing",
  [103] = "Early Hints", [200] = "OK", [201] = "Created", [202] = "Accepted",
  [203] = "Non-Authoritative Information", [204] = "No Content",
  [205] = "Reset Content", [206] = "Partial Content", [207] = "Multi-Status",
  [208] = "Already Reported", [226] = "IM Used", [300] = "Multiple Choices",
  [301] = "Moved Permanently", [302] = "Found", [303] = "See Other",
  [304] = "Not Modified", [305] = "Use Proxy", [307] = "Temporary Redirect",
  [308] = "Permanent Redirect", [400] = "Bad Request", [401] = "Unauthorized",
  [402] = "Payment Required", [403] = "Forbidden", [404] = "Not Found",
  [405] = "Method Not Allowed", [406] = "Not Acceptable",
  [407] = "Proxy Authentication Required", [408] = "Request Timeout",
  [409] = "Conflict", [410] = "Gone", [411] = "Length Required",
  [412] = "Precondition Failed", [413] = "Content Too Large",
  [414] = "URI Too Long", [415] = "Unsupported Media Type",
  [416] = "Range Not Satisfiable", [417] = "Expectation Failed",
  [421] = "Misdirected Request", [422] = "Unprocessable Content",
  [423] = "Locked", [424] = "Failed Dependency", [425] = "Too Early",
  [426] = "Upgrade Required", [428] = "Precondition Required",
  [429] = "Too Many Requests", [431] = "Request Header Fields Too Large",
  [451] = "Unavailable For Legal Reasons", [500] = "Internal Server Error",
  [501] = "Not Implemented", [502] = "Bad Gateway",
  [503] = "Service Unavailable", [504] = "Gateway Timeout",
  [505] = "HTTP Version Not Supported", [506] = "Variant Also Negotiates",
  [507] = "Insufficient Storage", [508] = "Loop Detected",
  [510] = "Not Extended", [511] = "Network Authentication Required",
}

-- A response that is malformed, as an error value: `why`.
local Malformed = {}

local function malformed(format, ...)
  error(setmetatable({ why = format:format(...) }, Malformed), 0)
end

-- What of a name or value a message shows.
local function shown(text)
  return (text:sub(1, 64):match("^[^\0]*"))
end

local function type_of(value)
  return value == nil and "nil" or "a " .. type(value)
end

local function failed(value, what, expectation)
  malformed("%s is %s, expected %s", what, type_of(value), expectation)
end

local function is_text(value)
  return type(value) == "string" or type(value) == "number"
end

local function is_callable(value)
  local meta = getmetatable(value)
  return type(value) == "function" or
    type(meta) == "table" and meta.__call ~= nil
end

local BYTES = { ["\0"] = "a NUL", ["\n"] = "a line feed",
  ["\r"] = "a carriage return", [" "] = "a blank" }

-- What the first byte is that is in the set, and its place; nothing: none is.
local function illegal(text, set)
  local at, _, byte = text:find("(" .. set .. ")")
  if at then
    return BYTES[byte] or ("the byte 0x%02x"):format(byte:byte()), at
  end
end

local NO_TOKEN = "[^!#-'*+%-.0-9A-Z^-z|~]"
local NO_TEXT = "[\0-\8\10-\31\127]"

-- An array of texts; returns the sum of their lengths.
local function check_list(list, what)
  local n, sum, entries = rawlen(list), 0, 0
  for key, value in next, list do
    local at = math.type(key) == "integer" and key or 0
    if at < 1 or at > n then
      if type(key) == "string" then
        malformed('%s has the key "%s", expected an array', what, shown(key))
      elseif math.type(key) ~= "integer" then
        malformed("%s has a key that is a %s, expected an array", what,
          type(key))
      elseif at < 1 then
        malformed("%s has the key %d, expected an array", what, at)
      end
      malformed("%s[%d] is nil, but there is %s[%d]", what, n + 1, what, at)
    elseif not is_text(value) then
      failed(value, ("%s[%d]"):format(what, at), "a string")
    end
    sum, entries = sum + #tostring(value), entries + 1
  end
  for at = 1, entries < n and n or 0 do
    if rawget(list, at) == nil then
      failed(nil, ("%s[%d]"):format(what, at), "a string")
    end
  end
  return sum
end

-- ---- the head ---------------------------------------------------------------

local function set_status(r, status, reason)
  if status < 100 or status > 999 then
    malformed("Status is %d, expected 100 to 999", status)
  end
  local byte, at = illegal(reason, NO_TEXT)
  if byte then
    malformed("Status: reason has %s at byte %d", byte, at)
  elseif #reason > 127 then
    malformed("Status: reason has %d bytes, at most 127 go", #reason)
  end
  r.status, r.reason, r.has_status = status, reason, true
end

local function read_status(r, value)
  if type(value) == "table" then
    local status, reason = rawget(value, 1), rawget(value, 2)
    local number = type(status) == "number" and math.tointeger(status)
    if not number then
      failed(status, "Status[1]", "an integer")
    elseif reason ~= nil and type(reason) ~= "string" then
      failed(reason, "Status[2]", "a string")
    end
    set_status(r, number, reason or "")
  elseif type(value) == "string" then
    local digits = value:match("^%d%d%d$") or value:match("^(%d%d%d) ")
    if not digits then
      malformed('Status is "%s", expected as in "404" or "404 Not Found"',
        shown(value))
    end
    set_status(r, tonumber(digits), value:sub(5))
  elseif type(value) ~= "number" then
    failed(value, "Status", "a number, a string or { number, string }")
  elseif not math.tointeger(value) then
    malformed("Status is %s, expected an integer", value)
  else
    set_status(r, math.tointeger(value), "")
  end
end

local function once(r, what, name)
  if r[what] then
    malformed('header "%s" is given twice', name)
  end
  r[what] = true
end

local function set_length(r, value)
  local length = value:find("^%d+$") and math.tointeger(tonumber(value))
  if r.length then
    malformed('header "Content-Length" is given twice')
  elseif not length then
    malformed('header "Content-Length": "%s" is no length', shown(value))
  end
  r.length = length
end

local function add_header(r, name, value)
  value = tostring(value)
  if name == "" then
    malformed("a header has an empty name")
  end
  local byte, at = illegal(name, NO_TOKEN)
  if byte then
    malformed('header "%s": name has %s at byte %d', shown(name), byte, at)
  end
  byte, at = illegal(value, NO_TEXT)
  if byte then
    malformed('header "%s": value has %s at byte %d', shown(name), byte, at)
  end
  value = value:match("^[ \t]*(.-)[ \t]*$")
  local lower = name:lower()
  if lower == "content-length" then
    set_length(r, value)
    return
  elseif lower == "content-type" then
    once(r, "has_type", "Content-Type")
  elseif lower == "location" then
    once(r, "has_location", "Location")
  end
  if r.has_location and not r.has_status then
    r.status = 302
  end
  r.list[#r.list + 1] = { name, value }
end

local function read_header(r, name, value)
  local what = ('header "%s"'):format(shown(name))
  if is_text(value) then
    add_header(r, name, value)
  elseif type(value) == "table" then
    check_list(value, what)
    for _, one in ipairs(value) do
      add_header(r, name, one)
    end
  else
    failed(value, what, "a string, a number or an array of strings")
  end
end

-- A response without headers, for what is sent next.
local function begin(r, status, head_only)
  r.status, r.reason, r.list, r.body, r.taken = status, "", {}, {}, 0
  r.length, r.has_status, r.has_type, r.has_location = nil, nil, nil, nil
  r.head_only, r.open, r.warning, r.bad = head_only, false, nil, nil
end

local function read_head(r, headers)
  local status_seen = r.has_status
  for name, value in next, headers do
    if math.type(name) == "integer" then
      malformed("headers[%d] has no name, expected a table of name = value",
        name)
    elseif type(name) ~= "string" then
      malformed("headers have a key that is a %s, expected names", type(name))
    elseif name:lower() ~= "status" then
      read_header(r, name, value)
    elseif status_seen then
      malformed("Status is given twice")
    else
      status_seen = true
      read_status(r, value)
    end
  end
end

local function has_body(r)
  return r.status >= 200 and r.status ~= 204 and r.status ~= 205 and
    r.status ~= 304
end

-- The head as it is sent: reason, headers in order.  body_length: nil if it is
-- not known.
local function send_head(r, body_length)
  if r.reason == "" then
    r.reason = REASONS[r.status] or ""
  end
  if has_body(r) and not r.has_type and not r.has_location then
    table.insert(r.list, 1, { "Content-Type", DEFAULT_TYPE })
  end
  local length = r.length
  if r.status < 200 or r.status == 204 then
    length = nil
  elseif r.status == 205 then
    length = 0
  elseif not length and has_body(r) then
    length = body_length
  end
  if length then
    r.list[#r.list + 1] = { "Content-Length", ("%d"):format(length) }
  end
  local size = #("Status: %d\r\n\r\n"):format(r.status) +
    (r.reason ~= "" and 1 + #r.reason or 0)
  for _, header in ipairs(r.list) do
    size = size + #header[1] + #header[2] + 4
  end
  if size > HEAD_MOST then
    malformed("the head of the response has %d bytes, more than "
      .. "limits.response_head (15K)", size)
  end
  r.sent = true
end

-- ---- the body ---------------------------------------------------------------

-- Take a text of the body, as far as Content-Length lets it be sent.  True if
-- it was cut.
local function take(r, text)
  text = tostring(text)
  local room = r.length and r.length - r.taken or #text
  r.body[#r.body + 1] = text:sub(1, room)
  r.taken = r.taken + math.min(#text, room)
  if #text > room then
    r.warning = ("the body is longer than its Content-Length %d, the rest is "
      .. "cut off"):format(r.length)
    return true
  end
end

-- Call the body function until it returns nil.  The head waits for the first
-- piece.
local function send_pieces(r, body)
  while true do
    local piece = body()
    if piece ~= nil and not is_text(piece) then
      failed(piece, "what the body function returned", "a string or nil")
    end
    if not r.sent then
      send_head(r, piece == nil and 0 or nil)
    end
    if piece == nil or take(r, piece) then
      return
    end
  end
end

local function check_body(body)
  if body == nil then
    return 0
  elseif is_text(body) then
    return #tostring(body)
  elseif is_callable(body) then
    return nil
  elseif type(body) ~= "table" then
    failed(body, "body", "a string, an array of strings or a function")
  end
  return check_list(body, "body")
end

local function check_length(r)
  if r.length and r.taken < r.length then
    r.bad = ("the body is %d bytes shorter than its Content-Length %d"):format(
      r.length - r.taken, r.length)
    malformed("%s", r.bad)
  end
end

local function send_body(r, body, length)
  if length == nil then
    send_pieces(r, body)
  else
    send_head(r, length)
    for _, text in ipairs(type(body) == "table" and body or { body }) do
      if take(r, text) then
        break
      end
    end
  end
  check_length(r)
end

-- Fill `r`, a table, with the response of these two values: status, reason,
-- list (of { name, value }), body (an array of strings), warning (why the body
-- was cut), sent (false: the head has not been sent).  Raises what a body
-- function raises, and a value of hand_reply.malformed if it is no response.
---@param r table
---@param status integer if the headers have none
---@param headers any
---@param body any
---@param head_only boolean the method is HEAD
function hand_reply.send(r, status, headers, body, head_only)
  begin(r, status, head_only)
  if type(headers) ~= "table" then
    malformed("accept returned %s as its first value, expected a table of "
      .. "headers", type_of(headers))
  end
  read_head(r, headers)
  local length = check_body(body)
  if head_only and body == nil then
    length = nil
  end
  if head_only or not has_body(r) then
    send_head(r, length)
  else
    send_body(r, body, length)
  end
end

-- The response of the server's own for that status.
---@param r table
---@param status integer
---@param head_only boolean
function hand_reply.send_own(r, status, head_only)
  hand_reply.send(r, 200, { Status = status, ["Content-Type"] = "text/plain" },
    REASONS[status] .. "\n", head_only)
end

-- ---- piece by piece ---------------------------------------------------------

-- Begin a response, of which nothing is sent yet.  Raises as hand_reply.send.
---@param r table
---@param status any
---@param headers table?
---@param head_only boolean
function hand_reply.open(r, status, headers, head_only)
  begin(r, 200, head_only)
  if status ~= nil then
    read_status(r, status)
  end
  if headers then
    read_head(r, headers)
  end
  r.open = true
end

-- Send the head, if it has not been sent.
---@param r table
---@param length? integer of the body
function hand_reply.begin(r, length)
  if not r.sent then
    send_head(r, length)
  end
end

-- Send a text of the body, behind the head.  False if it was cut, now or before.
---@param r table
---@param text string|number
---@return boolean
function hand_reply.piece(r, text)
  hand_reply.begin(r, nil)
  if not r.head_only and has_body(r) and not r.warning then
    take(r, text)
  end
  return not r.warning
end

-- Complete it.  If that has failed before, it does so again.
---@param r table
function hand_reply.close(r)
  if r.bad then
    malformed("%s", r.bad)
  end
  r.open = false
  hand_reply.begin(r, not r.head_only and 0 or nil)
  if not r.head_only and has_body(r) and not r.warning then
    check_length(r)
  end
end

-- Why an error value of these functions is no response; nil if it is an error of
-- the application's.
---@param value any
---@return string?
function hand_reply.malformed(value)
  return getmetatable(value) == Malformed and value.why or nil
end

return hand_reply
