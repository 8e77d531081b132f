#!/usr/bin/env python3
"""What the status counts is exact: over errors, time-outs, deaths, reloads,
and while no worker is free.

A request is counted as over a moment after its client has the last byte: with
one worker the next request comes after that, else a test waits for it.
"""

import contextlib
import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

STATUS = {"status_path": "/s"}
ONE = {"workers": {"mode": "static", "max": 1}}
# Counters of the pool: they never fall.
GROWING = ("accepted conn", "requests", "slow requests", "timeouts",
           "queue timeouts", "failed requests", "killed requests", "abandoned requests",
           "bytes in", "bytes out", "latency sum", "forks", "restarts",
           "crashes", "max children reached", "generation")


def look(d, query="json&full"):
    r = d.fetch(uri="/s?" + query)
    equal((r.status, r.app_status), (200, 0))
    return json.loads(r.body)


def in_hand(status):
    """Begun and neither over nor lost; the question itself among them."""
    return (status["accepted conn"] - status["requests"] -
            status["killed requests"])


def settled(d, idle):
    """What it shows once nobody but who is asked has anything in hand."""
    def seen():
        s = look(d)
        return in_hand(s) == 1 and s["idle processes"] == idle and \
            s["total processes"] == idle + 1 and s

    return until(seen, "%d workers are idle" % idle)


@contextlib.contextmanager
def growth(d):
    """How much each counter grows, this look's own request left out."""
    before, grown = look(d), {}
    yield grown
    after = look(d)
    for name in GROWING:
        grown[name] = after[name] - before[name]
    grown["accepted conn"] -= 1
    grown["requests"] -= 1
    for name, n in after["responses"].items():
        grown[name] = n - before["responses"][name]
    grown["2xx"] -= 1
    grown["in latency"] = (after["latency"][-1]["count"] -
                           before["latency"][-1]["count"] - 1)


def held(d, **how):
    """A request inside the application: its gate and connection."""
    gate, c = d.gate(), d.connect()
    c.send(request(lua=gate.lua + "return text('x')", **how))
    gate.wait()
    return gate, c


@test
def every_request():
    """each request is in its class, with its bytes, once"""
    with Daemon(**ONE, **STATUS) as d:
        d.expect("boom", "expected a table")
        with growth(d) as n:
            for status in (200, 201, 302, 404, 404, 503):
                d.lua("return { Status = %d, ['X'] = 'y' }, 'x'" % status)
            equal(d.lua("error('boom')").status, 500)
            equal(d.lua("return 1").status, 500)
            d.lua("return text(#env.input:read('a'))", body="z" * 70000)
            d.lua("return text('unread')", body="z" * 3000)
        got = {k: n[k] for k in ("accepted conn", "requests", "in latency",
                                 "2xx", "3xx", "4xx", "5xx", "none",
                                 "failed requests", "bytes in", "timeouts",
                                 "killed requests")}
        equal(got, {"accepted conn": 10, "requests": 10, "in latency": 10,
                    "2xx": 4, "3xx": 1, "4xx": 2, "5xx": 3, "none": 0,
                    "failed requests": 2, "bytes in": 73000, "timeouts": 0,
                    "killed requests": 0})


@test
def bytes_out():
    """bytes out are those of heads and bodies, exactly"""
    with Daemon(**ONE, **STATUS) as d:
        first = d.fetch(uri="/s?json")
        sent = len(first.out)
        for n in (0, 1, 100000):
            sent += len(d.lua("return text(('x'):rep(%d))" % n).out)
        sent += len(d.lua("return text('x')", method="HEAD").out)
        sent += len(d.lua("error('boom')").out)
        d.expect("boom")
        equal(look(d)["bytes out"] - json.loads(first.body)["bytes out"],
              sent)


@test
def timeouts():
    """a request beyond its time is a time-out and a 4xx; once"""
    with Daemon(timeouts={"request": "200ms", "stop": "10s"},
                **ONE, **STATUS) as d:
        d.expect("exceeds timeouts.request")
        with growth(d) as n:
            equal(d.lua("while true do end").status, 408)
            d.lua("return text('x')")
        equal((n["timeouts"], n["4xx"], n["requests"], n["crashes"]),
              (1, 1, 2, 0))


@test
def killed_workers():
    """requests of killed workers are lost, and nothing drifts"""
    with Daemon(workers={"mode": "static", "max": 3}, **STATUS) as d:
        d.lua("return text('x')")
        before = look(d)
        for n in range(1, 4):
            gate, c = held(d)
            victim, = [w["pid"] for w in look(d)["processes"]
                       if w["request uri"] == "/" and w["state"] == "Running"]
            kill(victim, signal.SIGKILL)
            c.response()
            c.close()
            until(lambda: victim not in d.workers() and
                  len(d.workers()) == 3, "another has come")
            got = settled(d, idle=2)
            equal((got["killed requests"] - before["killed requests"],
                   got["crashes"], got["restarts"], got["forks"]),
                  (n, n, n, 3 + n))
            assert got["backoff"]["failures"] >= 1, got["backoff"]
            equal(got["accepted conn"], got["requests"] + n + 1)
        # and who dies while it is idle loses none
        idle = [w["pid"] for w in look(d)["processes"]
                if w["state"] == "Idle"][0]
        kill(idle, signal.SIGKILL)
        until(lambda: look(d)["crashes"] == 4, "it is dead")
        equal(settled(d, idle=2)["killed requests"], 3)


