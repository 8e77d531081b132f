#!/usr/bin/env python3
"""Timers: app.interval runs when it is due, one at a time whatever becomes of
the pool's processes, and what becomes of each run is told."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from upgraded import *

FULL = bool(os.environ.get("FULL"))
HOSTILE = os.path.join(BUILD, "tests", "hostile", "hostile.so")
ONE = {"mode": "static", "max": 1}
SHORT = "2s" if SANITIZED else "500ms"  # timeouts.request
FAR = "10d"  # a timer that is only run by hand

# Every call is a line of the file "calls".  Whoever runs says so in the file
# "holder"; who finds it full while that process lives says OVERLAP.  What a run
# does is in the file "then.lua".
APP = """
local dir = %r
local app = {}

function note(...)
	local f = assert(io.open(dir .. "/rw/calls", "a"))
	f:write(table.concat({...}, " "), "\\n")
	f:close()
end

function pid()
	return io.open("/proc/self/stat"):read("a"):match("^%%d+")
end

function gate(path)
	io.open(path .. ".in", "w"):close()
	io.open(path):close()
end

local function alive(pid)
	local f = io.open("/proc/" .. pid .. "/stat")
	local text = f and f:read("a")
	if f then f:close() end
	return text and not text:find("%%) [ZX]")
end

local function hold(text)
	local f = assert(io.open(dir .. "/rw/holder", "w"))
	f:write(text)
	f:close()
end

function app.start() note("start", pid()) end
function app.restart() note("restart", pid()) end
function app.stop() note("stop", pid()) end
function app.accept(env) return {}, "served by " .. pid() end

function app.interval(name)
	local f = io.open(dir .. "/rw/holder")
	local before = f and f:read("a") or ""
	if f then f:close() end
	if before ~= "" and alive(before) then
		note("OVERLAP", before, pid())
		error("OVERLAP " .. before .. " " .. pid())
	end
	hold(pid())
	note("begin", name, io.open("/proc/uptime"):read("n"), pid())
	local result = dofile(dir .. "/then.lua")
	note("end", name, pid())
	hold("")
	return result
end

