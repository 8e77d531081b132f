#!/usr/bin/env python3
"""kill -9 of any worker at any moment, under load: only what is in its hands
fails, and nothing drifts.  KILLS in the environment says how often (1000 for
the full figure, which takes minutes)."""

import os
import random
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

KILLS = int(os.environ.get("KILLS", "60"))


def kill_under_load(d, keep):
    """Returns (requests done, failed)."""
    load = Load(d.address(), clients=6, keep=keep)
    for _ in range(KILLS):
        victim = random.choice(until(d.workers, "a worker"))
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        load.more(random.randrange(1, 60))
    return load.stop()


def any_worker(keep, **workers):
    with Daemon(workers=workers, app="return { accept = function() return "
                "{ ['Content-Type'] = 'text/plain' }, 'hello' end }") as d:
        d.expect("killed by signal 9", "while it served")
        done, failures = kill_under_load(d, keep)
        diag("%d requests, %d kills, %d failed" %
             (done, KILLS, len(failures)))
        # a worker has one request in its hands, and a kept connection's
        # next one may be on its way to it
        assert len(failures) <= KILLS * (6 if keep else 1), failures[:5]
        until(lambda: len(d.workers()) >= workers.get("min_spare", 4),
              "as many workers as there should be", 20)
        assert len(d.workers()) <= workers["max"]
        for _ in range(50):
            equal(d.fetch().body, b"hello")


@test
def static():
    """static, fresh connections"""
    any_worker(False, mode="static", max=4)


@test
def static_kept():
    """static, kept connections"""
    any_worker(True, mode="static", max=4)


@test
def dynamic():
    """dynamic, fresh connections"""
    any_worker(False, mode="dynamic", max=6, start=3, min_spare=2,
               max_spare=4)


run(limit=max(180, KILLS))
