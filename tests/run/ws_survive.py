#!/usr/bin/env python3
"""WebSockets outlive what happens to workers and to the master: reloads,
upgrades, kills, limits.  None closes but the one whose message was in a hand
that was killed.  FULL=yes in the environment: 1,000 sockets over 20 reloads
and 20 upgrades."""

import os
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from ws_daemon import *
from upgraded import NEXT, install

FULL = os.environ.get("FULL") == "yes"
FPM = "fpm = require 'fpm' " + APP


class Crowd:
    """Sockets, each with a session, on one channel."""

    def __init__(self, d, n):
        self.sockets = [d.ws() for _ in range(n)]
        for i, ws in enumerate(self.sockets):
            equal(ws.ask("lua ws.session = 'mine %d' ws:subscribe('all') "
                         "ws:send('in')" % i), "in")

    def check(self, what=""):
        """All of them are there, with what they had."""
        for ws in self.sockets:
            ws.send("lua ws:send(ws.session)")
        for i, ws in enumerate(self.sockets):
            equal(ws.receive(), "mine %d" % i, what)
        self.sockets[0].send("lua fpm.publish('all', 'to all')")
        for ws in self.sockets:
            equal(ws.receive(), "to all", what)

    def close(self):
        for ws in self.sockets:
            ws.close()


@contextlib.contextmanager
def crowd(d, n=10):
    with d:
        c = Crowd(d, n)
        yield c
        c.close()


def edit(d, change):
    d.write_app(FPM.replace("ws:send(data, kind)", change))


@test
def reload_in_place():
    """HUP: sockets stay, and their next message runs the new code with the old
    session"""
    d = Upgrading(app=FPM)
    with crowd(d) as c:
        hub = d.hub()
        edit(d, "ws:send('new ' .. data .. ' ' .. ws.session, kind)")
        mark = d.log_mark()
        d.reload()
        until(lambda: c.sockets[0].ask("x") == "new x mine 0", "new code")
        c.check()
        equal(d.hub(), hub, "the hub")
        equal(d.read_log(mark).count("closed "), 0)


@test
def reload_with_other_workers():
    """a reload that replaces all workers: the same"""
    d = Upgrading(app=FPM)
    with crowd(d) as c:
        old = set(d.workers())
        d.set_pool("www", listen="http:" + d.web,
                   workers={"mode": "static", "max": 3})
        d.write_conf()
        d.reload()
        until(lambda: not old & set(d.workers()), "new workers")
        c.check()


@test
def reload_of_the_limits():
    """a reload that changes websocket's own keys: sockets stay, the new limit
    holds for them"""
    d = Upgrading(app=FPM)
    with crowd(d) as c:
        d.set_pool("www", listen="http:" + d.web,
                   websocket={"max_message": "1K"})
        d.write_conf()
        d.reload()
        c.check()

        def limited():
            with d.ws() as ws:
                ws.raw(frame(BINARY, b"x" * 1025))
                return ws.event()[:2] == ("close", 1009)
        until(limited, "the new limit")
        c.check()
        c.sockets[3].raw(frame(BINARY, b"x" * 1025))
        equal(c.sockets.pop(3).until_close(), 1009)


@test
def upgrade():
    """USR2, also to another build: sockets stay, with half a frame, half a
    message and an unread answer"""
    d = Upgrading(app=FPM)
    with crowd(d) as c:
        for program in NEXT, LUA_FPM:
            half = frame(TEXT, b"cut in two")
            parts = [frame(TEXT, b"frag", False), frame(CONTINUATION, b"ment")]
            c.sockets[1].raw(half[:7])
            c.sockets[2].raw(parts[0])
            c.sockets[3].send("unread")
            install(program, d.program)
            hub = d.hub()
            d.usr2()
            d.new_hub(hub)
            c.sockets[1].raw(half[7:])
            c.sockets[2].raw(parts[1])
            equal(c.sockets[1].receive(), "cut in two")
            equal(c.sockets[2].receive(), "fragment")
            equal(c.sockets[3].receive(), "unread")
            c.check()


