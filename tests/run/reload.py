#!/usr/bin/env python3
"""Reload: what a HUP does to each pool, and that no request notices."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

WHO = """
local version = "%s"
return {
    accept = function(env)
        local f <close> = io.open("/proc/self/stat")
        return {}, version .. " " .. f:read("a"):match("^%%d+")
    end,
    restart = function() print("restart called") end,
}
"""
ONE = {"mode": "static", "max": 1}
TWO = {"mode": "static", "max": 2}


def version(d, pool="www"):
    return d.fetch(pool).body.decode().split()[0]


def renewed(d, old, n=2, pool="www"):
    until(lambda: len(d.workers(pool)) == n and
          not set(old) & set(d.workers(pool)), "workers are new")


@test
def keep():
    """an unchanged pool keeps its workers, restart is called in each"""
    with Daemon(app=WHO % "1", workers=TWO) as d:
        old = d.wait_workers(2)
        mark = d.log_mark()
        d.reload()
        for pid in old:
            d.wait_log(r"\[pid %d\] restart called" % pid, mark)
        equal(d.workers(), old)


@test
def tune():
    """a tunable change applies in place, to the same workers"""
    with Daemon(app=WHO % "1", workers={"mode": "dynamic", "max": 6,
                                        "start": 1, "min_spare": 1,
                                        "max_spare": 1}) as d:
        old = d.wait_workers(1)
        d.set_pool("www", workers={"mode": "dynamic", "max": 6, "start": 3,
                                   "min_spare": 3, "max_spare": 4})
        d.write_conf()
        d.reload()
        until(lambda: len(d.workers()) >= 3, "more spare workers")
        assert set(old) <= set(d.workers()), "the first one is still there"


@test
def add_and_drop():
    """a new pool starts, a pool that is gone is drained with its socket"""
    with Daemon(app=WHO % "1", workers=ONE) as d:
        d.set_pool("more", workers=TWO)
        d.write_conf()
        d.reload()
        d.wait_workers(2, "more")
        equal(version(d, "more"), "1")
        gone = d.address("more")
        d.drop_pool("more")
        d.write_conf()
        d.reload()
        d.wait_workers(0, "more")
        until(lambda: not os.path.exists(gone), "its socket file is gone")
        equal(version(d), "1")


@test
def drop_under_way():
    """a pool that is dropped finishes what it does and what waits"""
    with Daemon(pools={"www": {"workers": ONE}, "old": {"workers": ONE}}) \
            as d:
        gate, old = d.gate(), d.address("old")
        busy = Background(fetch, old, lua=gate.lua + "return text('whole')")
        gate.wait()
        waiting = [Conn(old) for _ in range(3)]
        for c in waiting:
            c.send(request(lua="return text('waited')"))
        d.drop_pool("old")
        d.write_conf()
        d.reload()
        gate.open()
        equal(busy.result().body, b"whole")
        equal([c.response().body for c in waiting], [b"waited"] * 3)
        d.wait_workers(0, "old")


@test
def replace():
    """another change brings new workers; the old ones finish their request"""
    with Daemon(workers=ONE) as d:
        old, gate = d.wait_workers(1), d.gate()
        busy = Background(d.lua, gate.lua + "return text(pid())")
        gate.wait()
        d.set_pool("www", workers=TWO)
        d.write_conf()
        d.kill(signal.SIGHUP)
        until(lambda: len(set(d.workers()) - set(old)) == 2, "two new ones")
        equal(d.lua("return text('new')").body, b"new",
              "served while the old one is busy")
        gate.open()
        equal(busy.result().body.decode(), str(old[0]))
        renewed(d, old)


@test
def changed_application():
    """a changed application or module on disk is deployed by HUP"""
    d = Daemon(app=(WHO % "x").replace('"x"', "require 'version'"),
               workers=TWO)
    d.write_app("return 'm1'", "version.lua")
    with d:
        old = d.wait_ready(2)
        equal(version(d), "m1")
        d.write_app("return 'm2'", "version.lua")
        d.reload()
        renewed(d, old)
        equal({version(d) for _ in range(10)}, {"m2"})
        old = d.wait_ready(2)
        d.write_app(WHO % "a2")
        d.reload()
        renewed(d, old)
        equal({version(d) for _ in range(10)}, {"a2"})


@test
def changed_while_one_starts():
    """a worker that has loaded the old application, but is not ready yet when
    the HUP comes, does not stay with it"""
    d = Daemon(app="""
        local version = require "version"
        return {
            start = function()
                local f = io.open("rw/fifo")
                if f then f:read("a") f:close() end
            end,
            accept = function() return {}, version end,
            restart = function() end,
        }""", workers=ONE)
    d.set_pool("www", workers=ONE, directory=d.dir)
    d.write_app("return 'm1'", "version.lua")
    with d:
        old = d.wait_workers(1)
        os.mkfifo(d.dir + "/rw/fifo")
        os.chmod(d.dir + "/rw/fifo", 0o666)
        kill(old[0], signal.SIGKILL)
        d.wait_log("was killed")
        gate = until(at_fifo(d.dir + "/rw/fifo"), "another one is in start")
        os.unlink(d.dir + "/rw/fifo")
        d.write_app("return 'm2'", "version.lua")
        d.reload()
        os.close(gate)
        until(lambda: version(d) == "m2", "the new version")


def at_fifo(path):
    """A function that opens the fifo as soon as somebody reads it."""
    def attempt():
        with contextlib.suppress(OSError):
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    return attempt


@test
def changed_application_is_bad():
    """a deployment that does not load changes nothing and is logged"""
    with Daemon(app=WHO % "1", workers=TWO) as d:
        old = d.wait_ready(2)
        d.expect("app.lua|reload|new|www")
        for bad in ("return {", "error('at load')", "return {}",
                    "return { accept = print, start = function() "
                    "return 3 end }"):
            mark = d.log_mark()
            d.write_app(bad)
            d.reload()
            d.wait_log(r"(error|alert|warning) .*(app\.lua|start|accept)",
                       mark)
            equal({version(d) for _ in range(10)}, {"1"})
            until(lambda: d.workers() == old, "the old workers serve on")
        d.write_app(WHO % "2")
        d.reload()
        renewed(d, old)
        equal(version(d), "2")


@test
def bad_file():
    """a bad configuration changes nothing, each fault is logged with file
    and line"""
    with Daemon(app=WHO % "1", workers=TWO) as d:
        old = d.wait_workers(2)
        good = d.configuration()
        d.expect(re.escape(d.file), "reload refused")
        for bad, faults in (
                ("pools: {\n  www: \n", [r":[23]: "]),
                ("nonsense = 1;\n" + good + "more = 2;\n",
                 [r":1: .*nonsense", r":\d+: .*more"]),
                (good.replace('"static"', '"magic"'), [r":\d+: .*mode"]),
                ("", [r".*pool"])):
            mark = d.log_mark()
            d.write_conf(bad)
            d.reload()
            for fault in faults:
                d.wait_log(r"(error|alert) .*" + re.escape(d.file) + fault,
                           mark)
            equal((version(d), d.workers()), ("1", old))
        os.unlink(d.file)
        d.reload()
        equal((version(d), d.workers()), ("1", old))
        d.write_conf(good)
        d.reload()
        equal(d.workers(), old)


@test
def socket_taken():
    """an address that cannot be bound: that pool stays as it was"""
    port = free_port()
    with socket.socket() as s, Daemon(app=WHO % "1", workers=TWO) as d:
        s.bind(("127.0.0.1", port))
        s.listen()
        d.expect("127.0.0.1:%d" % port, "reload refused")
        old, address = d.wait_workers(2), d.address()
        d.set_pool("www", listen=[address, "127.0.0.1:%d" % port])
        d.write_conf()
        mark = d.log_mark()
        d.reload()
        d.wait_log("127.0.0.1:%d" % port, mark)
        equal((fetch(address).body.split()[0], d.workers()), (b"1", old))


@test
def address_in_the_way():
    """an address that is widened to every interface, or narrowed, which the
    daemon's own socket prevents: nothing changes, and it says what to do"""
    port = free_port()
    ways = ["127.0.0.1:%d" % port, "*:%d" % port]
    for before, after in (ways, ways[::-1]):
        d = Daemon(workers=ONE, listen=before).start()
        workers = d.wait_ready(1)
        d.expect("reload refused", "needs a restart")
        d.set_pool("www", workers=ONE, listen=after)
        d.write_conf()
        equal(tool("-t", "-c", d.file)[0], 0, "-t, as for a start")
        d.reload()
        matches(r"pool www: listen %s: .*Address already in use: this daemon "
                r"listens on %s, the change needs a restart" %
                (re.escape(spelt(after)), re.escape(before)), d.read_log())
        equal(d.workers(), workers)
        equal(fetch(before).status, 200)
        d.stop()
        d = Daemon(workers=ONE, listen=after).start()
        equal(fetch(after).status, 200)
        d.stop()


