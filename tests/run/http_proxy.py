#!/usr/bin/env python3
"""Connections that begin with a header of the PROXY protocol."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.8 56324 443\r\n"
NAMES = ("REMOTE_ADDR", "REMOTE_PORT", "SERVER_ADDR", "SERVER_PORT")
NAMED = ("192.0.2.7", "56324", "198.51.100.8", "443")

port, hasty = free_port(), free_port()
d = Daemon(app=app_source("env.lua"), pools={
    "www": {"listen": "http:127.0.0.1:%d" % port, "ping_path": "/fpm-ping",
            "http": {"proxy_protocol": True, "read": "60s",
                     "proxies": ["10.0.0.0/8"]}},
    "hasty": {"listen": "http:127.0.0.1:%d" % hasty,
              "workers": {"mode": "static", "max": 1},
              "http": {"proxy_protocol": True, "read": "1s"}}})
Daemon.program = QUICK


def v2(command=0x21, family=0x11, addresses=b"", more=b""):
    return SIGNATURE + bytes((command, family)) + struct.pack(
        ">H", len(addresses + more)) + addresses + more


FOUR = bytes((192, 0, 2, 7, 198, 51, 100, 8)) + struct.pack(">HH", 56324, 443)


def connect(port=port):
    return Conn("http:127.0.0.1:%d" % port)


def seen(r):
    equal(r.status, 200, r)
    env = dict(line.split("=", 1) for line in
               r.body.decode().partition("\n\n")[0].split("\n"))
    return tuple(env[name] for name in NAMES)


@test
def starts():
    """the daemon starts"""
    d.start()


@test
def both_versions():
    """the addresses of version 1 and 2 are the request's"""
    six = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(
        socket.AF_INET6, "::8") + struct.pack(">HH", 1, 65535)
    for header, addresses in (
            (V1, NAMED),
            (b"PROXY TCP6 2001:db8::7 ::8 1 65535\r\n",
             ("2001:db8::7", "1", "::8", "65535")),
            (v2(addresses=FOUR), NAMED),
            (v2(addresses=FOUR, more=b"\x04\0\x03abc"), NAMED),
            (v2(addresses=FOUR, more=bytes(4068)), NAMED),
            (v2(family=0x21, addresses=six),
             ("2001:db8::7", "1", "::8", "65535")),
            (v2(family=0x31, addresses=bytes(216)),
             ("unix:", "", "unix:", ""))):
        with connect() as c:
            c.send(header + GET)
            equal(seen(c.response()), addresses, header[:60])


@test
def no_address():
    """LOCAL, UNKNOWN, AF_UNSPEC: the connection's own addresses count"""
    for header in (v2(0x20, 0), v2(0x20, 0x11, FOUR), v2(0x21, 0),
                   b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN a b 1 2\r\n"):
        with connect() as c:
            own = str(c.sock.getsockname()[1])
            c.send(header + GET)
            equal(seen(c.response()),
                  ("127.0.0.1", own, "127.0.0.1", str(port)), header)


@test
def byte_by_byte():
    """a header and a request that come in pieces"""
    for header in (V1, v2(addresses=FOUR, more=b"\x04\0\0")):
        with connect() as c:
            c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(header + GET)):
                c.send((header + GET)[i:i + 1])
            equal(seen(c.response()), NAMED)


@test
def kept():
    """it counts for each request of a connection, and comes once"""
    with connect() as c:
        c.send(V1 + GET + GET)
        equal(seen(c.response()), NAMED)
        equal(seen(c.response()), NAMED)
        c.send(GET)
        equal(seen(c.response()), NAMED)
        c.send(V1 + GET)
        equal(c.response().status, 400)
    d.expect("malformed", "client 127.0.0.1", "192.0.2.7")


@test
def before_forwarded():
    """the client in it is the peer that may be a proxy"""
    line = b"\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.5\r\n\r\n"
    for source, client in ((b"10.0.0.3", "203.0.113.5"),
                           (b"192.0.2.3", "192.0.2.3")):
        with connect() as c:
            c.send(b"PROXY TCP4 %s 198.51.100.8 1 2\r\n" % source +
                   GET[:-4] + line)
            equal(seen(c.response())[0], client)


NONE = (GET, V1.lower() + GET, V1.replace(b"TCP4", b"TCP6") + GET,
        V1.replace(b"\r\n", b"\n") + GET, V1.replace(b"443", b"65536") + GET,
        b"PROXY TCP4 " + b" " * 200, b"PROXY UNKNOWN " + b"x" * 93,
        v2(0x22) + GET, v2(0x11, addresses=FOUR) + GET,
        v2(addresses=FOUR[:-1]) + GET,
        v2(family=0x12, addresses=FOUR) + GET,
        v2(addresses=FOUR, more=bytes(5000)) + GET, b"\r\n" + GET, b"\0")


def closed(data):
    with connect() as c:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            c.send(data)
        assert c.eof(), data[:60]


@test
def without_it():
    """what begins otherwise is closed without an answer, and logged"""
    d.expect("PROXY")
    for data in NONE:
        closed(data)

    def logged():  # one in a second is
        closed(GET)
        return "no PROXY header" in d.read_log()
    until(logged, "a line in the log")


@test
def late():
    """a header that does not come in time: no answer to a stranger"""
    d.expect("in time")
    with connect(hasty) as a, connect(hasty) as b:
        a.send(V1[:-1])
        b.send(v2(addresses=FOUR)[:-1])
        assert a.eof() and b.eof()


@test
def answered_without_the_application():
    """the ping needs one as well"""
    with connect() as c:
        c.send(V1 + GET.replace(b"/ ", b"/fpm-ping "))
        equal(c.response().body, b"pong")


@test
def handed_over():
    """it goes along to the next workers, with half a request and without"""
    with connect() as idle, connect() as half, connect() as fresh:
        idle.send(V1 + GET)
        equal(seen(idle.response()), NAMED)
        half.send(v2(addresses=FOUR) + GET[:20])
        fresh.send(V1[:20])
        before = set(d.workers("www"))
        d.reload()
        until(lambda: not before & set(d.workers("www")),
              "the old workers leave")
        idle.send(GET)
        half.send(GET[20:])
        fresh.send(V1[20:] + GET)
        for c in (idle, half, fresh):
            equal(seen(c.response()), NAMED)


run(60)
