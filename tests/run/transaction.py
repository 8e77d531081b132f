#!/usr/bin/env python3
"""A reload is one transaction over the whole daemon: all of it, or not a bit
of what runs is different."""

import fcntl
import os
import sys
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

ONE = {"mode": "static", "max": 1}
TWO = {"mode": "static", "max": 2}
FOUR = {"mode": "static", "max": 4}


def backlogs():
    """Local address -> backlog of everything that listens."""
    if shutil.which("ss") is None:
        return {}
    text = (tool("-lxH", program="ss")[1] + tool("-ltnH", program="ss")[1])
    return {a: n for n, a in
            re.findall(r"LISTEN\s+\d+\s+(\d+)\s+(\S+)", text)}


def acl(path):
    if shutil.which("getfacl") is None:
        return None
    return tool("-pn", path, program="getfacl")[1]


def present(d):
    """All that can be seen of a daemon: processes, sockets with their rights,
    descriptors of the master, its own account."""
    place = {}
    for name in sorted(os.listdir(d.dir)):
        path = os.path.join(d.dir, name)
        if not stat.S_ISSOCK(os.lstat(path).st_mode) or name == "notify":
            continue
        s = os.lstat(path)
        place[name] = (s.st_ino, s.st_uid, s.st_gid, oct(s.st_mode), acl(path),
                       backlogs().get(path))
    status = tool("-s", d.control, "status", "--json", program=LUA_FPMCTL)[1]
    known = re.findall(r'"(?:generation|crashes|restarts)": ?\d+', status)
    assert len(known) >= 3, status
    return d.workers(), place, len(fds(d.pid)), known


def refused(d, *said):
    """The reload that is written now is refused for that reason, which the
    tool says as well, and nothing has changed."""
    before, mark = present(d), d.log_mark()
    d.write_conf()
    code, out, err = tool("-s", d.control, "reload", program=LUA_FPMCTL)
    equal(code, 1, out + err)
    for text in said:
        matches(text, err)
        d.wait_log(text, mark)
    d.wait_log(r"reload refused: nothing has changed; \d+ of \d+ pools "
               "serve$", mark)
    assert " ready: " not in d.read_log(mark), "refused, and ready"
    until(lambda: present(d) == before, "all is as before: %r, %r" %
          (before, present(d)))


def daemon(pools, **how):
    d = Daemon(pools=pools, **how)
    d.control = d.top["control"] = d.dir + "/control"
    d.sockets.add(d.control)
    d.start()
    d.expect("reload refused", "before it was ready", "do not come up")
    for name in pools:
        d.wait_ready(pools[name].get("workers", TWO)["max"], name)
    return d


def good_and(d):
    """Changes of every kind in pool a, which alone would be good."""
    d.set_pool("a", workers=FOUR, backlog=77, listen_mode="0600",
               listen_owner="nobody" if ROOT else None,
               listen_acl_users=["daemon"] if ROOT and
               shutil.which("getfacl") else None,
               listen=[d.dir + "/a.sock", d.dir + "/more.sock",
                       "127.0.0.1:%d" % free_port()])


@test
def address_is_no_socket():
    """an address that cannot be had: the sockets that serve keep owner, mode,
    list, backlog"""
    with daemon({"a": {"workers": TWO}, "b": {"workers": ONE}}) as d:
        write(d.dir + "/file", "precious")
        good_and(d)
        d.set_pool("c", listen=d.dir + "/file")
        d.expect("pool c")
        refused(d, "pool c: listen .*file exists and is not a socket")
        d.drop_pool("c")
        d.sockets.discard(d.dir + "/file")
        d.write_conf()
        d.reload()
        s = os.stat(d.dir + "/a.sock")
        equal(oct(stat.S_IMODE(s.st_mode) & 0o707), "0o600")
        if backlogs():
            equal(backlogs()[d.dir + "/a.sock"], "77")
        if ROOT:
            equal(s.st_uid, pwd.getpwnam("nobody").pw_uid)
        equal(d.fetch("a").status, 200)
        d.fds_before = d.count_fds()


@test
def application_does_not_load():
    """pool a's new workers load, pool b's do not: nothing changes, and the
    tool says the reason, with file and line, that the log has"""
    with daemon({"a": {"workers": TWO}, "b": {"workers": ONE}}) as d:
        good_and(d)
        d.write_app("\nerror('no licence')", "broken.lua")
        d.set_pool("b", workers=ONE, app=d.dir + "/broken.lua")
        d.expect("broken.lua")
        refused(d, r"pool b: new workers do not come up, the old ones stay: "
                r"\S+/broken.lua:2: no licence")
        equal((d.fetch("a").status, d.fetch("b").status), (200, 200))