@test
def message_in_hand():
    """a message that is in hand at a reload or an upgrade is finished by its
    old worker"""
    d = Upgrading(app=FPM)
    with crowd(d, 2) as c:
        for how in d.reload, lambda: d.kill(signal.SIGUSR2):
            gate, mark = d.gate(), d.log_mark()
            c.sockets[0].send("lua %s ws:send('finished')" % gate.lua)
            gate.wait()
            how()
            d.wait_log(" ready: | reloaded", mark)
            equal(c.sockets[1].ask("x"), "x")
            gate.open()
            equal(c.sockets[0].receive(), "finished")
        c.check()


@test
def idle_workers_killed():
    """all workers killed while they wait: no socket closes"""
    d = Upgrading(app=FPM)
    with crowd(d) as c:
        for _ in range(3):
            d.expect("killed by signal 9")
            old = d.workers()
            for pid in old:
                kill(pid, signal.SIGKILL)
            until(lambda: not set(old) & set(d.workers()) and
                  len(d.workers()) == 2, "other workers")
            c.check()


@test
def killed_with_a_message():
    """the worker that has a message in hand is killed: that socket gets 1011,
    those whose messages waited for it are served by another"""
    d = Upgrading(app=FPM, workers={"mode": "static", "max": 1})
    with crowd(d) as c:
        d.expect("killed by signal 9")
        gate, victim = d.gate(), c.sockets.pop(0)
        name, mark = id_of(victim), d.log_mark()
        victim.send("lua %s" % gate.lua)
        gate.wait()
        for ws in c.sockets:
            ws.send("waiting")
        kill(d.workers()[0], signal.SIGKILL)
        equal(victim.failed(), (1011, "end"))
        d.told(name, 1011, mark)
        for ws in c.sockets:
            equal(ws.receive(), "waiting")
        equal(d.read_log(mark).count("closed "), 1)


@test
def max_requests():
    """workers that leave after five requests or messages: none is lost"""
    d = Upgrading(app=FPM, workers={"mode": "static", "max": 2,
                                  "max_requests": 5})
    with crowd(d) as c:
        first, rounds = set(d.workers()), [0]

        def others():
            rounds[0] += 1
            for ws in c.sockets:
                ws.send("%d" % rounds[0])
            for ws in c.sockets:
                equal(ws.receive(), "%d" % rounds[0])
            return first - set(d.workers())
        until(others, "other workers")
        c.check()


@test
def memory_limit():
    """a handler over limits.memory: its socket 1011, the others stay"""
    d = Upgrading(app=FPM, limits={"memory": "8M"})
    with crowd(d) as c:
        d.expect("memory")
        victim = c.sockets.pop(0)
        victim.send("lua local t = {} for i = 1, 1e7 do "
                    "t[i] = ('x'):rep(1000) .. i end")
        equal(victim.until_close(), 1011)
        for i, ws in enumerate(c.sockets, 1):
            equal(ws.ask("lua ws:send(ws.session)"), "mine %d" % i)


def pair_of(pid):
    """The descriptor of a worker's connection to its hub: its only stream of
    the unix domain."""
    with open("/proc/net/unix") as f:
        streams = {line.split()[6] for line in f if line.split()[4] == "0001"}
    fd, = [fd for fd in os.listdir("/proc/%d/fd" % pid)
           if os.readlink("/proc/%d/fd/%s" % (pid, fd))[8:-1] in streams]
    return int(fd)


def opens(d):
    with contextlib.suppress(Refused, OSError, EOFError), d.ws() as ws:
        return ws.ask("x") == "x"


@test
def connection_to_the_hub_closed():
    """an application that closes its worker's connection to the hub: the log
    says so, its socket gets 1011, and another worker serves"""
    d = Upgrading(app=FPM, workers={"mode": "static", "max": 1})
    hostile = os.path.join(BUILD, "tests", "hostile", "hostile.so")
    with crowd(d, 3) as c:
        d.expect("has lost its connection to its hub", "exited with code")
        mark, old, victim = d.log_mark(), d.workers(), c.sockets.pop(0)
        victim.send("lua assert(package.loadlib(%r, 'luaopen_hostile'))()"
                    ".let_go(%d)" % (hostile, pair_of(old[0])))
        equal(victim.until_close(), 1011)
        d.wait_log("has lost its connection to its hub", mark)
        until(lambda: len(d.workers()) == 1 and d.workers() != old,
              "another worker")
        for i, ws in enumerate(c.sockets, 1):
            equal(ws.ask("lua ws:send(ws.session)"), "mine %d" % i)


