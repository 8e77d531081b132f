-- The interface wsapi, without a daemon: what an application gets and what
-- becomes of what it returns.

local tap = require "tap"
local wsapi = require "fpm.wsapi"

local function stream(text)
  local at = 1
  return {
    read = function(_, n)
      if n == "a" then n = #text end
      local piece = text:sub(at, at + n - 1)
      at = at + #piece
      return (piece ~= "" or n == 0) and piece or nil
    end,
  }
end

-- An env as the daemon has it: parameters, and the rest through a metatable.
local function make_env(params, body)
  local log = {}
  local errors = {
    write = function(_, ...)
      log[#log + 1] = table.concat { ... }
    end,
  }
  local special = { input = stream(body or ""), errors = errors, log = log }
  return setmetatable(params or {}, { __index = special })
end

local function run(application, params, options, body)
  local app = wsapi(application, options)
  return app.accept(make_env(params, body))
end

local function show(wsapi_env)
  return 200, {}, coroutine.wrap(function()
    coroutine.yield(wsapi_env.SCRIPT_NAME .. "|" .. wsapi_env.PATH_INFO)
  end)
end

local function text_of(body)
  local pieces = {}
  while body do
    local piece = body()
    if piece == nil then break end
    pieces[#pieces + 1] = piece
  end
  return table.concat(pieces)
end

local function path_of(params, mount)
  local headers, body = run(show, params, { mount = mount })
  return type(body) == "string" and headers.Status or text_of(body)
end

tap.test("an application is a function, a table with run, a module", function()
  local function hello() return 200, {} end
  package.preload.tests_hello = function() return { run = hello } end
  for _, application in ipairs { hello, { run = hello }, "tests_hello",
    setmetatable({}, { __call = hello }) } do
    tap.equal({ Status = 200 }, (run(application)))
  end
end)

tap.test("what is no application is refused, and another one's is named",
  function()
    tap.raises("the application is nil, expected a function", wsapi, nil)
    tap.raises("the application is a number, expected", wsapi, 7)
    tap.raises("the application is a table without run", wsapi, {})
    tap.raises('table with accept, which interface = "native" takes', wsapi,
      { accept = print })
    tap.raises('table with dispatch, which interface = "lapis" takes', wsapi,
      { dispatch = print })
    package.preload.tests_name = function() return "tests_hello" end
    tap.raises("the application is a string", wsapi, "tests_name")
    tap.raises("module 'tests_none' not found", wsapi, "tests_none")
  end)

tap.test("options of the wrong type are named, at the caller's line",
  function()
    for _, options in ipairs { { mount = true }, { mount = "app" },
      { start = true }, { app_path = {} }, { other = 1 } } do
      tap.raises("^[^:]*tests/lua/wsapi.lua:%d+: fpm.wsapi: ", function()
        local app = wsapi(show, options)
        return app
      end)
    end
    tap.raises("options.mount is a boolean, expected a string", wsapi, show,
      { mount = true })
    tap.raises('options.mount is "app", expected a path', wsapi, show,
      { mount = "app" })
    tap.raises('there is no option "mont"', wsapi, show, { mont = "/app" })
    tap.raises("options.start is a boolean, expected a function", wsapi, show,
      { start = true })
    tap.raises("options.app_path is a table", wsapi, show, { app_path = {} })
    tap.raises("options is a string, expected a table", wsapi, show, "x")
  end)

tap.test("start, restart, stop and the like come from the options", function()
  local app = wsapi(show, { start = print, stop = type, error = error })
  tap.equal(print, app.start)
  tap.equal(type, app.stop)
  tap.equal(error, app.error)
  tap.equal(nil, app.restart)
end)

tap.test("a variable is a string, and one that is not there is empty",
  function()
    local seen
    run(function(wsapi_env)
      seen = { wsapi_env.HTTP_HOST, wsapi_env.HTTP_NONE, wsapi_env.nothing,
        wsapi_env.PATH, wsapi_env[5] }
      wsapi_env.MINE = "mine"
      wsapi_env.HTTP_HOST = "changed"
      seen[6], seen[7] = wsapi_env.MINE, wsapi_env.HTTP_HOST
      return 200
    end, { HTTP_HOST = "here" })
    tap.equal({ "here", "", "", "", "", "mine", "changed" }, seen)
  end)

tap.test("SCRIPT_NAME and PATH_INFO, however the web server cuts", function()
  tap.equal("|/a/b", path_of { SCRIPT_NAME = "/a/b" })
  tap.equal("|/a/b", path_of { SCRIPT_NAME = "/a", PATH_INFO = "/b" })
  tap.equal("|/a/b", path_of { SCRIPT_NAME = "", PATH_INFO = "/a/b" })
  tap.equal("|/a/b", path_of { DOCUMENT_URI = "/a/b" })
  tap.equal("|/", path_of { SCRIPT_NAME = "" })
  tap.equal("|/", path_of {})
  tap.equal("|/", path_of { SCRIPT_NAME = "/" })
end)

tap.test("they are cut at the mount", function()
  for _, mount in ipairs { "/app", "/app/", "/app//" } do
    tap.equal("/app|/b", path_of({ SCRIPT_NAME = "/app/b" }, mount))
    tap.equal("/app|/", path_of({ SCRIPT_NAME = "/app" }, mount))
    tap.equal("/app|/", path_of({ PATH_INFO = "/app/" }, mount))
    tap.equal("/app|/b",
      path_of({ SCRIPT_NAME = "/app", PATH_INFO = "/b" }, mount))
  end
  tap.equal("/x|/", path_of({ SCRIPT_NAME = "/x", PATH_INFO = "" }, ""))
  tap.equal("/x|/y", path_of({ SCRIPT_NAME = "/x", PATH_INFO = "/y" }, ""))
end)

tap.test("a path that is not below the mount is a 404, logged once", function()
  local app = wsapi(show, { mount = "/app" })
  local lines = 0
  for _, path in ipairs { "/apple", "/", "/x/app" } do
    local env = make_env { SCRIPT_NAME = path }
    tap.equal(404, app.accept(env).Status)
    lines = lines + #env.log
  end
  tap.equal(1, lines)
end)

tap.test("SCRIPT_FILENAME and APP_PATH", function()
  local seen
  local function look(wsapi_env)
    seen = { wsapi_env.SCRIPT_FILENAME, wsapi_env.APP_PATH }
    return 200
  end
  run(look, { DOCUMENT_ROOT = "/srv", SCRIPT_NAME = "/a.lp" },
    { app_path = "/app" })
  tap.equal({ "/srv/a.lp", "/app" }, seen)
  run(look, { DOCUMENT_ROOT = "/srv", SCRIPT_FILENAME = "/x.lp" })
  tap.equal({ "/x.lp", "" }, seen)
  run(look, {})
  tap.equal({ "", "" }, seen)
end)

tap.test("headers and fpm", function()
  local env = make_env { HTTP_A = "1", SCRIPT_NAME = "/" }
  wsapi(function(wsapi_env)
    tap.equal({ HTTP_A = "1", SCRIPT_NAME = "/" }, wsapi_env.headers)
    tap.equal(true, wsapi_env.fpm == env)
    return 200
  end).accept(env)
end)

tap.test("input:read gives n bytes, less at the end, nil after it", function()
  local seen
  run(function(wsapi_env)
    local input = wsapi_env.input
    seen = { input.length, input:read(3), input:read(0), input:read(-1),
      input:read(100), input:read(1), input:read() }
    return 200
  end, { CONTENT_LENGTH = "7" }, nil, "abcdefg")
  tap.equal({ 7, "abc", nil, nil, "defg" }, seen)
end)

tap.test("input:read() is all that is left", function()
  run(function(wsapi_env)
    tap.equal("a", wsapi_env.input:read(1))
    tap.equal("bc", wsapi_env.input:read())
    tap.equal(nil, wsapi_env.input:read())
    return 200
  end, { CONTENT_LENGTH = "3" }, nil, "abc")
end)

tap.test("a body whose length nobody told has one when it is asked for",
  function()
    run(function(wsapi_env)
      tap.equal("4", wsapi_env.CONTENT_LENGTH)
      tap.equal(4, wsapi_env.input.length)
      tap.equal("ab", wsapi_env.input:read(2))
      tap.equal("cd", wsapi_env.input:read(9))
      tap.equal(nil, wsapi_env.input:read(9))
      return 200
    end, {}, nil, "abcd")
    run(function(wsapi_env)
      tap.equal("ab", wsapi_env.input:read(2))
      tap.equal("cd", wsapi_env.input:read())
      return 200
    end, {}, nil, "abcd")
    run(function(wsapi_env)
      tap.equal("", wsapi_env.CONTENT_LENGTH)
      tap.equal(0, wsapi_env.input.length)
      tap.equal(nil, wsapi_env.input:read())
      return 200
    end, {}, nil, "")
  end)

tap.test("input:read of another type raises", function()
  run(function(wsapi_env)
    tap.raises("bad argument #1 to 'read' %(number expected, got string%)",
      wsapi_env.input.read, wsapi_env.input, "*a")
    tap.raises("bad argument #1 to 'read' %(number expected, got table%)",
      wsapi_env.input.read, wsapi_env.input, {})
    return 200
  end)
end)

tap.test("error:write goes to the log", function()
  local env = make_env {}
  wsapi(function(wsapi_env)
    wsapi_env.error:write("a", 1)
    return 200
  end).accept(env)
  tap.equal({ "a1" }, env.log)
end)

tap.test("headers: string, number, boolean, array; the table stays as it is",
  function()
    local given = { A = "x", B = 7, C = true, D = { "1", 2, false },
      ["Set-Cookie"] = { "a=1", "b=2" } }
    tap.equal({ Status = "404 Not Found", A = "x", B = 7, C = "true",
      D = { "1", "2", "false" }, ["Set-Cookie"] = { "a=1", "b=2" } },
      (run(function() return "404 Not Found", given end)))
    tap.equal(nil, given.Status)
    tap.equal(true, given.C)
  end)

tap.test("a header Status goes before the returned one", function()
  tap.equal({ Status = "404 Not Found" }, (run(function()
    return 200, { status = "404 Not Found" }
  end)))
end)

tap.test("what is returned wrongly is said", function()
  local function returns(...)
    local values = table.pack(...)
    return function() return table.unpack(values, 1, values.n) end
  end
  tap.raises("returned nil as its status, expected a number", run, returns())
  tap.raises("returned a table as its status", run, returns({ 200 }))
  tap.raises("returned a string as its headers, expected a table", run,
    returns(200, "x"))
  tap.raises("returned a string as its iterator, expected a function", run,
    returns(200, {}, "text"))
end)

tap.test("pieces: a closure, a coroutine, a table that can be called",
  function()
    local n = 0
    local function closure()
      n = n + 1
      return ({ "a", "", "b" })[n]
    end
    local _, body = run(function() return 200, {}, closure end)
    tap.equal({ "a", "", "b" }, { body(), body(), body(), body() })
    _, body = run(function()
      return 200, {}, coroutine.wrap(function()
        coroutine.yield("")
        coroutine.yield("x")
        coroutine.yield(7)
      end)
    end)
    tap.equal("x7", text_of(body))
    n = 0
    _, body = run(function()
      return 200, {}, setmetatable({}, { __call = closure })
    end)
    tap.equal("ab", text_of(body))
  end)

tap.test("an iterator that ends at once is not called again", function()
  local _, body = run(function()
    return 200, {}, coroutine.wrap(function() end)
  end)
  tap.equal(nil, body)
  _, body = run(function() return 200, {}, function() return false end end)
  tap.equal(nil, body)
end)

tap.test("HEAD does not call the iterator", function()
  local called = false
  local _, body = run(function()
    return 200, {}, function() called = true end
  end, { REQUEST_METHOD = "HEAD" })
  tap.equal(nil, body)
  tap.equal(false, called)
end)

tap.test("a raised { 404, text } is a 404, escaped, also from the iterator",
  function()
    for _, application in ipairs {
      function() error({ 404, "no <b>" }) end,
      function() return 200, {}, function() error({ 404, "no <b>" }) end end,
    } do
      local headers, body = run(application)
      tap.equal(404, headers.Status)
      tap.matches("<p>no &lt;b&gt;</p>", body)
    end
    local headers, body = run(function() error({ 404 }) end)
    tap.equal(404, headers.Status)
    tap.matches("<p>404</p>", body)
  end)

tap.test("everything else that is raised is raised on", function()
  tap.raises("boom", run, function() error("boom") end)
  tap.raises("^500: text$", run, function() error({ 500, "text" }) end)
  local object = setmetatable({}, { __tostring = function() return "o" end })
  for _, value in ipairs { { "x" }, { 200 }, object, { 404.5 } } do
    local good, raised = pcall(run, function() error(value) end)
    tap.equal(false, good)
    tap.equal(true, raised == value)
  end
  local good, raised = pcall(run, function() error() end)
  tap.equal(false, good)
  tap.equal(nil, raised)
end)

tap.test("an error after the first piece comes out of the body", function()
  local _, body = run(function()
    return 200, {}, coroutine.wrap(function()
      coroutine.yield("x")
      error("later")
    end)
  end)
  tap.equal("x", body())
  tap.raises("later", body)
end)

-- ---- files ------------------------------------------------------------------

local function load_text(text, name)
  local file = os.tmpname()
  os.remove(file)
  file = file .. "_" .. (name or "app.lua")
  local f = assert(io.open(file, "w"))
  f:write(text)
  f:close()
  local good, app = pcall(wsapi.load, file, { mount = "/" })
  os.remove(file)
  if not good then error(app, 0) end
  return app, file
end

local function status_of(app)
  return app.accept(make_env {}).Status
end

tap.test("a file returns an application", function()
  tap.equal(201, status_of(load_text "return function() return 201, {} end"))
  tap.equal(202, status_of(load_text(
    "#!/usr/bin/env wsapi.cgi\n" ..
    "return { run = function() return 202, {} end }")))
  tap.equal(200, status_of(load_text "return 'tests_hello'"))
end)

tap.test("a file calls module, and names of Lua 5.1 are there", function()
  local app = load_text("module(..., package.seeall) " ..
    "function run() return 203, {} end")
  tap.equal(203, status_of(app))
end)

tap.test("a file calls a connector of WSAPI, as launchers do", function()
  for _, name in ipairs { "fastcgi", "cgi" } do
    local app = load_text("#!/usr/bin/lua\nlocal connector = " ..
      "require 'wsapi." .. name .. "'\n" ..
      "connector.run(function() return 204, {} end)")
    tap.equal(204, status_of(app))
  end
end)

tap.test("the directory of the file is APP_PATH", function()
  local seen
  rawset(_G, "tests_see", function(path) seen = path end)
  local app, file = load_text("return function(wsapi_env) " ..
    "tests_see(wsapi_env.APP_PATH) return 200 end")
  status_of(app)
  tap.equal(file:match("^(.*)/"), seen)
end)

tap.test("a file that does not load, or is no application, says why",
  function()
    tap.raises("^/tmp/.*_app.lua:1: unexpected symbol", load_text, "not lua")
    tap.raises("^cannot open", wsapi.load, "/nonexistent/app.lua")
    tap.raises("the application is nil", load_text, "local x = 1")
    tap.raises("_app.lua:1: broken", load_text, "error('broken')")
  end)

tap.done()
