#!/usr/bin/env python3
"""Sockets that the service manager opened: systemd:NAME, under the real
systemd-socket-activate and by the protocol alone."""

import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ACTIVATE = shutil.which("systemd-socket-activate")


def listeners(n):
    found = []
    for _ in range(n):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen()
        found.append(s)
    return found


LAUNCH = """
import os, sys
fds, names, pid, *command = sys.argv[1:]
fds = [int(fd) for fd in fds.split(",")]
high = [os.dup(fd) for fd in fds]  # out of the way of 3 and up
for i, fd in enumerate(high):
    os.dup2(os.dup2(fd, 100 + i), 3 + i, inheritable=True)
os.environ.update(LISTEN_PID=pid or str(os.getpid()),
                  LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=names)
os.execv(command[0], command)
"""


def passed(d, sockets, names, pid=""):
    """Start d with these as descriptors 3 and up."""
    d.write_conf()
    fds = [s.fileno() for s in sockets]
    d.spawn(program=sys.executable, pass_fds=fds,
            args=["-c", LAUNCH, ",".join(map(str, fds)), names, pid,
                  LUA_FPM, "-c", d.file])


@test
def by_name():
    """the socket of that name, whatever its number; the others are left"""
    socks = listeners(3)
    ports = [s.getsockname()[1] for s in socks]
    d = Daemon(listen=["systemd:www", "systemd:last one"])
    passed(d, socks, "other:www:last one")
    d.wait_note("READY=1")
    for port in ports[1:]:
        equal(fetch("127.0.0.1:%d" % port).body, b"hello")
    equal(fetch("127.0.0.1:%d" % ports[1], lua="return text(tostring("
                "os.getenv('LISTEN_FDS')))").body, b"nil")
    d.kill(signal.SIGHUP)
    d.wait_log(r"ready.*[\s\S]*ready")
    equal(fetch("127.0.0.1:%d" % ports[1]).body, b"hello")
    d.stop(leaks=False)
    # the manager's own copies are still open and listening
    for s in socks:
        equal(s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 1)
        s.close()
    d.destroy()


def refused(names, said, pid=""):
    socks = listeners(2)
    d = Daemon(listen="systemd:www")
    passed(d, socks, names, pid)
    code = d.wait_exit()
    log = d.read_log()
    d.destroy()
    for s in socks:
        s.close()
    equal(code, 71, log)
    matches(said, log)


@test
def no_such_name():
    """a name that was not passed, that was passed twice, or to another
    process: 71, and why"""
    refused("a:b", r"error .*passed no socket of that name")
    refused("www:www", r"error .*passed several sockets of that name")
    refused("www:b", r"error .*passed no socket of that name", pid="1")


@test
def real_activation():
    """systemd-socket-activate: the first client starts the daemon and is
    served; the file of the socket is not removed at the end"""
    if ACTIVATE is None:
        raise Skip("no systemd-socket-activate")
    d = Daemon(listen="systemd:www")
    path = d.dir + "/activated.sock"
    d.write_conf()
    d.spawn(args=["-l", path, "--fdname=www", LUA_FPM, "-c", d.file],
            program=ACTIVATE)
    d.wait_log("Listening on")  # the file is there before that
    equal(fetch(path).body, b"hello")
    d.kill(signal.SIGTERM)
    equal(d.wait_exit(), 0)
    assert os.path.exists(path)
    os.unlink(path)
    d.destroy()


run()