@test
def listen_changes():
    """a changed list of addresses: the new one serves, the old one is gone,
    the unchanged one never closes"""
    with Daemon(app=WHO % "1", workers=TWO) as d:
        first = d.address()
        second = d.dir + "/second.sock"
        inode = os.stat(first).st_ino
        d.set_pool("www", workers=TWO, listen=[first, second])
        d.write_conf()
        load = Load(first, clients=2)
        d.reload()
        load.more(10)
        equal(fetch(second).status, 200)
        equal(os.stat(first).st_ino, inode, "the same socket file")
        equal(load.stop()[1], [])
        d.set_pool("www", workers=TWO, listen=second)
        d.write_conf()
        d.reload()
        until(lambda: not os.path.exists(first), "the old one is gone")
        equal(fetch(second).status, 200)
        d.wait_workers(2)
        d.fds_before = d.count_fds()


@test
def other_pools_do_not_notice():
    """a pool that is replaced or fails is no business of its neighbours"""
    with Daemon(app=WHO % "1", pools={"a": {"workers": ONE},
                                      "b": {"workers": ONE}}) as d:
        d.wait_ready(2)
        keep = d.workers("b")
        d.expect("broken.lua|pool a", "reload refused")
        d.set_pool("a", workers=ONE, app=d.dir + "/broken.lua")
        d.write_app("return {", "broken.lua")
        d.write_conf()
        d.reload()
        equal((version(d, "a"), version(d, "b")), ("1", "1"))
        equal(d.workers("b"), keep)


