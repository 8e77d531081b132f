#!/usr/bin/env python3
"""HTTP over a socket: what is malformed is answered as the table of
lua-fpm-http(7) says, whole, byte by byte and with a large body behind it, and
the application never sees it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from http_raw import *

BODY_LIMIT = 200000
BEHIND = b"x" * (1 << 20)  # more than the buffers of a socket hold
d = HttpDaemon(limits={"body": "%d" % BODY_LIMIT})
served = 0  # requests that the application was meant to see


def line(text):
    """A request with that line."""
    return text + b"\r\nHost: localhost\r\n\r\n"


def field(*lines):
    """A request with those lines in its head, which is good without."""
    return b"POST / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(
        f + b"\r\n" for f in lines) + b"\r\n"


def chunks(data):
    """A request with that as its chunked body."""
    return field(b"Transfer-Encoding: chunked") + data


def rows(*table):
    """Each (status, what is sent): as a whole, with a large body behind it
    that can be sent without a reset, and byte by byte."""
    wrong = []
    for status, data in table:
        for how, address, send in (
                ("whole", d.tcp, Talk.send),
                ("by bytes", d.unix, lambda c, data: c.bytewise(
                    data, 1 if len(data) < 4000 else 61)),
                ("before a body", d.tcp, lambda c, data: c.send(
                    data + BEHIND))):
            try:
                with d.talk(address) as c:
                    send(c, data)
                    refused(c, status)
            except (AssertionError, OSError) as e:
                wrong.append("%r, %s: %r" % (data[:100], how, e))
    equal(wrong, [])
    honest()


def honest():
    """A good request is answered, and it is the first that the application
    sees since the last one."""
    global served
    before, served = served, d.requests() + 1
    equal(served, before + 1, "requests of the application")


@test
def starts():
    """the daemon starts, and what the tests build on is good as it is"""
    d.start()
    global served
    for good in (line(b"GET / HTTP/1.1"), field(b"Content-Length: 0"),
                 chunks(b"0\r\n\r\n"), chunks(b"0005;a=b\r\nhello\r\n"
                                              b"0\r\nX: y\r\n\r\n")):
        for size in (1, len(good)):
            with d.talk() as c:
                c.bytewise(good, size)
                equal(c.whole().body, b"hello")
            served += 1
    honest()


@test
def line_ends():
    """bare CR and bare LF"""
    rows((400, b"GET / HTTP/1.1\nHost: localhost\n\n"),
         (400, b"GET / HTTP/1.1\r\nHost: localhost\n\r\n"),
         (400, b"GET / HTTP/1.1\nHost: localhost\r\n\r\n"),
         (400, b"GET / HTTP/1.1\r\nHost: localhost\r\n\n"),
         (400, b"GET / HTTP/1.1\rHost: localhost\r\r\n\r\n"),
         (400, b"GET / HTTP/1.1\r\r\nHost: localhost\r\n\r\n"),
         (400, field(b"X: a\rb")), (400, field(b"X: a\nY: b")),
         (400, field(b"X: a\r")), (400, b"\n" + line(b"GET / HTTP/1.1")),
         (400, b"\r" + line(b"GET / HTTP/1.1")))


@test
def folded():
    """lines that continue the one before (obs-fold)"""
    rows((400, field(b"X: a", b" b")), (400, field(b"X: a", b"\tb")),
         (400, field(b"X:", b" a")), (400, field(b" X: a")),
         (400, b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n"))


@test
def names():
    """a name with a blank before the colon, none, or one that is no token"""
    rows((400, field(b"X : a")), (400, field(b"X\t: a")),
         (400, field(b": a")), (400, field(b"X")), (400, field(b"X y: a")),
         (400, field(b"X(y): a")), (400, field(b"X\xc3\xa4: a")),
         (400, field(b"X\x00: a")), (400, field(b'"X": a')),
         (400, field(b"X\x0b: a")), (400, field(b"X;: a")))


@test
def values():
    """NUL and other control characters in a value"""
    rows((400, field(b"X: a\x00b")), (400, field(b"X: \x01")),
         (400, field(b"X: a\x0bb")), (400, field(b"X: a\x0c")),
         (400, field(b"X: \x7f")))


@test
def request_lines():
    """a request line of bad form"""
    rows((400, line(b"GE(T / HTTP/1.1")), (400, line(b" / HTTP/1.1")),
         (400, line(b"GET  / HTTP/1.1")), (400, line(b"GET /  HTTP/1.1")),
         (400, line(b"GET\t/ HTTP/1.1")), (400, line(b"GET / HTTP/1.1 ")),
         (400, line(b" GET / HTTP/1.1")), (400, line(b"GET / HTTP/1.1\t")),
         (400, line(b"GET /a b HTTP/1.1")), (400, line(b"GET / HTTP/1.")),
         (400, line(b"GET / HTTP/1.1x")), (400, line(b"GET / http/1.1")),
         (400, line(b"GET / HTTP 1.1")), (400, line(b"GET / HTTP/11.1")),
         (400, line(b"G\x00T / HTTP/1.1")), (400, line(b"\x80 / HTTP/1.1")),
         (400, line(b"GET / HTTPS/1.1")), (400, line(b"GET")),
         (400, line(b'{"json": 1}')), (400, b"\x16\x03\x01\x02\x00\x01\x00"
                                            b"\x01\xfc\x03\x03" + b"\xaa" * 80
                                       + b"\r\n\r\n"))


@test
def targets():
    """a target of bad form"""
    rows((400, line(b"GET /a#b HTTP/1.1")), (400, line(b"GET /#  HTTP/1.1")),
         (400, line(b"GET /% HTTP/1.1")), (400, line(b"GET /%4 HTTP/1.1")),
         (400, line(b"GET /%zz HTTP/1.1")), (400, line(b"GET /%0g HTTP/1.1")),
         (400, line(b"GET /a%00b HTTP/1.1")), (400, line(b"GET /.. HTTP/1.1")),
         (400, line(b"GET /a/../../b HTTP/1.1")),
         (400, line(b"GET /%2e%2e/b HTTP/1.1")),
         (400, line(b"GET a HTTP/1.1")), (400, line(b"GET a/b HTTP/1.1")),
         (400, line(b"GET * HTTP/1.1")), (400, line(b"GET ?a HTTP/1.1")),
         (400, line(b"GET /\x00 HTTP/1.1")), (400, line(b"GET /\x7f HTTP/1.1")),
         (400, line(b"GET /\xc3\xa4 HTTP/1.1")),
         (400, line(b"GET http:///a HTTP/1.1")),
         (400, line(b"GET http:/a HTTP/1.1")),
         (400, line(b"GET http: HTTP/1.1")),
         (400, line(b"GET http://a:b/ HTTP/1.1")),
         (400, line(b"GET http://user@localhost/ HTTP/1.1")),
         (400, line(b"GET http://localhost/#b HTTP/1.1")),
         (400, line(b"GET localhost:80 HTTP/1.1")))


@test
def hosts():
    """Host missing, repeated or of bad form"""
    def head(*fields, version=b"1.1"):
        return b"GET / HTTP/%s\r\n%s\r\n" % (
            version, b"".join(b"Host: %s\r\n" % f for f in fields))
    rows((400, head()), (400, head(b"a", b"a")), (400, head(b"a", b"b")),
         (400, head(b"a", b"a", version=b"1.0")),
         *((400, head(h)) for h in (
             b"a b", b"a/b", b"user@a", b"a:b", b"a:80:80", b"[::1",
             b"::1", b"a?b", b"a#b", b"http://a", b"a\\b", b"<a>", b"a%zz",
             b"\xc3\xa4")),
         (400, head(b"a b", version=b"1.0")))


@test
def lengths():
    """Content-Length repeated, a list, signed, no number, too large"""
    rows(*((400, field(b"Content-Length: " + n) + b"x") for n in (
        b"", b"+1", b"-1", b"1,1", b"1, 1", b"1 1", b"0x1", b"1.0", b"1e0",
        b"one", b"\x011", b"9223372036854775807", b"18446744073709551617",
        b"99999999999999999999999999", b"1;1", b'"1"')),
        (400, field(b"Content-Length: 1", b"Content-Length: 1") + b"x"),
        (400, field(b"Content-Length: 1", b"Content-Length: 2") + b"x"),
        (400, field(b"Content-Length: 1", b"X: y", b"content-length: 1")))


@test
def codings():
    """Transfer-Encoding beside a length, in 1.0, twice, not last; framing by
    a name with an underscore"""
    te = b"Transfer-Encoding: "
    old = b"POST / HTTP/1.0\r\nHost: localhost\r\n"
    rows((400, field(te + b"chunked", b"Content-Length: 5") + b"0\r\n\r\n"),
         (400, field(b"Content-Length: 5", te + b"chunked") + b"0\r\n\r\n"),
         (400, old + te + b"chunked\r\n\r\n0\r\n\r\n"),
         (400, field(te + b"chunked, chunked") + b"0\r\n\r\n"),
         (400, field(te + b"chunked", te + b"chunked") + b"0\r\n\r\n"),
         (400, field(te + b"\x0bchunked") + b"0\r\n\r\n"),
         (400, field(te + b"chunked\x0c") + b"0\r\n\r\n"),
         (400, field(te) + b"0\r\n\r\n"),
         (400, field(b"Transfer_Encoding: chunked") + b"0\r\n\r\n"),
         (400, field(b"Content_Length: 1") + b"x"))


@test
def unknown_codings():
    """a transfer coding that is not known, and CONNECT"""
    te = b"Transfer-Encoding: "
    rows(*((501, field(te + c) + b"0\r\n\r\n") for c in (
        b"gzip", b"gzip, chunked", b"identity", b"xchunked", b"chunkedx",
        b"deflate, gzip, chunked")),
        (501, field(te + b"gzip", te + b"chunked") + b"0\r\n\r\n"),
        (501, b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n"))


@test
def bad_chunks():
    """chunks of bad form, and a bad trailer"""
    rows(*((400, chunks(c)) for c in (
        b"g\r\n", b"\r\n\r\n", b"-1\r\n", b"+1\r\nx\r\n", b"0x1\r\nx\r\n",
        b" 1\r\nx\r\n", b"1 \r\nx\r\n0\r\n\r\n", b"1\nx\r\n0\r\n\r\n",
        b"1\rx\r\n0\r\n\r\n", b"1\r\nxy\r\n", b"1\r\nx\n0\r\n\r\n",
        b"1\r\nx0\r\n\r\n", b"1\r\nx\r0\r\n\r\n", b"0\n\r\n", b"0\r\n\n",
        b"fffffffffffffffff\r\n", b"10000000000000000\r\n",
        b"ffffffffffffffff\r\n", b"1;a\nb\r\nx\r\n", b"1;a\x00\r\nx\r\n",
        b"1;a\rb\r\nx\r\n", b"0\r\nX\r\n\r\n", b"0\r\nX : y\r\n\r\n",
        b"0\r\nX: a\r\n b\r\n\r\n", b"0\r\n: y\r\n\r\n", b"0\r\nX: y\n\r\n",
        b"0\r\nX: a\x00\r\n\r\n")),
        (400, chunks(b"1;%s\r\nx\r\n" % (b"a" * 5000))),
        (400, chunks(b"1;aaaaaaaaaaaa\r\nx\r\n" * 500)))


@test
def bad_chunks_later():
    """chunks that turn bad behind what is waited for: the application that
    reads them gets an error, and its client a 400"""
    global served
    piece = b"4000\r\n%s\r\n" % (b"x" * 0x4000)
    for bad in (b"g\r\n", b"1\r\nxy", b"0\r\nX : y\r\n\r\n"):
        for size in (len(piece) * 11, 5000):
            with d.talk() as c:
                data = field(b"Transfer-Encoding: chunked", b"X-Lua: return "
                             b"text(env.input:read('a'))") + piece * 10 + bad
                sender = Background(c.drip, data + BEHIND[:100000], size)
                refused(c, 400, bad)
                with contextlib.suppress(OSError):
                    sender.result()
            served += 1
    honest()


@test
def versions():
    """another major version, the preface of HTTP/2, and no version at all"""
    rows((505, line(b"GET / HTTP/2.0")), (505, line(b"GET / HTTP/0.9")),
         (505, line(b"GET / HTTP/3.0")),
         (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
         (400, b"GET /\r\n"), (400, b"GET /\r\n\r\n"),
         (400, line(b"GET /")))


@test
def sizes():
    """a target over 8 KB; a head over limits.head or of too many lines"""
    many = [b"X-%d: y" % n for n in range(101)]
    rows((414, line(b"GET /%s HTTP/1.1" % (b"a" * 8200))),
         (414, line(b"GET /?%s HTTP/1.1" % (b"a" * 8200))),
         (431, field(b"X: " + b"y" * 66000)),
         (431, field(*(b"X-%d: %s" % (n, b"y" * 7000) for n in range(10)))),
         (431, field(*many)), (431, field(b"y" * 66000 + b": x")))
    global served
    with d.talk() as c:
        c.send(field(*many[:98]))
        equal(c.whole().status, 200)
        equal(c.fetch(target="/" + "a" * 8000).status, 200)
    served += 2
    honest()


@test
def too_much():
    """a body over limits.body: before it is read if its length is announced,
    and never a 100 for it"""
    rows((413, field(b"Content-Length: %d" % (BODY_LIMIT + 1))),
         (413, field(b"Content-Length: " + 18 * b"9")),
         (413, field(b"Content-Length: %d" % (BODY_LIMIT + 1),
                     b"Expect: 100-continue")))


@test
def too_much_in_chunks():
    """chunks that are too much together: 413, at once where they are waited
    for, else when the application has read that far"""
    global served
    piece = b"4000\r\n%s\r\n" % (b"x" * 0x4000)
    with d.talk() as c:
        c.send(field(b"Transfer-Encoding: chunked", b"X-Lua: return "
                     b"text(env.input:read('a'))") + piece * 20 +
               b"0\r\n\r\n")
        refused(c, 413)
    served = d.requests() + 1
    with HttpDaemon(limits={"body": "1000"}) as small:
        with small.talk() as c:
            c.send(chunks(b"3e8\r\n%s\r\n1\r\nx\r\n" % (b"x" * 1000)))
            refused(c, 413)
        with small.talk() as c:
            c.send(chunks(b"3e8\r\n%s\r\n0\r\n\r\n" % (b"x" * 1000)))
            equal(c.whole().body, b"hello")
        equal(small.requests(), 1, "requests of the application")


@test
def expectations():
    """Expect of something else than 100-continue"""
    rows((417, field(b"Expect: 200-ok")), (417, field(b"Expect: a=b")),
         (417, field(b"Expect: 100-continue, x", b"Content-Length: 1")))


@test
def upgrades():
    """upgrades that nobody knows are ignored; one with a body is refused"""
    global served
    for what in (b"h2c", b"TLS/1.0", b"foo, bar/2"):
        with d.talk() as c:
            c.send(field(b"Connection: Upgrade, HTTP2-Settings",
                         b"Upgrade: " + what, b"HTTP2-Settings: AAMAAABk"))
            equal(c.whole().body, b"hello")
            equal(c.fetch().body, b"hello")
        served += 2
    rows((400, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
               b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
               b"Content-Length: 5\r\n\r\nhello"))


@test
def lines_before():
    """an empty line or two before a request are nobody's fault (RFC 9112,
    2.2)"""
    global served
    with d.talk() as c:
        c.send(b"\r\n" + line(b"GET / HTTP/1.1") + b"\r\n" +
               line(b"GET / HTTP/1.1"))
        for _ in range(2):
            equal(c.whole().body, b"hello")
    served += 2
    honest()


@test
def late():
    """a head, a body and chunks that do not come in time: 408; a connection
    that sends nothing at all: closed without a word, and no line in the log"""
    with HttpDaemon(http={"read": "300ms"}) as d:
        mark = d.log_mark()
        with d.talk() as c, d.talk(d.unix) as local:
            closed(c, "silence")
            closed(local, "silence")
        equal(d.read_log(mark), "")
        whole = field(b"Content-Length: 5") + b"hello"
        parts = (whole[:1], whole[:30], whole[:-6], whole[:-1],
                 chunks(b"5\r\nhe"), chunks(b"5\r\nhello\r\n0\r\n"))
        conns = [d.talk() for _ in parts]
        for c, part in zip(conns, parts):
            c.send(part)
        for c, part in zip(conns, parts):
            with c:
                refused(c, 408, part)
        d.wait_log(" notice .*(time|late)", mark)
        equal(d.requests(), 0)


@test
def late_and_dribbling():
    """the time of a head is one time: bytes that go on coming do not make it
    longer"""
    with HttpDaemon(http={"read": "400ms"}) as d:
        with d.talk() as c:
            began = time.monotonic()
            for byte in field(b"X: " + b"y" * 10000):
                if c.has(0.02):
                    break
                c.send(bytes([byte]))
            refused(c, 408)
            took = time.monotonic() - began
            assert 0.3 < took < 10, took


@test
def logged():
    """what was malformed is in the log with the client's address, at most
    once a second"""
    def bad():
        with d.talk() as c:
            c.send(b"NONSENSE\r\n\r\n")
            refused(c, 400)
    mark, began = d.log_mark(), time.monotonic()
    until(lambda: bad() or " from 127.0.0.1: method that is" in
          d.read_log(mark))
    for _ in range(200):
        bad()
    took = time.monotonic() - began
    lines = re.findall(r"^.* notice .*$", d.read_log(mark), re.M)
    assert len(lines) <= took + 2, lines


run(150, over=FCGI)  # once
