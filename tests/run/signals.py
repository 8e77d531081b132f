#!/usr/bin/env python3
"""Signals to master and workers, and what happens if either dies."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
TWO = {"mode": "static", "max": 2}


def started(**how):
    d = Daemon(**how).start()
    d.wait_workers(d.pools["www"]["workers"].get("max", 2)
                   if d.pools["www"]["workers"]["mode"] == "static" else 1)
    return d


def ends(d, signo, within=None):
    d.stop(signo, timeout=within)


@test
def graceful():
    """TERM and QUIT: requests in hand and what waits in the queue are served,
    then the daemon leaves with 0"""
    for signo in (signal.SIGTERM, signal.SIGQUIT):
        d = started(workers=ONE)
        gate = d.gate()
        busy = Background(d.lua, gate.lua + "return text('whole')")
        gate.wait()
        waiting = [d.connect() for _ in range(100)]
        for c in waiting:
            c.send(request(lua="return text('waited')"))
        d.kill(signo)
        until(lambda: not os.path.exists(d.address()) or
              refused(d.address()), "no new client is let in")
        gate.open()
        equal(busy.result().body, b"whole")
        equal([c.response().body for c in waiting], [b"waited"] * 100)
        equal(d.wait_exit(), 0)
        d.check_gone()
        d.check_log()
        d.destroy()


def refused(address):
    try:
        Conn(address).close()
    except OSError:
        return True
    return False


@test
def graceful_tcp():
    """the same over TCP"""
    d = started(workers=ONE, listen="127.0.0.1:%d" % free_port())
    gate = d.gate()
    busy = Background(d.lua, gate.lua + "return text('whole')")
    gate.wait()
    waiting = [d.connect() for _ in range(100)]
    for c in waiting:
        c.send(request(lua="return text('waited')"))
    mark = d.log_mark()
    d.kill(signal.SIGTERM)
    d.wait_note("STOPPING=1")
    gate.open()
    equal(busy.result().body, b"whole")
    equal([c.response().body for c in waiting], [b"waited"] * 100)
    equal(d.wait_exit(), 0)
    d.check_gone()
    d.check_log()
    d.destroy()


@test
def stop_is_quick():
    """an idle daemon with idle connections stops at once"""
    d = started(workers=TWO, timeouts={"stop": "30s"})
    idle = [d.connect() for _ in range(10)]
    for c in idle[:5]:
        equal(c.ask(keep=True).status, 200)
    began = time.monotonic()
    ends(d, signal.SIGTERM)
    took = time.monotonic() - began
    assert took < 15, "it took %.1f s" % took
    for c in idle:
        c.close()


@test
def endless_loop():
    """an endless loop ends at timeouts.stop, by KILL"""
    d = started(workers=ONE, timeouts={"stop": "700ms"})
    d.expect("kill|KILL|timeouts.stop|stop_timeout|signal")
    c = d.connect()
    c.send(request(lua="print('looping') while true do end"))
    d.wait_log("looping")
    began = time.monotonic()
    ends(d, signal.SIGTERM)
    took = time.monotonic() - began
    assert 0.5 < took < 15, "it took %.1f s" % took
    c.close()


@test
def second_term():
    """a second TERM shortens the limit"""
    d = started(workers=ONE, timeouts={"stop": "60s"})
    d.expect("kill|KILL|signal")
    c = d.connect()
    c.send(request(lua="print('looping') while true do end"))
    d.wait_log("looping")
    d.kill(signal.SIGTERM)
    d.wait_note("STOPPING=1")
    began = time.monotonic()
    ends(d, signal.SIGTERM)
    assert time.monotonic() - began < 15
    c.close()


@test
def interrupt():
    """INT stops gracefully, a second INT at once"""
    d = started(workers=ONE)
    gate = d.gate()
    busy = Background(d.lua, gate.lua + "return text('whole')")
    gate.wait()
    d.kill(signal.SIGINT)
    d.wait_note("STOPPING=1")
    gate.open()
    equal(busy.result().body, b"whole")
    equal(d.wait_exit(), 0)
    d.check_gone()
    d.check_log()
    d.destroy()

    d = started(workers=ONE, timeouts={"stop": "60s"})
    d.expect("kill|KILL|signal")
    c = d.connect()
    c.send(request(lua="print('looping') while true do end"))
    d.wait_log("looping")
    d.kill(signal.SIGINT)
    d.wait_note("STOPPING=1")
    began = time.monotonic()
    d.kill(signal.SIGINT)
    d.wait_exit()
    assert time.monotonic() - began < 10, "at once"
    d.check_gone()
    d.destroy()
    c.close()


@test
def terminal():
    """Ctrl-C at a terminal reaches the workers too: they leave it to the
    master"""
    d = started(workers=ONE)
    gate = d.gate()
    busy = Background(d.lua, gate.lua + "return text('whole')")
    gate.wait()
    os.killpg(d.pid, signal.SIGINT)
    d.wait_note("STOPPING=1")
    gate.open()
    equal(busy.result().body, b"whole")
    equal(d.wait_exit(), 0)
    d.check_gone()
    d.check_log()
    d.destroy()


@test
def never_inside_a_request():
    """a signal waits until the request is over and interrupts no system call
    of the application"""
    with started(workers=ONE) as d:
        gate = d.gate()
        busy = Background(d.lua, gate.lua +
                          "return text(tostring(restarts))")
        gate.wait()
        worker = d.workers()[0]
        for _ in range(50):
            kill(worker, signal.SIGHUP)
        gate.open()
        equal(busy.result().body, b"0")
        d.wait_log("restart called")
        equal(d.lua("local f <close> = io.popen('exec sleep 0.2') "
                    "os.execute('kill -HUP ' .. pid()) "
                    "f:read('a') return text('calm')").body, b"calm")
        equal(d.workers(), [worker])


@test
def hup_without_restart():
    """HUP replaces the worker of an application without restart, the new one
    first"""
    app = """return { accept = function(env)
        return {}, io.open("/proc/self/stat"):read("n") end }"""
    app = app.replace('read("n")', 'read("a"):match("^%d+")')
    with started(app=app, workers=TWO) as d:
        old = set(d.workers())
        load = Load(d.address(), clients=2)
        d.reload()
        until(lambda: len(d.workers()) == 2 and not old & set(d.workers()),
              "both workers are new")
        done, failures = load.stop()
        equal(failures, [], "of %d" % done)
        new = {int(d.fetch().body) for _ in range(20)}
        assert new <= set(d.workers())


@test
def hup_storm():
    """1000 HUPs to master and worker: nothing fails, nothing leaks"""
    with started(workers=ONE) as d:
        worker = d.workers()[0]
        load = Load(d.address(), clients=2)
        load.more(10)
        for n in range(1000):
            kill(worker, signal.SIGHUP)
            if n % 50 == 0:
                load.more(1)
        for n in range(1000):
            d.kill(signal.SIGHUP)
            if n % 50 == 0:
                load.more(1)
        load.more(50)
        done, failures = load.stop()
        equal(failures, [], "of %d" % done)
        equal(d.workers(), [worker])
        d.reload()


@test
def killed_worker():
    """a worker killed by KILL is replaced, the log says what it died of"""
    with started(workers=TWO) as d:
        d.expect("signal 9|KILL|[Kk]illed")
        before = d.workers()
        mark = d.log_mark()
        kill(before[0], signal.SIGKILL)
        until(lambda: len(d.workers()) == 2 and before[0] not in d.workers(),
              "it is replaced")
        line = d.wait_log(r".*\[pid %d\].*|.*\b%d\b.*" %
                          (before[0], before[0]), mark)[0]
        matches(r"signal 9|KILL|[Kk]illed", line)
        matches("pool www", line)
        equal(d.fetch().status, 200)
        until(lambda: not zombies(d.pid), "reaped")


@test
def killed_in_a_request():
    """a worker killed in the middle of a request: only that one fails"""
    with started(workers=TWO) as d:
        d.expect("signal 9|KILL|[Kk]illed")
        gate = d.gate()
        with d.connect() as c:
            c.send(request(lua="os.execute('kill -9 ' .. pid())"))
            assert not c.response().complete
        for _ in range(10):
            equal(d.fetch().status, 200)
        d.wait_workers(2)


@test
def crash_in_c():
    """a worker that crashes is replaced, with back-off if it goes on"""
    app = """local app = {}
        function app.start()
            local f <close> = io.open("%s/rw/crash")
            print("born")
            if f then os.execute("kill -ABRT " ..
                io.open("/proc/self/stat"):read("a"):match("^%%d+")) end
        end
        function app.accept() return {}, "x" end
        return app"""
    dir = scratch()
    with Daemon(dir=dir, app=app % dir, workers=ONE) as d:
        d.expect("signal|ABRT|[Aa]bort|died|exit|start")
        open(dir + "/rw/crash", "w").close()
        mark = d.log_mark()
        kill(d.workers()[0], signal.SIGKILL)
        until(lambda: len(re.findall(r"\bborn$", d.read_log(mark), re.M)) >= 3,
              "it is tried again")
        births = len(re.findall(r"\bborn$", d.read_log(mark), re.M))
        first = time.monotonic()
        until(lambda: time.monotonic() - first > 1.5 or
              len(re.findall(r"\bborn$", d.read_log(mark), re.M)) > 20,
              "a while of crashes")
        n = len(re.findall(r"\bborn$", d.read_log(mark), re.M)) - births
        assert n <= 12, "%d births in 1.5 s" % n
        os.unlink(dir + "/rw/crash")
        equal(d.fetch().body, b"x", "it recovers by itself")


@test
def killed_master():
    """the master killed by KILL: workers finish their request and leave"""
    d = started(workers=TWO)
    gate = d.gate()
    busy = Background(d.lua, gate.lua + "return text('whole')")
    gate.wait()
    d.kill(signal.SIGKILL)
    equal(d.wait_exit(), -9)
    until(lambda: len(session(d.pid)) == 1, "the idle worker leaves")
    gate.open()
    equal(busy.result().body, b"whole")
    until(lambda: not session(d.pid), "no orphan is left")
    d.check_log()

    d.process = None  # the socket file is stale now: a new master takes over
    with d.start():
        equal(d.fetch().status, 200)


@test
def killed_master_veto():
    """even an application that declines to stop leaves without a master"""
    d = started(app="return { accept = function() return {} end, "
                "stop = function() return 1 end }", workers=TWO)
    d.kill(signal.SIGKILL)
    d.wait_exit()
    until(lambda: not session(d.pid), "no orphan is left")
    d.destroy()


@test
def killed_master_half_heads():
    """nor do connections that say nothing keep a worker without a master"""
    d = started(workers=TWO)
    silent = [d.connect() for _ in range(6)]
    for c in silent[:3]:
        c.send(request()[:8])
    for c in silent[3:]:
        equal(c.ask(keep=True).status, 200)
    d.kill(signal.SIGKILL)
    d.wait_exit()
    until(lambda: not session(d.pid), "no orphan is left", 15)
    for c in silent:
        c.close()
    d.destroy()


@test
def other_signals():
    """signals with no meaning here do not kill the daemon"""
    with started(workers=ONE) as d:
        for signo in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD,
                      signal.SIGPIPE):
            d.kill(signo)
        equal(d.fetch().status, 200)
        d.reload()
        equal(d.fetch().status, 200)
        equal(d.process.poll(), None)


run(180, over=BOTH)