@test
def log_level():
    """log_level and error_log apply at a reload"""
    with Daemon(app=WHO % "1", workers=ONE) as d:
        other = d.dir + "/other.log"
        d.top["error_log"] = other
        d.write_conf()
        d.reload()
        d.kill(signal.SIGHUP)
        until(lambda: os.path.exists(other) and os.path.getsize(other),
              "the other file is written")
        d.fds_before = d.count_fds()


# Each with sanitizers takes as long as four without.
TIMES = 5 if SANITIZED else 20


def hups_under_load(change, keep, tcp=False, n=TIMES, **how):
    where = {"listen": "127.0.0.1:%d" % free_port()} if tcp else {}
    d = Daemon(workers={"mode": "static", "max": 3}, **where, **how)
    with d:
        load = Load(d.address(), clients=6, keep=keep,
                    check=lambda r: r.status == 200)
        for i in range(n):
            load.more(20)
            change(d, i)
            d.reload()
        load.more(100)
        done, failures = load.stop()
        equal(failures[:3], [], "%d of %d requests" % (len(failures), done))
        diag("%d requests over %d reloads" % (done, n))


def deploy(d, i):
    d.write_app(app_source("eval.lua") + "-- %d\n" % i)


def resize(d, i):
    d.set_pool("www", workers={"mode": "static", "max": 3 + i % 2},
               listen=d.pools["www"]["listen"])
    d.write_conf()


@test
def load_hup():
    """HUPs under load, fresh and kept connections: no request fails"""
    for keep in (False, True):
        hups_under_load(lambda d, i: None, keep)


@test
def load_deploy():
    """deployments under load, fresh and kept connections: no request
    fails"""
    for keep in (False, True):
        hups_under_load(deploy, keep)


@test
def load_replace():
    """changed configurations under load, fresh and kept connections"""
    for keep in (False, True):
        hups_under_load(resize, keep)


@test
def load_without_restart():
    """HUPs of an application without restart under load"""
    for keep in (False, True):
        hups_under_load(lambda d, i: None, keep,
                        app="return { accept = function() return {} end }")


@test
def load_tcp():
    """deployments under load over TCP, fresh and kept"""
    for keep in (False, True):
        hups_under_load(deploy, keep, tcp=True)


run(240, over=BOTH)
