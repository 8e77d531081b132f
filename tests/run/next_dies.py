#!/usr/bin/env python3
"""A next image that dies after exec(2), at one of its first system calls: what
was in hand and what waited at that moment is answered by the old workers,
which then leave."""

import ctypes
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from upgraded import *

TWO = {"mode": "static", "max": 2}
STOP = 5  # s
FULL = os.environ.get("FULL") == "yes"
# From some 400 on it takes over, then its workers come up.
CALLS = [*range(1, 101), *range(103, 640, 7)] if FULL else \
    [1, 2, 33, 66, 100, 200, 300, 400, 450, 500, 550, 600]

PTRACE_CONT, PTRACE_SYSCALL, PTRACE_SEIZE = 7, 24, 0x4206
TRACESYSGOOD, TRACEEXEC = 0x01, 0x10
EVENT_EXEC, EVENT_STOP = 4, 128
WALL = 0x40000000


def ptrace(request, pid, data):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                            ctypes.c_void_p]
    if libc.ptrace(request, pid, None, data) == -1:
        raise OSError(ctypes.get_errno(), "ptrace")


def upgrade_and_die(d, n):
    """Send USR2, and kill the next image when it enters its n-th system call,
    or when it has no more to do."""
    try:
        ptrace(PTRACE_SEIZE, d.pid, TRACESYSGOOD | TRACEEXEC)
    except PermissionError as e:
        raise Skip(e)
    late = threading.Timer(PATIENCE / 4, kill, (d.pid, signal.SIGKILL))
    late.start()
    d.kill(signal.SIGUSR2)
    go, stops = PTRACE_CONT, 0
    while True:
        _, status = os.waitpid(d.pid, WALL)
        if not os.WIFSTOPPED(status):
            break
        signo, event = os.WSTOPSIG(status), status >> 16
        if event == EVENT_EXEC:
            go, signo = PTRACE_SYSCALL, 0
        elif signo == signal.SIGTRAP | 0x80:  # execve returns, then in and out
            stops, signo = stops + 1, 0
        elif event == EVENT_STOP:
            signo = 0
        if stops == 2 * n:
            d.kill(signal.SIGKILL)  # which ends the stop too
        else:
            ptrace(go, d.pid, signo)
    late.cancel()
    d.process.returncode = -os.WTERMSIG(status)
    equal(d.process.returncode, -signal.SIGKILL)


def die(d, n):
    d.start()
    d.wait_ready(2)
    kept = d.connect()
    equal(kept.ask(keep=True).body, b"hello")
    gates = [d.gate() for _ in range(2)]
    held = [Background(d.lua, g.lua + "return text('whole')") for g in gates]
    for g in gates:
        g.wait()
    waiting = [d.connect() for _ in range(10)]
    for c in waiting:
        c.send(request(lua="return text('waited')"))
    old = d.workers()
    upgrade_and_die(d, n)
    for g in gates:
        g.open()
    equal([h.result().body for h in held], [b"whole"] * 2)
    equal([c.response().body for c in waiting], [b"waited"] * 10)
    assert kept.eof(), "an idle connection ends"
    until(lambda: not any(map(alive, old)), "the old workers leave", STOP + 1)
    until(lambda: not session(d.pid), "no process is left", STOP + 1)


@test
def first_calls():
    """killed at any of its first system calls: no request fails that a worker
    had or that waited, every process ends, and a new daemon starts there"""
    d = Upgraded(workers=TWO, timeouts={"stop": "%ds" % STOP})
    for n in CALLS:
        try:
            die(d, n)
        except Exception:
            diag("at system call %d" % n)
            raise
        d.notify.close()
    d.start()
    equal(d.fetch().status, 200)
    d.stop()


@test
def while_it_hangs():
    """a request that never ends does not keep a worker beyond timeouts.stop"""
    d = Upgraded(workers=TWO, timeouts={"stop": "1s"})
    d.start()
    d.wait_ready(2)
    gate = d.gate()
    held = Background(d.lua, gate.lua)
    gate.wait()
    upgrade_and_die(d, 100)
    until(lambda: not session(d.pid), "no process is left", 1 + 2)
    equal(held.result().complete, False)
    d.destroy()


run(120 if not FULL else 600)
