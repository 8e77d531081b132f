-- What fpm.html and fpm.url are fast at by fpm.core.text, in Lua: for use
-- without the daemon, and to compare it with.

local check = require "fpm.check"

local plain = {}

local ENTITIES = {
  ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;",
  ['"'] = "&quot;", ["'"] = "&#39;",
}

-- fpm.html.escape
---@param text string|number
---@return string
function plain.escape(text)
  text = check.text("fpm.html.escape", "text", text)
  return (text:gsub("[&<>\"']", ENTITIES))
end

local escapes, bytes = {}, {} -- byte -> "%XX", two digits -> byte

for byte = 0, 255 do
  local char, hex = string.char(byte), ("%02x"):format(byte)
  escapes[char] = "%" .. hex:upper()
  local high, low = hex:sub(1, 1), hex:sub(2)
  for _, a in ipairs { high, high:upper() } do
    for _, b in ipairs { low, low:upper() } do
      bytes[a .. b] = char
    end
  end
end

-- fpm.url.encode
---@param text string|number
---@return string
function plain.encode(text)
  text = check.text("fpm.url.encode", "text", text)
  return (text:gsub("[^A-Za-z0-9%-._~]", escapes))
end

-- The first % that no two hexadecimal digits follow.
local function malformed(text)
  local at = 0
  repeat
    at = text:find("%", at + 1, true)
  until not at or not text:find("^%x%x", at + 1)
  return nil, ("malformed percent escape at byte %d"):format(at)
end

-- fpm.url.decode
---@param text string|number
---@param plus? boolean
---@return string? decoded
---@return string? message
function plain.decode(text, plus)
  text = check.text("fpm.url.decode", "text", text)
  if plus then
    text = text:gsub("%+", " ")
  end
  if not text:find("%", 1, true) then
    return text
  end
  local decoded, escaped = text:gsub("%%(%x%x)", bytes)
  local _, percents = text:gsub("%%", "%%")
  if percents ~= escaped then
    return malformed(text)
  end
  return decoded
end

return plain
