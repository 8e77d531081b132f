#!/usr/bin/env python3
"""interface = "files": Lua files below a directory are applications, each
loaded when it is first asked for, and each by itself."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
from harness import *  # noqa: E402,F403

APP = """
local app = {}
function app.accept(env)
  return { ["Content-Type"] = "text/plain" }, tostring(%s)
end
return app
"""


class Site(Daemon):
    def __init__(self, **pool):
        dir = scratch()
        self.root = dir + "/site"
        os.mkdir(self.root)
        super().__init__(dir=dir, pools={"www": {
            "app": None, "interface": "files", "root": self.root,
            "workers": {"mode": "static", "max": 1}, **pool}})

    def put(self, name, text, mode=0o644, raw=False):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        write(path, text if raw else APP % text)
        os.chmod(path, mode)
        return path

    def get(self, name, **how):
        if PROTOCOL == HTTP:
            return self.fetch(uri="/" + name, **how)
        params = {"SCRIPT_FILENAME": self.root + "/" + name,
                  "SCRIPT_NAME": "/" + name, **how.pop("params", {})}
        return self.fetch(params=params, **how)

    def says(self, name, text, **how):
        r = self.get(name, **how)
        equal((r.status, r.body.decode()), (200, text), self.tail())


site = Site(revalidate="0")


@test
def counts():
    """A file is loaded once in a worker, and keeps its state"""
    site.start()
    site.put("count.lua", "rawset(_G, 'n', (n or 0) + 1).n")
    for n in range(3):
        site.says("count.lua", str(n + 1))
    for n, name in enumerate(("./count.lua", "/count.lua")):
        site.says(name, str(n + 4))
    if PROTOCOL == HTTP:
        site.says("sub/../count.lua", "6")
        site.says("count.lua?x", "7")
        return
    equal(site.get("sub/../count.lua").status, 404)
    site.says("count.lua", "6", params={
        "SCRIPT_FILENAME": None, "DOCUMENT_ROOT": site.root})
    site.says("count.lua", "7", params={
        "SCRIPT_FILENAME": None, "DOCUMENT_ROOT": site.root,
        "SCRIPT_NAME": "count.lua"})


@test
def globals():
    """No file sees another's globals, nor those of its modules"""
    for name in "ab":
        site.put(name + "/index.lua", """
X = "%s"
_G.Y = X
load("Z = X")()
W = require("mine")
local app = {}
function app.start() started = X end
function app.accept(env)
  return {}, table.concat({ X, Y, Z, W.name, started, FROM_MODULE,
    tostring(_G == _ENV), tostring(NONE), type(string.format),
    tostring(require("mine") == W) }, " ")
end
return app
""" % name, raw=True)
        site.put(name + "/mine.lua", 'FROM_MODULE = X return { name = "m-%s" }'
                 % name, raw=True)
    for name in "abab":
        site.says(name + "/index.lua", "%s %s %s m-%s %s %s true nil function "
                  "true" % ((name,) * 6))
    site.says("count.lua", "8")
    site.put("look.lua", "table.concat({ tostring(X), tostring(Y), tostring(Z),"
             " tostring(FROM_MODULE), tostring(n) }, ' ')")
    site.says("look.lua", "nil nil nil nil nil")


@test
def index():
    """index.lua stands for a directory"""
    for name in ("a/", "a", "a//"):
        matches("^a a a", site.get(name).body.decode())
    equal(site.get("").status, 404)
    site.put("index.lua", "'top'")
    site.says("", "top")
    os.makedirs(site.root + "/empty", exist_ok=True)
    equal(site.get("empty/").status, 404)


@test
def changes():
    """A file, or a module beside it, that has changed is loaded again"""
    site.put("v.lua", "'one'")
    site.says("v.lua", "one")
    site.put("v.lua", "'two'")
    site.says("v.lua", "two")
    site.put("a/mine.lua", 'FROM_MODULE = X return { name = "new" }', raw=True)
    matches("^a a a new", site.get("a/").body.decode())
    os.unlink(site.root + "/v.lua")
    equal(site.get("v.lua").status, 404)
    site.put("v.lua", "'three'")
    site.says("v.lua", "three")