return app
"""


def calls(d, word=None, about=None):
    """What was called so far, as lists of words."""
    with contextlib.suppress(FileNotFoundError):
        with open(d.dir + "/rw/calls") as f:
            lines = [line.split() for line in f]
        return [l for l in lines if word in (None, l[0]) and
                (about is None or about in l[1:])]
    return []


def then(d, text):
    """What a run does from now on."""
    write(d.dir + "/then.lua.new", text)
    os.rename(d.dir + "/then.lua.new", d.dir + "/then.lua")


def timer(name="t", **when):
    return {"name": name, **(when or {"every": FAR})}


def prepare(*timers, kind=Daemon, text="", **pool):
    """A daemon, not yet started, whose pool www has these timers."""
    pool.setdefault("workers", ONE)
    d = kind(timers=list(timers), **pool)
    d.write_app(APP % d.dir)
    then(d, text)
    d.top["control"] = d.dir + "/control"
    d.sockets.add(d.top["control"])
    return d


def ctl(d, *args):
    return tool("-s", d.top["control"], *args, program=LUA_FPMCTL)


def run_timer(d, name="t", pool="www"):
    """By hand, with success."""
    code, out, err = ctl(d, "run", pool, name)
    equal((code, err), (0, ""), out)
    matches(r"^pool %s: timer %s: success after \d+\.\d{3} s\n$" %
            (pool, name), out)


def asked(d, name="t"):
    """The same in the background: its result is (code, stdout, stderr)."""
    return Background(ctl, d, "run", "www", name)


def report(d, pool="www"):
    code, out, err = ctl(d, "status", pool, "--json")
    equal((code, err), (0, ""))
    return json.loads(out)["pools"][0]


def state(d, name="t"):
    return [t for t in report(d).get("timers", []) if t["name"] == name][0]


def processes(d):
    """The pids of the processes for timers."""
    return [p for p in children(d.pid) if "timers of" in command_line(p)]


def process(d):
    return until(lambda: len(processes(d)) == 1 and processes(d),
                 "there is a process for timers")[0]


def settled(d):
    """Before descriptors are counted: no process for timers."""
    d.fds_before += 20  # its channel, pipe and scoreboard


def check_calls(made, killed=False):
    """No run began before the other was over; killed ones have no end."""
    open_run = None
    for word, *rest in made:
        assert word != "OVERLAP", made
        if word == "begin":
            assert open_run is None or (killed and rest[2] != open_run[1]), \
                made
            open_run = [rest[0], rest[2]]
        elif word == "end":
            equal(rest, open_run)
            open_run = None


# ---- when, and in which process ---------------------------------------------


@test
def by_itself():
    """runs come at their time, all in one process that has called start, is no
    worker of the pool and listens to nothing; stop is called at the end"""
    d = prepare(timer("a", every="200ms"), timer("b", every="300ms"))
    with d.start():
        until(lambda: len(calls(d, "end", "a")) > 3 and
              len(calls(d, "end", "b")) > 2, "some runs")
        pid = process(d)
        worker, = d.workers("www")
        assert not listens(pid)
        seen = report(d)
        equal((seen["total processes"], seen["idle processes"]), (1, 1))
        equal(sorted(w["pid"] for w in seen["processes"]),
              sorted([pid, worker]))
        equal(d.fetch().body, b"served by %d" % worker)
        d.kill(signal.SIGTERM)
        d.ended(0)
        made = calls(d)
        d.destroy()
    check_calls(made)
    equal({c[-1] for c in made if c[0] in ("begin", "end")}, {str(pid)})
    mine = [c[0] for c in made if c[-1] == str(pid)]
    equal((mine[0], mine[-1], mine.count("start"), mine.count("stop")),
          ("start", "stop", 1, 1))


def in_zone(seconds):
    """TZ in which it will be 03:30 so soon."""
    west = (int(time.time()) + seconds - 12600) % 86400
    if west > 43200:
        west -= 86400
    return "<LOC>%s%d:%02d:%02d" % ("-" if west < 0 else "", abs(west) // 3600,
                                    abs(west) // 60 % 60, abs(west) % 60)


@test
def retires():
    """a run that asks for its process to be replaced is its last one"""
    d = prepare(timer(every="100ms"),
                text="require('fpm.worker').retire()")
    with d.start():
        ran = until(lambda: (lambda c: len(c) >= 3 and c)(calls(d, "end")))
        equal(len({pid for *_, pid in ran}), len(ran))
        check_calls(calls(d))
        then(d, "")
        settled(d)


@test
def at_a_time():
    """once at its time of the day, by local time, and not again"""
    for seconds in (2, 8, 30):
        d = prepare(timer("n", at="03:30"), timer("later", at="03:31"))
        d.write_conf()
        d.spawn(env={"TZ": in_zone(seconds)})
        d.wait_note("READY=1")
        if calls(d) or state(d, "n")["next run"] - time.time() < 60:
            break
        d.stop()  # it has taken longer to come up
    with d:
        until(lambda: calls(d, "end", "n"), "it is 03:30", 60)
        assert 0 <= time.time() - state(d, "n")["last run"] < PATIENCE
        left = state(d, "n")["next run"] - time.time()
        assert 86400 - PATIENCE < left <= 86400, left
        assert state(d, "later")["next run"] - time.time() < 60
        equal([c[1] for c in calls(d, "begin")], ["n"])
        d.fds_before = d.count_fds()


@test
def only_when_needed():
    """no process while none is due; it waits for the next run only if that comes
    soon"""
    d = prepare(timer("t", every=FAR))
    d.program = QUICK
    with d.start():
        equal(processes(d), [])
        run_timer(d)
        until(lambda: calls(d, "stop"), "it leaves")
        until(lambda: processes(d) == [], "it is gone")
        d.set_pool("www", workers=ONE, timers=[timer("t", every="5s")])
        d.write_conf()
        d.reload()  # tuned
        run_timer(d)
        run_timer(d)
        equal(len({c[-1] for c in calls(d, "begin")}), 2)
        process(d)
        settled(d)


@test
def in_the_status():
    """state, result and counts in every format, and as a table"""
    d = prepare(timer("t", every=FAR), timer("n", at="03:30"),
                status_path="/s")
    gate = d.gate()
    then(d, "gate(%r)" % gate.path)
    d.expect(r'interval\("t"\): .*then.lua:1: boom')
    with d.start():
        matches(r"(?m)^www +t +every 10d +Waiting +none +(9d23h|10d0h) +0 +0 "
                "+0$", ctl(d, "timers", "www")[1])
        thread = asked(d)
        gate.wait()
        seen = report(d)
        one, other = seen["timers"]
        pid = process(d)
        equal((one["name"], one["schedule"], one["state"], one["pid"],
               one["result"], one["runs"]),
              ("t", "every 10d", "Running", pid, "none", 0))
        equal((other["name"], other["schedule"], other["state"],
               other["last run"]), ("n", "at 03:30", "Waiting", 0))
        mine, = [w for w in seen["processes"] if w["pid"] == pid]
        equal((mine["state"], mine["request uri"]), ("Interval", "t"))
        matches(r"(?m)^www +%d +Interval .* t$" % pid, ctl(d, "workers")[1])
        gate.open()
        equal(thread.result()[0], 0)
        then(d, "error('boom')")
        equal(ctl(d, "run", "www", "t")[0], 1)
        one = state(d)
        equal((one["state"], one["pid"], one["result"], one["runs"],
               one["failures"], one["missed"]),
              ("Waiting", 0, "failed", 2, 1, 0))
        matches("then.lua:1: boom$", one["reason"])
        matches(r"(?m)^www +t +every 10d +Waiting .* failed .* 2 +1 +0$",
                ctl(d, "timers")[1])
        equal(json.loads(ctl(d, "timers", "--json")[1])["pools"][0]
              ["timers"][0]["result"], "failed")
        metrics = d.fetch(uri="/s?openmetrics").body.decode()
        for line in ('runs_total{pool="www",timer="t"} 2',
                     'failures_total{pool="www",timer="t"} 1',
                     'success{pool="www",timer="t"} 0',
                     'running{pool="www",timer="n"} 0'):
            assert "\nlua_fpm_timer_" + line + "\n" in metrics, metrics
        settled(d)


@test
def what_is_shared():
    """a run sees the pool's dictionaries, and that it is in no worker"""
    d = prepare(timer(), shared={"C": "64K"})
    d.write_app("""
        local fpm = require "fpm"
        return { accept = function() return {}, fpm.shared.C:get("seen") end,
            interval = function(name)
                fpm.shared.C:set("seen", ("%s %s %s %s"):format(name,
                    fpm.worker.pool, fpm.worker.index,
                    fpm.worker.generation))
            end }""")
    with d.start():
        run_timer(d)
        equal(d.fetch().body, b"t www nil 1")


