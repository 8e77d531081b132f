"""What the proofs of full size share: FULL in the environment asks for it
(make check-full); without it they are the same in small.

A storm is a client program that is run again and again, each run asking its
part of the requests over several connections at once; what it says at its
end is added up."""

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


class Storm(threading.Thread):
    """Run the client that command makes until stop()."""

    def __init__(self, command):
        super().__init__(daemon=True)
        self.command, self.ending = command, False
        self.done, self.failed, self.again, self.failures = 0, 0, 0, []
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
        self.again += result.get("again", 0)
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


class HAProxy(Server):
    """HAProxy in front of an HTTP address, whose connections it keeps."""

    stop_signal = signal.SIGUSR1

    def __init__(self, address, keep):
        super().__init__()
        place = where(address)
        write(self.dir + "/haproxy.cfg", """
global
    hard-stop-after 1s
    log %s/log local0
defaults
    mode http
    timeout client 60s
    timeout connect 60s
    timeout server 60s
    http-reuse %s
frontend clients
    bind 127.0.0.1:%d
    default_backend pool
backend pool
    server pool %s
""" % (self.dir, "always" if keep else "never", self.port,
            place if ":" in place else "unix@" + place))
        self.launch([HAPROXY, "-db", "-f", self.dir + "/haproxy.cfg"])


HAPROXY = "/usr/sbin/haproxy"


@contextlib.contextmanager
def storm(d, keep, front):
    if front is None:
        yield Storm(ask_many(d.address(), RUN, keep, CLIENTS))
        return
    with front(d.address(), keep=keep) as server:
        yield Storm(ask_many("http:127.0.0.1:%d" % server.port, RUN, keep,
                             CLIENTS))
        equal(re.findall(r"upstream (?:prematurely|timed out).*",
                         server.tail()), [], "what the front met")


def under_storm(d, keep, front, event, what):
    """EVENTS times event(i) while REQUESTS requests are asked, over kept
    connections or fresh ones, directly or through a front: none fails, none is
    asked again."""
    with storm(d, keep, front) as s:
        for i in range(EVENTS):
            s.reach(REQUESTS * i // EVENTS)
            event(i)
        s.reach(REQUESTS)
        done, failed = s.stop()
        equal(failed, 0, "failed of %d: %s" % (done, s.failures[:3]))
        equal(s.again, 0, "asked again of %d" % done)
        diag("%s%s, %s connections: %d requests over %d %s, none failed" %
             (PROTOCOL, " through " + front.__name__ if front else "",
              "kept" if keep else "fresh", done, EVENTS, what))
