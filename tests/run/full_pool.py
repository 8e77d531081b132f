#!/usr/bin/env python3
"""A pool whose workers are all busy while clients wait: one line when it
begins and one when it is over, which say what to do."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

Daemon.program = QUICK  # full for 0.1 s, and not any more for 1 s
BEGINS = (r"(?m)^\S+ warning \[pid %d\] pool www: full: all 2 workers are busy "
          r"and (\d+) clients? waits?; consider raising workers\.max \(2\)")
ENDS = (r"(?m)^\S+ notice \[pid %d\] pool www: is not full any more, after "
        r"\d+ s; at most [1-6] waited$")
MODES = {
    "static": {"mode": "static", "max": 2},
    "dynamic": {"mode": "dynamic", "max": 2, "start": 1, "min_spare": 1,
                "max_spare": 2},
    "ondemand": {"mode": "ondemand", "max": 2, "idle_timeout": "10s"}}


def lines(d, mark, regex):
    return len(re.findall(regex % d.pid, d.read_log(mark)))


def fill(d, waiting):
    """Two requests that are held, and as many that wait as that."""
    gates = [d.gate() for _ in range(2)]
    asked = [Background(d.connect().ask, lua=g.lua + "return text('held')")
             for g in gates]
    for g in gates:
        g.wait()
    return gates, asked + [Background(d.connect().ask, lua="return {}")
                           for _ in range(waiting)]


def drain(gates, asked):
    for g in gates:
        g.open()
    for a in asked:
        equal(a.result().status, 200)


def check(mode):
    with Daemon(workers=MODES[mode]) as d:
        mark = d.log_mark()
        full = fill(d, 6)
        d.wait_log(BEGINS % d.pid, mark)
        drain(*full)
        drain(*fill(d, 3))  # so soon it is no other time
        d.wait_log(ENDS % d.pid, mark)
        equal((lines(d, mark, BEGINS), lines(d, mark, ENDS)), (1, 1), mode)
        mark = d.log_mark()
        full = fill(d, 6)
        d.wait_log(BEGINS % d.pid, mark)
        drain(*full)
        d.wait_log(ENDS % d.pid, mark)


@test
def static():
    """mode static: one line when it begins, one when it is over, and again"""
    check("static")


@test
def dynamic():
    """mode dynamic"""
    check("dynamic")


@test
def ondemand():
    """mode ondemand"""
    check("ondemand")


@test
def until_the_end():
    """a pool that is dropped, or a daemon that stops, while it is full: the
    line that it is over all the same"""
    d = Daemon(pools={"www": {"workers": MODES["static"]}, "b": {}})
    d.start()
    mark = d.log_mark()
    full = fill(d, 6)
    d.wait_log(BEGINS % d.pid, mark)
    conf = d.pools.pop("www")
    d.write_conf()
    d.kill(signal.SIGHUP)
    d.wait_log(ENDS % d.pid, mark)
    drain(*full)
    d.pools["www"] = conf
    d.write_conf()
    d.reload()
    mark = d.log_mark()
    full = fill(d, 6)
    d.wait_log(BEGINS % d.pid, mark)
    d.kill(signal.SIGTERM)
    d.wait_log(ENDS % d.pid, mark)
    drain(*full)
    equal(d.wait_exit(), 0)
    equal((lines(d, mark, BEGINS), lines(d, mark, ENDS)), (1, 1))
    d.check_gone()
    d.destroy()


@test
def over_generations():
    """a reload that replaces the workers, and an upgrade, while it is full: no
    other line until it is over"""
    with Daemon(workers=MODES["static"], timeouts={"stop": "20s"}) as d:
        mark = d.log_mark()
        gates, asked = fill(d, 6)
        d.wait_log(BEGINS % d.pid, mark)
        d.set_pool("www", workers=MODES["static"], timeouts={"stop": "20s"},
                   environment={"A": "B"})
        d.write_conf()
        d.reload()
        drain([], asked[2:])
        d.kill(signal.SIGUSR2)
        d.wait_log(" upgraded from ", mark)
        drain(gates, asked[:2])
        d.wait_log(ENDS % d.pid, mark)
        equal((lines(d, mark, BEGINS), lines(d, mark, ENDS)), (1, 1))


run(120)
