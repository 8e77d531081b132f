#!/usr/bin/env python3
"""What a WebSocket may not do: each limit of the group websocket, what it costs
the peer that goes over it, and that nobody else notices."""

import os
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from ws_daemon import *

ONE = {"mode": "static", "max": 1}
d = WsDaemon(websocket={"max_message": "1K"})
SMALL = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]


def ends(ws, code, told=None, daemon=None, name=None, since=0):
    """The server closes with that code and ends TCP; close is told."""
    equal(ws.failed(), (code, "end"))
    (daemon or d).told(name, told or code, since)


@test
def connections():
    """over websocket.connections 503 with Retry-After; a place that was left
    is taken again"""
    with WsDaemon(websocket={"connections": 3}) as other:
        open_ones = [other.ws() for _ in range(3)]
        status, headers = other.refusal()
        equal(status, 503)
        assert int(headers["retry-after"]) > 0, headers
        equal([ws.ask("x") for ws in open_ones], ["x"] * 3)
        open_ones.pop().finish()

        def again():
            with contextlib.suppress(Refused):
                return other.ws()
        open_ones.append(until(again, "a place is free"))
        equal(open_ones[-1].ask("x"), "x")
        for ws in open_ones:
            ws.close()


@test
def max_message():
    """over max_message 1009, judged by what is announced, over all
    fragments"""
    d.start()
    for opcode in TEXT, BINARY:
        for early in (
                [frame(opcode, b"", length=1025, form=16)],
                [frame(opcode, b"", length=1 << 62, form=64)],
                [frame(opcode, b"x" * 1000, False),
                 frame(CONTINUATION, b"", length=25)],
                [frame(opcode, b"x" * 1024, False), frame(CONTINUATION, b"x")],
                [frame(opcode, b"x" * 1025)]):
            with d.ws() as ws:
                equal(ws.ask("x" * 1024), "x" * 1024)
                name, mark = id_of(ws), d.log_mark()
                for data in early:
                    ws.raw(data)
                ends(ws, 1009, name=name, since=mark)


@test
def fragments():
    """1,000 fragments are a message, 1,001 are 1008, also empty ones"""
    for piece in b"x", b"":
        with d.ws() as ws:
            ws.raw(frame(TEXT, piece, False) +
                   frame(CONTINUATION, piece, False) * 998 +
                   frame(CONTINUATION, piece))
            equal(ws.receive(), piece.decode() * 1000)
            ws.raw(frame(TEXT, piece, False) +
                   frame(CONTINUATION, piece, False) * 1000)
            equal(ws.failed(), (1008, "end"))


@test
def told_to_close():
    """close is told how it ended: 1005 without a code, 1006 without a close
    frame, else the code; 1002, 1007 for what was wrong"""
    for end, code in (
            (lambda ws: ws.raw(frame(CLOSE)), 1005),
            (lambda ws: ws.send_close(4321), 4321),
            (lambda ws: ws.raw(frame(TEXT, b"x", key=None)), 1002),
            (lambda ws: ws.raw(frame(TEXT, b"\xff")), 1007),
            (lambda ws: ws.raw(frame(CLOSE, closing(1005))), 1002),
            (lambda ws: ws.sock.close(), 1006),
            (lambda ws: ws.sock.shutdown(socket.SHUT_WR), 1006)):
        with d.ws() as ws:
            name, mark = id_of(ws), d.log_mark()
            end(ws)
            if ws.sock.fileno() != -1 and code != 1006:
                ws.failed()
            d.told(name, code, mark)
    with d.ws() as ws:
        name, mark = id_of(ws), d.log_mark()
        ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                           struct.pack("ii", 1, 0))
        ws.sock.close()
        d.told(name, 1006, mark)


@test
def cut_within_a_frame():
    """a peer that goes away within a frame or a message leaves nothing: 1006,
    no message"""
    whole = frame(TEXT, b"x" * 200, False) + frame(CONTINUATION, b"x" * 200)
    for n in (1, 3, 7, 100, 208, 210, 300, len(whole) - 1):
        with d.ws() as ws:
            name, mark = id_of(ws), d.log_mark()
            ws.raw(whole[:n])
            ws.close()
            d.told(name, 1006, mark)


