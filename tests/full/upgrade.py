#!/usr/bin/env python3
"""20 upgrades in place, by turns to a newer build and back, while 100,000
requests are asked, on fresh and on kept connections, directly and through
nginx, over HTTP through HAProxy too: none fails."""

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


def upgrades(keep, front=None):
    d = Upgraded(app=ANSWERS, workers={"mode": "static", "max": 3})
    pid = d.start().pid
    under_storm(d, keep, front, lambda i: upgrade(d, i), "upgrades")
    equal(d.process.poll(), None)
    with open(d.top["pid_file"]) as f:
        equal(int(f.read()), pid)
    d.stop()


def fresh():
    """fresh connections"""
    upgrades(False)


def kept():
    """kept connections"""
    upgrades(True)


if FULL:  # tests/run/upgrade.py has the same in small
    test(fresh)
    test(kept)


@test
def nginx_fresh():
    """through nginx, fresh connections"""
    upgrades(False, Nginx)


@test
def nginx_kept():
    """through nginx, kept connections"""
    upgrades(True, Nginx)


@test(over=HTTP, because="HAProxy's FastCGI is tried in tests/web")
def haproxy_kept():
    """through HAProxy, kept connections"""
    upgrades(True, HAProxy)


run(1800 if FULL else 120, needs=(LUA_FCGI, "nginx", HAPROXY), over=BOTH)
