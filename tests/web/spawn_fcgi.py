#!/usr/bin/env python3
"""Under a real spawn-fcgi, by its second name, with nginx in front."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
import page

PROGRAM = shutil.which("spawn-fcgi") or "/usr/bin/spawn-fcgi"


@contextlib.contextmanager
def spawned(*args, app=None, files={}, settings=()):
    """(directory, pid) of `spawn-fcgi ARGS -- lua-simple-fcgi SETTINGS
    app.lua`."""
    dir = scratch()
    write(dir + "/app.lua", app or app_source("eval.lua"))
    for name, text in files.items():
        write(os.path.join(dir, name), text)
    os.symlink(program_in(dir), dir + "/lua-simple-fcgi")
    where = [a % {"dir": dir} for a in args]
    user = ("-u", pool_user(), "-U", pool_user()) if ROOT else ()
    code, out, err = tool(*where, *user, "-P", dir + "/pid", "--",
                          dir + "/lua-simple-fcgi",
                          *(s % {"dir": dir} for s in settings),
                          dir + "/app.lua", program=PROGRAM, cwd=dir)
    pid = None
    try:
        equal(code, 0, out + err)
        with open(dir + "/pid") as f:
            pid = int(f.read())
        yield dir, pid
    finally:
        if pid:
            kill(pid, signal.SIGKILL)
        shutil.rmtree(dir, ignore_errors=True)


def leaves(pid):
    kill(pid, signal.SIGTERM)
    until(lambda: not alive(pid), "it leaves after TERM")


@test
def unix_socket():
    """spawn-fcgi -s SOCK -- lua-simple-fcgi app.lua"""
    with spawned("-s", "%(dir)s/s.sock", "-M", "0666") as (dir, pid):
        for n in (b"1", b"2", b"3"):
            equal(fetch(dir + "/s.sock",
                        lua="return text(tostring(requests))").body, n)
        with Nginx(dir + "/s.sock") as nginx:
            equal(http(nginx.port)[2], b"hello")
            equal(http(nginx.port, "POST", body="abc", lua="return text("
                       "env.input:read('a'))")[2], b"abc")
            equal(http(nginx.port, lua="error('x')")[0], 500)
        kill(pid, signal.SIGHUP)
        until(lambda: fetch(dir + "/s.sock", lua="return text(tostring("
                            "restarts))").body == b"1", "restart was called")
        leaves(pid)


@test
def as_in_the_readme():
    """the application in ten lines of README.md, by the line of it"""
    with spawned("-s", "%(dir)s/s.sock", app=page.readme("lua"), settings=(
            "--timeout", "30s", "--error-log", "%(dir)s/rw/log")) as (
            dir, pid):
        for n in (1, 2):
            r = fetch(dir + "/s.sock", uri="/hello?x=1")
            equal((r.status, r.body.decode()),
                  (200, "Hello from /hello, visit %d\n" % n))
        leaves(pid)


@test
def tcp():
    """spawn-fcgi -a ADDRESS -p PORT"""
    port = free_port()
    with spawned("-a", "127.0.0.1", "-p", str(port)) as (dir, pid):
        equal(fetch("127.0.0.1:%d" % port).body, b"hello")
        with Nginx("127.0.0.1:%d" % port, keep=True) as nginx:
            for _ in range(10):
                equal(http(nginx.port)[2], b"hello")
        leaves(pid)


@test
def time_limit():
    """--timeout: what takes too long is answered, in Lua and in C, and the log
    that spawn-fcgi would throw away has the traceback"""
    with spawned("-s", "%(dir)s/s.sock", settings=(
            "--timeout", "300ms", "--error-log", "%(dir)s/rw/log")) as (
            dir, pid), Nginx(dir + "/s.sock") as nginx:
        equal(http(nginx.port, lua="while true do end")[0], 408)
        equal(http(nginx.port, lua="return text(tostring(requests))")[2],
              b"2", "the same worker")
        equal(http(nginx.port, lua="os.execute('exec sleep 1000')")[0], 408)
        until(lambda: not alive(pid), "it ends")
        for left in session(pid):
            kill(left, signal.SIGKILL)
        with open(dir + "/rw/log") as f:
            matches(r"(?s)timeouts.request.*traceback.*timeouts.request.*"
                    r"\[C\]: in ", f.read())


@test
def a_bad_setting():
    """a bad value: spawn-fcgi says that the child exited with 78"""
    dir = scratch()
    atexit.register(shutil.rmtree, dir, True)
    write(dir + "/app.lua", "return { accept = print }")
    code, out, err = tool("-s", dir + "/s.sock", "-n", "--", LUA_FPM,
                          "--timeout", "soon", dir + "/app.lua",
                          program=PROGRAM)
    equal(code, 78, out + err)
    matches(r'--timeout: expected a duration as "30s".*found "soon"', err)


@test
def start_returns_a_code():
    """start returning 101: spawn-fcgi says that the child exited with 101"""
    dir = scratch()
    atexit.register(shutil.rmtree, dir, True)
    write(dir + "/app.lua", "return { accept = print, start = function() "
          "return 101 end }")
    code, out, err = tool("-s", dir + "/s.sock", "-n", "--", LUA_FPM,
                          dir + "/app.lua", program=PROGRAM)
    equal(code, 101, out + err)


MAIN = """
local app, starts, requests = {}, 0, 0
local cache, layout

local function read()
  local file = assert(io.open("layout.txt"))
  cache, layout = {}, file:read("a")
  file:close()
end

function app.start() starts = starts + 1 read() return 0 end
function app.restart() read() return 0 end

function app.accept()
  requests = requests + 1
  local page = os.getenv("REQUEST_URI")
  cache[page] = cache[page] or layout .. page .. " made for " .. requests
  return "Status: 201 Made\\r\\nContent-Type: text/x-page\\r\\n\\r\\n" ..
    cache[page] .. ", start " .. starts .. ", request " .. requests
end

return app
"""


@test
def an_application_of_lua_simple_fcgi():
    """accept returns one string, by the file in lua-fpm-from(7): it counts,
    start runs once and first, HUP drops what is cached; no accept is said"""
    adapter = page.literals("LUA-SIMPLE-FCGI",
                            SRC + "/man/lua-fpm-from.7")[1]
    with spawned("-s", "%(dir)s/s.sock", "-d", "%(dir)s", app=adapter,
                 files={"main.lua": MAIN, "layout.txt": "old "}) as (dir, pid):
        def ask(uri):
            r = fetch(dir + "/s.sock", uri=uri)
            equal((r.status_line, r.header("content-type")),
                  ("201 Made", ["text/x-page"]))
            return r.body.decode()

        equal(ask("/a"), "old /a made for 1, start 1, request 1")
        equal(ask("/a"), "old /a made for 1, start 1, request 2")
        equal(ask("/b"), "old /b made for 3, start 1, request 3")
        write(dir + "/layout.txt", "new ")
        equal(ask("/a"), "old /a made for 1, start 1, request 4")
        kill(pid, signal.SIGHUP)
        until(lambda: ask("/a").startswith("new "), "restart was called")
        leaves(pid)
    dir = scratch()
    atexit.register(shutil.rmtree, dir, True)
    write(dir + "/app.lua", adapter)
    write(dir + "/main.lua", "return { start = print }")
    code, out, err = tool("-t", dir + "/app.lua", program=LUA_FPM)
    equal(code, 78, out + err)
    matches("main has no accept", err)


run(60, needs=(PROGRAM, "/usr/sbin/nginx"))
