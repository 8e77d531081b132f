#!/usr/bin/env python3
"""develop = true: what has changed is loaded anew before the next request, and
the client of a failed one sees why."""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
APP = """
local app = {}
local part = require "part"
local starts = 0
function app.start() starts = starts + 1 end
function app.stop() print("stop was called") end
function app.accept(env)
  if env.HTTP_CODE then
    local headers, body = assert(load(env.HTTP_CODE, "@code.lua"))(env)
    return headers, body
  end
  return {}, part.text .. starts
end
return app
"""
TEXT = [("HTTP_ACCEPT", "text/plain")]


def put(d, name, text):
    write(d.dir + "/" + name + ".new", text)
    os.rename(d.dir + "/" + name + ".new", d.dir + "/" + name)


def daemon(**pool):
    d = Daemon(**{"workers": ONE, "develop": True, **pool})
    d.write_app(APP)
    put(d, "part.lua", "return { text = 'one' }")
    d.expect("part.lua", "app.lua", "code.lua")
    return d.start()


@test
def edits_count_at_once():
    """a changed module, the file itself: a fresh state, the same process"""
    with daemon() as d:
        d.wait_log(r"notice \[pool www\] .*develop = true")
        worker = d.workers()
        equal(d.fetch().body, b"one1")
        put(d, "part.lua", "return { text = 'two' }")
        equal(d.fetch().body, b"two1")
        d.wait_log("stop was called")
        d.wait_log("notice .*app.lua: loaded anew")
        put(d, "app.lua", APP.replace("part.text", "'mine'"))
        equal((d.fetch().body, d.workers()), (b"mine1", worker))


@test
def faults_are_shown():
    """what does not load is the answer until it does; so is a failing start"""
    with daemon() as d:
        equal(d.fetch().body, b"one1")
        put(d, "part.lua", "return { text = ")
        for _ in range(2):
            r = d.fetch(params=TEXT)
            equal(r.status, 500)
            matches(r"part\.lua:1: unexpected symbol near <eof>",
                    r.body.decode())
        d.wait_log(r"error \[pool www\] .*part\.lua:1: unexpected symbol")
        put(d, "part.lua", "return { text = 'three' }")
        equal(d.fetch().body, b"three1")
        put(d, "app.lua", "return { start = function() error('cannot') end, "
            "accept = print }")
        matches("app.lua:1: cannot", d.fetch(params=TEXT).body.decode())
        put(d, "app.lua", "return { start = function() return 5 end, "
            "accept = print }")
        matches("start returned 5", d.fetch(params=TEXT).body.decode())
        os.unlink(d.dir + "/app.lua")
        matches("app.lua", d.fetch(params=TEXT).body.decode())
        put(d, "app.lua", "return 7")
        matches("returned a number", d.fetch(params=TEXT).body.decode())
        put(d, "app.lua", APP)
        equal(d.fetch().body, b"three1")


@test
def broken_from_the_first():
    """an application that does not load is no failed start; TERM and HUP work"""
    d = Daemon(workers=ONE, develop=True)
    d.write_app("return {")
    d.expect("app.lua")
    with d.start():
        equal(d.fetch().status, 500)
        d.kill(signal.SIGHUP)
        until(lambda: d.fetch().status == 500, "it answers")
        put(d, "app.lua", "return { accept = function() return {}, 'x' end }")
        until(lambda: d.fetch().body == b"x", "it is loaded")


@test(over=FCGI, because="code of several lines is no header")
def the_page():
    """message, source, traceback, request, environment; secrets hidden, no
    cache, all escaped, in the form that is asked for"""
    with daemon(environment={"DB_PASSWORD": "hush", "SHOWN": "<yes>"}) as d:
        put(d, "app.lua", APP + "-- end")
        code = ("local function inner()\n  error('<b>bold</b>')\nend\n"
                "inner()")

        def ask(accept):
            return d.fetch(uri="/x?a=<i>", params=[
                ("HTTP_CODE", code), ("HTTP_ACCEPT", accept),
                ("HTTP_COOKIE", "session=1"), ("API_KEY", "hush")])

        r = ask("text/html")
        page = r.body.decode()
        equal((r.status, r.header("cache-control")), (500, ["no-store"]))
        matches("text/html; charset=utf-8", r.header("content-type")[0])
        for shown in ("code.lua:2: &lt;b&gt;bold&lt;/b&gt;", "/x?a=&lt;i&gt;",
                      "&lt;yes&gt;", "(hidden)", "app.lua:9</b>",
                      'class="here"'):
            assert shown in page, shown
        for never in ("hush", "session=1", "<b>bold", "<i>a", "=<i>"):
            assert never not in page, never
        told = json.loads(ask("application/json").body)
        equal(told["message"], "code.lua:2: <b>bold</b>")
        equal(told["request"]["REQUEST_URI"], "/x?a=<i>")
        equal(told["environment"]["DB_PASSWORD"], "(hidden)")
        assert any(f.get("line") == 9 for f in told["frames"]), told["frames"]
        r = ask("text/plain")
        matches(r">    9      local headers, body = assert\(load\(",
                r.body.decode())
        matches("text/plain", r.header("content-type")[0])
        equal(ask("image/png").header("content-type"),
              ["text/html; charset=utf-8"])


