#!/usr/bin/env python3
"""The upgrade to WebSocket: who gets one, who is refused with which status,
and who is served as if nothing had been asked."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from ws_daemon import *

d = WsDaemon()


@test
def upgrade():
    """101 with the key's answer, no extension, no length; then an echo that
    keeps the opcode"""
    d.start()
    with d.ws() as ws:
        equal(ws.ask("text"), "text")
        equal(ws.ask(b"\0\xff"), b"\0\xff")
        assert "sec-websocket-protocol" not in ws.headers, ws.headers
        equal(ws.finish(), 1000)


@test
def other_spellings():
    """names and values of the upgrade in any case, in lists, with blanks"""
    for headers in (
            {"Upgrade": "WebSocket", "Connection": "upgrade"},
            {"Connection": "keep-alive, Upgrade"},
            {"connection": "keep-alive,upgrade", "UPGRADE": "websocket"},
            {"Upgrade": "foo, websocket"},
            {"Sec-WebSocket-Key": "  dGhlIHNhbXBsZSBub25jZQ==  "},
            {"Content-Length": "0"},
            {"Sec-WebSocket-Extensions": "permessage-deflate"},
            {"Host": "EXAMPLE.com:8080",
             "Origin": "http://example.com:8080"}):
        key = headers.get("Sec-WebSocket-Key")
        with d.ws(headers=headers, key=key) as ws:
            equal(ws.ask("x"), "x", headers)


@test
def first_frame_with_the_upgrade():
    """frames that come in one packet with the upgrade are not lost, nor is
    the half of one"""
    message = frame(TEXT, b"early")
    with d.ws(early=message + frame(PING, b"p") + message) as ws:
        equal(ws.receive(), "early")
        equal(ws.receive(), "early")
    with d.ws(early=message[:4]) as ws:
        ws.raw(message[4:])
        equal(ws.receive(), "early")
    with d.ws(early=message + frame(CLOSE, closing(4000))) as ws:
        equal(ws.receive(), "early")
        equal(ws.event(), ("close", 4000, b""))
        equal(ws.event(), ("end",))
    large = frame(BINARY, b"x" * 40000)
    with d.ws(early=large + message) as ws:
        equal((ws.receive(), ws.receive()), (b"x" * 40000, "early"))


@test
def head_in_pieces():
    """an upgrade that comes byte by byte, its first frame close behind"""
    head, key = upgrade_request()
    with dial(d.web, PATIENCE) as sock:
        for byte in head[:-1]:
            sock.sendall(bytes([byte]))
        sock.sendall(head[-1:] + frame(TEXT, b"late"))
        status, headers, rest = read_head(sock)
        equal((status, headers["sec-websocket-accept"]), (101, accept_of(key)))
        reader = Reader()
        reader.feed(rest)
        while (event := reader.next()) is None:
            reader.feed(sock.recv(4096))
        equal(event, ("text", b"late"))


@test
def behind_a_request():
    """an upgrade on a connection that served a request before"""
    head, _ = upgrade_request()
    status, _, body, sock = d.get(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
    with sock:
        equal((status, body), (200, b"page /first"))
        sock.sendall(head)
        equal(read_head(sock)[0], 101)


@test
def what_open_sees():
    """open gets the request's environment; what it sends comes behind the
    101, before any answer"""
    with d.ws(path="/chat/room?x=1", early=frame(TEXT, b"echo"), headers={
            "Cookie": "a=b", "X-Lua": 'ws:send(table.concat({'
            'env.REQUEST_METHOD, env.SCRIPT_NAME .. (env.PATH_INFO or ""), '
            'env.QUERY_STRING, env.HTTP_COOKIE, env.REQUEST_URI}, " "))'
            }) as ws:
        equal(ws.receive(), "GET /chat/room x=1 a=b /chat/room?x=1")
        equal(ws.receive(), "echo")


@test
def ids_and_sessions():
    """ids differ, and a session of open's comes to each message and to
    close"""
    lua = {"X-Lua": 'ws.session = "it\\0s mine"'}
    with d.ws(headers=lua) as one, d.ws(headers=lua) as two:
        assert id_of(one) != id_of(two)
        equal(one.ask("lua ws:send(ws.session, 'binary')"), b"it\0s mine")
        one.send("lua ws.session = 'other'")
        equal(one.ask("lua ws:send(ws.session)"), "other")
        equal(two.ask("lua ws:send(ws.session, 'binary')"), b"it\0s mine")
        mark, name = d.log_mark(), id_of(one)
        equal(one.finish(3000, b"enough"), 3000)
        d.wait_log(r"closed %s 3000 \[enough\] other" % name, mark)


def refused(status, **request):
    got, headers = d.refusal(**request)
    equal(got, status, request)
    return headers


BAD_KEYS = (None, "", "short", "dGhlIHNhbXBsZSBub25jZQ", "A" * 24, "=" * 24,
            "dGhlIHNhbXBsZSBub25jZQ==,dGhlIHNhbXBsZSBub25jZQ==",
            "dGhlIHNhbXBsZSBub25jZQ==\0", "dGhlIHNhbXBsZSBub25jZWU=",
            "dGhl IHNhbXBsZSBub25jZQ=")


@test
def bad_keys():
    """400 for a key that is missing, twice there, or not 16 bytes"""
    for key in BAD_KEYS:
        refused(400, headers={"Sec-WebSocket-Key": key})
    refused(400, headers=[("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
                          ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")])


@test
def other_versions():
    """426 that names the version for another one"""
    for version in ("12", "8", "14", "013", "x", "", None, "13, 8", "130"):
        headers = refused(426, headers={"Sec-WebSocket-Version": version})
        equal((headers["upgrade"].lower(), headers["sec-websocket-version"]),
              ("websocket", "13"))
        matches("(?i)upgrade", headers["connection"])


@test
def not_get():
    """400 for another method and for HTTP/1.0"""
    for method in ("POST", "PUT", "OPTIONS", "get", "BREW"):
        refused(400, method=method)
    refused(400, version="1.0")


@test
def with_a_body():
    """400 for an upgrade with a body, known or chunked, and what stands in it
    is no request"""
    hidden = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
    for headers, body in (
            ({"Content-Length": str(len(hidden))}, hidden),
            ({"Transfer-Encoding": "chunked"},
             b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden)),
            ({"Transfer-Encoding": "chunked"}, b"0\r\n\r\n")):
        head, _ = upgrade_request(headers=headers)
        status, _, rest, sock = d.get(head + body)
        with sock:
            equal((status, b"hidden" in rest), (400, False), headers)
            equal(sock.recv(1), b"", "it ends")


@test
def refused_by_open():
    """open may refuse: false, a status, an error; the connection ends, and
    what came behind the head is no request"""
    mark = d.log_mark()
    d.expect("no such luck", "websocket.open returned")
    for code, status in (("return false", 403), ("return 401", 401),
                         ("return 429", 429), ("return 400", 400),
                         ("return 599", 599), ("return 399", 500),
                         ("return 600", 500), ("return 'no'", 500),
                         ("error('no such luck')", 500)):
        head, _ = upgrade_request(headers={"X-Lua": code})
        got, _, _, sock = d.get(head + frame(TEXT, b"x") +
                                b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with sock:
            equal(got, status, code)
            equal(sock.recv(1), b"", "it ends")
    d.wait_log("no such luck", mark)


@test
def origins():
    """403 for an origin that is not the host that was asked; none is no
    browser's"""
    for host, origin in (
            ("localhost", "http://evil.example"), ("localhost", "null"),
            ("example.com", "http://example.com.evil.example"),
            ("example.com", "http://sub.example.com"),
            ("example.com:8080", "http://example.com"),
            ("example.com", "http://example.com:8080"),
            ("example.com", "http://example.comX"), ("a", ""), ("a", "a")):
        refused(403, host=host, headers={"Origin": origin})
    for host, origin in (("localhost", None),
                         ("example.com", "http://example.com"),
                         ("example.com", "https://example.com"),
                         ("example.com:8080", "http://example.com:8080"),
                         ("Example.COM", "http://example.com")):
        with d.ws(host=host, headers={"Origin": origin}) as ws:
            equal(ws.ask("x"), "x", origin)


