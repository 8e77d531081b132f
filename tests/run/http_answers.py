#!/usr/bin/env python3
"""HTTP over a socket: answers, their framing, and what becomes of the
connection."""

import os
import sys
from email.utils import parsedate_to_datetime

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from http_raw import *

PARKED = 65536  # http.request_buffer
d = HttpDaemon(limits={"body": "100M"})
READ = "return text(env.input:read('a'))"
UNREAD = "return text('unread')"
SIZE = "local s = env.input:read('a') return text(#s .. ' ' .. "\
    "tostring(env.CONTENT_LENGTH))"


@test
def starts():
    """the daemon starts"""
    d.start()
    for address in (d.tcp, d.unix):
        with d.talk(address) as c:
            r = c.fetch()
            equal((r.status, r.reason, r.body), (200, "OK", b"hello"))
            sent = parsedate_to_datetime(r.one("Date")).timestamp()
            assert abs(sent - time.time()) < PATIENCE, r
            equal(r.one("Content-Type"), "text/plain")


# ---- 100-continue -----------------------------------------------------------


EXPECT = "Expect: 100-continue\r\n"


@test
def continue_at_once():
    """a body that will be waited for is asked for at once, with a length and
    in chunks"""
    for head, body in (("Content-Length: 5\r\n", b"hello"),
                       ("Content-Length: %d\r\n" % PARKED, b"x" * PARKED),
                       ("Transfer-Encoding: chunked\r\n",
                        b"5\r\nhello\r\n0\r\n\r\n")):
        for expect in (EXPECT, EXPECT.lower(), EXPECT.upper()):
            with d.talk() as c:
                c.ask(READ, method="POST", head=head + expect)
                c.interim()
                c.send(body)
                r = c.whole()
                assert r.status == 200 and r.body in body, r
                equal(c.fetch().body, b"hello", "the next request")


@test
def continue_when_read():
    """a longer body is asked for when the application first reads"""
    with d.talk() as c:
        gate = d.gate()
        c.ask(gate.lua + SIZE, method="POST", head=EXPECT +
              "Content-Length: 1000000\r\n")
        gate.wait()
        assert not c.has(), "asked for before it is read"
        gate.open()
        c.interim()
        c.send(b"x" * 1000000)
        equal(c.whole().body, b"1000000 1000000")
        equal(c.fetch().body, b"hello", "the next request")


@test
def continue_too_late():
    """a body that is first read when the response has begun is not asked for:
    nothing may stand in the middle of that"""
    with d.talk() as c:
        gate = d.gate()
        c.ask(gate.lua + """
            local at = 0
            return {}, function()
                at = at + 1
                if at == 1 then return "first" end
                if at == 2 then return #env.input:read("a") end
            end""", method="POST", head=EXPECT +
              "Content-Length: 1000000\r\n")
        gate.wait()
        sender = Background(c.send, b"x" * 1000000)
        gate.open()
        equal(refused(c, 200).body, b"first1000000")
        sender.result()


@test
def continue_never():
    """one that is never read is never asked for, and the connection ends"""
    with d.talk() as c:
        c.ask(UNREAD, method="POST", head=EXPECT +
              "Content-Length: 1000000\r\n")
        equal(refused(c, 200).body, b"unread")


@test
def continue_needless():
    """none for a body that has come, for a request without one, for one of
    HTTP/1.0, and after an error"""
    with d.talk() as c:
        c.send(get(READ, method="POST", head=EXPECT, body=b"hello"))
        equal(c.whole().body, b"hello")
        c.send(get(head=EXPECT))
        equal(c.whole().body, b"hello")
    with d.talk() as c:
        c.ask(READ, method="POST", version="1.0",
              head=EXPECT + "Content-Length: 5\r\n")
        c.send(b"hello")
        equal(c.whole().body, b"hello")


@test
def continue_while_parked():
    """a client that was asked for its body holds no worker"""
    with d.talk() as c:
        c.ask(READ, method="POST", head=EXPECT + "Content-Length: 5\r\n")
        c.interim()
        equal(d.ask().body, b"hello", "another client")
        c.send(b"hel")
        equal(d.ask().body, b"hello", "another client")
        c.send(b"lo")
        equal(c.whole().body, b"hello")