@test
def comes_up_in_part():
    """a module that loads in three of four workers: the three are given up
    too, and none of them has served"""
    with daemon({"a": {"workers": FOUR}}, app="""
            return { accept = function() return {}, "old" end }""") as d:
        d.expect("all three seats")
        d.write_app("""
            for i = 1, 4 do
                if i == 4 then error("all three seats are taken") end
                if os.execute("mkdir %s/rw/seat" .. i .. " 2>/dev/null") then
                    break
                end
            end
            return { accept = function() return {}, "new" end }""" % d.dir)
        load = Load(d.address("a"), clients=4, check=lambda r:
                    r.body == b"old")
        load.more(20)
        refused(d, r"pool a: new workers do not come up, the old ones stay: "
                r"\S+/app.lua:3: all three seats are taken")
        load.more(20)
        equal(load.stop()[1], [])


@test
def changed_on_disk():
    """two pools whose application has changed on disk, one for the worse:
    both stay, and no restart is called in a third"""
    app = """return { accept = function() return {}, "%s" end, restart =
        function() print("restart called") end }"""
    with daemon({"a": {"workers": TWO}, "b": {"workers": TWO},
                 "c": {"workers": TWO}}, app=app % "1") as d:
        for name in "ab":
            d.write_app(app % "1", name + ".lua")
            d.set_pool(name, workers=TWO, app="%s/%s.lua" % (d.dir, name))
        d.write_conf()
        d.reload()
        until(lambda: len(d.workers()) == 6, "the old ones are gone")
        d.write_app(app % "2", "a.lua")
        d.write_app("return {", "b.lua")
        d.expect("b.lua")
        mark = d.log_mark()
        refused(d, r"pool b: .*b.lua:1: ")
        equal([d.fetch(p).body for p in "abc"], [b"1"] * 3)
        assert "restart called" not in d.read_log(mark)
        d.write_app(app % "3", "b.lua")
        d.reload()
        equal([d.fetch(p).body for p in "abc"], [b"2", b"3", b"1"])
        d.wait_log("pool c.*restart called", mark)


@test
def new_pool_does_not_come_up():
    """a new pool whose application does not load: nothing changes, its socket
    is not there"""
    with daemon({"a": {"workers": TWO}}) as d:
        good_and(d)
        d.write_app("return 7", "broken.lua")
        d.set_pool("new", workers=ONE, app=d.dir + "/broken.lua")
        d.expect("broken.lua")
        refused(d, r"pool new: no worker comes up: \S+/broken.lua returned a "
                "number")
        assert not os.path.exists(d.address("new"))


@test
def hangs():
    """a new generation that is not ready in time"""
    with daemon({"a": {"workers": TWO}, "b": {"workers": ONE}}) as d:
        good_and(d)
        d.write_app("while true do end", "loop.lua")
        d.set_pool("b", workers=ONE, app=d.dir + "/loop.lua",
                   timeouts={"start": "300ms"})
        d.expect("timeouts.start")
        refused(d, "pool b: .*loading exceeds timeouts.start")


@test
def log_and_control():
    """an error log, a control socket that cannot be had: the other one stays
    where it was too"""
    with daemon({"a": {"workers": TWO}}) as d:
        d.expect("cannot open", "cannot make")
        good_and(d)
        d.top.update(error_log=d.dir + "/missing/log",
                     control=d.dir + "/other")
        refused(d, "cannot open .*missing/log: No such file")
        d.top.update(error_log=d.dir + "/other.log",
                     control=d.dir + "/missing/control")
        refused(d, "cannot make .*missing/control: No such file")
        assert not os.path.exists(d.dir + "/other")
        del d.top["error_log"]
        d.top["control"] = d.control


@test
def rights_cannot_be_set():
    """the rights of one of several live sockets cannot be set when all else
    is done: the others get theirs back"""
    if not ROOT or shutil.which("chattr") is None:
        raise Skip("not root, or no chattr")
    pools = {"a": {"workers": TWO}, "b": {"workers": TWO}}
    with daemon(pools) as d:
        place = d.dir + "/b"
        os.mkdir(place)
        if tool("-t", "tmpfs", "none", place, program="mount")[0] != 0:
            raise Skip("cannot mount")
        try:
            d.set_pool("b", workers=TWO, listen=place + "/b.sock")
            d.write_conf()
            d.reload()
            d.wait_ready(2, "b")
            equal(tool("-o", "remount,ro", place, program="mount")[0], 0)
            good_and(d)
            d.set_pool("b", workers=TWO, listen=place + "/b.sock",
                       listen_mode="0600")
            d.expect("b.sock")
            before = os.stat(place + "/b.sock")
            refused(d, "pool b: .*b.sock: Read-only file system")
            equal(os.stat(place + "/b.sock").st_mode, before.st_mode)
            equal((d.fetch("a").status, d.fetch("b").status), (200, 200))
            equal(tool("-o", "remount,rw", place, program="mount")[0], 0)
            d.set_pool("b", workers=TWO)
            d.write_conf()
            d.reload()
            until(lambda: len(d.workers()) == 6, "the old ones are gone")
        finally:
            tool("-l", place, program="umount")
            d.sockets = {p for p in d.sockets if "/b/" not in p}
            d.fds_before = d.count_fds()