@test
def broken():
    """What does not load is a 500, the log says why, and a mended file works"""
    for text, why in (("return {", "broken.lua:1: unexpected symbol|expected"),
                      ("error('boom')", "broken.lua:1: boom"),
                      ("return 7", "returned a number, expected a table"),
                      ("return {}", "a table without it"),
                      ("return { accept = 1 }", "a table without it"),
                      ("return { accept = print, start = function() return 3 "
                       "end }", "start returned 3"),
                      ("\033Lua", "unexpected symbol|binary|text chunk|truncated"),
                      ("require 'none.such'", "module 'none.such' not found")):
        site.expect(r"broken.lua does not load")
        mark = site.log_mark()
        site.put("broken.lua", text, raw=True)
        r = site.get("broken.lua")
        equal((r.status, r.body), (500, b"Internal Server Error\n"), text)
        site.wait_log("GET /[^ ]*: .*broken.lua does not load: .*(%s)" % why, mark)
    site.put("broken.lua", "#!/usr/bin/lua\n" + APP % "'mended'", raw=True)
    site.says("broken.lua", "mended")


@test
def names():
    """No name leads out of the root, or to what is no Lua file"""
    root = site.root
    outside = site.dir + "/outside.lua"
    write(outside, APP % "'out'")
    site.put("ok.lua", "'ok'")
    site.put("data.txt", "'no'")
    site.put("secret.lua", "'no'", 0o000 if ROOT else 0)
    os.mkfifo(root + "/fifo.lua")
    os.symlink(outside, root + "/out.lua")
    os.symlink("..", root + "/up")
    os.symlink("ok.lua", root + "/in.lua")
    os.symlink(root + "/ok.lua", root + "/in2.lua")
    for name, status in (
            ("ok.lua", 200), ("in.lua", 200), ("in2.lua", 200),
            ("none.lua", 404), ("out.lua", 404), ("up/outside.lua", 404),
            ("data.txt", 403), ("data.txt/x.lua", 403), ("fifo.lua", 403),
            ("secret.lua", 403), ("x" * 5000, 404),
            *((("../outside.lua", 404), ("%2e%2e/x.lua", 404),
               ("ok.lua\0", 404)) if PROTOCOL == FCGI else
              (("../outside.lua", 400), ("%2e%2e/outside.lua", 400),
               ("ok.lua%00", 400), ("x/../../outside.lua", 400)))):
        equal(site.get(name).status, status, name)
    if PROTOCOL == HTTP:
        return
    for params in ({}, {"SCRIPT_FILENAME": "ok.lua"},
                   {"SCRIPT_FILENAME": outside}):
        equal(site.fetch(params=params).status, 404, params)


@test
def rest():
    """What follows the file is PATH_INFO"""
    site.put("path.lua", "env.SCRIPT_NAME .. ' ' .. env.PATH_INFO")
    site.says("path.lua/a/b", "/path.lua /a/b")


@test
def errors():
    """A file's own app.error answers for it, and only for it"""
    site.expect("own.lua:1: boom", "none.lua:1: bang")
    site.put("own.lua", "return { accept = function() error('boom') end, "
             "error = function(env, message) return {}, 'own ' .. "
             "message:match('%w+$') end }", raw=True)
    site.put("none.lua", "return { accept = function() error('bang') end }",
             raw=True)
    r = site.get("own.lua")
    equal((r.status, r.body), (500, b"own boom"))
    r = site.get("none.lua")
    equal((r.status, r.body), (500, b"Internal Server Error\n"))


@test
def many():
    """Many files and names cost bounded memory: those used last stay"""
    n = 3000 if os.environ.get("FULL") == "yes" else 400
    big = "local t = {} for i = 1, 2000 do t[i] = i end\n" + APP % "#t"
    for i in range(n):
        site.put("many/%d.lua" % i, big, raw=True)
    site.put("heap.lua",
             "(collectgarbage() or 1) and collectgarbage('count') // 1")

    def ask(name, status):
        with site.connect() as c:
            for i in range(n):
                c.send(request(keep=True, uri="/many/" + name % i,
                               params={} if PROTOCOL == HTTP else
                               {"DOCUMENT_ROOT": site.root}))
                equal(c.response().status, status)
    ask("%d.lua", 200)
    before = float(site.get("heap.lua").body)
    ask("no%d.lua", 404)
    ask("%d.lua", 200)
    after = float(site.get("heap.lua").body)
    assert after < before * 1.02, (before, after)
    shutil.rmtree(site.root + "/many")


