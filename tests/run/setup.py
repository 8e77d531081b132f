#!/usr/bin/env python3
"""app.setup runs once for each generation of a pool, in a process of its own,
before any worker starts; its failure is that of the generation."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from upgraded import *

HOSTILE = os.path.join(BUILD, "tests", "hostile", "hostile.so")
ONE = {"mode": "static", "max": 1}
FOUR = {"mode": "static", "max": 4}
EIGHT = {"mode": "static", "max": 8}

# What happens is appended to a file, one line each; setup goes on to do what
# the file "then" says.
APP = """
local dir = %r
local app, seen = {}, {}

function note(text)
	local f = assert(io.open(dir .. "/rw/order", "a"))
	f:write(text, "\\n")
	f:close()
end

function pid()
	return io.open("/proc/self/stat"):read("a"):match("^%%d+")
end

-- Say that we are here, and wait until the test opens the FIFO.
function gate(path)
	io.open(path .. ".in", "w"):close()
	io.open(path):close()
end

function app.setup()
	seen[1] = "a setup"
	note("setup " .. pid())
	return dofile(dir .. "/then.lua")
end

function app.start()
	note("start")
	seen[#seen + 1] = "a start"
end

function app.restart() end

function app.accept(env)
	local code = (env.LUA or env.HTTP_X_LUA) or "return {}, table.concat(...)"
	return assert(load(code))(seen)
end

return app
"""


def order(d):
    """What has happened so far, without the pids."""
    with contextlib.suppress(FileNotFoundError):
        with open(d.dir + "/rw/order") as f:
            return [line.split()[0] for line in f]
    return []


def setups(d):
    return order(d).count("setup")


def then(d, text):
    """What setup does from now on, be it called at this moment."""
    write(d.dir + "/then.lua.new", text)
    os.rename(d.dir + "/then.lua.new", d.dir + "/then.lua")


def prepare(kind=Daemon, text="", **how):
    """A daemon, not yet started, whose pools all have APP."""
    d = kind(**how)
    d.write_app(APP % d.dir)
    then(d, text)
    d.top["control"] = d.dir + "/control"
    d.sockets.add(d.top["control"])
    return d


def ctl(d, *args):
    return tool("-s", d.top["control"], *args, program=LUA_FPMCTL)


def runs(d):
    """The pid of the process that is in setup."""
    text = until(lambda: os.path.exists(d.dir + "/rw/order") and
                 open(d.dir + "/rw/order").read(), "setup begins")
    return int(re.findall(r"setup (\d+)\n", text)[-1])


def comes_up(d, before, n=4):
    """One more setup than there were, and then n starts."""
    until(lambda: len(order(d)) == len(before) + 1 + n, "all have started")
    equal(order(d), before + ["setup"] + ["start"] * n)


# ---- once, and before -------------------------------------------------------


@test
def once_and_before():
    """eight workers: one setup, ended before the first start, and nothing of
    its Lua state is seen by a worker"""
    d = prepare(text="os.execute('sleep 0.2') note('done')", workers=EIGHT)
    with d.start():
        d.wait_ready(8)
        equal(order(d), ["setup", "done"] + ["start"] * 8)
        for _ in range(8):
            equal(d.fetch().body, b"a start")
        assert not alive(runs(d))
        d.wait_log(r"notice \[pool www\] \[pid %d\] calls setup" % runs(d))
        d.wait_log(r"notice \[pool www\] \[pid %d\] setup is done, after "
                   r"\d+ ms" % runs(d))


@test
def without_one():
    """without a setup the first process is the first worker, and the others
    are forked by the time that the daemon is ready"""
    for _ in range(10):
        with Daemon(workers={**FOUR, "loading": 8}) as d:
            equal(len(d.workers()), 4)
            assert "setup" not in d.read_log()


@test
def race():
    """four workers that need a table, which can be made once only: made in
    setup, no worker fails"""
    d = prepare(workers=FOUR)
    d.write_app("""
        local app = { accept = function() return {}, "row" end }
        function app.setup() assert(os.execute("mkdir %s/rw/table")) end
        function app.start() assert(io.open("%s/rw/table/row", "a")) end
        return app""" % (d.dir, d.dir))
    with d.start():
        d.wait_ready(4)
        equal(d.fetch().body, b"row")
        assert "before it was ready" not in d.read_log()


@test
def once_for_a_generation():
    """again with a reload that replaces, resume and USR2; not with -t, a HUP
    in place, a worker that dies or is succeeded, scale"""
    d = prepare(Upgraded, workers={**FOUR, "max_requests": 50})
    with d.start():
        d.wait_ready(4)
        seen = order(d)
        equal(seen, ["setup"] + ["start"] * 4)

        equal(tool("-t", "-c", d.file)[0], 0)
        equal(order(d), seen, "-t")
        d.reload()
        equal(order(d), seen, "a HUP in place")
        kill(d.workers()[0], signal.SIGKILL)
        until(lambda: len(order(d)) == len(seen) + 1, "it is replaced")
        d.wait_ready(4)
        equal(ctl(d, "scale", "www", "5")[0], 0)
        d.wait_ready(5)
        seen += ["start"] * 2
        equal(order(d), seen, "a worker more")
        old = d.workers()
        until(lambda: d.fetch() and order(d).count("start") > 7,
              "one is succeeded")
        until(lambda: set(old) - set(d.workers()), "one is gone")
        equal(setups(d), 1)

        d.pools["www"]["workers"] = FOUR
        d.write_conf()
        d.reload()
        equal(setups(d), 2, "replaced")
        d.wait_ready(4)
        seen = order(d)
        equal(ctl(d, "drain", "www")[0], 0)
        until(lambda: not d.workers("www"), "out of service")
        equal(ctl(d, "resume", "www")[0], 0)
        comes_up(d, seen)
        d.wait_ready(4)
        seen = order(d)
        d.usr2()
        comes_up(d, seen)
        equal(d.fetch().body, b"a start")


@test
def ondemand():
    """a pool whose workers come with the clients is set up at the start, once
    for all"""
    d = prepare(workers={"mode": "ondemand", "max": 4,
                         "idle_timeout": "100ms"})
    with d.start():
        until(lambda: not d.workers("www"), "nobody is idle")
        equal(setups(d), 1)
        for _ in range(3):
            equal(d.fetch().body, b"a start")
            until(lambda: not d.workers("www"), "nobody is idle again")
        equal(setups(d), 1)


@test
def as_a_worker():
    """user, environment, package.path and directory are those of a worker"""
    what = """
        local f = assert(io.open(%r, "a"))
        f:write(os.getenv("APP_ENV"), " ", tostring(os.getenv("HOME")), " ",
            require("views"), " ", package.path, " ",
            io.popen("id -u; pwd; umask; ulimit -n"):read("a"))
        f:close()"""
    d = prepare(workers=ONE, environment={"APP_ENV": "production"},
                umask="0027", directory="/usr", limits={"files": 200})
    d.write_app("return 'beside'", "views.lua")
    then(d, what % (d.dir + "/rw/setup"))
    d.write_app(what % (d.dir + "/rw/worker"), "worker.lua")
    with d.start():
        d.lua("dofile(%r) return {}" % (d.dir + "/worker.lua"))
        text = open(d.dir + "/rw/setup").read()
        equal(open(d.dir + "/rw/worker").read(), text)
        matches(r"^production \S+ beside %s/\?\.lua;" % d.dir, text)
        if ROOT:
            equal(os.stat(d.dir + "/rw/setup").st_uid,
                  pwd.getpwnam(pool_user()).pw_uid)


@test
def chroot():
    """in the root directory of the pool"""
    if not ROOT:
        raise Skip("not root")
    d = prepare(workers=ONE)
    d.set_pool("www", workers=ONE, chroot=d.dir, app="/app.lua")
    d.write_app("""return { setup = function()
        io.open("/rw/here", "w"):write("x"):close() end,
        accept = function() return {}, "jailed" end }""")
    with d.start(env=NO_LEAK_SEARCH):
        assert os.path.exists(d.dir + "/rw/here")
        equal(d.fetch().body, b"jailed")


@test
def process_max():
    """it leaves its place under process_max to the workers"""
    d = prepare(workers=FOUR, top={"process_max": 4})
    with d.start():
        d.wait_ready(4)
        equal(order(d), ["setup"] + ["start"] * 4)
        assert "process_max" not in d.read_log()


@test
def one_slow():
    """two pools, one in a long setup: the other serves, the first accepts
    nothing, and lua-fpmctl shows one process that starts"""
    d = prepare(pools={"slow": {"workers": FOUR}, "b": {"workers": ONE}})
    d.write_app("return { accept = function() return {}, 'b' end }", "b.lua")
    d.pools["b"]["app"] = d.dir + "/b.lua"
    gate = d.gate()
    then(d, "gate(%r)" % gate.path)
    d.write_conf()
    with d.spawn():
        gate.wait()
        until(lambda: b"b" == d.fetch("b").body, "the other serves")
        waiting = d.connect("slow")
        waiting.send(request())
        equal(len(d.workers("slow")), 1)
        code, out, err = ctl(d, "workers", "slow")
        matches(r"(?m)^slow +%d +Starting " % runs(d), out)
        assert " ready: " not in d.read_log()
        equal(order(d), ["setup"])
        gate.open()
        d.wait_note("READY=1")
        equal(waiting.response().body, b"a start")
        waiting.close()
        d.wait_ready(4, "slow")
        equal(order(d), ["setup"] + ["start"] * 4)


@test
def without_a_file():
    """-l and -n: once, as in any pool; one worker without a master: never"""
    d = prepare()
    address = d.dir + "/www.sock"
    d.top["pid_file"] = d.dir + "/none"
    d.spawn(["-l", spelt(address), "-n", "3",
             *(["-u", pool_user()] if ROOT else []), d.dir + "/app.lua"])
    d.wait_note("READY=1")
    until(lambda: len(order(d)) == 4, "all are there")
    equal(order(d), ["setup"] + ["start"] * 3)
    d.stop(leaks=False)

    d = prepare()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(d.dir + "/www.sock")
        s.listen(8)
        alone = subprocess.Popen([LUA_FPM, d.dir + "/app.lua"], stdin=s,
                                 stderr=subprocess.DEVNULL)
    try:
        equal(fetch("fcgi:%s/www.sock" % d.dir).body, b"a start")
        equal(order(d), ["start"])
        alone.terminate()
        equal(alone.wait(PATIENCE), 0)
    finally:
        alone.kill()
        d.destroy()


@test
def no_function():
    """a setup that is no function: -t and a start say so"""
    d = prepare(workers=ONE)
    d.write_app("return { setup = 1, accept = print }")
    d.write_conf()
    code, _, err = tool("-t", "-c", d.file)
    equal(code, 78)
    matches("app.lua: setup is a number, expected a function", err)
    d.destroy()


# ---- failures ---------------------------------------------------------------

# What setup does -> what the log says of it, and what lua-fpmctl does.
FAILURES = {
    "error('no database')": (
        r"app.lua: setup: \S*then.lua:1: no database(\\n|\n)stack traceback:",
        r"then.lua:1: no database"),
    "return 3": ("app.lua: setup returned 3: leaving with it",) * 2,
    "return 'done'": ("app.lua: setup returned a string, expected nothing or "
                      "an integer",) * 2,
    "while true do end": ("setup: .*setup exceeds timeouts.start",
                          "setup exceeds timeouts.start"),
    "os.exit(0)": ("exited with code 0 before it was ready",) * 2,
    "os.execute('kill -9 ' .. pid())": (
        r"was killed by signal 9 \(Killed\) before it was ready",) * 2,
}
SAYS = ("app.lua: setup", "before it was ready", "do not come up", "refused",
        "then.lua", "what was in force stays", "no worker comes up")


@test
def fails_at_the_start():
    """whatever way it fails at a start: no worker starts, it is tried again,
    and once it has succeeded never again"""
    d = prepare(pools={"www": {"workers": FOUR,
                               "timeouts": {"start": "1s", "stop": "10s"}},
                       "b": {"workers": ONE}})
    d.program = QUICK
    d.write_app("return { accept = function() return {}, 'b' end }", "b.lua")
    d.pools["b"]["app"] = d.dir + "/b.lua"
    d.expect(*SAYS)
    ways = list(FAILURES)
    then(d, ways[0])
    with d.start():
        for text in ways:
            then(d, text)
            d.wait_log("(?m)^\\S+ error \\[pool www\\] .*" + FAILURES[text][0])
        d.wait_log(r"pool www: \d+ failures in a row, the next worker")
        equal(set(order(d)), {"setup"})
        equal(d.fetch("b").body, b"b")
        then(d, "")
        until(lambda: order(d).count("start") == 4, "it is tried again")
        equal(order(d)[-5:], ["setup"] + ["start"] * 4)
        before = setups(d)
        d.wait_ready(4, "www")
        kill(d.workers("www")[0], signal.SIGKILL)
        until(lambda: order(d).count("start") == 5, "it is replaced")
        equal(setups(d), before)
        equal(d.fetch().body, b"a start")
        d.fds_before = d.count_fds()


@test
def nothing_else_comes_up():
    """the only pool fails in setup: the daemon gives up with 70"""
    d = prepare(text="error('no database')", workers=FOUR)
    d.write_conf()
    d.spawn()
    d.ended(70)
    equal(order(d), ["setup"])
    equal(d.read_log().count("before it was ready"), 1)
    matches("no pool came up", d.read_log())
    d.destroy()


@test
def fails_at_a_reload():
    """whatever way it fails at a reload: refused with the reason, the old
    workers serve on, no request fails"""
    d = prepare(workers=FOUR, timeouts={"start": "1s", "stop": "10s"})
    d.expect(*SAYS)
    with d.start():
        old = d.wait_ready(4)
        load = Load(d.address(), clients=2, check=lambda r:
                    r.body == b"a start")
        d.pools["www"]["umask"] = "0027"
        d.write_conf()
        for n, (text, (log, said)) in enumerate(FAILURES.items()):
            then(d, text)
            mark = d.log_mark()
            code, out, err = ctl(d, "reload")
            equal(code, 1, out + err)
            matches("pool www: new workers do not come up, the old ones stay: "
                    ".*" + said, err)
            d.wait_log("(?m)^\\S+ error \\[pool www\\] .*" + log, mark)
            d.wait_log("reload refused: nothing has changed; 1 of 1", mark)
            until(lambda: d.workers() == old, "nobody else is there")
            equal(order(d), ["setup"] + ["start"] * 4 + ["setup"] * (n + 1))
        load.more(20)
        equal(load.stop()[1], [])
        then(d, "")
        equal(ctl(d, "reload")[0], 0)
        until(lambda: not set(old) & set(d.workers()), "new workers")


@test
def fails_at_an_upgrade():
    """it fails at USR2: the old workers serve on under the new image, which
    knows that they were set up, until a reload"""
    d = prepare(Upgraded, workers=FOUR)
    d.expect(*SAYS)
    with d.start():
        old = d.wait_ready(4)
        for text in ("error('no database')", "os.exit(0)"):
            then(d, text)
            mark, n = d.log_mark(), setups(d)
            d.kill(signal.SIGUSR2)
            d.wait_log(" upgraded from ", mark)
            d.wait_log("the old ones stay: .*" + FAILURES[text][1], mark)
            d.wait_log("what was in force stays.*; 1 of 1 pools serve$", mark)
            until(lambda: d.workers() == old, "the old ones are there")
            equal(setups(d), n + 1)
            equal(d.fetch().body, b"a start")
        then(d, "")
        kill(old[0], signal.SIGKILL)
        until(lambda: not alive(old[0]) and len(d.workers()) == 4, "another")
        d.wait_ready(4)
        equal(setups(d), n + 1)
        d.pools["www"]["umask"] = "0027"
        d.write_conf()
        d.reload()
        until(lambda: not set(old) & set(d.workers()), "new workers")
        equal(setups(d), n + 2)


@test
def handed_over():
    """USR2 while a pool that failed is set up again: the new image waits for
    that process and its verdict, then sets up anew"""
    d = prepare(Upgraded, pools={"www": {"workers": FOUR},
                                 "b": {"workers": ONE}})
    d.write_app("return { accept = function() return {}, 'b' end }", "b.lua")
    d.pools["b"]["app"] = d.dir + "/b.lua"
    d.expect(*SAYS)
    gate = d.gate()
    then(d, "if os.execute('mkdir %s/rw/first 2>&1') then error('fails') end "
         "if os.execute('mkdir %s/rw/second 2>&1') then gate(%r) end" %
         (d.dir, d.dir, gate.path))
    with d.start():
        gate.wait()
        pid, mark = runs(d), d.log_mark()
        d.kill(signal.SIGUSR2)
        d.wait_log(" upgraded from ", mark)
        until(lambda: ctl(d, "status")[0] == 0, "the first step is done")
        equal(len(d.workers()), 3, "that process, an old and a new b")
        equal(d.workers("www"), [pid])
        equal(d.fetch("b").body, b"b")
        gate.open()
        d.wait_log("pool www: new workers are up, the old ones leave", mark)
        d.wait_ready(4, "www")
        equal(setups(d), 3)
        assert runs(d) != pid
        d.wait_log(r"\[pid %d\] setup is done" % pid, mark)
        d.fds_before = d.count_fds()


@test
def never_two():
    """a pool that is tried again and again, and reloads meanwhile: never two
    at a time"""
    d = prepare(pools={"www": {"workers": FOUR}, "b": {"workers": ONE}})
    d.program = QUICK
    d.write_app("return { accept = function() return {}, 'b' end }", "b.lua")
    d.pools["b"]["app"] = d.dir + "/b.lua"
    d.expect(*SAYS)
    two = "assert(os.execute('mkdir %s/rw/lock')) os.execute('sleep 0.1') " \
        "os.execute('rmdir %s/rw/lock') " % (d.dir, d.dir)
    then(d, two + "error('fails')")
    with d.start():
        for i in range(5):
            mark = d.log_mark()
            d.set_pool("www", workers=FOUR, umask="%04o" % (0o20 + i))
            d.write_conf()
            if i == 4:
                then(d, two)
            d.reload()
        d.wait_ready(4, "www")
        assert "mkdir" not in d.read_log()
        assert setups(d) > 6, order(d)
        d.fds_before = d.count_fds()


# ---- ends -------------------------------------------------------------------


def held(stop="10s", **how):
    """A daemon whose pool waits in setup: (daemon, gate, pid)."""
    d = prepare(workers=FOUR, timeouts={"stop": stop}, **how)
    gate = d.gate()
    then(d, "gate(%r)" % gate.path)
    d.write_conf()
    d.spawn()
    gate.wait()
    return d, gate, runs(d)


@test
def stop_meanwhile():
    """TERM while it runs: it may end, and no worker starts; what does not
    within timeouts.stop is killed"""
    d, gate, pid = held()
    d.kill(signal.SIGTERM)
    d.wait_log("stopping")
    gate.open()
    d.ended(0)
    equal(order(d), ["setup"])
    d.check_log()
    d.destroy()

    d, gate, pid = held("200ms")
    d.kill(signal.SIGTERM)
    d.ended(0)
    matches(r"\[pid %d\] does not leave in time: killed" % pid, d.read_log())
    equal(order(d), ["setup"])
    d.destroy()


@test
def stop_with_clients():
    """a client that waits when TERM comes is served, by a worker that starts
    after setup"""
    d, gate, pid = held()
    with d.connect() as c:
        c.send(request())
        d.kill(signal.SIGTERM)
        d.wait_log("stopping")
        gate.open()
        equal(c.response().body, b"a start")
    d.ended(0)
    equal(order(d), ["setup", "start"])
    d.destroy()


@test
def master_killed():
    """the master is killed while it runs: it may end, within timeouts.stop"""
    for stop, opens in (("10s", True), ("200ms", False)):
        d, gate, pid = held(stop)
        d.kill(signal.SIGKILL)
        d.wait_exit()
        if opens:
            gate.open()
        until(lambda: not alive(pid), "it ends")
        equal(order(d), ["setup"])
        d.destroy()


@test
def reload_meanwhile():
    """a reload that comes while it runs is done after it, and sets up again"""
    d, gate, pid = held()
    then(d, "")
    d.pools["www"]["umask"] = "0027"
    d.write_conf()
    d.kill(signal.SIGHUP)
    gate.open()
    d.wait_log("new workers are up, the old ones leave")
    equal(setups(d), 2)
    d.wait_ready(4)
    d.stop()


# ---- hostile ----------------------------------------------------------------


@test
def words():
    """what a process says that is not its to say changes nothing: READY in
    setup, the words of setup by workers"""
    if not ROOT:
        raise Skip("not root")
    d = prepare(workers=FOUR)
    shutil.copy(HOSTILE, d.dir)
    say = """local say = assert(package.loadlib(%r, "luaopen_hostile"))().say
        for _ = 1, 3 do for _, word in ipairs { %%s } do
            assert(say(%%s, word, 0) == 1) end end """ % (d.dir +
                                                          "/hostile.so")
    gate, said = d.gate(), d.gate()
    then(d, "gate(%r) dofile(%r) gate(%r)" % (gate.path, d.dir + "/say.lua",
                                              said.path))
    d.write_conf()
    with d.spawn():
        gate.wait()
        write(d.dir + "/say.lua", say % ("'R', 'X', 'L'",
                                         channel(d, runs(d))))
        gate.open()
        said.wait()
        equal(ctl(d, "status")[0], 0)
        equal(d.workers("www"), [runs(d)])
        assert " ready: " not in d.read_log()
        said.open()
        d.wait_note("READY=1")
        pids = d.wait_ready(4)
        code = " ".join("['%d'] = %d," % (pid, channel(d, pid))
                        for pid in pids)
        for _ in range(8):
            d.lua("local channels = { %s } " % code + say % (
                "'P', 'N'", "channels[pid()]") + "return {}, 'said'")
        equal(ctl(d, "status")[0], 0)
        equal(d.workers(), pids)
        equal(order(d), ["setup"] + ["start"] * 4)
        d.fds_before = d.count_fds()


run(240)
