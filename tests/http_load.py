#!/usr/bin/env python3
"""Ask an HTTP server for a number of requests over some connections at once,
each for an answer of its own, and say in JSON what became of them:

    http_load.py ADDRESS REQUESTS CONNECTIONS kept|fresh

`answered`: with the body "hello" and the number that was asked for.  `again`:
asked once more because a kept connection was closed before a byte of the
answer, as any client does.  `failed`: all else, with some of the reasons."""

import json
import re
import selectors
import socket
import sys
import time

PATIENCE = 60
HEAD = re.compile(rb"HTTP/1\.1 200 [^\r\n]*\r\n((?:[^\r\n]+\r\n)+)\r\n")
LENGTH = re.compile(rb"^content-length: (\d+)\r$", re.I | re.M)
CLOSE = re.compile(rb"^connection: close\r$", re.I | re.M)


class Load:
    def __init__(self, address, n, keep):
        self.left, self.keep = n, keep
        host, _, port = address.rpartition(":")
        self.family, self.where = (socket.AF_UNIX, address) if not host else (
            socket.AF_INET6 if ":" in host else socket.AF_INET,
            (host.strip("[]"), int(port)))
        self.ready = selectors.DefaultSelector()
        self.answered = self.again = self.failed = 0
        self.why = []

    def fail(self, what):
        self.failed += 1
        if len(self.why) < 5:
            self.why.append(what)

    def run(self, clients):
        for _ in range(clients):
            Client(self).next()
        while self.ready.get_map():
            found = self.ready.select(PATIENCE)
            if not found:
                self.fail("nothing comes on %d connections" %
                          len(self.ready.get_map()))
                break
            for key, _ in found:
                key.data.readable()
        return {"answered": self.answered, "again": self.again,
                "failed": self.failed, "why": self.why}


class Client:
    """One connection at a time, with one request at a time."""

    def __init__(self, load):
        self.load, self.sock, self.got, self.number = load, None, b"", None

    def close(self):
        self.load.ready.unregister(self.sock)
        self.sock.close()
        self.sock = None

    def next(self):
        """Ask for the next number, or the same once more."""
        while self.number is not None or self.load.left > 0:
            if self.number is None:
                self.number = self.load.left
                self.load.left -= 1
            try:
                self.ask()
                return
            except OSError as e:
                self.lost(repr(e))
        if self.sock is not None:
            self.close()

    def ask(self):
        self.used = self.sock is not None
        if not self.used:
            self.sock = socket.socket(self.load.family)
            self.load.ready.register(self.sock, selectors.EVENT_READ, self)
            self.sock.settimeout(PATIENCE)
            self.sock.connect(self.load.where)
        self.got = b""
        self.sock.sendall(b"GET /?%d HTTP/1.1\r\nHost: localhost\r\n%s\r\n" % (
            self.number, b"" if self.load.keep else b"Connection: close\r\n"))

    def lost(self, what):
        """The connection is over, and there is no answer."""
        self.close()
        if self.used and not self.got:
            self.load.again += 1
        else:
            self.load.fail("%d: %s after %r" % (self.number, what,
                                                self.got[:200]))
            self.number = None

    def readable(self):
        try:
            data = self.sock.recv(65536)
        except OSError as e:
            data, what = b"", repr(e)
        else:
            what = "end of file"
        if not data:
            self.lost(what)
            self.next()
            return
        self.got += data
        head = HEAD.match(self.got)
        length = head and LENGTH.search(head[1])
        if length and len(self.got) >= head.end() + int(length[1]):
            self.judge(head, self.got[head.end():])
        elif not head and b"\r\n\r\n" in self.got:
            self.judge(None, b"")

    def judge(self, head, body):
        if head and body == b"hello %d" % self.number:
            self.load.answered += 1
        else:
            self.load.fail("%d: %r" % (self.number, self.got[:300]))
        self.number = None
        if not head or not self.load.keep or CLOSE.search(head[1]):
            self.close()
        self.next()


def main(address, n, clients, how):
    began = time.monotonic()
    result = Load(address, int(n), how == "kept").run(int(clients))
    result["seconds"] = round(time.monotonic() - began, 3)
    print(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