@test
def reload():
    """On HUP a file's restart is called, or the file is loaded again"""
    site.put("restarts.lua", """
local n = 0
return { accept = function() return {}, tostring(n) end,
  restart = function() n = n + 1 end }""", raw=True)
    site.put("fresh.lua", "rawset(_G, 'n', (n or 0) + 1).n")
    site.says("fresh.lua", "1")
    site.says("fresh.lua", "2")
    site.says("restarts.lua", "0")
    pids = site.workers()
    site.reload()
    site.wait_log("")
    until(lambda: site.get("restarts.lua").body == b"1", "restart is called")
    site.says("fresh.lua", "1")
    equal(site.workers(), pids, "in place")
    site.stop()


@test
def revalidate():
    """Within `revalidate` a loaded file is not looked at"""
    with Site(revalidate="1h") as d:
        d.put("v.lua", "'one'")
        d.says("v.lua", "one")
        d.put("v.lua", "'two'")
        d.says("v.lua", "one")
        os.unlink(d.root + "/v.lua")
        d.says("v.lua", "one")


@test
def stops():
    """A file that is loaded again, or leaves, is stopped"""
    with Site(revalidate="0") as d:
        text = ("return { accept = function() return {}, '' end, stop = "
                "function() io.stderr:write('stops %s\\n') end }")
        d.put("s.lua", text % "first", raw=True)
        equal(d.get("s.lua").status, 200)
        d.put("s.lua", text % "second", raw=True)
        equal(d.get("s.lua").status, 200)
        d.wait_log("stops first")
        d.kill(signal.SIGTERM)
        d.wait_log("stops second")
        equal(d.wait_exit(), 0)
        d.destroy()


@test(over=FCGI, because="only a pool's own root is told over HTTP")
def in_a_file():
    """fpm.files makes an application of a directory, with options"""
    d = Site()
    d.set_pool("own", workers={"mode": "static", "max": 1})
    d.write_app('return require("fpm.files")("%s", { revalidate = 0, '
                'files = 1 })' % d.root)
    with d:
        d.put("x.lua", "'x'")
        equal(d.fetch("own", params={"SCRIPT_FILENAME": d.root +
                                     "/x.lua"}).body, b"x")
        for text, why in (('("/", { x = 1 })', 'there is no option "x"'),
                          ("()", "root is nil"),
                          ('("/", { files = 0 })', "options.files is 0"),
                          ('("/", { revalidate = {} })',
                           "options.revalidate is a table")):
            d.write_app('return require("fpm.files")' + text, "bad.lua")
            code, _, err = tool("-t", d.dir + "/bad.lua")
            equal(code, 78, err)
            assert why in err, err
        code, _, err = tool("-t", "-i", "files", d.root)
        equal(code, 0, err)
        code, _, err = tool("-t", "-i", "files", d.root + "/none")
        equal(code, 78, err)
        matches("root: .*/none: No such file or directory", err)


@test
def limits():
    """A file that loads for too long, or takes too much memory, costs its own
    request"""
    with Site(timeouts={"request": "1s", "stop": "10s"},
              limits={"memory": "8M"}, workers={"mode": "static", "max": 1}) as d:
        d.expect("exceeds timeouts.request", "not enough memory",
                 "memory limit")
        d.put("ok.lua", "'ok'")
        d.put("late.lua", "while true do end", raw=True)
        d.put("large.lua", "local t = {} while true do t[#t + 1] = #t .. 'x' "
              "end", raw=True)
        equal(d.get("late.lua").status, 408)
        d.says("ok.lua", "ok")
        equal(d.get("large.lua").status, 500)
        until(lambda: d.get("ok.lua").body == b"ok", "it goes on")


@test
def develop():
    """In development a change is seen at once, and why a file does not load"""
    with Site(develop=True, revalidate="1h") as d:
        d.expect("boom")
        d.put("v.lua", "'one'")
        d.says("v.lua", "one")
        d.put("v.lua", "'two'")
        d.says("v.lua", "two")
        d.put("v.lua", "error('boom')", raw=True)
        r = d.get("v.lua")
        equal(r.status, 500)
        matches("v.lua:1: boom", r.body.decode())
        d.put("v.lua", "'three'")
        d.says("v.lua", "three")


run(over=BOTH)
