#!/usr/bin/env python3
"""The error log after a rotation, and after a reload that moves it: workers
follow without being restarted, though they may not open the file."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

TWO = {"mode": "static", "max": 2}


def content(path):
    try:
        with open(path) as f:
            return f.read()
    except FileNotFoundError:
        return ""


def complain(d, text):
    """Every worker has an error to report, and prints."""
    gates = [d.gate() for _ in range(2)]
    busy = [Background(d.lua, "%s print('said %s') error('%s')" %
                       (g.lua, text, text)) for g in gates]
    for g in gates:
        g.wait()
    for g in gates:
        g.open()
    for b in busy:
        equal(b.result().status, 500)


@test
def rotated():
    """USR1: what workers and master write from then on is in the new file,
    nothing is lost, no worker is restarted"""
    with scratch_log() as (d, path):
        old = d.wait_workers(2)
        complain(d, "before")
        until(lambda: content(path).count("said before") == 2)
        os.rename(path, path + ".1")
        d.kill(signal.SIGUSR1)
        until(lambda: os.path.exists(path))
        # USR1 and what follows it reach a worker in this order
        until(lambda: [complain(d, "after"),
                       content(path).count(": after") >= 2][1])
        equal(content(path).count("before"), 0)
        equal(content(path + ".1").count(": before"), 2)
        equal(d.workers(), old)


@test
def moved():
    """a reload with another error_log and log_level: the same"""
    with scratch_log() as (d, path):
        old = d.wait_workers(2)
        d.top["error_log"] = path + ".new"
        d.write_conf()
        d.reload()
        until(lambda: [complain(d, "moved"),
                       content(path + ".new").count(": moved") >= 2][1])
        equal(d.workers(), old)


@test
def missed_rotations():
    """a worker with one request in hand over more rotations than its channel
    holds has the newest access log afterwards"""
    d = Daemon(workers={"mode": "static", "max": 1})
    path = d.dir + "/access.log"
    d.pools["www"]["logs"] = {"access": path, "access_format": "%r"}
    with d:
        gate = d.gate()
        held = Background(d.lua, gate.lua + "return text('held')")
        gate.wait()
        for _ in range(300):
            os.rename(path, path + ".1")
            d.kill(signal.SIGUSR1)
            until(lambda: os.path.exists(path), "a new one")
        gate.open()
        equal(held.result().body, b"held")
        until(lambda: [d.fetch(uri="/after"), "/after" in content(path)][1],
              "lines of the newest")


@contextlib.contextmanager
def scratch_log():
    d = Daemon(workers=TWO)
    path = d.dir + "/error.log"
    d.top["error_log"] = path
    with d:
        yield d, path


run()
