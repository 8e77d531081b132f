#!/usr/bin/env python3
"""The frame codec of WebSocket without a socket: each case of ws_cases.py in
one write, as it is given and byte by byte."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *
import ws_cases

CODEC = os.environ.get("WS_CODEC") or \
    os.path.join(BUILD, "tests", "websocket", "codec")
FULL = os.environ.get("FULL") == "yes"


class Codec:
    def __init__(self):
        self.process = subprocess.Popen([CODEC], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def judge(self, writes, message, fragments):
        """What it says of a connection: its lines."""
        out = [b"case %d %d\n" % (message, fragments)]
        out += [b"write %s\n" % w.hex().encode() for w in writes]
        feeder = Background(self.feed, b"".join(out) + b"end\n")
        lines = []
        while (line := self.process.stdout.readline()) != b"end\n":
            assert line, "it has died: %s" % self.process.wait()
            lines.append(line.decode().rstrip("\n"))
        feeder.result()
        return lines

    def feed(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        equal(self.process.wait(PATIENCE), 0, "exit code")


def wrong(case, lines, message, fragments):
    """'' if it is what is expected."""
    strict = case.strict(message, fragments)
    events, code, bad = [], None, ""
    for line in lines:
        kind, _, rest = line.partition(" ")
        if kind == "closed":
            code = int(rest)
        elif kind == "bad":
            code, bad = int(rest.split()[0]), rest
        else:
            events.append((kind, bytes.fromhex(rest)))
    if events != strict.events:
        return "events %r" % ws_cases.Outcome(events, (code,))
    if case.ours and strict is case.outcomes[0]:
        return "code %s" % code if code else ""
    given = None if code == 1005 else code
    return "" if given in strict.codes else "closed with %s %s" % (code, bad)


def table(ways, message=16 << 20, fragments=1000, chosen=None):
    codec, faults, n = Codec(), [], 0
    for case in chosen or ws_cases.listed(FULL):
        for way, writes in case.ways() if ways == "all" else \
                [("byte by byte", ws_cases.chop(b"".join(case.writes()), 1))]:
            n += 1
            what = wrong(case, codec.judge(writes, message, fragments),
                         message, fragments)
            if what:
                faults.append("%s %s (%s): %s, expected %r" % (
                    case.id, case.about, way, what,
                    case.strict(message, fragments)))
    codec.end()
    diag("%d connections" % n)
    assert not faults, "\n".join(faults)


@test
def as_given():
    """each case as it is given, and in one piece"""
    table("all")


@test
def by_bytes():
    """each case up to 2 KB in pieces of a byte"""
    table("bytes", chosen=[c for c in ws_cases.listed()
                           if c.size <= 2048 and c.id != "7.1.6"])


@test
def smaller_limits():
    """the same with limits of 1,000 bytes and 2 fragments"""
    table("all", 1000, 2, [c for c in ws_cases.listed()
                           if c.id.startswith(("1.", "9."))])


@test
def cut_anywhere():
    """each small case in two pieces, cut at each byte"""
    codec, faults = Codec(), []
    for case in ws_cases.listed():
        data = b"".join(case.writes())
        if len(data) > 100:
            continue
        for cut in range(1, len(data)):
            what = wrong(case, codec.judge([data[:cut], data[cut:]],
                                           16 << 20, 1000), 16 << 20, 1000)
            if what:
                faults.append("%s cut at %d: %s" % (case.id, cut, what))
    codec.end()
    assert not faults, "\n".join(faults)


run(120, over=FCGI, needs=(CODEC,))