# ---- how runs end -----------------------------------------------------------


@test
def by_hand():
    """run waits for the end and says how it ended, be it during another run;
    it does not move the times"""
    d = prepare(timer("t", every=FAR), timer("u", every=FAR),
                pools=None, workers={"mode": "ondemand", "max": 1,
                                     "idle_timeout": "100ms"})
    gate = d.gate()
    with d.start():
        until(lambda: not d.workers("www"), "no worker")
        run_timer(d)
        equal(d.workers("www"), [], "none is needed")
        due = state(d)["next run"]
        then(d, "gate(%r)" % gate.path)
        first = asked(d)
        gate.wait()
        then(d, "")
        # One more run of the same, for both who ask now, and one of another.
        more = [asked(d), asked(d), asked(d, "u")]
        equal(ctl(d, "ping")[0], 0)
        equal(len(calls(d, "begin")), 2)
        gate.open()
        for thread in [first, *more]:
            equal(thread.result()[0], 0)
        assert len(calls(d, "begin", "t")) in (3, 4), calls(d)
        equal(len(calls(d, "begin", "u")), 1)
        assert abs(state(d)["next run"] - due) <= 1
        code, out, err = ctl(d, "run", "www", "v")
        equal((code, out), (1, ""))
        matches("pool www: has no timer v: expected one of t, u$", err)
        equal(ctl(d, "run", "nope", "t")[0], 1)
        check_calls(calls(d))
        settled(d)


