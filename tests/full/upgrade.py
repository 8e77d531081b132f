#!/usr/bin/env python3
"""20 upgrades in place, by turns to a newer build and back, while 100,000
requests are asked, on fresh and on kept connections, directly and through
nginx: none fails."""

from full import *
from upgraded import *


def upgrade(d, i):
    old, mark = d.workers(), d.log_mark()
    install((NEXT, LUA_FPM)[i % 2], d.program)
    d.kill(signal.SIGUSR2)
    d.wait_log(" upgraded from ", mark, 60)
    d.wait_log(" ready: ", mark, 60)
    until(lambda: len(d.workers()) == 3 and not set(old) & set(d.workers()),
          "all workers are new", 60)


def upgrades(way):
    d = Upgraded(app=HELLO, workers={"mode": "static", "max": 3})
    pid = d.start().pid
    under_storm(d, way, lambda i: upgrade(d, i), "upgrades")
    equal(d.process.poll(), None)
    with open(d.top["pid_file"]) as f:
        equal(int(f.read()), pid)
    d.stop()


def fresh():
    """fresh connections"""
    upgrades("fresh connections")


def kept():
    """kept connections"""
    upgrades("kept connections")


if FULL:  # tests/run/upgrade.py has the same in small
    test(fresh)
    test(kept)


@test
def nginx_fresh():
    """through nginx, fresh connections"""
    upgrades("nginx, fresh connections")


@test
def nginx_kept():
    """through nginx, kept connections"""
    upgrades("nginx, kept connections")


run(1800 if FULL else 120, needs=(LUA_FCGI, "nginx"))
