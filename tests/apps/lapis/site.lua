-- An application for Lapis: what tests/web/lapis.py asks for.  It runs with the
-- real one, and with the stand-in of tests/apps/lapis/lapis.lua.

local lapis = require "lapis"
local helpers = require "lapis.application"
local csrf = require "lapis.csrf"

local app = lapis.Application()
app.layout = false

app:get("/", function()
  return "Welcome in " .. package.loaded["lapis.running_server"]
end)

app:get("/world", function()
  return { json = { success = true } }
end)

app:get("/form", function(self)
  return { json = { csrf_token = csrf.generate_token(self) } }
end)

app:post("/form", helpers.capture_errors_json(function(self)
  csrf.assert_token(self)
  return { json = { success = true } }
end))

app:match("/dump-params", function(self)
  return { json = self.params }
end)

app:match("/dump-json-params", helpers.json_params(function(self)
  return { json = self.params }
end))

app:match("/dump-req", function(self)
  local req, names = self.req, {}
  for _, name in ipairs { "method", "request_uri", "scheme", "port",
    "remote_addr", "server_addr", "cmd_mth", "cmd_url", "referer", "relpath",
    "srv", "built_url" } do
    names[name] = req[name]
  end
  return { json = { fields = names, url = req.parsed_url, names = {
    req.headers["X-Any-Case"], req.headers["x-any-case"],
    req.headers.x_any_case } } }
end)

app:match("/echo", function(self)
  local body = self.req:read_body_as_string()
  return { layout = false, content_type = "text/plain",
    self.req.method .. " " .. tostring(body) .. " " ..
      tostring(self.req:read_body_as_string() == body) }
end)

app:post("/upload", function(self)
  local file = self.params.file
  return { json = { type = type(file), name = file.name,
    filename = file.filename, content_type = file["content-type"],
    size = #file.content, content = #file.content < 100 and file.content or nil,
    again = file.content == file.content, title = self.params.title,
    typed = self.params.typed, empty = self.params.empty } }
end)

app:post("/keep", function(self)
  local file = self.params.file
  return { layout = false, ("%s %d"):format(file.filename,
    file.upload.size) }
end)

-- Lapis runs copies of these functions, with names of elements as globals.
app:get("/elements", function(self)
  local name = "<b>"
  return { layout = false, self:html(function()
    div({ class = "outer" }, function()
      p(name)
      p(function()
        text(name, " again")
      end)
    end)
  end) }
end)

app:get("/cookies", function(self)
  local before = self.cookies.count
  self.cookies.count = tostring((tonumber(before) or 0) + 1)
  self.cookies.name = "a b; c=ü"
  self.res:add_header("Set-Cookie", "plain=1")
  return { layout = false, tostring(before) }
end)

app:get("/headers", function(self)
  local headers = self.res.headers
  headers["content-type"] = "text/plain"
  headers.X_Under = "1"
  self.res:add_header("X-Many", "a")
  self.res:add_header("x-many", "b")
  self.res:add_header("X-None", nil)
  self.res:add_header("X-Array", { "c", "d" })
  headers["X-Gone"] = "1"
  headers["x-gone"] = nil
  return { layout = false, headers["Content-Type"] .. headers.x_under ..
    tostring(headers["X-Gone"]) .. tostring(headers.never) }
end)

app:get("/redirect", function()
  return { redirect_to = "/world" }
end)

app:get("/status/:status", function(self)
  return { layout = false, status = tonumber(self.params.status), "as asked" }
end)

app:get("/fail", function()
  error("it failed <here>")
end)

app:get("/query", function(self)
  local db = require "lapis.db"
  if self.params.lost then
    db.lose()
  end
  return { layout = false, db.query("SELECT 1") }
end)

return app
