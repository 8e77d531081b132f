-- The interface moonbridge, without a daemon: what a handler gets of a request,
-- and what becomes of what it sends.

local body = require "fpm.moonbridge_body"
local moonbridge = require "fpm.moonbridge"
local pool = require "fpm.moonbridge_pool"
local tap = require "tap"
local test = require "fpm.test"

local http = moonbridge.http
local URLENCODED = { ["Content-Type"] = "application/x-www-form-urlencoded" }

-- An application of one handler.
local function make(handler, options, more)
  local listen = { { proto = "tcp", port = 8080 },
    connect = http.generate_handler(handler, options) }
  return moonbridge(listen, more)
end

local function text(request, ...)
  request:send_status("200 OK")
  request:send_header("Content-Type", "text/plain")
  request:send_data(...)
  return true
end

-- What the handler makes of a request, as the body of the response.
local function ask(handler, target, options, settings)
  local app = make(function(request)
    return text(request, handler(request))
  end, settings)
  local r = test.request(app, options and options.method or "GET",
    target or "/", { headers = options and options.headers,
      body = options and options.body, form = options and options.form,
      files = options and options.files, params = options and options.params })
  if r.error then
    error(r.error .. (r.traceback or ""), 0)
  end
  return r.body, r
end

local function show(lists)
  local out = {}
  for name, value in pairs(lists) do
    out[#out + 1] = name .. "=" .. (type(value) == "table" and
      table.concat(value, "+") or tostring(value))
  end
  table.sort(out)
  return table.concat(out, " ")
end

-- ---- the request -----------------------------------------------------------------

tap.test("method, path, query and host", function()
  local function facts(request)
    return request.method, "|", request.path, "|", request.query, "|",
      request.host
  end
  tap.equal("GET|a%20b/|?x=1|localhost", (ask(facts, "/a%20b/?x=1")))
  tap.equal("GET|||localhost", (ask(facts, "/")))
  tap.equal("GET|a|?b|own", (ask(facts, "/", { params = {
    REQUEST_URI = "http://own/a?b", HTTP_HOST = "own" } })))
  tap.equal("GET|a b|?c|srv", (ask(facts, "/", { params = {
    REQUEST_URI = false, HTTP_HOST = false, SERVER_NAME = "srv",
    SCRIPT_NAME = "/a b", QUERY_STRING = "c" } })))
end)

tap.test("below a mount", function()
  local app = make(function(request)
    return text(request, request.path, request.query)
  end, nil, { mount = "/app/" })
  for target, wanted in pairs { ["/app"] = "", ["/app/"] = "",
    ["/app/x/y?z"] = "x/y?z" } do
    tap.equal(wanted, test.get(app, target).body)
  end
  tap.equal(404, test.get(app, "/apple").status)
end)

tap.test("headers", function()
  local function headers(request)
    local r = request
    return table.concat({ #r.headers["X-A"], r.headers["x-a"][1],
      #r.headers.none, tostring(r.headers_value.NONE),
      tostring(r.headers_value["X-A"]), r.headers_value["x-One"],
      table.concat(r.headers_csv_table["X-A"], "+"),
      r.headers_csv_string["X-A"], r.headers_csv_string.none,
      tostring(r.headers_flags["X-A"].B), tostring(r.headers_flags["X-A"].c),
      r.headers_value["Content-Type"] }, "|")
  end
  tap.equal("1|a,  B|0|nil|false|one|a+B|a,  B||true|false|text/x",
    (ask(headers, "/", { headers = { ["X-A"] = "a,  B", ["X-One"] = "one",
      ["Content-Type"] = "text/x" } })))
  tap.equal("host=localhost x-b=1", (ask(function(request)
    return show(request.headers)
  end, "/", { headers = { ["X-B"] = 1, Proxy = "evil" } })))
  tap.raises("name of a header is a number", ask, function(request)
    return request.headers[1]
  end)
end)

tap.test("cookies are whole, and decoded", function()
  tap.equal("a=b=c== d=1 2 e=+", (ask(function(request)
    return show(request.cookies)
  end, "/", { headers = { Cookie = "a=b=c==; %64=1%202; e=+; a=second" } })))
end)

