#!/usr/bin/env python3
"""Behind a real lighttpd: a socket of the daemon, and bin-path."""

import hashlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

PROGRAM = "/usr/sbin/lighttpd"


class Lighttpd(Server):
    stop_signal = signal.SIGINT

    def __init__(self, dir, fastcgi):
        super().__init__(dir)
        file = dir + "/lighttpd.conf"
        os.makedirs(dir + "/rw/up", exist_ok=True)
        os.chmod(dir + "/rw/up", 0o777)
        user = ('server.username = "%s"\nserver.groupname = "%s"\n' %
                (pool_user(), pool_group()) if ROOT else "")
        write(file, """
server.modules = ( "mod_fastcgi" )
server.document-root = "%s"
server.bind = "127.0.0.1"
server.port = %d
server.errorlog = "%s/error.log"
server.upload-dirs = ( "%s/rw/up" )
%s
fastcgi.server = ( "/" => (( %s, "check-local" => "disable",
    "fix-root-scriptname" => "enable" )) )
""" % (dir, self.port, dir + "/rw", dir, user, fastcgi))
        self.launch([PROGRAM, "-D", "-f", file])


def check(port):
    """What every web server must be able to do with us."""
    equal(http(port)[2], b"hello")
    equal(http(port, "POST", "/x?y=z", b"a=1", lua="return text("
               "env.REQUEST_METHOD .. env.QUERY_STRING .. "
               "env.input:read('a'))")[2], b"POSTy=za=1")
    equal(http(port, lua="return { Status = 404, ['X-Y'] = 'z' }, 'gone'")
          [::2], (404, b"gone"))
    equal(http(port, "HEAD", lua="return {}, 'abc'")[::2], (200, b""))
    equal(http(port, lua="return { Status = 204 }")[::2], (204, b""))
    equal(http(port, lua="local n = 0 return {}, function() n = n + 1 "
               "return n <= 3 and 'p' .. n or nil end")[2], b"p1p2p3")
    data = random.Random(2).randbytes(3 << 20)
    equal(hashlib.sha256(http(port, "POST", body=data, lua="return text("
                              "env.input:read('a'))")[2]).digest(),
          hashlib.sha256(data).digest())
    equal(http(port, "POST", body=data, lua="return text('unread')")[2],
          b"unread")


@test
def through_a_socket():
    """lighttpd in front of the daemon's socket"""
    with Daemon(status_path="/fpm-status", ping_path="/fpm-ping") as d:
        with Lighttpd(d.dir, '"socket" => "%s"' % d.address()) as server:
            check(server.port)
            equal(http(server.port, path="/fpm-ping")[::2], (200, b"pong"))
            got = http(server.port, path="/fpm-status?json&full")[2]
            assert b'"request uri":"/fpm-status?json&full"' in got, got
            d.expect("GET /")
            equal(http(server.port, lua="error('x')")[0], 500)
            d.reload()
            equal(http(server.port)[2], b"hello")


@test
def bin_path():
    """lighttpd starts lua-fpm itself (bin-path), several of them"""
    dir = scratch()
    atexit.register(shutil.rmtree, dir, True)
    write(dir + "/app.lua", app_source("eval.lua"))
    with Lighttpd(dir, '"socket" => "%s/rw/bin.sock", "bin-path" => '
                  '"%s %s/app.lua", "max-procs" => 2' %
                  (dir, program_in(dir), dir)) as server:
        check(server.port)
        workers = until(lambda: children(server.process.pid) or
                        session(server.process.pid), "it started workers")
    until(lambda: not any(alive(pid) and "lua-fpm" in name(pid)
                          for pid in workers), "no worker is left")


def limited(dir, variable, value):
    """One worker of lighttpd's with that in its environment."""
    write(dir + "/app.lua", app_source("eval.lua"))
    return ('"socket" => "%s/rw/bin.sock", "bin-path" => "%s %s/app.lua", '
            '"max-procs" => 1, "bin-environment" => ( "%s" => "%s" )' %
            (dir, program_in(dir), dir, variable, value))


@test
def bin_path_time_limit():
    """what takes too long in a worker of lighttpd's is answered; one that hangs
    in C ends, and lighttpd starts another"""
    dir = scratch()
    atexit.register(shutil.rmtree, dir, True)
    with Lighttpd(dir, limited(dir, "LUA_FPM_TIMEOUT", "300ms")) as server:
        equal(http(server.port, lua="while true do end")[0], 408)
        equal(http(server.port, lua="return text(tostring(requests))")[2],
              b"2", "the same worker")
        equal(http(server.port, lua="os.execute('exec sleep 1000')")[0], 408)
        until(lambda: http(server.port, lua="return text(tostring(requests))")
              [::2] == (200, b"1"), "a new worker")
        with open(dir + "/server.log") as f:
            matches(r"(?s)timeouts.request.*traceback.*timeouts.request.*"
                    r"\[C\]: in ", f.read())
        for pid in session(server.process.pid):
            if "sleep" in name(pid):
                kill(pid, signal.SIGKILL)


@test
def bin_path_fresh_workers():
    """no request fails while workers of lighttpd's begin anew"""
    dir = scratch()
    atexit.register(shutil.rmtree, dir, True)
    with Lighttpd(dir, limited(dir, "LUA_FPM_MAX_REQUESTS", "20")) as server:
        counts = [int(http(server.port, lua="return text(tostring(requests))")
                      [2]) for _ in range(300)]
        assert counts.count(1) > 5, counts


@test
def bin_path_bad_setting():
    """lighttpd's log says why no worker starts"""
    dir = scratch()
    atexit.register(shutil.rmtree, dir, True)
    server = Server(dir)
    with contextlib.suppress(AssertionError):  # it may end at once
        server = Lighttpd(dir, limited(dir, "LUA_FPM_TIMEOUT", "soon"))
    until(lambda: re.search(r'LUA_FPM_TIMEOUT: expected a duration as "30s".*'
                            r'found "soon"', server.tail()), "it is said")
    server.destroy()


def name(pid):
    with contextlib.suppress(OSError):
        with open("/proc/%d/cmdline" % pid) as f:
            return f.read()
    return ""


run(90, needs=(PROGRAM,))
