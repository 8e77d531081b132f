#!/usr/bin/env python3
"""Every entry into Lua code has a deadline: loading, start, restart, stop and
the end of the state, in a worker and in -t."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
LOOP = "while true do pcall(function() while true do end end) end"
HANG = ("string.find(string.rep('a', 60), string.rep('a?', 60) .. "
        "string.rep('a', 60))")
LIMIT = {"start": "1s", "stop": "10s"}


def app(accept="return {}, 'x'", before="", **hooks):
    """An application; each function on a line of its own, from line 2 on."""
    return "%s local app = {}\n%s\nfunction app.accept(env) %s end\n" \
        "return app\n" % (before, "\n".join(
            "function app.%s() %s end" % h for h in hooks.items()), accept)


def start_fails(text, regex, limit="1s"):
    """The first worker does not come up, and the log has that line."""
    d = Daemon(app=text, workers=ONE, timeouts={**LIMIT, "start": limit})
    d.write_conf()
    d.spawn()
    equal(d.wait_exit(), 70)
    matches(regex, d.read_log())
    d.check_gone()
    d.destroy()


@test
def start():
    """a file, and a start, that do not end: the log says where they were, in
    Lua and in C"""
    for text, regex in (
            ("local function f()\n %s end\nf()\n" % LOOP,
             r"error \[pool www\] .*app\.lua:2: loading exceeds "
             r"timeouts\.start.*app\.lua:3: in "),
            (app(start=LOOP), r"error \[pool www\] .*app\.lua:2: start "
             r"exceeds timeouts\.start.*app\.lua:2: in "),
            ("local x = %s" % HANG, r"error \[pool www\] .*loading exceeds "
             r"timeouts\.start and does not let itself be stopped: "
             r"\[C\]: in .*'find';.*app\.lua:1: in main chunk.*worker ends"),
            (app(start=HANG), r"error \[pool www\] .*start exceeds .*not let "
             r"itself be stopped: \[C\]: in .*app\.lua:2: in ")):
        start_fails(text, regex)


@test
def in_sum():
    """what loading has used start has no more"""
    began = time.monotonic()
    start_fails(app(before="os.execute('sleep 2')", start=LOOP),
                r"start exceeds timeouts\.start", "3s")
    took = time.monotonic() - began
    assert took < 5, took


@test
def trial():
    """-t says where a file that does not end is, in Lua and in C"""
    for text, regex in (
            ("local function f()\n %s end\nf()\n" % LOOP,
             r"^\S*app\.lua:2: loading exceeds timeouts\.start "),
            (HANG, r"pool www: loading exceeds timeouts\.start and does "
             r"not let itself be stopped: \[C\]: in .*'find'; \S*app\.lua:1")):
        d = Daemon(app=text, timeouts=LIMIT)
        d.write_conf()
        code, out, err = tool("-t", "-c", d.file)
        equal(code, 78)
        matches(regex, err)
        d.destroy()


@test
def restart():
    """a restart that does not end is stopped, with its traceback in the log,
    and its worker replaced; until then the status does not say idle"""
    with Daemon(app=app(restart=LOOP), workers=ONE, timeouts=LIMIT,
                status_path="/status",
                status_listen="127.0.0.1:%d" % free_port()) as d:
        d.expect("timeouts.start")
        old = d.wait_ready(1, "www")
        mark = d.log_mark()
        kill(old[0], signal.SIGHUP)
        until(lambda: b"Idle" not in fetch(
            d.pools["www"]["status_listen"], uri="/status?full").body,
            "another state than idle")
        d.wait_log(r"error \[pool www\] .*restart: \S*app\.lua:2: restart "
                   r"exceeds timeouts\.start.*traceback.*app\.lua:2: in",
                   mark)
        until(lambda: d.workers("www") and
              not set(old) & set(d.workers("www")), "a new worker")
        equal(d.fetch().body, b"x")


@test
def restart_in_c():
    """one that hangs in C: the worker ends, and says so"""
    with Daemon(app=app(restart=HANG), workers=ONE, timeouts=LIMIT) as d:
        d.expect("timeouts.start")
        old = d.workers()
        kill(old[0], signal.SIGHUP)
        d.wait_log(r"error \[pool www\] \[pid %d\] .*restart exceeds "
                   r"timeouts\.start and does not let itself be stopped: "
                   r"\[C\]: in .*app\.lua:2: in .*the worker ends" % old[0])
        until(lambda: d.workers() and d.workers() != old, "a new worker")
        equal(d.fetch().body, b"x")


@test
def reloaded():
    """the same by a reload, for all workers"""
    with Daemon(app=app(restart=LOOP), workers={"mode": "static", "max": 2},
                timeouts=LIMIT) as d:
        d.expect("timeouts.start")
        old = set(d.workers())
        d.kill(signal.SIGHUP)
        until(lambda: len(d.workers()) == 2 and not old & set(d.workers()),
              "new workers")
        d.wait_ready(2)
        equal(d.fetch().body, b"x")


@test
def stop():
    """a stop that does not end counts as leave; the log has its traceback,
    and nobody is killed"""
    d = Daemon(app=app(stop=LOOP), workers=ONE,
               timeouts={"stop": "3s"}).start()
    d.expect(r"stop: \S*app\.lua:2: stop exceeds timeouts\.stop.*traceback")
    d.kill(signal.SIGTERM)
    equal(d.wait_exit(), 0)
    matches(r"error \[pool www\] .*stop exceeds timeouts\.stop", d.read_log())
    assert "killed" not in d.read_log(), d.read_log()
    d.check_gone()
    d.check_log()
    d.destroy()


@test
def finalizers():
    """__gc methods at the end of the state have what is left of
    timeouts.stop"""
    gc = "X = setmetatable({}, { __gc = function()\n %s end })" % LOOP
    d = Daemon(app=app(before=gc), workers=ONE,
               timeouts={"stop": "5s"}).start()
    d.expect("end of the application exceeds")
    d.kill(signal.SIGTERM)
    equal(d.wait_exit(), 0)
    matches(r"error \[pool www\] .*the end of the application exceeds "
            r"timeouts\.stop and does not let itself be stopped: .*"
            r"app\.lua:2: in .*the worker ends", d.read_log())
    assert "killed" not in d.read_log(), d.read_log()
    d.check_gone()
    d.check_log()
    d.destroy()


@test
def closed_coroutine():
    """coroutine.close, and what else closes coroutines, are stopped as the
    rest of a request is, and do what Lua's do"""
    handler = ("local x <close> = setmetatable({}, { __close = function(_, e) "
               "%s end }) ")
    with Daemon(workers=ONE, timeouts={"request": "400ms",
                                       "stop": "10s"}) as d:
        d.expect("timeouts.request")
        worker = d.workers()
        loop = handler % "while true do end"
        for code in (
                "local c = coroutine.create(function() " + loop +
                "coroutine.yield() end) coroutine.resume(c) "
                "while true do pcall(coroutine.close, c) end",
                "coroutine.wrap(function() " + loop + "error('x') end)()",
                "local c = coroutine.wrap(function() local c = "
                "coroutine.create(function() " + loop + "coroutine.yield() "
                "end) coroutine.resume(c) coroutine.close(c) end) c()"):
            mark = d.log_mark()
            equal(d.lua(code).status, 408, code)
            d.wait_log(r"error \[pool www\] .*traceback", mark)
            equal((d.fetch().body, d.workers()), (b"hello", worker), code)
        note = handler % "log = log .. 'closed ' .. tostring(e)"
        for code, expected in {
            "log = '' local c = coroutine.create(function() " + note +
            "coroutine.yield() end) coroutine.resume(c) "
            "local ok, why = coroutine.close(c) return ok, why, log":
                "true nil closed nil",
            "local c = coroutine.create(function() " + handler %
            "error('e', 0)" + "coroutine.yield() end) coroutine.resume(c) "
            "return coroutine.close(c)": "false e",
            "local c = coroutine.create(error) coroutine.resume(c, 'e') "
            "return coroutine.close(c)": "false e",
            "return coroutine.close(coroutine.create(print))": "true",
            "return pcall(coroutine.close, coroutine.running())":
                "false cannot close a running coroutine",
            "local c c = coroutine.wrap(function(main) return "
            "pcall(coroutine.close, main) end) "
            "return c(coroutine.running())":
                "false cannot close a normal coroutine",
            "return select(2, pcall(coroutine.close, 7)):match('got %a+')":
                "got number",
        }.items():
            got = d.lua("local function f() %s end local t = "
                        "table.pack(f()) for i = 1, t.n do "
                        "t[i] = tostring(t[i]) end "
                        "return text(table.concat(t, ' '))" % code).body
            equal(got.decode(), expected, code)


run(limit=180)
