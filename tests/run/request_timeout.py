#!/usr/bin/env python3
"""timeouts.request: a request that takes too long is answered, its worker
lives on or is replaced, and nobody else notices."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

LIMIT = {"stop": "10s", "request": "400ms"}
ONE = {"mode": "static", "max": 1}
LOOPS = {
    "a loop": "while true do end",
    "a loop that swallows errors":
        "while true do pcall(function() while true do end end) end",
    "a loop with xpcall":
        "while true do xpcall(function() while true do end end, print) end",
    "a coroutine, wrapped":
        "coroutine.wrap(function() while true do end end)()",
    "a coroutine, resumed, again and again":
        "while true do coroutine.resume(coroutine.create(function() "
        "while true do pcall(function() while true do end end) end end)) end",
    "coroutines within coroutines":
        "local function f(n) if n == 0 then while true do end end "
        "coroutine.wrap(f)(n - 1) end f(20)",
    "a comparison in table.sort":
        "local t = {} for i = 1, 100 do t[i] = i end "
        "while true do table.sort(t, function(a, b) return a < b end) end",
    "a metamethod":
        "local t = setmetatable({}, { __index = function(t, k) "
        "return t[k + 1] end }) while true do pcall(function() "
        "return t[1] end) end",
    "a body function before its first piece":
        "return text(function() while true do end end)",
    "a body function that is a coroutine":
        "return text(coroutine.wrap(function() while true do end end))",
}

HANG = ("string.find(string.rep('a', 60), string.rep('a?', 60) .. "
        "string.rep('a', 60))")


@test
def stopped_in_lua():
    """in Lua: 408 in time, the traceback in the log, the worker lives"""
    with Daemon(workers=ONE, timeouts=LIMIT) as d:
        d.expect("timeouts.request")
        worker = d.workers()
        for what, code in LOOPS.items():
            began = time.monotonic()
            mark = d.log_mark()
            equal(d.lua(code).status, 408, what)
            took = time.monotonic() - began
            assert 0.3 < took < 5, "%s: %.2f s" % (what, took)
            d.wait_log(r"error \[pool www\] .*GET / ?.*timeouts\.request"
                       r".*traceback", mark)
            equal((d.fetch().body, d.workers()), (b"hello", worker), what)


@test
def survivor():
    """a coroutine that was stopped, and one that was not running, do not
    raise in a later request"""
    with Daemon(workers=ONE, timeouts=LIMIT) as d:
        d.expect("timeouts.request")
        equal(d.lua("co = coroutine.wrap(function() while true do "
                    "coroutine.yield('alive') end end) co() "
                    "late = coroutine.create(function() pcall(function() "
                    "while true do end end) end) "
                    "coroutine.resume(late)").status, 408)
        equal(d.lua("return text(co())").body, b"alive")
        equal(d.lua("return text(tostring((coroutine.resume(late))))").body,
              b"false")


@test
def coroutines_as_ever():
    """coroutine.resume and coroutine.wrap do what Lua's do"""
    with Daemon(workers=ONE, timeouts=LIMIT) as d:
        for code, expected in {
            "return coroutine.resume(coroutine.create(function(...) "
            "return select('#', ...), ... end), 1, nil, 3)":
                "true 3 1 nil 3",
            "return coroutine.resume(coroutine.create(function() "
            "error({}) end)) and 1 or 'failed'": "failed",
            "return coroutine.resume(coroutine.running())":
                "false cannot resume non-suspended coroutine",
            "local c = coroutine.create(print) coroutine.resume(c) "
            "return coroutine.resume(c)": "false cannot resume dead coroutine",
            "return pcall(coroutine.wrap(function() error('x', 0) end))":
                "false x",
            "return pcall(coroutine.wrap(function() error() end))":
                "false nil",
            "local g = coroutine.wrap(function() for i = 1, 3 do "
            "coroutine.yield(i) end end) return g(), g(), g(), g()":
                "1 2 3",
            "return pcall(coroutine.resume, 7)":
                "false bad argument #1 to 'coroutine.resume' "
                "(thread expected, got number)",
            "local log = '' local g = coroutine.wrap(function() "
            "local x <close> = setmetatable({}, { __close = function() "
            "log = log .. 'closed' end }) error('e', 0) end) pcall(g) "
            "return log": "closed",
        }.items():
            got = d.lua("local function f() %s end local t = "
                        "table.pack(f()) for i = 1, t.n do "
                        "t[i] = tostring(t[i]) end "
                        "return text(table.concat(t, ' '))" % code).body
            equal(got.decode(), expected, code)


@test
def streamed():
    """once bytes were sent the response is cut"""
    with Daemon(workers=ONE, timeouts=LIMIT) as d:
        d.expect("timeouts.request")
        worker = d.workers()
        got = d.lua("local n = 0 return text(function() n = n + 1 "
                    "if n < 3 then return 'piece' end "
                    "while true do end end)")
        equal((got.status, got.body), (200, b"piecepiece"))
        assert got.cut, got
        equal((d.fetch().body, d.workers()), (b"hello", worker))


