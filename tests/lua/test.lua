-- fpm.test: what its arguments mean.  What an application gets and what its
-- answers become is compared with the daemon (tests/run/fpm_test.py).

local tap = require "tap"
local test = require "fpm.test"

local HERE = "^.-tests/lua/test%.lua:%d+: fpm%.test%."

-- An application that answers with the env it got.
local got
local app = { accept = function(env)
  got = env
  return { ["X-A"] = { 1, 2 } }, env.input:read("a")
end }

tap.test("every method", function()
  for _, method in ipairs { "get", "head", "post", "put", "patch",
    "delete" } do
    local r = test[method](app, "/")
    tap.equal(method:upper(), got.REQUEST_METHOD)
    tap.equal(200, r.status)
  end
  test.request(app, "PROPFIND", "/")
  tap.equal("PROPFIND", got.REQUEST_METHOD)
end)

tap.test("a target is a path or a URL", function()
  for target, wanted in pairs {
    ["/"] = { "/", "", "/", "localhost", "http", "80" },
    ["/a%20b?x=1&y=/?#f"] = { "/a%20b", "x=1&y=/?", "/a%20b?x=1&y=/?",
      "localhost", "http", "80" },
    ["/?"] = { "/", "", "/", "localhost", "http", "80" },
    ["https://a.b"] = { "/", "", "/", "a.b", "https", "443" },
    ["https://a.b?c"] = { "/", "c", "/?c", "a.b", "https", "443" },
    ["http://a.b:8080/c"] = { "/c", "", "/c", "a.b:8080", "http", "8080" },
    ["https://[::1]:81/c"] = { "/c", "", "/c", "[::1]:81", "https", "81" },
    ["//a/b"] = { "//a/b", "", "//a/b", "localhost", "http", "80" },
  } do
    test.get(app, target)
    tap.equal(wanted, { got.SCRIPT_NAME, got.QUERY_STRING, got.REQUEST_URI,
      got.HTTP_HOST, got.REQUEST_SCHEME, got.SERVER_PORT })
    tap.equal(wanted[5] == "https" and "on" or nil, got.HTTPS)
  end
  for _, target in ipairs { "", "a", "?x", "ftp://a/", "http:/a", "http://",
    "*" } do
    tap.raises(HERE .. "get: target is \".*\", expected \"/path\" or a URL",
      function() test.get(app, target) end)
  end
end)

tap.test("headers, body, form and parameters", function()
  local r = test.post(app, "/", { body = "a\0b", headers = {
    ["X-A"] = 1, ["x_b"] = { "1", 2 }, Cookie = { "a=1", "b=2" },
    ["Content-Type"] = "a/b", Proxy = "evil" } })
  tap.equal({ "1", "1, 2", "a=1; b=2", "a/b", "3" }, { got.HTTP_X_A,
    got.HTTP_X_B, got.HTTP_COOKIE, got.CONTENT_TYPE, got.CONTENT_LENGTH })
  tap.equal(nil, got.HTTP_PROXY)
  tap.equal("a\0b", r.body)
  r = test.post(app, "/", { form = { a = { "1", "&" }, b = 2 } })
  tap.equal("a=1&a=%26&b=2", r.body)
  tap.equal("application/x-www-form-urlencoded", got.CONTENT_TYPE)
  test.get(app, "/", { params = { HTTP_HOST = false, PATH_INFO = "/x",
    CONTENT_LENGTH = "x" } })
  tap.equal({ nil, "/x", nil }, { got.HTTP_HOST, got.PATH_INFO,
    got.CONTENT_LENGTH })
  test.get(app, "/", { body = 12, params = { CONTENT_LENGTH = false } })
  tap.equal(nil, got.CONTENT_LENGTH)
end)

tap.test("files are sent as browsers send them", function()
  local upload = { accept = function(env)
    local fields, files, message = env:form()
    if not fields then
      return { Status = files }, message
    end
    local texts = { fields.a, fields["n&="] }
    for i, file in ipairs(files) do
      texts[i + 2] = table.concat({ file.name, file.filename, file.type,
        file.file:read("a") }, "|")
    end
    return {}, table.concat(texts, ";")
  end }
  local r = test.post(upload, "/", { form = { a = "1\r\n", ["n&="] = "ü&" },
    files = {
      { name = "f", filename = "a\"b.txt", content = "x\r\n------fpm.test--\0" },
      { name = "g", filename = "c", content = "", type = "text/plain" },
    } })
  tap.equal(nil, r.error)
  tap.equal("1\r\n;ü&;f|a%22b.txt|application/octet-stream|x\r\n------fpm.test--\0;" ..
    "g|c|text/plain|", r.body)
  tap.equal(200, test.post(upload, "/", { files = {} }).status)
  tap.raises(HERE .. "post: body is given, but so is a form",
    function() test.post(app, "/", { body = "a", form = {} }) end)
  tap.raises(HERE .. "post: files%[1%].content is nil",
    function() test.post(app, "/", { files = { { name = "a",
      filename = "b" } } }) end)
end)

