#!/usr/bin/env python3
"""The status is asked for in every way, and the ping."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

TYPES = {"": "text/plain; charset=utf-8", "json": "application/json",
         "xml": "text/xml; charset=utf-8", "html": "text/html; charset=utf-8",
         "openmetrics": "application/openmetrics-text; version=1.0.0; "
                        "charset=utf-8"}

d = Daemon(status_path="/fpm-status", ping_path="/fpm-ping",
           workers={"mode": "static", "max": 2})


def ask(query="", **request):
    uri = "/fpm-status" + ("?" + query if query else "")
    return d.fetch(uri=uri, **request)


def only(response, name):
    """The value of a header that is there once."""
    value, = response.header(name)
    return value


@test
def formats():
    """every format has its type, in whatever order it is asked for"""
    d.start()
    for name, kind in TYPES.items():
        for query in (name, name + "&full", "full&" + name, name + "&_=17",
                      name + "=1", "&" + name + "&"):
            r = ask(query)
            equal(r.status, 200, query)
            equal(only(r, "Content-Type"), kind, query)
            matches("no-cache", only(r, "Cache-Control"))
            assert len(r.body) == int(only(r, "Content-Length")) > 100, query


@test
def unknown_formats():
    """a format that is not known, or two, is refused with all their names"""
    long = 20000 if PROTOCOL == FCGI else 5000  # a target has 8K
    for query in ("yaml", "json&xml", "Json", "full&csv", "j" * long):
        r = ask(query)
        equal(r.status, 400, query[:20])
        for name in ("text", "html", "json", "xml", "openmetrics", "full"):
            matches(name, r.body.decode())
    equal(ask("a=" + "x" * long + "&json").status, 200)


@test
def head():
    """HEAD gets the head that GET would get, and no body"""
    for uri in ("/fpm-status", "/fpm-ping", "/fpm-status?json"):
        r = d.fetch(uri=uri, method="HEAD")
        equal((r.status, r.body), (200, b""), uri)
        assert int(only(r, "Content-Length")) > 0, uri


@test
def ping():
    """the ping is answered without the application"""
    r = d.fetch(uri="/fpm-ping")
    equal((r.status, r.body), (200, b"pong"))
    equal(only(r, "Content-Type"), "text/plain; charset=utf-8")


@test(over=FCGI, because="each web server has its own parameters")
def web_servers():
    """the path is found wherever a web server puts it"""
    path = "/fpm-ping"
    for way, script, info, uri in (
            ("nginx, Apache, HAProxy", path, None, path),
            ("lighttpd, Caddy", "", path, path),
            ("divided", "/fpm", "-ping", "/x"),
            ("neither", None, None, path + "?a=b"),
            ("empty", "", "", path)):
        r = d.fetch(uri=uri, params=[("SCRIPT_NAME", script),
                                     ("PATH_INFO", info)])
        equal((r.status, r.body), (200, b"pong"), way)
    r = d.fetch(uri="/fpm-status?json",
                params=[("QUERY_STRING", None), ("SCRIPT_NAME", None)])
    equal(only(r, "Content-Type"), "application/json")


@test
def other_paths():
    """every other path is the application's"""
    for uri in "/fpm-ping/", "/fpm-pin", "/fpm-ping/x", "/x", "/FPM-PING":
        equal(d.fetch(uri=uri, lua="return text('mine')").body, b"mine", uri)


@test(over=FCGI, because="each web server has its own parameters")
def other_names():
    """so it is however a web server divides it"""
    for script, info in (("/fpm-ping/", None), ("/fpm-pin", None),
                         ("/fpm-ping", "/x"), ("/x", "/fpm-ping"),
                         ("/fpm-ping\0", None), ("/FPM-PING", None)):
        r = d.fetch(uri="/fpm-ping", lua="return text('mine')",
                    params=[("SCRIPT_NAME", script), ("PATH_INFO", info)])
        equal(r.body, b"mine", repr((script, info)))


@test
def not_unless_configured():
    """without status_path and ping_path every path is the application's"""
    with Daemon() as other:
        for uri in ("/fpm-ping", "/fpm-status", "/",
                    "" if PROTOCOL == FCGI else "/fpm"):
            equal(other.lua("return text('mine')", uri=uri).body, b"mine")


@test
def ping_response():
    """ping_response is what the ping says, byte for byte"""
    with Daemon(ping_path="/p", ping_response="I am <alive>") as other:
        equal(other.fetch(uri="/p").body, b"I am <alive>")


run(over=BOTH)