ENDS = {  # what a run does: how it ends, and what is said of it
    "error('no\\27[2Jdb')": ("failed", r"then.lua:1: no\\x1b\[2Jdb"),
    "while true do pcall(function() while true do end end) end":
        ("timeout", "the run exceeds timeouts.request"),
    "os.execute('sleep 100')":
        ("timeout", "the run exceeds timeouts.request and does not let itself "
         "be stopped"),
    "os.execute('kill -9 ' .. pid())":
        ("killed", r"its process was killed by signal 9"),
    "os.exit(3)": ("killed", r"its process exited with code 3"),
    "local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end":
        ("failed", "not enough memory")}


@test
def ends():
    """an error, too long in Lua, too long in C, killed, exit, out of memory:
    told, logged, and the next run succeeds"""
    d = prepare(timer(), timeouts={"request": SHORT, "stop": "10s"},
                limits={"memory": "8M"})
    d.expect(r"interval\(\"t\"\): ", "does not let itself be stopped",
             "the worker ends")
    with d.start():
        for n, (text, (result, why)) in enumerate(ENDS.items(), 1):
            then(d, text)
            mark = d.log_mark()
            code, out, err = ctl(d, "run", "www", "t")
            equal((code, out), (1, ""), err)
            matches(r"pool www: timer t: %s after \d\.\d+ s: .*%s" %
                    (result, why), err)
            seen = state(d)
            equal((seen["result"], seen["failures"]), (result, n))
            if result == "killed":
                d.wait_log(r"warning \[pool www\] \[pid \d+\] .*while it ran "
                           "the timer t", mark)
            elif why.startswith("the run"):
                d.wait_log("the run exceeds timeouts.request", mark)
            then(d, "")
            run_timer(d)
        equal(state(d)["runs"], 2 * len(ENDS))
        settled(d)


@test
def stopped_process():
    """a process that is stopped in its run is killed by the master"""
    d = prepare(timer(), timeouts={"request": SHORT, "stop": "10s"},
                text="os.execute('kill -STOP ' .. pid())")
    d.program = QUICK
    d.expect("hangs beyond timeouts.request: killed")
    with d.start():
        code, _, err = ctl(d, "run", "www", "t")
        equal(code, 1)
        matches("killed after .*its process was killed by signal 9", err)
        d.wait_log("timer t hangs beyond timeouts.request: killed")
        then(d, "")
        run_timer(d)
        settled(d)


@test
def not_at_once_again():
    """a run that was killed is not repeated before its time"""
    d = prepare(timer("t", every="3s"), timer("u", every=FAR),
                text="os.execute('kill -9 ' .. pid())")
    with d.start():
        until(lambda: len(calls(d, "begin")) == 1, "its time has come")
        until(lambda: state(d)["result"] == "killed", "it is over")
        then(d, "")
        run_timer(d, "u")  # another process is up
        until(lambda: len(calls(d, "end", "t")) == 1, "its next time")
        first, second = [float(c[2]) for c in calls(d, "begin", "t")][:2]
        assert second - first > 1, (first, second)
        settled(d)


@test
def missed():
    """times that pass during a run are made up for by one run"""
    d = prepare(timer("t", every="200ms"), text="os.execute('sleep 1.1')")
    with d.start():
        until(lambda: calls(d, "begin"), "it runs")
        then(d, "")
        until(lambda: calls(d, "end"), "it is over")
        until(lambda: len(calls(d, "end")) > 1, "one more")
        seen = until(lambda: state(d)["missed"] >= 4 and state(d), "counted")
        assert seen["missed"] <= 10 or SANITIZED, seen
        check_calls(calls(d))
        settled(d)


