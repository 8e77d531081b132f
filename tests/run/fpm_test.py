#!/usr/bin/env python3
"""fpm.test and the daemon agree: the same requests to the same application give
the same env, the same answers and the same words in the log."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

# Reads cases, each a line of fields in hex; writes what came of each likewise.
DRIVER = r"""
local test = require "fpm.test"
local app = dofile(arg[1])
local function unhex(text)
  return (text:gsub("..", function(b) return string.char(tonumber(b, 16)) end))
end
local function hex(text)
  return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end
for line in io.lines() do
  local fields = {}
  for field in line:gmatch("[^ ]+") do
    fields[#fields + 1] = unhex(field:sub(2))
  end
  local method, uri, body, role = fields[1], fields[2], fields[3], fields[4]
  local params, headers = {}, {}
  for _, name in ipairs { "SERVER_SOFTWARE", "DOCUMENT_URI", "REQUEST_SCHEME",
    "SERVER_NAME", "SERVER_ADDR", "SERVER_PORT", "REMOTE_PORT" } do
    params[name] = false
  end
  for i = 5, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    local header = name:match("^HTTP_(.+)$")
    if header and not header:find("^CONTENT_") then
      headers[header] = headers[header] or {}
      table.insert(headers[header], value)
    else
      params[name] = value
    end
  end
  local r = test.request(app, method, uri, { params = params,
    headers = headers, body = body:find("^b") and body:sub(2) or nil,
    role = role, data = "second" })
  local out = { ("%d %s"):format(r.status, r.reason), r.body,
    tostring(r.complete) }
  local all = {}
  for i, header in ipairs(r.list) do
    all[i] = header[1] .. ": " .. header[2] .. "\r\n"
  end
  table.sort(all)
  out[4] = table.concat(all)
  for text in r.errors:gmatch("([^\n]*)\n?") do
    if text ~= "" then
      table.insert(r.log, text)
    end
  end
  for _, text in ipairs(r.log) do
    out[#out + 1] = text
  end
  for i, field in ipairs(out) do
    out[i] = "x" .. hex(field)
  end
  print(table.concat(out, " "))
end
"""

# Of env all that both know: the parameters, and what the library makes of them.
DUMP = r"""
local function show(t, out)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    if name ~= "LUA" then
      out[#out + 1] = name .. "=" .. tostring(t[name]) .. "\n"
    end
  end
end
local out = {}
show(env, out) show(env.headers, out) show(env.cookies, out)
out[#out + 1] = tostring(env.role) .. type(env.id) .. tostring(env.aborted) ..
  tostring(env.nonsense) .. tostring(env[1]) .. type(env.respond) ..
  type(env.after) .. tostring(getmetatable(env))
return {}, out
"""

APP = """
local app = { roles = { "responder", "filter" } }
function app.error(env, message, traceback)
  if env.ERROR then
    return load("local env, message, traceback = ...; " .. env.ERROR,
      "=error")(env, message, traceback)
  end
  error("no answer")
end
function app.accept(env)
  return assert(load("local env = ... " .. env.LUA, "=request"))(env)
end
return app
"""


def read(body, *formats, **q):
    """A case that reads from the body."""
    return ("local t = {} for _, f in ipairs { %s } do t[#t + 1] = "
            "tostring(env.input:read(f)) .. '|' end return {}, t" %
            ", ".join(formats), {"body": body, **q})


def pieces(code):
    return "local n = 0 return {}, function() n = n + 1 %s end" % code


PLAIN = [
    # heads
    "return {}", "return {}, 'x'", "return {Status=204}, 'x'",
    "return {Status=205}, 'x'", "return {Status=304}, 'x'", "return {Status=103}, 'x'",
    "return {Status='404'}", "return {Status='404 Gone fishing'}",
    "return {Status={299, 'Nice'}}", "return {Status={299}}",
    "return {Status=201.0}", "return {status=201}",
    "return {Location='/'}", "return {Location='/', Status=201}, 'x'",
    "return {['Content-Type']='a/b', ['X-A']=' \\t x \\t'}",
    "return {['X-A']={1, 2.5, 'c'}, ['X-B']={}, ['X-C']=''}",
    "return {['content-length']=3}, 'abc'", "return {['X-A']='\\255\\t'}",
    "return {['Content-Length']='007'}, ('x'):rep(7)",
    "return {['Content-Length']=3, Status=304}, 'x'",
    "return {['Content-Length']=3, Status=204}, 'x'",
    "return {['X-Large']=('x'):rep(15000)}",
    "return {['X-Large']=('x'):rep(15270)}",
    "return {['X-Large']=('x'):rep(15271)}",
    "return {['X-Large']=('x'):rep(15300)}",
    "return {['X-Large']=('x'):rep(20000)}",
    # bodies
    "return {}, 1.5", "return {}, {}", "return {}, {'a', 1, ''}",
    "return {}, setmetatable({}, {__call = function() end})",
    pieces("if n < 3 then return 'p' .. n end"),
    pieces("if n < 5 then return ({'', 'a', '', 7})[n] end"),
    "return {}, function() end",
    "return {['Content-Length']=3}, 'abcdef'",
    "return {['Content-Length']=3}, {'ab', 'cd', 'ef'}",
    "return {['Content-Length']=3}, coroutine.wrap(function() "
    "coroutine.yield('abcd') coroutine.yield('efgh') end)",
    "return {['Content-Length']=3}, 'ab'",
    "return {['Content-Length']=3}, {'a', 'b'}",
    "return {['Content-Length']=3}, coroutine.wrap(function() "
    "coroutine.yield('ab') end)",
    "return {['Content-Length']=0}, 'ab'",
    # malformed
    "return", "return nil, 'x'", "return 7", "return 'x'", "return true, 'x'",
    "return print", "return {}, true", "return {}, {'a', {}}",
    "return {}, {'a', true}", "return {}, {a=1}", "return {}, {[0]='a'}",
    "return {}, {[-1]='a'}", "return {}, {'a', [3]='c'}",
    "return {}, {[1.5]='a'}", "return {}, {[true]='a'}",
    "return {}, {'a', nil, 'c'}", "return {[1]='x'}", "return {[1.5]='x'}",
    "return {[true]='x'}", "return {['']='x'}", "return {['X A']='x'}",
    "return {['X:A']='x'}", "return {['X\\nA']='x'}", "return {['X\\0A']='x'}",
    "return {['X\\255A']='x'}", "return {['X-A']='a\\nb'}",
    "return {['X-A']='a\\rb'}", "return {['X-A']='a\\0b'}",
    "return {['X-A']='a\\127b'}", "return {['X-A']='\\1'}",
    "return {['X-A']=true}", "return {['X-A']=print}",
    "return {['X-A']={'a', {}}}", "return {['X-A']={'a', 'b\\nc'}}",
    "return {['X-A']={a=1}}", "return {[('n'):rep(100)]=true}",
    "return {['X-' .. ('n'):rep(100)]='\\n'}",
    "return {['Content-Length']='abc'}", "return {['Content-Length']=-1}",
    "return {['Content-Length']=''}", "return {['Content-Length']=1.5}",
    "return {['Content-Length']={'1', '2'}}",
    "return {['Content-Length']='9999999999999999999'}",
    "return {['Content-Type']={'a', 'b'}}", "return {Location={'a', 'b'}}",
    "return {Status=200, status=201}",
    "return {Status=99}", "return {Status=1000}", "return {Status=-200}",
    "return {Status={}}", "return {Status='abc'}", "return {Status={'a', 1}}",
    "return {Status=true}", "return {Status=200.5}", "return {Status='20'}",
    "return {Status='2000'}", "return {Status=''}", "return {Status='200x'}",
    "return {Status={200, 'O\\nK'}}", "return {Status={200, {}}}",
    "return {Status={200, ('x'):rep(127)}}",
    "return {Status={200, ('x'):rep(128)}}", "return {Status='200 \\0'}",
    "return {Status={200.5}}", "return {Status={200, 1}}",
    pieces("return true"), pieces("return n == 1 and 'first' or {}"),
    # errors
    "error('plain')", "error('no place', 0)", "error(42, 0)", "error({})",
    "error(nil)", "error()", "error(print)", "error(true)",
    "local x = nil + 1", "local t t.x = 1", "nofunction()",
    "error(setmetatable({}, {__tostring = function() return 'shown' end}))",
    "error({ code = 42 })", "error({ 'a' })",
    "error({ message = 'm' })", "error(setmetatable({}, {__name='Kind'}))",
    "error('line\\nother')",
    pieces("error('at once')"),
    pieces("if n == 1 then return 'first' end error('later')"),
    # env
    DUMP, "env.errors:write('a ', 1, 2.5, '\\nb\\n'):write('c') return {}",
    "env.errors:write(nil)", "env.errors:write({})", "env.errors.write()",
    "return {}, tostring(env.input == env.input)",
    "return {}, tostring(env.data)",
    "env.input:read({})", "env.input:read('x')", "env.input:read(1.5)",
    "env.input:read(-1)", "env.input:read(nil)", "env.input:read('')",
    "env.input:read('*x')", "env.input.read()",
    "env.input:read(table.unpack(setmetatable({}, {__index = function() "
    "return 1 end}), 1, 10)) return {}, 'x'",
    "env.input:lines(table.unpack({}, 1, 251))",
    # respond
    "env:respond() return 7", "env:respond(201)",
    "env:respond('202 Fine', {['X-A']=1}):write('a', 1, ''):write('b')",
    "local r = env:respond() return {}, tostring(r:flush() == r)",
    "local r = env:respond() assert(r:close() == r)",
    "env:respond(200, {Status=201})", "env:respond(99)", "env:respond({})",
    "env:respond(200, 7)", "env:respond(200, {['X-A']={{}}})",
    "env:respond() env:respond()", "env.respond()",
    "env:respond():write({})", "env:respond():write(nil)",
    "local r = env:respond() r:close() r:write('x')",
    "local r = env:respond() r:close() r:close()",
    "local r = env:respond() r:close() r:flush()",
    "local r = env:respond(200, {['Content-Length']=3}) "
    "local a, b = r:write('abcdef') local c, d = r:write('x') "
    "env.errors:write(tostring(a == r), b or '', tostring(c == r), d or '')",
    "env:respond(200, {['Content-Length']=3}):write('ab')",
    "env:respond(200, {['Content-Length']=3})",
    "local r = env:respond(200, {['Content-Length']=3}) r:write('ab') "
    "r:close()",
    "local r = env:respond(200, {['Content-Length']=3}) r:write('ab') "
    "pcall(r.close, r)",
    "env:respond(204):write('x')", "env:respond(304, {['X-A']=1}):flush()",
    "env:respond():write('a') error('behind it')",
    "env:respond() error('before the head')",
    "env:respond(200, {['X-A']=('x'):rep(20000)}):write('x')",
    "pcall(env.respond, env, 99) return {}, 'other'",
    "pcall(env.respond, env, 99) env:respond(201):write('x')",
    "kept = env return {}, 'kept'",
    "return {}, kept.HTTP_HOST", "return {}, kept.input", "kept:respond()",
    "kept:after(print)", "return kept.headers", "return {}, kept.id",
    "stale = env.input return {}", "stale:read()", "stale:lines()",
    "stale = env.errors return {}", "stale:write('x')",
    "stale = env:respond() return", "stale:write('x')",
    # the library, whose halves in C are not there without the daemon
    *["local fpm = require 'fpm' local x, y = fpm.%s return {}, "
      "tostring(x) .. tostring(y)" % call for call in (
          "url.encode('a b/\\0\\255~')", "url.encode(1.5)",
          "url.encode(nil)", "url.encode()", "url.encode({})",
          "url.decode('a%20b%2fc+')", "url.decode('a+%2b', true)",
          "url.decode('%41%4')", "url.decode('%zz', true)",
          "url.decode(nil)", "url.decode(true)", "url.decode(42)",
          "html.escape('<&>\\'\"')", "html.escape(1)", "html.escape(nil)",
          "html.escape({})", "cookie.write('a', 'b')",
          "cookie.write('a', 'b;')", "http.redirect('/\\n')",
          "http.date(0)", "nothing")],
    # after
    "env:after(function() env.errors:write('one\\n') end) "
    "env:after(function() error('two') end) "
    "env:after(function() env:after(function() env.errors:write('four\\n') "
    "end) env.errors:write('three ', tostring(env.aborted), '\\n') end) "
    "return {}, 'done'",
    "env:after(function() env.input:read() end) return {}",
    "env:after(function() env:respond() end) return {}",
    "local r = env:respond() env:after(function() r:write('x') end)",
    "env:after(function() env.errors:write('ran') end) error('even so')",
    "env:after()", "env:after({})", "env.after()", "env:after('x')",
    "env:after(function() return nil + 1 end) return 7",
]
CASES = [(code, {}) for code in PLAIN] + [
    (code, {"method": "HEAD"}) for code in PLAIN if "{}" in code or
    "Length" in code] + [
    # app.error
    (code, {"params": [("ERROR", answer)]}) for code, answer in (
        ("error('first')", "return {}, message .. tostring(traceback):sub(1, 15)"),
        ("return 7", "return {}, message .. tostring(traceback)"),
        ("error('first')", "return { Status = 418 }, 'tea'"),
        ("error('first')", "return { Location = '/sorry' }"),
        ("error('first')", "error('second')"), ("error('first')", "return"),
        ("error('first')", "return {Status=1}"),
        ("error('first')", "local n = 0 return {}, function() n = n + 1 "
         "if n == 2 then error('second') end return 'x' end"),
        ("error('first')", "env:respond(502):write('piece')"),
        ("error('first')", "env:after(function() error('third') end) "
         "return {}, env.LUA"),
        ("env:respond():write('x') error('too late')", "return {}, 'never'"),
        ("env:respond() error('first')", "return {}, 'in time'"),
        ("error('first')", "return { ['Content-Length'] = 1 }, 'ab'"),
    )] + [
    # parameters
    (DUMP, {"params": params}) for params in (
        [("HTTP_X_A", "1"), ("HTTP_X_A", "2")],
        [("HTTP_COOKIE", "a=1; b=\"2\""), ("HTTP_COOKIE", "a=3")],
        [("HTTP_PROXY", "evil"), ("HTTP_HOST", "h")],
        [("CONTENT_LENGTH", "")], [("CONTENT_LENGTH", "-1")],
        [("CONTENT_LENGTH", "12a")], [("CONTENT_TYPE", "a/b")],
        [("CONTENT_TYPE", "")], [("lower", "x"), ("HTTPS", "on")],
        [("HTTP_X_A", "\0\xff")],
        [("HTTP_CONTENT_TYPE", "x"), ("HTTP_CONTENT_LENGTH", "1")],
    )] + [
    (DUMP, {"uri": "/a%20b?x=1&y", "body": "abc"}),
    (DUMP, {"method": "HEAD"}), (DUMP, {"method": "PROPFIND"}),
    # forms
    ("local q = env.query return {}, tostring(q.a) .. tostring(q.b)",
     {"uri": "/q?a=1&b=%41+x&a=2"}),
    ("local f, s, m = env:form() if not f then return {Status = s}, m end "
     "return {}, tostring(f.a) .. tostring(f.b)",
     {"body": "a=1&b=%41+x&a=2", "params":
      [("CONTENT_TYPE", "application/x-www-form-urlencoded")]}),
    ("local f, s, m = env:form() return {Status = s}, m",
     {"body": "{}", "params": [("CONTENT_TYPE", "application/json")]}),
    ("local f, s, m = env:form() local file = s[1] return {}, f.a .. "
     "file.name .. file.filename .. file.size .. file.file:read('a')",
     {"body": '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1'
      '\r\n--x\r\nContent-Disposition: form-data; name="b"; '
      'filename="/tmp/c"\r\n\r\n\0\xff\r\n--x--\r\n', "params":
      [("CONTENT_TYPE", "multipart/form-data; boundary=x")]}),
    # the body
    read("hello\nworld\n\nend", "'l'", "'L'", "2", "'*l'", "0", "'a'", "'l'"),
    read("", "0", "1", "'l'", "'L'", "'a'"),
    read("abc", "'a'", "'a'", "0", "1"), read("a\0b\n\0", "'L'", "1", "1"),
    read("abc", "10", "1"), read("abc", "2.0", "'*a'"),
    read("x" * 100000, "70000", "'l'", "'l'"), read("\n", "'l'", "'l'"),
    ("return {}, table.concat({ env.input:read(1, 'l', 99, 'a') }, '|')",
     {"body": "abc\ndef"}),
    ("return {}, tostring(select('#', env.input:read(1, 'l', 1, 'a')))",
     {"body": "ab"}),
    ("local t = {} for line in env.input:lines() do t[#t + 1] = line .. '|' "
     "end return {}, t", {"body": "a\nb\n\nc"}),
    ("local t = {} for a, b in env.input:lines(1, 'L') do t[#t + 1] = a .. "
     "tostring(b) end return {}, t", {"body": "a\nb\n\nc"}),
    ("local t = {} for a in env.input:lines(2) do t[#t + 1] = a .. '|' end "
     "return {}, t", {"body": "abcde"}),
]


def items(n, code, q):
    """Method, URI, body and parameters of case n, as the harness sends them."""
    body = q.get("body")
    method = q.get("method") or ("GET" if body is None else "POST")
    uri = "/case%d" % n if "uri" not in q else q["uri"].replace("/", "/case%d/"
                                                                 % n, 1)
    params = q.get("params", [])
    given = [(k, v) for k, v in default_params(method, uri, body)
             if k not in dict(params)]
    return method, uri, body, [*given, *params, ("LUA", code)]


def by_hand(dir):
    """What fpm.test makes of the cases."""
    lines = []
    for n, (code, q) in enumerate(CASES):
        method, uri, body, params = items(n, code, q)
        fields = [method, uri, "" if body is None else "b" + body,
                  "responder", *sum(params, ())]
        lines.append(" ".join("x" + as_bytes(f if isinstance(f, (bytes, int))
                                             else f.encode("latin-1")).hex()
                              for f in fields))
    write(dir + "/driver.lua", DRIVER)
    code, out, err = tool(dir + "/driver.lua", dir + "/app.lua",
                          program="lua5.4", input="\n".join(lines) + "\n",
                          env={**os.environ, "LUA_PATH":
                               "%s/src/lua/?.lua;%s/src/lua/?/init.lua;" %
                               ((os.path.abspath(SRC),) * 2)})
    equal((code, err), (0, ""))
    return [[bytes.fromhex(f[1:]) for f in line.split()]
            for line in out.splitlines()]


def escaped(text):
    """As the log shows it."""
    return "".join({"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(
        c, c if 32 <= ord(c) < 127 else "\\x%02x" % ord(c))
        for c in text.decode("latin-1"))


def logged(d, mark):
    """The texts of the errors in the log, by URI."""
    found = {}
    for uri, text in re.findall(r"(?m)^\S+ error .*?\] [A-Z]+ (/\S+): (.*)$",
                                d.read_log(mark)):
        found.setdefault(uri, []).append(
            text.partition("\\nstack traceback:")[0])
    return found


@test
def agree():
    """every case: status, headers, body, whether it is whole, log"""
    with Daemon(app=APP, workers={"mode": "static", "max": 1}) as d:
        d.expect(" error ")
        mark, faults, asked = d.log_mark(), [], []
        expected = by_hand(d.dir)
        equal(len(expected), len(CASES))
        for n, (code, q) in enumerate(CASES):
            method, uri, body, params = items(n, code, q)
            asked.append((n, code, uri))
            r = d.fetch(method=method, uri=uri, body=body and
                        body.encode("latin-1"), params=[
                (k, v.encode("latin-1") if isinstance(v, str) else v)
                for k, v in params])
            status, hand_body, complete, headers, *log = expected[n]
            got = (r.status_line, r.body,
                   not r.cut and r.app_status == 0,
                   sorted(h + ": " + v for h, v in r.headers
                          if h != "Status"))
            want = (status.decode().strip(), hand_body, complete == b"true",
                    headers.decode("latin-1").split("\r\n")[:-1])
            if got != want:
                faults.append("%s %s\n  daemon   %.600r\n  fpm.test %.600r" % (
                    method, code, got, want))
        wanted = sum(len(e) - 4 for e in expected)
        with contextlib.suppress(AssertionError):
            until(lambda: sum(map(len, logged(d, mark).values())) >= wanted)
        found = logged(d, mark)
        for n, code, uri in asked:
            want = sorted(map(escaped, expected[n][4:]))
            got = sorted(found.get(uri, []))
            if got != want:
                faults.append("%s\n  daemon's log   %.600r\n  fpm.test's log "
                              "%.600r" % (code, got, want))
        diag("%d cases" % len(CASES))
        assert not faults, "%d differ:\n%s" % (len(faults),
                                               "\n".join(faults[:20]))


@test
def inside_a_worker():
    """a request made by hand inside of a request of the daemon's is apart from
    it, with the library's halves in C"""
    inner = """
local cookie, test = require "fpm.cookie", require "fpm.test"
local app = { accept = function(inner)
  local fields, files = inner:form()
  inner:after(function() inner.errors:write("after") end)
  local response = inner:respond(201)
  response:write(fields.a, files[1].file:read("a"), inner.headers.host,
    inner.query.q, cookie.write("a", "b"))
end }
local r = test.post(app, "https://inner/?q=%41", { form = { a = "1 2" },
  files = { { name = "f", filename = "f", content = "file" } } })
return {}, r.status .. r.body .. r.errors .. env.headers.host ..
  tostring(env.query.q) .. cookie.write("a", "b")
"""
    with Daemon(workers={"mode": "static", "max": 1}) as d:
        r = d.lua(inner, uri="/?q=outer")
        equal(r.body.decode(), "2011 2fileinnerAa=b; Path=/; Secure; HttpOnly;"
              " SameSite=Laxafterlocalhostoutera=b; Path=/; HttpOnly; "
              "SameSite=Lax")


run(60, needs=("lua5.4",), over=FCGI)
