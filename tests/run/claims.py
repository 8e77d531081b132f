#!/usr/bin/env python3
"""An environment that claims what is not so: that an upgrade has left
something, or that the process was born for a pool.  The process says so in one
line and ends, and nothing else is different."""

import fcntl
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | \
    fcntl.F_SEAL_SEAL
HANDOVER, ORDERS = "LUA_FPM_HANDOVER", "LUA_FPM_ORDERS"
KIND = {HANDOVER: b"lua_fpm_handover_1", ORDERS: b"lua_fpm_birth_2"}


def put(name, value):
    return b"%s %d\n%s\n" % (name, len(value), value)


def memory(data, seals=SEALS):
    fd = os.memfd_create("claim", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    if seals:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def contents(variable):
    """What is no hand-over, sealed as a good one."""
    good = put(KIND[variable], put(b"source", b"pools: {};"))
    return (good[:-1], good[:-8], good + b"x", b"x", os.urandom(70000),
            put(KIND[variable], b""), put(KIND[variable], b"source 9\nx\n"),
            *(good.replace(KIND[variable], KIND[variable][:-1] + version)
              for version in (b"0", b"9")),
            put(b"version", b"0.1.0"), good + good)


def refused(variable, args, number, fds=()):
    """One line, exit code 64."""
    code, out, err = tool(*args, env={**os.environ, variable: str(number)},
                          pass_fds=fds)
    equal((code, out), (64, ""), err)
    matches(r"\Alua-fpm: [^\n]*%s[^\n]*\n\Z" % variable, err)


def claim(variable, args):
    """Everything that such a variable might say and that is not so."""
    for number in ("", "x", "-1", "0", "1", "2", "99999999999", "3 ", "77"):
        refused(variable, args, number)
    for data in contents(variable):
        fd = memory(data)
        refused(variable, args, fd, (fd,))
        os.close(fd)
    good = put(KIND[variable], put(b"source", b"pools: {};"))
    for seals in (0, SEALS & ~fcntl.F_SEAL_WRITE,
                  SEALS & ~fcntl.F_SEAL_SHRINK):
        fd = memory(good, seals)
        refused(variable, args, fd, (fd,))
        equal(os.pread(fd, 4096, 0), good)
        os.close(fd)
    ours, theirs = socket.socketpair()
    ours.send(good)
    refused(variable, args, theirs.fileno(), (theirs.fileno(),))
    equal(theirs.recv(4096), good, "what waits in the socket")
    with open("/proc/self/exe", "rb") as f:
        refused(variable, args, f.fileno(), (f.fileno(),))


def beside(variable):
    """The daemon of the same configuration runs on as it was."""
    d = Daemon()
    d.top["control"] = d.dir + "/control.sock"
    with d:
        pids = d.wait_ready(2)
        paths = [d.address(), d.top["control"], d.top["pid_file"]]
        before = [os.stat(p) for p in paths], d.count_fds(), d.read_log()
        claim(variable, ("-c", d.file))
        equal(([os.stat(p)[:9] for p in paths], d.count_fds(), d.read_log()),
              ([s[:9] for s in before[0]], *before[1:]))
        equal(d.workers(), pids)
        equal(d.fetch().body, b"hello")


@test
def an_upgrade_that_is_not():
    """LUA_FPM_HANDOVER with a descriptor that is closed, a standard one, a
    file, a socket, or memory that is not sealed, cut off, of another build or
    nonsense"""
    beside(HANDOVER)


@test
def a_birth_that_is_not():
    """the same of LUA_FPM_ORDERS"""
    beside(ORDERS)


@test
def nothing_is_begun():
    """where no daemon runs none is started, and no file made; a test of the
    configuration is refused as well"""
    d = Daemon()
    d.top["control"] = d.dir + "/control.sock"
    d.write_conf()
    before = sorted(os.listdir(d.dir))
    for variable in (HANDOVER, ORDERS):
        for args in (("-c", d.file), ("-t", "-c", d.file), ("-D", "-c",
                                                            d.file)):
            refused(variable, args, 77)
            equal(sorted(os.listdir(d.dir)), before)
    equal(tool("-t", "-c", d.file)[0], 0)
    d.destroy()


run()
