#!/usr/bin/env python3
"""The control socket: its protocol, what it is asked for and what it gets."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
from control_client import *

Daemon.program = QUICK  # which waits less for clients and busy workers

ONE = {"mode": "static", "max": 1}
TWO = {"mode": "static", "max": 2}
BROKEN = "error 'broken on purpose'"


# ---- the protocol -------------------------------------------------------------


@test
def ping():
    """ping is answered with version, pid and state; the socket is 0600"""
    with controlled() as d:
        good, text = ask(d, "ping")
        equal(good, True)
        matches(r"^lua-fpm \S+, pid %d, running\n$" % d.pid, text)
        equal(file_mode(d.control), 0o600)


@test
def lines():
    """a line may end in CR LF or in the end of file, and come in pieces"""
    with controlled() as d:
        for line in (b"ping\r\n", b" \tping \t\n", b"ping\nreload\n"):
            with Asker(d) as c:
                c.send(line)
                equal(c.answer()[0], True, line)
        with Asker(d) as c:
            c.send(b"ping")
            c.sock.shutdown(socket.SHUT_WR)
            equal(c.answer()[0], True)
        with Asker(d) as c:
            for byte in b"ping\n":
                c.send(bytes([byte]))
            equal(c.answer()[0], True)


@test
def nonsense():
    """what is no command is refused in words, and does no harm"""
    with controlled() as d:
        for line, said in ((b"\n", "unknown command"),
                           (b"\0\0\n", "unknown command"),
                           (b"GET / HTTP/1.1\r\n", "unknown command"),
                           (b"PING\n", "unknown command"),
                           (b"ping\0 x\n", "lua-fpm .*"),
                           (b"\xff\xfe%s%n\n", "unknown command"),
                           (b"ping ping\n", "ping: too many words"),
                           (b"scale www\n", "scale: too few words"),
                           (b"scale www 1 2 3 4\n", "scale: too many words"),
                           (b"drain nope\n", "there is no pool nope"),
                           (b"drain %s\n" % (b"a" * 400),
                            "there is no pool a{64}"),
                           (b"x" * 512, "the line is too long"),
                           (b"x" * 5000 + b"\n", "the line is too long")):
            with Asker(d) as c:
                c.send(line)
                matches("^%s\n$" % said, c.answer()[1], line)
        equal(ask(d, "ping")[0], True)
        equal(d.fetch().status, 200)


@test
def slow_clients():
    """who says nothing, or takes nothing, is dropped after a while, and others
    are served meanwhile"""
    with controlled() as d:
        silent, partly = Asker(d), Asker(d)
        partly.send(b"pi")
        equal(ask(d, "ping")[0], True)
        equal(silent.sock.recv(1), b"")
        equal(partly.sock.recv(1), b"")


@test
def a_thousand():
    """1,000 connections at once: requests do not notice, and those who ask
    get an answer as the others go"""
    with controlled(workers=TWO) as d:
        before = d.count_fds()
        crowd = []
        for _ in range(1000):
            s = socket.socket(socket.AF_UNIX)
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                s.connect(d.control)
            crowd.append(s)
        load = Load(d.address(), clients=2)
        load.more(500)
        assert d.count_fds() - before <= 40, "a few are served at a time"
        equal(load.stop()[1], [])
        asker = Background(ask, d, "ping")
        for s in crowd:
            s.close()
        equal(asker.result()[0], True)
        until(lambda: d.count_fds() <= before, "all are forgotten")


@test
def strangers():
    """another user is turned away, even where the mode would let it in"""
    if not ROOT:
        raise Skip("needs root")
    with controlled() as d:
        code = ("import socket; s = socket.socket(socket.AF_UNIX); "
                "s.connect('%s'); "
                "print(s.recv(99).decode())" % d.control)

        def other():
            return tool("setpriv", "--reuid", pool_user(), "--clear-groups",
                        sys.executable, "-c", code,
                        program="/usr/bin/env")
        matches("Permission", other()[2])
        os.chmod(d.control, 0o666)
        matches("failed\npermission denied", other()[1])
        d.wait_log("turned away from the control socket")


# ---- reload -------------------------------------------------------------------


@test
def reload_good():
    """reload answers once the new workers are up"""
    with controlled(workers=ONE) as d:
        old = d.wait_workers(1)
        d.set_pool("www", workers=TWO)
        d.write_conf()
        equal(ask(d, "reload"), (True, "reloaded: 1 of 1 pools serve\n"))
        assert len(set(d.workers()) - set(old)) == 2, "they are there already"


@test
def reload_bad_configuration():
    """a bad configuration: every fault, as the log has it"""
    with controlled() as d:
        text = d.configuration()
        d.write_conf(text + "nonsense = 1;\nlog_level = \"loud\";\n")
        good, said = ask(d, "reload")
        equal(good, False)
        lines = said.splitlines()
        equal(len(lines), 2, said)
        matches(r"^%s:\d+: nonsense: unknown key$" % d.file, lines[0])
        matches(r"^%s:\d+: log_level: expected one of " % d.file, lines[1])
        for line in lines:
            d.expect(re.escape(line))
            assert line in d.read_log(), line
        d.expect("reload refused")
        d.write_conf(text)
        equal(ask(d, "reload")[0], True, "after it was mended")


@test
def reload_broken_application():
    """new workers that do not come up: the pool is named, the old ones stay"""
    with controlled(workers=ONE) as d:
        old = d.wait_workers(1)
        d.expect("broken", "before it was ready", "reload refused")
        d.write_app(BROKEN)
        d.set_pool("www", workers=TWO)
        d.write_conf()
        good, said = ask(d, "reload")
        equal(good, False)
        equal(said, "pool www: new workers do not come up, the old ones "
              "stay: %s/app.lua:1: broken on purpose\n" % d.dir)
        until(lambda: d.workers() == old, "the old one alone")


@test
def reload_deploys():
    """an application that has changed on disk: reload answers once its workers
    are up, and says so if they do not come up; the old ones stay"""
    with controlled(app="return { accept = function() return {}, '1' end }",
                    workers=TWO) as d:
        d.wait_ready(2)
        for version in b"23456789":
            d.write_app("return { accept = function() return {}, '%c' end }" %
                        version)
            equal(ask(d, "reload"), (True, "reloaded: 1 of 1 pools serve\n"))
            equal({d.fetch().body for _ in range(8)}, {b"%c" % version})
        until(lambda: len(d.workers()) == 2, "the old ones are gone")
        old = d.workers()
        d.expect("broken", "before it was ready", "reload refused")
        d.write_app(BROKEN)
        equal(ask(d, "reload"), (False, "pool www: new workers do not come "
                                 "up, the old ones stay: %s/app.lua:1: "
                                 "broken on purpose\n" % d.dir))
        until(lambda: d.workers() == old, "the old ones alone")
        equal(d.fetch().body, b"9")


@test
def reload_while_busy():
    """a worker that is busy is waited for a while, not for ever; it follows
    later"""
    app = """
        local version = "%s"
        return { restart = function() end, accept = function(env)
            if env.SCRIPT_NAME == "/held" then
                local f <close> = io.open(env.LUA or env.HTTP_X_LUA) f:read("a")
            end
            return {}, version
        end }"""
    with controlled(app=app % "1", workers=ONE) as d:
        path = d.dir + "/rw/fifo"
        os.mkfifo(path)
        os.chmod(path, 0o666)
        gate = os.open(path, os.O_RDWR)
        busy = Background(d.fetch, uri="/held", lua=path)
        until(lambda: re.search('"active processes":1,', ask(d, "status")[1]),
              "it is busy")
        d.write_app(app % "2")
        equal(ask(d, "reload")[0], True)
        os.close(gate)
        equal(busy.result().body, b"1")
        until(lambda: d.fetch().body == b"2", "the new version")


@test
def reload_new_pool():
    """a new pool that cannot bind, and one that does not come up"""
    with controlled() as d:
        d.expect("nowhere", "broken", "before it was ready", "refused")
        d.set_pool("more", listen=d.dir + "/nowhere/sock")
        d.write_conf()
        good, said = ask(d, "reload")
        equal(good, False)
        matches("^pool more: listen %s: " % spelt(d.dir + "/nowhere/sock"),
                said)
        d.write_app(BROKEN, "broken.lua")
        d.set_pool("more", app=d.dir + "/broken.lua")
        d.write_conf()
        equal(ask(d, "reload"), (False, "pool more: no worker comes up: "
                                 "%s/broken.lua:1: broken on purpose\n" %
                                 d.dir))
        equal(d.fetch().status, 200)
        d.drop_pool("more")
        d.write_conf()
        equal(ask(d, "reload")[0], True)


def two_pools(**keys):
    """Pools www and more, each with an application of its own."""
    d = controlled(workers=ONE)
    d.write_app(app_source("eval.lua"), "more.lua")
    d.set_pool("more", app=d.dir + "/more.lua", workers=ONE, **keys)
    return d


def changed(d, name="app.lua"):
    d.write_app("version = 'new'\n" + app_source("eval.lua"), name)


VERSION = "return text(version or 'old')"
GOOD = (True, "reloaded: 2 of 2 pools serve\n")


@test
def reload_one_pool():
    """reload of one pool: its new application and its new keys are there, and
    the workers of the other pool are not asked for anything"""
    with two_pools() as d:
        d.wait_ready(2)
        more, mark = d.workers("more"), d.log_mark()
        equal(ask(d, "reload www"), GOOD)
        d.wait_log(r"\[pool www\] \[pid \d+\] restart called", mark)
        changed(d)
        changed(d, "more.lua")
        equal(ask(d, "reload www"), GOOD)
        equal(d.lua(VERSION).body, b"new")
        d.set_pool("www", workers=ONE, environment={"CITY": "Rio"})
        d.write_conf()
        equal(ask(d, "reload www"), GOOD)
        equal(d.lua("return text(os.getenv('CITY'))").body, b"Rio")
        equal((d.workers("more"), d.lua(VERSION, "more").body), (more, b"old"))
        assert not re.search(r"\[pool more\].*(restart|stop) called",
                             d.read_log(mark))
        equal(ask(d, "reload"), GOOD)
        equal(d.lua(VERSION, "more").body, b"new")


@test
def reload_one_beside_a_broken_one():
    """an application that does not load refuses the reload of its own pool,
    and that of all, but not that of another pool"""
    with two_pools() as d:
        d.wait_ready(2)
        d.expect("broken", "before it was ready", "reload refused")
        more = d.workers("more")
        changed(d)
        d.write_app(BROKEN, "more.lua")
        equal(ask(d, "reload")[0], False)
        equal(d.lua(VERSION).body, b"old")
        good, said = ask(d, "reload more")
        equal(good, False)
        matches("^pool more: new workers do not come up, the old ones stay",
                said)
        equal(ask(d, "reload www"), GOOD)
        equal((d.lua(VERSION).body, d.lua(VERSION, "more").body),
              (b"new", b"old"))
        until(lambda: d.workers("more") == more, "the old ones alone")


@test
def reload_one_beside_one_that_is_down():
    """the reload of one pool goes well beside one that never came up"""
    d = two_pools()
    d.expect("broken", "before it was ready", "no worker")
    d.write_app(BROKEN, "more.lua")
    with d:
        changed(d)
        equal(ask(d, "reload www"),
              (True, "reloaded: 1 of 2 pools serve\n"))
        equal(d.lua(VERSION).body, b"new")


@test
def reload_one_and_no_more():
    """the reload of one pool is refused, and nothing has changed, if the
    configuration has a change of another pool or above the pools, or if there
    is no such pool"""
    with two_pools() as d:
        d.wait_ready(2)
        d.expect("reload refused", "not only pool www has changed")
        workers, good = d.workers(), d.configuration()
        changed(d)
        for other in ("more", "third"):
            d.set_pool(other, app=d.dir + "/more.lua", umask="077")
            d.write_conf()
            equal(ask(d, "reload www"), (
                False, "not only pool www has changed: so has %s, which takes "
                "a reload of all\n" % other))
            d.write_conf(good)
            if other == "more":
                d.set_pool("more", app=d.dir + "/more.lua", workers=ONE)
        d.write_conf("log_level = \"debug\";\n" + good)
        matches("so has log_level,", ask(d, "reload www")[1])
        d.drop_pool("third")
        d.drop_pool("more")
        d.write_conf()
        matches("so has more,", ask(d, "reload www")[1])
        d.write_conf(good)
        equal(ask(d, "reload nothing"),
              (False, "there is no pool nothing\n"))
        equal((d.workers(), d.lua(VERSION).body), (workers, b"old"))
        equal(ask(d, "reload www"), GOOD)
        equal(d.lua(VERSION).body, b"new")


@test
def reload_one_that_is_gone():
    """the reload of a pool that the configuration has no more drops it"""
    with two_pools() as d:
        d.wait_ready(2)
        d.drop_pool("more")
        d.write_conf()
        equal(ask(d, "reload more"),
              (True, "reloaded: 1 of 1 pools serve\n"))
        until(lambda: not d.workers("more"), "its workers leave")
        equal(d.fetch().status, 200)


@test
def reload_one_during_a_reload():
    """the reload of one pool is not taken while another reload is under way; a
    reload of all that is asked for meanwhile follows, and an upgrade, over
    pools whose configurations are of different ages"""
    with two_pools() as d:
        d.wait_ready(2)
        fifo = d.dir + "/rw/fifo"
        os.mkfifo(fifo)
        os.chmod(fifo, 0o666)
        d.write_app("local f = io.open('%s') f:close() " % fifo +
                    app_source("eval.lua"), "more.lua")
        with Asker(d) as first:
            first.send(b"reload more\n")
            d.wait_log("reloading pool more")
            equal(ask(d, "reload www"), (
                False, "the daemon is reloading: try again later\n"))
            second = Background(ask, d, "reload")
            os.close(os.open(fifo, os.O_WRONLY))
            equal(first.answer(), GOOD)
        equal(second.result(), GOOD)
        d.write_app(app_source("eval.lua"), "more.lua")
        changed(d)
        equal(ask(d, "reload www"), GOOD)
        equal(ask(d, "upgrade")[0], True)
        equal((d.lua(VERSION).body, d.lua(VERSION, "more").body),
              (b"new", b"old"))


@test
def reload_twice():
    """two at the same time both get an answer, each of a reload that began
    after it had asked; so do a signal and many more"""
    with controlled(workers=ONE) as d:
        path = d.dir + "/rw/fifo"
        os.mkfifo(path)
        os.chmod(path, 0o666)
        gate = os.open(path, os.O_RDWR)
        d.write_app("local f = io.open('%s') if f then f:read('a') f:close() "
                    "end %s" % (path, app_source("eval.lua")))
        d.set_pool("www", workers=TWO)
        d.write_conf()
        first = Background(ask, d, "reload")
        d.wait_log("reloading")
        askers = [Background(ask, d, "reload") for _ in range(16)]
        until(lambda: not all(a.is_alive() for a in askers), "one is too many")
        [late] = [a for a in askers if not a.is_alive()]
        equal(late.result(), (False, "busy: 16 others wait already\n"))
        askers.remove(late)
        mark = d.log_mark()
        d.write_app(app_source("eval.lua"))
        os.unlink(path)
        os.close(gate)
        equal(first.result()[0], True)
        d.wait_log("reloading", mark)
        for asker in askers:
            equal(asker.result()[0], True)
        equal(d.read_log(mark).count("] reloading"), 1)


@test
def reload_and_leave():
    """a client that leaves changes nothing"""
    with controlled(workers=ONE) as d:
        d.set_pool("www", workers=TWO)
        d.write_conf()
        with Asker(d) as c:
            c.send(b"reload\n")
        d.wait_workers(2)
        d.wait_note("READY=1")
        equal(ask(d, "ping")[0], True)


@test
def moved():
    """a reload can move the socket, and cannot move it to a bad place"""
    with controlled() as d:
        old = d.control
        d.top["control"] = d.control = d.dir + "/other.sock"
        d.sockets.add(d.control)
        d.write_conf()
        equal(ask(d, "reload", old)[0], True)
        equal(ask(d, "ping")[0], True)
        assert not os.path.exists(old), "the old one is gone"
        d.expect("nowhere", "reload refused")
        d.top["control"] = d.dir + "/nowhere/sock"
        d.write_conf()
        good, said = ask(d, "reload")
        equal(good, False)
        matches("cannot make %s/nowhere/sock" % d.dir, said)
        equal(ask(d, "ping")[0], True)
        d.top["control"] = ""
        d.write_conf()
        equal(ask(d, "reload")[0], True)
        assert not os.path.exists(d.control), "no socket any more"


# ---- upgrade ------------------------------------------------------------------


def upgradable(**how):
    """A daemon whose binary is a file of its own."""
    d = controlled(**how)
    d.program = d.dir + "/lua-fpm"
    shutil.copy2(LUA_FPM, d.program)
    return d.start(program=d.program)


@test
def upgrade_good():
    """upgrade answers once the new image and its workers are up, over the same
    connection; who asks meanwhile is served as well"""
    with upgradable(workers=TWO) as d:
        old, before = d.wait_workers(2), os.stat("/proc/%d/exe" % d.pid)
        inode = os.stat(d.control).st_ino
        shutil.copy2(LUA_FPM, d.program + ".new")
        os.rename(d.program + ".new", d.program)
        upgrade = Background(ask, d, "upgrade")
        while upgrade.is_alive():
            equal(ask(d, "ping")[0], True)
        good, said = upgrade.result()
        equal(good, True, said)
        matches(r"^upgraded to \S+: 1 of 1 pools serve\n$", said)
        assert os.stat("/proc/%d/exe" % d.pid).st_ino != before.st_ino
        assert len(set(d.workers()) - set(old)) == 2, "new ones are there"
        d.wait_workers(2)
        equal(os.stat(d.control).st_ino, inode, "the socket file")
        equal(ask(d, "reload")[0], True)


@test
def upgrade_takes_long():
    """while the workers of the new image load, it answers as ever"""
    with upgradable(workers=ONE) as d:
        d.wait_ready(1)
        gate = d.gate()
        d.write_app("io.open('%s.in', 'w'):close() io.open('%s'):close() %s" %
                    (gate.path, gate.path, app_source("eval.lua")))
        upgrade = Background(ask, d, "upgrade")
        gate.wait()  # the new binary's -t
        gate.open()
        gate.wait()
        equal(ask(d, "ping")[0], True)
        gate.open()
        equal(upgrade.result()[0], True)


@test
def upgrade_keeps_drained():
    """a pool that is out of service stays so over an upgrade"""
    with upgradable(pools={"www": {"workers": ONE}, "b": {"workers": ONE}}) \
            as d:
        equal(ask(d, "drain www")[0], True)
        matches("^upgraded to .*: 1 of 1 pools serve", ask(d, "upgrade")[1])
        assert not os.path.exists(d.address()), "nobody listens"
        equal(d.fetch("b").status, 200)
        equal(ask(d, "resume www"), (True, "pool www: in service\n"))
        equal(d.fetch().status, 200)


@test
def upgrade_refused():
    """a binary that does not run: the reason; nothing has changed"""
    with upgradable(workers=TWO) as d:
        old = d.wait_workers(2)
        d.expect("upgrade refused")
        write(d.program, "#!/bin/sh\necho no such luck\nexit 1\n")
        os.chmod(d.program, 0o755)
        good, said = ask(d, "upgrade")
        equal(good, False)
        matches("no such luck", said)
        equal(d.workers(), old)


@test
def upgrade_and_reload():
    """a reload and an upgrade asked for at once: each gets its own answer"""
    with upgradable(workers=TWO) as d:
        d.wait_workers(2)
        text = d.configuration()
        with Asker(d) as reload, Asker(d) as upgrade, Asker(d) as second:
            reload.send(b"reload\n")
            upgrade.send(b"upgrade\n")
            second.send(b"reload\n")
            equal(reload.answer(), (True, "reloaded: 1 of 1 pools serve\n"))
            matches("^upgraded to ", upgrade.answer()[1])
            matches("^reloaded", second.answer()[1])
        equal(d.configuration(), text)
        d.wait_workers(2)


# ---- the rest -----------------------------------------------------------------


@test
def reopen():
    """reopen opens the log again, and says if it could not"""
    d = controlled()
    d.top["error_log"] = d.dir + "/rw/error.log"
    with d:
        os.rename(d.dir + "/rw/error.log", d.dir + "/rw/error.log.1")
        equal(ask(d, "reopen"), (True, "log files opened again\n"))
        assert os.path.exists(d.dir + "/rw/error.log")


@test
def reopen_fails():
    """reopen says if a pool's log could not be opened"""
    d = controlled()
    os.mkdir(d.dir + "/logs")
    d.set_pool("www", logs={"access": d.dir + "/logs/access"})
    with d:
        equal(ask(d, "reopen")[0], True)
        os.rename(d.dir + "/logs", d.dir + "/moved")
        d.expect("logs/access")
        equal(ask(d, "reopen"), (False, "a log file could not be opened "
                                 "again, the log says why\n"))
        os.rename(d.dir + "/moved", d.dir + "/logs")
        equal(ask(d, "reopen")[0], True)


