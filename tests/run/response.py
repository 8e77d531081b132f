#!/usr/bin/env python3
"""What `accept` returns and what leaves for the web server."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

d = Daemon(workers={"mode": "static", "max": 1},
           timeouts={"read": "20s", "write": "20s", "stop": "10s"})


def lua(text, **q):
    r = d.lua(text, **q)
    assert r.complete != r.cut, "no END_REQUEST: %r" % r
    equal(r.protocol_status, None if r.cut else COMPLETE, "protocol status")
    return r


def is_500(text, said, **q):
    """Malformed: a neutral 500 for the client, the reason in the log."""
    mark = d.log_mark()
    d.expect(r" error \[pool www\] .*(?:%s)" % said)
    r = lua(text, uri="/malformed?x=1", **q)
    equal(r.status, 500, "status of " + text)
    assert len(r.body) < 200 and b"request" not in r.body, r
    line = d.wait_log(r"^\S+ error \[pool www\] \[pid \d+\] .*(?:" + said + ").*",
                      mark)[0]
    matches(r"GET /malformed\?x=1", line, "method and URI in the log")
    return r


@test
def starts():
    """the daemon starts and answers"""
    d.start()
    r = d.fetch()
    equal((r.status, r.body, r.app_status), (200, b"hello", 0))


@test
def example_of_the_contract():
    """headers with Status and a string body"""
    r = lua('return { ["Content-Type"] = "text/html", '
            'Status = { 200, "OK" } }, "<h1>Hello</h1>"')
    equal(r.status_line, "200 OK")
    equal(r.header("content-type"), ["text/html"])
    equal(r.body, b"<h1>Hello</h1>")
    equal(len(r.header("Status")), 1 if PROTOCOL == FCGI else 0)


@test
def status_forms():
    """every form of Status; without one 200; names without case"""
    for given, expected in (
            ("", "200 OK"), ("Status=404", "404 Not Found"),
            ("Status={418, 'I am a teapot'}", "418 I am a teapot"),
            ("Status={404}", "404 Not Found"),
            ("Status='503 Try Later'", "503 Try Later"),
            ("Status='201'", "201 Created"), ("status=202", "202 Accepted"),
            ("STATUS=500", "500 Internal Server Error"),
            ("Status=999", "999")):
        r = lua("return {%s}, 'x'" % given)
        equal(r.status_line.strip(), expected, given)
        equal((r.body, r.app_status), (b"x", 0), given)


@test
def location():
    """Location without Status is a 302, in any case of letters"""
    for given, expected in (
            ("Location='http://e.org/'", "302 Found"),
            ("LOCATION='/a'", "302 Found"), ("location='/a'", "302 Found"),
            ("Location='/a', ['X-A']=1, ['Set-Cookie']={'a', 'b'}",
             "302 Found"),
            ("Location='/a', Status=303", "303 See Other"),
            ("Location='/a', status='201'", "201 Created"),
            ("Location='/a', Status=200", "200 OK")):
        r = lua("return {%s}, 'x'" % given)
        equal((r.status_line, r.body), (expected, b"x"), given)


@test
def always_valid_cgi():
    """Status is sent even if none was given, and a type where a body could
    be, but none with 204 and 304"""
    for given, typed in (("return {}", True), ("return {}, ''", True),
                         ("return {}, function() end", True),
                         ("return {Status=204}", False),
                         ("return {Status=304}", False),
                         ("return {Location='/'}", False)):
        r = lua(given)
        assert r.status_line, (given, r)
        equal(bool(r.header("Content-Type")), typed, given)
        equal(r.body, b"", given)
        assert r.out.endswith(b"\r\n\r\n") and r.out.count(b"\r\n\r\n") == 1
        assert b"\n" not in r.out.replace(b"\r\n", b""), "lines end in CRLF"


@test
def header_values():
    """values are strings, numbers, arrays of them (sent several times)"""
    r = lua('return {["X-I"]=42, ["X-F"]=1.5, ["X-S"]="a b", '
            '["Set-Cookie"]={"a=1", "b=2; Path=/"}, ["X-N"]={1, 2}, '
            '["X-Empty"]=""}, "x"')
    equal(r.header("X-I"), ["42"])
    equal(r.header("X-F"), ["1.5"])
    equal(r.header("X-S"), ["a b"])
    equal(r.header("Set-Cookie"), ["a=1", "b=2; Path=/"])
    equal(r.header("X-N"), ["1", "2"])
    matches(r"(?m)^X-Empty:\s*$", r.head.decode(), "empty value")


@test
def body_forms():
    """nothing, a string, an array, a function: all of them"""
    for given, expected in (
            ("return {}", b""), ("return {}, nil", b""),
            ("return {}, 'abc'", b"abc"), ("return {}, {}", b""),
            ("return {}, {'a', 'b', 'c'}", b"abc"),
            ("return {}, {'', 'b', ''}", b"b"),
            ("local n = 0 return {}, function() n = n + 1 "
             "if n <= 3 then return 'p' .. n end end", b"p1p2p3"),
            ("return {}, coroutine.wrap(function() for i = 1, 3 do "
             "coroutine.yield('c' .. i) end end)", b"c1c2c3"),
            ("local n = 0 return {}, function() n = n + 1 "
             "return ({'a', '', 'b'})[n] end", b"ab"),
            ("return {}, ('\\0\\1\\255'):rep(3)", b"\0\1\xff" * 3),
            ("return {}, {'\\0', 'x', '\\0'}", b"\0x\0")):
        r = lua(given)
        equal((r.status, r.body, r.app_status), (200, expected, 0), given)


@test
def large_body():
    """a body of some MB arrives whole, in every form"""
    for given in ("local s = ('0123456789abcde\\n'):rep(262144) "
                  "return {}, s",
                  "local t = {} for i = 1, 262144 do "
                  "t[i] = '0123456789abcde\\n' end return {}, t",
                  "local n = 0 return {}, function() n = n + 1 "
                  "return n <= 64 and ('0123456789abcde\\n'):rep(4096) "
                  "or nil end"):
        r = lua(given)
        assert r.body == b"0123456789abcde\n" * 262144, len(r.body)


@test
def length_is_added():
    """a body of known length gets a Content-Length"""
    for given, n in (("return {}, 'abc'", "3"),
                     ("return {}, {'ab', 'cde'}", "5")):
        equal(lua(given).header("Content-Length"), [n], given)
    equal(lua("return {['content-length']='3'}, 'abc'")
          .header("Content-Length"), ["3"])


@test
def streaming():
    """each string of a function leaves as it comes, the first at once"""
    gates = [d.gate() for _ in range(3)]
    with d.connect() as c:
        c.send(request(lua="local n = 0 return {}, function() n = n + 1 "
                       "if n > 1 then gate(({%s})[n - 1]) end "
                       "if n <= 3 then return 'piece' .. n end end" %
                       ", ".join('"%s"' % g.path for g in gates)))
        got = b""
        for n, gate in enumerate(gates, 1):
            while not got.endswith(b"piece%d" % n):
                got += c.piece()
            gate.wait()
            equal(c.buffer, b"", "nothing more before the gate is opened")
            gate.open()
        r = c.response()
        equal((r.app_status, r.out), (0, b""))
    matches(rb"^(Status:|HTTP/1\.1) 200 OK\r\n", got)


@test
def no_body_where_none_belongs():
    """HEAD, 204 and 304 carry no body; HEAD keeps its Content-Length"""
    r = lua("return {}, 'abc'", method="HEAD")
    equal((r.status, r.body, r.app_status), (200, b"", 0))
    equal(r.header("Content-Length"), ["3"])
    for status in (204, 304):
        r = lua("return {Status=%d}, 'abc'" % status)
        equal((r.status, r.body, r.app_status), (status, b"", 0))
    for given in ("HEAD", "GET"):
        lua("streamed = 0 return {}")
        r = lua("return {Status=%d}, function() streamed = streamed + 1 "
                "return 'x' end" % (200 if given == "HEAD" else 204),
                method=given)
        equal((r.body, r.app_status), (b"", 0))
        equal(lua("return {}, tostring(streamed)").body, b"0",
              "the function of a body nobody gets is not called")


@test
def content_length_given():
    """never more bytes than the Content-Length given; fewer: the response is
    cut"""
    r = lua("return {['Content-Length']=3}, 'abcdef'")
    equal(r.body, b"abc")
    for body in ("'abcdef'", "{'ab', 'cd', 'ef'}",
                 "coroutine.wrap(function() coroutine.yield('abcd') "
                 "coroutine.yield('efgh') end)"):
        r = lua("return {['Content-Length']=3}, " + body)
        equal((r.body, r.header("Content-Length")), (b"abc", ["3"]), body)
    d.expect(r"Content-Length|fewer|short|promised|bytes")
    for body in ("'ab'", "{'a', 'b'}",
                 "coroutine.wrap(function() coroutine.yield('ab') end)"):
        r = lua("return {['Content-Length']=3}, " + body)
        assert r.cut, (body, r)


@test
def malformed_returns():
    """what is no table of headers or no body is a 500, the log says what"""
    for given, said in (
            ("return", r"\bnil\b|nothing|no value"),
            ("return 7", "number"), ("return 'x'", "string"),
            ("return true, 'x'", "boolean"),
            ("return {}, true", "boolean"), ("return {}, {'a', {}}", "table"),
            ("return {}, {'a', true}", r"boolean"),
            ("return {}, {[1]='a', [3]='c', n=1}, 1", "")):
        if said:
            is_500(given, said)


@test
def malformed_headers():
    """a CR, LF or NUL, a name that is no token, a value of a wrong type"""
    for given, said in (
            (r"{['X-A']='a\nSet-Cookie: x=1'}", "X-A"),
            (r"{['X-A']='a\rb'}", "X-A"), (r"{['X-A']='a\0b'}", "X-A"),
            (r"{['X-A\nB']='x'}", "name|token"),
            (r"{['X A']='x'}", "name|token"),
            (r"{['X:A']='x'}", "name|token"),
            (r"{['']='x'}", "name|token"),
            (r"{['X-A']=true}", "boolean"),
            (r"{['X-A']={'a', {}}}", "table"),
            (r"{['X-A']={'a', 'b\nc'}}", "X-A"),
            (r"{[1]='x'}", "number|name"),
            (r"{['Content-Length']='abc'}", "Content-Length"),
            (r"{['Content-Length']=-1}", "Content-Length"),
            (r"{['Content-Length']={'1', '2'}}", "Content-Length"),
            (r"{Status={200, 'O\nK'}}", "[Ss]tatus|reason")):
        r = is_500("return %s, 'x'" % given, said)
        assert b"Set-Cookie" not in r.out and b"X-A" not in r.out, r


@test
def malformed_status():
    """a status outside 100..999 or that is no status"""
    for given in ("99", "1000", "0", "-200", "{}", "'abc'", "{'OK', 200}",
                  "true", "200.5", "'20'", "''"):
        is_500("return {Status=%s}, 'x'" % given, "[Ss]tatus")


@test
def error_in_accept():
    """an error is a 500 with a short neutral body; the traceback is in the
    log with pool, pid, request id, method and URI"""
    mark = d.log_mark()
    d.expect("the secret reason")
    r = lua("local function inner() error('the secret reason') end "
            "inner() return {}", uri="/broken?a=b", method="PUT", body="")
    equal(r.status, 500)
    assert b"secret" not in r.out and b"traceback" not in r.out, r
    assert 0 < len(r.body) < 200
    line = d.wait_log(r".*the secret reason.*", mark)[0]
    worker = d.workers()[0]
    matches(r"^\S+ error \[pool www\] \[pid %d\] " % worker, line)
    matches(r"\S+ PUT /broken\?a=b", line)
    matches(r"stack traceback", line)
    matches(r"inner", line, "the traceback names the function")
    equal(len([x for x in d.read_log(mark).splitlines()
               if "secret" in x]), 1, "one event is one line")


@test
def request_ids_differ():
    """every request has an id of its own, the one in the log"""
    d.expect("id is over")
    ids = set()
    for _ in range(3):
        mark = d.log_mark()
        lua("error('id is over')")
        line = d.wait_log(r".*id is over.*", mark)[0]
        ids.add(matches(r"\] (.*?) GET /", line)[1])
    equal(len(ids), 3, "ids %s" % ids)


@test
def error_values():
    """an error object of any type is a 500 and can be read in the log"""
    for given, said in (("error({})", "table"), ("error(nil)", "nil"),
                        ("error(setmetatable({}, {__tostring = function() "
                         "return 'shown by tostring' end}))",
                         "shown by tostring"),
                        ("error(42, 0)", "42"),
                        ("error(setmetatable({}, {__tostring = function() "
                         "error('no') end}))", "")):
        mark = d.log_mark()
        d.expect(r" error .*GET /errors")
        r = lua(given, uri="/errors")
        equal(r.status, 500, given)
        d.wait_log(r"error .*GET /errors.*" + said, mark)


@test
def stack_overflow_and_memory():
    """endless recursion is a 500 like any other error"""
    d.expect("stack overflow|C stack overflow")
    equal(lua("local function f() return 1 + f() end f()").status, 500)
    equal(lua("return {}, 'next'").body, b"next")


@test
def error_before_the_first_piece():
    """a body function that raises before its first string is a 500"""
    d.expect("no first piece")
    r = lua("return {}, function() error('no first piece') end")
    equal(r.status, 500)


@test
def error_after_the_header():
    """an error after the header was sent cuts the response"""
    d.expect("no second piece", "boolean|string")
    for last, said in (("error('no second piece')", "no second piece"),
                       ("return true", "boolean")):
        mark = d.log_mark()
        r = lua("local n = 0 return {}, function() n = n + 1 "
                "if n == 1 then return 'first' end %s end" % last)
        equal((r.status, r.body), (200, b"first"))
        assert r.cut, r
        d.wait_log(r"error .*" + said, mark)


@test
def log_is_not_forged():
    """bytes of a request cannot forge a line of the log"""
    mark = d.log_mark()
    d.expect("forged")
    lua("error('forged\\n2026-01-01T00:00:00 alert fake')",
        uri="/a\n2026 alert [pool www] forged \x1b[31m\0" if PROTOCOL == FCGI
        else "/a%0a2026%20alert%20[pool%20www]%20forged%20%1b[31m")
    d.wait_log("error .*forged", mark)
    for line in d.read_log(mark).splitlines():
        matches(r"^\d{4}-\d\d-\d\dT[\d:.]+\S* \w+ ", line)
        assert "\x1b" not in line and "\0" not in line, line


def large_head(daemon, n, body="'x'", **q):
    """A response whose head has n bytes."""
    bare = len(daemon.lua("return {['X-Large']=''}, " + body, **q).head) + 4
    return daemon.lua("return {['X-Large']=('x'):rep(%d)}, %s" %
                      (n - bare, body), **q)


@test
def large_heads():
    """a head above limits.response_head, 15K by default, is a 500 that the
    log explains; nothing of it is sent, and the connection is kept"""
    d.expect("limits.response_head")
    for body, q in (("'x'", {}), ("{ 'x', 'y' }", {}), ("nil", {}),
                    ("('x'):rep(100000)", {}), ("'x'", {"method": "HEAD"}),
                    ("coroutine.wrap(function() coroutine.yield('x') end)",
                     {})):
        r = large_head(d, 15 * 1024, body, **q)
        equal((r.status, len(r.head) + 4), (200, 15 * 1024), body)
        mark = d.log_mark()
        r = large_head(d, 15 * 1024 + 1, body, uri="/large", **q)
        equal((r.status, r.app_status), (500, 0), body)
        assert b"xxx" not in r.out, r
        d.wait_log(r"error \[pool www\] .*/large: the head of the response "
                   r"has 15361 bytes, more than limits\.response_head "
                   r"\(15K\)$", mark)
    with d.connect() as c:
        equal(c.ask(lua="return {['X-Large']=('x'):rep(20000)}, 'x'",
                    keep=True).status, 500)
        equal(c.ask(keep=True).body, b"hello")


@test
def limit_of_heads():
    """limits.response_head is what the configuration says, 0 is no limit, and
    what can serve nothing is refused"""
    with Daemon(limits={"response_head": "2K"}) as other:
        other.expect("limits.response_head")
        equal(large_head(other, 2048).status, 200)
        equal(large_head(other, 2049).status, 500)
        other.wait_log(r"2049 bytes, more than limits\.response_head "
                       r"\(2K\)")
    with Daemon(limits={"response_head": 0}) as other:
        r = large_head(other, 3000000)
        equal((r.status, len(r.head) + 4), (200, 3000000))
    bad = Daemon(limits={"response_head": 1023})
    bad.write_conf()
    done = tool("-t", "-c", bad.file)
    equal(done[0], 78)
    matches(r"limits\.response_head is neither 0 nor at least 1K", done[2])
    bad.destroy()


@test
def errors_write():
    """env.errors:write goes to the log with the pool, not to the client"""
    mark = d.log_mark()
    d.expect("complaint")
    r = lua("env.errors:write('complaint ', 1, '\\n') return {}, 'x'")
    equal((r.body, r.errors), (b"x", b""))
    d.wait_log(r"\[pool www\] \[pid \d+\] .*complaint 1", mark)


@test(over=FCGI, because="HTTP has no stream for errors")
def errors_to_server():
    """errors_to_server = true sends env.errors as FCGI_STDERR too"""
    with Daemon(errors_to_server=True) as other:
        other.expect("complaint")
        r = other.lua("env.errors:write('complaint\\n') return {}, 'x'")
        equal((r.body, r.errors, r.app_status), (b"x", b"complaint\n", 0))
        r = other.lua("return {}, 'x'")
        equal((r.body, r.errors), (b"x", b""))
        # a line without its end is complained of behind the longest response
        for body in "('x'):rep(100000)", "{ ('x'):rep(50000), ('x'):rep(50000) }":
            r = other.lua("env.errors:write('complaint') return {}, " + body)
            equal((len(r.body), r.errors, r.app_status),
                  (100000, b"complaint\n", 0))


@test
def long_with_lengths():
    """long bodies, as long as their Content-Length, longer and shorter: what
    is whole, cut or missing is seen"""
    d.expect("longer than its Content-Length", "shorter than its Content-Leng")
    for body in "('x'):rep(100000)", "{ ('x'):rep(99999), 'x' }", \
            "{ 'x', ('x'):rep(99999), '' }":
        for length, n, short in (100000, 100000, False), \
                (70000, 70000, False), (200000, 100000, True):
            r = lua("return { ['Content-Length'] = %d }, %s" % (length, body))
            equal((len(r.body), r.cut), (n, short))


run(90, over=BOTH)
