#!/usr/bin/env python3
"""How pools with many workers come up: few load at once, requests are served
from the first ready worker on, and the master hears meanwhile."""

import contextlib
import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

# Loading takes so much processor time, then the application says when.
SLOW = """
local until_ = os.clock() + %s
while os.clock() < until_ do end
local app = dofile(%r)
return app
"""
FULL = "FULL" in os.environ
MANY = 3000 if FULL else 50
EACH = 0.2  # seconds of processor time


def slow(d, seconds):
    d.write_app(app_source("eval.lua"), "eval.lua")
    d.write_app(SLOW % (seconds, d.dir + "/eval.lua"))
    return d


@test
def many():
    """%d workers that take 0.2 s of processor time each come up, few of them
    loading at the same time; READY is there with the first"""
    d = slow(Daemon(workers={"mode": "static", "max": MANY, "loading": 4}),
             EACH)
    most = 0
    began = time.monotonic()
    with d.start():
        there = len(d.workers())
        assert there < MANY / 2, "READY with %d" % there
        equal(d.fetch().body, b"hello")
        ready = set()
        while len(ready) < MANY:
            young = set(d.workers()) - ready
            ready.update(filter(listens, young))
            most = max(most, len(young - ready))
            assert time.monotonic() - began < MANY * EACH * 10
            time.sleep(0.1)  # looking costs the workers processor time
        assert most <= 8, "%d loaded at once" % most
        until(lambda: "not ready within" not in d.read_log())
        equal(d.fetch().body, b"hello")


many.__doc__ %= MANY


@test
def stop_in_the_middle():
    """TERM in the middle of it is obeyed within a second"""
    d = slow(Daemon(workers={"mode": "static", "max": MANY, "loading": 4}),
             EACH)
    d.start()
    assert len(d.workers()) < MANY
    began = time.monotonic()
    d.kill(signal.SIGTERM)
    d.wait_log("stopping")
    assert time.monotonic() - began < 1
    d.ended(0)
    assert time.monotonic() - began < 5
    d.destroy()


@test
def waiting_is_no_loading():
    """workers that wait while they load keep no others from it"""
    app = "os.execute('sleep 1')\n" + app_source("eval.lua")
    d = Daemon(app=app, workers={"mode": "static", "max": 20, "loading": 2})
    with d.start():
        began = time.monotonic()
        d.wait_ready(20)
        assert time.monotonic() - began < 8, "20 seconds one after the other"


@test
def own_turn():
    """timeouts.start counts from a worker's own turn, not from the daemon's
    start"""
    d = slow(Daemon(workers={"mode": "static", "max": 26, "loading": 1},
                    timeouts={"start": "6s" if SANITIZED else "3s"}), 0.13)
    with d.start():
        d.wait_ready(26)


@test
def more_time():
    """the service manager is asked for more time while nothing is ready"""
    d = Daemon(app="os.execute('sleep 0.3')\n" + app_source("eval.lua"))
    d.write_conf()
    with d.spawn() as d:
        d.wait_note("EXTEND_TIMEOUT_USEC=")
        assert "READY=1" not in d.notes
        d.wait_note("READY=1")
        d.fds_before = d.count_fds()


@test
def control_meanwhile():
    """the control socket answers while workers load"""
    d = slow(Daemon(workers={"mode": "static", "max": 20, "loading": 2}), 0.2)
    d.top["control"] = d.dir + "/control"
    with d.start():
        code, out, err = tool("-c", d.file, "status", program=LUA_FPMCTL)
        equal(code, 0, out + err)
        assert len(d.workers()) < 20
        d.wait_workers(20)


def processes_of(user):
    uid, found = pwd.getpwnam(user).pw_uid, []
    for path in glob.glob("/proc/[0-9]*"):
        with contextlib.suppress(FileNotFoundError):
            if os.stat(path).st_uid == uid:
                found.append(path)
    return found


@test
def processes_of_the_user():
    """limits.processes: an application cannot take more of them; too few for
    its own workers are refused"""
    if not ROOT:
        raise Skip("not root")
    equal(processes_of("games"), [], "processes of that user")
    with Daemon(user="games", workers={"mode": "static", "max": 1},
                limits={"processes": 12}).start(env=NO_LEAK_SEARCH) as d:
        got = d.lua("local n = 0 for i = 1, 40 do local f = io.popen("
                    "'exec sleep 2') if f then n = n + 1 keep = keep or {} "
                    "keep[n] = f end end return text(tostring(n))")
        assert 1 <= int(got.body) <= 10, got.body
    d = Daemon(user="games", workers={"mode": "static", "max": 4},
               limits={"processes": 15})
    d.write_conf()
    code, out, err = tool("-t", "-c", d.file)
    equal(code, 78)
    matches(r"limits.processes \(15\) is below the 16 threads", out + err)
    d.destroy()


@test
def no_room_for_a_worker():
    """limits.processes: a reload for which the application has left no room
    says so"""
    if not ROOT:
        raise Skip("not root")
    until(lambda: not processes_of("games"), "nothing is left of that user")
    d = Daemon(user="games", workers={"mode": "static", "max": 1},
               limits={"processes": 4})
    socket = d.top["control"] = d.dir + "/control.sock"
    with d.start(env=NO_LEAK_SEARCH):
        d.expect("cannot start a second thread", "do not come up", "refused",
                 "exited with code 71")
        d.lua("keep = {} for i = 1, 4 do keep[i] = io.popen('exec cat', 'w') "
              "end return text('full')")
        d.pools["www"]["umask"] = "0027"
        d.write_conf()
        code, _, err = tool("-s", socket, "reload", program=LUA_FPMCTL)
        equal(code, 1)
        matches(r"pool www: .*the old ones stay: cannot start a second thread "
                r"\(limits.processes\?\): Resource temporarily", err)
        equal(d.lua("return text('serves')").body, b"serves")


@test
def process_of_the_status():
    """limits.processes: one that leaves the process of status_listen no room
    is refused, the least that is not allows a start and a reload"""
    if not ROOT:
        raise Skip("not root")
    until(lambda: not processes_of("games"), "nothing is left of that user")
    d = Daemon(user="games", workers={"mode": "static", "max": 1},
               limits={"processes": 7})
    d.pools["www"]["status_listen"] = d.dir + "/status.sock"
    d.write_conf()
    code, out, err = tool("-t", "-c", d.file)
    equal(code, 78)
    matches(r"limits.processes \(7\) is below the 8 threads", out + err)
    d.pools["www"]["limits"]["processes"] = 8
    with d.start(env=NO_LEAK_SEARCH):
        old = d.workers("www")
        d.pools["www"]["umask"] = "0027"
        d.write_conf()
        d.reload()
        until(lambda: not set(old) & set(d.workers()), "a new generation")


run(limit=300 if not FULL else 1800)
