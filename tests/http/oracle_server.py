"""A server, of which the argument is the port or the socket's path, with an
application that answers 204 with the length of the body in X-Length and, if the
server knows it, that of the request in X-Taken: see differential.c."""

import collections
import re
import socket
import struct
import sys

AT_ONCE = 32  # connections: neither side waits for the other
SECONDS = struct.pack("ll", 30, 0)  # which no answer takes


def ask(address, data):
    """A connection that has said all."""
    if address.isdigit():
        s = socket.create_connection(("127.0.0.1", int(address)))
    else:
        s = socket.socket(socket.AF_UNIX)
        s.connect(address)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, SECONDS)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, SECONDS)
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has refused before it had all
    return s


def answer_of(s):
    """All that comes back, until it closes."""
    answer = b""
    with s:
        try:
            while piece := s.recv(1 << 16):
                answer += piece
        except ConnectionResetError:
            pass
    return answer


def judge(data, answer):
    taken = []
    end = "."
    at = 0
    while answer:
        head, _, answer = answer.partition(b"\r\n\r\n")
        status = head.split(None, 2)[1]
        if status == b"100":
            continue
        if status != b"204":
            return taken, "!"
        taken.append(re.search(rb"X-Length: (\d+)", head)[1].decode())
        if n := re.search(rb"X-Taken: (\d+)", head):
            while data[at] in b"\r\n":  # empty lines before it do not count
                at += 1
            at += int(n[1])
            taken[-1] += "@%d" % at
        end = "close" if b"Connection: close" in head else "."
    return taken, end


def main():
    stream = sys.stdin.buffer
    asked = collections.deque()
    while True:
        head = stream.read(4)
        if head:
            data = stream.read(struct.unpack("<I", head)[0])
            asked.append((data, ask(sys.argv[1], data)))
        elif not asked:
            break
        if not head or len(asked) == AT_ONCE:
            data, s = asked.popleft()
            taken, end = judge(data, answer_of(s))
            print(*taken, end)


main()
