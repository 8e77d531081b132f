"""What the proofs of full size share: FULL in the environment asks for it
(make check-full); without it they are the same in small.

A storm is a client program that is run again and again, each run asking its
part of the requests over several connections at once; what it says at its
end is added up.  As a program, this file is such a client for HTTP."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from harness import *

FULL = "FULL" in os.environ
EVENTS = 20 if FULL else 4
REQUESTS = 100000 if FULL else 2000
RUN = 2500 if FULL else 250  # requests of one client program
CLIENTS = 8
HELLO = """return {
    accept = function() return { ["Content-Type"] = "text/plain" }, "hello" end,
    restart = function() end,
}
"""
WAYS = {
    "fresh connections": (False, False),
    "kept connections": (True, False),
    "nginx, fresh connections": (False, True),
    "nginx, kept connections": (True, True),
}


class Storm(threading.Thread):
    """Run the client that command makes until stop()."""

    def __init__(self, command):
        super().__init__(daemon=True)
        self.command, self.ending = command, False
        self.done, self.failed, self.failures = 0, 0, []
        self.error = None
        self.start()

    def run(self):
        try:
            while not self.ending:
                self.once()
        except Exception as e:
            self.error = e

    def once(self):
        out = subprocess.run(self.command, stdout=subprocess.PIPE,
                             timeout=300).stdout
        result = json.loads(out)
        self.done += result["answered"] + result["failed"]
        self.failed += result["failed"]
        if result["failed"]:
            self.failures.append(out.decode())

    def reach(self, n):
        def reached():
            assert self.is_alive(), self.error
            return self.done >= n
        until(reached, "%d requests" % n, 600)

    def stop(self):
        self.ending = True
        self.join(300)
        assert not self.is_alive() and self.error is None, self.error
        return self.done, self.failed


def direct(d, keep):
    return Storm([LUA_FCGI, "-j", "-n", str(RUN), "-c", str(CLIENTS),
                  *(["-k"] if keep else []), d.address(), "/"])


@contextlib.contextmanager
def storm(d, keep, nginx):
    if not nginx:
        yield direct(d, keep)
        return
    with Nginx(d.address(), keep=keep) as server:
        yield Storm([sys.executable, "-B", os.path.abspath(__file__),
                     str(server.port), str(RUN)])


def under_storm(d, way, event, what):
    """EVENTS times event(i) while REQUESTS requests are asked: none fails."""
    with storm(d, *WAYS[way]) as s:
        for i in range(EVENTS):
            s.reach(REQUESTS * i // EVENTS)
            event(i)
        s.reach(REQUESTS)
        done, failed = s.stop()
        equal(failed, 0, "failed of %d: %s" % (done, s.failures[:3]))
        diag("%s: %d requests over %d %s, none failed" %
             (way, done, EVENTS, what))


# ---- a client for HTTP -------------------------------------------------------


def http_client(port, n, tally):
    """n requests over one connection."""
    conn, text = None, b""
    for _ in range(n):
        try:
            if conn is None:
                conn = socket.create_connection(("127.0.0.1", port), 60)
                left = b""
            conn.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            text = left
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


def http_clients(port, n):
    tally = {"answered": 0, "failed": 0}
    threads = [threading.Thread(target=http_client,
                                args=(port, n // CLIENTS, tally))
               for _ in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(json.dumps(tally))


if __name__ == "__main__":
    http_clients(int(sys.argv[1]), int(sys.argv[2]))