@test
def silence():
    """a peer that says nothing after a ping is cut, 1006; one that says
    anything lives"""
    with WsDaemon(websocket={"ping": "100ms", "silence": "1s"}) as other:
        with other.ws() as dead, other.ws() as alive, other.ws() as rude:
            name, mark = id_of(dead), other.log_mark()
            over = threading.Event()

            def answers():
                while not over.is_set():
                    kind, payload = alive.event()
                    equal(kind, "ping")
                    alive.raw(frame(PONG, payload))

            def speaks():
                """Bytes of one frame, which is whole at the end."""
                data = frame(BINARY, b"x" * 1000)
                for n in range(len(data) - 1):
                    if over.is_set():
                        break
                    rude.raw(data[n:n + 1])
                    equal(rude.event()[0], "ping")
                rude.raw(data[n:])
            both = [Background(answers), Background(speaks)]
            while (event := dead.event())[0] == "ping":
                pass
            assert event[0] in ("end", "reset"), event
            other.told(name, 1006, mark)
            over.set()
            for b in both:
                b.result()
            equal(alive.ask("x"), "x")
            equal(rude.receive(), b"x" * 1000)


@test
def idle():
    """without a message for websocket.idle: 1001; pongs are no messages"""
    with WsDaemon(websocket={"ping": "50ms", "silence": "10s",
                             "idle": "400ms"}) as other:
        with other.ws() as ws:
            name, mark = id_of(ws), other.log_mark()
            pings = 0
            while (event := ws.event())[0] == "ping":
                ws.raw(frame(PONG, event[1]))
                pings += 1
            equal(event[:2], ("close", 1001))
            ws.close()
            assert pings > 0, "no ping before"
            other.told(name, 1001, mark)


@test
def slow_reader():
    """a subscriber that does not read is cut over send_buffer, 1008; the
    others get everything"""
    with WsDaemon(app="fpm = require 'fpm' " + APP,
                  websocket={"send_buffer": "256K"}) as other:
        with other.ws(options=SMALL) as slow, other.ws() as good, \
                other.ws() as publisher:
            name, mark = id_of(slow), other.log_mark()
            for ws in slow, good:
                equal(ws.ask("lua ws:subscribe('news') ws:send('in')"), "in")
            for _ in range(96):  # 12 MB, as fast as the good one reads
                publisher.send("lua for i = 1, 8 do fpm.publish('news', "
                               "('x'):rep(16384), 'binary') end")
                for _ in range(8):
                    equal(len(good.receive()), 16384)
            other.told(name, 1008, mark)
            equal(good.ask("x"), "x")


@test
def echo_not_read():
    """a client that sends and never reads is cut as well, and its sender
    notices"""
    with WsDaemon(websocket={"send_buffer": "64K"}) as other:
        with other.ws(options=SMALL) as ws, other.ws() as good:
            name, mark = id_of(ws), other.log_mark()
            data = frame(BINARY, b"x" * 32768)
            ws.sock.settimeout(None)

            def pours():
                with contextlib.suppress(OSError):
                    while True:
                        ws.sock.sendall(data)
            pouring = Background(pours)
            other.told(name, 1008, mark)
            pouring.result()
            equal(good.ask("x"), "x")


@test
def one_message_at_a_time():
    """while a message is in hand the next ones wait in order, TCP pushes back,
    its silence is no reason to cut, and others are served"""
    with WsDaemon(websocket={"ping": "100ms", "silence": "500ms",
                             "send_buffer": "1G"}) as other:
        gate = other.gate()
        with other.ws() as held:
            held.send("lua %s ws:send('held')" % gate.lua)
            gate.wait()
            sent = [0]

            def pours():
                n = 0
                with contextlib.suppress(OSError):
                    while True:
                        held.raw(frame(BINARY, b"%d" % n + b"x" * 60000))
                        sent[0] = n = n + 1
            pouring = Background(pours)

            def stuck():
                before = sent[0]
                lasts(0.8)  # longer than ping and silence
                return sent[0] == before
            until(stuck, "TCP pushes back")
            assert sent[0] < 1000, "60 MB were taken"
            with other.ws() as free:
                equal(free.ask("x"), "x")
            gate.open()
            equal(next_message(held), ("text", b"held"))
            for n in range(10):
                kind, data = next_message(held)
                equal((kind, data.rstrip(b"x"), len(data)),
                      ("binary", b"%d" % n, 60000 + len(str(n))))
            held.sock.shutdown(socket.SHUT_RDWR)
            pouring.result()


def next_message(ws):
    """Pings are not answered here: other bytes are life as well."""
    while (event := ws.event())[0] == "ping":
        pass
    return event


