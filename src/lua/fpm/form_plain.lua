-- What fpm.form needs, in plain Lua: where there is no daemon, and as a second
-- opinion on fpm.core.form, which has the same functions in C.

local plain = {}

-- ---- fields ----------------------------------------------------------------

local function unescape(text)
  local out, from, malformed = {}, 1, false
  text = text:gsub("%+", " ")
  while true do
    local at = text:find("%", from, true)
    if not at then
      break
    end
    local digits = text:match("^%x%x", at + 1)
    out[#out + 1] = text:sub(from, at - 1)
    out[#out + 1] = digits and string.char(tonumber(digits, 16)) or "%"
    malformed = malformed or not digits
    from = at + (digits and 3 or 1)
  end
  out[#out + 1] = text:sub(from)
  return table.concat(out), malformed
end

-- Split "name=value&name=value" and decode both.  Returns a list of names and
-- values in turns, how many pairs it has, `most` at most, and whether there was
-- a "%" without two hexadecimal digits, which stays as it is.
---@param text string
---@param most? integer
---@return string[] list
---@return integer pairs
---@return boolean malformed
function plain.split(text, most)
  local list, n, malformed = {}, 0, false
  for pair in text:gmatch("[^&]+") do
    if n == (most or math.maxinteger) then
      break
    end
    local name, value = pair:match("^([^=]*)=?(.*)$")
    local bad_name, bad_value
    list[2 * n + 1], bad_name = unescape(name)
    list[2 * n + 2], bad_value = unescape(value)
    malformed = malformed or bad_name or bad_value
    n = n + 1
  end
  return list, n, malformed
end

-- True if the text is well-formed UTF-8.
---@param text string
---@return boolean
function plain.is_utf8(text)
  return utf8.len(text) ~= nil
end

-- ---- files -----------------------------------------------------------------

-- A file to read and write that has no name; in `directory`, or where the
-- system has such files.  nil and a message if it cannot be made.
---@param directory? string
---@return file* | nil
---@return string? message
function plain.temporary(directory)
  if not directory then
    return io.tmpfile()
  end
  local name = ("%s/.lua-fpm-%s"):format(directory,
    tostring({}):match("%x+$"))
  local file, message = io.open(name, "w+b")
  if file then
    os.remove(name)
  end
  return file, message
end

local function copy(from, to)
  assert(from:seek("set"))
  for piece in function() return from:read(65536) end do
    assert(to:write(piece))
  end
end

-- Make `path` the file's name, in place of a file that has it.  true, or nil
-- and a message.
---@param file file*
---@param path string
---@return true | nil
---@return string? message
function plain.move(file, path)
  local beside, at = path .. ".new", assert(file:seek())
  local to, message = io.open(beside, "wb")
  if not to then
    return nil, message
  end
  local good, fault = pcall(copy, file, to)
  file:seek("set", at)
  good = to:close() and good
  if good then
    good, fault = os.rename(beside, path)
  end
  if not good then
    os.remove(beside)
    return nil, fault
  end
  return true
end

-- ---- multipart -------------------------------------------------------------

local HEAD = 8192 -- bytes of a part's head at most

local Scanner = {}
Scanner.__index = Scanner

-- How many of the last bytes of the text begin the delimiter.
local function begun(text, delimiter)
  for n = math.min(#delimiter - 1, #text), 1, -1 do
    if text:sub(-n) == delimiter:sub(1, n) then
      return n
    end
  end
  return 0
end

-- Each state: the event and what goes with it, nil for none yet.

-- The first `owed` bytes of the buffer are not content.
local function content(self)
  local at = self.buffer:find(self.delimiter, 1, true)
  if at == 1 then
    self.buffer = self.buffer:sub(#self.delimiter + 1)
    local part = self.state == "part"
    self.state, self.owed = "line", 0
    return part and "end" or "again"
  end
  local stop = at and at - 1 or
    #self.buffer - begun(self.buffer, self.delimiter)
  if stop <= self.owed then
    if at then
      self.buffer, self.owed = self.buffer:sub(at), 0
    end
    return at and "again"
  end
  local data = self.buffer:sub(self.owed + 1, stop)
  self.buffer, self.owed = self.buffer:sub(stop + 1), 0
  return self.state == "part" and "data" or "again", data
end

local states = { preamble = content, part = content }

function states.line(self)
  local stop = select(2, self.buffer:find("^[ \t]*\r\n"))
  if self.buffer:find("^%-%-") then
    self.state = "epilogue"
    return "close"
  elseif stop then
    self.state, self.buffer = "head", self.buffer:sub(stop + 1)
    return "again"
  elseif self.buffer:find("^%-?$") or self.buffer:find("^[ \t]*\r?$") then
    return nil
  end
  self.state, self.fault = "bad", "text follows a boundary on its line"
  return "bad", self.fault
end

local function head_end(buffer)
  local from = 1
  while true do
    local at = buffer:find("\n", from, true)
    if (at or #buffer) > HEAD then
      return nil, "the head of a part exceeds 8192 bytes"
    elseif not at then
      return nil
    elseif at < 2 or buffer:sub(at - 1, at - 1) ~= "\r" then
      return nil, "a line of a part's head does not end with CR LF"
    elseif at == from + 1 then
      return at
    end
    from = at + 1
  end
end

function states.head(self)
  local stop, fault = head_end(self.buffer)
  if fault then
    self.state, self.fault = "bad", fault
    return "bad", fault
  elseif not stop then
    return nil
  end
  local head = self.buffer:sub(1, stop - 2)
  self.buffer, self.state, self.owed = self.buffer:sub(stop - 1), "part", 2
  return "head", head
end

function states.epilogue(self)
  self.buffer = ""
end

function states.bad(self)
  return "bad", self.fault
end

-- The next event in the piece from byte `at` on.  Returns its name, where to go
-- on, and what goes with it:
--
--     more   the piece is used up: go on with the next one
--     head   the head of a part, without its empty line
--     data   a piece of a part's content, if `into` is true
--     end    of a part
--     close  the last boundary: what follows is no part
--     bad    what is malformed
--     error  why content could not be written
--
-- If `into` is a file, content is written to it, and with "more" and "end"
-- comes how many bytes that were; if it is nil, they are only counted.
---@param piece string
---@param at integer
---@param into? file* | true
---@return string event
---@return integer at
---@return string | integer value
function Scanner:next(piece, at, into)
  local sum = 0
  if at <= #piece then
    self.buffer = self.buffer .. piece:sub(at)
  end
  at = #piece + 1
  while true do
    local event, value = states[self.state](self)
    if event == "data" and into ~= true then
      sum = sum + #value
      local good, message = true, nil
      if into then
        good, message = into:write(value)
      end
      if not good then
        return "error", at, message
      end
    elseif event ~= "again" then
      return event or "more", at, value or sum
    end
  end
end

-- A scanner of a multipart body with this boundary.
---@param boundary string
function plain.scanner(boundary)
  assert(#boundary > 0 and #boundary <= 70 and
    not boundary:find("[^\32-\126]"), "not a boundary")
  return setmetatable({ buffer = "\r\n", owed = 2, state = "preamble",
    delimiter = "\r\n--" .. boundary }, Scanner)
end

return plain
