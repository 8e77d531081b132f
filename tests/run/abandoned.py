#!/usr/bin/env python3
"""Requests whose clients have gone before they were begun."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

WORKERS, GONE, STAY = 2, 50, 30
# Says in a file that it ran, and takes two milliseconds.
RUN = ("local f = io.open('%s', 'a') f:write('%s\\n') f:close() "
       "local t = os.clock() while os.clock() - t < 0.002 do end "
       "return text('%s')")


def saturated(d, keep=False):
    """Requests queue up behind busy workers; some of their clients leave;
    the lines that were written."""
    record = d.dir + "/rw/ran"
    gates = [d.gate() for _ in range(WORKERS)]
    held = [Background(d.lua, g.lua + "return text('held')") for g in gates]
    for g in gates:
        g.wait()
    names = ["gone%d" % i for i in range(GONE)] + [
        "stay%d" % i for i in range(STAY)]
    random.shuffle(names)
    waiting = {}
    for name in names:
        c = waiting[name] = d.connect()
        c.send(request(lua=RUN % (record, name, name), keep=keep))
    for name in names:
        if name.startswith("gone"):
            waiting.pop(name).close()
    for g in gates:
        g.open()
    for b in held:
        equal(b.result().body, b"held")
    for name, c in waiting.items():
        with c:
            equal(c.response().body, name.encode())
    with open(record) as f:
        return f.read().split()


def counted(d, asked):
    """How many requests were served, those for the status apart, and how
    many abandoned."""
    status = json.loads(d.fetch(uri="/status?json").body)
    asked.append(status)
    return (status["requests"] - (len(asked) - 1),
            status["abandoned requests"])


def check_saturated(**pool):
    with Daemon(workers={"mode": "static", "max": WORKERS},
                status_path="/status", **pool) as d:
        d.wait_workers(WORKERS)
        equal(sorted(saturated(d)), sorted("stay%d" % i for i in range(STAY)))
        asked = []
        until(lambda: counted(d, asked) == (WORKERS + STAY, GONE),
              "all are counted")
        # nobody is worse for it
        equal(d.fetch().body, b"hello")


@test
def over_unix():
    """are skipped and counted, and exactly the others are run (unix)"""
    check_saturated()


@test
def over_tcp():
    """the same over TCP"""
    check_saturated(listen="127.0.0.1:%d" % free_port())


@test
def half_closed():
    """who only will send no more still gets the answer (unix)"""
    with Daemon(workers={"mode": "static", "max": 1}) as d:
        gate = d.gate()
        held = Background(d.lua, gate.lua + "return text('held')")
        gate.wait()
        with d.connect() as c:
            c.send(request(lua="return text('here')"))
            c.sock.shutdown(socket.SHUT_WR)
            gate.open()
            equal(c.response().body, b"here")
        held.result()


run(limit=60, over=BOTH)
