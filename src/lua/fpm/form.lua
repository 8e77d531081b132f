-- Forms: fields of a query string and of a body, and uploads, as browsers send
-- them (https://url.spec.whatwg.org, 5; RFC 7578).  See fpm.form(3lua).
--
-- A body is read in pieces, and a file of it goes to disk as it comes, so that
-- memory is bounded by the fields, whose sizes have limits.  The file has no
-- name there: whatever ends the request or the process, nothing is left of it.

local check = require "fpm.check"
local multipart = require "fpm.multipart"

local found, core = pcall(require, "fpm.core.form")
if not found then
  core = require "fpm.form_plain"
end

local has_try, caller = pcall(require, "fpm.core.try")
local try = has_try and caller.try or pcall

---@class fpm.form
local form = {}

local PIECE = 65536 -- bytes that are read at once

-- ---- fields ----------------------------------------------------------------

local LISTS = {} -- a key of metatables: name -> all values, if several

-- `value` becomes the value of that name, and the last of all that it has.
local function put(fields, name, value)
  local before = fields[name]
  fields[name] = value
  if before == nil then
    return
  end
  local meta = getmetatable(fields)
  if not meta then
    meta = { [LISTS] = {} }
    setmetatable(fields, meta)
  end
  local list = meta[LISTS][name]
  if not list then
    list = { before }
    meta[LISTS][name] = list
  end
  list[#list + 1] = value
end

-- Every value of a name, in the order in which they came; an empty list if
-- there is none.  `fields` is what form.query, env.query or form.read has
-- returned, or the files of form.read.
--
--     form.all(form.query "a=1&b=2&a=3", "a")    --> { "1", "3" }
---@param fields table
---@param name string
---@return table
function form.all(fields, name)
  check.is("fpm.form.all", "fields", fields, "table")
  check.is("fpm.form.all", "name", name, "string")
  local meta, last = getmetatable(fields), fields[name]
  local list = type(meta) == "table" and meta[LISTS] and meta[LISTS][name]
  if list and list[#list] == last then
    return table.move(list, 1, #list, 1, {})
  end
  return { last }
end

-- The fields of a query string, name -> value: of a name that comes several
-- times the last value (form.all has all of them).  "+" is a blank, %XX a byte;
-- a "%" without two hexadecimal digits stays as it is, and then the second
-- result says so, for who wants to refuse it.  Values may have any bytes.
--
--     form.query "q=a+b&page=2"    --> { q = "a b", page = "2" }
---@param text string
---@return table<string, string> fields
---@return string? fault
function form.query(text)
  check.is("fpm.form.query", "text", text, "string")
  local fields = {}
  local list, n, malformed = core.split(text)
  for i = 1, 2 * n, 2 do
    put(fields, list[i], list[i + 1])
  end
  return fields, malformed and "malformed percent escape" or nil
end

-- ---- options ---------------------------------------------------------------

---@alias fpm.form.size integer | string bytes, or "64K", "1M", "2G"

---@class fpm.form.options
---@field max_body? fpm.form.size of the whole body; default: the pool's limit
---@field max_fields? integer default 1000
---@field max_field? fpm.form.size of a field's value; default "1M"
---@field max_memory? fpm.form.size of all fields together; default "8M"
---@field max_files? integer default 20
---@field max_file? fpm.form.size of each file; default: any
---@field directory? string of the files; default TMPDIR, or /tmp
---@field utf8? boolean false: fields may have any bytes
---@field on_part? fun(part: fpm.form.part): boolean?
---@field on_field? fun(part: fpm.form.part): boolean?

local DEFAULTS = { max_body = math.huge, max_fields = 1000, max_field = 1 << 20,
  max_memory = 8 << 20, max_files = 20, max_file = math.huge }
local TYPES = { directory = "string", utf8 = "boolean", on_part = "function",
  on_field = "function" }
local KNOWN = {}
for name in pairs(DEFAULTS) do
  KNOWN[name] = true
end
for name in pairs(TYPES) do
  KNOWN[name] = true
end

local UNITS = { [""] = 1, k = 1 << 10, m = 1 << 20, g = 1 << 30,
  K = 1 << 10, M = 1 << 20, G = 1 << 30 }

-- "1M" as a number, nil if it is no size.
local function size(value)
  if type(value) == "string" then
    local digits, unit = value:match("^(%d+)([KMGkmg]?)$")
    return digits and #digits < 10 and
      math.tointeger(tonumber(digits)) * UNITS[unit] or nil
  end
  local n = type(value) == "number" and math.tointeger(value)
  return n and n >= 0 and n or nil
end

local function read_options(options)
  local who = "fpm.form.read"
  options = check.options(who, options, KNOWN, 1)
  local read = { utf8 = true }
  for name, default in pairs(DEFAULTS) do
    read[name] = options[name] == nil and default or size(options[name])
    if not read[name] then
      check.fail(who, 1, "%s is %s, expected a size such as 4096 or %q", name,
        type(options[name]) == "string" and ("%q"):format(options[name])
        or type(options[name]) == "number" and options[name]
        or check.type(options[name]), "1M")
    end
  end
  for name, kind in pairs(TYPES) do
    if options[name] ~= nil then
      check.is(who, name, options[name], kind, 1)
      read[name] = options[name]
    end
  end
  if read.directory and read.directory:find("\0", 1, true) then
    check.fail(who, 1, "directory contains a NUL")
  end
  return read
end

-- ---- the body --------------------------------------------------------------

-- What is read: fields, files, options, how much of each there is, and, once it
-- cannot go on, status and message.
local Reading = {}
Reading.__index = Reading

function Reading:fail(status, message)
  self.status, self.message = status, message
  return nil
end

-- The announced length of the body, nil if it is not known; false if that is
-- malformed.
local function announced(env)
  local text = env.CONTENT_LENGTH
  if text == nil or text == "" or text == "-1" then
    return nil
  end
  text = tostring(text)
  return text:find("^%d+$") and (math.tointeger(tonumber(text)) or math.huge)
    or false
end

-- The next piece of the body; nil at its end, or if it cannot be read.
function Reading:receive()
  if self.status then
    return nil
  end
  local good, piece = pcall(self.input.read, self.input, PIECE)
  if not good then
    local why = type(piece) == "string" and piece or ""
    if why:find("the client did not send it in time", 1, true) then
      return self:fail(408, "the form did not come in time")
    elseif why:find("request body: too long", 1, true) then
      return self:fail(413, "the form is too long")
    end
    error(piece, 0)
  elseif not piece then
    if self.length and self.length > self.received then
      return self:fail(400, "the form is shorter than announced")
    end
    return nil
  end
  self.received = self.received + #piece
  if self.received > self.options.max_body then
    return self:fail(413, "the form is too long")
  end
  return piece
end

function Reading:count_field()
  self.count = self.count + 1
  return self.count <= self.options.max_fields or
    self:fail(413, "the form has too many fields")
end

function Reading:count_file()
  self.file_count = self.file_count + 1
  return true
end

-- One more field.
function Reading:add(name, value)
  local options = self.options
  self.memory = self.memory + #name + #value
  if not self:count_field() then
    return nil
  elseif #value > options.max_field or #name > options.max_field then
    return self:fail(413, "a field is too long")
  elseif self.memory > options.max_memory then
    return self:fail(413, "the fields are too long together")
  elseif self.utf8 and not (core.is_utf8(name) and core.is_utf8(value)) then
    return self:fail(400, "a field is not UTF-8")
  end
  put(self.fields, name, value)
  return true
end

-- ---- urlencoded ------------------------------------------------------------

function Reading:add_pairs(text)
  local list, n, malformed =
    core.split(text, self.options.max_fields - self.count + 1)
  if malformed then
    return self:fail(400, "malformed percent escape")
  end
  for i = 1, 2 * n, 2 do
    if not self:add(list[i], list[i + 1]) then
      return nil
    end
  end
  return true
end

-- Pair by pair, as a pair may be as long as several pieces.
function Reading:read_pairs()
  local pending, length = {}, 0
  local most = 3 * self.options.max_field + 3 * 8192
  for piece in self.receive, self do
    local last = piece:match("^.*()&")
    if last then
      pending[#pending + 1] = piece:sub(1, last - 1)
      if not self:add_pairs(table.concat(pending)) then
        return
      end
      piece, pending, length = piece:sub(last + 1), {}, 0
    end
    pending[#pending + 1] = piece
    length = length + #piece
    if length > most then
      self:fail(413, "a field is too long")
    end
  end
  return self.status or self:add_pairs(table.concat(pending))
end

-- ---- multipart -------------------------------------------------------------

---@class fpm.form.part
---@field name string
---@field filename? string nil for a field
---@field type? string its Content-Type
local Part = {}
Part.__index = Part
Part.__name = "fpm.form.part"

---@class fpm.form.file
---@field name string of the field
---@field filename string as the client has it, without directories
---@field type? string its Content-Type
---@field size integer bytes
---@field file file* at its beginning
---@field path? string after move
local File = {}
File.__index = File
File.__name = "fpm.form.file"

-- What the error is that part:read raises when the form cannot be read on.
local Broken = { __name = "fpm.form.broken",
  __tostring = function(broken) return broken.message end }

local sources = setmetatable({}, { __mode = "k" }) -- of parts that are read

-- The next event of the body, and what goes with it (form_plain.lua); nil if
-- the form cannot be read on.
function Reading:next(into)
  local event, at, value = self.scanner:next(self.piece, self.at, into)
  self.at = at
  if event == "bad" then
    return self:fail(400, value)
  elseif event == "error" then
    error("fpm.form.read: cannot store an upload: " .. value, 0)
  elseif event == "more" then
    self.piece, self.at = self:receive(), 1
    if not self.piece then
      return not self.status and
        self:fail(400, "the form ends in the middle") or nil
    end
  end
  return event, value
end

-- Go on to the end of the part, and return how many bytes it had; nil if that
-- is more than `most`, or if the form cannot be read on.
function Reading:take(into, most, sum)
  repeat
    local event, n = self:next(into)
    if not event then
      return nil
    end
    sum = sum + n
    if sum > most then
      return self:fail(413, "a file is too long")
    end
  until event == "end"
  return sum
end

-- True if there is more of the part; then it is source.text from byte source.at
-- on.
local function has_more(source)
  local reading = source.reading
  while source.at > #source.text and not source.done do
    local event, value = reading:next(true)
    if event == "data" then
      source.text, source.at = value, 1
      source.size = source.size + #value
      if source.size > reading.options.max_file then
        event = reading:fail(413, "a file is too long")
      end
    end
    if not event then
      error(setmetatable({ status = reading.status,
        message = reading.message }, Broken), 0)
    end
    source.done = event == "end"
  end
  return source.at <= #source.text
end

-- The next n bytes of the part, fewer at its end, and nil behind it; with "a"
-- all that are left, perhaps ""; without n the next piece, at most 64 kB.
-- Raises if the form breaks off: what has been read is not all then.
---@param n? integer | "a"
---@return string?
function Part:read(n)
  local source = sources[self]
  if not source then
    error("fpm.form: part:read: this part is over", 2)
  elseif n ~= nil and n ~= "a" then
    n = check.integer("part:read", "n", n, 0, math.maxinteger)
  end
  source.touched = true
  if not has_more(source) then
    return n == "a" and "" or nil
  end
  local all, wanted = {}, n == "a" and math.maxinteger or n or 1
  while wanted > 0 and has_more(source) do
    local here = #source.text - source.at + 1
    local taken = n and math.min(wanted, here) or here
    all[#all + 1] = source.text:sub(source.at, source.at + taken - 1)
    source.at, wanted = source.at + taken, wanted - taken
  end
  return table.concat(all)
end

-- Call on_part.  True if it has taken the part, which is over then; nil if the
-- form cannot be read on.
function Reading:stream(callback, part)
  local source = { reading = self, size = 0, text = "", at = 1 }
  setmetatable(part, Part)
  sources[part] = source
  local good, taken = try(callback, part)
  sources[part] = nil
  if self.status then
    return nil
  elseif not good then
    error(taken, 0)
  elseif not taken and not source.touched then
    return false
  end
  return source.done or
    self:take(nil, self.options.max_file, source.size) and true
end

-- Give the file that name, in place of a file that has it, with the mode that
-- the umask leaves of 0666.  On another file system, or without /proc, it is
-- copied and flushed to disk.  true, or nil and a message.
---@param path string
---@return true?
---@return string? message
function File:move(path)
  if getmetatable(self) ~= File then
    error("file:move: self is no uploaded file", 2)
  end
  check.is("file:move", "path", path, "string")
  if path:find("\0", 1, true) then
    check.fail("file:move", 0, "path contains a NUL")
  elseif self.path then
    check.fail("file:move", 0, "the file has been moved")
  end
  local good, message = core.move(self.file, path)
  if good then
    self.path = path
  end
  return good, message
end

-- To disk, from the first byte on.
function Reading:store(part)
  local file, message = core.temporary(self.options.directory)
  if not file then
    error("fpm.form.read: cannot store an upload: " .. message, 0)
  end
  self.opened[#self.opened + 1] = file
  part.size = self:take(file, self.options.max_file, 0)
  if not part.size then
    return nil
  elseif part.size == 0 and part.filename == "" then
    file:close() -- the field was left empty
    table.remove(self.opened)
    return self:count_field()
  end
  file:seek("set")
  part.file = file
  self.files[#self.files + 1] = setmetatable(part, File)
  put(self.by_name, part.name, part)
  return self:count_file()
end

-- A field's value, into memory.
function Reading:field(part)
  local all, length = {}, 0
  while true do
    local event, value = self:next(true)
    if not event then
      return nil
    elseif event == "end" then
      return self:add(part.name, table.concat(all))
    elseif event == "data" then
      all[#all + 1], length = value, length + #value
      if length > self.options.max_field then
        return self:fail(413, "a field is too long")
      end
    end
  end
end

-- True if there is room for one more part of its kind.
function Reading:has_room(part)
  if part.filename and self.file_count >= self.options.max_files then
    return self:fail(413, "the form has too many files")
  elseif not part.filename and self.count >= self.options.max_fields then
    return self:fail(413, "the form has too many fields")
  end
  return true
end

function Reading:part(head)
  local part, status, message = multipart.head(head, core.is_utf8)
  if not part then
    return self:fail(status, message)
  elseif self.utf8 and not (core.is_utf8(part.name) and
      core.is_utf8(part.filename or "")) then
    return self:fail(400, "the name of a part is not UTF-8")
  elseif not self:has_room(part) then
    return nil
  end
  local callback = self.options[part.filename and "on_part" or "on_field"]
  local taken = callback and self:stream(callback, part)
  if self.status then
    return nil
  elseif taken then
    return part.filename and self:count_file() or self:count_field()
  end
  setmetatable(part, nil)
  if part.filename then
    return self:store(part)
  end
  return self:field(part)
end

-- Files are closed unless the form is read to its end.
local function close_files(opened)
  for _, file in ipairs(opened) do
    file:close()
  end
end

function Reading:read_parts(boundary)
  self.scanner = core.scanner(boundary)
  self.piece, self.at = "", 1
  self.opened = setmetatable({}, { __close = close_files })
  local _ <close> = self.opened
  while true do
    local event, value = self:next()
    if event == "head" then
      event = self:part(value)
    end
    if not event then
      return nil
    elseif event == "close" then
      break
    end
  end
  repeat until not self:receive() -- what follows is no part
  if not self.status then
    setmetatable(self.opened, { __close = function() end })
  end
end

-- ---- reading ---------------------------------------------------------------

local URLENCODED = "application/x-www-form-urlencoded"

function Reading:run(env)
  local kind, parameters = multipart.value(env.CONTENT_TYPE or "")
  local length = announced(env)
  local charset = parameters and parameters.charset or "utf-8"
  self.utf8 = self.options.utf8 and multipart.lower(charset) == "utf-8"
  self.length = length or nil
  if not kind and env.CONTENT_TYPE then
    return self:fail(400, "CONTENT_TYPE is malformed")
  elseif kind ~= URLENCODED and kind ~= "multipart/form-data" then
    return self:fail(415, "this is no form")
  elseif length == false then
    return self:fail(400, "CONTENT_LENGTH is malformed")
  elseif length and length > self.options.max_body then
    return self:fail(413, "the form is too long")
  elseif kind == URLENCODED then
    return self:read_pairs()
  end
  local boundary = multipart.boundary(parameters)
  if not boundary then
    return self:fail(400, "the boundary is missing or malformed")
  end
  return self:read_parts(boundary)
end

local results = setmetatable({}, { __mode = "k" }) -- env -> its form

-- The form that is the body of the request: fields (as form.query has them) and
-- files.  files is a list, in the order in which they came; files[name] is the
-- last of that name, and form.all(files, name) has all of them.  If it cannot
-- be read: nil, an HTTP status and a message that a client may see.
--
--     400  malformed, or shorter than announced
--     408  it did not come in time
--     413  more than the options, or the limits of the pool, allow
--     415  no form, or of a kind that is not known
--
-- Raises if the client leaves (as env.input does), and if a file cannot be
-- stored.  Another call for the same request returns what the first has
-- returned.
--
--     local fields, files, message = form.read(env, { max_file = "10M" })
--     if not fields then
--       return { Status = files }, message
--     end
---@param env table
---@param options? fpm.form.options
---@return table<string, string>? fields
---@return table<integer | string, fpm.form.file> | integer files or status
---@return string? message
function form.read(env, options)
  check.is("fpm.form.read", "env", env, "table")
  options = read_options(options)
  if results[env] then
    return table.unpack(results[env], 1, 3)
  end
  local input = env.input
  if not input then
    check.fail("fpm.form.read", 0, "env has no input")
  end
  local by_name = setmetatable({}, { [LISTS] = {} })
  local reading = setmetatable({ input = input, options = options,
    received = 0, count = 0, file_count = 0, memory = 0, fields = {},
    by_name = by_name,
    files = setmetatable({}, { __index = by_name,
      [LISTS] = getmetatable(by_name)[LISTS] }) }, Reading)
  results[env] = { nil, 400, "the form has been read in part" }
  reading:run(env)
  if reading.status then
    results[env] = { nil, reading.status, reading.message }
  else
    results[env] = { reading.fields, reading.files }
  end
  return table.unpack(results[env], 1, 3)
end

return form
