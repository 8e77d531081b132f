#!/usr/bin/env python3
"""Processes that are stopped for a while, and a clock that jumps."""

from faults import *

TWO = {"mode": "static", "max": 2}
HELLO = HELLO.replace("{", "{ restart = function() end,", 1)


def state(pid):
    return process_stat(pid)[0]


def stop(pid):
    kill(pid, signal.SIGSTOP)
    until(lambda: state(pid) == "T", "it is stopped")


@test
def master():
    """the master is stopped: requests are served; what happened meanwhile is
    dealt with once it goes on"""
    with Daemon(app=HELLO, workers=TWO) as d:
        d.expect("killed by signal 9")
        old = d.wait_ready(2)
        stop(d.pid)
        load = Load(d.address(), clients=2)
        load.more(200)
        equal(load.stop()[1], [])
        kill(old[0], signal.SIGKILL)
        until(lambda: old[0] in zombies(d.pid), "it waits to be reaped")
        mark = d.log_mark()
        d.kill(signal.SIGUSR1)
        d.kill(signal.SIGHUP)
        serves(d)
        kill(d.pid, signal.SIGCONT)
        d.wait_log("ready: 1 of 1", mark)
        d.wait_workers(2)
        assert old[1] in d.workers(), "the other one stayed"
        until(lambda: not zombies(d.pid), "it is reaped")
        serves(d)


@test
def idle_worker():
    """an idle worker is stopped: no new client waits for it; it goes on"""
    with Daemon(app=HELLO, workers=TWO) as d:
        old = d.wait_ready(2)
        for pid in old:
            stop(pid)
            load = Load(d.address(), clients=2)
            load.more(100)
            equal(load.stop()[1], [])
            kill(pid, signal.SIGCONT)
        with Quiet(d):
            serves(d)
        equal(d.workers(), old)


@test
def busy_worker():
    """a worker is stopped in a request: others serve, and the request goes on
    with it"""
    with Daemon(workers=TWO) as d:
        old, gate = d.wait_ready(2), d.gate()
        busy = Background(d.lua, gate.lua + "return text(pid())")
        gate.wait()
        for p in old:
            stop(p)
            kill(p, signal.SIGCONT)
        for _ in range(20):
            equal(d.lua("return text('hello')").body, b"hello")
        gate.open()
        assert int(busy.result().body) in old
        equal(d.workers(), old)


@test
def everything():
    """all are stopped, as by a suspended machine: clients wait, then are
    served by the same workers"""
    with Daemon(app=HELLO, workers=TWO) as d:
        old = d.wait_ready(2)
        for pid in (d.pid, *old):
            stop(pid)
        clients = [Background(d.fetch) for _ in range(10)]
        lasts(0.3)
        assert all(c.is_alive() for c in clients)
        for pid in (*old, d.pid):
            kill(pid, signal.SIGCONT)
        for c in clients:
            equal(c.result().body, b"hello")
        equal(d.workers(), old)
        d.reload()


@test
def clock():
    """the clock jumps a year ahead and back: nobody is killed, nothing is
    late, no timer fires; only the log shows it"""
    faults = Faults()
    with preloaded(faults, app=app_source("eval.lua"), workers=TWO,
                   timeouts={"request": "60s", "read": "60s", "start": "60s",
                             "keepalive": "60s", "stop": "60s"}) as d:
        old, gate = d.wait_ready(2), d.gate()
        kept = d.connect()
        equal(kept.ask(lua="return text('hello')", keep=True).status, 200)
        busy = Background(d.lua, gate.lua + "return text('whole')")
        gate.wait()
        for jump in (365 * 86400, -365 * 86400):
            faults.fail("clock", jump)
            mark = d.log_mark()
            with Quiet(d):
                equal(d.lua("return text('hello')").body, b"hello")
                d.reload()
                lasts(0.2)
            year = time.gmtime(time.time() + jump).tm_year
            matches("(?m)^%d-.* ready: 1 of 1" % year, d.read_log(mark))
        faults.end("clock")
        gate.open()
        equal(busy.result().body, b"whole")
        equal(kept.ask(lua="return text('hello')", keep=True).status, 200)
        equal(d.workers(), old)


run(90)
