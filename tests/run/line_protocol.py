#!/usr/bin/env python3
"""Another protocol in the place of FastCGI (tests/line/line.c), served by the
same daemon: what is left of a worker knows none."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

PROGRAM = os.path.join(BUILD, "tests", "line", "lua-fpm")
APP = """
local n = 0
return {
    restart = function() return true end,
    accept = function(env)
        n = n + 1
        if env.REQUEST_URI == "raise" then error("raised") end
        return { ["Content-Type"] = "text/plain" },
            { "you said ", env.REQUEST_URI }
    end }
"""


class Line:
    def __init__(self, daemon):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(daemon.address())
        self.file = self.sock.makefile("rwb")

    def send(self, text):
        self.file.write(text.encode())
        self.file.flush()

    def ask(self, text):
        self.send(text + "\n")
        return self.file.readline().decode()

    def close(self):
        self.file.close()
        self.sock.close()


def serving(**pool):
    return Daemon(app=APP, **pool).start(program=PROGRAM)


@test
def a_line():
    """a line is answered, on a connection that stays and on others"""
    with serving(workers={"mode": "static", "max": 2}) as d:
        lines = [Line(d) for _ in range(10)]
        for i in range(5):
            for line in lines:
                equal(line.ask("hello %d" % i), "you said hello %d\n" % i)
        for line in lines:
            line.close()


@test
def in_parts_and_ahead():
    """it may come in parts, and many at once"""
    with serving(workers={"mode": "static", "max": 1}) as d:
        line = Line(d)
        line.send("a")
        equal(Line(d).ask("between"), "you said between\n")
        line.send("b\nc\nd\n")
        for said in ("ab", "c", "d"):
            equal(line.file.readline().decode(), "you said %s\n" % said)
        line.close()


@test
def an_error():
    """an application that raises answers something, and the log has it"""
    with serving(workers={"mode": "static", "max": 1}) as d:
        d.expect("raised")
        line = Line(d)
        equal(line.ask("raise"), "Internal Server Error\n")
        equal(line.file.readline(), b"\n")
        d.wait_log("error .*raised")
        equal(line.ask("on"), "you said on\n")
        line.close()


@test
def a_reload():
    """connections, one in the middle of a line, live through reloads that
    restart workers and that replace them"""
    with serving(workers={"mode": "static", "max": 2}) as d:
        lines = [Line(d) for _ in range(20)]
        half = Line(d)
        half.send("half")
        for n in range(4):
            if n % 2 == 1:
                d.write_app(APP + "\n-- %d\n" % n)
            d.reload()
            for line in lines:
                equal(line.ask("after %d" % n), "you said after %d\n" % n)
        half.send(" a line\n")
        equal(half.file.readline().decode(), "you said half a line\n")
        for line in [half, *lines]:
            line.close()


run(60, over=FCGI)
