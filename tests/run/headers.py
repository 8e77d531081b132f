#!/usr/bin/env python3
"""env.headers and env.cookies, and what the library knows of the request."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

d = Daemon(workers={"mode": "static", "max": 1})
d.start()

HEADERS = """
local names = {}
for name, value in pairs(env.headers) do
  names[#names + 1] = name .. ": " .. value .. "\\n"
end
table.sort(names)
return text(names)
"""


def lua(code, params=(), **q):
    r = d.lua(code, params=params, **q)
    equal(r.status, 200, r)
    return r.body.decode("latin-1")


@test
def names_in_any_spelling():
    """a header is found by its name in any case, with - or _"""
    for name in ("User-Agent", "user-agent", "USER_AGENT", "user_Agent"):
        equal(lua("return text(env.headers['%s'])" % name,
                  [("HTTP_USER_AGENT", "me")]), "me", name)
    for name in ("'x'", "1", "true", "env", "'HTTP_HOST'", "''", "print",
                 "1.5"):
        equal(lua("return text(tostring(env.headers[%s]))" % name), "nil",
              name)


@test(over=FCGI, because="a web server decides on what is HTTP_ and what not")
def pairs_of_parameters():
    """pairs() gives lower-case names with dashes, the body's own headers as the
    server announces them, and never Proxy"""
    equal(lua(HEADERS, [
        ("HTTP_HOST", "h"), ("HTTP_X_A_B", "1"), ("HTTP_X_EMPTY", ""),
        ("HTTP_PROXY", "evil"), ("HTTP_CONTENT_LENGTH", "99"),
        ("HTTP_CONTENT_TYPE", "a/b"), ("CONTENT_TYPE", "c/d"),
        ("HTTP_", "none"), ("XHTTP_A", "none"), ("http_b", "none")],
        body="abc"),
        "content-length: 3\ncontent-type: c/d\nhost: h\nx-a-b: 1\n"
        "x-empty: \n")
    equal(lua(HEADERS, [("HTTP_HOST", "h"), ("CONTENT_TYPE", ""),
                        ("CONTENT_LENGTH", ""), ("HTTP_CONTENT_TYPE", "a/b"),
                        ("HTTP_CONTENT_LENGTH", "3")]), "host: h\n")


@test
def pairs_of_headers():
    """pairs() gives lower-case names with dashes, and never Proxy"""
    got = lua(HEADERS, [("HTTP_HOST", "h"), ("HTTP_X_A_B", "1"),
                        ("HTTP_X_EMPTY", ""), ("HTTP_PROXY", "evil"),
                        ("CONTENT_TYPE", "c/d")], body="abc", keep=True)
    equal(re.sub("x-lua: .*\n", "", got),
          "content-length: 3\ncontent-type: c/d\nhost: h\nx-a-b: 1\n"
          "x-empty: \n")


@test
def repeated_headers():
    """what comes several times is one value, joined; many cost no more"""
    equal(lua("return text(env.headers['x-a'])",
              [("HTTP_X_A", "1"), ("HTTP_X_A", "2")]), "1, 2")
    n = 1000 if PROTOCOL == FCGI else 90
    params = [("HTTP_X_%d" % i, "v") for i in range(n)]
    equal(lua("local n = 0 for name in pairs(env.headers) do "
              "if name:find('^x%-%d') then n = n + 1 end end "
              "return text(tostring(n))", params), str(n))


@test
def once_in_a_request():
    """the table is made once in a request, and another in the next"""
    equal(lua("kept = env.headers return text(tostring(kept == env.headers))",
              [("HTTP_X_A", "1")]), "true")
    equal(lua("return text(tostring(kept == env.headers))",
              [("HTTP_X_A", "2")]), "false")
    equal(lua("return text(kept['x-a'])"), "1", "the old one stays")
    equal(lua("last = env return text('')"), "")
    d.expect("the request is over")
    for name in ("headers", "cookies"):
        mark = d.log_mark()
        equal(d.lua("return text(last.%s)" % name).status, 500)
        d.wait_log("the request is over", mark)


@test
def cookies():
    """of a name the first value counts, over all headers Cookie; quotes are
    taken off, nothing else is decoded"""
    show = "local c = env.cookies return text(tostring(c.a) .. '|' .. " \
        "tostring(c.b))"
    for given, wanted in (([], "nil|nil"), (["a=1"], "1|nil"),
                          (["a=1; b=2; a=3"], "1|2"),
                          (["a=1", "a=2", "b=3"], "1|3"),
                          (['a="x y"; b=%41+'], "x y|%41+"),
                          (["a=b=c; ;;=;b"], "b=c|nil"),
                          (["a=\xff"], "\xff|nil"),
                          *([(["a=\0\xff"], "\0\xff|nil")]
                            if PROTOCOL == FCGI else [])):
        got = lua(show, [("HTTP_COOKIE", c.encode("latin-1")) for c in given])
        equal(got, wanted, given)


@test(over=FCGI, because="a web server says whether it was https")
def secure_by_default():
    """a cookie is Secure unless its request came over http"""
    write = "return text(require('fpm').cookie.write('a', 'b'))"
    for params, secure in (([("HTTPS", "on")], True),
                           ([("HTTPS", "off")], False),
                           ([("HTTPS", "")], False), ([], False),
                           ([("REQUEST_SCHEME", "https")], True),
                           ([("REQUEST_SCHEME", "http")], False)):
        equal("; Secure" in lua(write, params), secure, params)
    with Daemon(app="""
local cookie = require "fpm.cookie"
local made = cookie.write("a", "b")
return { accept = function() return {}, made end }""") as other:
        assert b"; Secure" in other.fetch().body, "there is no request"


@test(over=FCGI, because="no query of HTTP has a CR")
def splitting():
    """what a client sends cannot split the response by way of the library"""
    d.expect("value has the byte", "location has the byte")
    for code in ("cookie.write('a', env.QUERY_STRING)",
                 "http.redirect(env.QUERY_STRING).Location"):
        mark = d.log_mark()
        r = d.lua("local fpm = require 'fpm' local cookie, http = fpm.cookie, "
                  "fpm.http return { ['X-A'] = %s }" % code,
                  params=[("QUERY_STRING", "x\r\nSet-Cookie: a=b")])
        equal((r.status, r.header("Set-Cookie")), (500, []))
        d.wait_log(r"request:1: fpm\.\S+ (value|location) has the byte 0x0d at "
                   "byte 2", mark)


run(60, over=BOTH)
