#!/usr/bin/env python3
"""Workers whose master was killed: gone within timeouts.stop whatever their
code does, with all that they have started; and in nobody's way meanwhile."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
LOOP = "while true do pcall(function() while true do end end) end"
APP = """local app = {}
local function hang(name)
  print(name .. " hangs")
  %s
end
function app.accept(env)
  if env.LUA then return assert(load(env.LUA))() end
  if env.QUERY_STRING == "hang" then hang("accept") end
  return {}, "x"
end
function app.restart() hang("restart") end
%s
return app
"""


def orphan(code, hook=None, stop="", within=2):
    """The master is killed while the code runs."""
    d = Daemon(app=APP % (code, stop), workers=ONE,
               timeouts={"stop": "%ds" % within}).start()
    if hook == "accept":
        c = d.connect()
        c.send(request(uri="/?hang"))
    elif hook == "restart":
        d.kill(signal.SIGHUP)
    if hook is not None:
        d.wait_log(hook + " hangs")
    began = time.monotonic()
    d.kill(signal.SIGKILL)
    equal(d.wait_exit(), -9)
    until(lambda: not session(d.pid), "no process is left")
    took = time.monotonic() - began
    assert took < within + 2 or SANITIZED, "%s: %.1f s" % (hook, took)
    d.destroy()


@test
def loops():
    """a loop of Lua code in accept, in restart, in stop"""
    orphan(LOOP, "accept")
    orphan(LOOP, "restart")
    orphan(LOOP, stop="function app.stop() hang('stop') end")


@test
def sleeps():
    """a C function that waits, and the program that it waits for; one that
    computes"""
    orphan("os.execute('exec sleep 100')", "accept")
    orphan("os.execute('sleep 100 & sleep 100')", "restart")
    orphan("string.find(string.rep('a', 60), string.rep('a?', 60) .. "
           "string.rep('a', 60))", "accept")


@test
def group():
    """what it has started goes with it, be it idle or with a request"""
    d = Daemon(workers=ONE).start()
    d.lua("os.execute('sleep 100 >&- 2>&- &') return text('x')")
    worker = d.workers()[0]
    until(lambda: any(p != worker and process_stat(p)[2] == worker
                      for p in session(d.pid) if process_stat(p)),
          "a member of its group")
    d.kill(signal.SIGKILL)
    d.wait_exit()
    until(lambda: not session(d.pid), "no process is left")
    d.destroy()


def is_listening(port):
    with open("/proc/net/tcp") as f:
        return " 0100007F:%04X 00000000:0000 0A " % port in f.read()


@test
def successor():
    """a new daemon starts at the same addresses while the old worker still
    serves, and what waited there is served too"""
    port = free_port()
    d = Daemon()
    d.set_pool("www", workers={"mode": "static", "max": 2},
               listen=[d.dir + "/www.sock", "127.0.0.1:%d" % port],
               timeouts={"stop": "30s"})
    d.start()
    d.wait_ready(2)
    gates = [d.gate() for _ in range(2)]
    busy = [Background(d.lua, g.lua + "return text('whole')") for g in gates]
    for g in gates:
        g.wait()
    waiting = [Conn(a) for a in d.pools["www"]["listen"] for _ in range(3)]
    for c in waiting:
        c.send(request(lua="return text('waited')"))
    d.kill(signal.SIGKILL)
    equal(d.wait_exit(), -9)
    old = session(d.pid)
    equal(len(old), 2)
    until(lambda: not is_listening(port), "they have let go of the sockets")
    d.start()
    equal(d.fetch().status, 200)
    equal(fetch("127.0.0.1:%d" % port).status, 200)
    for g in gates:
        g.open()
    equal([b.result().body for b in busy], [b"whole"] * 2)
    equal([c.response().body for c in waiting], [b"waited"] * 6)
    until(lambda: not any(map(alive, old)), "the old workers leave")
    equal(d.fetch().status, 200)
    d.stop()


@test
def quiet():
    """while nothing happens a worker makes no system call to find out"""
    with Daemon(workers=ONE, timeouts={"stop": "30s"}) as d:
        d.fetch()
        worker = d.workers()[0]

        def switches():
            n = 0
            for task in os.listdir("/proc/%d/task" % worker):
                with open("/proc/%d/task/%s/status" % (worker, task)) as f:
                    n += int(re.search(r"\nvoluntary\S+\s+(\d+)",
                                       f.read())[1])
            return n
        still = [(switches(), time.monotonic())]

        def rested():
            now = switches()
            if now != still[0][0]:
                still[0] = now, time.monotonic()
            return time.monotonic() - still[0][1] > 1
        until(rested, "it sleeps for a second")


run(limit=180)
