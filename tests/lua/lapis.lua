-- The interface lapis, without a daemon: the fields of a request and of a
-- response, and an application that is asked by fpm.test.  tests/web/lapis.py
-- asks one behind nginx.

if not pcall(require, "cjson") then
  print("1..0 # SKIP no lua-cjson")
  os.exit()
end
local tap = require "tap"
local test = require "fpm.test"

local tests = os.getenv("TOP_SRCDIR") or "."
package.path = tests .. "/tests/apps/lapis/?.lua;" .. package.path

local lapis = require "fpm.lapis"

-- Ask an application whose dispatch is that function.
local function dispatch(f, method, target, options, more)
  local app = lapis({ dispatch = f, build_router = function() end }, more)
  return test.request(app, method, target, options)
end

tap.test("an application is tested without a daemon", function()
  local app = lapis("site", {})
  tap.equal("Welcome in fpm", test.get(app, "/").body)
  local r = test.post(app, "/dump-params?a=1", { form = { b = "2" } })
  tap.equal(200, r.status)
  tap.matches('"b":"2"', r.body)
  r = test.get(app, "/fail")
  tap.equal(500, r.status)
  tap.matches("it failed", r.body)
end)

tap.test("a field is made once, and only if it is read", function()
  local known
  dispatch(function(_, req)
    known = rawget(req, "parsed_url") == nil and rawget(req, "method") == nil
      and rawget(req, "headers") == nil and rawget(req, "params_get") == nil
    tap.equal(true, req.parsed_url == req.parsed_url)
    tap.equal(true, req.params_get == req.params_get)
    tap.equal(nil, req.nothing)
  end, "GET", "/?a")
  tap.equal(true, known)
end)

tap.test("what the last value of a name is", function()
  local got
  for query, wanted in pairs {
    ["a=1&a=2"] = { a = "2" }, ["a=1&a"] = { a = true },
    ["a&a=1"] = { a = "1" }, ["&&a&"] = { a = true }, ["a=&b"] = { a = "",
      b = true }, ["%61&%"] = { a = true, ["%"] = true },
    ["a+b=%zz"] = { ["a b"] = "%zz" }, [""] = {},
  } do
    dispatch(function(_, req)
      got = req.params_get
    end, "GET", "/?" .. query)
    tap.equal(wanted, setmetatable(got, nil))
  end
end)

tap.test("a status is 200, or what the application says", function()
  for status, wanted in pairs { [201] = 201, ["404 Gone"] = 404,
    [false] = 200 } do
    tap.equal(wanted, dispatch(function(_, _, res)
      res.status, res.content = status or nil, "x"
    end, "GET", "/").status)
  end
end)

tap.test("headers", function()
  local all
  local r = dispatch(function(_, _, res)
    res.headers["X-A"] = 1
    res:add_header("x_a", 2)
    res:add_header("X-A", { 3 })
    res:add_header("X-B", "b")
    res.headers.X_C = "c"
    res.headers["x-c"] = nil
    res:add_header("X-D", nil)
    tap.equal(nil, res.headers[1])
    all = {}
    for name in pairs(res.headers) do
      all[#all + 1] = name
    end
    res.headers["X-A"] = { 1, 2 }
  end, "GET", "/")
  table.sort(all)
  tap.equal({ "X-A", "X-B" }, all)
  tap.equal("1, 2", r.headers["x-a"])
  tap.equal("b", r.headers["x-b"])
end)

tap.test("a name of a header is a string", function()
  local r = dispatch(function(_, _, res)
    res.headers[{}] = 1
  end, "GET", "/")
  tap.equal(500, r.status)
  tap.matches("name is a table, expected a string", r.error)
end)

tap.test("what dispatch raises goes to app.error", function()
  local r = dispatch(function()
    error("from dispatch")
  end, "GET", "/", nil, { error = function(_, message)
    return { Status = 503 }, "sorry, " .. message:match("from.*")
  end })
  tap.equal(503, r.status)
  tap.equal("sorry, from dispatch", r.body)
end)

tap.test("lapis.db is given up after a failure, and after nothing else",
  function()
    local calls = 0
    package.loaded["lapis.db"] = { disconnect = function()
      calls = calls + 1
      error("not connected")
    end }
    for status, wanted in pairs { [499] = 0, [500] = 1, ["503 Busy"] = 1,
      [600] = 1, [200] = 0 } do
      calls = 0
      dispatch(function(_, _, res)
        res.status = status
      end, "GET", "/")
      tap.equal(wanted, calls)
    end
    calls = 0
    dispatch(function()
      error("x")
    end, "GET", "/")
    tap.equal(1, calls)
    for _, other in ipairs { { {} }, { 5 }, { { disconnect = 1 } } } do
      package.loaded["lapis.db"] = other[1]
      tap.equal(500, dispatch(function(_, _, res)
        res.status = 500
      end, "GET", "/").status)
    end
    package.loaded["lapis.db"] = nil
  end)

tap.test("what lapis logs has no colours", function()
  local lines = {}
  local log = require "fpm.log"
  local notice = log.notice
  log.notice = function(text)
    lines[#lines + 1] = text
  end
  test.get(lapis("site"), "/")
  log.notice = notice
  tap.equal({ "[200] GET /" }, lines)
end)

tap.test("options", function()
  tap.raises("fpm%.lapis: options is a number, expected a table", function()
    lapis("site", 5)
  end)
  for name, kind in pairs { form = "table", mount = "string",
    start = "function", error = "function" } do
    tap.raises(("^.-lapis%%.lua:%%d+: fpm%%.lapis: options%%.%s is a boolean, "
      .. "expected a %s"):format(name, kind), function()
      lapis("site", { [name] = true })
    end)
  end
  tap.raises("there is no option \"forms\"", function()
    lapis("site", { forms = {} })
  end)
  local f = function() end
  local app = lapis("site", { start = f, stop = f, error = f })
  tap.equal(true, app.start == f and app.stop == f and app.error == f)
end)

tap.test("an application", function()
  for _, value in ipairs { {}, 5, { dispatch = 1 }, print } do
    tap.raises("the application is a [%w ]+, expected a Lapis application",
      function()
        lapis(value)
      end)
  end
  tap.raises("the application is nil, expected", function()
    lapis(nil)
  end)
  tap.raises("module 'nowhere' not found", function()
    lapis("nowhere")
  end)
end)

tap.done()
