#!/usr/bin/env python3
"""Applications for WSAPI behind nginx with its plain fastcgi_params: WSAPI's
samples, Orbit's, pages of CGILua, and each promise of the interface."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

# Debian has them for 5.1 and 5.2.
PATH = ";;/usr/share/lua/5.2/?.lua;/usr/share/lua/5.1/?.lua"
SAMPLES = "/usr/share/doc/lua-wsapi-doc/samples/"
ORBIT = "/usr/share/doc/lua-orbit/"

APPS = {
    # Runs what X-Lua says, in which e is wsapi_env.
    "eval/app.lua": app_source("eval.lua").rsplit("return app", 1)[0] + """
return function(wsapi_env)
  local code = wsapi_env.LUA .. wsapi_env.HTTP_X_LUA
  return assert(load("local e = ... " .. code, "=request"))(wsapi_env)
end
""",
    "launch/app.lua": """
local app = {}
function app.run(wsapi_env)
  local said = false
  return 200, { ["Content-Type"] = "text/plain" }, function()
    if not said then
      said = true
      return "launched " .. wsapi_env.PATH_INFO
    end
  end
end
return app
""",
    "routes/app.lua": """
local orbit = require "orbit"
local R = require "orbit.routes"
local routes = orbit.new()
routes:dispatch_get(function(web)
  return "root of " .. web.real_path
end, R "/")
routes:dispatch_get(function(web, params)
  return "name " .. params.name
end, R "/name/:name")
routes:dispatch_get(function(web, params)
  return "rest " .. params.splat[1]
end, R "/rest/*")
routes:dispatch_get(function(web, params)
  return "maybe " .. (params.name or "nobody") .. " " .. web:link("/x", { a = 1 })
end, R "/maybe/?:name?")
routes:dispatch_post(function(web, params)
  return "posted " .. web.input.a
end, R "/name/:name")
return routes
""",
    "form/app.lua": """
local request = require "wsapi.request"
local response = require "wsapi.response"
return { run = function(wsapi_env)
  local req = request.new(wsapi_env)
  local res = response.new()
  res:content_type "text/plain"
  for _, name in ipairs { "a", "list", "file" } do
    local value = req.params[name]
    if type(value) == "table" and value.contents then
      value = ("%s %d %s %s"):format(value.name, value.size,
        value["content-type"], value.contents)
    elseif type(value) == "table" then
      value = table.concat(value, "+")
    end
    res:write(name, "=", value or "none", "\\n")
  end
  res:write("cookie=", req.cookies.c or "none", "\\n")
  res:set_cookie("one", "1 1")
  res:set_cookie("two", { value = "2", path = "/", httponly = true })
  if req.params.to then
    return res:redirect(req.params.to)
  end
  return res:finish()
end }
""",
    "own/app.lua": """
local function run(wsapi_env)
  if wsapi_env.PATH_INFO == "/broken" then
    error("own page")
  end
  wsapi_env.fpm:after(function()
    print("after " .. wsapi_env.PATH_INFO)
  end)
  return "201 Made", { A = true }, coroutine.wrap(function()
    coroutine.yield(wsapi_env.SCRIPT_NAME .. "|" .. wsapi_env.PATH_INFO)
  end)
end
return require("fpm.wsapi")(run, { mount = "/own",
  start = function() print("started") end,
  error = function(env, message)
    return { Status = 503 }, message:match("own page")
  end })