@test
def stop():
    """stop answers once everything is done; what was begun is finished"""
    with controlled(workers=ONE) as d:
        gate = d.gate()
        busy = Background(d.lua, gate.lua + "return text('whole')")
        gate.wait()
        stopper = Background(ask, d, "stop")
        d.wait_log("stopping")
        matches("pid %d, stopping" % d.pid, ask(d, "ping")[1])
        reloader = ask(d, "reload")
        equal(reloader, (False, "the daemon stops\n"))
        gate.open()
        equal(busy.result().body, b"whole")
        equal(stopper.result(), (True, "stopped\n"))
        d.ended(0)
        d.check_log()
        d.destroy()


@test
def scale_static():
    """scale: a static pool has that many workers; a reload without a change
    keeps it so, one with a change does not"""
    with controlled(workers={"mode": "static", "max": 2}) as d:
        equal(ask(d, "scale www 3"), (True, "pool www: 3 workers\n"))
        d.wait_workers(3)
        for n in ("0", "4", "-1", "x", "1e1"):
            good, said = ask(d, "scale www " + n)
            equal(good, False)
            matches(r"from 1 to 3 .*found %s\n" % n, said)
        equal(ask(d, "scale www 1")[0], True)
        d.wait_workers(1)
        equal(ask(d, "reload")[0], True)
        equal(len(d.workers()), 1)
        d.set_pool("www", workers={"mode": "static", "max": 2},
                   timeouts={"stop": "9s"})
        d.write_conf()
        equal(ask(d, "reload")[0], True)
        d.wait_workers(2)


