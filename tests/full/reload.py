#!/usr/bin/env python3
"""20 reloads with a change each while 100,000 requests are asked, on fresh and
on kept connections, directly and through nginx, over HTTP through HAProxy too:
none fails."""

from full import *


def change(d, i):
    """By turns another configuration and another application."""
    if i % 2 == 0:
        d.set_pool("www", workers={"mode": "static", "max": 3},
                   environment={"NUMBER": str(i)})
        d.write_conf()
    else:
        d.write_app(ANSWERS + "-- %d\n" % i)
    old = d.workers()
    d.reload()
    until(lambda: not set(old) & set(d.workers()), "all workers are new", 60)


def reloads(keep, front=None):
    with Daemon(app=ANSWERS, workers={"mode": "static", "max": 3}) as d:
        under_storm(d, keep, front, lambda i: change(d, i), "reloads")


@test
def fresh():
    """fresh connections"""
    reloads(False)


@test
def kept():
    """kept connections"""
    reloads(True)


@test
def nginx_fresh():
    """through nginx, fresh connections"""
    reloads(False, Nginx)


@test
def nginx_kept():
    """through nginx, kept connections"""
    reloads(True, Nginx)


@test(over=HTTP, because="HAProxy's FastCGI is tried in tests/web")
def haproxy_kept():
    """through HAProxy, kept connections"""
    reloads(True, HAProxy)


run(1800 if FULL else 120, needs=(LUA_FCGI, "nginx", HAPROXY), over=BOTH)
