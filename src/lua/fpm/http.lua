-- What HTTP (RFC 9110) has rules for: dates, redirects, the choice of what a
-- client accepts.  See fpm.http(3lua).

local check = require "fpm.check"

---@class fpm.http
local http = {}

-- ---- dates ------------------------------------------------------------------
-- Counted here: os.date knows the locale's names of days, os.time its zone.

local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local LONG_DAYS = { Sunday = 1, Monday = 2, Tuesday = 3, Wednesday = 4,
  Thursday = 5, Friday = 6, Saturday = 7 }
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep",
  "Oct", "Nov", "Dec" }
local LENGTHS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
local FIRST, LAST = -62167219200, 253402300799 -- the years 0 to 9999

local day_numbers, month_numbers = {}, {}
for number, name in ipairs(DAYS) do
  day_numbers[name] = number
end
for number, name in ipairs(MONTHS) do
  month_numbers[name] = number
end

-- Days from 1 January 1970, of a year that is counted from March.
local function days_before(year, month, day)
  local march_year = month > 2 and year or year - 1
  local month_of_it = (month + 9) % 12 -- March is 0
  return march_year * 365 + march_year // 4 - march_year // 100 +
    march_year // 400 + (month_of_it * 153 + 2) // 5 + day - 1 - 719468
end

