#!/usr/bin/env python3
"""The server that lua-fpm-from(7) has for those who come from mongoose, as it
stands there but for its port: an answer of HTTP, byte by byte, an echo that
keeps the opcode, a clock by a timer; by its configuration, and by the one
line."""

import os
import sys

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")]
from ws_daemon import *
import page

FROM = SRC + "/man/lua-fpm-from.7"
APP, EXCHANGE, CONFIGURATION = page.literals("MONGOOSE", FROM)
LINE = "lua-fpm -l http:127.0.0.1:1777 app.lua"
d = WsDaemon(app=APP)


def here(text, port):
    """Another port than 1777, which others may have."""
    assert ":1777" in text, text
    return text.replace(":1777", ":%d" % port)


def configured():
    text = here(CONFIGURATION, int(d.web.rpartition(":")[2]))
    path = "/srv/www/app.lua"
    assert path in text
    text = text.replace(path, d.dir + "/app.lua")
    if ROOT:
        text = text.replace("listen =", 'user = "%s"; listen =' % pool_user())
    return 'control = "%s/control"; pid_file = "%s";\n%s' % (
        d.dir, d.top["pid_file"], text)


def hello(address):
    """GET / as in W4: the line, these two headers, this body."""
    with dial(address, PATIENCE) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        data = b""
        while not data.endswith(b"Hello HTTP!"):
            piece = sock.recv(4096)
            assert piece, data
            data += piece
    head, _, body = data.decode().partition("\r\n\r\n")
    line, *fields = head.split("\r\n")
    equal((line, body), ("HTTP/1.1 200 OK", "Hello HTTP!"))
    for field in "Content-Type: text/plain", "Content-Length: 11":
        assert field in fields, (field, fields)


def echo(address):
    """Each message comes back with its opcode."""
    with WebSocket(address, timeout=PATIENCE) as ws:
        for payload in "hello", b"\0\xff", "", b"", "gr\u00fc\u00dfe" * 100:
            equal(ws.ask(payload), payload)
        equal(ws.finish(), 1000)


@test
def by_its_configuration():
    """HTTP/1.1 200 OK and 11 bytes; an echo of text and binary; a clock"""
    write(d.file, configured())
    d.sockets.add(d.dir + "/control")
    d.start(args=("-c", d.file))
    hello(d.web)
    echo(d.web)
    with d.ws(path="/clock") as clock, d.ws() as other:
        for _ in range(2):
            matches(r"^\d\d:\d\d:\d\d$", clock.receive())
        equal((other.ask("x"), clock.event()[0]), ("x", "text"))
    d.stop()


@test
def by_one_line():
    """the same without the clock"""
    other = WsDaemon(app=APP)
    program, *args = here(LINE, int(other.web.rpartition(":")[2])).split()
    equal(program, "lua-fpm")
    assert LINE in open(FROM).read(), "the page shows another line"
    if ROOT:
        args[:0] = ["-u", pool_user()]
    other.start(args=args)
    hello(other.web)
    echo(other.web)
    other.stop()


run(60, over=FCGI)