# ---- answers without a body -------------------------------------------------


@test
def heads():
    """HEAD: what GET says of it, and no body"""
    for lua in ("return text('hello')", "return text()",
                "return { ['Content-Length'] = 5 }, 'hello'",
                "local n = 0 return text(function() n = n + 1 return "
                "n < 3 and 'ab' or nil end)", "return text({'a', 'b'})"):
        with d.talk() as c:
            r = c.fetch(lua, method="HEAD")
            g = c.fetch(lua)
            drop = ("Date", "Transfer-Encoding", "Content-Length")
            equal([h for h in r.headers if h[0] not in drop],
                  [h for h in g.headers if h[0] not in drop], lua)
            assert r.length in (None, g.length), (r, g)
            if lua != "return text()":  # it may leave the body out for HEAD
                equal(r.length, g.length, lua)


@test
def bodiless():
    """1xx of an application is refused; 204, 205 and 304 have no body, and
    the connection goes on"""
    for status in (204, 205, 304):
        for body in ("'body'", "nil", "function() return 'x' end"):
            for method in ("GET", "HEAD"):
                with d.talk() as c:
                    r = c.fetch("return { Status = %d, ETag = '\"e\"' }, %s" %
                                (status, body), method=method)
                    equal((r.status, r.body, r.one("ETag")),
                          (status, b"", '"e"'))
                    if status == 205 and method == "GET":
                        equal((r.length, r.chunked), (0, False))
                    equal(r.one("Content-Type"), None)
                    equal(c.fetch().body, b"hello", "the next one")
    d.expect("no whole response")
    for status in (100, 101, 199):
        with d.talk() as c:
            equal(c.fetch("return { Status = %d }, 'x'" % status).status, 500)


@test
def not_modified():
    """a 304 may say how long the body would be"""
    with d.talk() as c:
        r = c.fetch("return { Status = 304, ['Content-Length'] = 1000 }")
        equal((r.status, r.body), (304, b""))
        assert r.length in (None, 1000), r
        equal(c.fetch().body, b"hello")


# ---- chunks -----------------------------------------------------------------


@test
def chunked_requests():
    """a chunked body that was waited for has a length; a longer one has
    none; both arrive whole, and trailers are dropped"""
    noise = random.Random(12)
    for size in (0, 1, 1000, PARKED - 5000, PARKED + 5000, 3000000):
        data = noise.randbytes(size)
        pieces, at = [], 0
        while at < size:
            n = noise.choice((1, 7, 255, 4096, 16384, 70000))
            pieces.append(data[at:at + n])
            at += n
        body = b"".join(b"%x;q=\"a b\"\r\n%s\r\n" % (len(p), p) if i % 9 == 0
                        else b"%04X\r\n%s\r\n" % (len(p), p)
                        for i, p in enumerate(pieces))
        body += b"0\r\nX-Lua: return text('trailer')\r\nHost: evil\r\n" \
            b"Content-Length: 7\r\n\r\n"
        with d.talk() as c:
            # Some at a time, since extensions are limited.
            sender = Background(c.send, get(
                "local s = env.input:read('a') return { ['X-Length'] = "
                "tostring(env.CONTENT_LENGTH), ['X-Coding'] = tostring("
                "env.HTTP_TRANSFER_ENCODING), ['X-Host'] = env.HTTP_HOST }, s",
                method="POST", head="Transfer-Encoding: chunked\r\n") + body)
            r = c.whole()
            sender.result()
            assert r.body == data, (size, len(r.body))
            equal(r.one("X-Host"), "localhost")
            if size < PARKED or size > 2 * PARKED:  # it may come at once
                equal(r.one("X-Length"), str(size) if size < PARKED else
                      "nil")
            equal(c.fetch().body, b"hello", "the next request")