tap.test("headers of the response in any case, and all of them", function()
  local r = test.get(app, "/")
  tap.equal({ "1, 2", "1, 2", nil }, { r.headers["X-A"], r.headers["x-a"],
    r.headers.none })
  tap.equal(nil, r.headers[1])
  local n = 0
  for _, header in ipairs(r.list) do
    n = n + (header[1] == "X-A" and 1 or 0)
  end
  tap.equal(2, n)
  tap.equal({ true, "OK", "", 0 }, { r.complete, r.reason, r.errors, #r.log })
end)

tap.test("role, data and aborted", function()
  local roles = { roles = { "filter" }, accept = function(env)
    return {}, env.role .. env.input:read("a") .. env.data:read("a") ..
      tostring(env.input:read()) .. tostring(env.aborted)
  end }
  tap.equal("filterabnilfalse",
    test.get(roles, "/", { role = "filter", body = "a", data = "b" }).body)
  tap.equal("filternilfalse", test.get(roles, "/", { role = "filter" }).body)
  tap.equal("true", test.get({ accept = function(env)
    return {}, tostring(env.aborted)
  end }, "/", { aborted = true }).body)
  tap.raises(HERE .. 'get: role is "responder", which app.roles does not name',
    function() test.get(roles, "/") end)
  tap.raises(HERE .. 'get: role is "x", expected "responder", "authorizer"',
    function() test.get(app, "/", { role = "x" }) end)
end)

tap.test("requests inside of each other are of their own", function()
  local outer = { accept = function(env)
    local r = test.get(app, "https://other/")
    local cookie = require "fpm.cookie"
    return {}, r.status .. env.HTTP_HOST ..
      tostring(cookie.write("a", "b"):find("Secure"))
  end }
  tap.equal("200localhostnil", test.get(outer, "/").body)
end)

tap.test("an error has its traceback, and the env is over after it", function()
  local kept
  local r = test.get({ accept = function(env)
    kept = env
    local input = env.input
    error("it is broken", input and 1)
  end }, "/")
  tap.equal(500, r.status)
  tap.equal("Internal Server Error\n", r.body)
  tap.matches("test%.lua:%d+: it is broken$", r.error)
  tap.matches("^stack traceback:", r.traceback)
  tap.equal(r.error, r.log[1])
  tap.raises("test%.lua:%d+: the request is over", function()
    return kept.input
  end)
  tap.equal("localhost", kept.HTTP_HOST)
end)

tap.test("a wrong argument is named, at the place of the call", function()
  for _, wrong in ipairs { true, print, "x", 1 } do
    tap.raises(HERE .. "get: app is a ", function() test.get(wrong, "/") end)
    tap.raises(HERE .. "get: options is a ",
      function() test.get(app, "/", wrong) end)
    for _, name in ipairs { "headers", "form", "files", "params" } do
      tap.raises(HERE .. "get: " .. name .. " is a ",
        function() test.get(app, "/", { [name] = wrong }) end)
    end
  end
  for _, wrong in ipairs { {}, true, print } do
    tap.raises(HERE .. "get: target is a ",
      function() test.get(app, wrong) end)
    tap.raises(HERE .. "request: method is a ",
      function() test.request(app, wrong, "/") end)
    tap.raises(HERE .. "get: body is a ",
      function() test.get(app, "/", { body = wrong }) end)
    tap.raises(HERE .. "get: data is a ",
      function() test.get(app, "/", { data = wrong }) end)
    tap.raises(HERE .. 'get: headers%["a"%]%[1%] is a ',
      function() test.get(app, "/", { headers = { a = { wrong } } }) end)
    tap.raises(HERE .. 'get: params%["A"%] is a ',
      function() test.get(app, "/", { params = { A = wrong } }) end)
  end
  tap.raises(HERE .. "get: a header's name is a number",
    function() test.get(app, "/", { headers = { "x" } }) end)
  tap.raises(HERE .. "get: a parameter's name is a number",
    function() test.get(app, "/", { params = { "x" } }) end)
  tap.raises(HERE .. "get: app.accept is nil, expected a function",
    function() test.get({}, "/") end)
  tap.raises(HERE .. 'get: there is no option "header"',
    function() test.get(app, "/", { header = {} }) end)
end)

tap.done()
