#!/usr/bin/env python3
"""What an application sees of a request: env, its parameters, its body."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

d = Daemon(workers={"mode": "static", "max": 1})

SHOW = """
local names = {}
for k in pairs(env) do names[#names + 1] = k end
table.sort(names)
local out = {}
for i, k in ipairs(names) do
    out[i] = ("%d %s %d %s\\n"):format(#k, k, #env[k], env[k])
end
return text(out)
"""


def seen(**q):
    """name -> value as the application sees them."""
    body = d.lua(SHOW, **q).body
    out = {}
    while body:
        n, _, rest = body.partition(b" ")
        name, rest = rest[:int(n)], rest[int(n) + 1:]
        n, _, rest = rest.partition(b" ")
        out[name], body = rest[:int(n)], rest[int(n) + 1:]
    return out


def answer(text, **q):
    r = d.lua(text, **q)
    equal((r.status, r.app_status), (200, 0), "%s: %r" % (text, r))
    return r.body


@test
def starts():
    """the daemon starts"""
    d.start()


@test(over=FCGI, because="any name and any byte can be a parameter")
def pairs_are_the_parameters():
    """pairs(env) gives exactly the parameters, byte for byte"""
    got = seen(uri="/a/b?c=d", params=[("X_EMPTY", ""), ("HTTP_ACCEPT", "*/*"),
                                       ("X_BYTES", b"\0\xff\n\0")])
    expected = dict(default_params("GET", "/a/b?c=d"))
    del expected["CONTENT_LENGTH"]  # it is empty
    expected = {k.encode(): as_bytes(v) for k, v in expected.items()}
    expected.update({b"X_EMPTY": b"", b"HTTP_ACCEPT": b"*/*",
                     b"X_BYTES": b"\0\xff\n\0", b"LUA": SHOW.encode()})
    equal(got, expected)


@test
def env_is_plain():
    """env is a plain table; what is not there is nil; env may be changed"""
    equal(answer("return text(type(env))"), b"table")
    equal(answer("return text(tostring(env.NOTHING) .. tostring(env.nothing)"
                 " .. tostring(rawget(env, 'input')))"), b"nilnilnil")
    equal(answer("env.REQUEST_METHOD = 'mine' return "
                 "text(env.REQUEST_METHOD)"), b"mine")


@test(over=FCGI, because="no header has a NUL")
def nul_bytes_in_parameters():
    """NUL bytes survive in parameter names and values"""
    got = seen(params=[(b"X_\0N", b"a\0b")])
    equal(got[b"X_\0N"], b"a\0b")


@test
def nul_bytes():
    """NUL bytes survive in bodies"""
    body = bytes(range(256)) * 10
    equal(answer("return text(env.input:read('a'))", body=body), body)


@test
def long_parameters():
    """long names and values"""
    value, name = b"v" * 40000, "HTTP_" + "N" * 200
    got = seen(params=[("HTTP_X_LONG", value), (name, "x")])
    equal((got[b"HTTP_X_LONG"], got[name.encode()]), (value, b"x"))


@test(over=FCGI, because="a head of HTTP has no records")
def head_of_many_records():
    """parameters in many records"""
    with d.connect() as c:
        data = pairs(default_params() + [("LUA", "return text(env.X)"),
                                         ("X", "y" * 300)])
        c.send(begin() + stream(PARAMS, data, chunk=7, padding=3) +
               stream(STDIN, b""))
        equal(c.response().body, b"y" * 300)


@test
def repeated_parameters():
    """repeated headers are joined by ", ", cookies by "; " """
    got = seen(params=[("HTTP_X_A", "1"), ("HTTP_COOKIE", "a=1"),
                       ("HTTP_X_A", "2"), ("HTTP_COOKIE", "b=2"),
                       ("HTTP_X_A", "3")])
    equal((got[b"HTTP_X_A"], got[b"HTTP_COOKIE"]), (b"1, 2, 3", b"a=1; b=2"))


@test
def http_proxy():
    """HTTP_PROXY is never handed on"""
    got = seen(params=[("HTTP_PROXY", "http://evil/"), ("HTTP_X", "1"),
                       ("HTTP_PROXY", "again")])
    assert b"HTTP_PROXY" not in got and got[b"HTTP_X"] == b"1", got
    equal(answer("return text(tostring(env.HTTP_PROXY))",
                 params=[("HTTP_PROXY", "http://evil/")]), b"nil")


@test
def read_forms():
    """env.input:read with n, "l", "L", "a", several at once, and nil at the
    end"""
    body = "one\ntwo\nthree"
    for code, expected in (
            ("env.input:read(2)", "on"), ("env.input:read('l')", "one"),
            ("env.input:read('L')", "one\n"), ("env.input:read('a')", body),
            ("env.input:read()", "one"), ("env.input:read(1000)", body),
            ("env.input:read(0)", ""), ("env.input:read('*a')", body)):
        equal(answer("return text(%s)" % code, body=body), expected.encode(),
              code)
    equal(answer("local a, b, c = env.input:read('l', 1, 'a') "
                 "return text(a .. '|' .. b .. '|' .. c)", body=body),
          b"one|t|wo\nthree")
    equal(answer("local i = env.input i:read('a') return text(tostring("
                 "i:read('l')) .. tostring(i:read(1)) .. i:read('a') .. "
                 "tostring(i:read(0)))", body=body), b"nilnilnil")
    equal(answer("return text(tostring(env.input:read(1)) .. "
                 "env.input:read('a'))"), b"nil")


@test
def lines():
    """env.input:lines()"""
    code = ("local t = {} for line in env.input:lines() do "
            "t[#t + 1] = '<' .. line .. '>' end return text(t)")
    equal(answer(code, body="a\n\nb\r\nlast"), b"<a><><b\r><last>")
    equal(answer(code, body="a\n"), b"<a>")
    equal(answer(code, body=""), b"")
    equal(answer(code.replace("lines()", "lines('L')"), body="a\nb"),
          b"<a\n><b>")


@test
def bad_reads():
    """a wrong format is an error of the application, not of the worker"""
    d.expect("GET /read|POST /read")
    for code in ("env.input:read('x')", "env.input:read({})",
                 "env.input:read(-1)", "env.input.read()"):
        r = d.lua("return text(%s)" % code, uri="/read", body="abc")
        assert r.status == 500 or b"" == r.body, (code, r)
    equal(d.fetch().status, 200)


@test
def body_is_streamed():
    """the body is read when asked for, not before; it may still be on its
    way"""
    n = 1 if PROTOCOL == FCGI else 25000  # more than waits for its worker
    with d.connect() as c:
        gate = d.gate()
        c.send(head("POST", body="x" * 6 * n, lua="local i = env.input "
                    "local a = i:read(%d) %s return text(a .. '|' .. "
                    "i:read('a'))" % (3 * n, gate.lua)))
        c.send(part(b"abc" * n))
        gate.wait()
        c.send(part(b"def" * n, end=True))
        gate.open()
        equal(c.response().body, b"abc" * n + b"|" + b"def" * n)


@test
def large_body_bounded_memory():
    """a body of 64 MB passes through in bounded memory"""
    pid, chunk = d.workers()[0], b"x" * 65535
    answer("return {}")
    before = rss(pid)
    with d.connect() as c:
        c.send(head("POST", body=None, chunked=True, lua="local n = 0 "
                    "while true do local s = env.input:read(10000) "
                    "if not s then break end n = n + #s end "
                    "return text(tostring(n))"))
        data = part(chunk, chunked=True)
        for _ in range(1024):
            c.send(data)
        most = rss(pid)
        c.send(part(b"", end=True, chunked=True))
        equal(c.response().body, b"%d" % (1024 * 65535))
    if not SANITIZED:
        assert most - before < 16 << 20, "grew by %d" % (most - before)


@test(over=FCGI, because="there CONTENT_LENGTH does not frame the body")
def content_length_does_not_rule():
    """the body ends where STDIN ends, whatever CONTENT_LENGTH says"""
    for length in ("", "0", "-1", None, "3", "100", "12a", "9" * 40):
        equal(answer("return text(env.input:read('a'))", body="abcdef",
                     params=[("CONTENT_LENGTH", length)]), b"abcdef", length)


@test(over=FCGI, because="there CONTENT_LENGTH does not frame the body")
def content_length_is_a_number():
    """CONTENT_LENGTH is a plain decimal number or nil"""
    for length, expected in (
            ("", "nil"), ("-1", "nil"), (None, "nil"), ("12a", "nil"),
            ("9" * 40, "nil"), ("0x6", "nil"), (" 6", "nil"), ("6e0", "nil"),
            ("6", "6"), ("0", "0"), ("06", "06")):
        equal(answer("local n for k, v in pairs(env) do "
                     "if k == 'CONTENT_LENGTH' then n = v end end "
                     "assert(n == env.CONTENT_LENGTH) return text(tostring(n))",
                     body="", params=[("CONTENT_LENGTH", length)]),
              expected.encode(), length)
    equal(answer("return text(env.CONTENT_LENGTH)", params=[
        ("CONTENT_LENGTH", "5"), ("CONTENT_LENGTH", "6")]), b"5", "twice")


@test
def unread_body():
    """a body left unread does not disturb the next request on a kept
    connection, and the connection is closed or in step"""
    for n in (1, 1000, 70000, 3000000):
        with d.connect() as c:
            body = b"\1\1\0\1\0\x08\0\0" * (n // 8 + 1)
            sender = Background(c.send, request(
                keep=True, body=body, lua="return text('first')"))
            equal(c.response().body, b"first", n)
            try:
                sender.result()
                c.send(request(keep=True, lua="return text('second')"))
                r = c.response()
            except OSError:
                continue
            if r.complete:
                equal(r.body, b"second", n)
            else:
                equal(r.out, b"", "of a connection that was closed")


@test
def half_read_body():
    """the same for a body read in part"""
    with d.connect() as c:
        for n in range(20):
            c.send(request(keep=True, body=b"abc" * 1000 + b"%d" % n,
                           lua="return text(env.input:read(%d))" % (n + 1)))
            r = c.response()
            equal(r.body, (b"abc" * 10)[:n + 1])


@test
def kept_env():
    """an env kept from an earlier request cannot reach the next one's body"""
    d.expect("over|GET /kept")
    answer("kept = env kept_input = env.input return {}", body="first")
    for code in ("kept.input:read('a')", "kept_input:read('a')"):
        r = d.lua("local ok, why = pcall(function() return %s end) "
                  "return text(ok and 'got ' .. tostring(why) or 'refused')"
                  % code, body="second", uri="/kept")
        assert b"got second" not in r.body or "kept_input" in code, (code, r)
    equal(answer("return text(env.input:read('a') .. kept.REQUEST_METHOD)",
                 body="third"), b"thirdPOST")


@test
def values_are_strings():
    """parameters are strings, CONTENT_LENGTH included"""
    equal(answer("return text(math.type(env.CONTENT_LENGTH) or "
                 "type(env.CONTENT_LENGTH))", body="abc"), b"string")


@test
def methods():
    """any method reaches the application, any path and query too"""
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS",
                   "PROPFIND", "X"):
        equal(answer("return text(env.REQUEST_METHOD)", method=method,
                     body=""), method.encode())
    uri = "/%00/%2e%2e/\u00e4?&&=&x=%zz#" if PROTOCOL == FCGI else \
        "/a//b/%2e/%c3%a4%2F?&&=&x=%zz"
    equal(answer("return text(env.REQUEST_URI)", uri=uri), uri.encode())


@test
def aborted():
    """env.aborted is false for a peer that is there"""
    equal(answer("return text(tostring(env.aborted))"), b"false")


@test
def same_worker():
    """one worker did all of this"""
    matches(rb"^\d+$", answer("return text(tostring(requests))"))
    assert int(answer("return text(tostring(requests))")) > 50


run(90, over=BOTH)
