#!/usr/bin/env python3
"""The slow log: what takes longer than timeouts.slow is in it, with the place
where its code is, and the application does not notice."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
APP = r"""
local app = {}
local function exists(path)
  local f = io.open(path)
  return f and f:close()                            --@exists
end
local function spin(path)
  while not exists(path) do end                     --@spin
end
local places = {
  loop = function(path) spin(path) end,             --@loop
  pcall = function(path) pcall(spin, path) end,     --@pcall
  tail = function(path) return spin(path) end,
  coroutine = function(path)
    local inner = coroutine.create(function()
      spin(path)                                    --@inner
    end)
    local outer = coroutine.wrap(function()
      coroutine.resume(inner)                       --@resume
    end)
    outer()                                         --@wrap
  end,
  execute = function(path)
    os.execute("while ! test -e " .. path .. "; do sleep 0.01; done") --@execute
  end,
  compute = function(path)
    local c = { compute = assert(package.loadlib("MODULE", "compute")) }
    c.compute(path)                                 --@compute
  end,
  hang = function(path)
    string.find(string.rep("a", 60), string.rep("a?", 60) .. string.rep("a", 60))
  end,
  fail = function(path) spin(path) error("failed") end, --@fail
  twice = function(path)
    local t = os.clock()
    while os.clock() < t + 1 do end
  end,
  deep = function(path)
    local function f(n)
      if n == 0 then spin(path) else f(n - 1) end return 1
    end
    f(150)
  end,
  command = function(path)
    local f = io.popen("while ! test -e " .. path .. "; do sleep 0.01; done; printf here")
    local text = f:read("a")
    f:close()
    local t = table.pack(os.execute("exit 7"))
    return tostring(t[1]) .. " " .. t[2] .. " " .. t[3] .. " read: " .. text
  end,
  body = function(path)
    local n = 0
    return function()
      n = n + 1
      if n == 2 then spin(path) end                 --@body
      return n < 4 and "piece " or nil
    end
  end,
}
function app.accept(env)
  if env.QUERY_STRING == "upload" then
    return {}, tostring(#env.input:read("a"))       --@upload
  end
  local what, path = env.QUERY_STRING:match("^(%w+)=(.*)$")
  local body = what and places[what](path)          --@call
  return { ["Content-Type"] = "text/plain" }, body or "done " .. tostring(what)
end
return app
"""
# A C function that ends when the file is there, and not before.
MODULE = r"""
#include <unistd.h>

int
compute(lua_State *L)
{
	while (access(luaL_checkstring(L, 1), F_OK) == -1)
		;
	return 0;
}
"""
LINE = {m[1]: n for n, line in enumerate(APP.splitlines(), 1)
        for m in [re.search(r"--@(\w+)", line)] if m}
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"
FRAMES = r"(?P<frames>(\t.*\n)+)"


class Slow(Daemon):
    """A pool whose requests are slow after 200 ms."""

    def __init__(self, timeouts=None, logs=None, top=None, **pool):
        super().__init__(APP, top=top)
        self.slow = self.dir + "/slow.log"
        self.set_pool("www", timeouts={"stop": "10s", "slow": "200ms",
                                       **(timeouts or {})},
                      logs=logs or {"slow": self.slow},
                      **{"workers": ONE, **pool})
        self.marks = 0

    def read_slow(self, path=None):
        with contextlib.suppress(FileNotFoundError):
            with open(path or self.slow, "rb") as f:
                return f.read().decode()
        return ""

    def wait_slow(self, regex, since=0):
        pattern = re.compile(regex, re.M)
        return until(lambda: pattern.search(self.read_slow(), since),
                     "%r in the slow log" % regex)

    def mark(self):
        """The path of a file that lets one pass."""
        self.marks += 1
        return "%s/rw/mark%d" % (self.dir, self.marks)

    def wait_entry(self, uri, since=0):
        return self.wait_slow(
            r"^%s \[pool www\] \[pid (?P<pid>\d+)\] \[request (?P<id>\S+)\] "
            r"has been running for (?P<time>\d+\.\d{3}) s: GET %s\n"
            r"\tscript %s/app\.lua\n%s" % (TIME, re.escape(uri),
                                           re.escape(self.dir), FRAMES),
            since)

    def wait_end(self, entry, uri, status, since=0):
        end = self.wait_slow(
            r"^%s \[pool www\] \[pid %s\] \[request %s\] took "
            r"(?P<time>\d+\.\d{3}) s, status %d: GET %s\n" % (
                TIME, entry["pid"], re.escape(entry["id"]), status,
                re.escape(uri)), since)
        assert float(end["time"]) >= float(entry["time"]), end[0]

    def inspect(self, what, status=200, depth=None):
        """One slow request: its frames, and its response."""
        since, mark = len(self.read_slow()), self.mark()
        uri = "/%s?%s=%s" % (what, what, mark)
        asked = Background(self.fetch, uri=uri)
        entry = self.wait_entry(uri, since)
        assert 0.2 <= float(entry["time"]) < 5, entry[0]
        equal(self.workers(), [int(entry["pid"])])
        with open(mark, "w"):
            pass
        response = asked.result()
        equal(response.status, status)
        self.wait_end(entry, uri, status, since)
        return (entry["frames"].replace(self.dir, "DIR").rstrip("\n")
                .lstrip("\t").split("\n\t")), response


def frames(*places):
    """A regular expression: these lines of the application, in order."""
    return r"\n".join(r"\[C\]: in (field|method|global|local|function)? ?%s"
                      % place if isinstance(place, str) else
                      r"DIR/app\.lua:%d: in \S.*" % place
                      for place in places)


@test
def places():
    """each has an entry with every frame, and a line when it has ended"""
    spin = r"(\[C\]: .*\n)?(DIR/app\.lua:(%d|%d): .*\n)?%s" % (
        LINE["exists"] - 1, LINE["exists"], frames(LINE["spin"]))
    inside = frames(LINE["call"], r"\?") + "$"
    with Slow() as d:
        for what, between in {
            "loop": spin + "\n" + frames(LINE["loop"]),
            "pcall": spin + "\n" + frames("'pcall'", LINE["pcall"]),
            "coroutine": "\n".join((spin, frames(
                LINE["inner"], "'resume'", LINE["resume"], "'outer'",
                LINE["wrap"]))),
            "execute": frames("'execute'", LINE["execute"]),
            "tail": spin + r" \(after tail calls\)",
        }.items():
            got, response = d.inspect(what)
            equal(response.body, b"done " + what.encode())
            matches("^" + between + "\n" + inside, "\n".join(got), what)


@test
def computing():
    """a C function that computes, and executes no instruction of Lua"""
    d = Slow()
    d.write_app(APP.replace("MODULE", c_module(d.dir, MODULE)))
    with d:
        got, response = d.inspect("compute")
        equal(response.body, b"done compute")
        matches("^" + frames("'compute'", LINE["compute"], LINE["call"],
                             r"\?") + "$", "\n".join(got))


@test
def streamed():
    """a body function, and what the application calls is not disturbed"""
    with Slow() as d:
        got, response = d.inspect("body")
        matches(frames(LINE["body"], r"\?") + "$", "\n".join(got))
        equal(response.body, b"piece piece piece ")
        equal(d.inspect("command")[1].body, b"nil exit 7 read: here")


@test
def reading():
    """a request that waits for its body"""
    with Slow(**STREAMED) as d, d.connect() as c:
        c.send(head("POST", "/?upload", body=b"x" * 10))
        entry = d.wait_slow(r"POST /\?upload\n\tscript .*\n" + FRAMES)
        matches(r"\[C\]: in method 'read'\n\t.*app\.lua:%d:" % LINE["upload"],
                entry["frames"])
        c.send(part(b"x" * 10, end=True))
        equal(c.response().body, b"10")
        d.wait_slow(r"took .* status 200: POST /\?upload")


@test
def failed():
    """one that fails in the end, and one that exceeds timeouts.request in Lua
    or in C: the second line has the status that the client got"""
    with Slow() as d:
        d.expect("failed")
        got, _ = d.inspect("fail", 500)
        matches(r"app\.lua:%d: in " % LINE["fail"], "\n".join(got))
    with Slow(timeouts={"request": "500ms"}, timeout_status=504) as d:
        d.expect("timeouts.request")
        for what in ("loop", "hang"):
            since = len(d.read_slow())
            uri = "/%s?%s=%s" % (what, what, d.mark())
            equal(d.fetch(uri=uri).status, 504)
            d.wait_end(d.wait_entry(uri, since), uri, 504, since)
        d.wait_workers(1)


@test
def quick():
    """quick requests leave no trace, slow ones one entry however slow; the
    status has their number"""
    with Slow(status_path="/status", timeouts={"slow": "600ms"}) as d:
        for _ in range(50):
            equal(d.fetch(uri="/?no").body, b"done nil")
        d.inspect("loop")
        for _ in range(50):
            equal(d.fetch(uri="/?no").body, b"done nil")
        since = len(d.read_slow())
        d.inspect("twice")  # for longer than it takes to look again
        equal(len(re.findall("has been", d.read_slow()[since:])), 1)
        equal(len(re.findall(r"^\d", d.read_slow(), re.M)), 4)
        equal(json.loads(d.fetch(uri="/status?json").body)["slow requests"], 2)


@test
def depth():
    """logs.slow_depth bounds the frames"""
    with Slow() as d:
        old = d.workers()
        d.pools["www"]["logs"]["slow_depth"] = 5
        d.write_conf()
        d.reload()
        until(lambda: not set(old) & set(d.workers()), "a new worker")
        got, _ = d.inspect("deep")
        equal((len(got), got[5]), (6, "..."))
        matches(r"^.*'f'$", got[4])


@test(over=FCGI, because="no target of HTTP has such bytes")
def hostile():
    """what a request brings cannot forge a line"""
    with Slow() as d:
        mark = d.mark()
        uri = b"/\n2026-01-01 forged\x1b[31m\r\t" + b"u" * 3000 + b"\xff"
        asked = Background(d.fetch, params={
            "QUERY_STRING": "loop=" + mark, "REQUEST_URI": uri,
            "SCRIPT_FILENAME": b"/s\n\x00\xc2\x9b"})
        entry = d.wait_slow(r"has been running .* s: GET (.*)\n"
                            r"\tscript (.*)\n")
        matches(r"^/\\n2026-01-01 forged\\x1b\[31m\\r\\tu{2000,2040}$",
                entry[1])
        equal(entry[2], r"/s\n\x00\xc2\x9b")
        with open(mark, "w"):
            pass
        equal(asked.result().status, 200)
        d.wait_slow("took")
        for line in d.read_slow().splitlines():
            matches(r"^(%s \[pool www\] |\t)" % TIME, line)


@test
def rotated():
    """USR1 opens the file anew, for workers that could not"""
    with Slow() as d:
        d.inspect("loop")
        equal(file_mode(d.slow), 0o640)
        os.rename(d.slow, d.slow + ".1")
        before = d.read_slow(d.slow + ".1")
        d.kill(signal.SIGUSR1)
        until(lambda: os.path.exists(d.slow), "it is opened anew")
        until(lambda: d.slow in [link for _, link in fds(d.workers()[0])],
              "the worker has it")
        d.inspect("execute")
        equal(d.read_slow(d.slow + ".1"), before)


@test
def elsewhere():
    """without logs.slow the error log has it, with "" nobody"""
    with Slow(logs={"slow_depth": 9}) as d:
        for what in ("loop", "execute"):
            mark = d.mark()
            asked = Background(d.fetch, uri="/?%s=%s" % (what, mark))
            d.wait_log(r"\[pool www\] \[pid %d\] \[request \S+\] has been "
                       r"running for 0\.\d+ s: GET /\?%s=" % (
                           d.workers()[0], what))
            d.wait_log(r"\[pool www\] .*app\.lua:%d: in " % LINE["call"])
            with open(mark, "w"):
                pass
            asked.result()
            d.wait_log(r"took .* status 200: GET /\?%s=" % what)
    with Slow(logs={"slow": ""}) as d:
        equal(d.fetch(uri="/?twice=").status, 200)
        assert "has been running" not in d.read_log(), d.read_log()


@test
def refused():
    """limits that cannot hold are faults"""
    d = Slow(timeouts={"slow": "50ms", "request": "10s"})
    d.write_conf()
    done = tool("-t", "-c", d.file)
    equal(done[0], 78)
    matches(r"timeouts\.slow is below 100ms", done[2])
    d.set_pool("www", timeouts={"slow": "10s", "request": "10s"})
    d.write_conf()
    matches(r"timeouts\.slow is not below timeouts\.request",
            tool("-t", "-c", d.file)[2])
    d.destroy()


run(limit=120)