@test
def does_not_load():
    """no process comes up: the run by hand fails with the reason, the one that
    is due is made up for once one does"""
    d = prepare(timer("t", every="300ms"), timer("u", every=FAR))
    good = APP % d.dir
    d.program = QUICK
    d.expect("before it was ready for timers", "then.lua")
    with d.start():
        until(lambda: calls(d, "end"), "the process is up")
        pid = process(d)
        d.write_app(good.replace('note("start", pid())', "error('no db')"))
        d.expect("no db")
        kill(pid, signal.SIGKILL)
        d.wait_log(r"\[pid %d\] was killed by signal 9" % pid)
        code, _, err = ctl(d, "run", "www", "u")
        equal(code, 1)
        matches("timer u: failed after 0.000 s: .*no db", err)
        d.wait_log("exited with code 70 before it was ready for timers")
        n = len(calls(d, "begin"))
        equal(d.fetch().status, 200)
        until(lambda: time.time() > state(d)["next run"] + 1.7, "t is late")
        d.write_app(good)
        until(lambda: len(calls(d, "begin")) > n, "it runs again")
        assert state(d)["missed"] >= 1
        run_timer(d, "u")
        settled(d)


# ---- what the application must have -----------------------------------------


@test
def without_interval():
    """a pool with timers, and no interval: it does not load, at -t, at a start
    and at a reload; without timers it needs none"""
    text = "return { accept = function() return {}, 'x' end%s }"
    d = Daemon(workers=ONE)
    d.write_app(text % "")
    d.expect("reload refused", "interval is ", "before it was ready",
             "the old ones stay")
    says = ("app.lua: interval is nil, expected a function, since the pool "
            "has timers")
    with d.start():
        old = d.workers()
        d.set_pool("www", workers=ONE, timers=[timer()])
        d.write_conf()
        code, out, err = tool("-t", "-c", d.file)
        equal(code, 78)
        matches("pool www: .*" + says, err)
        mark = d.log_mark()
        d.reload()
        d.wait_log("the old ones stay: .*" + says, mark)
        equal(d.workers(), old)
        d.write_app(text % ", interval = 5")
        code, out, err = tool("-t", "-c", d.file)
        matches("interval is a number, expected a function", err)
        d.write_app(text % ", interval = print")
        equal(tool("-t", "-c", d.file)[0], 0)
        d.reload()
        assert d.workers() != old, "replaced: nobody asked for interval before"
        settled(d)  # and for its scoreboard


# ---- over reloads and upgrades ----------------------------------------------


@test
def a_reload_in_place():
    """HUP: restart is called in the process for timers too, between two runs;
    timers are tuned without a new worker"""
    d = prepare(timer(), timer("u", every="50s"))
    gate = d.gate()
    then(d, "gate(%r)" % gate.path)
    with d.start():
        thread = asked(d)
        gate.wait()
        pid, workers = process(d), d.workers("www")
        d.pools["www"]["timers"] = [timer("u", every="50s"),
                                    timer("t", every="9d")]
        d.write_conf()
        mark = d.log_mark()
        d.kill(signal.SIGHUP)
        d.wait_log(" ready: ", mark)
        equal(d.workers("www"), workers)
        equal(calls(d, "restart", str(pid)), [])
        equal([t["schedule"] for t in report(d)["timers"]],
              ["every 9d", "every 50s"])
        gate.open()
        equal(thread.result()[0], 0)
        until(lambda: calls(d, "restart", str(pid)), "restart is called")
        then(d, "")
        run_timer(d, "u")
        equal(state(d)["runs"], 1)
        d.pools["www"]["timers"] = [timer("u", at="03:30")]
        d.write_conf()
        d.reload()
        equal(ctl(d, "run", "www", "t")[0], 1)
        equal([t["runs"] for t in report(d)["timers"]], [1])
        d.pools["www"]["timers"] = []
        d.write_conf()
        d.reload()
        assert "timers" not in report(d)
        until(lambda: processes(d) == [], "it has nothing to do")
        matches("pool www: has no timers", ctl(d, "run", "www", "u")[2])


