-- The page of a failed request where a pool has develop = true: the message, the
-- traceback with lines of the source, the request and the environment.

local html = require "fpm.html"
local http = require "fpm.http"
local has_core, core = pcall(require, "fpm.core.files")

local develop = {}

local AROUND = 4 -- lines of a source shown above and below
local OFFERS = {
  "text/html; charset=utf-8", "application/json", "text/plain; charset=utf-8",
}
local SECRET = {
  "PASSW", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "AUTHORIZATION", "COOKIE",
  "PRIVATE",
}
local HIDDEN = "(hidden)"

-- ---- what is shown ------------------------------------------------------------

local function is_secret(name)
  name = name:upper()
  for _, part in ipairs(SECRET) do
    if name:find(part, 1, true) then
      return true
    end
  end
  return false
end

-- Pairs of the strings in a table, by name; values that may be secret hidden.
local function sorted(values)
  local list = {}
  for name, value in next, values do
    if type(name) == "string" and type(value) == "string" then
      list[#list + 1] = { name, is_secret(name) and HIDDEN or value }
    end
  end
  table.sort(list, function(a, b)
    return a[1] < b[1]
  end)
  return list
end

-- The file that a traceback names: Lua shortens a long name to "..." and its
-- end, which one of the files that were loaded has.
local function whole_name(name)
  local tail = name:match("^%.%.%.(.+)$")
  if tail == nil or not has_core then
    return name
  end
  for _, file in ipairs(core.names()) do
    if file:sub(-#tail) == tail then
      return file
    end
  end
  return name
end

-- Lines of a file around one: { { number, text }, ... }, or nil.
local function excerpt(name, line)
  local file = io.open(name, "r")
  if file == nil then
    return nil
  end
  local lines, number = {}, 0
  for text in file:lines() do
    number = number + 1
    if number >= line - AROUND then
      lines[#lines + 1] = { number, text:sub(1, 300) }
    end
    if number >= line + AROUND then
      break
    end
  end
  file:close()
  return lines[1] and lines or nil
end

-- A line of a traceback, or a message: what it says, and where if it tells.
local function frame(text)
  local name, line, rest = text:match("^%s*([^:\n]+):(%d+): ?(.*)$")
  if name == nil then
    return { text = text:match("^%s*(.*)$") }
  end
  name, line = whole_name(name), math.tointeger(line)
  return { text = rest, name = name, line = line, source = excerpt(name, line) }
end

-- The place that a message names, if its file can be read.
local function place_of(message)
  for text in message:gmatch("[^\n]+") do
    local one = frame(text)
    if one.source then
      one.text = ""
      return one
    end
  end
  return nil
end

-- The frames of a traceback, behind the place of the message unless it is one of
-- them.
local function frames(message, traceback)
  local list, place = {}, place_of(message)
  for text in (traceback or ""):gmatch("[^\n]+") do
    local one = frame(text)
    if place and one.name == place.name and one.line == place.line then
      place = nil
    end
    if text ~= "stack traceback:" and one.text ~= "[C]: in ?" and
      not text:find("fpm%.core%.") then
      list[#list + 1] = one
    end
  end
  if place then
    table.insert(list, 1, place)
  end
  return list
end

local function collect(env, message, traceback)
  return {
    message = message,
    frames = frames(message, traceback),
    request = sorted(env),
    environment = sorted(has_core and core.environment() or {}),
    id = env.id,
  }
end

-- ---- as a page ----------------------------------------------------------------

local STYLE = [[
:root { color-scheme: light dark; --back: #f6f5f2; --card: #fff; --text: #1c1c1c;
  --dim: #6b6a66; --line: #dedcd5; --red: #b3261e; --mark: #fdecea; }
@media (prefers-color-scheme: dark) { :root { --back: #17181b; --card: #202226;
  --text: #e8e6e1; --dim: #9a988f; --line: #34363b; --red: #ff8a80;
  --mark: #4a2523; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { color: var(--red); font-size: 1.35rem; margin: 0 0 .25rem;
  overflow-wrap: anywhere; white-space: pre-wrap; }
h2 { font-size: 1rem; margin: 2rem 0 .5rem; }
p { margin: 0; color: var(--dim); overflow-wrap: anywhere; }
section, table { background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; }
section { margin: .75rem 0; overflow: hidden; }
section > p { padding: .5rem .75rem; }
section > p b { color: var(--text); font-weight: 600; }
pre { margin: 0; padding: .25rem 0; border-top: 1px solid var(--line);
  overflow-x: auto; font: 13px/1.55 ui-monospace, monospace; }
pre span { display: block; padding: 0 .75rem; min-width: max-content; }
pre i { display: inline-block; width: 3.5em; color: var(--dim);
  font-style: normal; user-select: none; }
pre .here { background: var(--mark); }
table { border-collapse: separate; border-spacing: 0; width: 100%;
  table-layout: fixed; font: 13px/1.5 ui-monospace, monospace; }
td { padding: .2rem .75rem; vertical-align: top; overflow-wrap: anywhere; }
td:first-child { width: 15rem; color: var(--dim); }
tr + tr td { border-top: 1px solid var(--line); }
]]

local function html_source(one)
  local out = { "<pre>" }
  for _, line in ipairs(one.source) do
    local number, text = line[1], line[2]
    out[#out + 1] = ("<span%s><i>%d</i>%s</span>"):format(
      number == one.line and ' class="here"' or "", number, html.escape(text))
  end
  out[#out + 1] = "</pre>"
  return table.concat(out)
end

local function html_frame(one)
  local place = one.name and
    ("<b>%s:%d</b> "):format(html.escape(one.name), one.line) or ""
  return ("<section><p>%s%s</p>%s</section>"):format(place,
    html.escape(one.text), one.source and html_source(one) or "")
end

local function html_table(title, rows)
  local out = { "<h2>", title, "</h2><table>" }
  for _, row in ipairs(rows) do
    out[#out + 1] = ("<tr><td>%s</td><td>%s</td></tr>"):format(
      html.escape(row[1]), html.escape(row[2]))
  end
  out[#out + 1] = "</table>"
  return table.concat(out)
end

local function as_html(it)
  local out = {
    "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">",
    "<meta name=\"viewport\" content=\"width=device-width\">",
    "<title>", html.escape(it.message:match("^[^\n]*")), "</title><style>",
    STYLE, "</style></head><body><main><h1>", html.escape(it.message),
    "</h1><p>Request ", html.escape(it.id or "-"),
    ". Save the file and reload this page. Visitors see it because the pool",
    " has develop = true.</p>",
  }
  for _, one in ipairs(it.frames) do
    out[#out + 1] = html_frame(one)
  end
  out[#out + 1] = html_table("Request", it.request)
  out[#out + 1] = html_table("Environment", it.environment)
  out[#out + 1] = "</main></body></html>\n"
  return table.concat(out)
end

-- ---- as text and as JSON ------------------------------------------------------

local function text_rows(out, title, rows)
  out[#out + 1] = "\n" .. title
  for _, row in ipairs(rows) do
    out[#out + 1] = "  " .. row[1] .. " = " .. row[2]
  end
end

local function as_text(it)
  local out = { it.message, "" }
  for _, one in ipairs(it.frames) do
    out[#out + 1] = (one.name and ("%s:%d: "):format(one.name, one.line) or "")
      .. one.text
    for _, line in ipairs(one.source or {}) do
      out[#out + 1] = ("  %s %4d  %s"):format(
        line[1] == one.line and ">" or " ", line[1], line[2])
    end
  end
  text_rows(out, "Request", it.request)
  text_rows(out, "Environment", it.environment)
  return table.concat(out, "\n") .. "\n"
end

-- A string of JSON; bytes that are no UTF-8 are taken as Latin-1.
local function quote(text)
  if not utf8.len(text) then
    text = text:gsub("[\x80-\xff]", function(c)
      return utf8.char(c:byte())
    end)
  end
  return '"' .. text:gsub('[%c"\\\x7f]', function(c)
    return ("\\u%04x"):format(c:byte())
  end) .. '"'
end

local function json_rows(rows)
  local out = {}
  for i, row in ipairs(rows) do
    out[i] = quote(row[1]) .. ":" .. quote(row[2])
  end
  return "{" .. table.concat(out, ",") .. "}"
end

local function as_json(it)
  local list = {}
  for i, one in ipairs(it.frames) do
    list[i] = "{" .. (one.name and '"file":' .. quote(one.name) .. ',"line":' ..
      one.line .. "," or "") .. '"text":' .. quote(one.text) .. "}"
  end
  return ('{"message":%s,"id":%s,"frames":[%s],"request":%s,"environment":%s}\n')
    :format(quote(it.message), quote(it.id or ""), table.concat(list, ","),
      json_rows(it.request), json_rows(it.environment))
end

local FORMS = { [OFFERS[1]] = as_html, [OFFERS[2]] = as_json,
  [OFFERS[3]] = as_text }

-- What the client of a failed request gets: HTML, JSON or text as it accepts.
---@param env fpm.env
---@param message string
---@param traceback? string as in the error log
---@return table headers
---@return string body
function develop.page(env, message, traceback)
  local form = http.negotiate(env.HTTP_ACCEPT, OFFERS) or OFFERS[1]
  return {
    Status = 500,
    ["Content-Type"] = form,
    ["Cache-Control"] = "no-store",
  }, FORMS[form](collect(env, message, traceback))
end

return develop
