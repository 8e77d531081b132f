#!/usr/bin/env python3
"""status_listen: the status of a pool from a socket of its own, which is
answered whatever the workers do or fail to do."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

TWO = {"mode": "static", "max": 2}


class Shown(Daemon):
    """A daemon whose pools have a status_listen."""

    def set_pool(self, name, **keys):
        where = "%s/%s.status" % (self.dir, name)
        self.sockets.add(where)
        super().set_pool(name, **{"workers": TWO, "status_listen": where,
                                  **keys})

    def ask(self, uri="/status?json&full", pool="www"):
        return fetch(self.pools[pool]["status_listen"], uri=uri)

    def status(self, pool="www"):
        r = self.ask(pool=pool)
        equal(r.status, 200)
        return json.loads(r.body)

    def reporters(self, pool="www"):
        return [p for p in children(self.pid)
                if command_line(p).strip() == "lua-fpm: status of " + pool]

    def reporter(self, pool="www"):
        until(lambda: len(self.reporters(pool)) == 1, "one reporter")
        return self.reporters(pool)[0]


d = Shown(ping_path="/ping")


@test
def answers():
    """it answers status and ping, and nothing else; the application keeps
    every path of the pool's own sockets"""
    d.start()
    until(lambda: d.status()["idle processes"] == 2)
    s = d.status()
    equal((s["pool"], s["total processes"]), ("www", 2))
    equal(sorted(p["pid"] for p in s["processes"]), d.workers("www"))
    equal((d.ask("/ping").status, d.ask("/ping").body), (200, b"pong"))
    for uri in ("/", "/status/", "/other", "/statu"):
        equal(d.ask(uri).status, 404, uri)
    for form in ("", "?html", "?xml", "?openmetrics", "?full"):
        equal(d.ask("/status" + form).status, 200, form)
    equal(d.fetch(uri="/status").body, b"hello")
    equal(oct(file_mode(d.pools["www"]["status_listen"])), "0o666")


@test
def counts_nothing():
    """what it answers is no request of the pool, and requests of the pool do
    not wake it"""
    first = d.status()
    for _ in range(30):
        d.ask()
    equal(d.status()["accepted conn"], first["accepted conn"])

    def switches():
        with open("/proc/%d/status" % d.reporter()) as f:
            return int(re.findall(r"ctxt_switches:\s+(\d+)", f.read())[0])
    before = switches()
    for _ in range(200):
        equal(d.fetch().status, 200)
    assert switches() - before < 5  # it may have had to end with the last
    equal(d.status()["accepted conn"], first["accepted conn"] + 200)


@test
def light():
    """it has no application: of its own it has half a megabyte at most, and
    less than a worker"""
    def written(pid):
        """What it has in memory of its own: pages of files are whoever's
        has them mapped at this moment."""
        with open("/proc/%d/smaps_rollup" % pid) as f:
            return int(re.search(r"Private_Dirty:\s+(\d+) kB", f.read())[1])
    mine, theirs = written(d.reporter()), written(d.workers("www")[0])
    diag("memory of its own: %d kB, a worker %d kB" % (mine, theirs))
    if not SANITIZED:
        assert mine < 512 and mine < theirs - 40, (mine, theirs)


@test
def while_all_are_busy():
    """with every worker busy and clients waiting, all of it is shown"""
    gates = [d.gate(), d.gate()]
    held = [Background(d.fetch, uri="/held%d" % i, timeout=60,
                       lua="gate('%s') return text('done')" % g.path)
            for i, g in enumerate(gates)]
    for g in gates:
        g.wait()
    queued = [Background(d.fetch, timeout=60) for _ in range(3)]
    until(lambda: d.status()["listen queue"] == 3, "three wait")
    s = d.status()
    equal((s["active processes"], s["idle processes"]), (2, 0))
    equal(sorted(p["request uri"] for p in s["processes"]),
          ["/held0", "/held1"])
    for pid in d.workers("www"):
        os.kill(pid, signal.SIGSTOP)
    until(lambda: all(process_stat(p)[0] == "T" for p in d.workers("www")))
    equal(d.status()["active processes"], 2)
    for pid in d.workers("www"):
        os.kill(pid, signal.SIGCONT)
    for g in gates:
        g.open()
    for b in held + queued:
        equal(b.result().status, 200)
    until(lambda: d.status()["idle processes"] == 2)


