#!/usr/bin/env python3
"""How long new requests take during a reload: not as long as an old one."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

RELOADS, CLIENTS, EACH = 3, 4, 200
LIMIT = 0.1  # s, at the 99th of 100


class Clients:
    """Clients that note how long each of their requests took, half of them
    over kept connections."""

    def __init__(self, d):
        self.d, self.ending, self.times = d, False, []
        self.threads = [Background(self.client, n % 2 == 0)
                        for n in range(CLIENTS)]

    def client(self, keep):
        c, pause = None, threading.Event()
        while not self.ending:
            began = time.monotonic()
            c = c or self.d.connect()
            equal(c.ask(keep=keep).status, 200)
            self.times.append(time.monotonic() - began)
            if not keep:
                c.close()
                c = None
            pause.wait(0.002)
        if c is not None:
            c.close()

    def more(self, n):
        goal = len(self.times) + n
        until(lambda: len(self.times) >= goal or
              any(t.error for t in self.threads), "%d more requests" % n)

    def stop(self):
        self.ending = True
        for t in self.threads:
            t.result()
        return self.times


def deploy(d, i):
    d.write_app(app_source("eval.lua") + "-- %d\n" % i)


def resize(d, i):
    d.pools["www"]["limits"] = {"head": 2048 + i}
    d.write_conf()


def latency(change):
    """Reload again and again, with a request in hand from before the first
    until after the last."""
    with Daemon(workers={"mode": "static", "max": 2},
                timeouts={"stop": "60s"}) as d:
        first = d.wait_workers(2)
        gate = d.gate()
        held = Background(d.lua, "local mine = pid() " + gate.lua +
                          "return text(mine)")
        gate.wait()
        clients = Clients(d)
        clients.more(EACH)
        for i in range(RELOADS):
            old = set(d.workers())
            change(d, i)
            d.reload()
            clients.more(EACH)
            until(lambda: set(d.workers()) - old, "new workers")
        times = clients.stop()
        assert held.is_alive(), "the old request was not in hand all the time"
        gate.open()
        assert int(held.result().body) in first
    return times


@test
def deployments():
    """three deployments while an old request is in hand: 99 of 100 new ones
    do not notice"""
    in_time(lambda: latency(deploy), LIMIT)


@test
def configurations():
    """the same with three changes of the configuration"""
    in_time(lambda: latency(resize), LIMIT)


run(limit=60)
