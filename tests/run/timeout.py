#!/usr/bin/env python3
"""fpm.timeout: shorter limits within the request's own."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
LOOP = "while true do pcall(function() while true do end end) end "
d = Daemon(workers=ONE, timeouts={"stop": "10s", "request": "20s"})


def timed(code, **q):
    began = time.monotonic()
    r = d.lua("local timeout = require('fpm').timeout " + code, **q)
    return r, time.monotonic() - began


@test
def starts():
    """the daemon starts"""
    d.start()


@test
def query():
    """what is left of timeouts.request, less once it is set; 0 undoes that"""
    r, _ = timed("local a = timeout() timeout(5) local b = timeout() "
                 "timeout(0) local c = timeout() timeout(1000) "
                 "return {}, table.concat({ a, b, c, timeout() }, ' ')")
    whole, less, again, most = map(float, r.body.split())
    assert 10 < whole <= 20 and 3 < less <= 5.01, r.body
    assert 10 < again <= whole and 10 < most <= whole, r.body
    with Daemon(workers=ONE) as e:
        equal(e.lua("return {}, tostring(require('fpm').timeout())").body,
              b"nil")


@test
def set_for_the_request():
    """a request beyond it is stopped and answered; the worker lives on"""
    worker = d.workers()
    d.expect("exceeds what fpm.timeout allows")
    r, took = timed("timeout(0.3) " + LOOP)
    equal(r.status, 408)
    assert 0.2 < took < 8, took
    d.wait_log(r"error .*GET /.*exceeds what fpm\.timeout allows it.*traceback")
    r, _ = timed("return {}, tostring(timeout() > 5)")
    equal((r.body, d.workers()), (b"true", worker))


@test
def around_a_function():
    """it is stopped by an error that its caller catches, and only it"""
    r, took = timed("local ok, why = pcall(timeout, 0.2, function() " + LOOP +
                    "end) local n = 0 for i = 1, 1e6 do n = n + 1 end "
                    "return {}, tostring(ok) .. ' ' .. why .. ' ' .. n")
    matches(r"false request:1: the time that fpm\.timeout gives is over 1000000",
            r.body.decode())
    assert 0.15 < took < 8, took
    r, _ = timed("return {}, table.concat({ timeout(5, function(...) "
                 "return ..., 'b' end, 'a', 'x') }, ' ')")
    equal(r.body, b"a b")
    r, _ = timed("local ok, why = pcall(timeout, 5, error, 'mine') "
                 "return {}, tostring(why) .. tostring(timeout() > 5)")
    equal(r.body, b"minetrue")


@test
def the_shorter_wins():
    """around and inside; and outside of it the longer holds again"""
    r, took = timed(
        "local ok, why = pcall(timeout, 0.2, function() "
        "timeout(60, function() " + LOOP + "end) end) "
        "return {}, tostring(ok) .. tostring(timeout() > 5)")
    equal(r.body, b"falsetrue")
    assert 0.15 < took < 8, took
    r, took = timed(
        "local inner, outer = pcall(timeout, 8, function() "
        "local left = timeout() assert(left < 8.01) "
        "local ok = pcall(timeout, 0.2, function() " + LOOP + "end) "
        "timeout(60) assert(timeout() <= left) return ok end) "
        "return {}, tostring(inner) .. tostring(outer)")
    equal(r.body, b"truefalse")
    assert 0.15 < took < 8, took
    d.expect("exceeds what fpm.timeout allows")
    r, took = timed("timeout(0.3) timeout(60, function() " + LOOP + "end)")
    equal(r.status, 408)


@test
def in_coroutines():
    """a coroutine that is stopped does not stop its caller"""
    r, _ = timed(
        "local ok = pcall(timeout, 0.2, function() "
        "coroutine.wrap(function() " + LOOP + "end)() end) "
        "local n = 0 coroutine.wrap(function() for i = 1, 1e5 do n = n + 1 end "
        "end)() return {}, tostring(ok) .. n")
    equal(r.body, b"false100000")


@test
def a_hundred_times():
    """limits that pass while what they are around ends: none hits another"""
    worker = d.workers()
    for _ in range(20):
        r, _ = timed("local n = 0 for i = 1, 5 do local t = os.clock() "
                     "pcall(timeout, 0.05, function() while os.clock() - t < "
                     "0.05 do end end) n = n + 1 end return {}, n")
        equal((r.status, r.body), (200, b"5"))
    equal(d.workers(), worker)


@test
def stuck_in_c():
    """set: answered, and the worker is replaced; around a function: the error
    comes when the C function has returned"""
    hang = ("string.find(string.rep('a', 60), string.rep('a?', 60) .. "
            "string.rep('a', 60))")
    d.expect("exceeded timeouts.request and did not let itself be stopped")
    worker = d.workers()
    r, took = timed("timeout(0.3) " + hang)
    equal(r.status, 408)
    assert took < 10, took
    until(lambda: d.workers() and d.workers() != worker, "a new worker")
    r, _ = timed("local ok = pcall(timeout, 0.2, os.execute, 'sleep 1') "
                 "return {}, tostring(ok)")
    equal(r.status, 200)


@test
def misuse():
    """an error names the argument"""
    for code, said in (
            ("timeout('x')", "seconds is a string, expected a number"),
            ("timeout(-1)", "seconds is -1, expected 0 to 1e9"),
            ("timeout(0/0)", "seconds is -?nan, expected 0 to 1e9"),
            ("timeout(1, 5)", "f is a number, expected a function"),
            ("timeout(nil, print)", "seconds is nil, expected a number")):
        mark = d.log_mark()
        d.expect(r" error .*(?:%s)" % said)
        equal(timed(code)[0].status, 500, code)
        d.wait_log(r"request:1: fpm\.timeout: " + said, mark)


run()