""",
    "cgilua/app.lua": 'return "wsapi.sapi"\n',
    "pages/app.lua": 'return require "orbit.pages"\n',
    "pages/page.op": "#!/usr/bin/env op.cgi\n"
    "<p>$web|method $lua{[[ return 6 * 7 ]]}</p>$if{ true }[[yes]],[[no]]\n",
    "lp/page.lp": "<p><%= 6 * 7 %> <%= cgilua.QUERY.a or 'none' %></p>"
    "<% for i = 1, 3 do %>i<%= i %> <% end %>",
    "lp/script.lua": "cgilua.contentheader('text', 'plain') "
    "cgilua.put(cgilua.POST.a or '') cgilua.put(cgilua.urlpath)",
    "lp/form.lp": "<% local cookies = require 'cgilua.cookies' "
    "cookies.set('seen', cgilua.POST.a) local f = cgilua.POST.file %>"
    "<%= cgilua.POST.a %> <%= f.filename %> <%= f.filesize %> "
    "<%= f.file:read('*a') %> <%= cookies.get('c') %>",
    "lp/broken.lp": "<% error('broken page') %>",
}
POOLS = {  # the application, its mount
    "eval": ("eval/app.lua", None),
    "hello": (SAMPLES + "hello.lua", "/hello"),
    "fastcgi": ("launch/fastcgi-example.lua", "/fastcgi"),
    "cgi": ("launch/cgi-example.lua", "/cgi"),
    "orbit": (ORBIT + "hello/hello.lua", "/orbit"),
    "ws": (ORBIT + "hello/hello.ws", "/ws"),
    "songs": (ORBIT + "songs/songs.lua", "/songs"),
    "routes": ("routes/app.lua", "/routes/"),
    "form": ("form/app.lua", "/form"),
    "cgilua": ("cgilua/app.lua", None),
    "pages": ("pages/app.lua", None),
    "own": ("own/app.lua", None),
    "server": ("eval/app.lua", ""),
}
MULTIPART = (
    b'--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\nA\r\n'
    b'--xx\r\nContent-Disposition: form-data; name="file"; '
    b'filename="f.txt"\r\nContent-Type: text/plain\r\n\r\nin it\r\n--xx--\r\n')
MULTIPART_TYPE = {"Content-Type": "multipart/form-data; boundary=xx"}
d = Daemon(pools={"none": {}})
n = None


def prepare():
    for name, text in APPS.items():
        os.makedirs(os.path.dirname(d.dir + "/" + name), exist_ok=True)
        d.write_app(text, name)
    for sample in ("fastcgi-example.lua", "cgi-example.lua"):
        shutil.copy(SAMPLES + sample, d.dir + "/launch")
    d.drop_pool("none")
    for name, (app, mount) in POOLS.items():
        d.set_pool(name, app=os.path.join(d.dir, app), mount=mount,
                   interface=None if name == "own" else "wsapi",
                   lua={"path": PATH}, workers={"mode": "static", "max": 1})


def locations():
    """For each pool what it says above, with the parameters that nginx comes
    with and no more."""
    text = ""
    for name in POOLS:
        place = "~ ^/lp/" if name == "cgilua" else \
            "~ \\.op$" if name == "pages" else "/" + name
        root = d.dir if name != "pages" else d.dir + "/pages"
        text += "location %s { root %s; include /etc/nginx/fastcgi_params; " \
            "fastcgi_pass unix:%s; }\n" % (place, root, d.address(name))
    return text


@test
def starts():
    """nginx, and a pool for each application"""
    global n
    prepare()
    d.start()
    n = Nginx(d.address("eval"), server=locations(), location=
              "root %s; fastcgi_buffering off; fastcgi_request_buffering off;"
              % d.dir)


def ask(path, method="GET", lua=None, **how):
    """(status, headers, body as text)"""
    status, headers, body = http(n.port, method, path, lua=lua, **how)
    return status, headers, body.decode()


def get(path, *args, **how):
    """The body of a response that is a 200."""
    got = ask(path, *args, **how)
    equal(got[0], 200, "status of %s: %r" % (path, got[2]))
    return got[2]


def run_lua(lua, **how):
    return ask("/", lua=lua, **how)


# ---- samples ----------------------------------------------------------------


@test
def samples():
    """WSAPI's samples run as they are: hello, and those that launch"""
    text = get("/hello/a%20b?c=d")
    assert "<p>PATH_INFO: /a b</p><p>SCRIPT_NAME: /hello</p>" in text, text
    assert "<p>PATH_INFO: /</p>" in get("/hello")
    equal(get("/fastcgi/x"), "launched /x")
    equal(get("/cgi/y"), "launched /y")


