-- URLs (RFC 3986): what has to be encoded in them, relative references, and
-- query strings.  See fpm.url(3lua).

local check = require "fpm.check"

---@class fpm.url
local url = {}

local found, core = pcall(require, "fpm.core.text")
if not found then
  core = require "fpm.text_plain"
end

-- The text with every byte but letters, digits, "-", ".", "_" and "~" as %XX:
-- it can stand in any place of a URL, as a part of a path or as a value of a
-- query.  UTF-8 stays UTF-8.
--
--     url.encode("a b/c")        --> a%20b%2Fc
---@type fun(text: string|number): string
url.encode = core.encode

-- The text with each %XX as the byte that it stands for; with `plus` (default
-- false) also each "+" as a blank, as forms have it.  Any byte may come out, NUL
-- and invalid UTF-8 included.  nil and a message if a % is not followed by two
-- hexadecimal digits.
--
--     url.decode("a%20b%2Fc")    --> a b/c
---@type fun(text: string|number, plus?: boolean): string?, string?
url.decode = core.decode

-- The five parts of a reference (appendix B); path is "", the others are nil,
-- if they are not there.
local function split(text)
  local rest, fragment = text:match("^([^#]*)#?(.*)$")
  local parts = {
    fragment = #rest < #text and fragment or nil,
  }
  local before, query = rest:match("^([^?]*)%??(.*)$")
  if #before < #rest then
    parts.query = query
  end
  local scheme, after = before:match("^([A-Za-z][A-Za-z0-9+.-]*):(.*)$")
  if scheme then
    parts.scheme, before = scheme, after
  end
  local authority, path = before:match("^//([^/]*)(.*)$")
  parts.authority, parts.path = authority, path or before
  return parts
end

-- A path without the segments "." and ".." (5.2.4).  A path that begins with a
-- slash still does.
local function remove_dots(path)
  local kept, n, last = {}, 0, nil
  for segment in path:gmatch("[^/]*") do
    last = segment
    if segment == ".." then
      if n > 1 or n == 1 and kept[1] ~= "" then
        n = n - 1
      end
    elseif segment ~= "." then
      n = n + 1
      kept[n] = segment
    end
  end
  if last == "." or last == ".." then -- the directory itself
    n = n + 1
    kept[n] = ""
  end
  local whole = table.concat(kept, "/", 1, n)
  if path:sub(1, 1) == "/" and whole:sub(1, 1) ~= "/" then
    whole = "/" .. whole
  end
  return whole
end

-- The path of a reference that has one, beside that of the base (5.2.3).
local function merge(base, path)
  if base.authority and base.path == "" then
    return "/" .. path
  end
  return (base.path:match("^.*/") or "") .. path
end

-- What the reference means beside the base (5.2.2): its parts replace those of
-- the base.
local function resolve(base, to)
  if to.scheme then
    to.path = remove_dots(to.path)
    return to
  end
  to.scheme = base.scheme
  if to.authority then
    to.path = remove_dots(to.path)
    return to
  end
  to.authority = base.authority
  if to.path == "" then
    to.path = base.path
    to.query = to.query or base.query
  elseif to.path:sub(1, 1) == "/" then
    to.path = remove_dots(to.path)
  else
    to.path = remove_dots(merge(base, to.path))
  end
  return to
end

-- A path that would be read as an authority or a scheme is written otherwise.
local function unsplit(parts)
  local path = parts.path
  if not parts.authority and path:find("^//") then
    path = "/." .. path
  elseif not parts.authority and not parts.scheme and
    path:find("^[^/]*:") then
    path = "./" .. path
  end
  return (parts.scheme and parts.scheme .. ":" or "") ..
    (parts.authority and "//" .. parts.authority or "") .. path ..
    (parts.query and "?" .. parts.query or "") ..
    (parts.fragment and "#" .. parts.fragment or "")
end

-- The reference as it is meant on the page `base` (RFC 3986, 5.2): what a
-- browser makes of a link.  The base may itself be a path alone.  Nothing is
-- encoded or decoded.
--
--     url.join("https://example.org/a/b?c", "../d")   --> https://example.org/d
---@param base string
---@param reference string
---@return string
function url.join(base, reference)
  check.is("fpm.url.join", "base", base, "string")
  check.is("fpm.url.join", "reference", reference, "string")
  return unsplit(resolve(split(base), split(reference)))
end

-- Append the pairs of one name.
local function add_pairs(out, name, value)
  local who = "fpm.url.query"
  local what = ("fields[%q]"):format(name)
  name = url.encode(name)
  if type(value) ~= "table" then
    out[#out + 1] = name .. "=" .. url.encode(check.text(who, what, value, 1))
    return
  end
  for i, item in ipairs(value) do
    out[#out + 1] = name .. "=" .. url.encode(check.text(who,
      ("%s[%d]"):format(what, i), item, 1))
  end
end

-- A query string, without the "?": from a table name -> value, or name -> array
-- of values, in the order of the names.  Pairs { name, value } in the table's
-- array part come first, in their order.
--
--     url.query { q = "a b", tag = { "x", "y" } }     --> q=a%20b&tag=x&tag=y
---@param fields table
---@return string
function url.query(fields)
  local who = "fpm.url.query"
  check.is(who, "fields", fields, "table")
  local out, names = {}, {}
  for i, pair in ipairs(fields) do
    check.is(who, ("fields[%d]"):format(i), pair, "table")
    add_pairs(out, check.text(who, ("fields[%d][1]"):format(i), pair[1]),
      pair[2])
  end
  for name in pairs(fields) do
    if type(name) == "string" then
      names[#names + 1] = name
    elseif not (math.type(name) == "integer" and name >= 1 and
      name <= #fields) then
      check.fail(who, 0, "fields has a key that is %s, expected names",
        check.type(name))
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    add_pairs(out, name, fields[name])
  end
  return table.concat(out, "&")
end

return url
