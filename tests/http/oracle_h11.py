#!/usr/bin/python3
"""h11 as a server on standard input: see differential.c."""

import struct
import sys

import h11

# No 2xx, which would open a tunnel for CONNECT.
ANSWER = h11.Response(status_code=404, headers=[("Content-Length", "0")])


def judge(data):
    conn = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 16)
    lengths = []
    length = 0
    try:
        conn.receive_data(data)
        while True:
            event = conn.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED):
                return lengths, "."
            if isinstance(event, h11.Request):
                length = 0
            elif isinstance(event, h11.Data):
                length += len(event.data)
            elif isinstance(event, h11.ConnectionClosed):
                return lengths, "!"
            elif isinstance(event, h11.EndOfMessage):
                lengths.append(length)
                conn.send(ANSWER)
                conn.send(h11.EndOfMessage())
                if conn.our_state is h11.MUST_CLOSE:
                    return lengths, "close"
                conn.start_next_cycle()
    except h11.RemoteProtocolError:
        return lengths, "!"


def main():
    stream = sys.stdin.buffer
    while head := stream.read(4):
        data = stream.read(struct.unpack("<I", head)[0])
        lengths, end = judge(data)
        print(*lengths, end)


main()
