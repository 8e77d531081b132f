#!/usr/bin/env python3
"""An application and nothing else on the command line: http://127.0.0.1:8080/,
until Ctrl-C."""

import ctypes
import fcntl
import os
import pty
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

PLACE = "127.0.0.1:8080"
ADDRESS = "http:" + PLACE
USER = ("-u", pool_user()) if ROOT else ()
NEWNET = 0x40000000
SIOCSIFFLAGS, UP = 0x8914, 1


def own_network():
    """The port is ours alone.  False where we may not have a network: then it
    is if it is free."""
    if ctypes.CDLL(None).unshare(NEWNET) != 0:
        return False
    with socket.socket() as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH", b"lo", UP))
    return True


def daemon(*args):
    d = Daemon(listen=ADDRESS)
    d.top["pid_file"] = d.dir + "/none"
    d.sockets = set()
    return d.start(args=(*args, *USER, d.dir + "/app.lua"))


@test
def serves():
    """it serves with two workers, says where, and a reload calls restart"""
    d = daemon()
    d.wait_log("notice .*serves http://127.0.0.1:8080/")
    equal(fetch(ADDRESS).body, b"hello")
    equal(len(d.wait_workers(2, "main")), 2)
    gate = d.gate()
    first = Background(fetch, ADDRESS, lua=gate.lua + "return text('first')")
    gate.wait()
    equal(fetch(ADDRESS, lua="return text('second')").body, b"second")
    gate.open()
    equal(first.result().body, b"first")
    d.kill(signal.SIGHUP)
    d.wait_log("restart called")
    equal(fetch(ADDRESS).body, b"hello")
    d.stop()


@test
def ctrl_c():
    """Ctrl-C, which reaches all of its processes, ends it with 0"""
    d = daemon()
    equal(fetch(ADDRESS).body, b"hello")
    os.killpg(d.pid, signal.SIGINT)
    equal(d.wait_exit(), 0)
    equal(session(d.pid), [])
    with contextlib.suppress(ConnectionRefusedError):
        Conn(ADDRESS).close()
        raise AssertionError("somebody listens")
    d.destroy()


@test
def terminal_closed():
    """the terminal is closed, which is told by HUP: it ends as well; one with a
    configuration stays, as a daemon does"""
    for args, stays in ((USER, False), (("--dev", *USER), False),
                        (("-c",), True)):
        d = Daemon(listen=ADDRESS)
        d.sockets = set()
        d.write_conf()
        ours, theirs = pty.openpty()
        p = subprocess.Popen([LUA_FPM, *args, d.file if stays else
                              d.dir + "/app.lua"], stdin=theirs,
                             stdout=theirs, stderr=theirs,
                             start_new_session=True)
        os.close(theirs)
        said = b""
        while b"ready: 1 of 1" not in said:
            said += os.read(ours, 4096)
        os.close(ours)
        os.kill(p.pid, signal.SIGHUP)
        if stays:
            equal(fetch(ADDRESS).body, b"hello")
            p.terminate()
        equal(p.wait(PATIENCE), 0)
        equal(session(p.pid), [])
        d.destroy()


@test
def options():
    """-n, -u, settings and an address by -l go with it; -T shows it"""
    d = daemon("-n", "3", "--timeout", "300ms")
    equal(len(d.wait_workers(3, "main")), 3)
    d.expect("exceeds timeouts.request")
    equal(fetch(ADDRESS, lua="while true do end").status, 408)
    d.stop()
    dir = scratch()
    write(dir + "/app.lua", app_source("eval.lua"))
    code, out, err = tool("-T", *USER, dir + "/app.lua")
    equal(code, 0, err)
    matches('listen = "%s";' % ADDRESS, out)
    matches("max = 2;", out)
    shutil.rmtree(dir)


@test
def another_address():
    """-l with http: says where, too; a path has no URL"""
    for address, url in (("http:*:8081", "http://127.0.0.1:8081/"),
                         ("http:%s/line.sock" % scratch(), None)):
        d = daemon("-l", address)
        equal(fetch(address).body, b"hello")
        if url:
            d.wait_log("serves %s$" % url)
        else:
            assert "serves http" not in d.read_log()
            shutil.rmtree(os.path.dirname(where(address)))
        d.stop()


@test
def develop():
    """--dev: one worker there, and what has changed counts"""
    d = daemon("--dev")
    equal(len(d.wait_workers(1, "main")), 1)
    d.write_app("return { accept = function() return {}, 'changed' end }")
    equal(fetch(ADDRESS).body, b"changed")
    d.stop()


@test
def taken():
    """the port is taken: 71, one line that says what to do, and it is left
    alone"""
    with socket.create_server(("127.0.0.1", 8080)) as s:
        dir = scratch()
        write(dir + "/app.lua", app_source("eval.lua"))
        code, out, err = tool(*USER, dir + "/app.lua")
        equal((code, out), (71, ""), err)
        matches(r"\Alua-fpm: cannot listen on 127\.0\.0\.1:8080: Address "
                r"already in use; choose another address by -l, as "
                r"http:127\.0\.0\.1:8081\n\Z", err)
        shutil.rmtree(dir)
        socket.create_connection(s.getsockname()).close()


@test
def upgrade():
    """USR2 keeps the address, and the requests"""
    d = daemon()
    load = Load(ADDRESS)
    for _ in range(3):
        load.more(20)
        mark = d.log_mark()
        d.kill(signal.SIGUSR2)
        d.wait_log("upgraded from", mark)
        d.wait_log("ready: ", mark)
    load.more(20)
    equal(load.stop()[1], [])
    d.stop()


@test
def without_root():
    """as root it wants a user"""
    if not ROOT:
        raise Skip("not root")
    dir = scratch()
    write(dir + "/app.lua", app_source("eval.lua"))
    code, _, err = tool(dir + "/app.lua")
    equal(code, 78)
    matches("would run as root", err)
    shutil.rmtree(dir)


@test
def descriptor_zero():
    """a listening socket on descriptor 0 is what it takes, by FastCGI"""
    d = Daemon()
    with socket.create_server(("127.0.0.1", 0)) as s:
        d.spawn(args=(d.dir + "/app.lua",), stdin=s)
        equal(fetch("fcgi:127.0.0.1:%d" % s.getsockname()[1]).body, b"hello")
        with contextlib.suppress(ConnectionRefusedError):
            Conn(ADDRESS).close()
            raise AssertionError("somebody listens")
    d.kill(signal.SIGTERM)
    equal(d.wait_exit(), 0)
    d.destroy()


if not own_network():
    with socket.socket() as s:
        if s.connect_ex(("127.0.0.1", 8080)) == 0:
            print("1..0 # SKIP port 8080 is taken, no network of our own")
            sys.exit(0)
run(120)