@test
def orbit_hello():
    """Orbit's hello, which calls module, runs as it is, and hello.ws"""
    for place in ("/orbit", "/ws"):
        for path in ("", "/", "/index"):
            assert '<p class="hello">Hello World!</p>' in get(place + path)
        assert "Hello Joe!" in get(place + "/say/Joe")
        assert "Bye Joe!" in get(place + "/say/Joe?greeting=Bye+")
        equal(ask(place + "/none")[::2][0], 404)
        assert "Not found!" in ask(place + "/none")[2]
    assert "<tr><td>Getting Better</td></tr>" in get("/songs/")


@test
def orbit_routes():
    """orbit.routes: names, the rest of a path, optional parts, links"""
    equal(get("/routes/"), "root of %s/routes" % d.dir)
    equal(get("/routes/name/a%20b"), "name a b")
    equal(get("/routes/rest/a/b.c"), "rest a/b.c")
    equal(get("/routes/maybe"), "maybe nobody /routes/x?a=1")
    equal(get("/routes/maybe/Joe"), "maybe Joe /routes/x?a=1")
    equal(get("/routes/name/x", "POST", body="a=1%2B2", headers={
        "Content-Type": "application/x-www-form-urlencoded"}), "posted 1+2")
    equal(ask("/routes/none")[0], 404)


@test
def orbit_pages():
    """a page of orbit.pages, by SCRIPT_FILENAME, which nginx does not send"""
    equal(get("/page.op").strip(), "<p>get 42</p>yes")
    equal(ask("/none.op")[0], 404)


@test
def cgilua_pages():
    """pages and scripts of CGILua through wsapi.sapi"""
    status, headers, body = ask("/lp/page.lp?a=b+c")
    equal((status, headers["Content-Type"], body),
          (200, "text/html", "<p>42 b c</p>i1 i2 i3 "))
    for value in ("x y", "z"):
        status, headers, body = ask("/lp/script.lua", "POST", body="a=" +
                                    value.replace(" ", "+"), headers={
            "Content-Type": "application/x-www-form-urlencoded"})
        equal((headers["Content-Type"], body), ("text/plain", value))
    d.expect("broken page")
    assert "broken page" in ask("/lp/broken.lp")[2]
    equal(get("/lp/page.lp"), "<p>42 none</p>i1 i2 i3 ")


@test
def cgilua_forms():
    """a page of CGILua gets fields, a file and a cookie, and sets one"""
    status, headers, body = ask("/lp/form.lp", "POST", body=MULTIPART,
                                headers={**MULTIPART_TYPE, "Cookie": "c=d"})
    equal((status, headers["Set-Cookie"].partition(";")[0], body),
          (200, "seen=A", "A f.txt 5 in it d"))


# ---- requests ---------------------------------------------------------------


@test
def forms():
    """wsapi.request: fields, several of a name, cookies, a file"""
    equal(get("/form?a=1%202&list=x&list=y", headers={"Cookie": "c=d%20e"}),
          "a=1 2\nlist=x+y\nfile=none\ncookie=d e\n")
    equal(get("/form?list=q", "POST", body="a=%C3%BC", headers={
        "Content-Type": "application/x-www-form-urlencoded"}),
        "a=\u00fc\nlist=q\nfile=none\ncookie=none\n")
    for how in ({"body": MULTIPART, "headers": MULTIPART_TYPE},
                # in chunks, so that no length is announced
                {"body": [MULTIPART[:99], MULTIPART[99:]], "headers": {
                    **MULTIPART_TYPE, "Transfer-Encoding": "chunked"}}):
        text = get("/form", "POST", **how)
        matches(r"^a=A\nlist=none\nfile=f.txt 5 text/plain\s+in it\n", text)


@test
def responses():
    """wsapi.response: several cookies, a redirect, a length"""
    status, headers, body = ask("/form")
    equal((status, headers.get_all("Set-Cookie"), headers["Content-Length"]),
          (200, ["one=1+1", "two=2; path=/; HttpOnly"], str(len(body))))
    status, headers, body = ask("/form?to=/there")
    equal((status, headers["Location"].split("/", 3)[-1], body),
          (302, "there", ""))