@test
def backoff():
    """a pool that waits before it forks says so"""
    with Daemon(workers={"mode": "static", "max": 2}, **STATUS) as d:
        equal(look(d)["backoff"], {"state": "none", "failures": 0,
                                   "seconds": 0.0})

        def waits():
            s = look(d)
            idle = [w["pid"] for w in s["processes"] if w["state"] == "Idle"]
            if s["backoff"]["state"] == "none" and idle:
                kill(idle[0], signal.SIGKILL)
            return s["backoff"]["seconds"] > 0 and s["backoff"]

        got = until(waits, "it waits")
        assert got["state"] == "waiting" and got["seconds"] <= 30 and \
            got["failures"] > 0, got


@test
def recycled():
    """workers that are replaced are counted by cause"""
    with Daemon(workers={"mode": "static", "max": 1, "max_requests": 10},
                **STATUS) as d:
        got = until(lambda: (lambda s: s["recycled"]["requests"] >= 2 and
                             s)(look(d)), "two were replaced")
        equal({k for k, v in got["recycled"].items() if v}, {"requests"})
        equal((got["crashes"], got["killed requests"]), (0, 0))
        assert got["restarts"] >= 2, got
    with Daemon(workers={"mode": "static", "max": 1}, **STATUS) as d:
        d.write_app(app_source("eval.lua") + "\n")
        d.reload()
        got = until(lambda: (lambda s: s["recycled"]["restart"] == 1 and
                             s)(look(d)), "it was replaced")
        equal((got["generation"], got["restarts"], got["crashes"]), (2, 0, 0))


@test
def refused():
    """what workers said to a reload that was refused counts for no later
    one"""
    d = Daemon(pools={"www": {**ONE, **STATUS}, "b": {**ONE}})
    d.expect("reload refused", "no$", "exited with code 70")
    with d.start():
        gate = d.gate()
        d.write_app(app_source("eval.lua") + "\n")
        d.write_app("io.open('%s.in', 'w'):close() io.open('%s'):close() "
                    "error('no')" % (gate.path, gate.path), "bad.lua")
        good = d.pools["b"]
        d.set_pool("b", **{**good, "app": d.dir + "/bad.lua"})
        d.write_conf()
        d.kill(signal.SIGHUP)
        gate.wait()
        until(lambda: look(d)["forks"] == 2, "its trial runs as well")
        gate.open()
        d.wait_log("reload refused: nothing has changed")
        d.wait_note("READY=1")
        d.set_pool("b", **good)
        d.set_pool("www", **{**d.pools["www"], "umask": "0027"})
        d.write_conf()
        d.reload()
        got = until(lambda: (lambda s: s["generation"] == 2 and s)(look(d)),
                    "it was replaced")
        equal(got["recycled"]["restart"], 0)


def reloads_of(status):
    return [status[n] for n in ("last reload", "reloads", "refused reloads")]


@test
def refused_reloads():
    """reloads are counted, and what became of the last one is told: over an
    upgrade too, and of the pool alone that is reloaded"""
    d = Daemon(pools={"www": {**ONE, **STATUS}, "b": {**ONE, **STATUS}})
    d.top["control"] = d.dir + "/control.sock"
    d.expect("reload refused", "typo")
    with d.start():
        equal(reloads_of(look(d)), ["none", 0, 0])
        d.write_conf("typo = 1;")
        mark = d.log_mark()
        d.kill(signal.SIGHUP)
        d.wait_log("reload refused: nothing has changed", mark)
        equal(reloads_of(look(d)), ["refused", 0, 1])
        metrics = d.fetch(uri="/s?openmetrics").body.decode()
        for name, value in (("last_reload_success", 0),
                            ("refused_reloads_total", 1),
                            ("reloads_total", 0)):
            assert 'lua_fpm_%s{pool="www"} %d\n' % (name, value) in metrics
        d.write_conf()
        d.reload()
        equal(reloads_of(look(d)), ["success", 1, 1])
        code, out, err = tool("-c", d.file, "reload", "b",
                              program=LUA_FPMCTL)
        equal(code, 0, out + err)
        equal(reloads_of(look(d)), ["success", 1, 1])
        d.kill(signal.SIGUSR2)
        until(lambda: reloads_of(look(d)) == ["success", 2, 1], "upgraded")


