#!/usr/bin/env python3
"""env:respond answers piece by piece; env:after runs when the response has been
sent; app.error answers what has failed."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
d = Daemon(workers=ONE, timeouts={"stop": "10s", "after": "20s"})


@test
def starts():
    """the daemon starts"""
    d.start()


# ---- env:respond --------------------------------------------------------------

@test
def pieces_in_order():
    """status, headers and pieces; what accept returns is ignored"""
    r = d.lua("local r = env:respond('201 Made', { ['X-A'] = { 1, 2 } }) "
              "r:write('a', 5, ''):flush():write('b') r:close() "
              "return { Status = 404 }, 'no'")
    equal((r.status_line, r.header("x-a"), r.body, r.app_status),
          ("201 Made", ["1", "2"], b"a5b", 0))
    r = d.lua("env:respond():write('x') return 7")
    equal((r.status, r.body, r.app_status), (200, b"x", 0))


@test
def forms_of_the_status():
    """a status as in headers, or in headers, but not in both"""
    for status, headers, wanted in (
            ("404", "nil", 404), ("{ 422, 'x' }", "{}", 422),
            ("nil", "{ Status = 410 }", 410),
            ("nil", "{ Location = '/' }", 302), ("nil", "nil", 200)):
        r = d.lua("env:respond(%s, %s):close()" % (status, headers))
        equal((r.status, r.body), (wanted, b""), status + headers)
    d.expect("Status is given twice")
    equal(d.lua("env:respond(200, { Status = 200 })").status, 500)


@test
def sent_as_it_comes():
    """a flushed piece is there before the next is made; so is the head alone"""
    gate = d.gate()
    with d.connect() as c:
        c.send(request(lua="local r = env:respond() r:flush() " + gate.lua +
                       "r:write('one'):flush() " + gate.lua + "r:write('two')"))
        first = c.piece()
        assert b"\r\n\r\n" in first, first
        gate.open()
        equal(c.piece(), b"one")
        gate.wait()
        gate.open()
        r = c.response()
        equal((r.out, r.app_status), (b"two", 0))


@test
def same_rules():
    """HEAD and 204 have no body; Content-Length holds both ways"""
    code = "local r = env:respond(%s) r:write('body')"
    equal(d.lua(code % "200", method="HEAD").body, b"")
    equal(d.lua(code % "204").body, b"")
    equal(d.lua("env:respond(200, { ['Content-Length'] = 4 }):write('body')")
          .body, b"body")
    d.expect("the body is longer than its Content-Length 2",
             "the body is 2 bytes shorter than its Content-Length 4")
    r = d.lua("local r = env:respond(200, { ['Content-Length'] = 2 }) "
              "local a, b = r:write('body') "
              "io.stderr:write(tostring(a), ' ', b, '\\n')")
    equal(r.body, b"bo")
    d.wait_log("nil the body is longer than its Content-Length")
    r = d.lua("env:respond(200, { ['Content-Length'] = 4 }):write('bo')")
    assert r.cut or r.app_status != 0, r


@test
def a_failure_before_and_after_the_first_byte():
    """before it: a 500; after it the response is cut"""
    d.expect("early", "late")
    equal(d.lua("env:respond(200) error('early')").status, 500)
    r = d.lua("env:respond(200):write('x') error('late')")
    assert r.cut or r.app_status != 0, r


@test
def misuse():
    """is an error that says what was wrong"""
    for code, said in (
            ("env:respond(200) env:respond(200)",
             "respond has been called before"),
            ("env:respond(99)", "99"), ("env:respond({})", r"Status\[1\]"),
            ("env:respond(200, 'x')", "table expected, got string"),
            ("env:respond(200, { ['a b'] = 1 })", "a b"),
            ("env:respond(200, { a = 'x\\r\\ny' })", "header \"a\": value has"),
            ("env.respond({}, 200)", "env of the present request expected"),
            ("env.respond()", "table expected, got no value"),
            ("local r = env:respond(200) r:write({})",
             "string expected, got table"),
            ("local r = env:respond(200) r.write(env)",
             "lua-fpm.response expected")):
        mark = d.log_mark()
        d.expect(r" error \[pool www\] .*(?:%s)" % said)
        equal(d.lua(code).status, 500, code)
        d.wait_log(said, mark)
    d.expect("the response is closed", "the request is over")
    r = d.lua("kept = env:respond(200) kept:close() kept:write('x')")
    assert r.body == b"", r
    equal(d.lua("kept:write('x')").status, 500)
    d.wait_log("the request is over")


@test
def a_client_that_leaves():
    """write returns nil and a message; env:after sees that it was aborted"""
    gate = d.gate()
    c = d.connect()
    c.send(request(lua=gate.lua + "local r = env:respond() "
                   "local part = string.rep('x', 100000) local ok, why repeat "
                   "ok, why = r:write(part) if ok then ok, why = r:flush() end "
                   "until not ok left = why "
                   "env:after(function() after = env.aborted end)"))
    gate.wait()
    c.close()
    gate.open()
    until(lambda: d.lua("return {}, tostring(left) .. tostring(after)").body ==
          b"the client takes no moretrue", "the application knows")


# ---- env:after ----------------------------------------------------------------

@test
def after_the_response():
    """runs when the client has all, in order, and the connection is free"""
    gate = d.gate()
    with d.connect() as c:
        c.send(request(keep=True, lua="order = '' local id = env.id "
                       "env:after(function() " + gate.lua +
                       "order = order .. 'a' .. tostring(env.aborted) "
                       "assert(env.id == id) env.errors:write('said\\n') end) "
                       "env:after(function() order = order .. 'b' "
                       "env:after(function() order = order .. 'c' end) end) "
                       "return {}, 'sent'"))
        d.expect("GET / ?: said")
        r = c.response()
        equal((r.body, r.app_status), (b"sent", 0))
        gate.wait()
        gate.open()
        equal(c.ask(lua="return {}, order").body, b"afalsebc")
    d.wait_log(r"error .*\[request \S+\] GET /.*: said")


@test
def finishing_in_the_status():
    """the state is Finishing and busy, and the request is over"""
    with Daemon(workers=ONE, timeouts={"stop": "10s"}) as e:
        address = e.dir + "/status.sock"
        e.set_pool("www", workers=ONE, status_path="/status",
                   status_listen=address)
        e.sockets.add(address)
        e.write_conf()
        e.reload()
        e.fds_before = e.count_fds()

        def status():
            return fetch(address, uri="/status?json&full").body

        gate = e.gate()
        equal(e.lua("env:after(function() " + gate.lua + "end) "
                    "return {}, 'x'").body, b"x")
        gate.wait()
        matches(r'"active processes": ?1\b', status().decode())
        matches('"Finishing"', status().decode())
        gate.open()
        until(lambda: b'"Finishing"' not in status(), "the worker is idle")


@test
def errors_in_after():
    """are logged, with a traceback, and stop only that function"""
    d.expect("after: .*boom")
    d.lua("ran = nil env:after(function() error('boom') end) "
          "env:after(function() ran = true end) return {}, 'x'")
    d.wait_log(r"error .*GET /.*: after: .*boom\\nstack traceback:")
    equal(d.lua("return {}, tostring(ran)").body, b"true")
    d.expect("it failed")
    equal(d.lua("env:after(function() failed = env.aborted end) "
                "error('it failed')").status, 500)
    equal(d.lua("return {}, tostring(failed)").body, b"false")


@test
def the_limit_of_after():
    """timeouts.after stops it; the worker lives on, and answers"""
    with Daemon(workers=ONE, timeouts={"stop": "10s", "after": "300ms"}) as e:
        worker = e.workers()
        e.expect("exceeds timeouts.after")
        equal(e.lua("env:after(function() while true do pcall(function() "
                    "while true do end end) end end) "
                    "env:after(function() never = true end) "
                    "return {}, 'x'").body, b"x")
        e.wait_log(r"error .*GET /.*: after: .*exceeds timeouts\.after")
        equal(e.lua("return {}, tostring(never)").body, b"nil")
        equal(e.workers(), worker)


@test
def others_do_not_wait():
    """kept connections move to an idle worker while one finishes"""
    with Daemon(workers={"mode": "static", "max": 2},
                timeouts={"stop": "10s", "after": "60s"}) as e:
        gate = e.gate()
        with e.connect() as c:
            equal(c.ask(keep=True, lua="env:after(function() " + gate.lua +
                        "end) return {}, 'x'").body, b"x")
            gate.wait()
            equal(c.ask(keep=True).body, b"hello")
            assert gate.open_if_held(), "the other worker has finished"


@test
def stop_waits_for_after():
    """TERM lets it end"""
    e = Daemon(workers=ONE, timeouts={"stop": "20s", "after": "20s"})
    e.start()
    gate = e.gate()
    e.lua("env:after(function() " + gate.lua + "io.stderr:write('done\\n') "
          "end) return {}, 'x'")
    gate.wait()
    e.expect("done")
    e.kill(signal.SIGTERM)
    e.wait_log("stop")
    gate.open()
    e.wait_log("done")
    e.ended(0)
    e.destroy()


# ---- app.error ----------------------------------------------------------------

APP = """
local app = {}
function app.accept(env)
  env.mine = "same"
  return assert(load(env.HTTP_CODE, "=code", "t", setmetatable({ env = env },
    { __index = _ENV })))()
