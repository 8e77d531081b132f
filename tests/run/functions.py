#!/usr/bin/env python3
"""interface = "functions": a request names a function, whose result is the
application status."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import *  # noqa: E402,F403

APP = """
local calls = 0
local function head(output, ...)
  output:write("Content-Type: text/plain\\n\\n", ...)
end
local functions = {
  count = function(params, input, output)
    calls = calls + 1
    head(output, calls)
  end,
  ["blog.index"] = function(params, input, output)
    head(output, params.REQUEST_METHOD, " ", input:read("a"))
    return 0
  end,
  status = function(params, input, output)
    head(output, "x")
    return math.tointeger(params.N) or tonumber(params.N) or params.N
  end,
  raw = function(params, input, output)
    for piece in params.RAW:gmatch("[^|]*") do output:write(piece) end
    if params.FLUSH then output:flush() end
  end,
  sleep = function(params, input, output)
    if params.FIRST then head(output, "begun\\n") output:flush() end
    while true do end
  end,
  stream = function(params, input, output)
    head(output, "a")
    output:flush()
    output:write(input:read(1))
  end,
  errors = function(params, input, output, errors)
    errors:write("to the log\\n")
    head(output)
  end,
  raise = function() error("raised here") end,
  silent = function() return 7 end,
  callable = setmetatable({}, { __call = function(_, _, _, output)
    head(output, "called")
  end }),
}
setmetatable(functions, { __index = { hidden = print } })
return %s
"""

pool = dict(interface="functions", errors_to_server=True,
            workers={"mode": "static", "max": 1},
            timeouts={"request": "300ms", "stop": "10s"})
d = Daemon(app=APP % "functions", pools={
    "www": pool, "made": {**pool, "interface": None, "app": None}})
d.write_app(APP % 'require("fpm.functions")(functions, { start = function() '
            'calls = 100 end })', "made.lua")
d.pools["made"]["app"] = d.dir + "/made.lua"


def call(name, pool="www", **more):
    params = {"SCRIPT_FILENAME": name, **more.pop("params", {})}
    return d.fetch(pool, params=params, **more)


@test
def ten_times():
    """A function is called ten times, over one connection"""
    d.start()
    with d.connect() as c:
        for n in range(10):
            c.send(request(keep=True, params={"SCRIPT_FILENAME": "count"}))
            r = c.response()
            equal((r.body, r.errors, r.app_status), (b"%d" % (n + 1), b"", 0))
    equal(call("count", "made").body, b"101", "start, as an application")


@test
def names():
    """Only what is listed is called, under its whole name"""
    equal(call("blog.index", body=b"y").body, b"POST y")
    for name, script in (("", "/blog.index"), (None, "blog.index")):
        equal(call(name, params={"SCRIPT_NAME": script}).body, b"GET ")
    equal(call("callable").body, b"called")
    for name in ("print", "os.exit", "hidden", "blog", "blog.index.x",
                 "__index", "/blog.index", "x" * 9000, "count\0", "\xff"):
        r = call(name)
        equal((r.status, r.app_status), (404, 404), name)
    equal(d.fetch(params={"SCRIPT_NAME": None}).status, 404)


@test
def statuses():
    """What a function returns is the application status"""
    d.expect("expected nothing or an integer, 0 to 4294967295")
    for n in (0, 1, 255, 408, 2 ** 32 - 1):
        r = call("status", params={"N": str(n)})
        equal((r.status, r.body, r.app_status), (200, b"x", n))
    equal(call("status", params={"N": "3.0"}).app_status, 3)
    for n in ("-1", "4294967296", "1.5", "nan", "no number"):
        r = call("status", params={"N": n})
        equal((r.status, r.complete), (200, False), n)


@test
def heads():
    """The head comes in any pieces; one that is none is a 500"""
    for raw, status in (("Status: 404 Not Here|\r|\n|A: b\r\n\r|\n|body", 404),
                        ("A|:|b||\n\n", 200),
                        ("Location: /x\n\n", 302)):
        for flush in ({}, {"FLUSH": "1"}):
            r = call("raw", params={"RAW": raw, **flush})
            equal((r.status, r.complete), (status, True), raw)
    for raw, why in (("", "has written no response"),
                     ("A: b\n", "has not written the empty line"),
                     ("\n", "begins with an empty line"),
                     ("x\n\n", "malformed header line: x"),
                     ("A: b\rc\n\n", "carriage return"),
                     ("Status: 1\n\n", "Status"),
                     ("Status: 200\nStatus: 200\n\n", "given twice"),
                     ("A: " + "x" * 20000 + "\n\n", "limits.response_head")):
        d.expect(why)
        mark = d.log_mark()
        r = call("raw", params={"RAW": raw})
        equal((r.status, r.app_status), (500, 500), raw[:50])
        d.wait_log(why, mark)


@test
def limits():
    """At timeouts.request: 408, as HTTP and as application status"""
    r = call("sleep")
    d.expect("exceeds timeouts.request")
    equal((r.status, r.app_status), (408, 408))
    r = call("sleep", params={"FIRST": "1"})
    equal((r.status, r.body, r.complete), (200, b"begun\n", False))
    equal(call("count").body, b"11", "the same worker")


@test
def failures():
    """An error is a 500; what goes to the errors is logged"""
    d.expect("raised here", "to the log", "written no response")
    mark = d.log_mark()
    for name in ("raise", "silent"):
        r = call(name)
        equal((r.status, r.app_status), (500, 500))
    d.wait_log("raised here.*traceback", mark)
    equal(call("errors").errors, b"to the log\n")


@test
def streams():
    """What is flushed is sent while the body is still read"""
    with d.connect() as c:
        c.send(head("POST", params={"SCRIPT_FILENAME": "stream"}, body="12"))
        got = c.piece()
        matches("\r\n\r\na$", got.decode())
        c.send(stream(STDIN, b"12"))
        r = c.response()
        equal((r.out, r.complete), (b"1", True))


@test
def bad_files():
    """What is no table of functions does not load, and the message says why"""
    for text, why in (("return 7", "functions is a number"),
                      ("return", "functions is nil"),
                      ("return { a = 1 }", "a is a number, expected a funct"),
                      ("return { print }", "a name is a number"),
                      ('return require("fpm.functions")({}, { x = 1 })',
                       'there is no option "x"')):
        write(d.dir + "/bad.lua", text)
        code, _, err = tool("-t", "-i", "functions", d.dir + "/bad.lua")
        equal(code, 78, err)
        assert why in err, err


run(over=FCGI)
