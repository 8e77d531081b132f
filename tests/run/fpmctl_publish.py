#!/usr/bin/env python3
"""lua-fpmctl publish: from a shell to WebSockets."""

import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from ws_daemon import *
from control_client import *

MOST = 16 << 20


def with_control(daemon):
    daemon.control = daemon.top["control"] = daemon.dir + "/control.sock"
    daemon.sockets.add(daemon.control)
    return daemon


d = with_control(WsDaemon())
d.start()


def publish(*words, data=None, daemon=d, limit="%ds" % PATIENCE):
    """(exit code, stdout, stderr); data: on standard input."""
    p = subprocess.run([LUA_FPMCTL, "-s", daemon.control, "-t", limit,
                        "publish", *words], input=data,
                       stdin=subprocess.DEVNULL if data is None else None,
                       capture_output=True, timeout=2 * PATIENCE)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def queued(n):
    return 0, "pool www: queued to %d WebSocket%s\n" % (n, "s" * (n != 1)), ""


def refused(why):
    return 1, "", "lua-fpmctl: publish: failed\n%s\n" % why


def listener(channel, daemon=d):
    return daemon.ws(headers={"X-Lua": "ws:subscribe(%s)" % channel})


@test
def to_a_channel():
    """to all that listen to it and nobody else; the answer says to how many"""
    with listener("'a'") as one, listener("'a'") as two, \
            listener("'b'") as other:
        equal(publish("www", "a", "hello"), queued(2))
        equal((one.receive(), two.receive()), ("hello", "hello"))
        equal(publish("www", "b", "\u00e4"), queued(1))
        equal(other.receive(), "\u00e4")
        equal(publish("www", "c", "x"), queued(0))
        two.finish()
        until(lambda: publish("www", "a", "alone") == queued(1), "its end")
        equal(other.ask("x"), "x")


@test
def data():
    """from standard input, binary, empty, 16 MB; words that look like options
    behind --"""
    with listener("'a'") as ws:
        for words, given, got in (
                (("www", "a"), b"line\n", "line\n"),
                (("www", "a", "-"), b"", ""), (("www", "a", ""), None, ""),
                (("--binary", "www", "a"), b"\0\xff\n", b"\0\xff\n"),
                (("www", "a", "--binary", "x"), None, b"x"),
                (("www", "a", "--", "--binary"), None, "--binary"),
                (("www", "a", "--", "--"), None, "--"),
                (("--binary", "www", "a"), b"\xff" * MOST, b"\xff" * MOST)):
            equal(publish(*words, data=given), queued(1), words)
            equal(ws.receive() == got, True, words)


@test
def names():
    """a channel is any bytes but NUL, which no word can have"""
    for lua, word in (("'two words'", "two words"), ("'a\\nb'", "a\nb"),
                      ("('n'):rep(255)", "n" * 255), ("'\\255'", b"\xff"),
                      ("'--'", "--")):
        with listener(lua) as ws:
            equal(publish("--", "www", word, "x"), queued(1), word)
            equal(ws.receive(), "x")


@test
def refusals():
    """what cannot be is refused with the reason and exit code 1, and used
    wrongly with 64"""
    long = refused("pool www: a channel has from 1 to 255 bytes")
    equal(publish("nope", "a", "x"), refused("pool nope: there is no such pool"))
    equal(publish("www", "n" * 256, "x"), long)
    equal(publish("www", "n" * 100000, "x"), long)
    equal(publish("www", "a", data=b"caf\xe9"), refused(
        "pool www: the data is no UTF-8: publish it as binary"))
    equal(publish("www", "a", data=b"\xc3"), refused(
        "pool www: the data is no UTF-8: publish it as binary"))
    equal(publish("www", "a", data=b"x" * (MOST + 1)), refused(
        "pool www: the data is longer than 16M"))
    equal(publish("www", "a", data=b"x" * (2 * MOST)), refused(
        "pool www: the data is longer than 16M"))
    for words in (("www",), (), ("www", "", "x"), ("www", "a", "b", "c"),
                  ("www", "a", "b", "--json"), ("two words", "a", "b")):
        equal(publish(*words)[:2], (64, ""), words)
    code, out, err = tool("ping", "--binary", program=LUA_FPMCTL)
    equal((code, out), (64, ""))


@test
def protocol():
    """without the tool: the line, the channel and the data in any pieces"""
    with listener("'room'") as ws:
        for pieces in ((b"publish www text 4\nroomhello",),
                       (b"publish www text 4\r\n", b"ro", b"omhel", b"lo"),
                       (b"publish\twww text  4", b"\nr", b"oomhello"),
                       (b"publish www binary 4\nroom" + b"x" * 600,)):
            with Asker(d) as c:
                for piece in pieces:
                    c.send(piece)
                c.sock.shutdown(socket.SHUT_WR)
                equal(c.answer(), (True, "queued to 1 WebSocket\n"))
            assert ws.receive() in ("hello", b"x" * 600)
        for text, why in (
                (b"publish www text 4\nroo", "the channel is cut"),
                (b"publish www text 4", "the channel is cut"),
                (b"publish www ping 4\nroomx", "expected text or binary"),
                (b"publish www text 0\nx", "from 1 to 255"),
                (b"publish www text -4\nx", "from 1 to 255"),
                (b"publish www text 4x\nx", "from 1 to 255"),
                (b"publish www text 4294967297\nx", "from 1 to 255"),
                (b"publish www text\nroomx", "too few words"),
                (b"publish www text 4 4\nroomx", "too many words")):
            with Asker(d) as c:
                c.send(text)
                c.sock.shutdown(socket.SHUT_WR)
                good, said = c.answer()
            equal(good, False, text)
            matches(why, said)
        equal(ws.ask("x"), "x")


