-- What fpm.shared has where there is no lua-fpm: the same verbs in a table of
-- this process, so that code which uses them runs under lua5.4, in its tests.
-- It has room for everything, and clocks of whole seconds.  The tests of
-- fpm.core.shared take it for the truth.

local check = require "fpm.check"

local plain = {}

local KEY_MOST = 65535
local KEYS_MOST = 1024
local TTL_MOST = 1e11
local ROOM = 1 << 30 -- what capacity and free_space say

---@class fpm.shared.plain: fpm.shared.dictionary
---@field private name string
---@field private entries table<string, { value: fpm.shared.value, till: number? }>
local dictionary = {}
dictionary.__index = dictionary
dictionary.__metatable = false

function dictionary:__tostring()
  return "fpm.shared." .. self.name
end

-- Time in seconds; a test may put another clock in its place.
plain.clock = os.time

-- ---- arguments --------------------------------------------------------------

local function own(self, verb)
  if type(self) ~= "table" or getmetatable(self) ~= false
    or not rawget(self, "entries") then
    error(("fpm.shared: %s is called without its dictionary: write "
      .. "dictionary:%s(...)"):format(verb, verb), 3)
  end
  return "fpm.shared." .. self.name .. ": " .. verb
end

local function misuse(who, name, value, expected, level)
  local shown = type(value) == "number" and tostring(value)
    or check.type(value)
  error(("%s: %s is %s, expected %s"):format(who, name, shown, expected), level or 4)
end

local function key_of(who, key)
  if type(key) == "number" then
    key = tostring(key)
  elseif type(key) ~= "string" then
    misuse(who, "key", key, "a string")
  end
  if #key == 0 then
    return nil, "empty key"
  elseif #key > KEY_MOST then
    return nil, "key too long"
  end
  return key
end

local function check_value(who, value)
  local kind = type(value)
  if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then
    misuse(who, "value", value, "a string, a number or a boolean")
  end
end

local function check_number(who, name, value)
  if type(value) ~= "number" or value ~= value then
    misuse(who, name, value, "a number")
  end
end

-- The time at which it ends; nil: never.
local function till_of(who, ttl)
  if ttl == nil then
    return nil
  end
  if type(ttl) ~= "number" or ttl ~= ttl or ttl < 0 then
    misuse(who, "ttl", ttl, "a number of seconds from 0 on")
  end
  if ttl == 0 or ttl > TTL_MOST then
    return nil
  end
  return plain.clock() + ttl
end

-- ---- verbs ------------------------------------------------------------------

local function live(self, key)
  local entry = self.entries[key]
  if entry and entry.till and entry.till <= plain.clock() then
    self.entries[key] = nil
    return nil
  end
  return entry
end

function dictionary:get(key)
  local who = own(self, "get")
  local message
  key, message = key_of(who, key)
  if not key then
    return nil, message
  end
  local entry = live(self, key)
  if not entry then
    return nil
  end
  return entry.value
end

local function put(self, verb, key, value, ttl)
  local who = "fpm.shared." .. self.name .. ": " .. verb
  local message
  key, message = key_of(who, key)
  check_value(who, value)
  local till = till_of(who, ttl)
  if not key then
    return false, message, false
  end
  local entry = live(self, key)
  if entry and verb == "add" then
    return false, "exists", false
  elseif not entry and verb == "replace" then
    return false, "not found", false
  end
  self.entries[key] = { value = value, till = till }
  return true, nil, false
end

function dictionary:set(key, value, ttl)
  own(self, "set")
  if value == nil then
    return self:delete(key)
  end
  return put(self, "set", key, value, ttl)
end

function dictionary:add(key, value, ttl)
  own(self, "add")
  return put(self, "add", key, value, ttl)
end

function dictionary:replace(key, value, ttl)
  own(self, "replace")
  return put(self, "replace", key, value, ttl)
end

function dictionary:incr(key, by, initial, ttl)
  local who = own(self, "incr")
  local message
  key, message = key_of(who, key)
  check_number(who, "by", by)
  if initial ~= nil then
    check_number(who, "initial", initial)
  elseif ttl ~= nil then
    misuse(who, "initial", nil, "a number, as ttl is given", 3)
  end
  local till = till_of(who, ttl)
  if not key then
    return nil, message, false
  end
  local entry = live(self, key)
  if not entry then
    if initial == nil then
      return nil, "not found", false
    end
    self.entries[key] = { value = initial + by, till = till }
    return initial + by, nil, false
  elseif type(entry.value) ~= "number" then
    return nil, "not a number", false
  end
  entry.value = entry.value + by
  return entry.value, nil, false
end

function dictionary:delete(key)
  local who = own(self, "delete")
  local message
  key, message = key_of(who, key)
  if not key then
    return nil, message
  end
  self.entries[key] = nil
  return true
end

function dictionary:ttl(key)
  local who = own(self, "ttl")
  local message
  key, message = key_of(who, key)
  if not key then
    return nil, message
  end
  local entry = live(self, key)
  if not entry then
    return nil, "not found"
  end
  return entry.till and entry.till - plain.clock() + 0.0 or 0.0
end

function dictionary:expire(key, ttl)
  local who = own(self, "expire")
  local message
  key, message = key_of(who, key)
  if ttl == nil then
    misuse(who, "ttl", ttl, "a number of seconds from 0 on", 3)
  end
  local till = till_of(who, ttl)
  if not key then
    return nil, message
  end
  local entry = live(self, key)
  if not entry then
    return nil, "not found"
  end
  entry.till = till
  return true
end

function dictionary:keys(most)
  local who = own(self, "keys")
  if most == nil then
    most = KEYS_MOST
  end
  if math.type(most) == "float" then
    most = math.tointeger(most) or most
  end
  if math.type(most) ~= "integer" or most < 0 then
    misuse(who, "most", most, "an integer from 0 on", 3)
  end
  local list = {}
  for key in pairs(self.entries) do
    if most > 0 and #list == most then
      break
    end
    if live(self, key) then
      list[#list + 1] = key
    end
  end
  return list
end

function dictionary:flush()
  own(self, "flush")
  self.entries = {}
  return true
end

function dictionary:capacity()
  own(self, "capacity")
  return ROOM
end

function dictionary:free_space()
  own(self, "free_space")
  return ROOM
end

-- A new and empty one.
---@param name string
---@return fpm.shared.plain
function plain.open(name)
  return setmetatable({ name = name, entries = {} }, dictionary)
end

return plain