@test
def variables():
    """wsapi_env: a variable, "" for none, never nil; it can be written"""
    _, headers, body = run_lua(
        "e.MINE = 'm' e.HTTP_X_A = 'changed' "
        "local t = { e.REQUEST_METHOD, e.QUERY_STRING, e.HTTP_X_A, e.MINE, "
        "e.HTTP_NONE, e.none, e.APP_PATH, e.SCRIPT_FILENAME, "
        "e.headers.HTTP_X_A } for i = 1, 9 do t[i] = '[' .. t[i] .. ']' end "
        "return 200, {}, coroutine.wrap(function() "
        "coroutine.yield(table.concat(t)) end)", headers={"X-A": "a"})
    equal(body, "[GET][][changed][m][][][%s/eval][%s/][a]" % (d.dir, d.dir))


@test
def beyond():
    """a file of one's own: start, error, and env:after by wsapi_env.fpm"""
    d.wait_log("pool own.* started")
    mark = d.log_mark()
    equal(ask("/own/x")[0], 201)
    d.wait_log("after /x", mark)
    d.expect("own page")
    equal(ask("/own/broken")[::2], (503, "own page"))


@test
def paths():
    """SCRIPT_NAME is the mount, PATH_INFO the rest; what is not below the
    mount is a 404 and a line in the log"""
    for path, wanted in (("/own", "/own|/"), ("/own/", "/own|/"),
                         ("/own/a/b?c", "/own|/a/b")):
        equal(ask(path)[::2], (201, wanted))
    d.expect("not below mount, /own")
    mark = d.log_mark()
    equal(ask("/ownership")[0], 404)
    d.wait_log("not below mount", mark)
    script = "return 200, {}, coroutine.wrap(function() coroutine.yield(" \
        "e.SCRIPT_NAME .. '|' .. e.PATH_INFO) end)"
    for path in ("/", "/a/b"):
        equal(ask(path, lua=script)[2], "|" + path)
    for sent in ([("SCRIPT_NAME", ""), ("PATH_INFO", "/a/b")],
                 [("SCRIPT_NAME", "/a"), ("PATH_INFO", "/b")]):
        got = d.fetch("eval", params=sent, lua=script)
        equal(got.body, b"|/a/b", sent)
        got = d.fetch("server", params=sent, lua=script)
        equal(got.body.decode(), "|".join(value for _, value in sent))


@test
def bodies():
    """input:read(n) is n bytes but at the end; input.length; nil after it"""
    lua = "local i = e.input local t = { i.length, #i:read(5), " \
        "#i:read(70000), #i:read(1000000), tostring(i:read(1)), " \
        "tostring(i:read()) } return 200, {}, coroutine.wrap(function() " \
        "coroutine.yield(table.concat(t, ' ')) end)"
    body = b"x" * 100000
    equal(run_lua(lua, method="POST", body=body)[2],
          "100000 5 70000 29995 nil nil")
    equal(run_lua(lua, method="POST", body=[body[:7], body[7:]], headers={
        "Transfer-Encoding": "chunked"})[2], "100000 5 70000 29995 nil nil")
    for how in ({"body": body}, {"body": [body], "headers": {
            "Transfer-Encoding": "chunked"}}):
        equal(run_lua("local n = 0 repeat local piece = e.input:read(4096) "
                      "n = n + #(piece or '') until not piece return 200, {}, coroutine.wrap("
                      "function() coroutine.yield(n) end)",
                      method="PUT", **how)[2], "100000")
    equal(run_lua("return 200, { X = e.CONTENT_LENGTH .. '|' .. "
                  "e.input.length .. tostring(e.input:read()) }")[1]["X"],
          "|0nil")
    for length, seen in (("-1", "5"), ("abc", "5"), ("9" * 20, "5"), (None, "5"),
                         ("3", "3"), ("99999", "99999")):
        got = d.fetch("eval", method="POST", body=b"hello", params=[
            ("CONTENT_LENGTH", length)], lua="local n = e.input.length return "
            "200, {}, function() local s = e.input:read(9) return s and n .. s "
            "end")
        equal(got.body.decode(), seen + "hello", length)
    d.expect("number expected, got string")
    equal(run_lua("e.input:read('*a')")[0], 500)


