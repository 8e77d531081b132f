-- Cookies (RFC 6265).  See fpm.cookie(3lua).

local check = require "fpm.check"
local current = require "fpm.current"

---@class fpm.cookie
local cookie = {}

---@class fpm.cookie.options
---@field path? string below which the browser sends it; default "/"
---@field domain? string to whose subdomains it is sent too; default: to none
---@field max_age? integer seconds until the browser forgets it, 0: at once;
---default: when it is closed
---@field secure? boolean to be sent over https only; default true, but for a
---request that came over http
---@field httponly? boolean hidden from the page's scripts; default true
---@field samesite? "Lax"|"Strict"|"None"|false default "Lax"; false: not said

local WHO = "fpm.cookie.write"
local KNOWN = { path = true, domain = true, max_age = true, secure = true,
  httponly = true, samesite = true }
local SAMESITE = { Lax = true, Strict = true, None = true }
local MOST = 4096 -- bytes of name and value that browsers keep

-- Raise if a byte of the text is in the set.
local function refuse(name, text, set, level)
  local at = text:find(set)
  if at then
    check.fail(WHO, level, "%s has the byte 0x%02x at byte %d", name,
      text:byte(at), at)
  end
end

-- The options that are true or false, as they are or by default.
local function flag(options, name, default)
  local value = options[name]
  if value == nil then
    return default
  end
  check.is(WHO, name, value, "boolean", 2)
  return value
end

-- The attributes Path, Domain and Max-Age.
local function place(options, out)
  local path = options.path == nil and "/" or options.path
  check.is(WHO, "path", path, "string", 1)
  refuse("path", path, "[^ -:<-~]", 2)
  if path:sub(1, 1) ~= "/" then
    check.fail(WHO, 1, "path is %q, expected one that begins with a slash",
      path)
  end
  out[#out + 1] = "Path=" .. path
  if options.domain ~= nil then
    check.is(WHO, "domain", options.domain, "string", 1)
    local domain = options.domain:gsub("^%.", "")
    if not domain:find("^[A-Za-z0-9][A-Za-z0-9.-]*$") then
      check.fail(WHO, 1, "domain is %q, expected the name of a host",
        options.domain)
    end
    out[#out + 1] = "Domain=" .. domain
  end
  if options.max_age ~= nil then
    local age = check.integer(WHO, "max_age", options.max_age, math.mininteger,
      math.maxinteger, 1)
    out[#out + 1] = ("Max-Age=%d"):format(math.max(age, 0))
  end
  return path
end

-- The attributes Secure, HttpOnly and SameSite.
local function guard(name, options, out)
  local prefix = name:lower():match("^__host%-") or
    name:lower():match("^__secure%-")
  local secure = flag(options, "secure", prefix ~= nil or current.https())
  local samesite = options.samesite
  if samesite == nil then
    samesite = "Lax"
  end
  if samesite and not SAMESITE[samesite] then
    check.fail(WHO, 1, "samesite is %s, expected \"Lax\", \"Strict\", "
      .. "\"None\" or false", type(samesite) == "string" and
      ("%q"):format(samesite) or check.type(samesite))
  end
  if not secure and (prefix or samesite == "None") then
    check.fail(WHO, 1, "secure is false, but %s needs it", prefix and
      ("the name %q"):format(name) or "samesite \"None\"")
  end
  out[#out + 1] = secure and "Secure" or nil
  out[#out + 1] = flag(options, "httponly", true) and "HttpOnly" or nil
  out[#out + 1] = samesite and "SameSite=" .. samesite or nil
  return prefix == "__host-"
end

-- The value of a header Set-Cookie, which sets a cookie in the browser.
--
--     { ["Set-Cookie"] = cookie.write("session", id, { max_age = 3600 }) }
--
-- What would make more or something else of it raises an error that names the
-- argument: a name that is no token; a value with blanks, quotes, commas,
-- semicolons, backslashes, control bytes or bytes above 0x7e (fpm.url.encode
-- makes a value of any text); more than 4096 bytes, which browsers drop; an
-- option that there is not; names that begin with __Secure- or __Host- and break
-- the rules of these (RFC 6265bis, 4.1.3).
---@param name string
---@param value string|number
---@param options? fpm.cookie.options
---@return string
function cookie.write(name, value, options)
  check.is(WHO, "name", name, "string")
  value = check.text(WHO, "value", value)
  options = check.options(WHO, options, KNOWN)
  if name == "" then
    check.fail(WHO, 0, "name is empty")
  end
  refuse("name", name, "[^!#-'*+%-.0-9A-Z^-z|~]", 1)
  refuse("value", value, "[^!#-+--:<-[%]^-~]", 1)
  if #name + #value > MOST then
    check.fail(WHO, 0, "name and value have %d bytes, expected %d at most",
      #name + #value, MOST)
  end
  local out = { name .. "=" .. value }
  local path = place(options, out)
  if guard(name, options, out) and (path ~= "/" or options.domain ~= nil) then
    check.fail(WHO, 0, "%s is given, but the name %q does not allow it",
      options.domain ~= nil and "domain" or "path", name)
  end
  return table.concat(out, "; ")
end

-- Without blanks around it.  Not by one pattern, which would take the square of
-- the time.
local function trim(text)
  local start = text:find("[^ \t]")
  return start and text:match("^.*[^ \t]", start) or ""
end

-- The cookies of a header Cookie: a table name -> value.  Of a name that comes
-- twice the first counts, which is the one of the most specific path.  Quotes
-- around a value are taken off; nothing else is decoded.  What has no name or
-- no "=" is left out.  env.cookies is that of the request.
--
--     cookie.parse('a=1; b="2"; a=3').b      --> 2
---@param text? string nil: no cookies
---@return table<string, string>
function cookie.parse(text)
  local cookies = {}
  if text == nil then
    return cookies
  end
  check.is("fpm.cookie.parse", "text", text, "string")
  for pair in text:gmatch("[^;]+") do
    local name, value = pair:match("^ ?([!-<>-~]+)=([!#-~]*)$") -- most are
    if not name then
      name, value = pair:match("^([^=]+)=(.*)$")
      name, value = trim(name or ""), trim(value or "")
      value = value:match('^"(.*)"$') or value
    end
    if name ~= "" and cookies[name] == nil then
      cookies[name] = value
    end
  end
  return cookies
end

return cookie
