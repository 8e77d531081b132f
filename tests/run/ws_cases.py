#!/usr/bin/env python3
"""The table of ws_cases.py, whole: a WebSocket whose application echoes
answers each case as the table says.  FULL=yes in the environment: messages up
to 16 MB, and thousands of round trips."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from ws_daemon import *
import ws_cases

FULL = os.environ.get("FULL") == "yes"
FRAGMENTS = 1000
large = WsDaemon(websocket={"max_message": "16M", "send_buffer": "64M"})
small = WsDaemon()


def play(d, chosen, **limits):
    """Not one answer is wrong, and how many are second best."""
    done = ws_cases.run_all(d.ws, chosen, PATIENCE, **limits)
    second = [(case.id, way) for case, way, says in done
              if says == "non-strict"]
    diag("%d connections, of which %d non-strict: %s" % (len(done),
                                                       len(second), second))
    wrong = ["%s %s (%s): %s" % (case.id, case.about, way, says)
             for case, way, says in done
             if says not in ("strict", "non-strict")]
    assert not wrong, "\n".join(wrong)


def add(section, about):
    def check():
        if large.process is None:
            large.start()
        play(large, [c for c in ws_cases.listed(FULL) if c.section == section],
             max_fragments=FRAGMENTS)
    check.__doc__ = "%s: %s" % (section, about)
    check.__name__ = "section_" + section
    test(check)


for section, about in (
        ("1", "messages of each length of a length"),
        ("2", "pings and pongs"), ("3", "reserved bits"),
        ("4", "opcodes without a meaning"), ("5", "fragments"),
        ("6", "UTF-8"), ("7", "closing"), ("9", "large messages"),
        ("12", "compression, which is not negotiated"),
        ("own", "what the list leaves out")):
    add(section, about)


@test
def mutated():
    """cases with bytes changed, many at once, each closed from here at any
    time: the daemon answers with good frames, and others are served"""
    rnd = random.Random(os.environ.get("SEED", "1"))
    with WsDaemon(websocket={"silence": "1s"}) as other, other.ws() as good:
        hub, workers = other.hub(), other.workers()
        for _ in range(1000 if FULL else 20):
            open_ones = [other.ws() for _ in range(20)]
            for ws in open_ones:
                data = ws_cases.mutated(rnd)
                cut = rnd.randrange(len(data) + 1)
                with contextlib.suppress(OSError):
                    ws.raw(data[:cut])
                    ws.raw(data[cut:])
            for ws in open_ones:
                if rnd.random() < 0.5:
                    ws.close()
                    continue
                with contextlib.suppress(OSError):
                    ws.sock.shutdown(socket.SHUT_WR)
                while ws.event()[0] not in ("end", "reset"):
                    pass
                ws.close()
            equal(good.ask("x"), "x")
        equal((other.hub(), other.workers()), (hub, workers))


@test
def default_limits():
    """the same sizes with the default limits: over 64 KB 1009"""
    small.start()
    play(small, [c for c in ws_cases.listed()
                 if c.section in ("1", "9") or c.id == "7.1.6"],
         max_message=64 << 10, max_fragments=FRAGMENTS)


run(240, over=FCGI)
