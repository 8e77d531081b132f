#!/usr/bin/env python3
"""An application's life in its worker: start, state, restart, stop, its
output, the modules beside it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
d = Daemon(workers=ONE)


def value(daemon, code):
    r = daemon.lua("return text(tostring(%s))" % code)
    equal(r.status, 200, code)
    return r.body.decode()


@test
def start_is_called_once():
    """start is called once, before the first request"""
    d.start()
    equal(value(d, "starts .. ' ' .. requests"), "1 1")
    equal(value(d, "starts .. ' ' .. requests"), "1 2")


@test
def state_survives():
    """globals and upvalues survive from request to request"""
    app = """
        local n = 0
        return { accept = function(env)
            n = n + 1
            total = (total or 0) + 10
            return {}, n .. " " .. total
        end }"""
    with Daemon(app=app, workers=ONE) as other:
        equal([other.fetch().body for _ in range(3)],
              [b"1 10", b"2 20", b"3 30"])


@test
def nothing_is_shared():
    """each worker has a state of its own"""
    with Daemon(workers={"mode": "static", "max": 2}) as other:
        other.wait_workers(2)
        gates = [other.gate(), other.gate()]
        busy = [Background(other.lua, "mine = pid() " + g.lua +
                           "return text(mine .. ' ' .. pid())")
                for g in gates]
        for g in gates:
            g.wait()
        for g in gates:
            g.open()
        answers = {b.result().body for b in busy}
        equal(len(answers), 2, "two workers answered: %s" % answers)
        for a in answers:
            equal(*a.split(), "the global is the worker's own")


@test
def output_is_logged():
    """print, io.stdout and io.stderr go to the log line by line with pool
    and pid, never into the response"""
    mark = d.log_mark()
    r = d.lua("print('from print', 1) io.stderr:write('from stderr\\n') "
              "io.stdout:write('from std', 'out\\n') "
              "io.stderr:write('in two ') io.stderr:write('writes\\n') "
              "return text('clean')")
    equal((r.out.count(b"from"), r.body, r.errors), (0, b"clean", b""))
    for said in (r"from print\\t1", "from stderr",
                 "from stdout", "in two writes"):
        d.wait_log(r"^\S+ \w+ \[pool www\] \[pid %d\] \[request \S+\] (%s)$" %
                   (d.workers()[0], said), mark)


@test
def output_of_children():
    """what a child of the application prints is logged too, and it is no
    part of the response"""
    mark = d.log_mark()
    r = d.lua("os.execute('echo from a child; echo and its stderr >&2') "
              "return text('clean')")
    equal(r.body, b"clean")
    d.wait_log(r"\[pool www\] .*from a child", mark)
    d.wait_log(r"\[pool www\] .*and its stderr", mark)


@test
def child_does_not_hold_the_response():
    """a child that lives on holds neither the connection nor the response"""
    fifo = d.gate()
    with d.connect() as c:
        r = c.ask(lua="os.execute('cat %s >/dev/null 2>&1 &') "
                  "return text('done')" % fifo.path)
        equal(r.body, b"done")
        assert c.eof(), "the connection is closed"
    fifo.open()


@test
def binary_output():
    """control bytes in output are made visible, a long line stays whole"""
    mark = d.log_mark()
    d.lua("io.stderr:write('bell \\7 esc \\27[1m\\n', ('x'):rep(20000), "
          "'end\\n') return {}")
    d.wait_log(r"bell \\x07 esc \\x1b\[1m$", mark)
    d.wait_log(r"x{20000}end$", mark)


@test
def flood_of_output():
    """20,000 lines of output: none is lost, none is mixed up"""
    mark = d.log_mark()
    d.lua("for i = 1, 20000 do print('line ' .. i .. ' end') end return {}")
    d.wait_log("line 20000 end", mark)
    got = re.findall(r"\] line (\d+) end$", d.read_log(mark), re.M)
    equal(got, [str(i) for i in range(1, 20001)])


@test
def reads_nothing():
    """standard input of an application is empty"""
    equal(value(d, "io.read('a')"), "")


@test
def modules_beside_the_application():
    """require finds a module beside the application first, whatever the
    working directory"""
    other = Daemon(app="local v = require 'views' "
                   "local w = require 'sub.deep' local p = require 'pack' "
                   "return { accept = function() "
                   "return {}, v .. w .. p .. package.path end }")
    os.mkdir(other.dir + "/sub")
    os.mkdir(other.dir + "/pack")
    other.write_app("return 'views '", "views.lua")
    other.write_app("return 'deep '", "sub/deep.lua")
    other.write_app("return 'pack '", "pack/init.lua")
    with other:
        body = other.fetch().body.decode()
        assert body.startswith("views deep pack " + other.dir), body


@test
def runs_as_the_user():
    """an application runs as the pool's user, with no group of root's"""
    if not ROOT:
        raise Skip("not root")
    user = pwd.getpwnam(pool_user())
    got = d.lua("local f <close> = io.open('/proc/self/status') "
                "return text(f:read('a'))").body.decode()
    equal(re.search(r"Uid:\s+(.*)", got)[1].split(), [str(user.pw_uid)] * 4)
    equal(re.search(r"Gid:\s+(.*)", got)[1].split(), [str(user.pw_gid)] * 4)
    assert "0" not in re.search(r"Groups:(.*)", got)[1].split(), got
    equal(re.search(r"CapEff:\s+(.*)", got)[1], "0" * 16)


@test
def few_descriptors():
    """a worker has no descriptor that is not its own business"""
    links = fds(d.workers()[0])
    assert len(links) <= 15, links
    for n, link in links:
        assert d.dir + "/pid" not in link, links
    with Daemon(pools={"a": {}, "b": {}}) as two:
        two.wait_workers(4)
        inode = {}
        for line in open("/proc/net/unix"):
            for p in "ab":
                if line.rstrip().endswith(two.address(p)):
                    inode["socket:[%s]" % line.split()[6]] = p
        for pool in "ab":
            for pid in two.workers(pool):
                other = "ba"["ab".index(pool)]
                has = {inode.get(link) for _, link in fds(pid)}
                assert other not in has, "listener of another pool"


@test
def restart_is_called():
    """HUP calls restart, in the same worker, and state is kept"""
    pid = d.workers()[0]
    before = value(d, "restarts")
    mark = d.log_mark()
    d.reload()
    d.wait_log(r"\[pool www\] \[pid %d\] restart called" % pid, mark)
    equal(int(value(d, "restarts")), int(before) + 1)
    equal(d.workers(), [pid])


@test
def restart_that_raises():
    """a restart that raises is logged, the worker goes on"""
    app = """
        local n = 0
        return { accept = function() n = n + 1 return {}, tostring(n) end,
                 restart = function() error("no restart today") end }"""
    with Daemon(app=app, workers=ONE) as other:
        other.expect("no restart today")
        pid = other.workers()
        equal(other.fetch().body, b"1")
        other.reload()
        other.wait_log(r"error \[pool www\].*no restart today")
        equal((other.fetch().body, other.workers()), (b"2", pid))


@test
def cached_page():
    """a page that the application caches is dropped by restart"""
    app = """
        local app, cache, made = {}, nil, 0
        function app.restart() cache = nil print("dropped") end
        function app.accept()
            if not cache then made = made + 1 cache = "page " .. made end
            return {}, cache
        end
        return app"""
    with Daemon(app=app, workers=ONE) as other:
        equal([other.fetch().body for _ in range(2)], [b"page 1"] * 2)
        other.reload()
        other.wait_log("dropped")
        equal([other.fetch().body for _ in range(2)], [b"page 2"] * 2)


@test
def stop_is_called():
    """stop is called on TERM, after the request in hand; __gc runs"""
    app = """
        local app = {}
        guard = setmetatable({}, { __gc = function() print("collected") end })
        function app.accept(env)
            return {}, "x"
        end
        function app.stop() print("stop called") return 0 end
        return app"""
    other = Daemon(app=app, workers=ONE).start()
    equal(other.fetch().body, b"x")
    log = other.log
    with open(log) as f:
        other.stop()
        text = f.read()
    matches(r"stop called[\s\S]*collected", text)
    equal(text.count("stop called"), 1)


@test
def stop_that_raises():
    """a stop that raises is logged and does not hold the worker"""
    with Daemon(app="return { accept = function() return {} end, "
                "stop = function() error('stop is broken') end }",
                workers=ONE) as other:
        other.expect("stop is broken")
        equal(other.fetch().status, 200)


@test
def stop_veto():
    """a stop that returns something declines: the worker serves on until
    timeouts.stop, then it is killed"""
    app = """
        local app, asked = {}, 0
        function app.accept() return {}, tostring(asked) end
        function app.stop() asked = asked + 1 print("declined") return 1 end
        return app"""
    with Daemon(app=app, workers=ONE, timeouts={"stop": "1500ms"}) as other:
        other.expect("kill|KILL|stop")
        conn = other.connect()
        equal(conn.ask(keep=True).body, b"0")
        # Silent connections are closed before it is asked to stop.
        whole = request(keep=True)
        conn.send(whole[:9])
        until(lambda: process_stat(other.workers()[0])[0] == "S",
              "it has read that")
        other.kill(signal.SIGTERM)
        other.wait_log("declined")
        conn.send(whole[9:])
        equal(conn.response().body, b"1", "it still serves")
        equal(other.wait_exit(5), 0, "exit code")
        conn.close()
        other.check_gone()
        other.check_log()
        other.destroy()


@test
def retired_worker_is_asked():
    """stop is called in a worker that leaves because of a reload too"""
    pid = d.workers()[0]
    mark = d.log_mark()
    d.set_pool("www", workers={"mode": "static", "max": 2})
    d.write_conf()
    d.reload()
    d.wait_log(r"\[pid %d\] stop called" % pid, mark)
    d.wait_workers(2)
    assert pid not in d.workers()
    d.fds_before = d.count_fds()


run(120)