tap.test("parameters of the query", function()
  tap.equal("1|1+3|0|nil|x y|a=1 b=x y c=|100%", (ask(function(request)
    local first, lists = request.get_params, request.get_params_list
    return table.concat({ first.a, table.concat(lists.a, "+"), #lists.none,
      tostring(first.none), first.b, show(first) }, "|"), "|",
      http.decode_uri("100%")
  end, "/?a=1&b=x+y&a=3&c=")))
  tap.equal("a=new|new|b=2 a=new", (ask(function(request)
    request.get_params.a = "new"
    return show(request.get_params), "|", request.get_params_list.a[1], "|",
      "b=2 ", show(request.get_params_list)
  end, "/?a=1")))
end)

tap.test("the body of a request of any type", function()
  tap.equal('{"a":1}||{"a":1}', (ask(function(request)
    return request.body, "|", show(request.post_params), "|", request.body
  end, "/", { method = "POST", body = '{"a":1}',
    headers = { ["Content-Type"] = "application/json" } })))
  tap.equal("", (ask(function(request) return request.body end)))
  tap.equal("nil", (ask(function(request)
    return tostring(request.post_params.a)
  end)))
end)

tap.test("a form, and its text", function()
  local form = { method = "POST", headers = URLENCODED, body = "a=1&a=2&b=%26" }
  tap.equal("1|1+2|&||a=1&a=2&b=%26", (ask(function(request)
    return table.concat({ request.post_params.a,
      table.concat(request.post_params_list.a, "+"), request.post_params.b,
      show(request.post_metadata) }, "|"), "|", request.body
  end, "/", form)))
  tap.equal("a=1&a=2&b=%26|a=1 b=&", (ask(function(request)
    return request.body, "|", show(request.post_params)
  end, "/", form)))
end)

local FILES = { form = { comment = "hi" }, files = {
  { name = "files", filename = "a.txt", content = "AAAA", type = "text/a" },
  { name = "files", filename = "b.bin", content = "", type = "x/b" } } }

local function files(more)
  more = more or {}
  more.method, more.form, more.files = "POST", FILES.form, FILES.files
  return more
end

tap.test("a form with files in memory", function()
  tap.equal("AAAA||hi|a.txt|b.bin|text/a|nil", (ask(function(request)
    local lists, about = request.post_params_list, request.post_metadata_list
    return table.concat({ lists.files[1], lists.files[2],
      request.post_params.comment, about.files[1].file_name,
      about.files[2].file_name, request.post_metadata.files.content_type,
      tostring(about.comment[1].file_name) }, "|")
  end, "/", files())))
end)

tap.test("the callbacks of a stream, also for an empty file", function()
  local wanted = "AA files a.txt text/a;AA nil nil nil;nil nil nil nil;" ..
    " files b.bin x/b;nil nil nil nil;"
  for _, how in ipairs { "stream_post_param", "stream_post_params" } do
    local seen = ""
    tap.equal(wanted .. "|hi|0", (ask(function(request)
      request[how](request, how == "stream_post_param" and "files" or "^f",
        function(piece, name, about)
          seen = seen .. ("%s %s %s %s;"):format(piece, name,
            about and about.file_name, about and about.content_type)
        end)
      request:consume_input()
      return seen, "|", request.post_params.comment, "|",
        #request.post_params_list.files
    end, "/", files(), { chunk_size = 2 })))
  end
end)

