#!/usr/bin/env python3
"""A response that is cut: which records the web server gets of it, and what
becomes of the connection."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

Daemon.program = QUICK
HANG = "string.find(string.rep('a', 60), string.rep('a?', 60) .. "\
    "string.rep('a', 60))"
MARK = "seen by the web server"
# What ends a body whose first piece has been sent.
ENDS = {
    "error in the body": "error('the body broke')",
    "wrong type": "return {}",
    "timeouts.request": "while true do end",
    "timeouts.request in C": HANG,
    "limits.memory": "local t = {} while true do t[#t + 1] = "
                     "('x'):rep(100000) .. #t end",
    "exit": "os.exit(3)",
}
DIES = {"exit"}  # nothing is sent any more
WORKERS = {"mode": "static", "max": 1}
EXPECTED = ("the body broke", "expected", "timeouts.request", "memory",
            "exited with code", "shorter than", MARK)

d = Daemon(workers=WORKERS, timeouts={"request": "300ms", "stop": "10s"},
           limits={"memory": "32M"}, errors_to_server=True)


def body(end, length):
    return ("return { ['Content-Length'] = %s }, coroutine.wrap(function() "
            "coroutine.yield('piece') %s end)" % (length or "nil", end))


def records(c):
    """What comes until the connection is closed: the bytes of each stream,
    and the records that are not of a stream, or end one."""
    streams, marks = {STDOUT: b"", STDERR: b""}, []
    while (record := c.record()) is not None:
        kind, _, data = record
        streams[kind] = streams.get(kind, b"") + data
        if not data or kind == END:
            marks.append(kind)
    return streams, marks


def cut(name, lua, keep, errors):
    """A response that ends after its head and `piece`: an opened STDERR is
    ended, then comes ABORT, and the connection is closed."""
    dies = name in DIES
    with d.connect() as c:
        c.send(request(lua=lua, keep=keep))
        streams, marks = records(c)
    what = "%s, keep %s: %r" % (lua, keep, streams)
    matches(rb"^Status: 200[^\0]*\r\n\r\npiece$", streams[STDOUT], what)
    assert streams[STDERR] or not errors or dies, what
    equal(marks, [] if dies else [STDERR, ABORT] if streams[STDERR] else
          [ABORT], what)


@test
def begun_bodies():
    """neither STDOUT nor the request is ended, whatever cut the body, with
    FCGI_KEEP_CONN and a Content-Length or without"""
    d.start()
    d.expect(*EXPECTED)
    for name, end in ENDS.items():
        for keep in False, True:
            for length in None, 4096:
                for errors in "", "env.errors:write('%s\\n') " % MARK:
                    cut(name, errors + body(end, length), keep, errors)
                    equal(d.fetch().body, b"hello")


@test
def short_bodies():
    """so it is where the body is shorter than its Content-Length"""
    for text in ("'piece'", "{ 'pie', 'ce' }", "coroutine.wrap(function() "
                 "coroutine.yield('piece') end)"):
        for keep in False, True:
            cut("short", "return { ['Content-Length'] = 4096 }, " + text, keep,
                True)


@test
def whole_ones_keep_the_connection():
    """an error that is answered, and one behind a whole response, end as any
    response does"""
    d.expect("answered still")
    with d.connect() as c:
        for lua, status in (("error('answered still')", 500),
                            ("return text('x')", 200),
                            ("return text(('x'):rep(100000))", 200),
                            ("return { ['Content-Length'] = 3 }, 'abcdef'",
                             200)):
            r = c.ask(lua=lua, keep=True)
            equal((r.status, r.app_status), (status, 0), lua)
    d.expect("longer than")


@test
def uploads():
    """a body that nobody read does not hide the cut"""
    for size in 100, 3000000:
        for length in None, 4096:
            with d.connect() as c:
                upload = Background(c.send, request(
                    method="POST", body=b"x" * size, keep=True,
                    lua=body("error('the body broke')", length)))
                equal(records(c)[1], [STDERR, ABORT])
                with contextlib.suppress(OSError):
                    upload.result()


@test
def tcp():
    """over TCP as well: no byte of what was sent is lost"""
    with Daemon(listen="127.0.0.1:%d" % free_port(), workers=WORKERS) as t:
        t.expect("the body broke")
        for keep in False, True:
            with t.connect() as c:
                c.send(request(keep=keep, lua=body(
                    "coroutine.yield(('x'):rep(200000)) "
                    "error('the body broke')", None)))
                streams, marks = records(c)
                equal(marks, [ABORT])
                assert streams[STDOUT].endswith(b"\r\n\r\npiece" +
                                                b"x" * 200000)


run(120, over=FCGI)