-- Year, month, and day of the month.
local function date_of(days)
  local since = days + 719468 -- 1 March of the year 0
  local era = since // 146097 -- of 400 years
  local rest = since % 146097
  local year = (rest - rest // 1460 + rest // 36524 - rest // 146096) // 365
  rest = rest - (365 * year + year // 4 - year // 100)
  local month = (5 * rest + 2) // 153
  local day = rest - (153 * month + 2) // 5 + 1
  month = month < 10 and month + 3 or month - 9
  return era * 400 + year + (month <= 2 and 1 or 0), month, day
end

-- The time as headers have it, in GMT: "Sun, 06 Nov 1994 08:49:37 GMT".
--
--     http.date(784111777)    --> Sun, 06 Nov 1994 08:49:37 GMT
---@param time? number seconds since 1970 began (UTC), as of os.time; default:
---now.  Of the years 0 to 9999; a part of a second is dropped.
---@return string
function http.date(time)
  if time == nil then
    time = os.time()
  end
  check.is("fpm.http.date", "time", time, "number")
  if not (time >= FIRST and time < LAST + 1) then
    check.fail("fpm.http.date", 0, "time is %s, expected the years 0 to 9999",
      time)
  end
  time = math.floor(time)
  local days, rest = time // 86400, time % 86400
  local year, month, day = date_of(days)
  return ("%s, %02d %s %04d %02d:%02d:%02d GMT"):format(
    DAYS[(days + 4) % 7 + 1], day, MONTHS[month], year, rest // 3600,
    rest // 60 % 60, rest % 60)
end

-- The year of an RFC 850 date, of two digits: not more than 50 years from now.
local function whole_year(two, now)
  local this = date_of((now or os.time()) // 86400)
  local year = this - this % 100 + two
  return year > this + 50 and year - 100 or year
end

-- Day, month's name, year, hour, minute, second of one of the three forms;
-- nothing if it is none.
local function fields_of(text)
  local name, day, month, year, hour, minute, second = text:match(
    "^(%a%a%a), (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  if day_numbers[name] then
    return day, month, tonumber(year), hour, minute, second
  end
  name, day, month, year, hour, minute, second = text:match(
    "^(%a+), (%d%d)%-(%a%a%a)%-(%d%d) (%d%d):(%d%d):(%d%d) GMT$")
  if LONG_DAYS[name] then
    return day, month, whole_year(tonumber(year)), hour, minute, second
  end
  name, month, day, hour, minute, second, year = text:match(
    "^(%a%a%a) (%a%a%a) ([ %d]%d) (%d%d):(%d%d):(%d%d) (%d%d%d%d)$")
  if day_numbers[name] then
    return day, month, tonumber(year), hour, minute, second
  end
end

-- The time of a header's date, in any of the three forms that HTTP has had
-- (RFC 9110, 5.6.7).  nil and a message if it is none, or no header was sent.
--
--     http.parse_date("Sun, 06 Nov 1994 08:49:37 GMT")    --> 784111777
---@param text? string
---@return integer? time seconds since 1970 began (UTC)
---@return string? message
function http.parse_date(text)
  if text == nil then
    return nil, "there is no date"
  end
  check.is("fpm.http.parse_date", "text", text, "string")
  local day, name, year, hour, minute, second = fields_of(text)
  local month = month_numbers[name]
  if not month then
    return nil, "not a date of HTTP"
  end
  day, hour, minute, second = tonumber(day), tonumber(hour), tonumber(minute),
    tonumber(second)
  local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
  local length = month == 2 and leap and 29 or LENGTHS[month]
  if day < 1 or day > length or hour > 23 or minute > 59 or second > 60 then
    return nil, "there is no such date"
  end
  return days_before(year, month, day) * 86400 + hour * 3600 + minute * 60 +
    second
end

-- ---- redirects --------------------------------------------------------------

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true,
  [308] = true }

-- What accept returns to send the client elsewhere: a table of headers, to
-- which more can be added.
--
--     return http.redirect("/notes/1", 303)
--
-- Bytes that no URL has (blanks, bytes of UTF-8, quotes) are encoded; control
-- bytes, which would split the response, raise an error.
---@param location string a URL, or one beside that of the request
---@param status? integer 301, 302 (the default), 303 (after a POST: get it), 307
---or 308 (the same method again)
---@param headers? table more headers, such as Set-Cookie
---@return table headers for accept to return
function http.redirect(location, status, headers)
  local who = "fpm.http.redirect"
  check.is(who, "location", location, "string")
  local at = location:find("[\0-\31\127]")
  if at then
    check.fail(who, 0, "location has the byte 0x%02x at byte %d",
      location:byte(at), at)
  end
  status = status == nil and 302 or check.integer(who, "status", status, 100,
    999)
  if not REDIRECTS[status] then
    check.fail(who, 0, "status is %d, expected 301, 302, 303, 307 or 308",
      status)
  end
  local all = {}
  if headers ~= nil then
    check.is(who, "headers", headers, "table")
    for name, value in pairs(headers) do
      all[name] = value
    end
  end
  all.Status = status
  all.Location = location:gsub("[^!#-;=?-Z%[%]_a-z~]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end)
  return all
end

-- ---- what a client accepts ---------------------------------------------------

local small = {} -- whatever the locale: in a Turkish one "I" is not that of "i"
for byte in ("ABCDEFGHIJKLMNOPQRSTUVWXYZ"):gmatch(".") do
  small[byte] = string.char(byte:byte() + 32)
end

local function lower(text)
  return (text:gsub("[A-Z]", small))
end

local TOKEN = "[!#-'*+%-.^-z|~0-9A-Z]"

-- The place behind the next comma that is not inside of a quoted string.
local function after_comma(text, at)
  while true do
    local found, _, what = text:find('([,"])', at)
    if not found then
      return #text + 1
    elseif what == "," then
      return found + 1
    end
    at = found + 1
    repeat -- to the quote at its end
      found, _, what = text:find('(["\\])', at)
      at = found and (what == "\\" and found + 2 or found + 1) or #text + 1
    until what ~= "\\"
  end
end

-- A quoted string that begins at `at`: what is in it, and the place behind it;
-- nil if it does not end.
local function quoted(text, at)
  local parts = {}
  at = at + 1
  while true do
    local plain, stop = text:match('^([^"\\]*)()', at)
    parts[#parts + 1] = plain
    local byte = text:sub(stop, stop)
    if byte == '"' then
      return table.concat(parts), stop + 1
    elseif byte == "" or stop == #text then
      return nil
    end
    parts[#parts + 1] = text:sub(stop + 1, stop + 1)
    at = stop + 2
  end
end

-- What stands at `at`, "name=value": both in lower case, and the place behind
-- it; nil if it is malformed.
local function parameter(text, at)
  local value
  local name, behind = text:match("^(" .. TOKEN .. "+)=()", at)
  if not name then
    return nil
  elseif text:sub(behind, behind) == '"' then
    value, behind = quoted(text, behind)
  else
    value, behind = text:match("^(" .. TOKEN .. "+)()", behind)
  end
  if not value then
    return nil
  end
  return lower(name), lower(value), behind
end

-- Parameters from `at` on, each behind a semicolon: a table name -> value, and
-- the place where they end.  nil if they are malformed.
local function parameters(text, at)
  local found = {}
  while true do
    local start = text:match("^[ \t]*;[ \t]*()", at)
    if not start then
      return found, text:match("^[ \t]*()", at)
    end
    local name, value, behind = parameter(text, start)
    if name then
      found[name], at = value, behind
    elseif start > #text or text:find("^[;,]", start) then
      at = start -- an empty one
    else
      return nil
    end
  end
end

-- The weight of a parameter q, nil if it is none.
local function weight(q)
  if q == nil then
    return 1
  end
  local value = q:find("^[01]%.?%d*$") and tonumber(q)
  return value and value <= 1 and value or nil
end

-- What stands at `at`: { range, parameters, q }, or nil if it is malformed; and
-- the place behind the comma at its end.
local function element(text, at)
  local range, behind = text:match("^[ \t]*([^%s,;\"]+)()", at)
  local params, stop
  if range then
    params, stop = parameters(text, behind)
  end
  if not params or stop <= #text and text:sub(stop, stop) ~= "," then
    return nil, after_comma(text, at)
  end
  local q = weight(params.q)
  params.q = nil
  return q and { range = lower(range), params = params, q = q }, stop + 1
end

local EXACTLY = math.maxinteger // 2 -- closer than any part of a name

-- How closely a range is an offer; nil: not at all.
local function closeness(accepted, offer)
  local range = accepted.range
  if range == offer.name then
    local close = EXACTLY
    for name, value in pairs(accepted.params) do
      if offer.params[name] ~= value then
        return nil
      end
      close = close + 1
    end
    return close
  end
  if offer.kind then
    return range == offer.kind .. "/*" and 2 or range == "*/*" and 1 or nil
  end
  if range == "*" then
    return 1
  elseif offer.name:sub(1, #range + 1) == range .. "-" then
    return 1 + #range -- "en" is accepted: "en-gb" is English
  elseif range:sub(1, #offer.name + 1) == offer.name .. "-" then
    return 1 + #offer.name -- "en-gb" is accepted: "en" is nearest
  end
end

-- The weight of an offer: that of the range which is closest to it.
local function weigh(accepted, offer)
  local closest, q = 0, 0
  for _, one in ipairs(accepted) do
    local close = closeness(one, offer)
    if close and (close > closest or close == closest and one.q > q) then
      closest, q = close, one.q
    end
  end
  return q
end

-- A function that reads short texts, which keeps what it has read of the last
-- ones: clients send the same few again and again.
local function remembering(read)
  local known, count = {}, 0
  return function(text)
    local found = known[text]
    if found == nil then
      found = read(text)
      if count == 100 then
        known, count = {}, 0
      end
      if #text <= 500 then
        known[text], count = found, count + 1
      end
    end
    return found
  end
end

-- The elements of a header that are well-formed.
local read_header = remembering(function(text)
  local accepted, at = {}, 1
  while at <= #text do
    accepted[#accepted + 1], at = element(text, at)
  end
  return accepted
end)

-- An offer; false: it is none.
local read_offer = remembering(function(text)
  local name, behind = text:match("^([^%s,;\"]+)()")
  local params, stop
  if name then
    params, stop = parameters(text, behind)
  end
  if not params or stop <= #text then
    return false
  end
  name = lower(name)
  return { name = name, kind = name:match("^(.+)/"), params = params }
end)

-- The one of the offers that the client likes best, by its header Accept, or
-- Accept-Language, Accept-Encoding, Accept-Charset (RFC 9110, 12.5); of equals
-- the first.  nil if it accepts none of them.  Without a header, or if nothing
-- of it can be understood, it is the first offer.
--
--     http.negotiate("text/*;q=0.5, text/html", { "text/plain", "text/html" })
--                                                   --> text/html
---@param accept? string the header's value
---@param offers string[] media types ("text/html; charset=utf-8"), or names
---("en", "gzip"); the server's favourite first
---@return string? offer
function http.negotiate(accept, offers)
  local who = "fpm.http.negotiate"
  check.is(who, "offers", offers, "table")
  if offers[1] == nil then
    check.fail(who, 0, "offers is empty")
  end
  if accept ~= nil then
    check.is(who, "accept", accept, "string")
  end
  local accepted = read_header(accept or "")
  local best, best_q = nil, 0
  for i, text in ipairs(offers) do
    check.is(who, ("offers[%d]"):format(i), text, "string")
    local offer = read_offer(text)
    if not offer then
      check.fail(who, 0, "offers[%d] is %q, expected a media type or a name", i,
        text)
    end
    local q = weigh(accepted, offer)
    if q > best_q then
      best, best_q = text, q
    end
  end
  if #accepted == 0 then
    return offers[1]
  end
  return best
end

return http
