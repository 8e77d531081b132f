#!/usr/bin/env python3
"""timeouts.queue: a request that has waited longer for a worker is answered
with a 503 and does not run; none is turned away too early."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

LIMIT = 0.4  # seconds
MODES = {
    "static": {"mode": "static", "max": 2},
    "dynamic": {"mode": "dynamic", "max": 2, "start": 1, "min_spare": 1,
                "max_spare": 1},
    "ondemand": {"mode": "ondemand", "max": 2, "idle_timeout": "100ms"}}
RUN = "runs = (runs or 0) + 1 return text('ran')"


def pool(mode="static", limit="400ms", **how):
    d = Daemon()
    logs = {"access": d.dir + "/access.log", "access_format": "%s %X"}
    d.set_pool("www", **{"workers": MODES[mode], "timeouts": {"queue": limit},
                         "logs": logs, "status_listen": d.dir + "/status.sock",
                         **how})
    return d


def status(d):
    return json.loads(fetch(d.dir + "/status.sock", uri="/status?json").body)


def hold(d, n=2, clients=None):
    """So many requests that are held, by clients of their own or by those."""
    gates = [d.gate() for _ in range(n)]
    asked = []
    for i, g in enumerate(gates):
        c = clients[i] if clients else d.connect()
        asked.append(Background(c.ask, lua=g.lua + "return text('held')",
                                keep=clients is not None))
        g.wait()
    return gates, asked


def drain(gates, asked):
    for g in gates:
        g.open()
    for a in asked:
        equal(a.result().body, b"held")


def read_lines(path):
    with open(path) as f:
        return f.read().splitlines()


def turned_away(r):
    equal((r.status, r.body, r.app_status),
          (503, b"Service Unavailable\n", 0))
    equal(r.header("Retry-After"), ["1"])


def check(d, address):
    """Two that are held, six that wait too long."""
    held = hold(d)
    asked = [Background(fetch, address, lua=RUN) for _ in range(6)]
    until(lambda: status(d)["max listen queue"] >= 6, "all wait")
    until(lambda: status(d)["listen queue"] == 0, "they are late")
    drain(*held)
    for a in asked:
        turned_away(a.result())
    equal(status(d)["queue timeouts"], 6)
    equal(fetch(address, lua=RUN).body, b"ran")
    lines = until(lambda: len(read_lines(d.dir + "/access.log")) == 9 and
                  read_lines(d.dir + "/access.log"), "all are logged")
    equal(sorted(lines), ["200 ok"] * 3 + ["503 queued"] * 6)


def in_mode(mode, **how):
    with pool(mode, **how) as d:
        check(d, d.address())


@test
def static():
    """mode static: a 503, the counter, a line in the access log; the next
    request runs"""
    in_mode("static")


@test
def dynamic():
    """mode dynamic"""
    in_mode("dynamic")


@test
def ondemand():
    """mode ondemand"""
    in_mode("ondemand")


@test
def tcp():
    """at an address of TCP, and with allowed_clients"""
    port = free_port()
    with pool(listen=["127.0.0.1:%d" % port],
              allowed_clients=["127.0.0.1"]) as d:
        check(d, "127.0.0.1:%d" % port)


@test
def several_addresses():
    """of several addresses, that at which it waits"""
    d = pool()
    d.set_pool("www", **{**d.pools["www"], "listen":
                         [d.dir + "/%d.sock" % i for i in range(3)]})
    with d:
        check(d, d.dir + "/2.sock")


@test
def within_the_limit():
    """who waits less is served, also behind one that is late"""
    with pool(limit="4s") as d:
        held = hold(d)
        early = [Background(d.fetch, lua=RUN) for _ in range(3)]
        until(lambda: status(d)["listen queue"] == 3, "they wait")
        drain(*held)
        for a in early:
            equal(a.result().body, b"ran")
        held = hold(d)
        late = [Background(d.fetch, lua=RUN) for _ in range(3)]
        until(lambda: status(d)["listen queue"] == 3, "they wait")
        until(lambda: status(d)["listen queue"] == 0, "they are late")
        early = [Background(d.fetch, lua=RUN) for _ in range(3)]
        until(lambda: status(d)["listen queue"] == 3, "others wait")
        drain(*held)
        for a in late:
            turned_away(a.result())
        for a in early:
            equal(a.result().body, b"ran")
        equal(status(d)["queue timeouts"], 3)


@test
def off():
    """without a limit nobody is turned away"""
    with pool(limit="0") as d:
        held = hold(d)
        asked = [Background(d.fetch, lua=RUN) for _ in range(3)]
        lasts(3 * LIMIT)
        drain(*held)
        for a in asked:
            equal(a.result().body, b"ran")


@test
def kept_alive():
    """on connections that are kept alive: those that were idle when all
    workers became busy"""
    with pool() as d:
        clients = [d.connect() for _ in range(6)]
        for c in clients:
            equal(c.ask(lua=RUN, keep=True).body, b"ran")
        held = hold(d, 2, clients[4:])
        lasts(0.3)  # the idle ones are in nobody's hand by now
        asked = [Background(c.ask, lua=RUN, keep=True) for c in clients[:4]]
        lasts(3 * LIMIT)
        drain(*held)
        for a in asked:
            turned_away(a.result())
        for c in clients:
            equal(c.ask(lua=RUN, keep=True).body, b"ran")
        equal(status(d)["queue timeouts"], 4)


@test
def kept_alive_alone():
    """the same with one worker, which sees by itself what waits"""
    with pool(workers={"mode": "static", "max": 1}) as d:
        clients = [d.connect() for _ in range(4)]
        for c in clients:
            equal(c.ask(lua=RUN, keep=True).body, b"ran")
        held = hold(d, 1)
        asked = [Background(c.ask, lua=RUN, keep=True) for c in clients]
        lasts(3 * LIMIT)
        drain(*held)
        seen = [a.result() for a in asked]
        assert {r.status for r in seen} <= {200, 503}, seen
        equal(status(d)["queue timeouts"],
              len([r for r in seen if r.status == 503]))


@test
def many():
    """200 clients of 2 workers, beyond what they can serve: who is served has
    not waited much longer than the limit, all others have a 503"""
    app = """local app = {}
    function app.accept(env)
      os.execute("sleep 0.05")
      return { ["X-Begun"] = "1" }, "served"
    end
    return app"""
    n = 200
    with pool(limit="500ms") as d:
        d.write_app(app)
        d.reload()
        began = time.monotonic()

        def ask():
            r = d.fetch()
            return r.status, time.monotonic() - began
        answers = [a.result() for a in [Background(ask) for _ in range(n)]]
        served = [t for s, t in answers if s == 200]
        equal({s for s, _ in answers}, {200, 503})
        assert len(served) >= 2, answers
        equal(status(d)["queue timeouts"], n - len(served))
        diag("%d served, the last after %.2f s; all after %.2f s" %
             (len(served), max(served), max(t for _, t in answers)))


@test
def over_generations():
    """a reload that replaces the workers, and an upgrade, meanwhile: nobody
    waits for ever, and the new workers' limit counts"""
    with pool(timeouts={"queue": "400ms", "stop": "20s"}) as d:
        for change in ("reload", "upgrade"):
            held = hold(d)
            asked = [Background(d.fetch, lua=RUN) for _ in range(4)]
            until(lambda: status(d)["listen queue"] == 4, "they wait")
            until(lambda: status(d)["listen queue"] == 0, "they are late")
            mark = d.log_mark()
            if change == "upgrade":
                d.kill(signal.SIGUSR2)
                d.wait_log(" upgraded from ", mark)
            else:
                d.set_pool("www", **{**d.pools["www"],
                                     "environment": {"A": "B"}})
                d.write_conf()
                d.reload()
            for a in asked:
                turned_away(a.result())
            drain(*held)
            equal(d.fetch(lua=RUN).body, b"ran")


run(120, over=BOTH)
