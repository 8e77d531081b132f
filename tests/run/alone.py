#!/usr/bin/env python3
"""One worker without a master, its listening socket on descriptor 0, as
spawn-fcgi, lighttpd's bin-path and mod_fcgid start it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

HANG = "os.execute('exec sleep 1000')"
LIMIT = ("--timeout", "300ms")
dir = scratch()
atexit.register(shutil.rmtree, dir, True)


@contextlib.contextmanager
def standalone(*args, program=LUA_FPM, app=None, family=socket.AF_UNIX,
               env=None):
    """One worker with its listener on descriptor 0, as spawn-fcgi does."""
    d = Daemon(app=app)
    with socket.socket(family) as s:
        s.bind(d.dir + "/zero.sock" if family == socket.AF_UNIX
               else ("127.0.0.1", 0))
        s.listen(128)
        d.spawn(args=(*args, d.dir + "/app.lua"), program=program, stdin=s,
                env=env)
        d.zero = (d.dir + "/zero.sock" if family == socket.AF_UNIX
                  else "127.0.0.1:%d" % s.getsockname()[1])
    with contextlib.ExitStack() as stack:
        stack.callback(d.destroy)
        yield d
        if d.process.poll() is None:
            d.kill(signal.SIGTERM)
            equal(d.wait_exit(), 0, "exit code")
        assert not session(d.pid)
        d.check_log()


@test
def descriptor_zero():
    """lua-fpm app.lua serves the listening socket on descriptor 0"""
    for family in (socket.AF_UNIX, socket.AF_INET):
        with standalone(family=family) as d:
            equal([fetch(d.zero, lua="return text(tostring(requests))").body
                   for _ in range(3)], [b"1", b"2", b"3"])
            equal(fetch(d.zero, lua="return text(io.read('a'))").body, b"",
                  "standard input is empty, not the socket")


@test
def websockets():
    """WebSockets need a master: the log says so, and requests are served"""
    app = """return { websocket = {}, accept = function()
        return {}, tostring(select(2, require "fpm".publish("a", "x"))) end }
        """
    with standalone(app=app) as d:
        equal(fetch(d.zero).body, b"there is no hub")
        d.wait_log("warning .*WebSockets need a master")


@test
def second_name():
    """lua-simple-fcgi is a second name of the program"""
    name = dir + "/lua-simple-fcgi"
    os.symlink(LUA_FPM, name)
    with standalone(program=name) as d:
        equal(fetch(d.zero).body, b"hello")


@test
def restart():
    """HUP calls restart"""
    with standalone() as d:
        equal(fetch(d.zero).status, 200)
        d.kill(signal.SIGHUP)
        d.wait_log("restart called")
        equal(fetch(d.zero, lua="return text(tostring(restarts))").body, b"1")


@test
def veto():
    """a worker whose stop declines stays"""
    app = """
        local app, veto = {}, 1
        function app.accept(env)
            if env.QUERY_STRING == "leave" then veto = 0 end
            return {}, "still here"
        end
        function app.stop() print("asked") return veto end
        return app"""
    with standalone(app=app) as d:
        for n in range(2):
            equal(fetch(d.zero).body, b"still here")
            mark = d.log_mark()
            d.kill(signal.SIGTERM)
            d.wait_log("asked", mark)
            equal(fetch(d.zero).body, b"still here")
        equal(fetch(d.zero, uri="/?leave").body, b"still here")


@test
def term_in_a_request():
    """TERM in the middle of a request: it is finished, and what waits
    in the queue too"""
    with standalone() as d:
        gate = d.gate()
        busy = Background(fetch, d.zero, lua=gate.lua + "return text('whole')")
        gate.wait()
        d.kill(signal.SIGTERM)
        waiting = [Conn(d.zero) for _ in range(100)]
        for c in waiting:
            c.send(request(lua="return text('waited')"))
        gate.open()
        equal(busy.result().body, b"whole")
        equal([c.response().body for c in waiting], [b"waited"] * 100)
        equal(d.wait_exit(), 0)


# ---- settings ---------------------------------------------------------------


@test
def time_limit():
    """a request in Lua whose time is over: 408, its traceback in the log, and
    the worker goes on"""
    for args, env in ((LIMIT, None), ((), {"LUA_FPM_TIMEOUT": "300ms"}),
                      (LIMIT, {"LUA_FPM_TIMEOUT": "1h"})):
        with standalone(*args, env=env) as d:
            d.expect("timeouts.request")
            equal(fetch(d.zero, uri="/a?b",
                        lua="while true do end").status, 408)
            d.wait_log(r"error .*GET /a\?b: .*exceeds timeouts\.request"
                       r".*traceback.*request:1: in ")
            equal(fetch(d.zero, lua="return text(tostring(requests))").body,
                  b"2", "the same worker")


@test
def no_time_limit():
    """0 is no limit, also where the environment has one"""
    with standalone("--timeout", "0", env={"LUA_FPM_TIMEOUT": "100ms"}) as d:
        gate = d.gate()
        busy = Background(fetch, d.zero, lua=gate.lua + "return text('done')")
        gate.wait()
        lasts(1.5)
        gate.open()
        equal(busy.result().body, b"done")


def hang(d, lua):
    """Its answer; the worker ends with 70, and the log has the place."""
    d.expect("timeouts.request")
    got = fetch(d.zero, uri="/hangs", lua=lua)
    equal(d.wait_exit(), 70, "exit code")
    d.wait_log(r"error .*GET /hangs: exceeded timeouts\.request and did not "
               r"let itself be stopped: .*, the worker ends: .*"
               r"\[C\]: in .*; request:1: in ")
    for pid in session(d.pid):  # what it had started stays
        kill(pid, signal.SIGKILL)
    until(lambda: not session(d.pid), "nothing is left")
    return got


@test
def hangs_in_c():
    """a request that hangs in C is answered too, and the worker ends with 70
    so that its web server starts another"""
    with standalone(*LIMIT) as d:
        equal(hang(d, HANG).status, 408)
        matches(r"answered with 408, the worker ends", d.read_log())


@test
def hangs_in_a_body():
    """once bytes were sent, the response is cut"""
    with standalone(*LIMIT) as d:
        got = hang(d, "local n = 0 return text(function() n = n + 1 "
                   "if n > 1 then %s end return 'piece' end)" % HANG)
        equal((got.status, got.body, got.cut), (200, b"piece", True))
        matches(r"its response is cut, the worker ends", d.read_log())


@test
def slow():
    """a slow request is logged while it runs, and when it has ended"""
    with standalone("--slow", "100ms") as d:
        gate = d.gate()
        busy = Background(fetch, d.zero, uri="/slow",
                          lua=gate.lua + "return text('done')")
        gate.wait()
        d.wait_log(r"^\S+ \[pool main\] \[pid %d\] \[request "
                   r"\S+\] has been running for .*GET /slow\n\tscript .*\n(\t.*\n)*"
                   r"\trequest:1: in" % d.pid)
        gate.open()
        equal(busy.result().body, b"done")
        d.wait_log(r"took .* status 200: GET /slow")


COUNT = "return text(requests .. ' of ' .. pid())"


def fresh(d):
    """A fresh worker begins in the same process."""
    until(lambda: fetch(d.zero, lua=COUNT).body == b"1 of %d" % d.pid)
    with open("/proc/%d/comm" % d.pid) as f:
        equal(f.read(), "lua-fpm\n")


@test
def enough_requests():
    """after --max-requests it calls stop, and a fresh worker has its process,
    its socket and those who wait, and nothing that was open"""
    with standalone("--max-requests", "30") as d:
        gate = d.gate()
        busy = Background(fetch, d.zero, lua="leak = io.open('/dev/zero') " +
                          gate.lua + "return text('done')")
        gate.wait()
        waiting = [Conn(d.zero) for _ in range(100)]
        for c in waiting:
            c.send(request(lua=COUNT))
        gate.open()
        equal(busy.result().body, b"done")
        equal({c.response().body.split()[2] for c in waiting},
              {b"%d" % d.pid})
        d.wait_log("^stop called")
        fresh(d)
        assert not any("zero" in link for _, link in fds(d.pid))


@test
def enough_memory():
    """a request that exceeds --memory is answered with 500, and then a fresh
    worker begins"""
    with standalone(env={"LUA_FPM_MEMORY": "8M"}) as d:
        d.expect("memory limit")
        equal(fetch(d.zero).status, 200)
        equal(fetch(d.zero, lua="return text(('x'):rep(1 << 24))").status,
              500)
        fresh(d)


@test
def retires():
    """so it does when the application asks for one"""
    with standalone() as d:
        equal(fetch(d.zero, lua="require('fpm').worker.retire() "
                    "return text('done')").body, b"done")
        fresh(d)


@test
def term_before_a_fresh_one():
    """TERM ends it also while it waits for a head before a fresh worker
    begins, and who waits is served"""
    with standalone(env={"LUA_FPM_MEMORY": "8M"}) as d, Conn(d.zero) as slow:
        d.expect("memory limit")
        slow.send(request()[:20])
        equal(fetch(d.zero).status, 200, "it has accepted the slow one")
        equal(fetch(d.zero, lua="return text(('x'):rep(1 << 24))").status,
              500)
        with Conn(d.zero) as waits:
            waits.send(request())
            d.kill(signal.SIGTERM)
            equal(waits.response().body, b"hello")
        equal(d.wait_exit(), 0)


@test
def declines():
    """one that declines to stop stays"""
    app = app_source("eval.lua").replace('print("stop called")',
                                         'print("stop called") return 1')
    with standalone("--max-requests", "1", app=app) as d:
        for n in (b"1", b"2"):
            equal(fetch(d.zero, lua="return text(tostring(requests))").body, n)
        d.wait_log("declines")
        d.kill(signal.SIGKILL)
        d.wait_exit()


@test
def error_log():
    """--error-log names a file for all that would go to standard error"""
    with standalone("--error-log", "own.log") as d:
        d.log = d.dir + "/own.log"
        equal(fetch(d.zero, lua="print('printed') io.stderr:write('said\\n') "
                    "error('raised')").status, 500)
        d.expect("raised")
        for line in ("^printed$", "^said$", "error .*raised"):
            d.wait_log(line)
    for what, code, said in (("syslog", 78, "a file or stderr, not syslog"),
                             (dir + "/none/log", 71, "none/log: No such")):
        with standalone("--error-log", what) as d:
            equal(d.wait_exit(), code)
            matches(said, d.read_log())
            d.expect(said)


@test
def seen_by_the_application():
    """the application sees the variables as what they are"""
    with standalone(env={"LUA_FPM_TIMEOUT": "5s"}) as d:
        equal(fetch(d.zero, lua="return text(os.getenv('LUA_FPM_TIMEOUT'))")
              .body, b"5s")


run(60, over=FCGI)