@test
def still_busy():
    """the answer and the log say how many workers of before are busy"""
    with daemon({"a": {"workers": TWO}}) as d:
        gate = d.gate()
        held = [Background(d.lua, gate.lua + "return text('x')", "a")]
        gate.wait()
        d.set_pool("a", workers=FOUR)
        d.write_conf()
        mark = d.log_mark()
        equal(tool("-s", d.control, "reload", program=LUA_FPMCTL),
              (0, "reloaded: 1 of 1 pools serve; 1 worker of before is still "
               "busy\n", ""))
        d.wait_log("ready: 1 of 1 pools serve; 1 worker of before is still "
                   "busy", mark)
        gate.open()
        equal(held[0].result().body, b"x")
        until(lambda: len(d.workers()) == 4, "the old ones are gone")
        equal(tool("-s", d.control, "reload", program=LUA_FPMCTL)[1],
              "reloaded: 1 of 1 pools serve\n")


# ---- addresses that go from pool to pool -------------------------------------


def named(d, name, listen, workers=TWO, **keys):
    """A pool whose application answers with its letter."""
    d.write_app("""return { accept = function(env)
            if env.QUERY_STRING == "slow" then os.execute("sleep 0.02") end
            return {}, "%s" end }""" % name[0], name + ".lua")
    d.set_pool(name, workers=workers, listen=listen,
               app="%s/%s.lua" % (d.dir, name), **keys)


def moving(*pools):
    d = Daemon(pools={"none": {}})
    d.drop_pool("none")
    d.control = d.top["control"] = d.dir + "/control"
    d.sockets.add(d.control)
    for name, listen in pools:
        named(d, name, [place(d, a) for a in listen])
    d.start()
    for name, _ in pools:
        d.wait_ready(2, name)
    return d


def place(d, address):
    return address if ":" in address else "%s/%s" % (d.dir, address)


def move(d, *pools):
    for name in list(d.pools):
        d.drop_pool(name)
    for name, listen in pools:
        named(d, name, [place(d, a) for a in listen])
    d.write_conf()
    equal(tool("-s", d.control, "reload", program=LUA_FPMCTL)[0], 0)


def moved_under_load(address, there, back, letters,
                     n=10 if "FULL" in os.environ else 4):
    """No request fails, fresh or kept, however often the address goes from
    one pool to another and back; and who has it answers."""
    for keep in (False, True):
        d = moving(*there)
        with d:
            loads = [Load(place(d, a), clients=3, keep=keep, uri=uri,
                          check=lambda r: r.status == 200 and
                          r.body in letters)
                     for a in address for uri in ("/", "/?slow")]
            for i in range(n):
                move(d, *(there if i % 2 else back))
                for load in loads:
                    load.more(5)
                for name, listen in (there if i % 2 else back):
                    for a in listen:
                        equal(fetch(place(d, a)).body, name[:1].encode())
            found = [load.stop() for load in loads]
            diag("%d requests over %d reloads" % (sum(f[0] for f in found),
                                                  n))
            equal([f[1][:2] for f in found], [[]] * len(found))
            until(lambda: len(d.workers()) == 2 * len(d.pools),
                  "the old ones are gone")
            d.fds_before = d.count_fds()


@test
def renamed():
    """a pool gets another name and keeps its socket, under load"""
    moved_under_load(["x.sock"], [("alpha", ["x.sock"])],
                     [("beta", ["x.sock"])], (b"a", b"b"))


@test
def renamed_tcp():
    """the same over TCP"""
    a = "127.0.0.1:%d" % free_port()
    moved_under_load([a], [("alpha", [a])], [("beta", [a])], (b"a", b"b"))


@test
def swapped():
    """two pools swap their addresses, under load"""
    moved_under_load(["x.sock", "y.sock"],
                     [("alpha", ["x.sock"]), ("beta", ["y.sock"])],
                     [("alpha", ["y.sock"]), ("beta", ["x.sock"])],
                     (b"a", b"b"))


