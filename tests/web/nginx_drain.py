#!/usr/bin/env python3
"""nginx keeps connections to two pools, which are drained in turn.  It would not
send a POST again, so the last request of each connection has to be answered."""

import os
import sys
from http.client import HTTPConnection

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from control_client import *

TWO = {"mode": "static", "max": 2}


@contextlib.contextmanager
def slowly(pids):
    """What may come between two system calls of them comes."""
    strace = subprocess.Popen(["strace", "-f", "-o", "/dev/null", "-p",
                               ",".join(map(str, pids))],
                              stderr=subprocess.PIPE, text=True)
    said = strace.stderr.readline()
    try:
        if "attached" not in said:
            raise Skip(said.strip())
        yield
    finally:
        strace.terminate()
        strace.communicate()


class Posts(Load):
    """POSTs to a web server at HOST:PORT."""

    def _client(self):
        with contextlib.closing(HTTPConnection(self.address,
                                               timeout=PATIENCE)) as c:
            while not self.ending:
                c.request("POST", "/", b"x" * 100)
                with c.getresponse() as r:
                    r.read()
                    self._note(None if r.status == 200 else r.status)


def drained(**pools):
    """Under a load of POSTs through nginx."""
    d = controlled(pools={name: {"workers": TWO, **pool}
                          for name, pool in pools.items()})
    d.start(env=NO_LEAK_SEARCH)
    with d, Nginx([d.address(name) for name in pools], keep=32) as n:
        load = Posts("127.0.0.1:%d" % n.port)
        for name in [*pools] * 2:
            load.more(50)
            with slowly(d.wait_workers(2, name)):
                load.more(50)
                assert ask(d, "drain " + name)[0]
                load.more(50)
                d.wait_workers(0, name)
            assert ask(d, "resume " + name)[0]
            d.wait_workers(2, name)
        done, failures = load.stop()
    equal(failures[:3], [], "%d of %d requests" % (len(failures), done))


@test
def unix():
    """over unix sockets"""
    drained(one={}, two={})


@test
def tcp():
    """over TCP"""
    drained(**{name: {"listen": "127.0.0.1:%d" % free_port()}
               for name in ("one", "two")})


run(120, needs=["nginx", "strace"], over=FCGI)
