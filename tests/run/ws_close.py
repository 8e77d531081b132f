#!/usr/bin/env python3
"""How a WebSocket ends: the close handshake from both sides, peers that do not
finish it, and what the application is told."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from ws_daemon import *

d = WsDaemon()


@test
def closed_by_the_application():
    """ws:close sends code and reason behind what was sent before; the client
    answers; the server ends TCP"""
    d.start()
    for args, code, reason in (("", 1000, b""), ("4001", 4001, b""),
                               ("1008, 'gr\\195\\188n'", 1008,
                                "gr\u00fcn".encode())):
        with d.ws() as ws:
            name, mark = id_of(ws), d.log_mark()
            ws.send("lua ws:send('last') ws:close(%s) " % args)
            equal(ws.event(), ("text", b"last"))
            equal(ws.event(), ("close", code, reason))
            ws.send_close(code)
            equal(ws.event(), ("end",))
            d.told(name, code, mark)


@test
def sent_after_close():
    """what the handler sends behind ws:close does not go out, and a second
    close is none"""
    with d.ws() as ws:
        ws.send("lua ws:close(4000) pcall(ws.send, ws, 'late') "
                "pcall(ws.close, ws, 4001)")
        equal(ws.event(), ("close", 4000, b""))
        ws.send_close(4000)
        equal(ws.event(), ("end",))


@test
def closed_by_open():
    """open may close: the 101 comes, then the close frame"""
    with d.ws(headers={"X-Lua": "ws:send('no') ws:close(4003, 'full')"}) as ws:
        equal(ws.event(), ("text", b"no"))
        equal(ws.event(), ("close", 4003, b"full"))
        ws.send_close(4003)
        equal(ws.event(), ("end",))


@test
def client_never_answers():
    """a client that does not answer a close frame is cut after the time of
    the handshake, and so is one that sends on, whose messages nobody gets"""
    quick = WsDaemon()
    quick.program = QUICK  # what is left of 5 s
    with quick, quick.ws() as silent, quick.ws() as chatty, \
            quick.ws() as pinging:
        for ws in silent, chatty, pinging:
            ws.send("lua ws:close(4000)")
            equal(ws.event(), ("close", 4000, b""))
        mark = quick.log_mark()

        def talks(data):
            def run(ws):
                with contextlib.suppress(OSError):
                    while True:
                        ws.raw(data)
                        time.sleep(0.01)  # it is about time
            return run
        talking = [
            Background(talks(frame(TEXT, b"lua print('heard')")), chatty),
            Background(talks(frame(PING, b"x")), pinging)]
        equal(silent.event(), ("end",))
        for t in talking:
            t.result()
        assert "heard" not in quick.read_log(mark), "behind the close"


@test
def client_never_closes():
    """a client that closes by frame and not by TCP: the server ends it
    first"""
    with d.ws() as ws:
        ws.send_close(1001)
        equal(ws.event(), ("close", 1001, b""))
        equal(ws.event(), ("end",))


@test
def client_half_closes():
    """a client that shuts its side down behind a close frame gets the
    answer"""
    with d.ws() as ws:
        ws.send_close(4000)
        ws.sock.shutdown(socket.SHUT_WR)
        equal(ws.event(), ("close", 4000, b""))
        equal(ws.event(), ("end",))


@test
def close_behind_messages():
    """close is the last that the application hears: messages before the close
    frame are answered, those behind it are not"""
    with d.ws() as ws:
        name, mark = id_of(ws), d.log_mark()
        ws.raw(b"".join(frame(TEXT, b"%d" % i) for i in range(50)) +
               frame(CLOSE, closing(4000)) +
               frame(TEXT, b"lua print('heard')"))
        for i in range(50):
            equal(ws.event(), ("text", b"%d" % i))
        equal(ws.failed()[0], 4000)  # what came behind it may be a reset
        d.told(name, 4000, mark)
        assert "heard" not in d.read_log(mark), "a message behind the close"


@test
def closed_while_in_hand():
    """a client that leaves while its message is in hand: close is called
    after the handler, once"""
    with d.ws() as ws:
        name, mark, gate = id_of(ws), d.log_mark(), d.gate()
        ws.send("lua %s print('handled') ws:send('to nobody')" % gate.lua)
        gate.wait()
        ws.close()
        gate.open()
        d.told(name, 1006, mark)
        text = d.read_log(mark)
        assert text.index("handled") < text.index("closed " + name), text
        equal(text.count("closed " + name), 1)


@test
def close_that_fails():
    """an error in close is logged and harms nobody"""
    app = APP.replace('io.stderr:write(("closed',
                      'if code == 4999 then error("in close") end '
                      'io.stderr:write(("closed')
    assert app != APP
    with WsDaemon(app=app, workers={"mode": "static", "max": 1}) as other:
        other.expect("in close")
        with other.ws() as ws, other.ws() as bystander:
            ws.finish(4999)
            other.wait_log("in close")
            equal(bystander.ask("x"), "x")


@test
def without_close_handler():
    """an application with message alone; one with nothing in the table, where
    a message closes with 1001"""
    for table, answers in (("message = function(ws, t) ws:send(t) end", True),
                           ("", False)):
        app = "return { accept = function() return {} end, websocket = { %s " \
            "} }" % table
        with WsDaemon(app=app) as other, other.ws() as ws:
            if answers:
                equal(ws.ask("x"), "x")
            equal(ws.finish(), 1000)
            if not answers:
                with other.ws() as ws:
                    ws.send("x")
                    equal(ws.failed(), (1001, "end"))


@test
def stopped():
    """TERM closes all with 1001 within the drain time, waits for the answers,
    and close is told"""
    with WsDaemon(websocket={"drain": "500ms"}) as other:
        sockets = [other.ws() for _ in range(20)]
        names = [id_of(ws) for ws in sockets]
        other.kill(signal.SIGTERM)
        for ws in sockets:
            equal(ws.until_close(), 1001)
            ws.send_close(1001)
            equal(ws.event(), ("end",))
            ws.close()
        equal(other.wait_exit(), 0)
        for name in names:
            other.told(name, 1001)
        other.check_gone()
        other.check_log()
        other.destroy()


@test
def stopped_in_a_hurry():
    """INT closes all with 1001 at once, however long they might be given"""
    with WsDaemon(websocket={"drain": "1h"}) as other:
        sockets = [other.ws() for _ in range(5)]
        other.kill(signal.SIGINT)
        for ws in sockets:
            equal(ws.failed(), (1001, "end"))
        equal(other.wait_exit(), 0)
        other.check_gone()
        other.check_log()
        other.destroy()


@test
def master_killed():
    """the hub sees that its master is gone: 1012, come again; until it has told
    all it sleeps"""
    with WsDaemon(websocket={"drain": "2s"}) as other:
        sockets = [other.ws() for _ in range(8)]
        hub = other.hub()
        before, used = cpu(hub), 0
        other.kill(signal.SIGKILL)
        other.wait_exit()
        for ws in sockets:
            equal(ws.failed(), (1012, "end"))
            used = max(used, cpu(hub) - before)
        assert used < 0.3, used
        until(lambda: not session(other.pid), "nobody stays")
        other.destroy()


run(120, over=FCGI)
