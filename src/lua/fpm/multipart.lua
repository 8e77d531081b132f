-- The heads of multipart bodies, for fpm.form: Content-Type and
-- Content-Disposition with their parameters (RFC 2183, 5987, 7578).

local multipart = {}

-- Patterns are anchored, and none has a repeat that another may take back: each
-- is linear in what the client sends.

-- ---- parameters ------------------------------------------------------------

local small = {}
for letter in ("ABCDEFGHIJKLMNOPQRSTUVWXYZ"):gmatch(".") do
  small[letter] = string.char(letter:byte() + 32)
end

-- The text in lower case, whatever the locale.
---@param text string
---@return string
function multipart.lower(text)
  return (text:gsub("[A-Z]", small))
end
local lower = multipart.lower

-- Without blanks at its end.
local function trim(text)
  local n = #text
  while n > 0 and (text:byte(n) == 32 or text:byte(n) == 9) do
    n = n - 1
  end
  return text:sub(1, n)
end

-- A quoted string; `at` is behind its first quote.  A backslash counts where it
-- protects a quote or a backslash: some clients send paths with others.
-- Returns the string and where to go on, or nil.
local function quoted(text, at)
  local out, from = {}, at
  while true do
    local stop = text:find('["\\]', at)
    if not stop then
      return nil
    elseif text:byte(stop) == 34 then
      out[#out + 1] = text:sub(from, stop - 1)
      return table.concat(out), stop + 1
    elseif text:find('^["\\]', stop + 1) then
      out[#out + 1] = text:sub(from, stop - 1)
      from, at = stop + 1, stop + 2
    else
      at = stop + 1
    end
  end
end

-- Read "word; name=value; name="value"".  Returns the word and the parameters,
-- both with lower-case names, or nil if it is malformed or a parameter comes
-- twice.
---@param text string
---@return string? word
---@return table<string, string>? parameters
function multipart.value(text)
  local word, at = text:match("^[ \t]*([^\0-\32\127;\"]+)[ \t]*()")
  local parameters = {}
  while word and at <= #text do
    local name, from =
      text:match("^;[ \t]*([^\0-\32\127;=\"]+)[ \t]*=[ \t]*()", at)
    local value
    if not name then
      at = text:match("^;[ \t]*()", at)
    elseif text:byte(from) == 34 then
      value, at = quoted(text, from + 1)
      at = at and text:match("^[ \t]*()", at)
    else
      value, at = text:match("^([^;\"]*)()", from)
      value = trim(value)
    end
    if not at or name and (not value or parameters[lower(name)]) then
      return nil
    elseif name then
      parameters[lower(name)] = value
    end
  end
  return word and lower(word), parameters
end

-- ---- names of files --------------------------------------------------------

-- ISO-8859-1 as UTF-8.
local function from_latin(text)
  return (text:gsub("[\128-\255]", function(c)
    local byte = c:byte()
    return string.char(0xc0 | byte >> 6, 0x80 | byte & 0x3f)
  end))
end

-- RFC 5987, 3.2: charset'language'text with %XX.  Returns UTF-8, nil if it is
-- malformed, or false if the charset is another.
local function extended(text, is_utf8)
  local charset, coded =
    text:match("^([0-9A-Za-z_%-]+)'[^']*'([0-9A-Za-z%%!#$&+%-.^_`|~]*)$")
  if not charset or coded:gsub("%%%x%x", ""):find("%%") then
    return nil
  end
  local decoded = coded:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end)
  charset = lower(charset)
  if charset == "iso-8859-1" then
    return from_latin(decoded)
  elseif charset ~= "utf-8" then
    return false
  end
  return is_utf8(decoded) and decoded or nil
end

-- The last part of a path, whichever system it is of.
local function last_part(path)
  local name = path:match("^.*[/\\](.*)$") or path
  return name ~= "." and name ~= ".." and name or ""
end

-- The name of the file that a part is, nil for a field, or false if it is
-- malformed.
local function file_name(parameters, is_utf8)
  local name = parameters["filename*"] and
    extended(parameters["filename*"], is_utf8)
  if name == nil and parameters["filename*"] then
    return false
  end
  name = name or parameters.filename
  if not name then
    return parameters["filename*"] == nil and nil
  end
  return not name:find("[\0-\31\127]") and last_part(name)
end

-- ---- heads -----------------------------------------------------------------

local WANTED = { ["content-disposition"] = true, ["content-type"] = true,
  ["content-transfer-encoding"] = true }
local PLAIN = { ["7bit"] = true, ["8bit"] = true, binary = true }

-- The headers that matter, by lower-case name; nil and a message.
local function headers(head)
  local found, last = {}, nil
  for line in head:gmatch("(.-)\r\n") do
    local name, value = line:match("^([^\0-\32\127:]+):[ \t]*(.*)$")
    if line:gsub("\t", ""):find("[\0-\31\127]") then
      return nil, "a control character in the head of a part"
    elseif last and line:find("^[ \t]") then
      name, value = last, (found[last] or "") .. line
    elseif not name then
      return nil, "a malformed line in the head of a part"
    elseif WANTED[lower(name)] and found[lower(name)] then
      return nil, "a header of a part comes twice"
    end
    last = lower(name)
    if WANTED[last] then
      found[last] = trim(value)
    end
  end
  return found
end

-- What the head of a part says: name, filename (nil for a field) and type (nil
-- if it has none).  nil, an HTTP status and a message if it says nothing that a
-- form may have.
---@param head string
---@param is_utf8 fun(text: string): boolean
---@return { name: string, filename?: string, type?: string }?
---@return integer? status
---@return string? message
function multipart.head(head, is_utf8)
  local found, message = headers(head)
  if not found then
    return nil, 400, message
  end
  local word, parameters = multipart.value(found["content-disposition"] or "")
  if word ~= "form-data" then
    return nil, 400, "a part is not form-data"
  elseif not parameters.name or parameters.name:find("[\0-\31\127]") then
    return nil, 400, "a part has no name"
  end
  local kind = found["content-type"]
  if kind and lower(kind):find("^multipart/") then
    return nil, 400, "a part is multipart itself"
  end
  local encoding = found["content-transfer-encoding"]
  if encoding and not PLAIN[lower(encoding)] then
    return nil, 415, "a part has a Content-Transfer-Encoding"
  end
  local filename = file_name(parameters, is_utf8)
  if filename == false then
    return nil, 400, "the file name of a part is malformed"
  end
  return { name = parameters.name, filename = filename,
    type = kind ~= "" and kind or nil }
end

local BOUNDARY = "^[0-9A-Za-z'()+_,%-./:=? ]*[0-9A-Za-z'()+_,%-./:=?]$"

-- The boundary of a Content-Type's parameters; nil if it is no valid one (RFC
-- 2046, 5.1.1).
---@param parameters table<string, string>
---@return string?
function multipart.boundary(parameters)
  local boundary = parameters.boundary
  if boundary and #boundary <= 70 and
      boundary:find(BOUNDARY) then
    return boundary
  end
end

return multipart