@test
def clients_that_hang():
    """who sends no end costs nobody else anything, and one who goes away in
    the middle has published nothing"""
    with listener("'a'") as ws, contextlib.ExitStack() as stack:
        hanging = [stack.enter_context(Asker(d)) for _ in range(16)]
        for c in hanging:
            c.send(b"publish www text 1\naxxxx")
        until(lambda: publish("www", "a", "x") == refused(
            "pool www: busy: 16 others publish already"), "the 17th")
        equal(tool("-s", d.control, "ping", program=LUA_FPMCTL)[0], 0)
        equal(ws.ask("lua require 'fpm'.publish('a', 'from here')"), "from here")
        for c in hanging:
            equal(c.answer(), (False, "the end of the data has not come\n"))
        equal(publish("www", "a", "y"), queued(1))
        equal(ws.receive(), "y")


@test
def slow_reader():
    """one that does not read is cut, and is not among those that are told"""
    with with_control(WsDaemon(websocket={"send_buffer": "16K"})) as other, \
            listener("'a'", other) as reads, listener("'a'", other):
        def gone():
            answer = publish("--binary", "www", "a", data=b"x" * 200000,
                             daemon=other)
            reads.receive()
            assert answer in (queued(1), queued(2)), answer
            return answer == queued(1)
        until(gone, "it is cut")


@test
def no_hub():
    """an application without WebSockets; a pool out of service, or none"""
    with with_control(WsDaemon(app=PLAIN)) as other:
        equal(publish("www", "a", "x", daemon=other), refused(
            "pool www: its application has no WebSockets"))
        equal(tool("-s", other.control, "drain", "www",
                   program=LUA_FPMCTL)[0], 0)
        equal(publish("www", "a", "x", daemon=other), refused(
            "pool www: is not in service"))
        equal(publish("ww", "a", "x", daemon=other), refused(
            "pool ww: there is no such pool"))


@test
def hub_hangs_or_dies():
    """a hub that is stopped holds up nobody: exit code 75, the master answers
    others; one that was killed is replaced, and can be reached again"""
    with with_control(WsDaemon()) as other:
        hub = other.hub()
        os.kill(hub, signal.SIGSTOP)
        code, out, err = publish("www", "a", "x", daemon=other, limit="200ms")
        equal((code, out), (75, ""))
        matches("no answer from lua-fpm", err)
        equal(tool("-s", other.control, "ping", program=LUA_FPMCTL)[0], 0)
        os.kill(hub, signal.SIGCONT)
        equal(publish("www", "a", "x", daemon=other), queued(0))
        other.expect("process of WebSockets was killed")
        kill(hub, signal.SIGKILL)
        until(lambda: publish("www", "a", "x", daemon=other) == queued(0),
              "another hub")
        with listener("'a'", other) as ws:
            equal(publish("www", "a", "x", daemon=other), queued(1))
            equal(ws.receive(), "x")


@test
def hostile_hub():
    """what a hub answers is shown as one line about its pool, without control
    characters, and no more than a line is read"""
    with Fake(b"ok\n\x1b]0;owned\x07\xff\npool other: stopped\n") as f:
        f.control = f.path
        equal(publish("www", "a", "x", daemon=f),
              (0, "pool www: \\x1b]0;owned\\x07\\xff\n", ""))
    with Fake(b"failed\nlua-fpm: rm -rf /\nmore\n") as f:
        f.control = f.path
        equal(publish("www", "a", "x", daemon=f),
              refused("pool www: lua-fpm: rm -rf /"))
    with Fake(b"ok\n" + b"x" * 2000) as f:
        f.control = f.path
        code, out, err = publish("www", "a", "x", daemon=f)
        equal((code, out), (69, ""))
        matches("no answer from lua-fpm: Message too long", err)


@test
def while_it_reloads():
    """a reload and an upgrade in between lose nothing"""
    with with_control(WsDaemon()) as other, listener("'a'", other) as ws:
        for n, command in enumerate(("reload", "upgrade", "reload")):
            equal(tool("-s", other.control, command,
                       program=LUA_FPMCTL)[0], 0)
            equal(publish("www", "a", str(n), daemon=other), queued(1))
            equal(ws.receive(), str(n))


@test
def log():
    """with log_level info a line says what was published, escaped"""
    other = with_control(WsDaemon())
    other.top["log_level"] = "info"
    with other:
        equal(publish("www", "a\x1bb", "secret", daemon=other), queued(0))
        other.wait_log("bytes were published")
        matches(r"6 bytes were published to the channel a\\x1bb: queued to 0 "
                r"WebSockets", other.read_log())
        assert "secret" not in other.read_log()


run(120, over=FCGI)