@test
def chunked_answers():
    """a body of unknown length comes in chunks, or to a client of HTTP/1.0
    until the end of the connection; a known length is said"""
    lua = "local n = 0 return text(function() n = n + 1 return n <= 5 and "\
        "tostring(n):rep(n * 1000) or nil end)"
    want = b"".join(b"%d" % n * (n * 1000) for n in range(1, 6))
    with d.talk() as c:
        r = c.fetch(lua)
        equal((r.chunked, r.length, r.body), (True, None, want))
        equal(c.fetch().body, b"hello")
    with d.talk() as c:
        r = c.fetch(lua, version="1.0", head="Connection: keep-alive\r\n")
        equal((r.chunked, r.length, r.closes, r.body),
              (False, None, True, want))
    for body in ("'hello'", "{'he', 'llo'}", "''", "nil"):
        r = d.ask("return text(%s)" % body)
        equal(r.chunked, False, body)
        equal(r.length, len(r.body), body)
    r = d.ask("return text(function() end)")
    equal((r.body, r.whole), (b"", True))


@test
def empty_pieces():
    """an empty piece does not end a chunked body"""
    r = d.ask("local t, n = {'a', '', 'b', '', '', 'c'}, 0 return text("
              "function() n = n + 1 return t[n] end)")
    equal(r.body, b"abc")


# ---- pipelining -------------------------------------------------------------


@test
def pipelined():
    """50 requests in one packet, with bodies of all sorts between them, are
    answered in order"""
    for close in (False, True):
        data, want = b"", []
        for n in range(50):
            word = b"%d" % n * (n % 7 + 1)
            how = {"head": "Connection: close\r\n"} if close and n == 49 \
                else {}
            if n % 5 == 1:
                data += get(READ, method="POST", body=word, **how)
            elif n % 5 == 2:
                data += get(READ, method="PUT", chunked=[word[:1], word[1:]]
                            if word[1:] else [word], **how)
            elif n % 5 == 3:  # a body that is not read
                data += get("return text('%s')" % word.decode(),
                            method="POST", body=b"GET / HTTP/1.1\r\n\r\n",
                            **how)
            else:
                data += get("return text('%s')" % word.decode(), **how)
            want.append(word)
        with d.talk() as c:
            c.send(data)
            equal([c.whole().body for _ in range(50)], want)
            if close:
                closed(c)
        with d.talk() as c:
            sender = Background(c.drip, data, 7)
            equal([c.whole().body for _ in range(50)], want)
            sender.result()


@test
def pipelined_behind_a_large_body():
    """a request behind a body that is streamed, read or not"""
    for lua in (SIZE, "return text(#env.input:read(1000) .. '')"):
        with d.talk() as c:
            sender = Background(c.send, get(lua, method="POST",
                                            body=b"x" * 200000) +
                                get("return text('next')"))
            r = c.whole()
            assert r.body in (b"200000 200000", b"1000"), r
            if r.says() == "close":
                closed(c)
            else:
                equal(c.whole().body, b"next")
            with contextlib.suppress(OSError):
                sender.result()


@test
def pipelined_behind_a_close():
    """what comes behind the last request is not served"""
    before = d.requests()
    with d.talk() as c:
        c.send(get(head="Connection: close\r\n") + get() * 10)
        equal(refused(c, 200).body, b"hello")
    equal(d.requests(), before + 2)


# ---- the connection ---------------------------------------------------------


@test
def kept_or_not():
    """a connection is kept, and the answer says so, as the request asked"""
    for version, asked, kept, says in (
            ("1.1", None, True, None), ("1.1", "close", False, "close"),
            ("1.1", "keep-alive", True, None),
            ("1.1", "Close", False, "close"),
            ("1.1", "foo, close", False, "close"),
            ("1.1", "close, keep-alive", False, "close"),
            ("1.1", "foo", True, None), ("1.0", None, False, "close"),
            ("1.0", "keep-alive", True, "keep-alive"),
            ("1.0", "Keep-Alive", True, "keep-alive"),
            ("1.0", "close", False, "close"),
            ("1.0", "keep-alive, close", False, "close"),
            ("1.2", None, True, None)):
        head = "Connection: %s\r\n" % asked if asked else ""
        what = "%s %s" % (version, asked)
        with d.talk() as c:
            r = c.fetch(version=version, head=head)
            equal(r.body, b"hello", what)
            assert r.says() in (says, says if not kept else "keep-alive"), \
                (what, r)
            if kept:
                equal(c.fetch().body, b"hello", what)
            else:
                closed(c, what)


