#!/usr/bin/env python3
"""Applications that are missing, broken, hanging or greedy."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
GOOD = "return { accept = function() return {}, 'good' end }"


def fails(text, said, name="app.lua", within=None, **pool):
    """A daemon with only that application does not come up: 70, reason."""
    d = Daemon(app=text or GOOD, workers=ONE, **pool)
    if text is None:
        os.unlink(d.dir + "/app.lua")
    d.write_conf()
    d.spawn()
    began = time.monotonic()
    code = d.wait_exit()
    took = time.monotonic() - began
    log = d.read_log()
    d.check_gone()
    d.destroy()
    equal(code, 70, "exit code; log:\n" + log)
    matches(r"(?m)^\S+ (error|alert) \[pool www\] .*" + said, log)
    if within:
        assert took < within, "it took %.1f s" % took


@test
def missing():
    """file missing"""
    fails(None, r"app\.lua.*(No such file|cannot open)")


@test
def not_readable():
    """a file that the pool's user may not read"""
    if not ROOT:
        raise Skip("not root")
    d = Daemon(workers=ONE)
    os.chmod(d.dir + "/app.lua", 0o600)
    d.write_conf()
    d.spawn()
    equal(d.wait_exit(), 70)
    matches(r"app\.lua.*[Pp]ermission denied", d.read_log())
    d.destroy()


@test
def syntax_error():
    """syntax error, with file and line"""
    fails("local a = 1\nreturn { accept = function( }", r"app\.lua:2:")


@test
def binary_chunk():
    """a precompiled chunk is not loaded"""
    fails("\x1bLua", r"app\.lua")


@test
def raises():
    """an error while it is loaded, with file and line"""
    fails("\n\nerror('at load')", r"app\.lua:3: at load")


@test
def no_table():
    """not a table"""
    for text in ("return 7", "local x = 1", "return 'x'"):
        fails(text, "table")


@test
def no_accept():
    """no accept, or one that is no function"""
    fails("return {}", "accept")
    fails("return { accept = 'x' }", "accept")
    fails("return { accept = print, stop = 1 }", "stop")


@test
def start_fails():
    """start fails: raises, or returns a code"""
    fails("return { accept = print, start = function() error('no database')"
          " end }", "no database")
    d = Daemon(app="return { accept = print, start = function() return 101 "
               "end }", workers=ONE)
    d.write_conf()
    d.spawn()
    code = d.wait_exit()
    assert code in (70, 101), code
    matches("101", d.read_log())
    d.check_gone()
    d.destroy()


@test
def start_hangs():
    """start or the file itself hangs: ended at timeouts.start"""
    dir = scratch()
    atexit.register(shutil.rmtree, dir, True)
    fifo = dir + "/fifo"
    os.mkfifo(fifo)
    os.chmod(fifo, 0o666)
    for text in ("return { accept = print, start = function() "
                 "while true do end end }", "while true do end",
                 "io.open('%s')" % fifo):
        fails(text, r"timeouts\.start|in time|start", within=10,
              timeouts={"start": "400ms", "stop": "2s"})


@test
def one_bad_pool():
    """a pool whose application is broken does not stop another; it is tried
    again and recovers"""
    d = Daemon(pools={"good": {"workers": ONE}, "bad": {"workers": ONE}},
               app=GOOD)
    d.expect(r"\[pool bad\]|pool bad|bad\.lua")
    d.set_pool("bad", workers=ONE, app=d.dir + "/bad.lua")
    d.write_app("return {", "bad.lua")
    with d:
        equal(d.fetch("good").body, b"good")
        d.wait_log(r"error \[pool bad\] .*bad\.lua:1")
        mark = d.log_mark()
        d.wait_log(r"error \[pool bad\] .*bad\.lua:1", mark)
        d.write_app(GOOD, "bad.lua")
        equal(d.fetch("bad").body, b"good", "it recovers by itself")
        d.fds_before = d.count_fds()


