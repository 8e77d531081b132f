#!/usr/bin/env python3
"""Workers that a real lighttpd starts (bin-path) with settings of their own."""

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
            if "sleep" in command_line(pid):
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


run(90, needs=(PROGRAM,))