@test
def two_lines():
    """Connection in two lines is one list"""
    with d.talk() as c:
        equal(c.fetch(head="Connection: foo\r\nConnection: close\r\n").body,
              b"hello")
        closed(c)


@test
def many_requests():
    """http.keepalive_requests: the last answer says close"""
    with HttpDaemon(http={"keepalive_requests": 3}) as d:
        with d.talk() as c:
            c.send(get() * 5)
            for _ in range(2):
                equal(c.whole().says(), None)
            equal(refused(c, 200).body, b"hello")
        with d.talk() as c:
            for _ in range(2):
                equal(c.fetch().says(), None)
            c.ask()
            refused(c, 200)


@test
def closed_by_the_application():
    """Connection: close of the application is honoured"""
    for lua in ("return { Connection = 'close' }, 'bye'",
                "return { connection = 'Close' }, 'bye'"):
        with d.talk() as c:
            c.ask(lua)
            equal(refused(c, 200).body, b"bye")


@test
def hop_by_hop():
    """other fields of the connection from the application: 500, a line in the
    log that names them, and nothing of it is sent"""
    d.expect("Connection|Transfer-Encoding|Keep-Alive|Upgrade|TE|Trailer|"
             "Proxy")
    for name, value in (("Connection", "X-A"), ("Connection", "upgrade"),
                        ("Connection", "close, X-A"),
                        ("Transfer-Encoding", "chunked"),
                        ("transfer-encoding", "gzip"),
                        ("Keep-Alive", "timeout=5"), ("Upgrade", "h2c"),
                        ("TE", "trailers"), ("Trailer", "X-A"),
                        ("Proxy-Connection", "close")):
        mark = d.log_mark()
        with d.talk() as c:
            r = c.fetch("return { ['%s'] = '%s' }, 'secret'" % (name, value))
            equal(r.status, 500, name)
            assert b"secret" not in r.body and value not in str(r.headers), r
        d.wait_log("(?i) error .*" + name, mark)
    with d.talk() as c:
        r = c.fetch("return { Connection = 'keep-alive' }, 'x'")
        equal((r.status, r.says()), (200, None), "which is meant anyway")


# ---- targets ----------------------------------------------------------------


WHERE = "return text(table.concat({env.REQUEST_METHOD, env.HTTP_HOST or '-', "\
    "env.SCRIPT_NAME .. (env.PATH_INFO or ''), env.QUERY_STRING}, ' '))"


@test
def targets():
    """absolute targets, whose host wins; OPTIONS *; the path is decoded once
    and dot segments are resolved"""
    for target, host, want in (
            ("/a/b?c=%20", "localhost", "GET localhost /a/b c=%20"),
            ("http://example.org/a?b", "localhost", "GET example.org /a b"),
            ("http://example.org:81/a", "x:1", "GET example.org:81 /a "),
            ("HTTP://example.org", "localhost", "GET example.org / "),
            ("http://example.org?b", "localhost", "GET example.org / b"),
            ("/a%20b", "localhost", "GET localhost /a b "),
            ("/a%2541", "localhost", "GET localhost /a%41 "),
            ("/a/../b/./c", "localhost", "GET localhost /b/c "),
            ("//a///b/", "localhost", "GET localhost /a/b/ "),
            ("/a?%zz&\\|{}", "localhost", "GET localhost /a %zz&\\|{}"),
            ("/a?b?c", "[::1]:80", "GET [::1]:80 /a b?c")):
        with d.talk() as c:
            r = c.fetch(WHERE, target=target, host=host)
            equal(r.text, want, target)
    for target, host in (("*", "localhost"), ("http://a.b", "a.b")):
        with d.talk() as c:
            r = c.fetch(WHERE, target=target, method="OPTIONS")
            equal(r.text, "OPTIONS %s * " % host)
    with d.talk() as c:
        r = c.fetch(WHERE, version="1.0", host=None)
        equal(r.text, "GET - / ")