def successor(d, change):
    """During a run, do what brings new workers: the run ends in its process
    before the new generation's begins."""
    gate, second = d.gate(), d.gate()
    then(d, "gate(%r)" % gate.path)
    runs = state(d)["runs"]
    thread = asked(d)
    gate.wait()
    pid, old = process(d), d.workers("www")
    then(d, "gate(%r)" % second.path)
    change()
    until(lambda: d.workers("www") and not set(d.workers("www")) & set(old),
          "new workers")
    next = asked(d)
    # A second run is asked for, while the first goes on under its old process.
    for _ in range(3):
        equal(d.fetch().status, 200)
        equal(ctl(d, "ping")[0], 0)
    equal(processes(d), [pid])
    assert not second.is_held()
    gate.open()
    second.wait()
    assert process(d) != pid
    equal(state(d)["state"], "Running")
    second.open()
    equal([t.result()[0] for t in (thread, next)], [0, 0])
    equal(state(d)["runs"], runs + 2)
    then(d, "")
    check_calls(calls(d))


@test
def a_replacing_reload():
    """the old generation's run ends before the new one's begins; counts and
    times go on"""
    d = prepare(timer())

    def change():
        d.pools["www"]["umask"] = "0027"
        d.write_conf()
        d.reload()

    with d.start():
        due = state(d)["next run"]
        successor(d, change)
        assert abs(state(d)["next run"] - due) <= 1
        d.pools["www"]["umask"] = "0022"
        d.pools["www"]["timers"] = [timer("new"), timer()]
        d.write_conf()
        d.reload()
        equal([t["runs"] for t in report(d)["timers"]], [2, 0])
        settled(d)


@test
def an_upgrade():
    """USR2, to the same build and to another: the run goes on in its process,
    who waits for it is told, and only then comes the next"""
    d = prepare(timer(), kind=Upgraded)

    def change(program):
        install(program, d.program)
        mark = d.log_mark()
        d.kill(signal.SIGUSR2)
        d.wait_log(" upgraded from ", mark)
        d.wait_log(" ready: ", mark)

    with d.start():
        due = state(d)["next run"]
        for program in (LUA_FPM, NEXT, LUA_FPM):
            successor(d, lambda: change(program))
            assert abs(state(d)["next run"] - due) <= 1
        equal(state(d)["runs"], 6)
        settled(d)


@test
def dropped_and_back():
    """a pool that is dropped and comes back while its old run goes on: the new
    one waits for its end"""
    d = prepare(timer())
    d.set_pool("b", workers=ONE, app=d.dir + "/b.lua")
    d.write_app("return { accept = function() return {}, 'b' end }", "b.lua")

    def change():
        keys = d.pools["www"]
        for pools in ({"b": d.pools["b"]}, {"b": d.pools["b"], "www": keys}):
            d.pools = pools
            d.write_conf()
            d.reload()

    with d.start():
        gate = d.gate()
        then(d, "gate(%r)" % gate.path)
        thread = asked(d)
        gate.wait()
        pid = process(d)
        change()
        then(d, "")
        next = asked(d)
        equal(d.fetch().status, 200)
        equal(processes(d), [pid])
        equal(len(calls(d, "begin")), 1)
        gate.open()
        equal(thread.result()[0], 0)
        equal(next.result()[0], 0)
        check_calls(calls(d))
        equal(ctl(d, "drain", "www")[0], 0)
        matches("pool www: is not in service", ctl(d, "run", "www", "t")[2])
        equal(ctl(d, "resume", "www")[0], 0)
        run_timer(d)
        settled(d)