@test
def one_of_two():
    """one of two addresses goes to another pool, the other stays; and to a
    new one; under load"""
    a = "127.0.0.1:%d" % free_port()
    moved_under_load(["x.sock", a, "z.sock"],
                     [("alpha", ["x.sock", a]), ("beta", ["z.sock"])],
                     [("alpha", ["x.sock"]), ("beta", ["z.sock", a])],
                     (b"a", b"b"))
    moved_under_load(["x.sock", a], [("alpha", ["x.sock", a])],
                     [("alpha", ["x.sock"]), ("beta", [a])], (b"a", b"b"))


@test
def pools_become_one():
    """two pools become one of a third name, and two again, under load"""
    moved_under_load(["x.sock", "y.sock"],
                     [("alpha", ["x.sock"]), ("beta", ["y.sock"])],
                     [("gamma", ["x.sock", "y.sock"])], (b"a", b"b", b"g"))


def unread(sock):
    """Bytes that the other side has not received (unix(7), SIOCOUTQ)."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ,
                                          b"\0" * 4))[0]


@test
def kept_connections_follow():
    """an idle kept connection goes with its address; one that has sent
    something is answered by the application that heard it"""
    with moving(("alpha", ["x.sock"]), ("beta", ["y.sock"])) as d:
        idle, begun = Conn(place(d, "x.sock")), Conn(place(d, "x.sock"))
        silent = Conn(place(d, "x.sock"))
        equal(idle.ask(keep=True).body, b"a")
        equal(begun.ask(keep=True).body, b"a")
        whole = request(keep=True)
        begun.send(whole[:20])
        until(lambda: not unread(begun.sock), "a worker has heard it")
        move(d, ("alpha", ["y.sock"]), ("beta", ["x.sock"]))
        equal(idle.ask(keep=True).body, b"b")
        equal(silent.ask(keep=True).body, b"b")
        begun.send(whole[20:])
        equal(begun.response().body, b"a")
        until(lambda: len(d.workers()) == 4, "the old ones are gone")
        for c in (idle, silent):
            equal(c.ask(keep=True).body, b"b")
            c.close()
        equal(begun.ask(keep=True).body, b"b", "when that was over it went")
        begun.close()


def stopped_after_a_move(one, two):
    d = Daemon(pools={"alpha": {}, "beta": {}})
    for name, where in (("alpha", one), ("beta", two)):
        d.write_app("WHO = '%s'\n" % name + app_source("eval.lua"),
                    name + ".lua")
        d.set_pool(name, app="%s/%s.lua" % (d.dir, name), workers=ONE,
                   listen=place(d, where))
    d.start()
    gates, address = (d.gate(), d.gate()), place(d, one)

    def ask(gate):
        asked = Background(fetch, address, lua=gate.lua + "return text(WHO)")
        gate.wait()
        return asked
    first, old = ask(gates[0]), d.wait_workers(1, "alpha")[0]
    for name, where in (("alpha", two), ("beta", one)):
        d.pools[name]["listen"] = place(d, where)
    d.write_conf()
    d.reload()
    second, last = ask(gates[1]), Conn(address)
    last.send(request(lua="return text(WHO)"))
    d.kill(signal.SIGTERM)
    d.wait_log("stopping")
    gates[0].open()
    equal(first.result().body, b"alpha")
    until(lambda: not alive(old), "the old worker is gone")
    gates[1].open()
    equal(second.result().body, b"beta")
    equal(last.response().body, b"beta")
    d.ended(0)
    d.check_log()
    d.destroy()


@test
def stopped():
    """who waits when the daemon stops is served by the application that has
    the address, not by a worker that had it before and is still busy"""
    stopped_after_a_move("x.sock", "y.sock")
    stopped_after_a_move(*["127.0.0.1:%d" % free_port() for _ in range(2)])


@test
def refused_move():
    """a move that is refused: each address stays with its pool"""
    with moving(("alpha", ["x.sock"]), ("beta", ["y.sock"])) as d:
        d.expect("reload refused", "before it was ready", "broken.lua",
                 "belongs to")
        good = dict(d.pools)
        named(d, "alpha", place(d, "y.sock"))
        named(d, "beta", place(d, "x.sock"))
        d.write_app("return {", "broken.lua")
        d.set_pool("beta", workers=TWO, listen=place(d, "x.sock"),
                   app=d.dir + "/broken.lua")
        refused(d, "pool beta: .*broken.lua:1")
        for path, letter in (("x.sock", b"a"), ("y.sock", b"b")):
            equal({fetch(place(d, path)).body for _ in range(10)}, {letter})
        d.pools = good
        named(d, "gamma", place(d, "x.sock"))
        refused(d, 'pool gamma: listen: ".*x.sock" belongs to pool alpha '
                "already")


run(240)