@test
def door_shut_down():
    """a worker shuts down the door by which workers come to the hub: the log
    says so, another hub takes over at another one, nobody spins, no socket
    closes; a worker that finds no door makes room for one that does"""
    d = Upgrading(app=FPM, workers={"mode": "static", "max": 1})
    hostile = os.path.join(BUILD, "tests", "hostile", "hostile.so")
    with crowd(d, 3) as c:
        d.expect("lost its connection to its hub", "exited with code",
                 "killed by signal 9")
        mark, (old,), hub = d.log_mark(), d.workers(), d.hub()
        _, (*_, door) = seqpackets(d, old)
        c.sockets[0].send("lua assert(package.loadlib(%r, 'luaopen_hostile'))"
                          "().shut(%d)" % (hostile, door))
        d.wait_log("a worker has shut down the door", mark)
        heir = d.new_hub(hub)
        c.check("the same worker")
        used = cpu(heir)
        lasts(0.5)
        assert cpu(heir) - used < 0.2, cpu(heir) - used
        kill(heir, signal.SIGKILL)
        for ws in c.sockets:
            assert ws.event()[0] in ("end", "reset")
        c.sockets.clear()
        until(lambda: opens(d), "sockets open again")
        d.wait_log("has lost its connection to its hub", mark)
        assert old not in d.workers()


@test
def hub_killed():
    """the hub killed: its sockets end, HTTP does not notice, and clients can
    come again at once"""
    d = Upgrading(app=FPM)
    with crowd(d, 5) as c:
        d.expect("killed by signal 9")
        hub = d.hub()
        kill(hub, signal.SIGKILL)
        for ws in c.sockets:
            assert ws.event()[0] in ("end", "reset")
        status, _, body, sock = d.get(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.close()
        equal((status, body), (200, b"page /x"))
        until(lambda: opens(d), "sockets open again")
        assert d.hub() not in (None, hub)


@test
def no_hub():
    """while there is none, and none can start, an upgrade is soon answered 503
    with Retry-After, and pages are served"""
    with Upgrading(app=FPM) as d:
        d.expect("killed by signal 9")
        hub = d.hub()
        d.kill(signal.SIGSTOP)
        kill(hub, signal.SIGKILL)
        until(lambda: not alive(hub), "it has ended")

        def refused():
            """Who comes at once waits for one that may start, or was given
            to the one that ended in that moment."""
            with dial(d.web, 0.5) as sock, \
                    contextlib.suppress(TimeoutError, EOFError):
                sock.sendall(upgrade_request()[0])
                return read_head(sock)
        status, headers, _ = until(refused, "an answer")
        equal(status, 503)
        assert int(headers["retry-after"]) > 0, headers
        status, _, body, sock = d.get(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.close()
        equal((status, body), (200, b"page /x"))
        d.kill(signal.SIGCONT)
        until(lambda: opens(d), "sockets open again")


@test
def application_without():
    """a reload to an application without websocket: 1001, then 404"""
    d = Upgrading(app=FPM)
    with crowd(d, 5) as c:
        d.write_app(PLAIN)
        d.reload()
        for ws in c.sockets:
            equal(ws.until_close(), 1001)
        equal(d.refusal()[0], 404)


@test
def reloads_and_upgrades():
    """sockets that echo all the time, over many reloads and upgrades by
    turns"""
    count, times = (1000, 20) if FULL else (50, 2)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE,
                       (min(hard, max(soft, 2 * count + 200)), hard))
    d = Upgrading(app=FPM, timeouts={"stop": "60s"})
    with crowd(d, count) as c:
        ending, rounds = threading.Event(), [0]

        def echoes():
            while not ending.is_set():
                for ws in c.sockets:
                    ws.send("%d" % rounds[0])
                for ws in c.sockets:
                    equal(ws.receive(), "%d" % rounds[0])
                rounds[0] += 1
        mark, echoing = d.log_mark(), Background(echoes)
        for i in range(times):
            d.reload()
            install((NEXT, LUA_FPM)[i % 2], d.program)
            hub = d.hub()
            d.usr2()
            d.new_hub(hub)
            before = rounds[0]
            until(lambda: rounds[0] > before + 1 or not echoing.is_alive(),
                  "echoes")
        ending.set()
        echoing.result()
        c.check()
        equal(d.read_log(mark).count("closed "), 0)
        diag("%d messages" % (rounds[0] * count))


run(1200 if FULL else 240, over=FCGI)
