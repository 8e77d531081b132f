#!/usr/bin/env python3
"""The frame codec beside python3-wsproto's over mutated cases.

    differ_wsproto.py CODEC COUNT SEED

CODEC is tests/websocket/codec.  It may refuse what wsproto takes only for the
reasons below, and see a fault earlier, but never read other messages.  Prints
what differs, or "ok" and how many streams ended in which way."""

import collections
import os
import random
import subprocess
import sys
import threading

from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import ws_cases

BATCH = 500


def theirs(data):
    """What wsproto makes of it: [(kind, payload or code)], as codec does."""
    protocol = FrameProtocol(client=False, extensions=[])
    protocol.receive_bytes(data)
    out, parts = [], []
    try:
        for f in protocol.received_frames():
            if f.opcode is Opcode.PING:
                out.append(("pong", bytes(f.payload)))
            elif f.opcode is Opcode.CLOSE:
                return out + [("closed", int(f.payload[0]))]
            elif f.opcode is not Opcode.PONG:
                parts.append(f.payload)
                if f.message_finished:
                    out.append(("text", "".join(parts).encode())
                               if isinstance(parts[0], str) else
                               ("binary", b"".join(parts)))
                    parts = []
    except ParseFailed as e:
        out.append(("bad", int(e.code)))
    return out


class Codec:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def judge(self, streams):
        data = b"".join(b"case 16777216 1000\nwrite %s\nend\n" %
                        s.hex().encode() for s in streams)
        feeder = threading.Thread(target=self.feed, args=(data,))
        feeder.start()
        for s in streams:
            yield s, list(self.answers())
        feeder.join()

    def feed(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def answers(self):
        while (line := self.process.stdout.readline()) != b"end\n":
            if not line:
                sys.exit("codec has died: %s" % self.process.wait())
            kind, _, rest = line.decode().rstrip("\n").partition(" ")
            yield kind, int(rest.split()[0]) if kind in ("bad", "closed") \
                else bytes.fromhex(rest)


def is_explained(data, mine, other):
    """The codec is ahead, or wsproto lacks a rule."""
    if mine == other:
        return True
    if ("closed", 1014) in mine:  # registered after wsproto's list was made
        return mine[:-1] == other[:-1]
    if not mine or mine[-1][0] != "bad" or \
            mine[:-1] != other[:len(mine) - 1]:
        return False
    if mine[-1][1] == 1009:  # wsproto has no limit
        return True
    # It waits for a whole head, a letter's last octet, or judges close codes
    # before reasons: a fault it is for it, too, once more has come.
    more = theirs(data + bytes(600))
    return more[-1:] == mine[-1:] or \
        more[-1:] == [("bad", 1002)] and mine[-1] == ("bad", 1007)


def main():
    codec = Codec(sys.argv[1])
    rnd = random.Random(int(sys.argv[3]))
    ends, faults = collections.Counter(), 0
    for _ in range(int(sys.argv[2]) // BATCH):
        for data, mine in codec.judge([ws_cases.mutated(rnd)
                                       for _ in range(BATCH)]):
            end = mine[-1] if mine and mine[-1][0] in ("bad", "closed") \
                else ("open",)
            ends[end[0] if end[0] != "bad" else "%s %d" % end] += 1
            if not is_explained(data, mine, theirs(data)):
                faults += 1
                print("%s\n  codec %r\n  wsproto %r" % (data.hex(), mine,
                                                       theirs(data)))
    if not faults:
        print("ok", dict(ends))


main()
