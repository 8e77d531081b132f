#!/usr/bin/env python3
"""The status of a pool in every format, and the ping."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

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


def body(query=""):
    r = ask(query)
    equal((r.status, r.app_status), (200, 0), query)
    return r.body.decode()


def as_json(query="json"):
    return json.loads(body(query))


def as_text(query=""):
    """The pool's fields; php-fpm's layout."""
    pool = body(query).split("\n\n")[0]
    return dict(re.fullmatch(r"([a-zA-Z0-9+. ]+): +(.*)", line).groups()
                for line in pool.splitlines())


def as_xml(query="xml"):
    return xml.etree.ElementTree.fromstring(body(query))


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
    for query in ("yaml", "json&xml", "Json", "full&csv", "j" * 20000):
        r = ask(query)
        equal(r.status, 400, query[:20])
        for name in ("text", "html", "json", "xml", "openmetrics", "full"):
            matches(name, r.body.decode())
    equal(ask("a=" + "x" * 20000 + "&json").status, 200)


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


run()