@test
def scale_dynamic():
    """scale: a dynamic pool has at most that many"""
    with controlled(workers={"mode": "dynamic", "max": 4, "start": 3,
                             "min_spare": 2, "max_spare": 3}) as d:
        equal(ask(d, "scale www 1"), (True, "pool www: at most 1 workers\n"))
        d.wait_workers(1)
        equal(d.fetch().status, 200)
        equal(ask(d, "scale www 7")[0], True)
        gates = [d.gate() for _ in range(6)]
        busy = [Background(d.lua, g.lua + "return text('x')") for g in gates]
        for g in gates:
            g.wait()
        for g in gates:
            g.open()
        for b in busy:
            equal(b.result().status, 200)


@test
def drain_and_resume():
    """drain: what was begun and what waits is served, then nobody listens; a
    reload does not bring it back, resume does"""
    with controlled(pools={"www": {"workers": ONE}, "b": {"workers": ONE}}) \
            as d:
        gate = d.gate()
        busy = Background(d.lua, gate.lua + "return text('whole')")
        gate.wait()
        waiting = Conn(d.address())
        waiting.send(request(lua="return text('waited')"))
        drain = Background(ask, d, "drain www")
        until(lambda: not os.path.exists(d.address()), "nobody can connect")
        gate.open()
        equal(busy.result().body, b"whole")
        equal(waiting.response().body, b"waited")
        waiting.close()
        equal(drain.result(), (True, "pool www: out of service\n"))
        equal(d.workers("www"), [])
        equal(d.fetch("b").status, 200)
        equal(ask(d, "drain www")[0], True, "again")
        equal(ask(d, "scale www 1")[1], "pool www: is not in service\n")
        equal(ask(d, "reload"), (True, "reloaded: 1 of 1 pools serve\n"))
        equal(d.workers("www"), [])
        equal(ask(d, "resume www"), (True, "pool www: in service\n"))
        equal(d.fetch().status, 200)
        equal(ask(d, "resume www")[0], True, "again")