@test
def killed():
    """kill -9 of the reporter: there is another, and no worker noticed"""
    workers, old = d.workers("www"), d.reporter()
    kill(old, signal.SIGKILL)
    d.wait_log(r"warning \[pool www\] \[pid %d\] the process of "
               r"status_listen was killed by signal 9" % old)
    equal(d.status()["total processes"], 2)  # waits for the next one
    assert d.reporter() != old
    equal(d.workers("www"), workers)


@test
def logs_and_hup():
    """USR1 and a HUP that changes nothing leave it as it is"""
    old = d.reporter()
    d.kill(signal.SIGUSR1)
    os.kill(old, signal.SIGHUP)
    d.reload()
    equal(d.status()["total processes"], 2)
    equal(d.reporter(), old)


@test
def log_reopened():
    """it does not have the error log, and what it says is in the new file
    after USR1"""
    e = Shown()
    e.top["error_log"] = e.dir + "/errors"
    with e:
        os.rename(e.dir + "/errors", e.dir + "/errors.1")
        e.kill(signal.SIGUSR1)
        until(lambda: os.path.exists(e.dir + "/errors"))
        pid = e.reporter()
        links = [link for _, link in fds(pid)]
        equal([x for x in links if x.startswith(e.dir + "/errors")], [])
        with Conn(e.pools["www"]["status_listen"]) as c:
            c.send(b"no request at all\0")
            c.response()
        until(lambda: re.search(r"\[pid %d\] .*connection \d+: " % pid,
                                open(e.dir + "/errors").read()))


@test
def reloads():
    """over 10 reloads with new workers no request for the status fails"""
    old, generation = d.reporter(), d.status()["generation"]
    load = Load(d.pools["www"]["status_listen"], uri="/status?json", clients=2)
    for i in range(10):
        load.more(10)
        d.set_pool("www", ping_path="/ping", environment={"N": str(i)})
        d.write_conf()
        d.reload()
    load.more(10)
    done, failures = load.stop()
    equal(failures[:3], [], "%d of %d" % (len(failures), done))
    assert d.reporter() != old
    equal(d.status()["generation"], generation + 10)


@test
def crash_loop():
    """a pool whose workers all fail shows that"""
    d.expect("broken on purpose", "before it was ready")
    mark, before = d.log_mark(), d.status()
    d.write_app("error('broken on purpose')")
    for pid in d.workers("www"):
        kill(pid, signal.SIGKILL)
    d.wait_log("the next worker starts in 800 ms", mark)
    until(lambda: d.status()["backoff"]["state"] == "waiting" and
          d.status()["backoff"]["failures"] > 2, "back-off is shown")
    told = d.status()
    equal(told["idle processes"], 0)
    equal(told["crashes"] - before["crashes"], 2, "as many as were killed")
    assert told["failed loads"] - before["failed loads"] >= 3, told
    d.write_app(app_source("eval.lua"))
    until(lambda: d.status()["idle processes"] == 2, "it has recovered",
          PATIENCE * 2)


@test
def added_and_dropped():
    """a reload brings a status_listen, and takes it away"""
    keys = dict(d.pools["www"])
    where = d.pools["www"].pop("status_listen")
    d.write_conf()
    d.reload()
    until(lambda: not d.reporters(), "it leaves")
    until(lambda: not os.path.exists(where), "its socket is gone")
    equal(d.fetch().status, 200)
    d.pools["www"] = keys
    d.write_conf()
    d.reload()
    until(lambda: d.status()["total processes"] == 2, "the old ones left")


@test
def dropped_while_busy():
    """a status_listen goes while a worker of before is busy: clients are
    refused, and do not wait for its end"""
    keys = dict(d.pools["www"])
    for address in ("127.0.0.1:%d" % free_port(socket.AF_INET),
                    d.dir + "/dropped.status"):
        d.set_pool("www", **{**keys, "status_listen": address})
        d.write_conf()
        d.reload()
        equal(fetch(address, uri="/ping").status, 200)
        gate = d.gate()
        held = Background(d.lua, gate.lua + "return text('held')")
        gate.wait()
        d.set_pool("www", **keys)
        d.write_conf()
        d.reload()
        family, where = parse_address(address)

        def refused():
            with socket.socket(family) as s:
                return s.connect_ex(where) != 0
        until(refused, "nobody listens at " + address)
        gate.open()
        equal(held.result().body, b"held")
        d.wait_workers(2, "www")


