"""A server, of which the argument is the port or the socket's path, with an
application that answers 204 with the length of the body in X-Length: see
differential.c."""

import re
import socket
import struct
import sys


def connect(address):
    if address.isdigit():
        return socket.create_connection(("127.0.0.1", int(address)), 30)
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(address)
    return s


def talk(address, data):
    """All that comes back, until it closes."""
    with connect(address) as s:
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has refused before it had all
        answer = b""
        try:
            while piece := s.recv(1 << 16):
                answer += piece
        except ConnectionResetError:
            pass
        return answer


def judge(address, data):
    lengths = []
    end = "."
    answer = talk(address, data)
    while answer:
        head, _, answer = answer.partition(b"\r\n\r\n")
        status = head.split()[1]
        if status == b"100":
            continue
        if status != b"204":
            return lengths, "!"
        lengths.append(int(re.search(rb"X-Length: (\d+)", head)[1]))
        end = "close" if re.search(rb"Connection: close", head) else "."
    return lengths, end


def main():
    stream = sys.stdin.buffer
    while head := stream.read(4):
        data = stream.read(struct.unpack("<I", head)[0])
        lengths, end = judge(sys.argv[1], data)
        print(*lengths, end, flush=True)


main()