tap.test("who streams has the body before the response goes on, or when asked",
  function()
    local function order(defer)
      local seen = {}
      local app = make(function(request)
        request:stream_post_param("files", function(piece)
          seen[#seen + 1] = piece or "end"
        end)
        if defer then request:defer_reading() end
        request:send_status(200)
        request:send_data("x")
        seen[#seen + 1] = "sent"
        return true
      end)
      local r = test.post(app, "/", FILES)
      tap.equal("x", r.body)
      return table.concat(seen, " ")
    end
    tap.equal("AAAA end  end sent", order(false))
    tap.equal("sent AAAA end  end", order(true))
  end)

tap.test("the whole body as a stream", function()
  tap.equal("ab,cd,e,end", (ask(function(request)
    local seen = {}
    request:stream_request_body(function(piece)
      seen[#seen + 1] = piece or "end"
    end)
    request:process_request_body()
    return table.concat(seen, ",")
  end, "/", { method = "POST", body = "abcde" }, { chunk_size = 2 })))
  tap.equal("abcde|nil|false", (ask(function(request)
    local seen = ""
    request:stream_request_body_now(function(piece) seen = seen .. piece end)
    return seen, "|", tostring(request.body), "|", tostring(request.fresh)
  end, "/", { method = "POST", body = "abcde" })))
  tap.raises("the body has been read", ask, function(request)
    return request.body and request:stream_request_body(print)
  end)
  tap.raises("callback is a nil, expected a function", ask, function(request)
    request:stream_post_param("a")
  end)
end)

-- ---- the response ------------------------------------------------------------------

tap.test("status, headers and data", function()
  local r = test.get(make({ static_headers = "A: 1\r\nB: 2" },
    function(request)
      request:send_status("303 See Other")
      request:send_header("Location", "/x")
      request:send_header("Set-Cookie", "a=1")
      request:send_header("set-cookie", "b=2")
      request:send_header("Connection", "close")
      request:close_after_finish()
      request:send_data(1, true, nil, "x")
      request:finish()
      request:finish()
      return true
    end), "/")
  tap.equal(nil, r.error)
  tap.equal({ 303, "/x", "a=1, b=2", "1truenilx", "1", "2" }, { r.status,
    r.headers.location, r.headers["set-cookie"], r.body, r.headers.a,
    r.headers.b })
  tap.equal(nil, r.headers.connection)
end)

tap.test("HEAD, 204 and informational statuses", function()
  local app = make(function(request)
    if request.path == "empty" then
      request:send_status("204 No Content")
      request:finish_headers()
      return true
    end
    request:send_status("103 Early Hints")
    request:send_header("Link", "x")
    request:finish_headers()
    return text(request, "hello")
  end)
  tap.equal({ 200, "" }, { test.head(app, "/").status,
    test.head(app, "/").body })
  local r = test.get(app, "/")
  tap.equal({ 200, "hello" }, { r.status, r.body })
  tap.equal(nil, r.headers.link)
  tap.equal({ 204, "" }, { test.get(app, "/empty").status,
    test.get(app, "/empty").body })
end)

tap.test("a long response, and one that is flushed, is sent as it is made",
  function()
    local r = test.get(make(function(request)
      for _ = 1, 100 do
        text = text
        if request.fresh then request:send_status("200 OK") end
        request:send_data(("x"):rep(1000))
        request:flush()
      end
      request:finish()
      return true
    end), "/")
    tap.equal({ 200, 100000 }, { r.status, #r.body })
    tap.equal(true, r.complete)
    r = test.get(make(function(request)
      request:send_status("200 OK")
      request:send_header("Content-Length", 40000)
      request:send_data(("x"):rep(40000))
      return true
    end), "/")
    tap.equal({ 200, 40000 }, { r.status, #r.body })
  end)

tap.test("what comes in the wrong order, or too long, is an error", function()
  for why, handler in pairs {
    ["no status has been sent"] = function(r) r:send_data("x") end,
    ["a status has been sent"] = function(r)
      r:send_status("200 OK") r:send_status("200 OK") end,
    ["the headers have been sent"] = function(r)
      text(r, "x") r:send_header("A", "b") end,
    ["the response has been finished"] = function(r)
      text(r, "x") r:finish() r:send_data("y") end,
    ["longer than its Content%-Length"] = function(r)
      r:send_status(200) r:send_header("Content-Length", 1)
      r:send_data("xy") end,
    ["shorter than its Content%-Length"] = function(r)
      r:send_status(200) r:send_header("Content-Length", 3)
      r:send_data("xy") return true end,
    ["with another value"] = function(r)
      r:send_status(200) r:send_header("Content-Length", 3)
      r:send_header("content-length", 4) end,
    ['the status is "ok"'] = function(r) r:send_status("ok") end,
    ["the header A is a nil"] = function(r)
      r:send_status(200) r:send_header("A") end,
    ["status 204 has no body"] = function(r)
      r:send_status("204") r:send_data("x") end,
    ["moonbridge.lua:%d+: own"] = function() error("own") end,
  } do
    local r = test.get(make(handler), "/")
    tap.equal(500, r.status)
    tap.matches(why, r.error)
  end
  local r = test.get(make(function() return true end), "/")
  tap.matches("no status has been sent", r.error)
end)

-- ---- limits --------------------------------------------------------------------------

tap.test("limits of sizes: 413, 414 and 431", function()
  local called
  local app = make(function(request)
    called = true
    return text(request, #(request.body or ""))
  end, { request_body_size_limit = 10, request_header_size_limit = 200 })
  tap.equal("10", test.post(app, "/", { body = ("x"):rep(10) }).body)
  called = false
  tap.equal(413, test.post(app, "/", { body = ("x"):rep(11) }).status)
  tap.equal(431, test.get(app, "/", { headers = {
    A = ("x"):rep(200) } }).status)
  tap.equal(414, test.get(app, "/" .. ("x"):rep(200)).status)
  tap.equal(false, called)
end)

tap.test("what is announced of the body", function()
  for sent, wanted in pairs { ["5"] = 5, [""] = false, ["-1"] = false,
    ["-5"] = 400, ["1x"] = 400, ["0x1"] = 400, ["1.5"] = 400, ["11"] = 413,
    [("9"):rep(40)] = 413 } do
    local length, status = body.announced({ CONTENT_LENGTH = sent }, 10)
    tap.equal(wanted, status or length or false)
  end
end)

tap.test("a form that cannot be read is the client's fault, whatever has been " ..
  "sent", function()
    local app = make(function(request)
      request:send_status("200 OK")
      request:send_data("part")
      request:send_data(show(request.post_params))
      return true
    end)
    local function post(kind, content)
      return test.post(app, "/", { body = content, headers = {
        ["Content-Type"] = kind } }).status
    end
    local multipart = "multipart/form-data; boundary=x"
    tap.equal(400, post(multipart, "--x\r\nContent-"))
    tap.equal(400, post(multipart, "nothing"))
    tap.equal(400, post("multipart/form-data", "--x--"))
    tap.equal(400, post(multipart, "--x\r\n\r\nno name\r\n--x--"))
    tap.equal(400, post(URLENCODED["Content-Type"], "a=%zz"))
    tap.equal(413, post(URLENCODED["Content-Type"], ("a=1&"):rep(1001)))
    tap.equal(413, post(multipart, ('--x\r\nContent-Disposition: form-data; ' ..
      'name="a"\r\n\r\n1\r\n'):rep(1001) .. "--x--"))
  end)

tap.test("a request that has failed can do nothing more", function()
  local seen
  local r = test.post(make(function(request)
    local good = pcall(function() return request.post_params end)
    seen = { good, request.faulty, select(2,
      pcall(request.send_status, request, 200)) }
    return true
  end), "/", { body = "a=%zz", headers = URLENCODED })
  tap.equal(400, r.status)
  tap.equal({ false, true }, { seen[1], seen[2] })
  tap.matches("the request is faulty", seen[3])
end)

-- ---- http ----------------------------------------------------------------------------

tap.test("texts in HTML and in URLs", function()
  tap.equal("&lt;a&gt; &amp; &quot;", http.encode_html('<a> & "'))
  tap.equal("a%20b%2f%c3%a9-._~", http.encode_uri("a b/é-._~"))
  tap.equal("a b/é", http.decode_uri("a+b%2F%C3%a9"))
end)

tap.test("arguments of the wrong type are named, at the caller's line",
  function()
    local function f() return true end
    for why, call in pairs {
      ["the handler is nil"] = function() http.generate_handler() end,
      ["options is a number"] = function() http.generate_handler(f, 5) end,
      ["body_size_limit is a string"] = function()
        http.generate_handler(f, { body_size_limit = "1M" }) end,
      ["chunk_size is 0"] = function()
        http.generate_handler(f, { chunk_size = 0 }) end,
      ["static_headers has an entry"] = function()
        http.generate_handler(f, { static_headers = { "none" } }) end,
      ["listen is nil, expected a table"] = function() moonbridge() end,
      ["connect is nil"] = function() moonbridge { {} } end,
      ["prepare is a number"] = function()
        moonbridge { connect = f, prepare = 1 } end,
      ["there is no listener"] = function() moonbridge { connect = f } end,
      ['the proto of listener 1 is "udp"'] = function()
        moonbridge { { proto = "udp" }, connect = f } end,
      ["the delay of listener 1 is nil"] = function()
        moonbridge { { proto = "interval" }, connect = f } end,
      ['two intervals "a"'] = function()
        moonbridge { { proto = "interval", name = "a", delay = 1 },
          { proto = "interval", name = "a", delay = 1 }, connect = f } end,
      ["options.mount is a number"] = function()
        moonbridge({ { proto = "tcp" }, connect = f }, { mount = 5 }) end,
      ["seconds is %-1"] = function() moonbridge.timeout(-1) end,
      ["f is a number"] = function() moonbridge.timeout(1, 2) end,
    } do
      tap.matches("^[^\n]*moonbridge.lua:4%d%d: .*" .. why,
        select(2, pcall(call)))
    end
  end)

-- ---- listen --------------------------------------------------------------------------

local function load(code, options)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write(code)
  file:flush()
  local good, result = pcall(moonbridge.load, path, options)
  os.remove(path)
  return good and result or error(result, 0)
end

tap.test("a file, with intervals and hooks", function()
  seen = {} -- luacheck: ignore
  local app = load [[
    assert(require "moonbridge_http" == http and timeout() == 0)
    local function note(what) return function() table.insert(seen, what) end end
    local function connect(socket)
      table.insert(seen, socket.interval)
      return http.generate_handler(function(request)
        request:send_status(200)
        return true
      end)(socket)
    end
    listen{ { proto = "local", path = "x" }, connect = connect,
      prepare = note "prepare", finish = note "finish" }
    listen{ { proto = "interval", name = "a", delay = 1 },
      { proto = "interval", delay = 1 },
      { proto = "interval", delay = 1, name = "a b/é" },
      connect = function(socket) table.insert(seen, socket.interval) return true end,
      prepare = note "prepare 2" }
  ]]
  app.start()
  tap.equal(200, test.get(app, "/").status)
  app.interval("a")
  app.interval("interval2")
  app.interval("a-b---")
  tap.equal(nil, app.stop())
  tap.equal({ "prepare", "prepare 2", "a", "interval2", "a b/é",
    "finish" }, seen) -- luacheck: ignore
  tap.raises('no interval "b"', app.interval, "b")
  tap.raises("the application has been loaded", listen, {}) -- luacheck: ignore
end)

tap.test("what is no application is refused", function()
  tap.raises("has not called listen{...}$", load, "")
  tap.raises('with accept, which interface = "native" takes', load,
    "return { accept = print }")
  tap.raises("called before for other sockets", load, [[
    listen{ { proto = "tcp" }, connect = print }
    listen{ { proto = "tcp" }, connect = print }]])
  tap.raises("near", load, "listen{")
end)

tap.test("connect has requests, not connections", function()
  local app = moonbridge { { proto = "tcp" }, connect = function(socket)
    socket:read(1)
  end }
  tap.matches("socket.read: a pool of lua%-fpm has requests",
    test.get(app, "/").error)
  app = moonbridge { { proto = "tcp" }, connect = function() return true end }
  tap.matches("connect has returned without a response",
    test.get(app, "/").error)
end)

tap.test("what differs from the pool is told as lines of its configuration",
  function()
    local keys = { mode = "dynamic", max = 16, start = 4, min_spare = 1,
      idle_timeout = 10, memory = 1 << 20, timers = { "there" } }
    local function compare(listen, more)
      local own = setmetatable(more or {}, { __index = keys })
      local lines = pool.compare({ web = listen, intervals = listen.intervals
        or {}, mains = listen.mains or {} }, own)
      return table.concat(lines, "|"):gsub("^the pool's .* would be: ", "")
    end
    local function same(listen, more)
      tap.equal("", (compare(listen, more)))
    end
    same {}
    same { fork_delay = 1, exit_delay = 1, idle_timeout = 5 }
    same { pre_fork = 1, min_fork = 4, max_fork = 16, memory_limit = 1 << 20 }
    same({ pre_fork = 1, min_fork = 4, max_fork = 16 }, { mode = "static" })
    tap.equal('workers: { mode = "dynamic"; max = 8; start = 3; ' ..
      'min_spare = 3; max_spare = 3; };', (compare { pre_fork = 3,
        max_fork = 8 }))
    tap.equal('workers: { mode = "static"; max = 2; };',
      (compare { min_fork = 2, max_fork = 2 }))
    tap.equal('workers: { mode = "dynamic"; max = 16; start = 5; ' ..
      'min_spare = 1; max_spare = 5; }; limits: { memory = 1000; };',
      (compare({ min_fork = 5, memory_limit = 1000 }, { mode = "ondemand" })))
    tap.equal('workers: { idle_timeout = "900s"; };',
      (compare({ idle_timeout = 900 }, { mode = "ondemand" })))
    tap.equal('timers: ( { name = "a"; every = "10s"; }, ' ..
      '{ name = "b"; every = "250ms"; } );|' ..
      'the listener m of listen{} is not run: what runs for ever ' ..
      '(proto = "main") has to be a service of its own',
      (compare { mains = { "m" }, intervals = { { timer = "a", delay = 10 },
        { timer = "there", delay = 1 }, { timer = "b", delay = 0.25 } } }))
    tap.equal({}, pool.compare({ web = { max_fork = 1 } }, nil))
  end)

tap.done()