@test
def error_stream():
    """error:write goes to the error log"""
    mark = d.log_mark()
    d.expect("one 2 three")
    equal(run_lua("e.error:write('one ', 2, ' three\\n') return 200")[0], 200)
    d.wait_log("one 2 three", mark)


# ---- responses --------------------------------------------------------------


@test
def statuses():
    """every status, as a number, a text and a text with its reason"""
    for code in (*range(200, 209), *range(300, 309), *range(400, 419), 421,
                 422, 423, 424, 425, 426, 428, 429, 431, 451,
                 *range(500, 509), 510, 511, 299, 599):
        for text in ("%d", "'%d'", "'%d Some Reason'"):
            got = run_lua("return " + text % code + ", { ['Content-Type'] = "
                          "'text/plain', X = 'y' }, coroutine.wrap(function() "
                          "coroutine.yield('b') end)")
            wanted = "" if code in (204, 205, 304) else "b"
            equal((got[0], got[1]["X"], got[2]), (code, "y", wanted), text)


@test
def headers():
    """headers: a string, a number, a boolean, an array; Status among them"""
    got = run_lua("return 200, { A = 'a', B = 7, C = true, D = { 'x', 2, false "
                  "}, ['set-cookie'] = { 'a=1', 'b=2' }, status = 410 }")
    equal((got[0], got[1]["A"], got[1]["B"], got[1]["C"], got[1].get_all("D"),
           got[1].get_all("Set-Cookie")),
          (410, "a", "7", "true", ["x", "2", "false"], ["a=1", "b=2"]))


@test
def iterators():
    """a body by a closure or a coroutine, with "" in between, of nothing"""
    pieces = "local p = { 'a', '', 'b', 3 } "
    for lua in (pieces + "local i = 0 return 200, {}, function() i = i + 1 "
                "return p[i] end",
                pieces + "return 200, {}, coroutine.wrap(function() "
                "for _, s in ipairs(p) do coroutine.yield(s) end end)"):
        equal(run_lua(lua)[::2], (200, "ab3"))
        equal(run_lua(lua, method="HEAD")[::2], (200, ""))
    for nothing in ("function() end", "coroutine.wrap(function() end)",
                    "nil"):
        equal(run_lua("return 200, {}, " + nothing)[::2], (200, ""), nothing)


@test
def streaming():
    """the pieces of an iterator leave as they come"""
    import http.client
    gates = [d.gate() for _ in range(2)]
    c = http.client.HTTPConnection("127.0.0.1", n.port, timeout=PATIENCE)
    c.request("GET", "/", headers={
        "X-Lua": "return 200, {}, coroutine.wrap(function() "
        "for i, path in ipairs { %s } do coroutine.yield('piece' .. i) "
        "gate(path) end coroutine.yield('piece3') end)" %
        ", ".join('"%s"' % g.path for g in gates)})
    r = c.getresponse()
    for i, gate in enumerate(gates, 1):
        equal(r.read(6), b"piece%d" % i)
        gate.wait()
        gate.open()
    equal(r.read(), b"piece3")
    c.close()


@test
def raised():
    """what is raised: { 404, text } is a 404, all else a 500 whose traceback
    begins in the application"""
    import http.client
    for lua in ("error { 404, 'no <such> thing' }",
                "return 200, {}, coroutine.wrap(function() "
                "error { 404, 'no <such> thing' } end)"):
        status, headers, body = run_lua(lua)
        equal((status, headers["Content-Type"]),
              (404, "text/html; charset=utf-8"))
        assert "no &lt;such&gt; thing" in body, body
    d.expect("GET /")
    for lua in ("local function deep() error('boom') end deep() return",
                "local function deep() error('boom') end return 200, {}, "
                "function() deep() return 'x' end"):
        mark = d.log_mark()
        equal(run_lua(lua)[0], 500)
        d.wait_log(r"boom\\nstack traceback:\\n\\t\[C\]: in function 'error'"
                   r"\\n\\trequest:1: in (upvalue|local) 'deep'", mark)
    mark = d.log_mark()
    equal(run_lua("local function down(n) if n == 0 then error('deep') end "
                  "down(n - 1) return 1 end return down(100)")[0], 500)
    d.wait_log(r"deep\\nstack traceback:.*skipping .* levels.*fpm/wsapi.lua",
               mark)
    mark = d.log_mark()
    try:
        got = run_lua("return 200, { ['Content-Length'] = 9 }, coroutine.wrap("
                      "function() coroutine.yield('first') error('late') end)")
        raise AssertionError("whole: %r" % (got,))
    except http.client.HTTPException as e:  # as far as nginx had sent it
        equal(getattr(e, "partial", b"first"), b"first")
    d.wait_log("late", mark)


