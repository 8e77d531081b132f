-- In the place of Lapis, which no package has: just the fields and calls of an
-- application and of its modules that fpm.lapis(3lua) meets, as Lapis 1.18 has
-- them, so that tests/web/lapis.py runs without it.

local json = require "cjson"

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

local function escape(text)
  return (tostring(text):gsub("[^%w%-._~]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
end

-- ---- lapis.logging, lapis.db -----------------------------------------------

local print_line = function(...)
  io.stderr:write(table.concat({ ... }, "\t"), "\n")
end

package.loaded["lapis.logging"] = {
  set_print = function(f)
    print_line = f
  end,
}

local function log_request(self)
  print_line(("[\27[32m%s\27[0m] \27[1m%s %s\27[0m"):format(
    self.res.status or "200", self.req.method, self.req.request_uri))
end

-- A connection that was lost fails until it is given up.
package.preload["lapis.db"] = function()
  local connected, lost, connections = false, false, 0
  return {
    lose = function()
      lost = true
    end,
    query = function()
      if not connected then
        connected, lost, connections = true, false, connections + 1
      end
      if lost then
        error("the connection is lost")
      end
      return "connection " .. connections
    end,
    disconnect = function()
      connected = false
    end,
  }
end

-- ---- requests --------------------------------------------------------------

local Request = {}
Request.__index = Request

local function add_params(self, params)
  for name, value in pairs(params) do
    local front, inner = name:match("^([^%[]+)%[([^%]]+)%]$")
    if front then
      if type(self.params[front]) ~= "table" then
        self.params[front] = {}
      end
      self.params[front][inner] = value
    else
      self.params[name] = value
    end
  end
end

local function parse_cookies(text)
  local cookies = {}
  for name, value in (text or ""):gmatch("([^=%s]*)=([^;]*)") do
    cookies[unescape(name)] = unescape(value)
  end
  return cookies
end

local function new_request(app, req, res)
  local read = parse_cookies(req.headers.cookie)
  return setmetatable({ app = app, req = req, res = res, params = {},
    cookies = setmetatable({}, { __index = read }) }, Request)
end

-- ---- elements --------------------------------------------------------------

local function escape_html(text)
  return (tostring(text):gsub("[&<>\"']", { ["&"] = "&amp;", ["<"] = "&lt;",
    [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#039;" }))
end

-- A copy of a function that shares its variables, with globals of its own.
local function copy(f, globals)
  local copied = assert(load(string.dump(f)))
  for i = 1, math.huge do
    local name = debug.getupvalue(f, i)
    if not name then
      return copied
    elseif name == "_ENV" then
      debug.upvaluejoin(copied, i, function()
        return globals
      end, 1)
    else
      debug.upvaluejoin(copied, i, f, i)
    end
  end
end

local function new_elements(out)
  local elements = {}
  local function put(value)
    if type(value) == "function" then
      copy(value, elements)()
    else
      out[#out + 1] = escape_html(value)
    end
  end
  function elements.text(...)
    for _, value in ipairs { ... } do
      put(value)
    end
  end
  return setmetatable(elements, { __index = function(_, name)
    return function(...)
      local attributes = type((...)) == "table" and ... or {}
      out[#out + 1] = "<" .. name
      for key, value in pairs(attributes) do
        out[#out + 1] = (' %s="%s"'):format(key, escape_html(value))
      end
      out[#out + 1] = ">"
      elements.text(select(attributes == ... and 2 or 1, ...))
      out[#out + 1] = "</" .. name .. ">"
    end
  end })
end

function Request.html(_, f)
  local out = {}
  copy(f, new_elements(out))()
  return table.concat(out)
end

-- ---- responses -------------------------------------------------------------

-- A path that begins with a slash gets the host that was asked.
local function location(req, path)
  local url = req.parsed_url
  return url.scheme .. "://" .. url.host ..
    (url.port and ":" .. url.port or "") .. path
end

function Request:render(answer)
  local res = self.res
  for name, value in pairs(self.cookies) do
    res:add_header("Set-Cookie", escape(name) .. "=" .. escape(value) ..
      "; Path=/; HttpOnly")
  end
  answer = type(answer) == "table" and answer or { answer }
  if answer.status then
    res.status = answer.status
  end
  for name, value in pairs(answer.headers or {}) do
    res:add_header(name, value)
  end
  if answer.json ~= nil then
    res.headers["Content-Type"] = "application/json"
    res.content = json.encode(answer.json)
    return
  elseif answer.content_type then
    res.headers["Content-Type"] = answer.content_type
  end
  if not res.headers["Content-Type"] then
    res.headers["Content-Type"] = "text/html"
  end
  if answer.redirect_to then
    res:add_header("Location", location(self.req, answer.redirect_to))
    res.status = res.status or 302
    return
  end
  res.content = table.concat(answer)
end

-- ---- applications ----------------------------------------------------------

local Application = {}
Application.__index = Application

function Application:match(path, action)
  self.routes[#self.routes + 1] = { path = path, action = action }
end

for name, method in pairs { get = "GET", post = "POST" } do
  Application[name] = function(self, path, action)
    self.routes[#self.routes + 1] = { path = path, method = method,
      action = action }
  end
end

function Application:build_router()
  self.router = {}
  for _, route in ipairs(self.routes) do
    local names = {}
    local pattern = route.path:gsub("[%-.]", "%%%0"):gsub(":(%w+)",
      function(name)
        names[#names + 1] = name
        return "([^/]+)"
      end)
    self.router[#self.router + 1] = { pattern = "^" .. pattern .. "$",
      names = names, route = route }
  end
end

local function act(self, request)
  local path, method = request.req.parsed_url.path, request.req.method
  for _, entry in ipairs(self.router) do
    local values = table.pack(path:match(entry.pattern))
    if values[1] and (entry.route.method or method) == method then
      add_params(request, request.req.params_get)
      add_params(request, request.req.params_post)
      for i, name in ipairs(entry.names) do
        request.params[name] = values[i]
      end
      return entry.route.action(request)
    end
  end
  error("Failed to find route: " .. request.req.request_uri)
end

function Application.handle_error(_, err, trace)
  return { status = 500, content_type = "text/html", "<h1>Error</h1><pre>",
    (tostring(err):gsub("<", "&lt;")), trace, "</pre>" }
end

function Application:render_error_request(request, err, trace)
  request:render(self.handle_error(request, err, trace))
  log_request(request)
end

function Application:dispatch(req, res)
  local err, trace
  local good = xpcall(function()
    local request = new_request(self, req, res)
    request:render(act(self, request))
    log_request(request)
  end, function(raised)
    err, trace = raised, debug.traceback("", 2)
  end)
  if not good then
    self:render_error_request(new_request(self, req, res), err, trace)
  end
  return good
end

-- ---- lapis.application, lapis.csrf -----------------------------------------

package.preload["lapis.application"] = function()
  return {
    json_params = function(action)
      return function(self)
        local kind = self.req.headers["content-type"]
        if kind and kind:lower():find("application/json", nil, true) then
          local good, value = pcall(json.decode, self.req:read_body_as_string())
          if good then
            add_params(self, value)
          end
        end
        return action(self)
      end
    end,
    capture_errors_json = function(action)
      return function(self)
        local co = coroutine.create(action)
        local good, what, errors = coroutine.resume(co, self)
        if not good then
          error(what, 0)
        elseif coroutine.status(co) == "suspended" then
          return { json = { errors = errors } }
        end
        return what
      end
    end,
  }
end

package.preload["lapis.csrf"] = function()
  local csrf = {}

  function csrf.generate_token(self)
    local key = self.cookies.lapis_session_token
    if not key then
      key = tostring(math.random(1 << 53))
      self.cookies.lapis_session_token = key
    end
    return "token." .. key
  end

  function csrf.assert_token(self)
    local token = self.params.csrf_token
    local key = type(token) == "string" and token:match("^token%.(.+)$")
    local why = not token and "missing csrf token" or
      not key and "csrf: invalid format" or
      key ~= self.cookies.lapis_session_token and "csrf: token mismatch"
    if why then
      coroutine.yield("error", { why })
    end
  end

  return csrf
end

return {
  Application = function()
    return setmetatable({ routes = {} }, Application)
  end,
  load_app = function(value)
    local app = type(value) == "string" and require(value) or value
    app:build_router()
    return app
  end,
}
