#!/usr/bin/env python3
"""Every request that began has one line of the access log, none has two, and
each line is whole: counted over mixes of all that can become of a request.
KILLS in the environment says how often a worker is killed (1000 for the full
figure, which takes minutes)."""

import json
import os
import random
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

KILLS = int(os.environ.get("KILLS", "40"))
CLIENTS = 6
# What a request asks of the application by its query, and how often.
ORDERS = {"ok": 60, "error": 4, "bad": 4, "exit": 1, "loop": 1, "cut": 4,
          "stream": 6, "body": 8, "gone": 6, "long": 4}
LONG = 100000 if PROTOCOL == FCGI else 8000  # bytes of a URI
APP = """
local began = assert(io.open("%s/rw/" .. io.open("/proc/self/stat"):read("n"),
	"a"))
began:setvbuf("no")
local function plain(...)
	return { ["Content-Type"] = "text/plain" }, ...
end
local orders = {
	error = function() error("boom") end,
	bad = function() return 5 end,
	exit = function() os.exit(3) end,
	loop = function() while true do end end,
	cut = function()
		return { ["Content-Length"] = 9 }, "short"
	end,
	stream = function()
		local n = 0
		return plain(function()
			n = n + 1
			return n < 4 and "piece" or nil
		end)
	end,
	body = function(env) return plain(env.input:read("a")) end,
}
return {
	accept = function(env)
		local id, order = env.REQUEST_URI:match("^/(%%d+)%%?(%%a+)")
		began:write(id, "\\n")
		return (orders[order] or plain)(env)
	end,
}
"""


class Mix:
    """Clients that each ask for one thing after the other, every request with
    a number of its own; `answered` are those whose response was whole."""

    def __init__(self, d, without=()):
        self.d, self.number, self.ending = d, 0, False
        self.answered, self.sent = {}, set()
        self.lock = threading.Lock()
        self.orders = [o for o, n in ORDERS.items() if o not in without
                       for _ in range(n)]
        self.threads = [threading.Thread(target=self.client, daemon=True)
                        for _ in range(CLIENTS)]
        for t in self.threads:
            t.start()

    def next(self):
        with self.lock:
            self.number += 1
            self.sent.add(self.number)
            return self.number

    def client(self):
        conn = None
        while not self.ending:
            order = random.choice(self.orders)
            keep = random.random() < 0.5
            n = self.next()
            uri = "/%d?%s" % (n, order)
            if order == "long":
                uri += "x" * LONG
            try:
                conn = conn or Conn(self.d.address())
                conn.send(request(uri=uri, keep=keep, body="x" * 5000
                                  if order == "body" else None))
                if order == "gone":
                    conn.close()
                    conn = None
                    continue
                r = conn.response()
                if r.complete:
                    self.answered[n] = r.status
                if not (keep and r.complete) or conn.closes:
                    conn.close()
                    conn = None
            except OSError:
                conn = conn and conn.close()
        if conn is not None:
            conn.close()

    def more(self, n):
        goal = self.number + n
        until(lambda: self.number >= goal, "%d more requests" % n)

    def stop(self):
        self.ending = True
        for t in self.threads:
            t.join(PATIENCE)


def read_lines(paths):
    """{number: its line}; no number may come twice."""
    found = {}
    for path in paths:
        with open(path, "rb") as f:
            text = f.read().decode()
        assert text == "" or text[-1] == "\n", text[-100:]
        for line in text.splitlines():
            got = json.loads(line)  # or it is torn
            n = int(re.match(r"/(\d+)", got["uri"])[1])
            assert n not in found, "twice: %s\n%s" % (found[n], got)
            found[n] = got
    return found


def began(files):
    """The numbers that applications have seen."""
    numbers = set()
    for name in os.listdir(files + "/rw"):
        with open(files + "/rw/" + name) as f:
            numbers |= set(map(int, f.read().split()))
    return numbers


@contextlib.contextmanager
def daemon():
    """A daemon, and a directory that outlives it with its access log."""
    files = scratch()
    d = Daemon(app=APP % files, limits={"head": "512K"},
               workers={"mode": "static", "max": 4},
               timeouts={"request": "300ms", "stop": "10s"},
               logs={"access": files + "/access.log",
                     "access_format": "json"})
    d.expect("boom", "timeouts.request", "shorter", "accept returned",
             "killed by signal 9", "exited with code 3", "connection",
             "the next worker starts", "body", "GET /", "POST /")
    try:
        with d:
            yield d, files
    finally:
        shutil.rmtree(files)


def account(d, files, mix, paths):
    """When the daemon has stopped nothing more can come."""
    mix.stop()
    d.stop()
    lines = read_lines(paths)
    seen = began(files)
    diag("%d requests sent, %d answered, %d seen by applications, %d lines, "
         "%d of them by the master" % (
             mix.number, len(mix.answered), len(seen), len(lines),
             sum(line["end"] == "killed" for line in lines.values())))
    assert len(mix.answered) > 200, "too few for a test"
    equal(set(mix.answered) - set(lines), set(), "answered, but no line")
    equal(seen - set(lines), set(), "seen by Lua, but no line")
    equal(set(lines) - mix.sent, set(), "lines of nothing")
    equal({n: (status, lines[n]["status"]) for n, status in
           mix.answered.items() if lines[n]["status"] != status}, {},
          "answered with, and logged as")
    return lines


@test
def killed():
    """workers killed at any moment, crashing, timed out: one line each"""
    with daemon() as (d, files):
        mix = Mix(d, without=("long",))
        for _ in range(KILLS):
            victim = random.choice(until(d.workers, "a worker"))
            with contextlib.suppress(ProcessLookupError):
                kill(victim, signal.SIGKILL)
            mix.more(random.randrange(1, 50))
        lines = account(d, files, mix, [files + "/access.log"])
        ends = {line["end"] for line in lines.values()}
        for end in ("ok", "error", "cut", "killed", "timeout"):
            assert end in ends, end


@test
def rotated():
    """rotations, reloads and upgrades under load, with long lines: none is
    lost and none is torn"""
    with daemon() as (d, files):
        path = files + "/access.log"
        paths = [path]
        mix = Mix(d, without=("exit",))
        for n in range(12):
            paths.append("%s.%d" % (path, n))
            os.rename(path, paths[-1])
            d.kill(signal.SIGUSR1)
            until(lambda: os.path.exists(path), "a new file")
            mix.more(60)
            if n % 4 == 3:
                d.write_app(APP % files + "-- %d\n" % n)
                d.kill(signal.SIGHUP)
                mix.more(60)
            if n % 5 == 4:
                mark = d.log_mark()
                d.kill(signal.SIGUSR2)
                d.wait_log(" upgraded from ", mark)
                d.wait_log(" ready: ", mark)
        account(d, files, mix, paths)
        for p in paths:
            assert os.path.getsize(p) > 0, "%s is empty" % p


run(limit=max(180, KILLS))