@test
def drain_the_only_one():
    """the daemon stays when its only pool is drained; resume waits for the
    last worker to leave, and takes the newest configuration"""
    with controlled(workers=ONE) as d:
        gate = d.gate()
        busy = Background(d.lua, gate.lua + "return text('whole')")
        gate.wait()
        drain = Background(ask, d, "drain www")
        until(lambda: not os.path.exists(d.address()), "drained")
        d.set_pool("www", workers=TWO)
        d.write_conf()
        equal(ask(d, "reload"), (True, "reloaded: 0 of 0 pools serve; 1 "
                                 "worker of before is still busy\n"))
        with Asker(d) as resume:
            resume.send(b"resume www\n")
            equal(ask(d, "ping")[0], True, "heard after the other")
            gate.open()
            equal(busy.result().body, b"whole")
            equal(resume.answer(), (True, "pool www: in service\n"))
        drain.result()
        d.wait_workers(2)
        equal(d.fetch().status, 200)


@test
def resume_fails():
    """resume says so if no worker comes up"""
    with controlled(workers=ONE) as d:
        equal(ask(d, "drain www")[0], True)
        d.expect("broken", "before it was ready")
        d.write_app(BROKEN)
        equal(ask(d, "resume www"), (False, "pool www: no worker comes up, "
                                     "the log says why\n"))
        d.write_app(app_source("eval.lua"))
        until(lambda: os.path.exists(d.address()) and
              d.fetch().status == 200, "it recovers")


if __name__ == "__main__":
    run()