@test
def respawn_backs_off():
    """workers that die at once are forked ever more slowly, from the first
    death on, with one line for each step; the other pool keeps its worker and
    is as quick as ever; once repaired, the pool is as large as it should be"""
    d = Daemon(pools={"good": {"workers": ONE}, "bad": {"workers": ONE}},
               app=GOOD)
    d.expect(r"\[pool bad\]|pool bad|bad\.lua")
    d.set_pool("bad", workers={"mode": "static", "max": 4},
               app=d.dir + "/bad.lua")
    d.write_app("error('dead on arrival')", "bad.lua")
    with d:
        good, times = d.workers("good"), []
        for n, wait in enumerate((100, 200, 400, 800, 1600), 1):
            line = r"notice .*pool bad: %d failures? in a row, the next " \
                "worker starts in %d ms" % (n, wait)
            while not re.search(line, d.read_log()):
                began = time.monotonic()
                equal(d.fetch("good").body, b"good")
                times.append(time.monotonic() - began)
        times.sort()
        diag("other pool: %d requests meanwhile, median %.1f ms, worst %.1f"
             % (len(times), times[len(times) // 2] * 1e3, times[-1] * 1e3))
        assert times[len(times) // 2] < (0.5 if SANITIZED else 0.1), times
        text = d.read_log()
        # four at the start, then one by one
        assert text.count("dead on arrival") <= 4 + 5, text
        equal(len(re.findall("next worker starts", text)), 5)
        d.write_app(GOOD, "bad.lua")
        equal(d.fetch("bad").body, b"good")
        d.wait_log(r"notice .*pool bad: a worker has come up again")
        d.wait_workers(4, "bad")
        equal(d.workers("good"), good)
        d.fds_before = d.count_fds()


@test
def dies_when_asked():
    """workers that come up and die of each request are replaced within a
    second, for ever; the other pool does not notice"""
    d = Daemon(pools={"good": {"workers": ONE}, "bad": {"workers": ONE}})
    d.expect(r"\[pool bad\]")
    with d:
        good = d.workers("good")
        for _ in range(8):
            with d.connect("bad") as c:
                c.send(request(lua="os.exit(3)"))
                assert not c.response().complete
        waits = [int(w) for w in re.findall(r"pool bad: \d+ failures? in a "
                 r"row, the next worker starts in (\d+) ms", d.read_log())]
        equal(waits[:5], [100, 200, 400, 800, 1000])
        assert max(waits) == 1000, waits
        equal((d.fetch("bad").body, d.workers("good")), (b"hello", good))


@test
def error_in_accept():
    """an error in accept: 500, and the worker goes on"""
    with Daemon(workers=ONE) as d:
        d.expect("bug of mine")
        worker = d.workers()
        for _ in range(50):
            equal(d.lua("error('bug of mine')").status, 500)
        equal((d.fetch().status, d.workers()), (200, worker))


@test
def leaves_by_itself():
    """os.exit in accept: that request fails, the worker is replaced"""
    with Daemon(workers=ONE) as d:
        d.expect("exit|died|left|code")
        for code in ("os.exit(0)", "os.exit(3)", "os.exit(true, true)"):
            with d.connect() as c:
                c.send(request(lua=code))
                assert not c.response().complete
            equal(d.fetch().status, 200, "after " + code)


@test
def endless_loop():
    """an endless loop: other workers serve, it is killed at timeouts.stop"""
    d = Daemon(workers={"mode": "static", "max": 2},
               timeouts={"stop": "600ms"})
    d.start().wait_workers(2)
    d.expect("kill|KILL|stop|signal")
    with d.connect() as c:
        c.send(request(lua="print('looping') while true do end"))
        d.wait_log("looping")
        for _ in range(20):
            equal(d.fetch().status, 200)
        began = time.monotonic()
        d.stop(timeout=10)
        assert time.monotonic() - began < 10


@test
def huge_body():
    """a body of 200 MB returned: it arrives whole, not copied again"""
    with Daemon(workers=ONE) as d:
        worker = d.workers()[0]
        n = 200 << 20
        with d.connect() as c:
            c.send(request(lua="return {}, ('0123456789abcdef'):rep(%d)" %
                           (n // 16)))
            head, _, piece = c.piece().partition(b"\r\n\r\n")
            assert b"Content-Length: %d" % n in head, head
            got = len(piece)
            most = rss(worker)
            while got < n:
                piece = c.piece()
                got += len(piece)
                if got % (1 << 24) < len(piece):
                    most = max(most, rss(worker))
            equal(c.response().app_status, 0)
            equal(got, n)
        if not SANITIZED:
            assert most < n * 1.3 + (32 << 20), "%d MB" % (most >> 20)
        equal(d.lua("collectgarbage() return text('small')").body, b"small")
        equal(d.workers(), [worker])


@test
def out_of_memory():
    """more memory than there is: an error of the application, or of that
    worker alone"""
    with Daemon(workers=ONE) as d:
        d.expect("memory|too large|size|signal")
        for code in ("local s = ('x'):rep(1 << 62)",
                     "local s = ('x'):rep(1 << 40)"):
            equal(d.lua(code + " return text(s)").status, 500, code)
        equal(d.fetch().status, 200)


@test
def closes_its_descriptors():
    """an application that closes standard files harms nobody"""
    with Daemon(workers=ONE) as d:
        equal(d.lua("io.stdout:close() io.stderr:close() io.stdin:close() "
                    "return text('closed')").status, 200)
        equal(d.fetch().body, b"hello")
        equal(d.lua("print('into nothing') return text('x')").status, 200)


@test
def changes_its_world():
    """an application that spoils the standard library serves on"""
    with Daemon(workers=ONE) as d:
        d.expect("GET /")
        d.lua("for k in pairs(string) do string[k] = nil end "
              "getmetatable('').__index = nil table = nil error = nil "
              "pairs = nil next = nil tostring = nil type = nil "
              "setmetatable = nil debug = nil coroutine = nil "
              "return text('spoilt')")
        equal(d.lua("return text('served')").body, b"served")
        equal(d.lua("nothing.is.here()").status, 500)
        equal(d.lua("return { Status = '404 Gone' }, {'a', 'b'}").status, 404)


run(150)
