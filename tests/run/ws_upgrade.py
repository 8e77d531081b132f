#!/usr/bin/env python3
"""The hub of WebSockets at an upgrade: another process, of the new program,
takes its place with all sockets, or the old one goes on."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from ws_daemon import *
from upgraded import APART, NEXT, install


class Passing(Upgrading):
    @contextlib.contextmanager
    def heir(self, program=NEXT):
        """The new hub waits for the old one, which is stopped: (old, new)."""
        old = self.hub()
        os.kill(old, signal.SIGSTOP)
        try:
            install(program, self.program)
            self.kill(signal.SIGUSR2)
            until(lambda: len(self.hubs()) == 2, "two hubs")
            yield old, next(p for p in self.hubs() if p != old)
        finally:
            kill(old, signal.SIGCONT)


@contextlib.contextmanager
def daemon(n=3, **how):
    d = Passing(**how)
    with d, contextlib.ExitStack() as stack:
        yield d, [stack.enter_context(d.ws()) for _ in range(n)]


def echo(sockets, text="still there"):
    for ws in sockets:
        equal(ws.ask(text), text)


@test
def new_program():
    """a new program, and back: the hub is a process of it, and the sockets
    stay with what they have"""
    with daemon() as (d, sockets):
        for i, ws in enumerate(sockets):
            equal(ws.ask("lua ws.session = 'mine %d' ws:subscribe('all') "
                         "ws:send(ws.id)" % i), id_of(ws))
        hub = d.hub()
        for program in NEXT, LUA_FPM, LUA_FPM:
            install(program, d.program)
            d.usr2()
            hub = d.new_hub(hub)
            for i, ws in enumerate(sockets):
                equal(ws.ask("lua ws:send(ws.session)"), "mine %d" % i)
            equal(sockets[0].ask("lua fpm = require 'fpm' "
                                 "fpm.publish('all', 'hear')"), "hear")
            for ws in sockets[1:]:
                equal(ws.receive(), "hear")
            with d.ws() as fresh:
                echo([fresh])


@test
def at_rest():
    """while nobody says anything no process works: not after an upgrade
    either"""
    with daemon() as (d, sockets):
        def rests():
            pids = [d.pid, *children(d.pid)]
            before = [cpu(pid) for pid in pids]
            lasts(0.3)  # it is about time
            return all(cpu(pid) - was < 0.05 for pid, was in zip(pids, before))

        for _ in range(2):
            echo(sockets)
            until(rests, "all sleep")
            hub = d.hub()
            d.usr2()
            d.new_hub(hub)


@test
def in_the_middle():
    """frames that have come in part, answers that are read in part, messages
    that wait for a busy worker: all arrive, once, in order"""
    with daemon(4, workers={"mode": "static", "max": 1},
                websocket={"send_buffer": "8M"}) as (d, sockets):
        busy, queued, slow, cut = sockets
        hub, gate = d.hub(), d.gate()
        echo(sockets)
        slow.send("lua for i = 1, 30 do "
                  "ws:send(('%03d'):format(i):rep(50000)) end")
        equal(slow.ask(""), "001" * 50000)
        busy.send("lua %s ws:send('done')" % gate.lua)
        gate.wait()
        for i in range(30):
            queued.send("%d" % i)
        whole = frame(TEXT, b"cut in two")
        cut.raw(whole[:9])
        install(NEXT, d.program)
        d.kill(signal.SIGUSR2)
        d.new_hub(hub)
        cut.raw(whole[9:])
        gate.open()
        equal(busy.receive(), "done")
        for i in range(30):
            equal(queued.receive(), "%d" % i)
        equal(cut.receive(), "cut in two")
        for i in range(2, 31):
            equal(slow.receive(), "%03d" % i * 50000)
        equal(slow.receive(), "")
        echo(sockets)


@test
def worker_killed_afterwards():
    """the new hub knows what a worker of before has in hand: that socket gets
    1011, the others stay"""
    with daemon(2, workers={"mode": "static", "max": 1}) as (d, sockets):
        d.expect("killed by signal 9")
        victim, other = sockets
        hub, gate, worker = d.hub(), d.gate(), d.workers()[0]
        victim.send("lua %s" % gate.lua)
        gate.wait()
        other.send("waits")
        d.kill(signal.SIGUSR2)
        d.new_hub(hub)
        kill(worker, signal.SIGKILL)
        equal(victim.until_close(), 1011)
        equal(other.receive(), "waits")


@test
def says_that_it_is_outdated():
    """a hub that asks for another one again and again, and lets none take its
    place, gets one now and then"""
    with daemon() as (d, sockets):
        d.expect("no other process takes over", "cannot take over")
        hub, mark = d.hub(), d.log_mark()
        os.kill(hub, signal.SIGSTOP)
        with socket.socket(fileno=take_fd(hub, channel(d, hub))) as ours:
            def refuses():
                with contextlib.suppress(BlockingIOError):
                    ours.send(b"X", socket.MSG_DONTWAIT)
                    for fd in socket.recv_fds(ours, 64, 1,
                                              socket.MSG_DONTWAIT)[1]:
                        os.close(fd)
                return time.monotonic() > end

            end = time.monotonic() + 1  # it is about time
            until(refuses)
        equal(len(re.findall("no other process takes over",
                             d.read_log(mark))), 1)
        os.kill(hub, signal.SIGCONT)
        echo(sockets)
        equal(d.hub(), hub)


@test
def heir_killed():
    """the new hub ends before it has the sockets: the old one keeps them"""
    with daemon() as (d, sockets):
        d.expect("no other process takes over")
        mark = d.log_mark()
        with d.heir() as (old, new):
            kill(new, signal.SIGKILL)
            d.wait_log("they stay with this one", mark)
        echo(sockets)
        equal(d.hubs(), [old])
        d.wait_log(" ready: ", mark)
        d.usr2()
        d.new_hub(old)
        echo(sockets)


@test
def other_form():
    """a program that cannot read what the hub has, and whose workers cannot
    talk to it: all sockets get 1012, and others can be opened"""
    with daemon() as (d, sockets):
        d.expect("cannot take over the WebSockets",
                 "no other process takes over")
        mark, hub = d.log_mark(), d.hub()
        install(APART, d.program)
        d.kill(signal.SIGUSR2)
        for ws in sockets:
            equal(ws.until_close(), 1012)
        d.wait_log("it is of another build", mark)
        d.new_hub(hub)

        def again():
            with contextlib.suppress(Refused, OSError, EOFError):
                with d.ws() as ws:
                    return ws.ask("x") == "x"
        until(again, "sockets open again")


@test
def stop():
    """the daemon is stopped while the new hub waits: 1001"""
    with daemon(websocket={"drain": "500ms"}) as (d, sockets):
        with d.heir():
            d.kill(signal.SIGTERM)
            until(lambda: len(d.hubs()) == 1, "the new one is gone")
        for ws in sockets:
            equal(ws.until_close(), 1001)
            ws.send_close(1001)
        equal(d.wait_exit(), 0)
        d.check_gone()
        d.check_log()
        d.destroy()


@test
def master_killed():
    """the master is killed while the new hub waits: 1012, and none is left"""
    d = Passing().start()
    with d.ws() as ws:
        with d.heir():
            d.kill(signal.SIGKILL)
            equal(d.wait_exit(), -9)
        equal(ws.until_close(), 1012)
    until(lambda: not session(d.pid), "no process is left")
    d.destroy()


run(240, over=FCGI)
