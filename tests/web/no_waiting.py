#!/usr/bin/env python3
"""Behind nginx with kept-alive connections: a quick request never waits for
a worker that is busy while another one is idle."""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

WORKERS, CONNECTIONS, ROUNDS, CLIENTS = 4, 32, 3, 8
QUICK = ("local t = os.clock() while os.clock() - t < 0.001 do end "
         "return text('quick')")
SLOW = "os.execute('exec sleep 2') return text('slow')"
LIMIT = 0.15  # s, at the 99th of 100


def ask(port, lua):
    began = time.monotonic()
    status, _, body = http(port, lua=lua)
    equal(status, 200, "status")
    return body, time.monotonic() - began


class Quick:
    """Clients that send quick requests with pauses between them, so that one
    worker alone could serve them all."""

    def __init__(self, port):
        self.port, self.ending, self.times = port, False, []
        self.threads = [Background(self.client) for _ in range(CLIENTS)]

    def client(self):
        pause = threading.Event()
        while not self.ending:
            body, took = ask(self.port, QUICK)
            equal(body, b"quick")
            self.times.append(took)
            pause.wait(random.uniform(0.005, 0.035))

    def stop(self):
        self.ending = True
        for t in self.threads:
            t.result()
        return self.times


def open_connections(d, port):
    """As many requests at once as connections are wanted; nginx keeps
    them."""
    gates = [d.gate() for _ in range(WORKERS)]
    held = [Background(ask, port, g.lua + "return text('')") for g in gates]
    for g in gates:
        g.wait()
    more = [Background(ask, port, "return text('')")
            for _ in range(CONNECTIONS - WORKERS)]
    until(lambda: unix_connections(d.address()) == CONNECTIONS, "nginx has connected")
    for g in gates:
        g.open()
    for b in held + more:
        b.result()


def mixed(port):
    """Times of quick requests beside slow ones."""
    times = []
    for _ in range(ROUNDS):
        slow = [Background(ask, port, SLOW) for _ in range(WORKERS - 1)]
        quick = Quick(port)
        for b in slow:
            body, took = b.result()
            equal(body, b"slow")
            assert took < 4, "a slow one waited: %.2f s" % took
        times += quick.stop()
    assert len(times) > 500, len(times)
    return times


@test
def quick_and_slow():
    """32 connections to 4 workers, three of which are busy for 2 s: 99 of
    100 requests of 1 ms take less than 150 ms, over connections that are
    kept"""
    with Daemon(workers={"mode": "static", "max": WORKERS}) as d, \
            Nginx(d.address(), keep=CONNECTIONS,
                  location="fastcgi_param LUA $http_x_lua;") as n:
        d.wait_workers(WORKERS)
        open_connections(d, n.port)
        in_time(lambda: mixed(n.port), LIMIT)
        assert unix_connections(d.address()) >= CONNECTIONS // 2, "they are kept"


run(limit=60, needs=("/usr/sbin/nginx",))