@test
def fields():
    """what is said twice is one value; names with an underscore and Proxy
    are left out"""
    with d.talk() as c:
        r = c.fetch("return text(table.concat({env.HTTP_A, env.HTTP_COOKIE, "
                    "tostring(env.HTTP_A_B), tostring(env.HTTP_PROXY), "
                    "tostring(env.HTTP_LUA)}, '|'))",
                    head="A: 1\r\na:\t 2 \r\nCookie: b=1\r\nCookie: c=2\r\n"
                    "A_B: 3\r\nProxy: 4\r\nA.B: 5\r\n")
        equal(r.text, "1, 2|b=1; c=2|nil|nil|nil")


@test
def methods():
    """any token is a method, and its case matters"""
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS",
                   "TRACE", "PROPFIND", "get", "M-SEARCH", "a!#$%&'*+.^_`|~"):
        equal(d.ask("return text(env.REQUEST_METHOD)", method=method).text,
              method)


# ---- what is cut ------------------------------------------------------------


@test
def shorter():
    """an answer shorter than announced is cut, never padded; one without a
    length lacks its last chunk; to HTTP/1.0 it ends in a reset"""
    d.expect("shorter than|on purpose")
    with d.talk() as c:
        c.ask("return { ['Content-Length'] = 100 }, coroutine.wrap(function()"
              " coroutine.yield('some') end)")
        r = c.reply()
        equal((r.status, r.whole), (200, False))
        assert b"some".startswith(r.body), r
    for size in (1, 10000, 300000):
        broken = "return {}, coroutine.wrap(function() coroutine.yield(" \
            "('x'):rep(%d)) error('on purpose') end)" % size
        for body in (None, b"x" * 500000):  # which is not read
            with d.talk() as c:
                sender = Background(c.send, get(broken, body=body))
                r = c.reply()
                equal((r.status, r.chunked, r.whole), (200, True, False))
                with contextlib.suppress(OSError):
                    sender.result()
            with d.talk() as c:
                sender = Background(c.send, get(broken, body=body,
                                                version="1.0"))
                try:
                    c.reply()
                except (ConnectionResetError, AssertionError):
                    pass  # a reset may overtake what was sent
                else:
                    raise AssertionError("looks whole")
                with contextlib.suppress(OSError):
                    sender.result()


@test
def longer():
    """an answer longer than announced: no more than that is sent, and the
    connection is in step or closed"""
    d.expect("longer than its Content-Length")
    for body in ("'0123456789'", "{'01234', '56789'}",
                 "coroutine.wrap(function() coroutine.yield('01234') "
                 "coroutine.yield('56789') end)"):
        with d.talk() as c:
            r = c.fetch("return { ['Content-Length'] = 5 }, " + body)
            equal((r.status, r.body), (200, b"01234"), body)
            if r.says() != "close":
                with contextlib.suppress(BrokenPipeError,
                                         ConnectionResetError):
                    c.ask()
                if c.has(PATIENCE) and not c.over:
                    equal(c.whole().body, b"hello")


@test
def splitting():
    """CR or LF in a header of the application never reaches the client"""
    d.expect("header")
    for bad in ("a\\r\\nX: y", "a\\nX: y", "a\\rX: y", "a\\0b"):
        r = d.ask("return { ['X-A'] = '%s' }, 'x'" % bad)
        equal((r.status, r.header("X"), r.header("X-A")), (500, [], []))


@test
def leaves_early():
    """clients that leave in any place harm nobody"""
    whole = get(READ, method="POST", body=b"hello" * 100)
    for n in range(0, len(whole) + 1, 5):
        for address in (d.tcp, d.unix):
            with d.talk(address) as c:
                c.send(whole[:n])
                if n % 2:
                    c.reset()
    with d.talk(d.unix) as c:
        c.send(whole)
        c.sock.shutdown(socket.SHUT_WR)
        equal(c.whole().body, b"hello" * 100,
              "who has said all may say that it has")


run(120, over=FCGI)  # once
