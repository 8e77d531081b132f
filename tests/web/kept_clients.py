#!/usr/bin/env python3
"""Ask a web server of this machine for "hello" over 8 connections at once,
which it may frame as it likes, and say in JSON how much was answered:

    kept_clients.py PORT REQUESTS"""

import json
import socket
import sys
import threading

CLIENTS = 8


def ask(port, n, tally):
    """n requests over one connection."""
    conn, text = None, b""
    for _ in range(n):
        try:
            if conn is None:
                conn = socket.create_connection(("127.0.0.1", port), 60)
            conn.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            text = b""
            while not (text.endswith(b"hello") or text.endswith(
                    b"\r\n0\r\n\r\n")):
                piece = conn.recv(65536)
                if not piece:
                    raise EOFError
                text += piece
            if not text.startswith(b"HTTP/1.1 200 ") or b"hello" not in text:
                raise ValueError
            tally["answered"] += 1
        except (OSError, EOFError, ValueError) as e:
            tally["failed"] += 1
            tally.setdefault("why", repr(e) + repr(text[:100]))
            conn.close()
            conn = None


def main(port, n):
    tally = {"answered": 0, "failed": 0}
    threads = [threading.Thread(target=ask,
                                args=(port, n // CLIENTS, tally))
               for _ in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(json.dumps(tally))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
