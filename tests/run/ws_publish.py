#!/usr/bin/env python3
"""What an application sends to WebSockets: to channels, to one of them, from
messages, requests and ends; subprotocols, and what the access log tells."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from ws_daemon import *

FPM = "fpm = require 'fpm' " + APP
d = WsDaemon(app=FPM)


def subscribed(*names, daemon=None):
    """A socket on those channels, given as Lua strings."""
    ws = (daemon or d).ws()
    for name in names:
        equal(ws.ask("lua ws:subscribe(%s) ws:send('in')" % name), "in")
    return ws


def request(lua):
    """What a plain request answers."""
    status, _, body, sock = d.get(("GET / HTTP/1.1\r\nHost: a\r\nX-Lua: %s"
                                   "\r\n\r\n" % lua).encode())
    sock.close()
    equal(status, 200, body)
    return body.decode()


@test
def channels():
    """subscribers get what is published, with its kind, the publisher too;
    others and those that have unsubscribed do not"""
    d.start()
    with subscribed("'a'") as one, subscribed("'a'", "'b'") as both, \
            d.ws() as none:
        one.send("lua fpm.publish('a', 'text') "
                 "fpm.publish('b', '\\255\\0', 'binary')")
        equal(one.receive(), "text")
        equal((both.receive(), both.receive()), ("text", b"\xff\0"))
        equal(both.ask("lua ws:unsubscribe('a') ws:send('out')"), "out")
        one.send("lua fpm.publish('a', 'again')")
        equal(one.receive(), "again")
        equal((both.ask("x"), none.ask("x")), ("x", "x"))


@test
def names():
    """a name is bytes: case counts, NUL is one, 255 are allowed"""
    given = "'A'", "'a'", "'a\\0'", "'a\\0b'", "('n'):rep(255)", "'\\255'"
    sockets = [subscribed(name) for name in given]
    for i, name in enumerate(given):
        sockets[i].send("lua fpm.publish(%s, '%d')" % (name, i))
    for i, ws in enumerate(sockets):
        equal((ws.receive(), ws.ask("x")), (str(i), "x"))
        ws.close()


@test
def order():
    """each subscriber gets what one handler publishes in that order, and
    messages of two publishers each in theirs"""
    with subscribed("'a'") as one, subscribed("'a'") as two, \
            d.ws() as p, d.ws() as q:
        for name, ws in (("p", p), ("q", q)):
            ws.send("lua for i = 1, 200 do fpm.publish('a', '%s ' .. i) end" %
                    name)
        for ws in one, two:
            got = [ws.receive().split() for _ in range(400)]
            for name in "pq":
                equal([int(n) for who, n in got if who == name],
                      list(range(1, 201)))


@test
def from_a_request():
    """a plain request publishes, and sends to one socket by its id; to one
    that is not there nothing happens"""
    with subscribed("'a'") as ws:
        equal(request("return fpm.publish('a', 'from a request')"), "true")
        equal(ws.receive(), "from a request")
        name = id_of(ws)
        equal(request("return fpm.send('%s', '\\0\\1', 'binary')" % name),
              "true")
        equal(ws.receive(), b"\0\1")
        equal(request("return fpm.send('0123456789abcdef', 'x')"), "true")
        for wrong in ("fpm.send(5, 'x')", "fpm.publish('', 'x')",
                      "fpm.publish('a', '\\255')", "fpm.publish('a')",
                      "fpm.publish(('n'):rep(256), 'x')",
                      "fpm.publish('a', 'x', 'ping')"):
            equal(request("return (pcall(function() %s end))" % wrong),
                  "false", wrong)
        equal(ws.ask("x"), "x")


@test
def to_another():
    """a message's handler sends to another socket by its id"""
    with d.ws() as one, d.ws() as two:
        one.send("lua fpm.send('%s', 'hello')" % id_of(two))
        equal(two.receive(), "hello")
        two.finish()
        one.send("lua fpm.send('%s', 'too late') ws:send('fine')" %
                 ("0" * 16))
        equal(one.receive(), "fine")


@test
def from_open_and_close():
    """open and close publish: a socket's coming and going is seen by the
    others"""
    app = FPM.replace("io.stderr:write((\"closed",
                      "fpm.publish('a', 'gone ' .. code) "
                      "io.stderr:write((\"closed")
    assert app != FPM
    with WsDaemon(app=app) as other:
        with subscribed("'a'", daemon=other) as ws:
            with other.ws(headers={"X-Lua": "ws:subscribe('a') "
                                   "fpm.publish('a', 'come')"}) as new:
                equal((ws.receive(), new.receive()), ("come", "come"))
                new.finish(4321)
            equal(ws.receive(), "gone 4321")


@test
def large_and_many():
    """60 KB to 100 sockets, ten times: all of it comes"""
    sockets = [subscribed("'all'") for _ in range(100)]
    sockets[0].send("lua for i = 1, 10 do fpm.publish('all', "
                    "(i % 10 .. ('x'):rep(59999)), 'binary') end")

    def reads(ws):
        return [ws.receive() for _ in range(10)]
    reading = [Background(reads, ws) for ws in sockets]
    for r in reading:
        equal(r.result(), [b"%d" % (i % 10) + b"x" * 59999
                           for i in range(1, 11)])
    for ws in sockets:
        ws.close()


@test
def ended():
    """who has gone is on no channel any more"""
    with subscribed("'a'") as stays:
        for _ in range(20):
            subscribed("'a'", "'only mine'").close()
        stays.send("lua fpm.publish('a', 'x') fpm.publish('only mine', 'y')")
        equal((stays.receive(), stays.ask("z")), ("x", "z"))


@test
def subprotocols():
    """open may take one of the subprotocols that are offered, and no other"""
    offer = ("Sec-WebSocket-Protocol", "chat, superchat")
    for lua, protocol in (("ws.protocol = 'superchat'", "superchat"),
                          ("ws.protocol = 'chat'", "chat"), ("", None)):
        with d.ws(headers=[offer, ("X-Lua", lua)]) as ws:
            equal(ws.headers.get("sec-websocket-protocol"), protocol)
            equal(ws.ask("x"), "x")
    d.expect("protocol")
    for lua in "ws.protocol = 'other'", "ws.protocol = 'Chat'":
        equal(d.refusal(headers=[offer, ("X-Lua", lua)])[0], 500, lua)
    equal(d.refusal(headers={"X-Lua": "ws.protocol = 'chat'"})[0], 500)


@test
def access_log():
    """a handshake and a message are a line each in the access log"""
    with WsDaemon(logs={"access": "%s/rw/access.log" % d.dir}) as other:
        def lines():
            with contextlib.suppress(OSError), \
                    open(d.dir + "/rw/access.log") as f:
                return f.read()
            return ""
        with other.ws(path="/room?x=1") as ws:
            equal(ws.ask("x"), "x")
            until(lambda: '"WEBSOCKET /room" 200' in lines(),
                  "the message's line")
        matches('"GET /room" 101', lines())


run(120, over=FCGI)
