-- What the library says of a wrong argument, for its own modules:
--
--     fpm.url.encode: text is nil, expected a string
--
-- Each raises at the place that called the function of the library which calls
-- it (`level` more callers up; default 0).

local check = {}

-- "nil", "a table": as lua-fpm's own messages have it.
---@param value any
---@return string
function check.type(value)
  return value == nil and "nil" or "a " .. type(value)
end

-- Raise "WHO: ..." for the caller of the caller.
---@param who string the function, "fpm.url.encode"
---@param level? integer
---@param format string
---@param ... any
function check.fail(who, level, format, ...)
  error(("%s: " .. format):format(who, ...), 3 + (level or 0))
end

-- Raise unless value is of that type; `name` is the argument's.
---@param who string
---@param name string
---@param value any
---@param expected string a type
---@param level? integer
function check.is(who, name, value, expected, level)
  if type(value) ~= expected then
    check.fail(who, (level or 0) + 1, "%s is %s, expected a %s", name,
      check.type(value), expected)
  end
end

-- A string, or a number, which counts as one: as a string.
---@param who string
---@param name string
---@param value any
---@param level? integer
---@return string
function check.text(who, name, value, level)
  if type(value) == "number" then
    value = tostring(value)
  end
  check.is(who, name, value, "string", (level or 0) + 1)
  return value
end

-- An integer, or a float that is one, from low to high: as an integer.
---@param who string
---@param name string
---@param value any
---@param low integer
---@param high integer
---@param level? integer
---@return integer
function check.integer(who, name, value, low, high, level)
  local n = type(value) == "number" and math.tointeger(value)
  if not n then
    check.fail(who, (level or 0) + 1, "%s is %s, expected an integer", name,
      type(value) == "number" and value or check.type(value))
  end
  if n < low or n > high then
    check.fail(who, (level or 0) + 1, "%s is %d, expected %d to %d", name,
      n, low, high)
  end
  return n
end

-- A table of options, or nil for none, with no other names than `known` has as
-- keys: a misspelt option must not pass for one that was not given.
---@param who string
---@param options table?
---@param known table<string, any>
---@param level? integer
---@return table
function check.options(who, options, known, level)
  if options == nil then
    return {}
  end
  check.is(who, "options", options, "table", (level or 0) + 1)
  for name in pairs(options) do
    if known[name] == nil then
      check.fail(who, (level or 0) + 1, "there is no option %s",
        type(name) == "string" and ("%q"):format(name)
        or check.type(name))
    end
  end
  return options
end

return check