@test
def saturated():
    """while all workers are busy clients queue; the status tells of it"""
    d = Daemon(workers={"mode": "static", "max": 2}, **STATUS)
    d.top["control"] = d.dir + "/control"

    def master_sees(what, n):
        out = tool("-c", d.file, "status", "--json", program=LUA_FPMCTL)[1]
        return json.loads(out)["pools"][0][what] == n

    with d.start():
        first, a = held(d)
        got = look(d)  # by the last one that is idle
        equal((got["active processes"], got["idle processes"],
               got["listen queue"], got["max children reached"] > 0),
              (2, 0, 0, True))
        reached = got["max children reached"]
        until(lambda: master_sees("idle processes", 1))
        second, b = held(d)
        until(lambda: master_sees("max children reached", reached + 1))
        asks = Conn(d.address())
        asks.send(request(uri="/s?json"))
        waiting = [Conn(d.address()) for _ in range(5)]
        first.open()
        got = json.loads(asks.response().body)
        equal((got["listen queue"], got["max listen queue"] >= 5,
               got["active processes"], got["max active processes"],
               got["max children reached"]), (5, True, 2, 2, reached + 1))
        second.open()
        for c in (a, b, asks, *waiting):
            c.close()


@test
def kept_connections():
    """idle connections are those that are kept alive"""
    with Daemon(**STATUS) as d:
        kept = [d.connect() for _ in range(7)]
        for c in kept:
            c.ask(lua="return text('x')", keep=True)
        until(lambda: look(d)["idle connections"] == 7, "seven are idle")
        for c in kept:
            c.close()
        until(lambda: look(d)["idle connections"] == 0, "they have gone")


@test
def reloads():
    """counters grow on over reloads, whoever is asked, late ones included"""
    with Daemon(workers={"mode": "static", "max": 2}, **STATUS) as d:
        done, sent = [], []

        def ask_on():
            while not done:
                sent.append(d.lua("return text('x')", body="12").status)

        asking = Background(ask_on)
        late = []
        for n in range(4):
            late.append(held(d, body="123"))
            d.set_pool("www", workers={"mode": "static", "max": 2 + n},
                       **STATUS)
            d.write_conf()
            d.reload()
        got = look(d)
        # the first reload changes nothing
        assert got["generation"] == 4, got["generation"]
        states = [w["state"] for w in got["processes"]]
        assert states.count("Leaving") >= 3, states
        for gate, c in late:
            gate.open()
            c.response()
            c.close()
        done.append(True)
        asking.result()
        end = settled(d, idle=4)
        equal(end["leaving processes"], 0)
        equal((end["killed requests"], end["crashes"]), (0, 0))
        equal(end["bytes in"], 2 * len(sent) + 3 * len(late))
        equal(end["accepted conn"], end["requests"] + 1)
        equal(set(sent), {200})


@test
def monotonic():
    """no counter ever falls, asked one after the other through reloads"""
    with Daemon(workers={"mode": "static", "max": 2}, **STATUS) as d:
        before = look(d)
        for n in range(3):
            d.set_pool("www", workers={"mode": "static", "max": 2 + n % 2},
                       errors_to_server=n % 2 == 0, **STATUS)
            d.write_conf()
            changing = Background(d.reload)
            while changing.is_alive():
                now = look(d)
                for name in GROWING:
                    assert now[name] >= before[name], (
                        name, before[name], now[name])
                for a, b in zip(before["latency"], now["latency"]):
                    assert b["count"] >= a["count"], (a, b)
                before = now
            changing.result()
        assert before["generation"] >= 3, before["generation"]


@test
def upgrade():
    """an upgrade in place goes on counting, late requests included"""
    with Daemon(**STATUS) as d:
        d.lua("return text('x')", body="1234")
        gate, c = held(d, body="12345")
        d.kill(signal.SIGUSR2)
        got = until(lambda: (lambda s: s["generation"] == 2 and
                             s["leaving processes"] == 1 and s)(look(d)),
                    "new workers, and an old one with a request")
        equal((got["bytes in"], got["forks"], got["crashes"]), (4, 4, 0))
        gate.open()
        c.response()
        c.close()
        end = settled(d, idle=1)
        equal((end["bytes in"], end["killed requests"], end["start time"]),
              (9, 0, got["start time"]))


@test
def a_status_while_workers_die():
    """the status is whole whatever is killed meanwhile"""
    with Daemon(workers={"mode": "static", "max": 4}, **STATUS) as d:
        d.expect("killed by signal 9")
        def kill_on():
            for _ in range(5):
                victim = until(lambda: len(d.workers()) == 4 and
                               d.workers()[-1], "four are there")
                kill(victim, signal.SIGKILL)
                until(lambda: victim not in d.workers(), "it is gone")

        killing = Background(kill_on)
        whole = 0
        while killing.is_alive() or whole < 100:
            r = d.fetch(uri="/s?json&full")
            if r.complete:  # its worker lived
                got = json.loads(r.body)
                whole += 1
                assert len(got["processes"]) <= 9, got
                assert 1 <= in_hand(got) <= 5, got
        killing.result()

        def all_counted():
            got = settled(d, idle=3)
            return (got["crashes"] + got["failed loads"],
                    got["restarts"]) == (5, 5)
        until(all_counted, "the master has missed the last one, too")


run(over=BOTH)
