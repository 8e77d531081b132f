#!/usr/bin/env python3
"""slowhttptest, in all its modes, against two workers: other clients do not
notice.  In full size (FULL=yes) 1,000 connections each, mode after mode and
then all modes at once, and 99 of 100 answers within 50 ms."""

import os
import resource
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
from http_raw import *

FULL = os.environ.get("FULL") == "yes"
CONNECTIONS = 1000 if FULL else 150
SECONDS = 20 if FULL else 2
# A worker that is held is held for longer than that.
LIMIT = 0.05 if FULL else 0.5
MODES = {
    "slow heads": ("-H", "-i", "1", "-x", "20"),
    "slow bodies": ("-B", "-i", "1", "-x", "10"),
    "ranges": ("-R", "-t", "GET"),
    "slow readers": ("-X", "-w", "10", "-y", "20", "-n", "1", "-z", "32"),
}
RATE = CONNECTIONS // 5 if FULL else CONNECTIONS  # a second
APP = """return { accept = function(env)
    if env.REQUEST_METHOD == "POST" then
        env.input:read("a")
    end
    if env.REQUEST_URI:match("big") then
        return {}, ("x"):rep(200000)
    end
    return {}, "hello"
end }"""
d = HttpDaemon(app=APP, workers=2)


def attack(words):
    return subprocess.Popen(
        ["slowhttptest", *words, "-c", str(CONNECTIONS), "-r",
         str(RATE), "-l", str(SECONDS), "-u",
         "http://%s/big" % d.tcp], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def client(attacks, times):
    """Ask, over fresh and over kept connections, while an attack lasts."""
    kept = d.talk()
    while any(a.poll() is None for a in attacks):
        for fresh in (True, False):
            began = time.monotonic()
            c = d.talk() if fresh else kept
            r = c.fetch(target="/")
            times.append(time.monotonic() - began)
            equal(r.body, b"hello")
            if fresh:
                c.close()
            if r.says() == "close":
                kept = d.talk()
        threading.Event().wait(0.002)  # so that they are clients, not a load
    kept.close()


def under(*modes):
    """The times of other clients' requests while these go on."""
    attacks, times, most = [attack(MODES[m]) for m in modes], [], 0
    clients = [Background(client, attacks, times) for _ in range(4)]
    while any(a.poll() is None for a in attacks):
        most = max(most, sum(len(fds(p)) for p in d.workers()))
        threading.Event().wait(0.05)
    for c in clients:
        c.result()
    for a in attacks:
        said = a.communicate()[0].decode()
        equal(a.returncode, 0, said[-500:])
    diag("%s: %d descriptors in the workers" % (", ".join(modes), most))
    if modes != ("ranges",):  # whose connections end at once
        assert most > CONNECTIONS, most
    return times


@test
def starts():
    """the daemon starts"""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 6 * CONNECTIONS:
        raise Skip("RLIMIT_NOFILE is %d" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (6 * CONNECTIONS, hard))
    d.start()


def point(*modes):
    def look():
        in_time(lambda: under(*modes), LIMIT * (10 if SANITIZED else 1))
    look.__name__ = modes[0].replace(" ", "_") if len(modes) < 2 else "all"
    look.__doc__ = "%s, %d connections each: 99 of 100 requests of others "\
        "within %d ms" % (", ".join(modes), CONNECTIONS, LIMIT * 1000)
    test(look)


if FULL:
    for mode in MODES:
        point(mode)
point(*MODES)
run(limit=900 if FULL else 120, needs=("slowhttptest",), over=FCGI)