@test
def slow_upload():
    """a client that does not send its body: 408, the worker lives"""
    with Daemon(workers=ONE, timeouts=LIMIT) as d:
        d.expect("timeouts.request", "body", "tim")
        worker = d.workers()
        for code in ("env.input:read('a') return text('read')",
                     "pcall(env.input.read, env.input, 'a') "
                     "while true do end"):
            with d.connect() as c:
                c.send(head("POST", body=b"x" * 100, lua=code))
                c.send(part(b"abc"))
                equal(c.response().status, 408)
            equal((d.fetch().body, d.workers()), (b"hello", worker))


@test
def slow_reader():
    """a client that does not read: the response is cut, the worker lives"""
    with Daemon(workers=ONE, timeouts=LIMIT) as d:
        d.expect("timeouts.request")
        worker = d.workers()
        with d.connect() as c:
            c.send(request(lua="return text(string.rep('x', 2000000))"))
            equal(d.fetch().body, b"hello")
        equal(d.workers(), worker)


@test
def hangs_in_c():
    """in C: the same answer, the worker is replaced, the log says so"""
    with Daemon(workers=ONE, timeouts=LIMIT, timeout_status=504) as d:
        d.expect("timeouts.request")
        worker = d.workers()
        began = time.monotonic()
        equal(d.lua(HANG).status, 504)
        took = time.monotonic() - began
        assert took < 5, took
        d.wait_log(r"error \[pool www\] .*GET /.* exceeded timeouts\.request")
        equal(d.fetch().body, b"hello")
        assert d.workers() != worker


def ended(d, lua):
    """What an answer to that has of each stream, and which of them ended."""
    got, ends = {STDOUT: b"", STDERR: b"", END: b"", ABORT: b""}, []
    with d.connect() as c:
        c.send(request(lua=lua))
        while (record := c.record()) is not None:
            kind, _, data = record
            assert kind not in ends, "more of a stream that has ended"
            got[kind] += data
            if not data or kind == END:
                ends.append(kind)
    return got, ends


@test(over=FCGI, because="HTTP has no stream for errors")
def errors_before_it_hangs():
    """errors that the web server has been sent are ended, whether the request
    is answered still or cut"""
    errors = "for i = 1, 30 do env.errors:write(('x'):rep(1000) .. '\\n') end "
    with Daemon(workers=ONE, timeouts=LIMIT, errors_to_server=True) as d:
        d.expect("timeouts.request", "x{1000}", "repeated")
        got, ends = ended(d, errors + HANG)
        matches(b"^Status: 408", got[STDOUT])
        assert len(got[STDERR]) > 8000
        equal(ends, [STDERR, STDOUT, END])
        got, ends = ended(d, errors + "local n = 0 return text(function() "
                          "n = n + 1 if n > 1 then %s end return 'piece' end)"
                          % HANG)
        matches(b"piece$", got[STDOUT])
        equal((len(got[STDERR]), ends), (30 * 1001, [STDERR, ABORT]))


@test
def stopped_process():
    """a worker that can do nothing at all is killed by the master"""
    with Daemon(workers={"mode": "static", "max": 2}, timeouts=LIMIT) as d:
        d.expect("timeouts.request")
        old = d.wait_workers(2)
        gate = d.gate()
        busy = Background(d.lua, "local p = pid() " + gate.lua +
                          "return text(p)")
        gate.wait()
        for pid in old:
            os.kill(pid, signal.SIGSTOP)
        d.wait_log(r"error .*GET /.*killed", timeout=20)
        for pid in old:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        try:
            busy.result()
        except Exception:
            pass
        until(lambda: len(d.workers()) == 2 and d.workers() != old,
              "a new worker")
        equal(d.fetch().body, b"hello")


@test
def none():
    """without the key there is no limit"""
    with Daemon(workers=ONE) as d:
        gate = d.gate()
        busy = Background(d.lua, gate.lua + "return text('done')")
        gate.wait()
        began = time.monotonic()
        until(lambda: time.monotonic() - began > 1.5)
        gate.open()
        equal(busy.result().body, b"done")


@test
def refused():
    """a limit too short to keep and a status that is none are faults"""
    d = Daemon(timeouts={"request": "50ms"}, timeout_status=500)
    d.write_conf()
    done = tool("-t", "-c", d.file)
    equal(done[0], 78)
    matches(r"timeouts\.request is below 100ms", done[2])
    matches(r"timeout_status is none of 408, 503 and 504", done[2])
    d.destroy()


@test
def of_another_interface():
    """the log names the place also where the library has called the
    application"""
    with Daemon(app="return function()\n  while true do end\nend",
                interface="wsapi", timeouts={"request": "100ms"}) as d:
        d.expect("the request exceeds timeouts.request")
        equal(d.fetch(uri="/x").status, 408)
        d.wait_log(r"GET /x: .*app\.lua:2: the request exceeds "
                   r"timeouts\.request.*traceback.*app\.lua:2: in")


run(limit=180, over=BOTH)