@test
def listed_origins():
    """origins of the configuration take the place of the host's"""
    with WsDaemon(websocket={"origins": ["https://app.example",
                                         "*.example.com"]}) as other:
        for origin in ("https://app.example", "https://a.example.com",
                       "http://b.a.example.com", None):
            with other.ws(headers={"Origin": origin}) as ws:
                equal(ws.ask("x"), "x", origin)
        for origin in ("http://app.example", "http://localhost",
                       "https://example.com.evil.example", "null"):
            equal(other.refusal(headers={"Origin": origin})[0], 403, origin)


@test
def application_without():
    """404 if the application has no websocket; its pages are served"""
    with WsDaemon(app=PLAIN) as other:
        equal(other.refusal()[0], 404)
        status, _, body, sock = other.get(
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.close()
        equal((status, body), (200, b"plain"))


@test
def other_upgrades():
    """h2c, an unknown upgrade and one that no Connection names are ignored:
    the page comes, and the connection serves on"""
    for lines in (
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
            "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
            "Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n",
            "Connection: Upgrade\r\nUpgrade: websockets\r\n",
            "Connection: Upgrade\r\n", "Upgrade: websocket\r\n",
            "Connection: keep-alive\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\n"):
        head = ("GET /x HTTP/1.1\r\nHost: a\r\n%s\r\n" % lines).encode()
        status, headers, body, sock = d.get(head)
        with sock:
            equal((status, body), (200, b"page /x"), lines)
            assert "upgrade" not in headers, headers
            sock.sendall(b"GET /y HTTP/1.1\r\nHost: a\r\n\r\n")
            status, headers, rest = read_head(sock)
            equal(read_body(sock, headers, rest), b"page /y", lines)


@test
def slow_head():
    """an upgrade whose head stops coming: 408"""
    with WsDaemon(http={"read": "200ms"}) as other:
        status, _, _, sock = other.get(upgrade_request()[0][:-2])
        with sock:
            equal((status, sock.recv(1)), (408, b""))


run(120, over=FCGI)