@test
def any_bytes():
    """in a message, in JSON too; a response that is malformed; one cut"""
    with daemon() as d:
        d.expect("error")
        for code in (r"error('\xff\0\x01\"\\')", "error({})", "error()",
                     "error(('x'):rep(100000))", "return 5",
                     "local t = {} t[1][1] = 1"):
            for accept in ("text/html", "application/json", "text/plain"):
                r = d.fetch(params=[("HTTP_CODE", code), ("HTTP_ACCEPT", accept)])
                equal((r.status, r.app_status), (500, 0), code)
                if accept == "application/json":
                    json.loads(r.body)
        r = d.fetch(params=[("HTTP_CODE", "local e = ... e:respond():write('x') "
                             "error('late')")])
        assert r.cut or r.app_status != 0, r


@test
def new_globals():
    """each that a request sets is told once, with the place"""
    with daemon() as d:
        mark = d.log_mark()
        for _ in range(2):
            d.fetch(params=[("HTTP_CODE", "counter = 1 rawset(_G, 'quiet', 1) "
                             "counter = nil return {}, ''")])
        d.wait_log(r"warning .*code\.lua:1: a request sets the global variable "
                   "counter", mark)
        equal(d.read_log(mark).count("the global variable"), 1)


@test
def watched():
    """fpm.watch, and what a searcher of the application itself found"""
    app = """
local watch = require("fpm").watch
local here = "%s/"
table.insert(package.searchers, 2, function(name)
  if name == "odd" then
    return function(_, file)
      local f <close> = assert(io.open(file))
      return f:read("a")
    end, here .. "odd.txt"
  end
end)
local page = here .. "page.txt"
assert(watch(page) == page)
local odd = require "odd"
local f <close> = assert(io.open(page))
local text = f:read("a") .. odd
return { accept = function()
  local path, why = watch(here .. "none")
  return {}, text .. tostring(path) .. why:match(": (.*)")
end }"""
    d = Daemon(workers=ONE, develop=True)
    d.write_app(app % d.dir)
    put(d, "page.txt", "a")
    put(d, "odd.txt", "b")
    with d.start():
        equal(d.fetch().body, b"abnilNo such file or directory")
        put(d, "page.txt", "c")
        equal(d.fetch().body[:2], b"cb")
        put(d, "odd.txt", "d")
        equal(d.fetch().body[:2], b"cd")


@test
def watched_in_production():
    """a file given to fpm.watch makes a reload replace the workers"""
    app = ("local page = require('fpm').watch('%s/page.txt') "
           "local f <close> = io.open(page) local text = f:read('a') "
           "return { restart = function() end, "
           "accept = function() return {}, text end }")
    d = Daemon(workers=ONE)
    d.write_app(app % d.dir)
    put(d, "page.txt", "a")
    with d.start():
        worker = d.workers()
        equal(d.fetch().body, b"a")
        put(d, "page.txt", "b")
        equal(d.fetch().body, b"a")
        d.reload()
        equal(d.fetch().body, b"b")
        assert d.workers() != worker


@test
def off_by_default():
    """no page, no fresh state"""
    with Daemon(workers=ONE) as d:
        d.expect("boom")
        r = d.lua("error('boom')")
        assert b"boom" not in r.body, r
        put(d, "app.lua", "return { accept = print }")
        equal(d.fetch().body, b"hello")


@test
def option():
    """--dev: one worker, with develop = true"""
    d = Daemon(listen="")
    d.write_app(APP)
    put(d, "part.lua", "return { text = 'one' }")
    d.top["pid_file"] = d.dir + "/none"
    address = d.dir + "/line.sock"
    d.sockets = {address}
    d.expect("code.lua", "runs as root")
    d.start(args=("--dev", "-R", "-l", spelt(address), d.dir + "/app.lua"))
    equal(len(d.workers()), 1)
    equal(fetch(address).body, b"one1")
    put(d, "part.lua", "return { text = 'two' }")
    equal(fetch(address).body, b"two1")
    matches("code.lua:1: x", fetch(
        address, params=[("HTTP_CODE", "error('x')")] + TEXT).body.decode())
    d.stop()


run(over=BOTH)