@test
def malformed():
    """what is returned wrongly is a 500, and the log says what it was"""
    for lua, says in (
            ("return", "returned nil as its status"),
            ("return {}, {}", "returned a table as its status"),
            ("return 99", "99"), ("return 'abc'", "abc"),
            ("return 200, 'x'", "returned a string as its headers"),
            ("return 200, {}, 'x'", "returned a string as its iterator"),
            ("return 200, { A = 'x\\ny' }", "header"),
            ("return 200, {}, function() return {} end", "a string or nil"),
            ("error()", "error object is a nil"),
            ("error { 500, 'text' }", "500: text")):
        mark = d.log_mark()
        equal(run_lua(lua)[0], 500, lua)
        d.wait_log("GET /: .*" + re.escape(says), mark)


# ---- ways to run ------------------------------------------------------------


@test
def checked():
    """-t: an application for another interface is refused by its name, and a
    file that is none, or does not load, says why"""
    def check(text, interface, regex, code=78):
        d.write_app(text, "check.lua")
        got = tool("-t", *(["-i", interface] if interface else []),
                   d.dir + "/check.lua")
        equal(got[0], code, got)
        matches(regex, got[1] + got[2])
    check("return function() end", "wsapi", "", 0)
    check("return 'wsapi_none'", "wsapi", "module 'wsapi_none' not found")
    check("return { accept = print }", "wsapi",
          'table with accept, which interface = "native" takes')
    check("return { run = print }", None, 'interface = "wsapi"')
    check("return function() end", None, 'interface = "wsapi"')
    check("return 7", "wsapi", "a number, expected a function")
    check("not lua", "wsapi", "check.lua:1: ")


@test
def command_line():
    """-i wsapi on the command line"""
    dir = scratch()
    one = Daemon(dir=dir, listen=dir + "/one.sock", app="return function(e) "
                 "return 200, {}, coroutine.wrap(function() coroutine.yield("
                 "e.SCRIPT_NAME .. '|' .. e.PATH_INFO) end) end")
    with one.spawn(args=[*(("-u", pool_user()) if ROOT else ()),
                         "-i", "wsapi", "-l", dir + "/one.sock", "-n", "1",
                         dir + "/app.lua"]):
        one.wait_note("READY=1")
        one.top["pid_file"] = dir + "/none"
        equal(one.fetch(uri="/x").body, b"|/x")


@test
def many():
    """a hundred requests to each application, one after another: all the
    same"""
    for path in ("/hello/x", "/orbit/say/Joe", "/routes/name/x", "/page.op",
                 "/lp/page.lp", "/form?a=1"):
        first = ask(path)[2]
        for _ in range(100):
            equal(ask(path)[2], first)


@test
def reloaded():
    """a changed file, and a changed module of another, are seen on reload"""
    d.write_app("return { run = function() return 200, {}, coroutine.wrap("
                "function() coroutine.yield('new module') end) end }",
                "launch/app.lua")
    d.write_app(APPS["own/app.lua"].replace("201 Made", "202 New"),
                "own/app.lua")
    d.reload()
    equal(get("/fastcgi/x"), "new module")
    equal(ask("/own")[0], 202)
    equal(get("/routes/name/x"), "name x")


for place in (SAMPLES, ORBIT, "/usr/share/doc/lua-cgi"):
    if not os.path.isdir(place):
        print("1..0 # SKIP not there:", place)
        sys.exit()
run(needs=("nginx",))
