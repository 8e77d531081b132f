-- Tests of Lua code that needs no daemon, as TAP: each test is a function,
-- which fails by an error.
--
--   local tap = require "tap"
--   tap.test("adds", function() tap.equal(2, 1 + 1) end)
--   tap.done()

local tap = {}
local count, failed = 0, 0

local function show(value)
  return type(value) == "string" and string.format("%q", value)
    or tostring(value)
end

-- The values are the same; tables if their fields are.
local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b and math.type(a) == math.type(b)
  end
  for key, value in pairs(a) do
    if not same(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

local function show_all(value)
  if type(value) ~= "table" then
    return show(value)
  end
  local parts = {}
  for key, field in pairs(value) do
    parts[#parts + 1] = show(key) .. " = " .. show_all(field)
  end
  table.sort(parts)
  return "{ " .. table.concat(parts, ", ") .. " }"
end

-- Raise unless `found` is what was wanted.
function tap.equal(wanted, found)
  if not same(wanted, found) then
    error("wanted " .. show_all(wanted) .. ", found " .. show_all(found), 2)
  end
end

-- Raise unless the text matches the pattern.
function tap.matches(pattern, text)
  if type(text) ~= "string" or not string.find(text, pattern) then
    error("wanted a text like " .. show(pattern) .. ", found " .. show(text),
      2)
  end
end

-- Raise unless the function raises a message that matches the pattern; return
-- the message.
function tap.raises(pattern, f, ...)
  local good, message = pcall(f, ...)
  if good then
    error("wanted an error like " .. show(pattern) .. ", found none", 2)
  end
  tap.matches(pattern, message)
  return message
end

function tap.test(name, f)
  count = count + 1
  local good, message = xpcall(f, debug.traceback)
  if not good then
    failed = failed + 1
    print("# " .. string.gsub(tostring(message), "\n", "\n# "))
  end
  print((good and "ok " or "not ok ") .. count .. " - " .. name)
  io.stdout:flush()
end

-- To be called at the end: prints the plan, and exits.
function tap.done()
  print("1.." .. count)
  os.exit(failed == 0, true)
end

return tap