@test
def limits_in_lua():
    """a session over 4K, over 100 channels, a name over 255 bytes, what is no
    string: errors in Lua, and the socket lives"""
    with WsDaemon() as other, other.ws() as ws:
        for code, good in (
                ("ws.session = ('x'):rep(4096)", True),
                ("ws.session = ('x'):rep(4097)", False),
                ("ws.session = {}", False),
                ("ws:subscribe(('n'):rep(255))", True),
                ("ws:subscribe(('n'):rep(256))", False),
                ("ws:subscribe('')", False),
                ("for i = 1, 99 do ws:subscribe('c' .. i) end", True),
                ("ws:subscribe('one too many')", False),
                ("ws:unsubscribe('c1') ws:subscribe('another')", True),
                ("ws:send({})", False), ("ws:send('x', 'ping')", False),
                ("ws:send('\\xff', 'text')", False),
                ("ws:close(1005)", False), ("ws:close(999)", False),
                ("ws:close(1006)", False), ("ws:close(5000)", False)):
            ws.send("lua local ok, why = pcall(function() %s end) "
                    "ws:send(tostring(ok) .. ' ' .. tostring(why))" % code)
            says = ws.receive()
            assert says.startswith(str(good).lower()), (code, says)


@test
def handler_that_fails():
    """a handler that raises is logged, its socket closed with 1011, no other
    one"""
    with WsDaemon(workers=ONE) as other, other.ws() as ws, \
            other.ws() as bystander:
        other.expect("on purpose")
        name, mark = id_of(ws), other.log_mark()
        ws.send("lua ws:send('lost?') error('on purpose')")
        equal(ws.failed(), (1011, "end"))
        other.wait_log("on purpose", mark)
        other.told(name, 1011, mark)
        equal(bystander.ask("x"), "x")


@test
def handler_that_hangs():
    """a handler over timeouts.request: 1011 for its socket, no other one"""
    with WsDaemon(workers=ONE, timeouts={"request": "500ms",
                                         "stop": "10s"}) as other, \
            other.ws() as ws, other.ws() as bystander:
        other.expect("timeouts.request", "killed by signal")
        name, mark = id_of(ws), other.log_mark()
        ws.send("lua while true do end")
        equal(ws.failed(), (1011, "end"))
        other.told(name, 1011, mark)
        equal(bystander.ask("x"), "x")


@test
def many_at_once():
    """1,000 upgrades at once: each gets its WebSocket and its echo"""
    count = 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3 * count:
        raise Skip("only %d descriptors" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3 * count), hard))
    with WsDaemon(timeouts={"stop": "30s", "read": "60s"},
                  limits={"files": 3 * count}) as other:
        socks = [dial(other.web, PATIENCE) for _ in range(count)]
        try:
            for n, sock in enumerate(socks):
                head, _ = upgrade_request("/%d" % n)
                sock.sendall(head + frame(TEXT, b"%d" % n))
            for n, sock in enumerate(socks):
                sock.settimeout(PATIENCE)
                status, headers, rest = read_head(sock)
                equal(status, 101, n)
                reader = Reader()
                reader.feed(rest)
                while (event := reader.next()) is None:
                    reader.feed(sock.recv(4096))
                equal(event, ("text", b"%d" % n))
        finally:
            for sock in socks:
                sock.close()


@test
def descriptors():
    """where descriptors lack for websocket.connections, -t says so, and that
    the application loads; not for one without WebSockets"""
    if not shutil.which("setpriv") or not shutil.which("prlimit"):
        raise Skip("no setpriv or prlimit")
    few = "setpriv", "--bounding-set=-sys_resource", "prlimit", \
        "--nofile=400:400"
    dir = scratch()
    for app, said in ((APP, "pool main: so many descriptors are not allowed "
                       "that websocket.connections = 10000 could be: at most "
                       r"\d+ WebSockets will be open\n"), (PLAIN, "")):
        write(dir + "/app.lua", app)
        p = subprocess.run([*(few if os.geteuid() == 0 else few[2:]), LUA_FPM,
                            "-t", dir + "/app.lua"], capture_output=True,
                           text=True, timeout=PATIENCE)
        equal(p.returncode, 0, p.stderr)
        matches("^" + said + "[^\n]*app.lua: the application loads\n$",
                p.stdout + p.stderr)
    shutil.rmtree(dir)


run(240, over=FCGI)