@test
def leaves_last():
    """while the daemon stops it shows who is leaving; then it is gone"""
    gate = d.gate()
    held = Background(d.fetch, uri="/held", timeout=60,
                      lua="gate('%s') return text('done')" % gate.path)
    gate.wait()
    d.check_leaks()
    d.kill(signal.SIGTERM)
    until(lambda: d.status()["total processes"] == 1, "one is left")
    equal([(p["state"], p["request uri"]) for p in d.status()["processes"]],
          [("Leaving", "/held")])
    gate.open()
    equal(held.result().body, b"done")
    d.ended(0)
    d.check_log()
    d.destroy()


@test
def at_once():
    """INT twice, and kill -9 of the master: it is gone too"""
    with Shown() as e:
        e.status()
        gate = e.gate()
        held = Background(e.fetch, timeout=60, lua="gate('%s')" % gate.path)
        gate.wait()
        e.kill(signal.SIGINT)
        e.wait_log("hurry")
        e.kill(signal.SIGINT)
        e.ended(0)
        with contextlib.suppress(Exception):
            held.result()
        e.destroy()
    f = Shown().start()
    f.status()
    f.kill(signal.SIGKILL)
    f.process.wait(PATIENCE)
    until(lambda: not session(f.pid), "no orphan")
    f.destroy()


@test
def upgraded():
    """after an upgrade in place (USR2) there is one, and none is left over"""
    with Shown() as e:
        old = e.reporter()
        load = Load(e.pools["www"]["status_listen"], uri="/status",
                    clients=2)
        load.more(10)
        e.kill(signal.SIGUSR2)
        e.wait_log(" upgraded from ")
        until(lambda: old not in e.reporters() and len(e.reporters()) == 1,
              "one reporter, a new one")
        load.more(10)
        equal(load.stop()[1], [])
        until(lambda: e.status()["total processes"] == 2)


@test
def chrooted():
    """with user and chroot it runs as the user, below the directory"""
    if not ROOT:
        raise Skip("not root")
    e = Shown()
    os.mkdir(e.dir + "/jail")
    write(e.dir + "/jail/app.lua", app_source("eval.lua"))
    e.set_pool("www", app="/app.lua", chroot=e.dir + "/jail",
               status_path="/s")
    e.start(env=NO_LEAK_SEARCH)
    with e:
        r = e.ask("/s?json")
        equal((r.status, json.loads(r.body)["total processes"]), (200, 2))
        equal(e.ask("/status").status, 404)
        pid = e.reporter()
        equal(os.readlink("/proc/%d/root" % pid), e.dir + "/jail")
        with open("/proc/%d/status" % pid) as f:
            uid = re.search(r"Uid:\s+(\d+)\s+(\d+)", f.read())
        equal({int(uid[1]), int(uid[2])},
              {pwd.getpwnam(pool_user()).pw_uid})


@test
def fails_with_its_pool():
    """a daemon that does not come up leaves no reporter behind"""
    e = Shown(app="error('broken on purpose')")
    e.write_conf()
    e.spawn()
    e.ended(70)
    e.destroy()


@test
def address_in_use():
    """a reload says that it is an address of status_listen that is taken"""
    taken = socket.create_server(("127.0.0.1", 0))
    address = "127.0.0.1:%d" % taken.getsockname()[1]
    with Shown() as e:
        e.expect("status_listen", "reload refused")
        e.set_pool("www", status_listen=address)
        e.write_conf()
        mark = e.log_mark()
        e.kill(signal.SIGHUP)
        e.wait_log("error .*pool www: status_listen %s: cannot listen on" %
                   spelt(address), mark)
    taken.close()


@test
def addresses():
    """-t finds addresses that are none, or taken already"""
    for where, said in (
            ("nonsense", r"status_listen: "),
            ("%(dir)s/www.sock", r"status_listen .* belongs to pool www"),
            ("127.0.0.1:70000", r"status_listen: ")):
        e = Daemon()
        e.set_pool("www", status_listen=where % {"dir": e.dir})
        e.write_conf()
        code, _, err = tool("-t", "-c", e.file)
        equal(code, 78, where)
        matches(said, err)
        e.destroy()


run(over=BOTH)
