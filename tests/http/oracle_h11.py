#!/usr/bin/python3
"""h11 as a server on standard input: see differential.c."""

import struct
import sys

import h11

# No 2xx, which would open a tunnel for CONNECT.
ANSWER = h11.Response(status_code=404, headers=[("Content-Length", "0")])


def judge(data):
    conn = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 16)
    taken = []
    length = 0
    try:
        conn.receive_data(data)
        while True:
            event = conn.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED):
                return taken, "."
            if isinstance(event, h11.Request):
                length = 0
            elif isinstance(event, h11.Data):
                length += len(event.data)
            elif isinstance(event, h11.ConnectionClosed):
                return taken, "!"
            elif isinstance(event, h11.EndOfMessage):
                rest, _ = conn.trailing_data
                taken.append("%d@%d" % (length, len(data) - len(rest)))
                conn.send(ANSWER)
                conn.send(h11.EndOfMessage())
                if conn.our_state is h11.MUST_CLOSE:
                    return taken, "close"
                conn.start_next_cycle()
    except h11.RemoteProtocolError:
        return taken, "!"


def main():
    stream = sys.stdin.buffer
    while head := stream.read(4):
        data = stream.read(struct.unpack("<I", head)[0])
        taken, end = judge(data)
        print(*taken, end)


main()
