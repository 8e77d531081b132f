#!/usr/bin/env python3
"""A limit on the size of files (RLIMIT_FSIZE) loses lines of logs and nothing
else."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
SIZE = 1 << 30  # sparse; a scoreboard is a file too


def begin(d):
    """With a limit of SIZE bytes."""
    return d.start(program=shutil.which("prlimit"), args=(
        "--fsize=%d" % SIZE, LUA_FPM, "-c", d.file))


def full(path):
    with open(path, "wb") as f:
        f.truncate(SIZE)
    os.chmod(path, 0o666)


@test
def access_log():
    """one that is full: requests are served, the error log says how many
    lines are lost"""
    d = Daemon()
    d.set_pool("www", workers=ONE, logs={"access": d.dir + "/access.log"})
    d.write_conf()
    full(d.dir + "/access.log")
    begin(d)
    worker = d.wait_ready(1)
    for _ in range(5):
        equal(d.fetch().body, b"hello")
    d.expect("takes no lines, they are lost: File too large")
    d.wait_log("logs.access takes no lines, they are lost: File too large")
    equal(d.workers(), worker)
    equal(os.path.getsize(d.dir + "/access.log"), SIZE)
    d.stop()


@test
def error_log():
    """the same of the daemon's own"""
    d = Daemon(workers=ONE)
    d.top["error_log"] = d.dir + "/error.log"
    d.write_conf()
    full(d.dir + "/error.log")
    begin(d)
    worker = d.wait_ready(1)
    equal(d.lua("print('a line') return text('x')").body, b"x")
    d.reload()
    equal(d.lua("env.errors:write('a line') return text('x')").body, b"x")
    equal(d.workers(), worker)
    equal(os.path.getsize(d.dir + "/error.log"), SIZE)
    d.stop()


@test
def children():
    """what the application starts is stopped by the limit as any program"""
    with Daemon(workers=ONE) as d:
        got = d.lua("local f <close> = io.popen('exec grep SigIgn "
                    "/proc/self/status') return text(f:read('a'))").body
        equal(int(got.split()[1], 16) >> (signal.SIGXFSZ - 1) & 1, 0)


run(limit=60, needs=("prlimit",))