end
function app.error(env, message, traceback)
  if env.HTTP_FAILS then error("in error: " .. env.HTTP_FAILS) end
  if env.HTTP_BAD then return 7 end
  if env.HTTP_PIECES then env:respond(503):write("piece") return end
  return { Status = env.HTTP_STATUS }, message .. "|" .. type(traceback) .. "|" ..
    env.mine
end
return app
"""


@test
def own_500():
    """app.error gets env, the message and the traceback; 500 by default"""
    with Daemon(app=APP, workers=ONE) as e:
        def ask(code, **more):
            return e.fetch(params=[("HTTP_CODE", code)] + list(more.items()))

        e.expect("error", "accept returned")
        r = ask("error('x')")
        equal((r.status, r.body, r.app_status),
              (500, b"code:1: x|string|same", 0))
        r = ask("return 5", HTTP_STATUS="418 Tea")
        equal((r.status, r.body.split(b"|")[1:]), (418, [b"nil", b"same"]))
        r = ask("error('x')", HTTP_PIECES="1")
        equal((r.status, r.body), (503, b"piece"))
        r = ask("env:respond(200) error('x')")
        equal((r.status, r.body), (500, b"code:1: x|string|same"))
        e.wait_log(r"error \[pool www\] .*GET /.*code:1: x\\nstack traceback")
        for more, said in ((("HTTP_FAILS", "again"), "error: .*in error: again"),
                           (("HTTP_BAD", "1"), "error: accept returned a number")):
            r = ask("error('x')", **dict([more]))
            equal((r.status, r.body), (500, b"Internal Server Error\n"))
            e.wait_log(said)
        r = ask("env:respond(200):write('x') error('late')")
        assert r.cut or r.app_status != 0, r
        equal(ask("return {}, 'fine'").body, b"fine")


@test
def error_must_be_a_function():
    """anything else does not load"""
    with Daemon() as e:
        e.write_app("return { accept = print, error = 'x' }", "bad.lua")
        r = subprocess.run([LUA_FPM, "-t", e.dir + "/bad.lua"],
                           capture_output=True, text=True)
        equal(r.returncode, 78)
        matches("error is a string, expected a function", r.stderr)


run(over=BOTH)