@test
def storm():
    """processes are killed and the pool is reloaded all the time: never two
    runs at a time, and each is counted once"""
    d = prepare(timer("a", every="100ms"), timer("b", every="100ms"),
                timer("c", every=FAR),
                text="for i = 1, 3e5 do end")
    kills = 1000 if FULL else 25
    d.program = QUICK
    with d.start():
        for i in range(kills):
            n = len(calls(d, "begin"))
            until(lambda: len(calls(d, "begin")) > n, "a run")
            for pid in processes(d):
                kill(pid, signal.SIGKILL)
            if i % 8 == 3:
                d.pools["www"]["umask"] = "%04o" % (0o20 + i % 7)
                d.write_conf()
                d.kill(signal.SIGHUP)
        # The last one killed may get a run before the master knows.
        until(lambda: ctl(d, "run", "www", "c")[0] == 0, "a run ends well")
        check_calls(calls(d), killed=True)
        d.pools["www"]["timers"] = [timer("a", every=FAR),
                                    timer("b", every=FAR), timer("c")]
        d.write_conf()
        d.reload()
        run_timer(d, "c")  # whatever ran is over
        seen = {t["name"]: t for t in report(d)["timers"]}
        for name in "abc":
            begun = len(calls(d, "begin", name))
            # One that was killed before it could say that it begins has run
            # too; one that was after it could say that it ends has failed.
            assert begun <= seen[name]["runs"] <= begun + kills, (name, seen)
            ends = len(calls(d, "end", name))
            good = seen[name]["runs"] - seen[name]["failures"]
            assert ends - kills <= good <= ends, (name, seen)
        settled(d)


# ---- the end ----------------------------------------------------------------


@test
def stop_meanwhile():
    """TERM: a run may end, and stop is called; what does not end within
    timeouts.stop is killed"""
    for stop, opens in (("10s", True), ("300ms", False)):
        d = prepare(timer(), timeouts={"stop": stop})
        gate = d.gate()
        then(d, "gate(%r)" % gate.path)
        d.start()
        thread = asked(d)
        gate.wait()
        pid = process(d)
        d.kill(signal.SIGTERM)
        d.wait_log("stopping")
        if opens:
            gate.open()
        d.ended(0)
        equal(len(calls(d, "end")), opens)
        equal(len(calls(d, "stop", str(pid))), opens)
        if not opens:
            matches(r"\[pid %d\] does not leave in time: killed" % pid,
                    d.read_log())
        equal(thread.result()[0], 1)
        d.destroy()


@test
def master_killed():
    """the master is killed: the run ends, the process leaves"""
    d = prepare(timer())
    gate = d.gate()
    then(d, "gate(%r)" % gate.path)
    d.start()
    thread = asked(d)
    gate.wait()
    pid = process(d)
    d.kill(signal.SIGKILL)
    d.wait_exit()
    gate.open()
    until(lambda: not alive(pid), "it leaves")
    equal([c[0] for c in calls(d, about=str(pid))],
          ["start", "begin", "end", "stop"])
    thread.result()
    d.destroy()


# ---- hostile ----------------------------------------------------------------


@test
def words():
    """what it says out of turn changes nothing: the ends of runs that none has
    begun, words of workers, long reasons"""
    if not ROOT:
        raise Skip("not root")
    d = prepare(timer(), timer("u", every="40s"))
    shutil.copy(HOSTILE, d.dir)
    d.expect("then.lua")
    with d.start():
        run_timer(d, "u")
        fd = channel(d, process(d))
        then(d, "local say = assert(package.loadlib(%r, 'luaopen_hostile'))()"
             ".say for _, w in ipairs { 'R', 'N', 'P', 'C', 'Q', 'H', 'D', "
             "'U', 'S', 'T', 'i' .. ('x\\27'):rep(100), 'I', 'j', 'I' } do "
             "say(%d, w, 0) end" % (d.dir + "/hostile.so", fd))
        code, _, err = ctl(d, "run", "www", "t")
        equal(code, 1)
        matches(r"timer t: failed .*: x\\x1bx\\x1b", err)
        then(d, "")
        until(lambda: state(d)["state"] == "Waiting", "its run is over")
        run_timer(d, "u")
        equal([state(d, n)["runs"] for n in "tu"], [1, 2])
        equal([state(d, n)["failures"] for n in "tu"], [1, 0])
        settled(d)


run(240)
