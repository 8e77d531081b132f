#!/usr/bin/env python3
"""RLIMIT_NOFILE, lowered while the daemon runs (prlimit(1)) below what it
holds."""

import os
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}


def limit(pid, n, worker=False):
    """Lower or raise the soft limit, as the user of that process."""
    who = {"user": pool_user(), "group": pool_group(), "extra_groups": []} \
        if worker and ROOT else {}
    code, _, errors = tool("--pid", str(pid), "--nofile=%d:" % n,
                           program="prlimit", **who)
    equal((code, errors), (0, ""), "prlimit")


def started(n):
    d = Daemon(pools={"p%d" % i: {"workers": ONE} for i in range(n)})
    d.start(env=NO_LEAK_SEARCH)
    for name in d.pools:
        d.wait_ready(1, name)
    return d


def answers(d):
    for name in d.pools:
        equal(d.lua("return text('here')", name).body, b"here", name)


@test
def master():
    """the master with fewer than it watches goes on: requests, reopened logs,
    a refused reload, and a good one when it has more again"""
    d = started(12)
    before = resource.prlimit(d.pid, resource.RLIMIT_NOFILE)[0]
    limit(d.pid, 16)
    workers = d.workers()
    mark = d.log_mark()
    d.kill(signal.SIGUSR1)
    d.wait_log("RLIMIT_NOFILE", mark)
    answers(d)
    d.expect("Too many open files", "reload refused")
    d.reload()
    answers(d)
    equal(d.workers(), workers, "the workers after the refusal")
    equal(d.read_log(mark).count("RLIMIT_NOFILE"), 1, "lines of it")
    limit(d.pid, before)
    d.reload()
    answers(d)
    d.stop()


@test
def a_signal():
    """a signal ends such a master as it ends any other, though it has no
    descriptor for finding its socket files"""
    for n in (16, 0):
        d = started(12)
        limit(d.pid, n)
        answers(d)
        d.kill(signal.SIGTERM)
        equal(d.wait_exit(), 0, "exit code")
        equal(session(d.pid), [], "processes left")
        d.check_log()
        d.destroy()


@test
def worker():
    """a worker with fewer than it holds serves the connections that it has"""
    d = started(1)
    keep = d.connect("p0")
    keep.send(request(lua="return text('one')", keep=True))
    equal(keep.response().body, b"one")
    before = resource.prlimit(d.pid, resource.RLIMIT_NOFILE)[0]
    pid = d.workers()[0]
    until(lambda: process_stat(pid)[0] == "S", "it looks for no more clients")
    limit(pid, 0, worker=True)
    keep.send(request(lua="return text('two')", keep=True))
    equal(keep.response().body, b"two")
    keep.close()
    limit(pid, before, worker=True)
    answers(d)
    d.stop()


@test
def last_place():
    """a worker whose last descriptor a client takes closes an idle connection
    for another client as soon as there is one, and not before"""
    d = started(1)
    pid = d.workers()[0]
    with d.connect("p0") as idle:
        idle.send(request(lua="return text('one')", keep=True))
        equal(idle.response().body, b"one")
        taken = {fd for fd, _ in fds(pid)}
        limit(pid, min(set(range(len(taken) + 1)) - taken) + 1, worker=True)
        with d.connect("p0") as last:
            last.send(request(lua="return text('two')", keep=True))
            equal(last.response().body, b"two")
            until(lambda: process_stat(pid)[0] == "S",
                  "it looks for no more clients")
            idle.send(request(lua="return text('three')", keep=True))
            equal(idle.response().body, b"three")
            answers(d)
            assert last.eof(), "the one that is idle for longer"
        assert "cannot take connections" not in d.read_log(), d.tail()
    d.stop()


run(needs=("prlimit",))
