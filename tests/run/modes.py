#!/usr/bin/env python3
"""static, dynamic, ondemand: how many workers there are, and when."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *


class Crowd:
    """n requests at once, each held inside the application."""

    def __init__(self, d, n):
        self.gates = [d.gate() for _ in range(n)]
        self.calls = [Background(d.lua, g.lua + "return text(pid())")
                      for g in self.gates]

    def held(self):
        return sum(g.is_held() for g in self.gates)

    def wait(self, n=None):
        until(lambda: self.held() >= (n or len(self.gates)),
              "%s requests are served at once, now %d" % (n, self.held()))

    def go(self):
        closed = set(self.gates)  # in whatever order they are come to

        def all_open():
            closed.difference_update([g for g in closed if g.open_if_held()])
            return not closed
        until(all_open, "everybody passed the gates")
        return {c.result().body for c in self.calls}


@contextlib.contextmanager
def never_above(d, most):
    """Watches the number of workers meanwhile."""
    seen, ending = [0], threading.Event()

    def watch():
        while not ending.is_set():
            seen[0] = max(seen[0], len(d.workers()))
            time.sleep(0.002)
    t = threading.Thread(target=watch, daemon=True)
    t.start()
    yield
    ending.set()
    t.join()
    assert seen[0] <= most, "%d workers, max is %d" % (seen[0], most)


@test
def static():
    """static: max workers from the beginning, no more, no fewer"""
    with Daemon(workers={"mode": "static", "max": 3}) as d:
        d.wait_workers(3)
        with never_above(d, 3):
            crowd = Crowd(d, 5)
            crowd.wait(3)
            equal(len(d.workers()), 3)
            equal(len(crowd.go()), 3, "workers that served")


@test
def dynamic_grows_and_shrinks():
    """dynamic: start at the beginning, min_spare to spare under load, never
    above max, back to max_spare when idle"""
    with Daemon(workers={"mode": "dynamic", "max": 8, "start": 2,
                         "min_spare": 2, "max_spare": 3}) as d:
        d.wait_workers(2)
        with never_above(d, 8):
            crowd = Crowd(d, 3)
            crowd.wait()
            until(lambda: len(d.workers()) >= 5, "3 busy and 2 to spare")
            more = Crowd(d, 9)
            until(lambda: crowd.held() + more.held() == 8, "8 at once")
            equal(len(d.workers()), 8)
            crowd.go()
            more.go()
            until(lambda: len(d.workers()) <= 3, "max_spare are left")
        assert len(d.workers()) >= 2, "and not fewer than min_spare"


@test
def dynamic_burst():
    """dynamic: a burst is served at once, not one worker a second"""
    with Daemon(workers={"mode": "dynamic", "max": 30, "start": 1,
                         "min_spare": 1, "max_spare": 3}) as d:
        began = time.monotonic()
        crowd = Crowd(d, 30)
        crowd.wait()
        took = time.monotonic() - began
        assert took < (20 if SANITIZED else 10), "it took %.1f s" % took
        crowd.go()


@test
def ondemand_burst():
    """ondemand: a burst of N reaches min(N, max) workers at once"""
    for n, most in ((5, 8), (12, 8)):
        with Daemon(workers={"mode": "ondemand", "max": most,
                             "idle_timeout": "300ms"}) as d:
            d.wait_workers(0)
            with never_above(d, most):
                crowd = Crowd(d, n)
                crowd.wait(min(n, most))
                equal(len(d.workers()), min(n, most))
                equal(len(crowd.go()), min(n, most), "workers that served")
                d.wait_workers(0)
            equal(d.fetch().status, 200, "and from none again")


@test
def ondemand_grows():
    """ondemand: one after the other while all are busy"""
    with Daemon(workers={"mode": "ondemand", "max": 4,
                         "idle_timeout": "10s"}) as d:
        crowds = []
        for n in range(1, 5):
            crowds.append(Crowd(d, 1))
            crowds[-1].wait()
        equal(len(d.workers()), 4)
        for c in crowds:
            c.go()
        with never_above(d, 4):
            for _ in range(20):
                equal(d.fetch().status, 200)


@test
def ondemand_is_reused():
    """ondemand: an idle worker serves the next request, no new one is
    forked"""
    with Daemon(workers={"mode": "ondemand", "max": 4,
                         "idle_timeout": "10s"}) as d:
        pids = {d.lua("return text(pid())").body for _ in range(20)}
        equal(len(pids), 1, "workers that served in turn")


@test
def ondemand_kept_connection():
    """ondemand: a kept connection is served after its worker idled out, or
    closed; never left hanging"""
    with Daemon(workers={"mode": "ondemand", "max": 4,
                         "idle_timeout": "300ms"}) as d:
        with d.connect() as c:
            equal(c.ask(keep=True).status, 200)
            d.wait_workers(0)
            try:
                r = c.ask(keep=True)
                assert not r.out or r.complete, r
            except OSError:
                pass


@test
def ondemand_silent_clients():
    """ondemand: clients that say nothing do not fork workers without end"""
    with Daemon(workers={"mode": "ondemand", "max": 4,
                         "idle_timeout": "300ms"},
                timeouts={"read": "20s", "stop": "5s"}) as d:
        with never_above(d, 4):
            silent = [d.connect() for _ in range(20)]
            equal(d.fetch().status, 200)
            for c in silent:
                c.close()
        d.wait_workers(0)


@test
def ondemand_reload():
    """ondemand: HUP with no worker there, then a request"""
    with Daemon(workers={"mode": "ondemand", "max": 4,
                         "idle_timeout": "300ms"}) as d:
        d.wait_workers(0)
        d.reload()
        equal(d.fetch().status, 200)
        d.wait_workers(0)
        d.write_app(app_source("eval.lua") + "-- changed\n")
        d.reload()
        equal(d.fetch().status, 200)


@test
def queued_at_stop():
    """ondemand: what waits when TERM comes is served though no worker is
    there"""
    d = Daemon(workers={"mode": "ondemand", "max": 2,
                        "idle_timeout": "200ms"}).start()
    d.wait_workers(0)
    os.kill(d.pid, signal.SIGSTOP)
    conns = [d.connect() for _ in range(5)]
    for c in conns:
        c.send(request())
    d.kill(signal.SIGTERM)
    os.kill(d.pid, signal.SIGCONT)
    equal([c.response().body for c in conns], [b"hello"] * 5)
    equal(d.wait_exit(), 0)
    d.check_gone()
    d.check_log()
    d.destroy()


@test
def at_rest():
    """an idle master sleeps: no tick"""
    with Daemon(workers={"mode": "dynamic", "max": 4, "start": 2,
                         "min_spare": 1, "max_spare": 2}) as d:
        d.wait_workers(2)
        equal(d.fetch().status, 200)

        def switches():
            with open("/proc/%d/status" % d.pid) as f:
                return int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)",
                                     f.read())[1])
        before, began = switches(), time.monotonic()
        until(lambda: time.monotonic() - began > 1, "a second")
        assert switches() - before <= 3, "woke %d times" % (switches() -
                                                            before)


run(120)
