#!/usr/bin/env python3
"""How many system calls a request costs, counted with strace."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

TIMES = 200
APP = """
local long = ("x"):rep(100000)
return { accept = function(env)
	env.input:read("a")
	return {}, env.REQUEST_URI == "/long" and long or "hello"
end }
"""
FRESH = {"accept4": 1, "recvfrom": 1, "sendto": 1, "close": 1}
if PROTOCOL == HTTP:
    FRESH.update(getpeername=1, getsockname=1)
KEPT = {"recvfrom": 1, "sendto": 1}
# Where nothing is left to do, one of each before the next request.
REST = "accept4 in vain", "epoll_wait"
# Beside those: what happens at times, like a sample of the processor time.
SPARE = 0.5


def daemon(access):
    d = Daemon(app=APP, workers={"mode": "static", "max": 1},
               http={"keepalive_requests": 0})
    if access:
        d.pools["www"]["logs"] = {"access": d.dir + "/access.log"}
    return d


@contextlib.contextmanager
def alone(worker, strace):
    """All on one processor, the worker never before we wait, so that a
    request is there as a whole when its connection is accepted; and, where
    that is allowed, before all others: a request that has taken long by the
    clock has the next one asked whether its client is still there."""
    ours = os.sched_getaffinity(0)
    for which in 0, worker, strace:
        os.sched_setaffinity(which, {min(ours)})
    try:
        for which, priority in ((strace, 3), (0, 2), (worker, 1)):
            os.sched_setscheduler(which, os.SCHED_FIFO,
                                  os.sched_param(priority))
    except PermissionError:
        os.sched_setscheduler(worker, os.SCHED_BATCH, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, ours)


class Strace:
    """Counts the calls of a worker's main thread."""

    def __init__(self, d, pid):
        self.file = d.dir + "/calls"
        self.process = subprocess.Popen(
            ["strace", "-o", self.file, "-p", str(pid)],
            stderr=subprocess.PIPE, text=True)
        said = self.process.stderr.readline()
        if "attached" not in said:
            self.process.wait()
            raise Skip(said.strip())

    def stop(self):
        self.process.terminate()
        self.process.communicate()
        calls = {}
        with open(self.file) as f:
            for line in f:
                name = line.partition("(")[0]
                if name == "accept4" and "EAGAIN" in line:
                    name += " in vain"
                calls[name] = calls.get(name, 0) + 1
        return calls


def counted(d, ask):
    """Calls by name while ask() is called again and again."""
    ask()
    worker, = d.wait_workers(1)
    strace = Strace(d, worker)
    try:
        with alone(worker, strace.process.pid):
            for _ in range(TIMES):
                ask()
    finally:
        calls = strace.stop()
    return {name: n / TIMES for name, n in calls.items()}


def few(calls, expected, requests, waits):
    rests = [calls.pop(name, 0) for name in REST]
    if SANITIZED:
        for name in "mmap", "munmap", "madvise":
            calls.pop(name, None)  # its malloc(3) gives memory back at once
    return (sum(calls.values()) <= requests * sum(expected.values()) + SPARE
            and max(rests) <= waits + SPARE)


def check(expected, asking, access=False, requests=1, waits=1, attempts=5):
    """What else the machine does may spoil an attempt, but not all of them.
    requests: that come at the same time; waits: for all of them."""
    with daemon(access).start() as d:
        ask = asking(d)
        for _ in range(attempts):
            calls = counted(d, ask)
            diag(", ".join("%s %g" % c for c in sorted(calls.items())))
            if few(calls, expected, requests, waits):
                return
    raise AssertionError("more than %r: %r" % (expected, calls))


def fresh(d, **q):
    return lambda: d.fetch(**q)


def kept(d, **q):
    c = d.connect()
    return lambda: c.ask(keep=True, **q)


@test
def fresh_connection():
    """a connection for a request: accept, receive, send, close"""
    check(FRESH, fresh)


@test
def fresh_connection_and_access_log():
    """the same with an access log"""
    check(FRESH, fresh, access=True)


@test
def kept_connection():
    """a connection that is kept alive: receive, send"""
    check(KEPT, kept)


@test
def kept_connection_and_access_log():
    """the same with an access log"""
    check(KEPT, kept, access=True)


@test
def under_load():
    """16 connections that ask at the same time: receive and send for each, and
    one wait for all of them"""
    def ask(d):
        conns = [d.connect() for _ in range(16)]

        def all_of_them():
            for c in conns:
                c.send(request(keep=True))
            for c in conns:
                equal(c.response().status, 200)
        return all_of_them
    check(KEPT, ask, requests=16)


@test
def long_response():
    """100 KB: one call for all of it"""
    check({"recvfrom": 1, "sendmsg": 1}, lambda d: kept(d, uri="/long"))


@test(over=FCGI, because="HTTP has the body wait outside of the worker")
def upload():
    """60 KB: one call, or, of a client that is still sending, another and a
    wait between them"""
    check({**KEPT, "recvfrom": 2, "poll": 1},
          lambda d: kept(d, method="POST", body="x" * 60000))


@test(over=HTTP, because="there the worker receives it when it is asked for")
def body():
    """60 KB: one wait, and a call for each 16 KB that are awaited"""
    check({**KEPT, "recvfrom": 4},
          lambda d: kept(d, method="POST", body="x" * 60000))


run(60, needs=["strace"], over=BOTH)
